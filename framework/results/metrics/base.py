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
from typing_extensions import override

Floats = npt.NDArray[np.float64]


class Metric(ABC):
    """A score between 0 and 1 of the answers in one language."""

    name: str
    """Its name in files and on the command line."""
    shown: str
    """Its name in tables."""

    @abstractmethod
    def statistics(self, gold: Sequence[str], predicted: Sequence[str], language: str) -> Floats:
        """Returns the contribution of each example.

        Args:
            gold: The correct answer of each example, as its dataset writes it.
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
            ValueError: There are no examples, or numbers of gold and predicted answers differ.
        """
        if len(gold) != len(predicted):
            raise ValueError(f"{len(gold)} gold answers but {len(predicted)} predicted ones")
        if not len(gold):
            raise ValueError("there are no examples to score")
        return float(self.value(self.statistics(gold, predicted, language).sum(axis=1)))


class Mean(Metric):
    """The mean of a score of single examples."""

    @abstractmethod
    def of_each(self, gold: Sequence[str], predicted: Sequence[str], language: str) -> Sequence[float]:
        """Returns the score of each example, [examples]."""

    @override
    def statistics(self, gold: Sequence[str], predicted: Sequence[str], language: str) -> Floats:
        return np.array([self.of_each(gold, predicted, language), np.ones(len(gold))])

    @override
    def value(self, sums: Floats) -> Floats:
        total, examples = sums
        return np.asarray(total / examples)


def precision_of(right: Floats, predicted: Floats) -> Floats:
    """Returns the share of the predicted that is right, 0 if nothing is predicted; the recall if given gold counts."""
    return right / np.maximum(predicted, 1)  # counts: below 1 is 0


def f1_of(right: Floats, predicted: Floats, gold: Floats) -> Floats:
    """Returns the harmonic mean of precision and recall; 0 if there are neither predicted nor gold ones."""
    return 2 * right / np.maximum(gold + predicted, 1)
