"""Prints the explanation of an experiment."""

import json
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table

from framework.config.load import read_experiment
from framework.config.schema import Experiment
from framework.config.yaml_file import ExperimentSource, dotted, read
from framework.planning.plan import make_plan
from framework.reports.explain.drawing import drawing, optimizers
from framework.reports.explain.examples import examples
from framework.reports.explain.origins import origins


def explain(file: Path, overrides: list[str], console: Console) -> None:
    """Prints settings, combinations, optimisers, examples and jobs of an experiment, without training or writing.

    Raises:
        UserError: The experiment has mistakes.
    """
    experiments = read_experiment(file, overrides, here=False)
    plan = make_plan(experiments)
    _heading(console, "Settings")
    console.print(_settings(read(file, overrides), experiments))
    _heading(console, "Combinations" if len(experiments) > 1 else "Combination")
    for experiment in experiments:
        console.print(drawing(plan, experiment))
        console.print()
    _heading(console, "Optimisers")
    console.print(optimizers(plan))
    _heading(console, "Examples as the model sees them")
    for title, parts in examples(plan):
        console.print(title, style="bold")
        for what, text in parts:
            for number, line in enumerate(text.splitlines() or [""]):
                label = what if not number else ""
                console.print(f"  {label:<12}{line}", soft_wrap=True)
        console.print()
    if "slurm" in plan.shared.document:
        from framework.slurm.launch import launch_plan

        _heading(console, "Jobs")
        launch_plan(plan, file, overrides, console, dry_run=True)


def _settings(source: ExperimentSource, experiments: list[Experiment]) -> Table:
    """Lists the values of the first combination, and whether the grid varies them."""
    table = Table(Column(no_wrap=True), Column(overflow="fold"), Column(overflow="fold"), box=None, show_header=False)
    for key, value, place in origins(source, experiments[0]):
        varied = [name for name in source.cells[0].settings if f"{dotted(key)}.".startswith(f"{name}.")]
        if varied:
            others = f": 1 of {len(experiments)} combinations" if len(experiments) > 1 else ""
            place = f"{source.place(key)}, grid{others}"
        table.add_row(dotted(key), _text(value), place, style="dim" if place == "default" else None)
    return table


def _text(value: object) -> str:
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def _heading(console: Console, text: str) -> None:
    console.print(f"\n── {text}\n", style="bold")
