"""Checkpoints: which are used, and what a full disk leaves."""

from __future__ import annotations

import errno
import signal
from pathlib import Path
from typing import Any

import pytest

from framework.execution.checkpoint import CheckpointFile, is_usable
from framework.planning.plan import LanguageStage
from framework.store.store import WEIGHTS
from tests.framework.conftest import Modulingua
from tests.framework.tiny import LONG, Workspace


def test_a_damaged_one_is_told_and_left_out(
    workspace: Workspace, finished_run: Workspace, capfd: Any
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
    assert is_usable(file, ["head/weight"], steps=4)
    assert capfd.readouterr().err == ""
    assert not is_usable(file, ["head/bias", "head/weight"], steps=4)
    assert f"{file} is of another version" in capfd.readouterr().err
    assert not is_usable(file, ["head/weight"], steps=2)


def test_one_that_cannot_be_written_leaves_the_one_before(tmp_path: Path, capfd: Any) -> None:
    (tmp_path / "folder").write_text("a file where a folder should be")
    CheckpointFile().save_checkpoint({"step": 2}, tmp_path / "folder" / "checkpoint")
    assert "no checkpoint could be written" in capfd.readouterr().err


def full(file: Path) -> OSError:
    """What a write to a full disk raises."""
    return OSError(errno.ENOSPC, "No space left on device", str(file))


def test_a_full_disk_is_said_and_loses_nothing(
    workspace: Workspace, finished_run: Workspace, modulingua: Modulingua, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save(state: object, file: Path) -> None:
        raise full(file)

    changes = {"trainer.checkpoint_every": 0}
    file = workspace.write(changes)
    with monkeypatch.context() as here:
        here.setattr("safetensors.torch.save_file", save)
        answer = modulingua("run", file)
    assert answer.code == 2
    assert answer.err.splitlines()[-1].endswith("components.safetensors: No space left on device")
    assert "Traceback" not in answer.err
    [first, *_] = workspace.plan(changes).stages
    assert not workspace.store.has(first.id)
    assert CheckpointFile.is_whole(workspace.store.checkpoint(first.id))
    workspace.run(changes)
    one, two = ((place.store.path(first.id) / WEIGHTS).read_bytes() for place in (workspace, finished_run))
    assert one == two


@pytest.mark.usefixtures("no_request_left")
def test_to_stop_without_a_checkpoint_is_a_failure(
    workspace: Workspace, modulingua: Modulingua, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(file: Path, *parts: bytes) -> None:
        signal.raise_signal(signal.SIGTERM)
        raise full(file)

    monkeypatch.setattr("framework.execution.checkpoint.write_whole", write)
    answer = modulingua("run", workspace.write(LONG))
    assert answer.code == 2
    first, *_, last = answer.err.splitlines()
    assert first.startswith("no checkpoint could be written to ")
    assert last == "stopped, but the state could not be saved: the steps since the last checkpoint are lost"
