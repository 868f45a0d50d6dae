"""What the batch script makes of the ways in which a stage's processes can end, with a stub in their place."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from framework.planning.plan import TaskStage
from framework.slurm.cluster import queue
from framework.slurm.stage_job import StageJob
from tests.framework.conftest import Modulingua
from tests.framework.tiny import Workspace
from tests.slurm.conftest import ended, slurm, status_of, wait_until

ONE = {"combination.language": {}, "slurm.retries": 2, "slurm.check_data": False}
"""A change: the plan is a task stage, its evaluation and the table."""
TASK = "task · task adapter · seed 0"
COUNT = 'n=$(($(cat "$0.n" 2>/dev/null || echo 0) + 1)); echo $n >"$0.n"'
"""Shell: counts how often the stub was called."""

Pretend = Callable[[str], None]


def job_of(workspace: Workspace, stage: str = TASK) -> StageJob:
    job = status_of(workspace, ONE)[stage].job
    assert job is not None
    return job


def calls(workspace: Workspace) -> int:
    file = workspace.folder / "python.n"
    return int(file.read_text()) if file.is_file() else 0


def test_a_stage_that_crashes_is_tried_again(workspace: Workspace, modulingua: Modulingua, pretend: Pretend) -> None:
    pretend(f"{COUNT}; [ $n -gt 2 ] || exit 1")
    modulingua("launch", workspace.write(ONE))
    ended()
    assert calls(workspace) == 5  # three times the task, the evaluation, the table
    job = job_of(workspace)
    assert job.ended().split()[0] == "0"
    assert job.log.read_text().count("crashed with exit code 1; tried again") == 2


def test_a_stage_that_goes_on_crashing_takes_its_dependents_with_it(
    workspace: Workspace, modulingua: Modulingua, pretend: Pretend
) -> None:
    pretend(f"{COUNT}; printf '3\\tloss 0.5\\n'; echo 'RuntimeError: no more memory' >&2; exit 1")
    file = workspace.write(ONE)
    modulingua("launch", file)
    ended()
    assert calls(workspace) == 3
    rows = status_of(workspace, ONE)
    assert [(row.kind, row.state, row.detail) for row in rows.values()] == [
        ("task", "failed", "exit code 1"),
        ("evaluate", "cancelled", f"needs {TASK}, which failed"),
        ("table", "cancelled", f"needs {TASK}, which failed"),
    ]
    shown = modulingua("status", file)
    assert (shown.code, shown.err) == (0, "")
    assert f"{TASK} · failed: {job_of(workspace).log}" in shown.out
    assert "  RuntimeError: no more memory" in shown.out.splitlines()
    assert "loss 0.5" not in shown.out


def test_one_failed_seed_takes_its_own_evaluation_only(
    workspace: Workspace, modulingua: Modulingua, pretend: Pretend
) -> None:
    changes = {**ONE, "seeds": [0, 1, 2]}
    [_, victim, _] = workspace.plan(changes).of_type(TaskStage)
    pretend(f'case "$*" in *{victim.id}) exit 2 ;; esac')
    modulingua("launch", workspace.write(changes))
    ended()
    ends = {file.name: file.read_text().split()[0] for file in (workspace.folder / "runs/tiny/launch/1/ends").iterdir()}
    assert ends == {"task-0": "0", "task-1": "2", "task-2": "0", "evaluate-0": "0", "evaluate-2": "0"}


def test_a_mistake_is_not_tried_again(workspace: Workspace, modulingua: Modulingua, pretend: Pretend) -> None:
    pretend(f"{COUNT}; exit 2")
    modulingua("launch", workspace.write(ONE))
    ended()
    assert calls(workspace) == 1
    assert status_of(workspace, ONE)[TASK].detail == "exit code 2"


def test_the_first_process_that_fails_says_how(workspace: Workspace, modulingua: Modulingua, pretend: Pretend) -> None:
    pretend("[ $SLURM_PROCID = 3 ] && exit 2; sleep 60")
    changes = {**ONE, "trainer.devices": 2, "trainer.num_nodes": 2}
    modulingua("launch", workspace.write(changes))
    ended(40)
    assert job_of(workspace).ended() == "2 RUNNING None"


def test_an_interrupted_stage_is_requeued_as_often_as_it_takes(
    workspace: Workspace, modulingua: Modulingua, pretend: Pretend
) -> None:
    # More often than crashes are forgiven; ranks that leave one after the other; one that dies before it listens.
    changes: dict[str, Any] = {**ONE, "trainer.devices": 2, "slurm.retries": 0}
    pretend(f"{COUNT}; [ $n = 3 ] && kill $$; [ $n -gt 8 ] || {{ sleep $SLURM_PROCID; exit 75; }}")
    modulingua("launch", workspace.write(changes))
    ended()
    job = job_of(workspace)
    assert job.ended().split()[0] == "0"
    log = job.log.read_text()
    assert log.count("the job is requeued") >= 4
    assert log.count(f"job {job.shown} on ") == log.count("the job is requeued") + 1  # one log for all


def test_a_cancelled_stage_is_not_requeued(workspace: Workspace, modulingua: Modulingua, pretend: Pretend) -> None:
    pretend(f"{COUNT}; trap 'exit 75' TERM; sleep 60 & wait")
    modulingua("launch", workspace.write(ONE))
    wait_until(lambda: calls(workspace) == 1)
    slurm("scancel", job_of(workspace).shown)
    ended(30)
    assert calls(workspace) == 1
    assert status_of(workspace, ONE)[TASK].state == "cancelled"


@pytest.mark.parametrize("signal", ["USR1", "USR2", "TERM"])
def test_a_warning_reaches_the_processes_and_not_the_shell(
    workspace: Workspace, modulingua: Modulingua, pretend: Pretend, signal: str
) -> None:
    pretend(f"{COUNT}; [ $n = 1 ] || exit 0; trap 'exit 75' {signal}; sleep 60 & wait")
    modulingua("launch", workspace.write(ONE))
    wait_until(lambda: calls(workspace) == 1)
    slurm("scancel", f"--signal={signal}", job_of(workspace).shown)
    ended()
    assert job_of(workspace).log.read_text().count("the job is requeued") == 1
    assert job_of(workspace).ended().split()[0] == "0"


def test_a_job_of_one_element_of_many_requeues_itself_alone(
    workspace: Workspace, modulingua: Modulingua, pretend: Pretend
) -> None:
    changes = {**ONE, "seeds": [0, 1, 2]}
    [_, _, last] = workspace.plan(changes).of_type(TaskStage)
    mark = workspace.folder / "interrupted"
    pretend(f'case "$*" in *{last.id}) [ -e {mark} ] || {{ touch {mark}; exit 75; }} ;; esac')
    modulingua("launch", workspace.write(changes))
    ended()
    files = sorted((workspace.folder / "runs/tiny/launch/1/logs").glob("task-*"))
    logs = [file.read_text().count("modulingua: 2") for file in files]
    assert logs == [1, 1, 2]
    assert queue() == []


def test_several_stages_in_one_element(workspace: Workspace, modulingua: Modulingua, pretend: Pretend) -> None:
    changes: dict[str, Any] = {**ONE, "seeds": [0, 1, 2], "slurm.per_job": 3, "slurm.retries": 1}
    # The second stage is interrupted once, and then fails for good; the third one is carried out all the same.
    _, second, _ = workspace.plan(changes).of_type(TaskStage)
    mark = workspace.folder / "interrupted"
    once = f"[ -e {mark} ] || {{ touch {mark}; exit 75; }}"
    pretend(f'{COUNT}; echo "call $n"; case "$*" in *{second.id}) {once}; exit 1 ;; esac')
    modulingua("launch", workspace.write(changes))
    ended()
    assert calls(workspace) == 5  # the stages' two, one and one attempts, and the interrupted one
    launched = workspace.folder / "runs/tiny/launch/1"
    parts = ("0", "0.1", "0.2")
    logs = [(launched / "logs" / f"task-{part}.log").read_text() for part in parts]
    assert [re.findall(r"call (\d)", log) for log in logs] == [["1"], ["2", "3", "4"], ["5"]]
    assert "the job is requeued" in logs[1]
    assert [(launched / "ends" / f"task-{part}").read_text().split()[0] for part in parts] == ["0", "1", "0"]
    rows = status_of(workspace, changes)
    assert rows["task · task adapter · seed 1"].detail == "exit code 1"
    # The element failed with its second stage, and what waited for it was cancelled: three evaluations and the table.
    cause = ("cancelled", "needs task · task adapter · seed 1, which failed")
    assert [(row.state, row.detail) for row in rows.values() if row.kind != "task"] == [cause] * 4


def test_nothing_of_the_shell_that_submits_is_needed_or_taken_for_a_rank(
    workspace: Workspace, modulingua: Modulingua, pretend: Pretend, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend('echo "process: ${OMP_NUM_THREADS-none} ${LOCAL_RANK-none} ${MASTER_ADDR-none} $(type -t env)"')
    for number, option in enumerate(("--export=ALL", "--export=NONE"), start=1):
        monkeypatch.setenv("LOCAL_RANK", "1")
        monkeypatch.setenv("MASTER_ADDR", "nowhere")
        modulingua("launch", workspace.write({**ONE, "slurm.extra": [option]}))
        ended()
        log = (workspace.folder / f"runs/tiny/launch/{number}/logs/task-0.log").read_text()
        assert "process: 1 none none file" in log
