"""The harness sees each thing that a command must not do."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hostile.case import DONE, Case
from tests.hostile.sandbox import NOBODY, adopt_orphans, carry_out
from tests.hostile.verdict import faults


def verdict(folder: Path, program: Callable[[], None], case: Case | None = None, limit: float = 5.0) -> list[str]:
    """Carries out a case in a process of its own, for the harness ends all children of the one that it is in."""
    case = case or Case("made up", ["plan", "e.yaml"], {"e.yaml": "seeds: banana"})
    place = folder / "case"
    place.mkdir()
    fork = multiprocessing.get_context("fork")
    source, target = fork.Pipe(duplex=False)

    def work() -> None:
        adopt_orphans()
        target.send(list(faults(case, carry_out(case, place, program, limit=limit), place)))

    process = fork.Process(target=work)
    process.start()
    process.join()
    found: list[str] = source.recv()
    return found


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def refuse() -> None:
    print("e.yaml: seeds: no", file=sys.stderr)
    sys.exit(2)


def raise_one() -> None:
    raise ValueError("seeds")


def hang() -> None:
    time.sleep(60)


def take_memory() -> None:
    bytearray(2**40)
    refuse()


def say_nothing() -> None:
    sys.exit(2)


def say_much() -> None:
    print("no\n" * 61, file=sys.stderr)
    refuse()


def warn() -> None:
    print("/usr/lib/library.py:7: FutureWarning: old", file=sys.stderr)
    refuse()


def write_here() -> None:
    Path("store").mkdir()
    refuse()


def write_elsewhere() -> None:
    Path("../elsewhere").write_text("")
    refuse()


def remove_elsewhere() -> None:
    os.rename("e.yaml", "../e.yaml")
    os.rename("../e.yaml", "e.yaml")
    refuse()


def leave_a_temporary_file() -> None:
    tempfile.mkstemp()
    refuse()


def leave_a_process() -> None:
    subprocess.Popen(["sleep", "60"], start_new_session=True)
    refuse()


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (refuse, []),
        (raise_one, ["exit code 1, not 2", "a traceback"]),
        (take_memory, ["exit code 1, not 2", "a traceback"]),
        (say_nothing, ["no message"]),
        (say_much, ["a message of 63 lines"]),
        (warn, ["a line of a library: "]),
        (write_here, ["written although refused: store"]),
        (write_elsewhere, ["written elsewhere: open "]),
        (remove_elsewhere, ["written elsewhere: os.rename "]),
        (leave_a_temporary_file, ["temporary files left: tmp"]),
        (leave_a_process, ["1 processes left"]),
    ],
)
def test_what_a_command_must_not_do(tmp_path: Path, program: Callable[[], None], expected: list[str]) -> None:
    found = verdict(tmp_path, program)
    assert len(found) == len(expected), found
    assert all(fault.startswith(words) for fault, words in zip(found, expected, strict=True)), found


def test_a_command_that_does_not_end_is_killed(tmp_path: Path) -> None:
    assert verdict(tmp_path, hang, limit=0.2)[0].startswith("no end within ")


def test_what_has_to_be_said_and_what_must_not_be(tmp_path: Path) -> None:
    def tell() -> None:
        Path("runs").mkdir()
        Path("runs/hunter2").write_text("")

    case = Case("made up", [], codes=DONE, says=("seeds",), never=("hunter2",))
    assert verdict(tmp_path, tell, case) == ["does not say 'seeds'", "runs/hunter2 holds 'hunter2'"]


def test_a_case_has_its_files_input_and_variables(tmp_path: Path) -> None:
    def check() -> None:
        found = (sys.argv[1:], Path("a/b").read_bytes(), Path("c").read_text(), sys.stdin.read(), os.environ["MINE"])
        print(*found)

    case = Case(
        "made up",
        ["plan"],
        {"a/b": b"\xff"},
        setup=lambda folder: (folder / "c").write_text("made"),
        stdin=b"typed",
        environment={"MINE": "yes"},
        codes=DONE,
        says=(r"['plan'] b'\xff' made typed yes",),
    )
    assert verdict(tmp_path, check, case) == []


def test_a_case_that_cannot_be_made_is_no_fault_of_the_program(tmp_path: Path) -> None:
    def setup(folder: Path) -> None:
        raise ValueError("wrong")

    [found] = verdict(tmp_path, refuse, Case("made up", [], setup=setup))
    assert found == "the case itself is wrong: ValueError: wrong"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give up its rights")
def test_a_case_may_run_without_rights(tmp_path: Path) -> None:
    def check() -> None:
        assert os.getuid() == NOBODY
        with pytest.raises(PermissionError):
            Path("closed").read_text()

    def setup(folder: Path) -> None:
        (folder / "closed").touch(mode=0)

    for place in (tmp_path, *tmp_path.parents[:3]):  # pytest's folders are its user's alone
        if place != Path(tempfile.gettempdir()):
            place.chmod(0o755)
    assert verdict(tmp_path, check, Case("made up", [], setup=setup, unprivileged=True, codes=DONE)) == []
