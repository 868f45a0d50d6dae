"""Claims: of several processes that are asked for the same stage, one carries it out and the others wait for it.

A claim is a lease beside the stage's outcome, kept up by a heartbeat. A process that died on this machine loses its
claim at once, one on another machine after `LEASE` seconds. Should two processes ever hold one (a machine that slept
longer than that), one of them may end in an error, but both come to the same outcome, and each file appears whole.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import SoftFileLease, Timeout

from framework.files import write_whole
from framework.interruption import asked, interrupted
from framework.ranks import own_rank, slurm_step, slurm_tasks

LEASE = 60.0
"""Seconds without a heartbeat after which another process may take a claim."""
POLL = 0.5
"""Seconds between two looks at a claim that somebody else has."""


@contextmanager
def claimed(
    file: Path,
    is_done: Callable[[], bool],
    waiting: Callable[[str], None],
    prepare: Callable[[], None] = lambda: None,
) -> Iterator[bool]:
    """Claims a stage for as long as the block lasts.

    Args:
        file: The claim's file, next to where the outcome will be.
        is_done: Says whether the outcome is there.
        waiting: Is told, once, that another process has the claim.
        prepare: Called with the claim, before any rank begins.

    Yields:
        Whether the stage is to be carried out here; it is not when another process did it in the meantime.

    Raises:
        Interrupted: If this process was asked to stop while it waited.
    """
    if own_rank() > 0:
        yield _first_rank_goes_on(file, is_done)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    lease = SoftFileLease(file, lease_duration=LEASE, poll_interval=POLL)
    try:
        lease.acquire(blocking=False)
    except Timeout:
        waiting("another process is at it")
        try:
            lease.acquire(cancel_check=lambda: asked() or is_done())
        except Timeout:
            if not is_done():
                raise interrupted("while it waited for another process") from None
            yield False
            return
    with lease:
        lease.release()  # `with` counts as a second acquisition
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


@contextmanager
def claimed_if_free(file: Path) -> Iterator[bool]:
    """Claims a stage that is done for as long as the block lasts, without waiting.

    Args:
        file: The claim's file.

    Yields:
        Whether no other process is at the stage.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    lease = SoftFileLease(file, lease_duration=LEASE, poll_interval=POLL)
    try:
        lease.acquire(blocking=False)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lease.release()


def _holder(file: Path) -> Path:
    """Returns the file in which the first of several Slurm tasks tells the others that it has the claim."""
    return file.with_suffix(".step")


def _first_rank_goes_on(file: Path, is_done: Callable[[], bool]) -> bool:
    """Waits until the first rank has the claim, or finds the stage done."""
    if slurm_tasks() == 1:  # started by the first rank, which has the claim
        return True
    while not is_done():
        if asked():
            raise interrupted("while it waited for another process")
        if _holder(file).is_file() and _holder(file).read_text() == slurm_step():
            return True
        time.sleep(POLL)
    return False
