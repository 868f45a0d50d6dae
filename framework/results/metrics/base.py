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

from framework.errors import UserError

Floats = npt.NDArray[np.float64]

ROUNDING = 1e-9
"""How far a score may be outside of its range."""


class Metric(ABC):
    """A score of the answers in one language, between `least` and 1; the higher, the better."""

    name: str
    """Its name in files and on the command line."""
    shown: str
    """Its name in tables."""
    least: float = 0.0
    """The lowest score that there can be: -1 for a correlation."""

    @abstractmethod
    def statistics(self, gold: Sequence[str], predicted: Sequence[str], language: str) -> Floats:
        """Returns the contribution of each example.

        Args:
            gold: The correct answer of each example, as its dataset writes it.
            predicted: The predicted answers, in the same order.
            language: FLORES code of the answers' language.

        Returns:
            [statistics, examples]; how many statistics there are may depend on gold, but not on what is predicted.
        """

    @abstractmethod
    def value(self, sums: Floats) -> Floats:
        """Returns the score.

        Args:
            sums: [statistics, ...], the statistics summed over examples. A resample may lack some of the examples, and
                with them a label, so that its sums are 0.

        Returns:
            [...], the score of each sum: a number for any sums.
        """

    def score(self, gold: Sequence[str], predicted: Sequence[str], language: str) -> float:
        """Scores answers; the arguments are those of `statistics`.

        Raises:
            ValueError: There are no examples, or numbers of gold and predicted answers differ.
            UserError: The metric returns values of another shape, or a score outside its range.
        """
        if len(gold) != len(predicted):
            raise ValueError(f"{len(gold)} gold answers but {len(predicted)} predicted ones")
        if not len(gold):
            raise ValueError("there are no examples to score")
        statistics = self.statistics(gold, predicted, language)
        if statistics.ndim != 2 or statistics.shape[1] != len(gold):
            raise UserError(
                f"metric {self.name}: `statistics` must return [statistics, examples] for the {len(gold)} examples in "
                f"{language}, not {list(statistics.shape)}"
            )
        score = float(self.value(statistics.sum(axis=1)))
        if not self.least - ROUNDING <= score <= 1 + ROUNDING:
            raise UserError(f"metric {self.name}: its score in {language} is {score}, not from {self.least:g} to 1")
        return score


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
