"""Tells W&B of a stage while it goes on, out of the way of the work.

A thread of its own does the talking, so that a server that is slow, silent or gone costs the work nothing but a last
wait at the end of a stage. After a first failure nothing more is told in this process; an upload that only takes longer
than that wait is given up alone. `modulingua sync` tells what is missing.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from framework.config.tracking import TrackingConfig
from framework.errors import INTERRUPTED, Interrupted
from framework.system.distributed import own_rank
from framework.tracking.entry import Entry

if TYPE_CHECKING:
    from framework.tracking.client import WandbRun

FINISH_SECONDS = 30
"""How long a server may keep a stage waiting at its end."""
HURRY_SECONDS = 5
"""How long, where the stage did not come to its end: who preempts it may kill it soon."""
FAILED = 1
"""Exit code of a stage that failed."""

DELETED = "was previously created and deleted"
"""What the server says of a run whose id was in use before the run was deleted."""
NEW_IDS = "W&B accepts no id a second time; a new word for tracking.run_suffix gives the runs new ids"

TRACKING_FAILED = "MODULINGUA_TRACKING_FAILED"
"""Environment variable: a file that is there once tracking failed in a process of this run; then W&B is left alone."""

# W&B fails a process as a whole, so this is its state.
_failures: list[str] = []
"""Why W&B is left alone."""
_late: list[str] = []
"""Uploads that took too long."""


class Tracker:
    """Logs a running stage. This base class logs nothing: where W&B is off, and on all ranks but the first."""

    def begin(self, read: Callable[[], Entry]) -> None:
        """Takes what is known of the stage at its beginning.

        Args:
            read: Reads it from the stage's own files.
        """

    def log(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Takes the training curve so far; figures may still be added to its last row."""

    def complete(self, read: Callable[[], Entry]) -> None:
        """Takes the whole outcome.

        Args:
            read: Reads it from the stage's own files.
        """

    def close(self, code: int, *, seconds: float | None = None) -> None:
        """Takes how the stage ended.

        Args:
            code: 0, `INTERRUPTED` or `FAILED`.
            seconds: How long this may take; None for as long as an upload may.
        """


class WandbTracker(Tracker):
    """Tells W&B. Whatever goes wrong with that, never becomes a failure of the stage."""

    def __init__(self, config: TrackingConfig, later: str) -> None:
        """Waits for a beginning.

        Args:
            config: Where.
            later: The command that tells all later, named to the user should W&B fail.
        """
        self.config = config
        self.later = later
        self.warned = bool(_failures or _late)
        self.told = 0
        self.jobs: SimpleQueue[Callable[[WandbRun], None] | None] = SimpleQueue()
        self.thread: threading.Thread | None = None
        self.surroundings = ExitStack()
        self.done: Entry | None = None
        self.code = 0

    def begin(self, read: Callable[[], Entry]) -> None:
        """Opens the entry's page."""
        if _failures:
            return
        with _noted():
            # Here and not in the thread, which must not hold the import's lock, nor change the environment, while
            # workers are forked.
            from framework.tracking.client import beside

            entry = read()
            self.surroundings.enter_context(beside(entry.folder))
            self.thread = threading.Thread(target=self._talk, args=[entry], name="wandb", daemon=True)
            self.thread.start()

    def log(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Adds the rows that are new and whole."""
        new = [dict(row) for row in rows[self.told : -1]]
        self.told += len(new)
        if new:
            self.jobs.put(lambda page: page.add(new))

    def complete(self, read: Callable[[], Entry]) -> None:
        """Adds the outcome."""
        if self.thread is None:
            return
        with _noted():
            entry = self.done = read()
            self.jobs.put(lambda page: page.complete(entry))

    def close(self, code: int, *, seconds: float | None = None) -> None:
        """Closes the page, and waits a while for it."""
        if self.thread is not None:
            with _noted():
                self._wait(self.thread, code, seconds)
        self.surroundings.close()
        if _failures and TRACKING_FAILED in os.environ:
            Path(os.environ[TRACKING_FAILED]).touch()
        if (_failures or _late) and not self.warned:
            reason = [*_failures, *_late][0]
            later = f"Nothing is lost: `{self.later}` sends it later"
            print(f"W&B did not receive everything: {reason}. {later}", file=sys.stderr)

    def _wait(self, thread: threading.Thread, code: int, seconds: float | None) -> None:
        from framework.tracking.client import START_SECONDS, leave_at_exit

        self.code = code
        self.jobs.put(None)
        try:
            thread.join(START_SECONDS + FINISH_SECONDS if seconds is None else seconds)
        except BaseException:  # Ctrl-C while it waits
            leave_at_exit()
            raise
        if not thread.is_alive():
            return
        if seconds is None:
            _failures.append("it does not answer")
        else:
            leave_at_exit()

    def _talk(self, entry: Entry) -> None:
        with _noted():
            self._tell(entry)

    def _tell(self, entry: Entry) -> None:
        from framework.tracking.client import WandbRun

        page = WandbRun(entry, self.config, FINISH_SECONDS)
        try:
            page.link(entry.uses)
            for job in iter(self.jobs.get, None):
                job(page)
        except BaseException:
            with suppress(Exception):
                page.close(FAILED)
            raise
        try:
            page.close(self.code)
        except TimeoutError:  # whether the server is slow or gone, the next stage will see
            _late.append(f"the upload of {entry.kind} · {entry.name} took more than {FINISH_SECONDS} seconds")
            return
        if self.done is not None and self.code == 0:
            page.note_sent(self.done)


@contextmanager
def tracked(config: TrackingConfig, later: str) -> Iterator[Tracker]:
    """Gives a stage its tracker, and tells the tracker how the stage ends.

    Args:
        config: Whether and where.
        later: The command that tells W&B all later.
    """
    given_up = TRACKING_FAILED in os.environ and Path(os.environ[TRACKING_FAILED]).exists()
    told = config.mode != "off" and own_rank() == 0 and not given_up
    tracker = WandbTracker(config, later) if told else Tracker()
    try:
        yield tracker
    except Interrupted:
        tracker.close(INTERRUPTED, seconds=HURRY_SECONDS)
        raise
    except Exception:
        tracker.close(FAILED, seconds=HURRY_SECONDS)
        raise
    except BaseException:  # Ctrl-C for the second time: now
        tracker.close(FAILED, seconds=0)
        raise
    tracker.close(0)


@contextmanager
def _noted() -> Iterator[None]:
    """Takes down why W&B fails: whatever its client, its service process or our own files come up with."""
    try:
        yield
    except Exception as error:
        _failures.append(reason(error))


def reason(error: BaseException) -> str:
    """Returns in one line why W&B failed, and what to do where that is known."""
    said = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return f"{said}: {NEW_IDS}" if DELETED in said else said
