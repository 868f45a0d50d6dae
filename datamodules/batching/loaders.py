"""Deterministic, resumable batching for data-parallel training.

The same rows make the same *global* batches on one GPU or on sixteen, with any number of DataLoader workers,
before and after an interruption. Four steps, each a plain generator:

1. `shuffled_epochs`: the rows of each epoch in an order drawn from (seed, epoch), through a buffer that holds
   as many rows as fit in memory: all of a labelled dataset, a part of a large corpus.
2. `global_batches`: sorts windows of `window` batches by length, cuts them into batches, and shuffles the
   batches. A batch thus holds rows of like length and pads little, yet lengths come in random order. Rows
   left over at the end of an epoch make a batch with the first rows of the next. So each batch is full, and
   each row comes exactly once an epoch.
3. `Batches` deals: rank r of R takes rows r, r + R, r + 2R ... of each global batch; DataLoader worker w of
   W takes the global batches w, w + W, w + 2W ... Every rank and worker walks through all rows, which costs
   next to nothing as long as they are text, and collates (with a corpus: tokenises) only its own.
4. `skip` leaves out the first n global batches without collating them: that is how a run is resumed, with any
   number of workers and ranks (`ResumableData`).

Evaluation has no epochs: `evaluation_batches` sorts all rows by length and cuts them. Each row comes exactly
once over all ranks, and every batch has a row for each rank: ranks that share a backbone must keep pace.
"""

import dataclasses
import functools
import hashlib
import itertools
import os
import random
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

import torch
import torch.distributed
from lightning import LightningDataModule
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from datamodules.errors import DataError

Batch = dict[str, Any]
Collate = Callable[[Sequence[Any], Sequence[int]], Batch]
"""Makes a batch of rows and of their numbers in the stream of all global batches."""
Stream = Callable[[], Iterable[Sequence[Any]]]
"""Starts the stream of global batches from the first one, the same on all ranks and workers."""


class HasLength(Protocol):
    """A row whose number of tokens is known or can be estimated."""

    @property
    def length(self) -> int:
        """In any unit that grows with the number of tokens."""


R = TypeVar("R", bound=HasLength)
T = TypeVar("T")


def shuffled_epochs(read: Callable[[], Iterable[T]], buffer: int, seed: str) -> Iterator[Iterator[T]]:
    """Goes through the same rows again and again, each time in another order.

    Args:
        read: Starts reading from the first row. If the buffer holds all rows, they are read only once.
        buffer: How many rows are held at a time. If that is all of them, every order is equally likely.
        seed: Determines the orders.

    Yields:
        One iterator over the rows per epoch, without end.
    """
    start = list(itertools.islice(read(), buffer + 1))
    rows = start if len(start) <= buffer else None
    del start
    for epoch in itertools.count():
        generator = random.Random(f"{seed}/epoch {epoch}")
        yield _shuffled(read() if rows is None else rows, buffer, generator)


def _shuffled(rows: Iterable[T], buffer: int, generator: random.Random) -> Iterator[T]:
    held: list[T] = []
    for row in rows:
        if len(held) < buffer:
            held.append(row)
        else:
            place = generator.randrange(buffer)
            yield held[place]
            held[place] = row
    generator.shuffle(held)
    yield from held


def global_batches(epochs: Iterable[Iterable[R]], batch_size: int, seed: str, window: int = 50) -> Iterator[list[R]]:
    """Cuts epochs into full batches of rows of like length.

    Args:
        epochs: The rows of each epoch, shuffled. An epoch may be smaller than a batch, but not empty.
        batch_size: Rows in a batch, over all ranks.
        seed: Determines the order of the batches in a window.
        window: How many batches are sorted by length together.

    Yields:
        `batch_size` rows at a time, without end if the epochs are.
    """
    generator = random.Random(f"{seed}/windows")
    waiting: list[R] = []
    for epoch in epochs:
        rows = iter(epoch)
        if waiting:
            waiting += itertools.islice(rows, batch_size - len(waiting))
            if len(waiting) < batch_size:
                continue
            yield waiting
            waiting = []
        for some in _chunks(rows, window * batch_size):
            full = len(some) - len(some) % batch_size
            batches = list(_chunks(sorted(some[:full], key=lambda row: row.length), batch_size))
            generator.shuffle(batches)
            yield from batches
            waiting = some[full:]


def evaluation_batches(rows: Iterable[R], batch_size: int, ranks: int = 1) -> Iterator[list[R]]:
    """Cuts rows into batches of like length, the longest first, so that a lack of memory shows at once.

    Rows that are too few for the `ranks` that share each batch go into the last full batch.
    """
    batches = list(_chunks(sorted(rows, key=lambda row: row.length, reverse=True), max(batch_size, ranks)))
    if len(batches) > 1 and len(batches[-1]) < ranks:
        rest = batches.pop()
        batches[-1] += rest
    return iter(batches)


@dataclasses.dataclass(eq=False)
class Batches(IterableDataset[Batch]):
    """The part of `rank` in a stream of global batches, without the first `skip` of them."""

    stream: Stream
    collate: Collate
    rank: int = 0
    ranks: int = 1
    skip: int = 0

    def __iter__(self) -> Iterator[Batch]:
        """Yields this rank's batches; in a worker of a DataLoader, those of the worker."""
        worker = get_worker_info()
        first, step = (worker.id, worker.num_workers) if worker else (0, 1)
        for number, rows in itertools.islice(_numbered(self.stream()), self.skip + first, None, step):
            own = range(self.rank, len(rows), self.ranks)
            if own:
                yield self.collate([rows[place] for place in own], [number + place for place in own])


class ResumableData(LightningDataModule):
    """A data module whose training stream goes on, in a resumed training, where the checkpoint was made.

    The place in the stream is the number of optimiser steps, each of which takes one global batch.
    """

    skip = 0
    """Training batches to leave out: set it to the number already trained on to resume a run by hand."""

    def state_dict(self) -> dict[str, Any]:
        """Returns the place in the stream; Lightning puts it into its checkpoints."""
        assert self.trainer is not None
        return {"skip": self.trainer.global_step}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the position in the stream from a checkpoint."""
        self.skip = state_dict["skip"]


def training_loader(
    stream: Stream, collate: Collate, batch_size: int, skip: int, num_workers: int
) -> DataLoader[Batch]:
    """Makes a DataLoader of this rank's part of endless full batches.

    Raises:
        DataError: If the ranks cannot share a batch evenly.
    """
    rank, ranks = _rank_and_ranks()
    if batch_size % ranks:
        raise DataError(f"{ranks} processes cannot share a batch of {batch_size} evenly")
    return _loader(Batches(stream, collate, rank=rank, ranks=ranks, skip=skip), num_workers)


def evaluation_loader(rows: Sequence[Any], collate: Collate, batch_size: int, num_workers: int) -> DataLoader[Batch]:
    """Makes a DataLoader of this rank's part of some rows, each row once; all ranks have as many batches.

    Raises:
        DataError: If there are fewer rows than ranks.
    """
    rank, ranks = _rank_and_ranks()
    if 0 < len(rows) < ranks:
        raise DataError(f"{ranks} processes cannot share {len(rows)} rows")
    stream = functools.partial(evaluation_batches, rows, batch_size, ranks)
    return _loader(Batches(stream, collate, rank=rank, ranks=ranks), num_workers)


def row_generator(seed: int, number: int) -> torch.Generator:
    """Returns the generator of a row of this number in the stream: the same on any rank, and after an interruption."""
    digest = hashlib.sha256(f"{seed}/{number}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def _loader(batches: Batches, num_workers: int) -> DataLoader[Batch]:
    # batch_size=None: what comes out is a batch already
    return DataLoader(
        batches, batch_size=None, num_workers=num_workers, collate_fn=_unchanged, worker_init_fn=_leave_signals
    )


def _leave_signals(_worker: int) -> None:
    """Leaves requests to stop to the process that trains: Slurm and a terminal send them to its workers too."""
    for number in (signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    # That process ends its workers by SIGTERM: only a thread that waits for the signal learns who sent it.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    threading.Thread(target=_obey_the_parent, daemon=True).start()


def _obey_the_parent() -> None:
    while signal.sigwaitinfo([signal.SIGTERM]).si_pid != os.getppid():
        pass
    os._exit(0)


def _unchanged(batch: Any) -> Any:
    return batch


def _rank_and_ranks() -> tuple[int, int]:
    # asked in the main process: a worker of a DataLoader knows nothing of the process group
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return 0, 1


def _numbered(batches: Iterable[Sequence[Any]]) -> Iterator[tuple[int, Sequence[Any]]]:
    """Pairs each global batch with the number of its first row."""
    number = 0
    for rows in batches:
        yield number, rows
        number += len(rows)


def _chunks(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    remaining = iter(rows)
    while chunk := list(itertools.islice(remaining, size)):
        yield chunk
