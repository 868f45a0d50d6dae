"""The table at the end of a run."""

from rich.console import Console

from framework.planning.plan import EvaluateStage, Plan
from framework.reports.compare import compare


def print_final_table(plan: Plan, console: Console) -> None:
    """Compares the runs of a plan that is done: prints the table and writes it beside them; nothing without runs."""
    runs = plan.of_type(EvaluateStage)
    if not runs:
        return
    comparison = compare([run.folder for run in runs])
    console.print()
    comparison.print(console)
    comparison.write(plan.folder)
    console.print(
        f"\n tables and predictions: {plan.folder}/   ·   modulingua compare {plan.folder}",
        highlight=False,
        soft_wrap=True,
    )
