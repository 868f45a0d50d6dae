"""Reads what W&B's client left offline, with the client's own reader."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from framework.planning.plan import Plan, TaskStage
from tests.framework.tiny import Workspace

Fields = dict[str, Any]


def offline_copies(folder: Path) -> list[Path]:
    """Returns the offline copies of one stage, oldest first."""
    return sorted((folder / "wandb").glob("offline-run-*"))


def state_of(copy: Path) -> Fields:
    """Returns an offline copy's configuration, summary, tags, exit code and so on."""
    state: Fields = json.loads(_inspect(copy, "--summary"))
    return state


def records_of(copy: Path, kind: str) -> list[Fields]:
    """Returns an offline copy's records of one kind: run, history, metric, artifact …"""
    records = map(json.loads, _inspect(copy).splitlines())
    return [record[kind] for record in records if record["type"] == kind]


@cache
def _inspect(copy: Path, *options: str) -> str:
    wandb = Path(sys.executable).with_name("wandb")
    done = subprocess.run(
        [wandb, "leet", "inspect", *options, "--json", copy], capture_output=True, text=True, cwd=copy, timeout=200
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def curve(history: list[Fields]) -> list[Fields]:
    """Returns a history without what is the client's own, and without results."""
    rows = [{key: row[key] for key in row if not key.startswith(("_", "results"))} for row in history]
    return [row for row in rows if row]


def expected_curve(workspace: Workspace, plan: Plan, identity: str) -> list[Fields]:
    """Returns the history that a stage's W&B run must have, from the store."""
    [stage] = [stage for stage in plan.stages if stage.id == identity]
    tasks = [task for task in plan.of_type(TaskStage) if task.id in stage.needs]
    [trained] = tasks if stage.kind == "evaluate" else [stage]
    return [{f"{trained.kind}/{key}": row[key] for key in row} for row in workspace.store.history(trained.id)]
