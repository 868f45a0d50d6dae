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

from framework.execution.checkpoint import CheckpointFile
from framework.execution.runner import run_experiment
from framework.reports.compare.final_table import print_final_table
from framework.store.store import WEIGHTS, Store
from tests.framework.tiny import Workspace, outcome, runs

# A fresh process would spend seconds on imports, in which nothing can be interrupted: one server imports and forks.
PROCESSES = multiprocessing.get_context("forkserver")
PRELOADED = ["framework.execution.runner", "framework.execution.execute", "transformers", "adapters", "datasets"]
PROCESSES.set_forkserver_preload(PRELOADED)


def work(file: str) -> None:
    """What a process does until it is killed."""
    os.setsid()
    multiprocessing.set_start_method("fork", force=True)  # else data workers would be children of the server
    console = Console(file=io.StringIO())
    print_final_table(run_experiment(Path(file), [], console), console)


@dataclass
class Chain:
    """Counts what happened to the processes of chains."""

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


def run_killed(file: Path, store: Store, kills: int, longest: float, draw: random.Random, chain: Chain) -> None:
    """Runs an experiment again and again, each time killed, until it is done.

    Args:
        file: The experiment's YAML.
        store: Its component store.
        kills: The number of kills after which one process is left alone.
        longest: Most seconds before a kill; every other one, by chance, comes soon after the first step of a training.
        draw: Draws the moments and, of a process and its ranks, the victim.
        chain: Counts the kills.
    """
    while chain.kills < kills:
        started = time.time()
        process = PROCESSES.Process(target=work, args=(str(file),))
        process.start()
        if draw.random() < 0.5:
            process.join(draw.uniform(0.0, longest))
        else:  # by itself, it would mostly hit a process that is only starting
            while process.is_alive() and not _trains(store, since=started):
                time.sleep(0.01)
            process.join(draw.uniform(0.0, 0.5))
        if process.exitcode == 0:
            break
        assert process.pid is not None
        os.kill(draw.choice(_family(process.pid)), signal.SIGKILL)
        process.join(60)
        assert process.exitcode not in (0, None)
        chain.kills += 1
        chain.checkpoints += check_whole(store)
    run_whole(file)


def _trains(store: Store, since: float) -> bool:
    """Says whether there is a checkpoint of after a moment."""
    try:
        return any(file.stat().st_mtime > since for file in _checkpoints(store))
    except FileNotFoundError:  # one went away under our eyes
        return False


def _checkpoints(store: Store) -> list[Path]:
    return list((store.folder / ".unfinished").glob("[!.]*.checkpoint"))


def check_whole(store: Store) -> int:
    """Checks that all that a reader would take is whole; returns the number of checkpoints."""
    for identity in store.identities():
        store.read(identity, store.passport(identity).backbone)
    checkpoints = _checkpoints(store)
    assert all(CheckpointFile.is_whole(checkpoint) for checkpoint in checkpoints)
    return len(checkpoints)


def found(workspace: Workspace, file_changes: dict[str, object]) -> dict[str, object]:
    """Returns all weights, bit for bit, and all predictions of an experiment."""
    plan = workspace.plan(file_changes)
    assert plan.todo == []
    weights = {stage.id: (workspace.store.path(stage.id) / WEIGHTS).read_bytes() for stage in plan.stages[:-1]}
    curves = {stage.id: workspace.store.history(stage.id) for stage in plan.stages[:-1]}
    tests = {run.path.name: outcome(run) for run in runs(plan)}
    return {"weights": weights, "curves": curves, "tests": tests}


def _family(parent: int) -> list[int]:
    """Returns a process and those of its descendants that are ranks or data workers."""
    family = [parent]
    for process in family:
        for task in Path(f"/proc/{process}/task").glob("*/children"):
            family += [int(child) for child in task.read_text().split()]
    return family
