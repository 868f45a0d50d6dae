"""A chain of runs of one experiment, each killed at a random moment, until one comes to the end."""

from __future__ import annotations

import io
import multiprocessing
import os
import random
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from framework.checkpoint import CheckpointFile
from framework.runner import run_experiment
from framework.store import WEIGHTS, Store
from tests.framework.tiny import Desk, outcome, runs

# A fresh process would spend seconds on imports, in which nothing can be interrupted: one server imports and forks.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["framework.runner", "framework.stages", "transformers", "adapters", "datasets"])


def work(file: str) -> None:
    """What a process does until it is killed."""
    os.setsid()
    multiprocessing.set_start_method("fork", force=True)  # else data workers would be children of the server
    run_experiment(Path(file), [], Console(file=io.StringIO()))


@dataclass
class Chain:
    """Counts what happened to the processes of a chain."""

    kills: int = 0
    """Processes killed before the experiment was done."""
    checkpoints: int = 0
    """Kills that left a checkpoint to go on from."""


def run_whole(file: Path) -> float:
    """Runs an experiment undisturbed and returns the seconds that it took."""
    server = PROCESSES.Process(target=int)  # its imports are not to be counted
    server.start()
    server.join()
    started = time.monotonic()
    process = PROCESSES.Process(target=work, args=(str(file),))
    process.start()
    process.join()
    assert process.exitcode == 0
    return time.monotonic() - started


def run_killed(file: Path, store: Store, kills: int, longest: float, draw: random.Random) -> Chain:
    """Runs an experiment again and again, killed `kills` times, and then to its end.

    Args:
        file: The experiment's YAML.
        store: Its component store.
        kills: How many processes are killed before one is left alone.
        longest: Most seconds before a kill.
        draw: Draws the moments and, of a process and its ranks, the victim.
    """
    chain = Chain()
    while chain.kills < kills:
        process = PROCESSES.Process(target=work, args=(str(file),))
        process.start()
        process.join(draw.uniform(0.0, longest))
        if process.exitcode == 0:
            break
        assert process.pid is not None
        os.kill(draw.choice(_family(process.pid)), signal.SIGKILL)
        process.join(60)
        assert process.exitcode not in (0, None)
        chain.kills += 1
        chain.checkpoints += check_whole(store)
    run_whole(file)
    return chain


def check_whole(store: Store) -> int:
    """Checks that all that a reader would take is whole; returns the number of checkpoints."""
    for passport in store.passports():
        store.read(passport.id, passport.backbone)
    checkpoints = list((store.folder / ".unfinished").glob("[!.]*.checkpoint"))
    assert all(CheckpointFile.is_whole(checkpoint) for checkpoint in checkpoints)
    return len(checkpoints)


def found(desk: Desk, file_changes: dict[str, object]) -> dict[str, object]:
    """Returns all weights, bit for bit, and all predictions of an experiment."""
    plan = desk.plan(file_changes)
    assert plan.todo == []
    weights = {stage.id: (desk.store.path(stage.id) / WEIGHTS).read_bytes() for stage in plan.stages[:-1]}
    curves = {stage.id: desk.store.history(stage.id) for stage in plan.stages[:-1]}
    tests = {run.path.name: outcome(run) for run in runs(plan)}
    return {"weights": weights, "curves": curves, "tests": tests}


def _family(parent: int) -> list[int]:
    """Returns a process and those of its descendants that are ranks or data workers."""
    family = [parent]
    for process in family:
        for task in Path(f"/proc/{process}/task").glob("*/children"):
            family += [int(child) for child in task.read_text().split()]
    return family
