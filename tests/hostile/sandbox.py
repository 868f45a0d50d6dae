"""Carries out one case in a fork of this process, with bounds on its time and memory, and records what it did."""

from __future__ import annotations

import atexit
import ctypes
import os
import pickle
import resource
import select
import shutil
import signal
import stat
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modules import disk_cache
from tests.hostile.case import Case

LIMIT = 20.0
"""Seconds that a command may take."""
MEMORY = 3 * 2**30
"""Bytes of address space that a command may take, beyond those of the process that it is a fork of."""
FILE_SIZE = 2**28
"""Bytes of the largest file that a command may write."""
GRACE = 1.0
"""Seconds that the child processes of a command may outlive it."""
SETUP_FAILED = 99
"""Exit code of a case whose files could not be made."""
NOBODY = 65534

PR_SET_CHILD_SUBREAPER = 36  # from Linux's prctl.h

Snapshot = dict[str, tuple[int, ...]]
"""By path, what tells whether a file was written anew."""


@dataclass(frozen=True)
class Outcome:
    """What a command did."""

    code: int | None
    """Its exit code; None for one that did not end in time, negative for one that a signal ended."""
    out: str
    err: str
    seconds: float
    before: Snapshot
    after: Snapshot
    outside: list[str]
    """Attempts to write elsewhere than in the case's folder."""
    temporary: list[str]
    """Temporary files that it left."""
    processes: int
    """Processes that it left."""


def snapshot(folder: Path) -> Snapshot:
    """Returns every path below a folder. Folders have no times here: a temporary file in one changes those."""
    found: Snapshot = {}
    for place, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(place, name)
            status = os.lstat(path)
            kind = stat.S_IFMT(status.st_mode)
            is_folder = stat.S_ISDIR(kind)
            found[os.path.relpath(path, folder)] = (
                (kind,) if is_folder else (kind, status.st_mtime_ns, status.st_size, status.st_ino)
            )
    return found


def adopt_orphans() -> None:
    """Makes this process the parent of what its children leave running, so that `carry_out` sees it."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def carry_out(case: Case, folder: Path, program: Callable[[], None], *, limit: float = LIMIT) -> Outcome:
    """Carries out a case in a child process and waits for it.

    Args:
        case: The case.
        folder: An empty folder, which becomes the command's working folder.
        program: What reads `sys.argv` and does the work.
        limit: Seconds after which the child is killed, with its process group.
    """
    # Not a `TemporaryDirectory`: each child would remove it when it ends.
    aside = Path(tempfile.mkdtemp(prefix=f"{folder.name}-aside-", dir=folder.parent))
    try:
        return _carried_out(case, folder, aside, program, limit)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _carried_out(case: Case, folder: Path, aside: Path, program: Callable[[], None], limit: float) -> Outcome:
    for place in (aside, aside / "tmp"):
        place.mkdir(exist_ok=True)
        place.chmod(0o777)  # a case may run as another user
    (aside / "stdin").write_bytes(case.stdin)
    for name in ("stdout", "stderr", "outside"):
        (aside / name).touch()
    sys.stdout.flush()
    sys.stderr.flush()
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        _be_the_command(case, folder, aside, program)
    handle = os.pidfd_open(child)
    ended = select.select([handle], [], [], limit)[0]
    os.close(handle)
    seconds = time.monotonic() - started
    if not ended:
        os.killpg(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    processes = _end_children()
    before = aside / "before"
    return Outcome(
        code=code if ended else None,
        out=(aside / "stdout").read_bytes().decode(errors="replace"),
        err=(aside / "stderr").read_bytes().decode(errors="replace"),
        seconds=seconds,
        before=pickle.loads(before.read_bytes()) if before.exists() else {},
        after=snapshot(folder),
        outside=sorted(set((aside / "outside").read_text().splitlines())),
        temporary=sorted(snapshot(aside / "tmp")),
        processes=processes,
    )


def _end_children() -> int:
    """Kills what a command left running; returns how many processes there were once it had had time to end."""
    deadline = time.monotonic() + GRACE
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    while children.read_text():
        if time.monotonic() > deadline:
            left = [int(child) for child in children.read_text().split()]
            for child in left:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
            return len(left) + _end_children()  # theirs are ours now
        if os.waitpid(-1, os.WNOHANG) == (0, 0):
            time.sleep(0.01)
    return 0


def _be_the_command(case: Case, folder: Path, aside: Path, program: Callable[[], None]) -> None:
    """Does in the child what the command does, and ends the process as Python ends."""
    code = SETUP_FAILED
    try:
        os.setsid()
        for number, name in enumerate(("stdin", "stdout", "stderr")):
            os.dup2(os.open(aside / name, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_APPEND), number)
        # Those of the parent may hold more than descriptors: pytest's do.
        sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)
        atexit._clear()  # what the parent does when it ends, such as removing its temporary folders
        case.prepare(folder)
        (aside / "before").write_bytes(pickle.dumps(snapshot(folder)))
        os.environ.update(case.environment | {"TMPDIR": str(aside / "tmp"), "PWD": str(folder)})
        tempfile.tempdir = None
        os.chdir(folder)
        sys.argv = ["modulingua", *case.command]
        _record_writes_outside((folder, aside / "tmp", disk_cache.folder()), aside / "outside")
        _set_bounds()
        if case.unprivileged and os.getuid() == 0:
            _drop_rights(folder)
        code = _exit_code(program)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _set_bounds() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    bytes_ = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (bytes_, bytes_))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_SIZE, FILE_SIZE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _drop_rights(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


def _exit_code(program: Callable[[], None]) -> int:
    """Runs the program as a process of its own does: exceptions, exit functions and standard output at the end."""
    code = 0
    try:
        program()
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else int(left.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads, as the interpreter does
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
    except OSError as error:
        print(f"Exception ignored in: {sys.stdout}: {error}", file=sys.stderr)
        code = 120
    return code


PATHS = {
    "os.mkdir": slice(1),
    "os.rmdir": slice(1),
    "os.remove": slice(1),
    "os.chmod": slice(1),
    "os.chown": slice(1),
    "os.rename": slice(2),
    "os.link": slice(2),
    "os.symlink": slice(1, 2),
}
"""Audit events of Python that change something, and which of their arguments are the paths; the last is `dir_fd`."""
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def _record_writes_outside(inside: tuple[Path, ...], log: Path) -> None:
    """Notes every attempt of Python code to write at a path that is not below one of these folders."""
    places = (*inside, "/dev", os.environ["XDG_CACHE_HOME"])
    allowed = tuple(f"{os.fspath(place)}{os.sep}" for place in places)
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND)

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            paths = arguments[:1] if arguments[2] & WRITING else ()
        elif event in PATHS and arguments[-1] < 0:  # the path of an open folder was noted when that was opened
            paths = arguments[PATHS[event]]
        else:
            return
        for path in paths:
            if isinstance(path, int | None):  # what is open already
                continue
            absolute = os.path.abspath(os.fsdecode(path))
            if not f"{absolute}{os.sep}".startswith(allowed):
                os.write(descriptor, f"{event} {absolute!a}\n".encode())

    sys.addaudithook(note)
