from __future__ import annotations

import dataclasses
import functools
import itertools
from collections import Counter
from collections.abc import Iterable, Sequence

import pytest
import torch.distributed
from torch.utils.data import DataLoader

from datamodules import DataError
from datamodules.batching.loaders import (
    Batch,
    Batches,
    evaluation_batches,
    evaluation_loader,
    global_batches,
    shuffled_epochs,
    training_loader,
)

BATCH = 8


@dataclasses.dataclass(frozen=True)
class Row:
    name: int

    @property
    def length(self) -> int:
        return self.name * 7919 % 101


ROWS = [Row(name) for name in range(100)]


def collate(rows: Sequence[Row], numbers: Sequence[int]) -> Batch:
    return {"names": [row.name for row in rows], "numbers": list(numbers)}


def stream(
    seed: int = 0, rows: Sequence[Row] = ROWS, window: int = 4, size: int = BATCH
) -> Iterable[list[Row]]:
    return global_batches(shuffled_epochs(lambda: rows, len(rows), str(seed)), size, str(seed), window)


def names(batches: Iterable[list[Row]]) -> list[list[int]]:
    return [[row.name for row in batch] for batch in batches]


def dealt(count: int, ranks: int, workers: int, skip: int = 0) -> list[list[int]]:
    """The global batches put together again from what the ranks' loaders give."""
    parts = []
    for rank in range(ranks):
        batches = Batches(functools.partial(stream, 0), collate, rank=rank, ranks=ranks, skip=skip)
        loader = DataLoader(batches, batch_size=None, num_workers=workers, collate_fn=lambda batch: batch)
        parts.append(list(itertools.islice(loader, count)))
    whole = []
    for part in zip(*parts, strict=True):
        by_number = sorted(pair for p in part for pair in zip(p["numbers"], p["names"], strict=True))
        assert [number for number, _ in by_number] == list(range(by_number[0][0], by_number[0][0] + BATCH))
        whole.append([name for _, name in by_number])
    return whole


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_ranks_and_workers_share_the_same_global_batches(ranks: int, workers: int) -> None:
    assert dealt(20, ranks, workers) == names(itertools.islice(stream(), 20))


@pytest.mark.parametrize(("ranks", "workers"), [(1, 0), (2, 2)])
def test_a_run_resumes_where_it_stopped(ranks: int, workers: int) -> None:
    assert dealt(10, ranks, workers, skip=17) == names(itertools.islice(stream(), 17, 27))


def test_a_skipped_batch_is_not_collated() -> None:
    collated = []

    def note(rows: Sequence[Row], numbers: Sequence[int]) -> Batch:
        collated.append(numbers[0] // BATCH)
        return {}

    list(itertools.islice(Batches(stream, note, skip=1000), 2))
    assert collated == [1000, 1001]


@pytest.mark.parametrize("rows", [3, 8, 13, 100])
def test_every_row_comes_exactly_once_an_epoch(rows: int) -> None:
    epochs = 8
    some = names(itertools.islice(stream(rows=ROWS[:rows]), rows * epochs // BATCH))
    assert all(len(batch) == BATCH for batch in some)
    flat = [name for batch in some for name in batch]
    for epoch in range(epochs - 1):
        assert sorted(flat[epoch * rows : (epoch + 1) * rows]) == list(range(rows))


def test_the_order_differs_by_epoch_and_seed_and_is_the_same_again() -> None:
    first, second, other = (names(itertools.islice(stream(seed), 100)) for seed in (0, 0, 1))
    assert first == second
    assert first != other
    one_epoch = 25  # 100 rows in batches of 8: two epochs are 25 batches
    assert first[:one_epoch] != first[one_epoch : 2 * one_epoch]


def test_a_corpus_larger_than_the_buffer_is_read_anew_and_shuffled() -> None:
    reads = []

    def read() -> Iterable[int]:
        reads.append(0)
        return range(1000)

    first, second = (list(epoch) for epoch in itertools.islice(shuffled_epochs(read, 100, "0"), 2))
    assert sorted(first) == sorted(second) == list(range(1000))
    assert first != second
    assert sum(abs(place - row) for place, row in enumerate(first)) / 1000 > 50
    assert len(reads) == 3  # one to learn its size


def test_a_corpus_that_fits_the_buffer_is_read_once() -> None:
    reads = []

    def read() -> Iterable[int]:
        reads.append(0)
        return range(100)

    for epoch in itertools.islice(shuffled_epochs(read, 100, "0"), 3):
        assert sorted(epoch) == list(range(100))
    assert len(reads) == 1


def test_rows_of_a_batch_are_of_like_length() -> None:
    def spread(window: int) -> float:
        lengths = [[row.length for row in batch] for batch in itertools.islice(stream(window=window), 50)]
        return sum(max(some) - min(some) for some in lengths) / len(lengths)

    assert spread(window=12) < spread(window=1) / 3


def test_long_and_short_batches_come_in_random_order() -> None:
    longest = [max(row.length for row in batch) for batch in itertools.islice(stream(window=12), 12)]
    assert longest != sorted(longest)
    assert longest != sorted(longest, reverse=True)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
def test_evaluation_covers_every_row_once(ranks: int, workers: int) -> None:
    batches = functools.partial(evaluation_batches, ROWS[:49], BATCH, ranks)
    seen: Counter[int] = Counter()
    counts = []
    for rank in range(ranks):
        dataset = Batches(batches, collate, rank=rank, ranks=ranks)
        loader = DataLoader(dataset, batch_size=None, num_workers=workers, collate_fn=lambda batch: batch)
        some = [batch["names"] for batch in loader]
        assert all(some)
        counts.append(len(some))
        seen.update(name for batch in some for name in batch)
    assert seen == Counter(range(49))
    assert counts == [7 if ranks == 1 else 6] * ranks  # the last row goes along with others where ranks need one each


def test_evaluation_begins_with_the_longest() -> None:
    first, *_, last = evaluation_batches(ROWS, BATCH)
    assert max(row.length for row in ROWS) == first[0].length
    assert min(row.length for row in ROWS) == last[-1].length


def test_a_batch_that_ranks_cannot_share_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 1)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 3)
    with pytest.raises(DataError, match="^3 processes cannot share a batch of 8 evenly$"):
        training_loader(stream, collate, BATCH, skip=0, num_workers=0)
    [batch] = evaluation_loader(ROWS[:8], collate, BATCH, num_workers=0)
    assert batch["numbers"] == [1, 4, 7]
    with pytest.raises(DataError, match="^3 processes cannot share 2 rows$"):
        evaluation_loader(ROWS[:2], collate, BATCH, num_workers=0)
