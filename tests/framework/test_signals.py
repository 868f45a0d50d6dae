"""Stopping a run with a signal, and running it to its end later."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from framework.errors import INTERRUPTED, Interrupted
from framework.execution.checkpoint import CheckpointFile
from framework.planning.plan import LanguageStage
from framework.store.store import WEIGHTS
from framework.system.signals import handle_stop_signals, pause, stop_requested
from tests.framework.tiny import LONG, Workspace, execute_one_stage, start

pytestmark = pytest.mark.usefixtures("no_request_left")


def wait_for(file: Path, process: subprocess.Popen[str]) -> None:
    """Waits until a file is there."""
    end = time.monotonic() + 300
    while not file.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)


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
    workspace: Workspace, tmp_path: Path, number: signal.Signals, devices: int
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
def test_a_signal_to_all_processes_is_left_to_the_one_that_trains(workspace: Workspace) -> None:
    changes = LONG | {"trainer.num_workers": 2}
    [language] = workspace.plan(changes).of_type(LanguageStage)
    process = start("run", workspace.write(changes))
    wait_for(workspace.store.checkpoint(language.id), process)
    os.killpg(process.pid, signal.SIGTERM)
    _, said = process.communicate(timeout=120)
    assert (process.returncode, len(said.splitlines())) == (INTERRUPTED, 1), said
    assert said.startswith("stopped (SIGTERM) after step ")


@pytest.mark.slow
def test_processes_that_are_only_starting_are_stopped_as_well(workspace: Workspace) -> None:
    changes = LONG | {"trainer.devices": 2}
    [language] = workspace.plan(changes).of_type(LanguageStage)
    process = start("run", workspace.write(changes))
    wait_for(workspace.store.claim(language.id), process)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=120)
    assert (process.returncode, len(said.splitlines())) == (INTERRUPTED, 1), said
    assert said.startswith("stopped (SIGTERM) ")


def test_nothing_is_heard_before_and_after() -> None:
    before = signal.getsignal(signal.SIGUSR1)
    passed_on = []
    with handle_stop_signals(lambda: passed_on.append(stop_requested())):
        assert not stop_requested()
        signal.raise_signal(signal.SIGUSR1)
        assert stop_requested()
    assert passed_on == [True]
    assert signal.getsignal(signal.SIGUSR1) == before


def test_a_request_to_stop_ends_a_pause() -> None:
    with handle_stop_signals():
        pause(0.01, "while it waited")
        signal.raise_signal(signal.SIGTERM)
        started = time.monotonic()
        with pytest.raises(Interrupted, match=r"^stopped \(SIGTERM\) while it waited; the same command goes on"):
            pause(600, "while it waited")
    assert time.monotonic() - started < 1


def test_a_second_interrupt_stops_at_once(capfd: pytest.CaptureFixture[str]) -> None:
    with handle_stop_signals():
        signal.raise_signal(signal.SIGINT)
        assert "Ctrl-C again" in capfd.readouterr().err
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
