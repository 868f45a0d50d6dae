"""What a metric is: numbers that each example contributes, and a function of their sums.

The score of some examples needs only the sums of what each contributes. So does the score of a resample, in which
examples count several times or not at all: its sums are weighted ones. One definition thus serves for a score and for
its bootstrap.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Metric(ABC):
    """A score between 0 and 1 of the answers in one language."""

    name: str
    """What files and the command line call it."""
    shown: str
    """What tables call it."""

    @abstractmethod
    def statistics(self, gold: Sequence[str], predicted: Sequence[str], language: str) -> Floats:
        """Returns what each example contributes.

        Args:
            gold: The right answer of each example, as its dataset writes it.
            predicted: The predicted answers, in the same order.
            language: FLORES code of the answers' language.

        Returns:
            [statistics, examples].
        """

    @abstractmethod
    def value(self, sums: Floats) -> Floats:
        """Returns the score.

        Args:
            sums: [statistics, ...], the statistics summed over examples.

        Returns:
            [...], the score of each sum.
        """

    def score(self, gold: Sequence[str], predicted: Sequence[str], language: str) -> float:
        """Scores answers; the arguments are those of `statistics`.

        Raises:
            ValueError: If there are no examples, or not as many predicted answers as gold ones.
        """
        if len(gold) != len(predicted):
            raise ValueError(f"{len(gold)} gold answers but {len(predicted)} predicted ones")
        if not len(gold):
            raise ValueError("there are no examples to score")
        return float(self.value(self.statistics(gold, predicted, language).sum(axis=1)))


class Mean(Metric):
    """The mean of a score that each example has by itself."""

    @abstractmethod
    def of_each(self, gold: Sequence[str], predicted: Sequence[str], language: str) -> Sequence[float]:
        """Returns the score of each example, [examples]."""

    def statistics(self, gold: Sequence[str], predicted: Sequence[str], language: str) -> Floats:
        """The score of each example, and 1."""
        return np.array([self.of_each(gold, predicted, language), np.ones(len(gold))])

    def value(self, sums: Floats) -> Floats:
        """See `Metric.value`."""
        total, examples = sums
        return np.asarray(total / examples)


def precision_of(right: Floats, predicted: Floats) -> Floats:
    """Returns the share of what is predicted that is right, or 0 where nothing is; with gold, the recall."""
    return right / np.maximum(predicted, 1)  # these are counts: what is below 1 is 0


def f1_of(right: Floats, predicted: Floats, gold: Floats) -> Floats:
    """Returns the harmonic mean of precision and recall, or 0 where nothing is predicted and nothing in gold."""
    return 2 * right / np.maximum(gold + predicted, 1)
