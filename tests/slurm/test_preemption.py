"""A stage that a cluster stops again and again comes to exactly what an undisturbed one does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from framework.planning.plan import TaskStage
from framework.slurm.stage_job import StageJob
from tests.framework.conftest import Modulingua, workspace_in
from tests.framework.tiny import Workspace, command_line
from tests.slurm.conftest import ended, slurm, status_of, wait_until

TIMES = 10
LONG: dict[str, Any] = {
    "combination.language": {},
    "languages.targets": ["swh_Latn"],
    "stages.task.training.steps": 600,
    "stages.task.validate_every": 150,
    "stages.task.answer.classification_head.dropout": 0.1,
    "slurm.retries": 0,
    "slurm.check_data": False,
}
"""A change: the plan is a task stage of some seconds, its evaluation and the table."""
TASK = "task · task adapter · seed 0"


def job_of(workspace: Workspace, changes: dict[str, Any]) -> StageJob:
    job = status_of(workspace, changes)[TASK].job
    assert job is not None
    return job


def step(job: StageJob) -> int:
    return int(job.progress()[0] or 0)


def weights(workspace: Workspace, changes: dict[str, Any]) -> str:
    """Returns the hash of what the task stage trained."""
    [task] = workspace.plan(changes).of_type(TaskStage)
    return workspace.store.passport(task.id).weights_sha256


def requeues(job: StageJob) -> int:
    return job.log.read_text().count("the job is requeued") if job.log.is_file() else 0


def preempt(job: StageJob, signal: str) -> None:
    """Waits until a stage goes on, asks it to stop, and waits until it did."""
    seen, times = step(job), requeues(job)
    wait_until(lambda: step(job) > seen)
    slurm("scancel", f"--signal={signal}", job.shown)
    wait_until(lambda: requeues(job) > times)


@pytest.fixture
def undisturbed(shared_files: Path, tmp_path: Path) -> Callable[[dict[str, Any]], str]:
    """Trains the same without Slurm and returns the hash of the weights."""

    def train(changes: dict[str, Any]) -> str:
        (tmp_path / "undisturbed").mkdir()
        other = workspace_in(tmp_path / "undisturbed", shared_files)
        answer = command_line("run", other.write(changes))
        assert answer.returncode == 0, answer.stderr
        return weights(other, changes)

    return train


def test_preempted_ten_times_in_a_row(
    workspace: Workspace, modulingua: Modulingua, undisturbed: Callable[[dict[str, Any]], str]
) -> None:
    changes = {**LONG, "trainer.devices": 2}
    modulingua("launch", workspace.write(changes))
    job = job_of(workspace, changes)
    for turn in range(TIMES):
        preempt(job, ("USR1", "USR2", "TERM")[turn % 3])
    ended()
    rows = status_of(workspace, changes)
    assert {row.state for row in rows.values()} == {"done"}
    assert weights(workspace, changes) == undisturbed(changes)
    steps = [int(line.split("\t")[0]) for line in job.log.read_text().splitlines() if "\tloss" in line]
    assert steps == sorted(set(steps))  # no step was done twice


def test_a_node_that_fails(
    workspace: Workspace, modulingua: Modulingua, undisturbed: Callable[[dict[str, Any]], str]
) -> None:
    changes = {**LONG, "trainer.checkpoint_every": 0.2}
    modulingua("launch", workspace.write(changes))
    job = job_of(workspace, changes)
    wait_until(lambda: step(job) > 100)
    node = slurm("squeue", "--noheader", f"--jobs={job.shown}", "--format=%N").strip()
    # Drained first: its slurmd lives and would take the job back at once, while the first copy is still stopping.
    slurm("scontrol", "update", f"nodename={node}", "state=drain", "reason=test")
    slurm("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
    try:
        ended()
    finally:
        slurm("scontrol", "update", f"nodename={node}", "state=resume")
    log = job.log.read_text()
    lives = log.split("modulingua: 2")[1:]
    assert len(lives) == 2
    first = next(line for line in lives[1].splitlines() if "\tloss" in line)
    assert int(first.split("\t")[0]) > 30
    assert weights(workspace, changes) == undisturbed(changes)
