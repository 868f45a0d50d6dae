"""Checkpoints: which are used, and what a full disk leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from framework.execution.checkpoint import CheckpointFile, usable
from framework.store.store import WEIGHTS
from tests.framework.tiny import LONG, Workspace, command_line

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


def test_a_damaged_one_is_told_and_left_out(
    workspace: Workspace, finished_run: Workspace, capfd: Any
) -> None:
    language = workspace.plan().of_kind("language")[0]
    file = workspace.store.checkpoint(language.id)
    file.parent.mkdir(parents=True)
    file.write_bytes(b"0" * 64 + b"half of it")
    workspace.run()
    assert f"{file} is damaged: the stage starts again from its beginning" in capfd.readouterr().err
    assert not file.exists()
    one, two = ((place.store.path(language.id) / WEIGHTS).read_bytes() for place in (workspace, finished_run))
    assert one == two


def test_any_changed_byte_shows(tmp_path: Path) -> None:
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


def test_one_of_another_version_is_told_and_left_out(tmp_path: Path, capfd: Any) -> None:
    file = tmp_path / "checkpoint"
    CheckpointFile().save_checkpoint({"trained": ["head/weight"], "global_step": 2}, file)
    assert usable(file, ["head/weight"], steps=4) == file
    assert capfd.readouterr().err == ""
    assert usable(file, ["head/bias", "head/weight"], steps=4) is None
    assert f"{file} is of another version" in capfd.readouterr().err
    assert usable(file, ["head/weight"], steps=2) is None


def test_one_that_cannot_be_written_leaves_the_one_before(tmp_path: Path, capfd: Any) -> None:
    (tmp_path / "folder").write_text("a file where a folder should be")
    CheckpointFile().save_checkpoint({"step": 2}, tmp_path / "folder" / "checkpoint")
    assert "no checkpoint could be written" in capfd.readouterr().err


def test_a_full_disk_is_said_and_loses_nothing(workspace: Workspace, finished_run: Workspace) -> None:
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


def test_to_stop_without_a_checkpoint_is_a_failure(workspace: Workspace) -> None:
    answer = command_line("run", workspace.write(LONG), code=_FULL_WHEN_ASKED_TO_STOP)
    assert answer.returncode == 2
    first, *_, last = answer.stderr.splitlines()
    assert first.startswith("no checkpoint could be written to ")
    assert last == "stopped, but the state could not be saved: the steps since the last checkpoint are lost"
