"""The lock on a stage: of several processes one carries it out."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from filelock import SoftFileLease

from framework.errors import Interrupted
from framework.system.locks import LEASE, _Claim, stage_lock
from framework.system.signals import handle_stop_signals
from tests.framework.tiny import Workspace, outcome, runs, start

_LOG_WHAT_IS_CARRIED_OUT = """
import sys
from framework.execution import runner
from framework.cli import main

log, execute = sys.argv.pop(1), runner.execute

def logged(stage, *rest):
    with open(log, "a") as file:
        file.write(stage.id + "\\n")
    execute(stage, *rest)

runner.execute = logged
main()
"""

_CLAIM_AND_DIE = """
import os, signal
from pathlib import Path
from filelock import SoftFileLease
claim = Path({claim!r})
claim.parent.mkdir()
lease = SoftFileLease(claim, lease_duration={lease})
lease.acquire()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def claim(tmp_path: Path) -> Path:
    return tmp_path / "store" / "7f3a.claim"


def test_the_second_waits_and_finds_it_done(claim: Path) -> None:
    done = threading.Event()
    waited: list[str] = []
    answers: list[bool] = []

    def second() -> None:
        with stage_lock(claim, done.is_set, waited.append) as mine:
            answers.append(mine)

    with stage_lock(claim, done.is_set, waited.append) as mine:
        assert mine
        other = threading.Thread(target=second)
        other.start()
        while not waited:
            time.sleep(0.01)
        assert answers == []
        done.set()
    other.join()
    assert answers == [False]
    [said] = waited
    assert said.startswith(f"claimed by process {os.getpid()} on {os.uname().nodename}")
    assert f"`rm {claim}` frees the stage" in said


def test_the_second_takes_over_from_one_that_failed(claim: Path) -> None:
    answers: list[bool] = []

    def second() -> None:
        with stage_lock(claim, lambda: False, lambda why: None) as mine:
            answers.append(mine)

    with stage_lock(claim, lambda: False, lambda why: None):
        other = threading.Thread(target=second)
        other.start()
        time.sleep(0.2)
        assert answers == []
    other.join()
    assert answers == [True]


def test_a_dead_owner_loses_it_at_once(claim: Path) -> None:
    dead = subprocess.run(
        [sys.executable, "-c", _CLAIM_AND_DIE.format(claim=str(claim), lease=LEASE)], capture_output=True, text=True
    )
    assert dead.returncode == -signal.SIGKILL, dead.stderr
    assert claim.exists()
    started = time.monotonic()
    with stage_lock(claim, lambda: False, lambda why: None) as mine:
        assert mine
    assert time.monotonic() - started < LEASE / 4


def test_an_owner_on_another_machine_loses_it_without_heartbeat(
    claim: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("framework.system.locks.LEASE", 2.0)
    lease = SoftFileLease(claim, lease_duration=2.0)
    claim.parent.mkdir()
    lease.acquire()
    record = claim.read_text()
    lease.release()
    # The same record of a host that is not this one: nobody can ask there whether the process lives.
    claim.write_text(record.replace(os.uname().nodename, "elsewhere"))
    with stage_lock(claim, lambda: False, lambda why: None) as mine:
        assert mine


def test_a_claim_made_anew_is_not_taken_for_the_stale_one(
    claim: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("framework.system.locks.WRITING", 0.0)
    claim.parent.mkdir()
    claim.write_text("no record of a process")
    os.utime(claim, (1, 1))
    mine, other = _Claim(claim), _Claim(claim)
    remove = _Claim._remove

    def overtaken(self: _Claim, stale: os.stat_result) -> None:
        """Removes a claim that another process has removed since it was read, and has claimed anew."""
        remove(other, stale)
        assert other.acquire()
        remove(self, stale)

    monkeypatch.setattr(_Claim, "_remove", overtaken)
    mine.free_if_stale()
    assert (other.lease.is_locked, mine.acquire()) == (True, False)
    assert [file.name for file in claim.parent.iterdir()] == [claim.name]
    other.lease.release()
    assert mine.acquire()
    mine.lease.release()


def test_a_third_claim_is_not_written_over(claim: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    claim.parent.mkdir()
    claim.write_text("stale")
    os.utime(claim, (1, 1))
    stale = claim.lstat()
    claim.write_text("the second's, put back too late")
    rename = Path.rename

    def slow(self: Path, target: Path) -> Path:
        moved = rename(self, target)
        claim.write_text("the third's")
        return moved

    monkeypatch.setattr(Path, "rename", slow)
    _Claim(claim)._remove(stale)
    assert claim.read_text() == "the third's"
    assert [file.name for file in claim.parent.iterdir()] == [claim.name]


@pytest.mark.usefixtures("no_request_left")
def test_who_waits_can_be_asked_to_stop(claim: Path) -> None:
    claim.parent.mkdir()
    has_it, stopped = threading.Event(), threading.Event()

    def owner() -> None:
        with SoftFileLease(claim, lease_duration=LEASE):
            has_it.set()
            stopped.wait()

    other = threading.Thread(target=owner)
    other.start()
    has_it.wait()
    try:
        with handle_stop_signals():
            waiting = stage_lock(claim, lambda: False, lambda why: signal.raise_signal(signal.SIGTERM))
            with pytest.raises(Interrupted, match="while it waited"), waiting:
                pass
    finally:
        stopped.set()
        other.join()


@pytest.mark.slow
def test_two_runs_at_once_train_each_stage_once(workspace: Workspace, finished_run: Workspace) -> None:
    file, log = workspace.write(), workspace.folder / "log"
    processes = [start(log, "run", file, code=_LOG_WHAT_IS_CARRIED_OUT) for _ in range(2)]
    said = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    plan = workspace.plan()
    assert plan.todo == []
    assert sorted(log.read_text().split()) == sorted(stage.id for stage in plan.stages)
    found = [outcome(runs(place.plan())[0]) for place in (workspace, finished_run)]
    assert found[0] == found[1]
