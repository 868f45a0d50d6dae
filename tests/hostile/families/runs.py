"""Runs whose files were edited, cut short or replaced by something else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.hostile.case import EITHER, Case
from tests.hostile.damage import CONTENTS, DAMAGES, edited
from tests.hostile.world import World

RESULT = "results/own/swh_Latn.json"
PREDICTIONS = "predictions/own/swh_Latn.parquet"


def run_of(folder: Path) -> Path:
    """Returns the one run of the finished experiment in the folder of a case."""
    [record] = (folder / "runs" / "tiny").glob("*/run.json")
    return record.parent


def cases(world: World) -> Iterator[Case]:
    """Yields the cases of the family."""
    run = run_of(world.finished)
    commands = {
        "compare": ["compare", "runs/tiny"],
        "analyze": ["analyze", "runs/tiny"],
        "by data": ["compare", "runs/tiny", "--by", "data"],
        "predict": ["predict", f"runs/tiny/{run.name}", "--language", "swh_Latn"],
        "run": ["run", "e.yaml"],
    }

    def case(name: str, command: str, change: Callable[[Path], object], *, unprivileged: bool = False) -> Case:
        def setup(folder: Path) -> None:
            world.copy_finished(folder)
            change(run_of(folder))

        # The tables of `compare` and `run` are written beside the runs; what is refused may come after the first file.
        return Case(
            f"{name}: {command}", commands[command], setup=setup, codes=EITHER, unprivileged=unprivileged, writes=True
        )

    def content(name: str, text: str | bytes) -> Callable[[Path], object]:
        return lambda folder: (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)

    def damaged(name: str, damage: Callable[[Path], object]) -> Callable[[Path], object]:
        return lambda folder: damage(folder / name)

    for number, (name, text) in enumerate(edited(json.loads((run / "run.json").read_text()))):
        yield case(f"record {name}", ("compare", "analyze")[number % 2], content("run.json", text))
    for name, text in edited(json.loads((run / RESULT).read_text())):
        yield case(f"result {name}", "compare", content(RESULT, text))
    for name, text in CONTENTS.items():
        for command in ("by data", "predict"):
            yield case(f"experiment.yaml is {name}", command, content("experiment.yaml", text))
    for file, command in (("run.json", "predict"), (RESULT, "run"), (PREDICTIONS, "run")):
        for name, damage in DAMAGES.items():
            closed = name == "may not be read"
            if (file, name) != (PREDICTIONS, "is huge"):
                reader = "compare" if closed else command
                yield case(f"{file} {name}", reader, damaged(file, damage), unprivileged=closed)
