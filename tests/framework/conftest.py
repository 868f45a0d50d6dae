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
from tests.framework import tiny
from tests.framework.tiny import Desk


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
        patch.setattr("framework.system.files.os.fsync", lambda descriptor: None)
        yield


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of what tests share and leave as it is: `encoder`, `texts`, `corpus`."""
    folder = tmp_path_factory.mktemp("world")
    tiny.build_encoder(folder / "encoder")
    tiny.build_texts(folder / "texts")
    tiny.build_corpus(folder / "corpus")
    return folder


def desk_in(folder: Path, world: Path) -> Desk:
    return Desk(folder, world / "encoder", world / "texts", world / "corpus")


@pytest.fixture
def desk(tmp_path: Path, world: Path) -> Desk:
    """An empty folder to work in."""
    return desk_in(tmp_path, world)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, world: Path) -> Desk:
    """A folder in which the tiny experiment was run. Tests leave it as it is."""
    desk = desk_in(tmp_path_factory.mktemp("finished"), world)
    desk.run()
    return desk


@pytest.fixture
def trained(desk: Desk, finished: Desk) -> Desk:
    """The finished experiment's components, without its runs."""
    desk.copy_of(finished.folder / "store", "store")
    return desk


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
