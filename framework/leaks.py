"""Test texts of a source language that stand among the texts that train or choose the task components."""

from dataclasses import dataclass

from datamodules import LabelledDataset
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


def reused_split(dataset: LabelledDataset, learnt: str, tested: str) -> str | None:
    """Compares the test split of a language with the splits that train or choose the task components in another one.

    Only whole splits are compared: single texts of two languages may be equal by chance.

    Args:
        dataset: The dataset.
        learnt: A source language.
        tested: Another language, which is tested on.

    Returns:
        The split of the source language that has the same content; None where neither has.

    Raises:
        DataError: A language lacks a split.
    """
    content = dataset.content(tested, TEST)
    return next((split for split in (TRAIN, VALIDATION) if dataset.content(learnt, split) == content), None)
