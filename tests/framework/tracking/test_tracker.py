"""A stage that is interrupted, fails, has several ranks, or meets a W&B that is no help."""

from __future__ import annotations

import io
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from framework.config.tracking import TrackingConfig
from framework.errors import INTERRUPTED, Interrupted, UserError
from framework.execution.execute import execute
from framework.execution.runner import _Children, sync_command
from framework.planning.plan import LanguageStage
from framework.store.store import WEIGHTS
from framework.system.signals import handle_stop_signals
from framework.tracking import live_tracker, wandb_client
from framework.tracking.live_tracker import Tracker, tracked
from framework.tracking.stage_content import component_name
from framework.tracking.sync import _of_run, sync
from tests.framework.tiny import ROOT, Workspace, runs
from tests.framework.tracking.conftest import OFFLINE, QUICK, restart, wandb
from tests.framework.tracking.reading import curve, expected_curve, offline_copies, records_of, state_of
from tests.wandb_server import WandbServer

Report = Callable[[int, str], None]


def languages(workspace: Workspace, changes: dict[str, Any] = QUICK) -> list[LanguageStage]:
    stages: list[LanguageStage] = workspace.plan(changes).of_type(LanguageStage)
    return stages


def one_stage_of(file: Path, stage: LanguageStage) -> list[str]:
    """Returns the command that carries out a stage in a process of its own."""
    return [sys.executable, "-m", "framework.execution.runner", str(file), "[]", stage.id]


def at_step(number: int, act: Callable[[], None]) -> Report:
    """Makes something happen when a stage reports that step."""
    return lambda done, news: act() if done == number else None


def nothing(done: int, news: str) -> None:
    pass


def stop(stage: LanguageStage, workspace: Workspace, step: int) -> None:
    with handle_stop_signals(), pytest.raises(Interrupted):
        execute(stage, workspace.store, at_step(step, lambda: signal.raise_signal(signal.SIGTERM)))
    with handle_stop_signals():  # the request is not heard any more
        pass


def sync_quietly(*words: str | Path) -> str:
    """Returns the last line that sync says."""
    printed = io.StringIO()
    sync(list(map(str, words)), Console(file=printed, width=200))
    return printed.getvalue().splitlines()[-1]


def fail() -> None:
    raise RuntimeError("no more")


class TestHowAStageEnds:
    def test_preempted_and_requeued_it_is_one_run(self, workspace: Workspace, server: WandbServer) -> None:
        stage = languages(workspace)[0]
        stop(stage, workspace, step=15)
        served = server.runs[stage.id]
        assert (served.exit_codes, served.preempting) == ([INTERRUPTED], True)
        assert [row["_step"] for row in served.history] == [10] or curve(served.history) == []
        assert server.artifacts == {}
        stop(stage, workspace, step=25)
        restart()  # another process
        execute(stage, workspace.store, nothing)
        assert list(server.runs) == [stage.id]
        assert (served.exit_codes, served.preempting) == ([INTERRUPTED, INTERRUPTED, 0], False)
        assert [row["_step"] for row in served.history] == [10, 20, 30]
        assert curve(served.history) == expected_curve(workspace, workspace.plan(QUICK), stage.id)

    def test_offline_a_requeue_leaves_one_whole_copy(self, workspace: Workspace) -> None:
        stage = languages(workspace, OFFLINE)[0]
        folder = workspace.store.folder / ".wandb" / stage.id
        stop(stage, workspace, step=15)
        [first] = offline_copies(folder)
        assert state_of(first)["exit_code"] == INTERRUPTED
        assert records_of(first, "preempting") == [{}]
        time.sleep(1)  # the client names its folders by the second
        execute(stage, workspace.store, nothing)
        [second] = offline_copies(folder)
        assert second != first
        history = [row["item"] for row in records_of(second, "history")]
        assert curve(history) == expected_curve(workspace, workspace.plan(OFFLINE), stage.id)

    def test_failed_it_is_marked_so(self, workspace: Workspace, server: WandbServer) -> None:
        stage = languages(workspace)[0]
        with pytest.raises(RuntimeError, match="no more"):
            execute(stage, workspace.store, at_step(15, fail))
        assert (server.runs[stage.id].exit_codes, server.runs[stage.id].preempting) == ([1], False)


@pytest.mark.slow
def test_of_two_ranks_one_speaks(workspace: Workspace, server: WandbServer) -> None:
    changes = QUICK | {"trainer.devices": 2}
    stage = languages(workspace, changes)[0]
    command = one_stage_of(workspace.write(changes), stage)
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=300
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert list(server.runs) == [stage.id]
    assert server.operations.count("RunResumeStatus") == 1
    assert server.runs[stage.id].exit_codes == [0]
    assert curve(server.runs[stage.id].history) == expected_curve(workspace, workspace.plan(changes), stage.id)


class TestTrouble:
    """Two stages go on unharmed, with one warning; sync then tells it all."""

    @pytest.fixture(autouse=True)
    def quick(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(wandb_client, "START_SECONDS", 2)
        monkeypatch.setattr(live_tracker, "FINISH_SECONDS", 2)

    @pytest.mark.parametrize("trouble", ["out of order", "silent", "gone", "out of order later", "silent later"])
    def test_training_goes_on_and_sync_tells_it_later(
        self,
        trouble: str,
        workspace: Workspace,
        offline: Workspace,
        server: WandbServer,
        monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        def begin() -> None:
            server.broken = "/" if trouble.startswith("out") else None
            server.silent = trouble.startswith("silent")

        if trouble == "gone":
            monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
        report = nothing
        if trouble.endswith("later"):
            report = at_step(15, begin)
        else:
            begin()
        stages = languages(workspace)
        file = workspace.write(QUICK)
        start = time.monotonic()
        for stage in stages:
            execute(stage, workspace.store, report, sync_command(file, []))
        assert time.monotonic() - start < 30  # not the client's own patience, which has no end
        said = capfd.readouterr().err.splitlines()
        assert len(said) == 1, said
        assert said[0].startswith("W&B did not receive everything: ")
        advice = said[0].partition("Nothing is lost: `")[2].removesuffix("` sends it later")
        for stage in stages:
            one, two = ((place.store.path(stage.id) / WEIGHTS).read_bytes() for place in (workspace, offline))
            assert one == two

        server.broken, server.silent = None, False
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        monkeypatch.setattr(wandb_client, "START_SECONDS", 30)
        restart()
        command, *words = shlex.split(advice)[1:]
        assert (command, sync_quietly(*words)) == ("sync", "2 of 2 sent")
        for stage in stages:
            assert curve(server.runs[stage.id].history) == expected_curve(workspace, workspace.plan(QUICK), stage.id)
            assert server.runs[stage.id].exit_codes[-1] == 0
        assert len(server.artifacts) == 2

    def test_a_slow_upload_silences_no_other_stage(
        self,
        workspace: Workspace,
        server: WandbServer,
        monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setattr(wandb_client, "START_SECONDS", 30)
        server.slow = "/upload/artifact"
        first, second = languages(workspace)
        execute(first, workspace.store, nothing, "modulingua sync X")
        server.slow = None
        execute(second, workspace.store, nothing, "modulingua sync X")
        [said] = capfd.readouterr().err.splitlines()
        reason = f"the upload of language · {first.title} took more than 2 seconds"
        assert said.startswith(f"W&B did not receive everything: {reason}")
        assert component_name(second.id) in server.artifacts
        restart()
        assert sync_quietly(workspace.write(QUICK)).startswith("1 of 2 sent; 1 were")

    def test_files_that_cannot_be_read_are_no_failure_of_the_stage(self, capfd: pytest.CaptureFixture[str]) -> None:
        with tracked(TrackingConfig(), "modulingua sync X") as told:
            told.begin(fail)  # type: ignore[arg-type]
            told.complete(fail)  # type: ignore[arg-type]
        said = "W&B did not receive everything: no more. Nothing is lost: `modulingua sync X` sends it later\n"
        assert capfd.readouterr().err == said

    def test_a_missing_client_is_no_failure_of_the_stage(
        self, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setitem(sys.modules, "framework.tracking.wandb_client", None)
        stage = languages(workspace, OFFLINE)[0]
        execute(stage, workspace.store, nothing, "modulingua sync X")
        assert workspace.store.has(stage.id)
        assert capfd.readouterr().err.startswith("W&B did not receive everything: ")

    @pytest.mark.parametrize(
        ("signals", "codes"),
        [([signal.SIGTERM], {INTERRUPTED}), ([signal.SIGINT] * 2, {1, 130, -signal.SIGINT})],
    )
    def test_who_is_stopped_does_not_wait_for_a_silent_server(
        self, workspace: Workspace, server: WandbServer, signals: list[signal.Signals], codes: set[int]
    ) -> None:
        changes = QUICK | {"stages.language.training.steps": 100_000}
        file, stage = workspace.write(changes), languages(workspace, changes)[0]
        server.silent = True
        command = one_stage_of(file, stage)
        with subprocess.Popen(
            command, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            start = time.monotonic()
            for number in signals:
                process.send_signal(number)
                time.sleep(0.5)
            process.communicate(timeout=100)
        server.silent = False
        assert process.returncode in codes
        assert time.monotonic() - start < 30  # for so long the client alone would wait, to begin with

    def test_sync_says_what_fails(self, unsent: Workspace, server: WandbServer) -> None:
        server.broken = "/"
        with pytest.raises(UserError, match=r"^\[1/4\] language · .*: W&B: .*; call sync again to go on from here$"):
            sync_quietly(unsent.write(OFFLINE | {"tracking.entity": "team"}))

    def test_runs_that_were_deleted_there_get_new_ids(self, unsent: Workspace, server: WandbServer) -> None:
        server.deleted = {stage.id for stage in unsent.plan(OFFLINE).stages}
        file = unsent.write(OFFLINE | {"tracking.entity": "team"})
        with pytest.raises(UserError, match=r"was previously created and deleted.*: W&B .* tracking\.run_suffix gives"):
            sync_quietly(file)
        restart()
        assert sync_quietly(file, "tracking.run_suffix=b") == "4 of 4 sent"
        assert set(server.runs) == {f"{stage.id}-b" for stage in unsent.plan(OFFLINE).stages}
        # The identities of stages and runs stay what they are, so that it is known what was sent.
        assert sync_quietly(file, "tracking.run_suffix=b") == "0 of 4 sent; 4 were there already"
        [run] = runs(unsent.plan(OFFLINE))
        assert {config.run_suffix for _, config in _of_run(run, ["tracking.run_suffix=c"])} == {"c"}

    @pytest.mark.parametrize("answer", [b"", b"<html>login</html>", b"\xff\x00", b"[]", b'{"data": 7}'])
    def test_a_server_that_answers_nonsense(self, unsent: Workspace, server: WandbServer, answer: bytes) -> None:
        server.nonsense = answer
        with pytest.raises(UserError, match=r"W&B: .*call sync again"):
            sync_quietly(unsent.write(OFFLINE | {"tracking.entity": "team"}))

    def test_what_keeps_sync_away_is_said(
        self, unsent: Workspace, server: WandbServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("WANDB_MODE", "offline")
        with pytest.raises(UserError, match=r"^WANDB_MODE is offline, so nothing may be sent to the server; unset it$"):
            sync_quietly(unsent.write(OFFLINE))
        assert server.operations == []

    def test_no_login_is_said_and_never_asked_for(
        self,
        workspace: Workspace,
        server: WandbServer,
        monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.delenv("WANDB_API_KEY")
        execute(languages(workspace)[0], workspace.store, nothing)
        assert "not logged in to W&B; run `wandb login`" in capfd.readouterr().err
        assert server.runs == {}

    def test_of_many_processes_one_tries(
        self, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stub, log = tmp_path / "python", tmp_path / "log"
        failed = live_tracker.TRACKING_FAILED
        stub.write_text(f'#!/bin/sh\nls "${failed}" 2>&- | wc -l >> {log}\ntouch "${failed}"\n')
        stub.chmod(0o755)
        monkeypatch.setattr("framework.execution.runner.sys.executable", str(stub))
        children = _Children(workspace.write(QUICK), [], 2)
        for stage in languages(workspace):
            children.execute(stage, nothing)
        assert log.read_text().split() == ["0", "1"]


class TestSilence:
    @pytest.mark.parametrize(
        ("mode", "variable"),
        [("off", {}), ("online", {"LOCAL_RANK": "1"}), ("online", {live_tracker.TRACKING_FAILED: __file__})],
    )
    def test_nothing_is_told(
        self, mode: Any, variable: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, value in variable.items():
            monkeypatch.setenv(name, value)
        with tracked(TrackingConfig(mode=mode), "") as told:
            assert type(told) is Tracker
            told.begin(fail)  # type: ignore[arg-type]
            told.complete(fail)  # type: ignore[arg-type]

    def test_off_leaves_no_trace(self, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(wandb, "init", None)
        execute(languages(workspace, {})[0], workspace.store, nothing)
        assert not list(workspace.folder.rglob("*wandb*"))

    def test_another_run_of_the_process_goes_on(self, workspace: Workspace, tmp_path: Path) -> None:
        quick = wandb.Settings(silent=True, console="off", disable_git=True, disable_code=True)
        other = wandb.init(mode="offline", dir=tmp_path, settings=quick)
        execute(languages(workspace, OFFLINE)[0], workspace.store, nothing)
        assert wandb.run is other
        other.log({"still": "open"})
        other.finish()

    def test_a_row_is_told_when_it_is_whole(self) -> None:
        told = live_tracker.WandbTracker(TrackingConfig(), "")
        rows = [{"step": 1, "loss": 2.0}]
        told.log(rows)
        rows[0]["accuracy"] = 0.5
        rows.append({"step": 2, "loss": 1.0})
        told.log(rows)
        told.log(rows)
        assert told.jobs.qsize() == 1
