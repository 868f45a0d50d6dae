"""Stop signals: from Slurm before a time limit or a preemption, from `kill`, from Ctrl-C.

The signal handler only records the request. The work checks it where it can stop cleanly: at the end of a step,
between batches of languages in a test, between stages. It then saves what it needs to resume and raises `Interrupted`.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from framework.errors import Interrupted

SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT)
"""Stop signals. Slurm sends SIGUSR1, SIGUSR2 or SIGTERM; a terminal sends SIGINT."""

STEP = 0.2
"""Seconds between two checks for a stop signal, in a pause."""

PARENT = "MODULINGUA_PARENT"
"""Environment variable: the process that started this one."""

# Signals concern the whole process, so this is module state.
_asked_by: list[str] = []


@contextmanager
def handle_stop_signals(passed_on: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Records stop signals during the block, and calls `passed_on` at each; a second Ctrl-C ends the process."""

    def ask(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            os.write(2, b"\nstopping at the end of this step; Ctrl-C again stops at once\n")
            signal.signal(signal.SIGINT, signal.default_int_handler)
        _asked_by.append(signal.Signals(number).name)
        passed_on()

    _asked_by.clear()
    before = {number: signal.signal(number, ask) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def stop_requested() -> bool:
    """Says whether this process was asked to stop."""
    return bool(_asked_by)


def interrupted(where: str) -> Interrupted:
    """Makes the exception that stops the work; `where` is its progress: `after step 612 of 1000`."""
    by = f" ({_asked_by[0]})" if _asked_by else ""
    return Interrupted(f"stopped{by} {where}; the same command goes on from there")


def pause(seconds: float, where: str) -> None:
    """Waits; raises `Interrupted` (with `where`) at a stop signal."""
    while not stop_requested():
        if seconds <= 0:
            return
        time.sleep(min(STEP, seconds))
        seconds -= STEP
    raise interrupted(where)


def is_child() -> bool:
    """Says whether a process of ours started this one; see `die_with_parent`."""
    return os.environ.get(PARENT) == str(os.getppid())


def die_with_parent(every: float = 0.5) -> None:
    """Ends this process soon after the one that started it, even if that was killed.

    The parent may have ended before this call, so its process id is passed in the environment.
    """
    parent = int(os.environ.get(PARENT, os.getppid()))
    os.environ[PARENT] = str(os.getpid())

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(every)
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
