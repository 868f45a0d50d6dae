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

from framework.errors import UserError

Floats = npt.NDArray[np.float64]

ROUNDING = 1e-9
"""How far a score may be outside of its range."""


class Metric(ABC):
    """A score of the answers in one language, between `least` and 1; the higher, the better."""

    name: str
    """What files and the command line call it."""
    shown: str
    """What tables call it."""
    least: float = 0.0
    """The lowest score that there can be: -1 for a correlation."""

    @abstractmethod
    def statistics(self, gold: Sequence[str], predicted: Sequence[str], language: str) -> Floats:
        """Returns what each example contributes.

        Args:
            gold: The right answer of each example, as its dataset writes it.
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
            ValueError: If there are no examples, or not as many predicted answers as gold ones.
            UserError: If the metric does not keep to what is said of its methods.
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
