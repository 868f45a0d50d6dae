"""Locks ("claims") of stages: of several processes that need the same stage, one carries it out and the others wait.

A claim is a lease file beside the stage's outcome, refreshed by a heartbeat. A process that died on this machine loses
its claim immediately, one on another machine after `LEASE` seconds. If two processes ever hold one (after a machine
slept longer than that), one of them may fail, but both compute the same outcome, and files are written atomically.

A claim without a record of its process is taken over after `WRITING` seconds, and one in the format of another program
or version is refused with a message.
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
from framework.system.atomic_files import owner, write_whole
from framework.system.distributed import own_rank, slurm_step, slurm_tasks
from framework.system.signals import pause

LEASE = 60.0
"""Seconds without a heartbeat after which another process may take a claim."""
WRITING = 5.0
"""Time limit in seconds for a process to write its record into its claim."""
POLL = 0.5
"""Seconds between two checks of another process's claim."""
WAITING = "while it waited for another process"
"""Where a stop signal interrupts a process that waits."""


@contextmanager
def stage_lock(
    file: Path, is_done: Callable[[], bool], waiting: Callable[[str], None], prepare: Callable[[], None] = lambda: None
) -> Iterator[bool]:
    """Holds the claim of a stage during the block.

    Args:
        file: The claim's file.
        is_done: Says whether the outcome exists.
        waiting: Called once with a message on the holder, if another process holds the claim.
        prepare: Called after the claim was acquired, before any rank begins.

    Yields:
        Whether the stage is still to be carried out; another process may have done it in the meantime.

    Raises:
        Interrupted: This process was asked to stop while it waited.
        UserError: The claim is of a kind without heartbeat.
    """
    if own_rank() > 0:
        yield _first_rank_goes_on(file, is_done)
        return
    claim = _Claim(file)
    if not claim.acquire():
        waiting(claim.holder)
        while not claim.acquire():
            if is_done():
                yield False
                return
            pause(POLL, WAITING)
            claim.free_if_stale()
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
        claim.lease.release()


@contextmanager
def stage_lock_if_free(file: Path) -> Iterator[bool]:
    """Holds the claim of a finished stage during the block, without waiting; yields whether it was free."""
    claim = _Claim(file)
    try:
        yield claim.acquire()
    finally:
        claim.lease.release()


class _Claim:
    """A lease file, and its state while another process holds it."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self.file = file
        self.lease = SoftFileLease(file, lease_duration=LEASE, poll_interval=POLL)
        self.state: tuple[int, ...] = ()
        """Changes with each heartbeat."""
        self.since = 0.0
        """Since when the state is unchanged."""

    def acquire(self) -> bool:
        """Takes the claim if it is free, if its process died, or after `LEASE` seconds without a heartbeat."""
        try:
            self.lease.acquire(blocking=False)
        except (Timeout, LeaseSettingsMismatch):
            return False
        except (PermissionError, IsADirectoryError):
            if not os.path.lexists(self.file):  # otherwise it is another user's
                raise
            return False
        return True

    @property
    def holder(self) -> str:
        """Holder, time of the last heartbeat, and how to take the claim over."""
        record = self.lease.owner
        process = f"process {record.pid} on {record.hostname}" if record else "a process"
        try:
            last = datetime.fromtimestamp(self.file.lstat().st_mtime).isoformat(sep=" ", timespec="seconds")
            whose = f"{process} of {owner(self.file)}, last sign of life {last}"
        except (OSError, OverflowError):  # released in the meantime; an invalid time
            whose = process
        return f"claimed by {whose}; if it does not run any more, `rm {self.file}` frees the stage"

    def free_if_stale(self) -> None:
        """Removes the claim if it has not changed for too long by this machine's clock.

        Raises:
            UserError: It is not a lease of this version, so that the state of its process is unknown.
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

        Another process may have replaced it already. So it is renamed first, and put back if it is not the same.
        """
        aside = self.file.with_name(f".{self.file.name}.{uuid.uuid4().hex}.tmp")
        try:
            self.file.rename(aside)
        except FileNotFoundError:
            return
        found = aside.lstat()
        if (found.st_ino, found.st_mtime_ns) != (stale.st_ino, stale.st_mtime_ns):
            with suppress(FileExistsError):  # a third process may have taken the claim in the meantime
                os.link(aside, self.file, follow_symlinks=False)
        if aside.is_dir() and not aside.is_symlink():
            shutil.rmtree(aside)
        else:
            aside.unlink()


def _holder(file: Path) -> Path:
    """Returns the file by which the first of several Slurm tasks signals the others that it holds the claim."""
    return file.with_suffix(".step")


def _first_rank_goes_on(file: Path, is_done: Callable[[], bool]) -> bool:
    """Waits until the first rank holds the claim, or the stage is done."""
    if slurm_tasks() == 1:  # started by the first rank, which holds the claim
        return True
    while not is_done():
        if _holder(file).is_file() and _holder(file).read_text() == slurm_step():
            return True
        pause(POLL, WAITING)
    return False
