"""Test texts of a source language that stand among the texts that train or choose the task components."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

from datamodules import DatasetConfig, LabelledDataset
from datamodules.dataset import TEST, TRAIN, VALIDATION

TOLERATED = 0.01
"""Share of a test split. News collections repeat a text now and then: that is told with the results, not refused."""


@dataclass(frozen=True)
class Leak:
    """What of a language's test split is known from its training and validation splits."""

    language: str
    ids: list[str]
    """Test examples whose text stands in the training or validation split."""
    examples: int
    """Examples of the test split."""

    @property
    def is_tolerable(self) -> bool:
        """Whether so few are known that the language's score still means something."""
        return len(self.ids) <= TOLERATED * self.examples

    def __str__(self) -> str:
        """Says how many are known."""
        return (
            f"{len(self.ids)} of the {self.examples} test texts of {self.language} are also in its training or "
            f"validation split (the first is {self.ids[0]})"
        )


def find_leak(dataset: LabelledDataset, language: str) -> Leak | None:
    """Compares the texts of a source language's splits.

    Returns:
        The leak, or None where no test text is known.

    Raises:
        DataError: The language lacks a split.
    """
    known = {*dataset.overlap(language, "train", "test"), *dataset.overlap(language, "validation", "test")}
    if not known:
        return None
    return Leak(language, sorted(known), sum(1 for _ in dataset.examples(language, "test")))


def reused_split(data: DatasetConfig, dataset: LabelledDataset, learnt: str, tested: str) -> str | None:
    """Looks whether the test split of one language is what another language trains or chooses the task components on.

    Only whole splits are compared, by file and by fingerprint: texts of two languages may be equal by chance.

    Args:
        data: The section that names the dataset.
        dataset: The dataset.
        learnt: A source language.
        tested: Another language, which is tested on.

    Returns:
        The split of the source language; None where neither is the test split.

    Raises:
        DataError: A language lacks a split.
    """
    contents = {*_contents(data, dataset, tested, TEST)}
    return next((split for split in (TRAIN, VALIDATION) if contents & {*_contents(data, dataset, learnt, split)}), None)


def _contents(data: DatasetConfig, dataset: LabelledDataset, language: str, split: str) -> Iterator[str]:
    """Names what a split is made of."""
    whole = data.train_split if split == TRAIN or (split == VALIDATION and data.held_out is not None) else split
    # A part that is held out has a fingerprint that begins with that of the whole split.
    yield dataset.fingerprint(language, split).partition(" but ")[0].partition(" the ")[0]
    # Of a table, rows have the names of their splits, so that the fingerprints of one file in two splits differ.
    files = getattr(data, "files", {}).get(whole) if data.train_on is None else None
    if isinstance(files, dict) and language in files:
        yield os.path.normpath(files[language])
