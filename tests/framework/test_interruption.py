"""Being asked to stop, and being asked for the same work at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import SoftFileLease

from framework.errors import INTERRUPTED, Interrupted
from framework.execution.checkpoint import CheckpointFile, usable
from framework.planning.plan import LanguageStage
from framework.store.store import WEIGHTS
from framework.system.locks import LEASE, _Claim, stage_lock
from framework.system.signals import handle_stop_signals, pause, stop_requested
from tests.framework.tiny import ROOT, Workspace, command_line, execute_one_stage, outcome, runs

LONG: dict[str, Any] = {
    "stages.language.training.steps": 100,
    "trainer.checkpoint_every": 0,
    "languages.targets": ["swh_Latn"],
}


def start(*words: str | Path, code: str | None = None) -> subprocess.Popen[str]:
    """Starts `modulingua` (or some code) in a process of its own."""
    program = ["-m", "framework.cli"] if code is None else ["-c", code]
    return subprocess.Popen(
        [sys.executable, *program, *map(str, words)],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a group of its own, that can be signalled as a whole
    )


def wait_for(file: Path, process: subprocess.Popen[str]) -> None:
    """Waits until a file is there."""
    end = time.monotonic() + 300
    while not file.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)


class TestSignals:
    @pytest.mark.parametrize(
        ("number", "devices"),
        [
            (signal.SIGTERM, 1),
            pytest.param(signal.SIGINT, 1, marks=pytest.mark.slow),
            pytest.param(signal.SIGUSR1, 2, marks=pytest.mark.slow),
        ],
        ids=str,
    )
    def test_a_run_stops_at_the_end_of_a_step_and_goes_on_later(
        self, workspace: Workspace, tmp_path: Path, number: signal.Signals, devices: int
    ) -> None:
        changes = LONG | {"trainer.devices": devices}
        file = workspace.write(changes)
        [language] = workspace.plan(changes).of_type(LanguageStage)
        process = start("run", file)
        wait_for(workspace.store.checkpoint(language.id), process)
        process.send_signal(number)
        _, said = process.communicate(timeout=120)
        assert process.returncode == INTERRUPTED
        word = number.name if devices == 1 else "SIGTERM"  # passed on as that
        assert f"stopped ({word}) after step " in said
        assert said.rstrip().endswith(" of 100; the same command goes on from there")
        assert "Traceback" not in said
        assert not workspace.store.has(language.id)
        assert not list(workspace.store.folder.rglob("*.claim"))
        step = int(said.split("after step ")[1].split()[0])
        whole = CheckpointFile().load_checkpoint(workspace.store.checkpoint(language.id))
        assert whole["global_step"] == step

        undisturbed = Workspace(tmp_path / "whole", workspace.encoder, workspace.texts, workspace.corpus)
        undisturbed.folder.mkdir()
        for place in (workspace, undisturbed):
            if devices == 1:
                place.run(changes)
            else:  # each stage takes seconds to start its processes: the interrupted one must do
                execute_one_stage(place.write(changes), language.id)
        one, two = ((place.store.path(language.id) / WEIGHTS).read_bytes() for place in (workspace, undisturbed))
        assert one == two
        assert workspace.store.history(language.id) == undisturbed.store.history(language.id)

    @pytest.mark.slow
    def test_a_signal_to_all_processes_is_left_to_the_one_that_trains(self, workspace: Workspace) -> None:
        changes = LONG | {"trainer.num_workers": 2}
        [language] = workspace.plan(changes).of_type(LanguageStage)
        process = start("run", workspace.write(changes))
        wait_for(workspace.store.checkpoint(language.id), process)
        os.killpg(process.pid, signal.SIGTERM)
        _, said = process.communicate(timeout=120)
        assert (process.returncode, len(said.splitlines())) == (INTERRUPTED, 1), said
        assert said.startswith("stopped (SIGTERM) after step ")

    @pytest.mark.slow
    def test_processes_that_are_only_starting_are_stopped_as_well(self, workspace: Workspace) -> None:
        changes = LONG | {"trainer.devices": 2}
        [language] = workspace.plan(changes).of_type(LanguageStage)
        process = start("run", workspace.write(changes))
        wait_for(workspace.store.claim(language.id), process)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=120)
        assert (process.returncode, len(said.splitlines())) == (INTERRUPTED, 1), said
        assert said.startswith("stopped (SIGTERM) ")

    def test_nothing_is_heard_before_and_after(self) -> None:
        before = signal.getsignal(signal.SIGUSR1)
        passed_on = []
        with handle_stop_signals(lambda: passed_on.append(stop_requested())):
            assert not stop_requested()
            signal.raise_signal(signal.SIGUSR1)
            assert stop_requested()
        assert passed_on == [True]
        assert signal.getsignal(signal.SIGUSR1) == before

    def test_a_request_to_stop_ends_a_pause(self) -> None:
        with handle_stop_signals():
            pause(0.01, "while it waited")
            signal.raise_signal(signal.SIGTERM)
            started = time.monotonic()
            with pytest.raises(Interrupted, match=r"^stopped \(SIGTERM\) while it waited; the same command goes on"):
                pause(600, "while it waited")
        assert time.monotonic() - started < 1

    def test_a_second_interrupt_stops_at_once(self, capfd: pytest.CaptureFixture[str]) -> None:
        with handle_stop_signals():
            signal.raise_signal(signal.SIGINT)
            assert "Ctrl-C again" in capfd.readouterr().err
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)


class TestCheckpoints:
    def test_a_damaged_one_is_told_and_left_out(
        self, workspace: Workspace, finished_run: Workspace, capfd: Any
    ) -> None:
        language = workspace.plan().of_type(LanguageStage)[0]
        file = workspace.store.checkpoint(language.id)
        file.parent.mkdir(parents=True)
        file.write_bytes(b"0" * 64 + b"half of it")
        workspace.run()
        assert f"{file} is damaged: the stage starts again from its beginning" in capfd.readouterr().err
        assert not file.exists()
        one, two = ((place.store.path(language.id) / WEIGHTS).read_bytes() for place in (workspace, finished_run))
        assert one == two

    def test_any_changed_byte_shows(self, tmp_path: Path) -> None:
        file = tmp_path / "checkpoint"
        CheckpointFile().save_checkpoint({"step": 1}, file)
        content = file.read_bytes()
        assert CheckpointFile.is_whole(file)
        assert CheckpointFile().load_checkpoint(file) == {"step": 1}
        for place in (0, 63, 64, len(content) - 1):
            file.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
            assert not CheckpointFile.is_whole(file)
        file.write_bytes(content[:-1])
        assert not CheckpointFile.is_whole(file)

    def test_one_of_another_version_is_told_and_left_out(self, tmp_path: Path, capfd: Any) -> None:
        file = tmp_path / "checkpoint"
        CheckpointFile().save_checkpoint({"trained": ["head/weight"], "global_step": 2}, file)
        assert usable(file, ["head/weight"], steps=4) == file
        assert capfd.readouterr().err == ""
        assert usable(file, ["head/bias", "head/weight"], steps=4) is None
        assert f"{file} is of another version" in capfd.readouterr().err
        assert usable(file, ["head/weight"], steps=2) is None

    def test_one_that_cannot_be_written_leaves_the_one_before(self, tmp_path: Path, capfd: Any) -> None:
        (tmp_path / "folder").write_text("a file where a folder should be")
        CheckpointFile().save_checkpoint({"step": 2}, tmp_path / "folder" / "checkpoint")
        assert "no checkpoint could be written" in capfd.readouterr().err


class TestDisks:
    def test_a_full_disk_is_said_and_loses_nothing(self, workspace: Workspace, finished_run: Workspace) -> None:
        changes = {"trainer.checkpoint_every": 0}
        file = workspace.write(changes)
        answer = command_line("run", file, code=_FULL_WHEN_THE_STORE_IS_WRITTEN)
        assert answer.returncode == 2
        assert answer.stderr.splitlines()[-1].endswith("components.safetensors: No space left on device")
        assert "Traceback" not in answer.stderr
        [first, *_] = workspace.plan(changes).stages
        assert not workspace.store.has(first.id)
        assert CheckpointFile.is_whole(workspace.store.checkpoint(first.id))
        workspace.run(changes)
        one, two = ((place.store.path(first.id) / WEIGHTS).read_bytes() for place in (workspace, finished_run))
        assert one == two

    def test_to_stop_without_a_checkpoint_is_a_failure(self, workspace: Workspace) -> None:
        answer = command_line("run", workspace.write(LONG), code=_FULL_WHEN_ASKED_TO_STOP)
        assert answer.returncode == 2
        first, *_, last = answer.stderr.splitlines()
        assert first.startswith("no checkpoint could be written to ")
        assert last == "stopped, but the state could not be saved: the steps since the last checkpoint are lost"


_FULL_WHEN_ASKED_TO_STOP = """
import errno, signal
from framework.execution import checkpoint
from framework.cli import main

def full(file, *parts):
    signal.raise_signal(signal.SIGTERM)
    raise OSError(errno.ENOSPC, "No space left on device", str(file))

checkpoint.write_whole = full
main()
"""

_FULL_WHEN_THE_STORE_IS_WRITTEN = """
import errno
import safetensors.torch
from framework.cli import main

def full(state, file):
    raise OSError(errno.ENOSPC, "No space left on device", str(file))

safetensors.torch.save_file = full
main()
"""


@pytest.fixture
def claim(tmp_path: Path) -> Path:
    return tmp_path / "store" / "7f3a.claim"


class TestClaims:
    def test_the_second_waits_and_finds_it_done(self, claim: Path) -> None:
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

    def test_the_second_takes_over_from_one_that_failed(self, claim: Path) -> None:
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

    def test_a_dead_owner_loses_it_at_once(self, claim: Path) -> None:
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
        self, claim: Path, monkeypatch: pytest.MonkeyPatch
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
        self, claim: Path, monkeypatch: pytest.MonkeyPatch
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
        other.release()
        assert mine.acquire()
        mine.release()

    def test_a_third_claim_is_not_written_over(self, claim: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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

    def test_who_waits_can_be_asked_to_stop(self, claim: Path) -> None:
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
    def test_two_runs_at_once_train_each_stage_once(self, workspace: Workspace, finished_run: Workspace) -> None:
        file, log = workspace.write(), workspace.folder / "log"
        processes = [start(log, "run", file, code=_LOG_WHAT_IS_CARRIED_OUT) for _ in range(2)]
        said = [process.communicate(timeout=300) for process in processes]
        assert [process.returncode for process in processes] == [0, 0], said
        plan = workspace.plan()
        assert plan.todo == []
        assert sorted(log.read_text().split()) == sorted(stage.id for stage in plan.stages)
        found = [outcome(runs(place.plan())[0]) for place in (workspace, finished_run)]
        assert found[0] == found[1]


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


@pytest.fixture(autouse=True)
def no_request_left() -> Iterator[None]:
    """A signal of one test is not heard in the next."""
    yield
    with handle_stop_signals():
        pass
