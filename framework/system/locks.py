"""Claims: of several processes that need the same stage, one carries it out and the others wait for it.

A claim is a lease beside the stage's outcome, kept up by a heartbeat. A process that died on this machine loses its
claim at once, one on another machine after `LEASE` seconds. Should two processes ever hold one (a machine that slept
longer than that), one of them may end in an error, but both come to the same outcome, and each file appears whole.

Nobody waits for a claim that nothing refreshes: one that holds no record of a process is taken over after `WRITING`
seconds, and one in another program's or version's format is refused with a message.
"""

import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import LeaseSettingsMismatch, SoftFileLease, SoftFileLock, Timeout

from framework.errors import UserError
from framework.system.distributed import own_rank, slurm_step, slurm_tasks
from framework.system.files import owner, write_whole
from framework.system.signals import interrupted, stop_requested

LEASE = 60.0
"""Seconds without a heartbeat after which another process may take a claim."""
WRITING = 5.0
"""Seconds that a process may take to write its record into its claim."""
POLL = 0.5
"""Seconds between two looks at a claim that somebody else has."""


@contextmanager
def stage_lock(
    file: Path,
    is_done: Callable[[], bool],
    waiting: Callable[[str], None],
    prepare: Callable[[], None] = lambda: None,
) -> Iterator[bool]:
    """Claims a stage for as long as the block lasts.

    Args:
        file: The claim's file, next to where the outcome will be.
        is_done: Says whether the outcome is there.
        waiting: Called once with whose claim it is, if another process has it.
        prepare: Called with the claim, before any rank begins.

    Yields:
        Whether the stage is to be carried out here; it is not when another process did it in the meantime.

    Raises:
        Interrupted: If this process was asked to stop while it waited.
        UserError: If the claim is of a kind that has no heartbeat.
    """
    if own_rank() > 0:
        yield _first_rank_goes_on(file, is_done)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    claim = _Claim(file)
    if not claim.acquire():
        waiting(claim.holder)
        while not claim.acquire():
            if is_done():
                yield False
                return
            if stop_requested():
                raise interrupted("while it waited for another process")
            claim.free_if_stale()
            time.sleep(POLL)
    try:
        if is_done():
            yield False
            return
        prepare()
        if slurm_tasks() == 1:
            yield True
        else:
            write_whole(_holder(file), slurm_step().encode())
            try:
                yield True
            finally:
                _holder(file).unlink(missing_ok=True)
    finally:
        claim.release()


@contextmanager
def stage_lock_if_free(file: Path) -> Iterator[bool]:
    """Claims a stage that is done for as long as the block lasts, without waiting.

    Args:
        file: The claim's file.

    Yields:
        Whether no other process is at the stage.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    claim = _Claim(file)
    if not claim.acquire():
        yield False
        return
    try:
        yield True
    finally:
        claim.release()


class _Claim:
    """The lease, and what is seen of it while another process has it."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.lease = SoftFileLease(file, lease_duration=LEASE, poll_interval=POLL)
        self.state: tuple[int, ...] = ()
        """What changes with each heartbeat, as last seen."""
        self.since = 0.0
        """When it was first seen so."""

    def acquire(self) -> bool:
        """Takes the claim if it is free, or if its process died or gave no sign of life for `LEASE` seconds."""
        try:
            self.lease.acquire(blocking=False)
        except (Timeout, LeaseSettingsMismatch):
            return False
        except (PermissionError, IsADirectoryError):
            if not os.path.lexists(self.file):  # else another user's, which only that user may write
                raise
            return False
        return True

    def release(self) -> None:
        self.lease.release()

    @property
    def holder(self) -> str:
        """Says whose claim it is, when it was last refreshed, and how to take it over."""
        record = self.lease.owner
        process = f"process {record.pid} on {record.hostname}" if record else "a process"
        try:
            last = datetime.fromtimestamp(self.file.lstat().st_mtime).isoformat(sep=" ", timespec="seconds")
            whose = f"{process} of {owner(self.file)}, last sign of life {last}"
        except (OSError, OverflowError):  # released meanwhile; a time that no clock shows
            whose = process
        return f"claimed by {whose}; if it does not run any more, `rm {self.file}` frees the stage"

    def free_if_stale(self) -> None:
        """Removes the claim if it has not changed for so long, on this machine's clock, that nobody can have it.

        Raises:
            UserError: It is no lease of this version, so that nothing tells whether its process lives.
        """
        try:
            status = self.file.lstat()
        except FileNotFoundError:
            return
        state = (status.st_ino, status.st_mtime_ns, status.st_ctime_ns)
        if state != self.state:
            self.state, self.since = state, time.monotonic()
        unchanged = time.monotonic() - self.since
        record = self.lease.owner
        if record and (record.mode, record.lease_duration) == ("lease", LEASE):
            if unchanged >= LEASE:
                self._remove(status)
        elif unchanged >= WRITING:
            if record or SoftFileLock(self.file).pid:
                raise UserError(f"{self.file}: {self.holder} (it is of another version, which gives no sign of life)")
            self._remove(status)

    def _remove(self, stale: os.stat_result) -> None:
        """Removes the claim that was found stale.

        Another process may have removed it already, and may have claimed anew. So it is moved aside first, where
        nobody else reaches it, and put back if it is not the one that was found.

        Args:
            stale: Of the claim that was found.
        """
        aside = self.file.with_name(f".{self.file.name}.{uuid.uuid4().hex}.tmp")
        try:
            self.file.rename(aside)
        except FileNotFoundError:
            return
        found = aside.lstat()
        if (found.st_ino, found.st_mtime_ns) != (stale.st_ino, stale.st_mtime_ns):
            with suppress(FileExistsError):  # where a third process has claimed meanwhile
                os.link(aside, self.file, follow_symlinks=False)
        if aside.is_dir() and not aside.is_symlink():
            shutil.rmtree(aside)
        else:
            aside.unlink()


def _holder(file: Path) -> Path:
    """Returns the file in which the first of several Slurm tasks tells the others that it has the claim."""
    return file.with_suffix(".step")


def _first_rank_goes_on(file: Path, is_done: Callable[[], bool]) -> bool:
    """Waits until the first rank has the claim, or finds the stage done."""
    if slurm_tasks() == 1:  # started by the first rank, which has the claim
        return True
    while not is_done():
        if stop_requested():
            raise interrupted("while it waited for another process")
        if _holder(file).is_file() and _holder(file).read_text() == slurm_step():
            return True
        time.sleep(POLL)
    return False
