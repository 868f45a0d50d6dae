"""Tells W&B of a stage while it goes on, out of the way of the work.

A thread of its own does the talking, so that a server that is slow, silent or gone costs the work nothing but a last
wait at the end of a stage. After a first failure nothing more is told in this process; `modulingua sync` does it later.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from framework.errors import INTERRUPTED, Interrupted
from framework.ranks import own_rank
from framework.tracking.config import TrackingConfig
from framework.tracking.entry import Entry

if TYPE_CHECKING:
    from framework.tracking.client import Page

FINISH_SECONDS = 30
"""How long a server may keep a stage waiting at its end."""
FAILED = 1
"""Exit code of a stage that failed."""

GAVE_UP = "W&B was not told all"
"""Begins the one warning of a process whose tracking failed."""
UNTOLD = "MODULINGUA_UNTOLD"
"""Environment variable: tracking failed in a process of this run before, and is left alone."""

# W&B fails a process as a whole, so this is its state.
_failures: list[str] = []


class Tracker:
    """What a stage tells of itself as it goes. This one keeps it to itself, where W&B is off or another rank speaks."""

    def begin(self, entry: Entry) -> None:
        """Takes what is known of the stage at its beginning."""

    def log(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Takes the training curve so far; figures may still be added to its last row."""

    def complete(self, read: Callable[[], Entry]) -> None:
        """Takes the whole outcome.

        Args:
            read: Reads it from the stage's own files.
        """

    def close(self, code: int) -> None:
        """Takes how the stage ended: 0, `INTERRUPTED` or `FAILED`."""


class WandbTracker(Tracker):
    """Tells W&B."""

    def __init__(self, config: TrackingConfig, place: Path) -> None:
        """Waits for a beginning.

        Args:
            config: Where.
            place: The folder of the experiment's runs, named to the user should W&B fail.
        """
        self.config = config
        self.place = place
        self.told = 0
        self.jobs: SimpleQueue[Callable[[Page], None] | None] = SimpleQueue()
        self.thread: threading.Thread | None = None
        self.done: Entry | None = None
        self.code = 0

    def begin(self, entry: Entry) -> None:
        """Opens the entry's page."""
        if _failures:
            return
        import wandb  # noqa: F401  here, for the thread must not hold the import's lock while workers are forked

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
        if self.thread is not None:
            entry = self.done = read()
            self.jobs.put(lambda page: page.complete(entry))

    def close(self, code: int) -> None:
        """Closes the page, and waits a while for it."""
        if self.thread is None:
            return
        from framework.tracking.client import START_SECONDS

        self.code = code
        self.jobs.put(None)
        self.thread.join(START_SECONDS + FINISH_SECONDS)
        if self.thread.is_alive():
            _failures.append("it does not answer")
        if _failures:
            print(
                f"{GAVE_UP}: {_failures[0]}. Nothing is lost: `modulingua sync {self.place}` tells it later",
                file=sys.stderr,
            )

    def _talk(self, entry: Entry) -> None:
        from framework.tracking.client import beside

        try:
            with beside(entry.folder):
                self._tell(entry)
        except Exception as error:  # whatever W&B comes up with: it never becomes a failure of the stage
            _failures.append(reason(error))

    def _tell(self, entry: Entry) -> None:
        from framework.tracking.client import Page

        page = Page(entry, self.config, FINISH_SECONDS)
        try:
            page.link(entry.uses)
            for job in iter(self.jobs.get, None):
                job(page)
        except BaseException:
            with suppress(Exception):
                page.close(FAILED)
            raise
        page.close(self.code)
        if self.done is not None and self.code == 0:
            page.note_sent(self.done)


@contextmanager
def tracked(config: TrackingConfig, place: Path) -> Iterator[Tracker]:
    """Gives a stage its tracker, and tells the tracker how the stage ends.

    Args:
        config: Whether and where.
        place: The folder of the experiment's runs.
    """
    told = config.mode != "off" and own_rank() == 0 and UNTOLD not in os.environ
    tracker = WandbTracker(config, place) if told else Tracker()
    try:
        yield tracker
    except BaseException as error:
        tracker.close(INTERRUPTED if isinstance(error, Interrupted) else FAILED)
        raise
    tracker.close(0)


def reason(error: BaseException) -> str:
    """Returns in one line why W&B failed."""
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
