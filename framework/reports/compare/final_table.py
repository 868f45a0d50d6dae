"""The table at the end of a run."""

from rich.console import Console

from framework.planning.plan import EvaluateStage, Plan
from framework.reports.compare import compare


def print_final_table(plan: Plan, console: Console) -> None:
    """Prints and writes the comparison of a finished plan's runs, if there are any."""
    runs = plan.of_type(EvaluateStage)
    if not runs:
        return
    comparison = compare([run.folder for run in runs])
    console.print()
    comparison.print(console)
    comparison.write(plan.folder)
    console.print(f"\n tables and predictions: {plan.folder}/   ·   modulingua compare {plan.folder}", soft_wrap=True)
