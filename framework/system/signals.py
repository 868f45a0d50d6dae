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
"""What asks a process to stop. Slurm warns by SIGUSR1, SIGUSR2 or SIGTERM; a terminal sends SIGINT."""

STEP = 0.2
"""Seconds between two looks at whether a request to stop came, in a pause."""

PARENT = "MODULINGUA_PARENT"
"""Environment variable: the process that started this one."""

# A signal comes to the process as a whole, so this is its state.
_asked_by: list[str] = []


@contextmanager
def handle_stop_signals(passed_on: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Takes requests to stop down for as long as the block lasts.

    A second Ctrl-C ends the process at once, as it would without this.

    Args:
        passed_on: Called at each request, for instance to ask a child process too.
    """

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
    """Makes the exception with which the work stops.

    Args:
        where: How far it came: `after step 612 of 1000`.
    """
    by = f" ({_asked_by[0]})" if _asked_by else ""
    return Interrupted(f"stopped{by} {where}; the same command goes on from there")


def pause(seconds: float, where: str) -> None:
    """Waits, until the time is over or this process is asked to stop.

    Args:
        seconds: How long.
        where: See `interrupted`.

    Raises:
        Interrupted: If this process was asked to stop.
    """
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
    """Ends this process soon after the one that started it, even if that was killed: nobody waits for it any more.

    The parent may be gone before this is called, so it names itself in the environment, for each generation anew.
    """
    parent = int(os.environ.get(PARENT, os.getppid()))
    os.environ[PARENT] = str(os.getpid())

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(every)
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
