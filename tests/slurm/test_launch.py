"""What is submitted, what is not submitted again, and what is cancelled."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from framework.slurm.cluster import queue
from tests.framework.conftest import Modulingua
from tests.framework.tiny import Workspace, command_line, outcome, runs
from tests.slurm.conftest import ended, slurm, status_of, wait_until

UNREAD = {"slurm.check_data": False}
"""A change: no job reads the data first."""
LATER = UNREAD | {"slurm.extra": ["--begin=now+1hour"]}
"""A change: the jobs wait, and nothing is trained."""


def names(folder: Path) -> list[str]:
    return sorted(file.stem for file in folder.glob("*.sbatch"))


def test_a_whole_plan_on_two_nodes_with_two_processes_each(
    workspace: Workspace, finished_run: Workspace, modulingua: Modulingua
) -> None:
    changes = {"trainer.devices": 2, "trainer.num_nodes": 2}
    answer = modulingua("launch", workspace.write(changes))
    assert (answer.code, answer.err) == (0, "")
    shapes = {line.split()[0]: line.split()[3:6] for line in answer.out.splitlines()[1:6]}
    one, four = ["1", "×", "1"], ["2", "×", "2"]
    assert shapes == {"data": one, "language": four, "task": four, "evaluate": four, "table": one}
    ended()
    rows = status_of(workspace, changes)
    assert {name: row.state for name, row in rows.items()} == dict.fromkeys(rows, "done")
    assert [row.kind for row in rows.values()] == ["data", "language", "language", "task", "evaluate", "table"]
    printed = rows["table · combinations × languages"].job
    assert printed is not None
    assert "language prompt + task adapter" in printed.log.read_text()
    assert list((workspace.folder / "runs" / "tiny").glob("*.md"))

    [run], [alone] = runs(workspace.plan(changes)), runs(finished_run.plan())
    found, expected = outcome(run), outcome(alone)
    assert found.keys() == expected.keys()
    for test, (result, _) in found.items():
        assert result.identity == expected[test][0].identity
    assert run.record.command == f"modulingua launch {workspace.folder / 'experiment.yaml'}"
    assert modulingua("launch", workspace.folder / "experiment.yaml").out.startswith(
        "nothing to do: every run is there"
    )


def test_a_running_plan_is_not_submitted_again(workspace: Workspace, modulingua: Modulingua) -> None:
    first = modulingua("launch", workspace.write(LATER))
    before = queue()
    assert len(before) == 5
    again = modulingua("launch", workspace.write(LATER))
    assert (again.code, again.err) == (0, "")
    assert again.out == "nothing to submit: all that is left waits or runs already (4 stages)\n"
    assert [entry.job for entry in queue()] == [entry.job for entry in before]
    assert [row.state for row in status_of(workspace, LATER).values()] == [
        "queued",
        "queued",
        "queued",
        "waiting",
        "waiting",
    ]
    # One more seed needs its own task stage and evaluation; the languages are waited for.
    more = modulingua("launch", workspace.write({**LATER, "seeds": [0, 1]}))
    assert names(workspace.folder / "runs" / "tiny" / "launch" / "2") == ["evaluate", "table", "task"]
    assert " not submitted again: 4 stages, in the queue already" in more.out.splitlines()
    assert first.out.splitlines()[1].split()[1] in next(line for line in more.out.splitlines() if "evaluate" in line)


def test_experiments_that_share_a_store_share_their_jobs(workspace: Workspace, modulingua: Modulingua) -> None:
    modulingua("launch", workspace.write(LATER))
    jobs = {entry.script.stem: entry.job for entry in queue()}
    other = workspace.write({**LATER, "name": "other", "seeds": [0, 1]}, "other.yaml")
    answer = modulingua("launch", other)
    assert (answer.code, answer.err) == (0, "")
    folder = workspace.folder / "runs" / "other" / "launch" / "1"
    assert names(folder) == ["evaluate", "evaluate-2", "table", "task"]
    dependencies = {
        file.stem: re.findall(r"--dependency='?([^'\n]+)", file.read_text()) for file in folder.glob("*.sbatch")
    }
    both = f"afterok:{jobs['language']}_0:{jobs['language']}_1"
    assert dependencies["task"] == []
    assert dependencies["evaluate"] == [f"aftercorr:{jobs['task']},{both}"]
    # Whose job it is, each cancels its own.
    cancelled = modulingua("cancel", other)
    assert "cancelled:" in cancelled.out
    wait_until(lambda: {entry.job for entry in queue()} == set(jobs.values()))
    states = {row.kind: row.state for row in status_of(workspace, {**LATER, "name": "other", "seeds": [0, 1]}).values()}
    assert states == {"language": "queued", "task": "cancelled", "evaluate": "cancelled", "table": "cancelled"}


def test_what_was_cancelled_is_launched_again(workspace: Workspace, modulingua: Modulingua) -> None:
    changes: dict[str, Any] = UNREAD | {"stages.task.training.steps": 100_000}
    modulingua("launch", workspace.write(changes))
    task = "task · task adapter · seed 0"
    wait_until(lambda: re.match(r"\d+/100000  loss ", status_of(workspace, changes)[task].detail))
    running = status_of(workspace, changes)[task]
    assert running.state == "running"
    assert running.job is not None
    # By hand, past `modulingua cancel`: the job must not take it for a preemption.
    slurm("scancel", running.job.shown)
    ended()
    rows = status_of(workspace, changes)
    states = {row.kind: (row.state, row.detail) for row in rows.values()}
    assert states == {
        "language": ("done", ""),
        "task": ("cancelled", ""),
        "evaluate": ("cancelled", f"needs {task}, which was cancelled"),
        "table": ("cancelled", f"needs {task}, which was cancelled"),
    }
    # A shorter training is another stage; the languages are there.
    shorter = workspace.write(UNREAD)
    again = modulingua("launch", shorter)
    assert [line.split()[0] for line in again.out.splitlines()[1:4]] == ["task", "evaluate", "table"]
    ended()
    assert workspace.plan({}).todo == []


def test_the_command_cancels_what_runs_and_what_waits(workspace: Workspace, modulingua: Modulingua) -> None:
    changes = UNREAD | {"stages.language.training.steps": 100_000}
    file = workspace.write(changes)
    modulingua("launch", file)
    wait_until(lambda: any(row.state == "running" for row in status_of(workspace, changes).values()))
    answer = modulingua("cancel", file)
    assert (answer.code, answer.err) == (0, "")
    assert sorted(re.findall(r"\((\S+) × (\d)\)", answer.out)) == [
        ("evaluate", "1"),
        ("language", "2"),
        ("table", "1"),
        ("task", "1"),
    ]
    ended()
    assert {row.state for row in status_of(workspace, changes).values()} == {"cancelled"}
    assert modulingua("cancel", file).out == "nothing to cancel: no job of tiny waits or runs\n"


def test_a_partition_that_does_not_exist_is_said_in_the_words_of_slurm(
    workspace: Workspace, modulingua: Modulingua
) -> None:
    answer = modulingua("launch", workspace.write(UNREAD | {"slurm.stages": {"evaluate": {"partition": "gpus"}}}))
    assert (answer.code, answer.out) == (2, "")
    first, *words = answer.err.splitlines()
    script = workspace.folder / "runs" / "tiny" / "launch" / "1" / "evaluate.sbatch"
    assert first == f"{script}: refused by Slurm"
    assert "invalid partition specified: gpus" in words[0]
    assert script.is_file()
    ended(10)  # the jobs before it were withdrawn
    mended = modulingua("launch", workspace.write(LATER))
    assert mended.code == 0
    assert len(queue()) == 5


def test_a_dry_run_shows_everything_and_does_nothing(workspace: Workspace, modulingua: Modulingua) -> None:
    answer = modulingua("launch", workspace.write(), "--dry-run")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.count("#!/bin/bash") == 5
    assert queue() == []
    assert workspace.files() == {}


def test_a_folder_with_a_space_is_no_hindrance(
    tmp_path: Path, workspace: Workspace, modulingua: Modulingua, pretend: Callable[[str], None]
) -> None:
    pretend("exit 3")
    changes = UNREAD | {"runs": str(tmp_path / "my runs"), "slurm.retries": 0}
    modulingua("launch", workspace.write(changes))
    ended()
    language, *_ = status_of(workspace, changes).values()
    assert (language.state, language.detail) == ("failed", "exit code 3")


@pytest.mark.parametrize("command", ["launch", "cancel"])
def test_a_machine_without_slurm_says_so(workspace: Workspace, command: str) -> None:
    answer = command_line(command, workspace.write(), PATH="")
    assert answer.returncode == 2
    assert answer.stderr.startswith("no Slurm on this machine")
    assert workspace.files() == {}
