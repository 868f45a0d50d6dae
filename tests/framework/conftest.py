from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from framework.cli import main
from framework.system.signals import handle_stop_signals
from tests.framework import tiny
from tests.framework.tiny import Workspace


@dataclass(frozen=True)
class Answer:
    """What a command left."""

    code: int
    out: str
    err: str


Modulingua = Callable[..., Answer]


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables have room, whatever the terminal or the test runner says."""
    monkeypatch.setenv("COLUMNS", "160")


@pytest.fixture(scope="module")
def unsynced_files() -> Iterator[None]:
    """Thousands of small files need not survive a crash of the machine; for a test file to ask for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("framework.system.atomic_files.os.fsync", lambda descriptor: None)
        yield


@pytest.fixture
def no_request_left() -> Iterator[None]:
    """A signal to stop of one test is not heard in the next."""
    yield
    with handle_stop_signals():
        pass


@pytest.fixture(scope="session")
def shared_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of what tests share and leave as it is: `encoder`, `texts`, `corpus`."""
    folder = tmp_path_factory.mktemp("world")
    tiny.build_encoder(folder / "encoder")
    tiny.build_texts(folder / "texts")
    tiny.build_corpus(folder / "corpus")
    return folder


def workspace_in(folder: Path, shared_files: Path) -> Workspace:
    return Workspace(folder, shared_files / "encoder", shared_files / "texts", shared_files / "corpus")


@pytest.fixture
def workspace(tmp_path: Path, shared_files: Path) -> Workspace:
    """An empty folder to work in."""
    return workspace_in(tmp_path, shared_files)


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory, shared_files: Path) -> Workspace:
    """A folder in which the tiny experiment was run. Tests leave it as it is."""
    workspace = workspace_in(tmp_path_factory.mktemp("finished"), shared_files)
    workspace.run()
    return workspace


@pytest.fixture
def trained(workspace: Workspace, finished_run: Workspace) -> Workspace:
    """The finished experiment's components, without its runs."""
    workspace.copy_of(finished_run.folder / "store", "store")
    return workspace


def close(closed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closes a file or folder as `chmod 0` does; root, who may run the tests, is not stopped by that."""

    def denying(call: Callable[..., Any], *, itself: bool) -> Callable[..., Any]:
        def denied(path: Any = ".", *more: Any, **named: Any) -> Any:
            place = Path(path) if isinstance(path, str | Path) else Path()
            if closed in place.parents or (itself and place == closed):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return call(path, *more, **named)

        return denied

    for module, name in ((io, "open"), (os, "listdir"), (os, "scandir"), (os, "stat")):
        monkeypatch.setattr(module, name, denying(getattr(module, name), itself=name != "stat"))


@pytest.fixture
def deny(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Closes a file or folder; see `close`."""
    return lambda closed: close(closed, monkeypatch)


@pytest.fixture
def modulingua(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Modulingua:
    """Calls the command line in this process."""

    def call(*words: str | Path) -> Answer:
        monkeypatch.setattr(sys, "argv", ["modulingua", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main()
        printed = capsys.readouterr()
        code = left.value.code
        return Answer(code if isinstance(code, int) else 0, printed.out, printed.err)

    return call
