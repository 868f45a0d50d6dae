"""Train/test overlap: test texts of a source language that are also in its training or validation split."""

import contextlib
import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from datamodules.datasets.base import TRAIN, VALIDATION, LabelledDataset
from datamodules.errors import DataError

TOLERATED = 0.01
"""Share of a test split. News collections repeat a text now and then: results report that, and it is no error."""


@dataclass(frozen=True)
class Leak:
    """The part of a language's test split that is also in its training and validation splits."""

    language: str
    ids: list[str]
    """Test examples whose text is in the training or validation split."""
    examples: int
    """Examples of the test split."""

    @property
    def is_tolerable(self) -> bool:
        """Whether so few are known that the language's score still means something."""
        return len(self.ids) <= TOLERATED * self.examples

    def __str__(self) -> str:
        return (
            f"{len(self.ids)} of the {self.examples} test texts of {self.language} are also in its training or "
            f"validation split (the first is {self.ids[0]})"
        )


def find_leak(dataset: LabelledDataset, language: str) -> Leak | None:
    """Compares the texts of a source language's splits; None where no test text is in another one.

    Raises:
        DataError: The language lacks a split.
    """
    known = {*dataset.overlap(language, "train", "test"), *dataset.overlap(language, "validation", "test")}
    if not known:
        return None
    return Leak(language, sorted(known), sum(1 for _ in dataset.examples(language, "test")))


def training_contents(dataset: LabelledDataset, sources: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Finds out what trains or chooses the task components; see `Dataset.content`.

    Only whole splits are compared by it: single texts of two languages may be equal by chance.

    Returns:
        By content the source language and the split; a language that lacks a split is not there with it.
    """
    contents: dict[str, tuple[str, str]] = {}
    for source, split in itertools.product(sources, (TRAIN, VALIDATION)):
        with contextlib.suppress(DataError):
            contents.setdefault(dataset.content(source, split), (source, split))
    return contents
