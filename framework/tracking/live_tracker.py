"""Logs a running stage to W&B, in a background thread.

A server that is slow or does not answer delays a stage only at its end, for a limited time. After a failure nothing
more is sent by this process; an upload that exceeds the time limit is given up alone. `modulingua sync` sends what is
missing.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from typing_extensions import override

from framework.config.tracking import TrackingConfig
from framework.errors import INTERRUPTED, Interrupted, UserError
from framework.system.distributed import own_rank
from framework.tracking.stage_content import Entry

if TYPE_CHECKING:
    from framework.tracking.wandb_client import WandbRun

FINISH_SECONDS = 30
"""How long a stage waits for the server at its end."""
HURRY_SECONDS = 5
"""How long a stage waits that was interrupted or failed: a preempted process may be killed soon."""
FAILED = 1
"""Exit code of a stage that failed."""

DELETED = "was previously created and deleted"
"""Part of the server's message on a run whose id belonged to a deleted run."""
NEW_IDS = "W&B accepts no id a second time; a new word for tracking.run_suffix gives the runs new ids"

TRACKING_FAILED = "MODULINGUA_TRACKING_FAILED"
"""Environment variable: a file that exists once tracking failed in a process of this run; then W&B is not used."""

# A failure of W&B concerns the whole process, so this is module state.
_failures: list[str] = []
"""Why W&B is not used any more."""
_late: list[str] = []
"""Uploads that took too long."""


class Tracker:
    """Logs a running stage. This base class logs nothing: if W&B is off, and on all ranks but the first."""

    def begin(self, read: Callable[[], Entry]) -> None:
        """Starts the log with what `read` returns from the stage's files."""

    def log(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Logs the training curve so far; values may still be added to its last row."""

    def complete(self, read: Callable[[], Entry]) -> None:
        """Logs the outcome, which `read` returns from the stage's files."""

    def close(self, code: int, *, seconds: float | None = None) -> None:
        """Ends the log with 0, `INTERRUPTED` or `FAILED` and waits at most `seconds`; None for as long as an upload."""


@contextmanager
def _record_failure() -> Iterator[None]:
    """Records any error of W&B's client, of its service process or of our own files."""
    try:
        yield
    except Exception as error:
        _failures.append(reason(error))


class WandbTracker(Tracker):
    """Logs to W&B. Its errors never become failures of the stage."""

    def __init__(self, config: TrackingConfig, later: str) -> None:
        self.config = config
        self.later = later
        self.warned = bool(_failures or _late)
        self.logged = 0
        self.jobs: SimpleQueue[Callable[[WandbRun], None] | None] = SimpleQueue()
        self.thread: threading.Thread | None = None
        self.surroundings = ExitStack()
        self.done: Entry | None = None
        self.code = 0

    @override
    def begin(self, read: Callable[[], Entry]) -> None:
        if _failures:
            return
        with _record_failure():
            # Not in the thread, which must neither hold the import lock nor change the environment while workers are
            # forked.
            from framework.tracking.wandb_client import beside

            entry = read()
            self.surroundings.enter_context(beside(entry.folder))
            self.thread = threading.Thread(target=self._upload, args=[entry], name="wandb", daemon=True)
            self.thread.start()

    @override
    def log(self, rows: Sequence[Mapping[str, float]]) -> None:
        new = [dict(row) for row in rows[self.logged : -1]]  # the last row is not complete
        self.logged += len(new)
        if new:
            self.jobs.put(lambda run: run.add(new))

    @override
    def complete(self, read: Callable[[], Entry]) -> None:
        if self.thread is None:
            return
        with _record_failure():
            entry = self.done = read()
            self.jobs.put(lambda run: run.complete(entry))

    @override
    def close(self, code: int, *, seconds: float | None = None) -> None:
        if self.thread is not None:
            with _record_failure():
                self._wait(self.thread, code, seconds)
        self.surroundings.close()
        if _failures and TRACKING_FAILED in os.environ:
            Path(os.environ[TRACKING_FAILED]).touch()
        if (_failures or _late) and not self.warned:
            why, later = [*_failures, *_late][0], f"Nothing is lost: `{self.later}` sends it later"
            print(f"W&B did not receive everything: {why}. {later}", file=sys.stderr)

    def _wait(self, thread: threading.Thread, code: int, seconds: float | None) -> None:
        from framework.tracking.wandb_client import START_SECONDS, leave_at_exit

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

    @_record_failure()
    def _upload(self, entry: Entry) -> None:
        from framework.tracking.wandb_client import WandbRun

        run = WandbRun(entry, self.config, FINISH_SECONDS)
        try:
            run.link(entry.uses)
            for job in iter(self.jobs.get, None):
                job(run)
        except BaseException:
            with suppress(Exception):
                run.close(FAILED)
            raise
        try:
            run.close(self.code)
        except TimeoutError:  # the next stage tries again
            _late.append(f"the upload of {entry.kind} · {entry.name} took more than {FINISH_SECONDS} seconds")
            return
        if self.done is not None and self.code == 0:
            run.note_sent(self.done)


@contextmanager
def tracked(config: TrackingConfig, later: str) -> Iterator[Tracker]:
    """Yields the tracker of a stage, and closes it when the stage ends.

    If W&B fails, the user is told `later`, the command that sends everything to W&B then.
    """
    given_up = TRACKING_FAILED in os.environ and Path(os.environ[TRACKING_FAILED]).exists()
    used = config.mode != "off" and own_rank() == 0 and not given_up
    tracker = WandbTracker(config, later) if used else Tracker()
    try:
        yield tracker
    except Interrupted:
        tracker.close(INTERRUPTED, seconds=HURRY_SECONDS)
        raise
    except Exception:
        tracker.close(FAILED, seconds=HURRY_SECONDS)
        raise
    except BaseException:  # a second Ctrl-C
        tracker.close(FAILED, seconds=0)
        raise
    tracker.close(0)


@contextmanager
def wandb_errors_as_user_errors(what: str) -> Iterator[None]:
    """Converts an error of any type, of the client, its service process or the server, to a `UserError` in one line."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{what}: {reason(error)}") from error


def reason(error: BaseException) -> str:
    """Returns in one line why W&B failed, and what to do if that is known."""
    message = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return f"{message}: {NEW_IDS}" if DELETED in message else message
