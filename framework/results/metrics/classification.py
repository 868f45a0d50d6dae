"""Metrics of labels.

Some datasets lack labels in some languages (MasakhaNEWS has no entertainment news in Lingala), while the classifier
knows them all. A prediction of such a foreign label counts as an error of the gold label, like any other error. The
foreign label itself has no F1, because gold has none of it, and is left out of the means.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from typing_extensions import override

from framework.results.metrics.base import Floats, Mean, Metric, f1_of


class Accuracy(Mean):
    """Share of the examples with the right label."""

    name = shown = "accuracy"

    @override
    def of_each(self, gold: Sequence[str], predicted: Sequence[str], language: str) -> Sequence[float]:
        return [float(right == answer) for right, answer in zip(gold, predicted, strict=True)]


class _LabelF1(Metric):
    """A weighted mean of the F1 of each label that occurs in gold."""

    @override
    def statistics(self, gold: Sequence[str], predicted: Sequence[str], language: str) -> Floats:
        # For each label in gold, sorted: is it right? Then for each: is it predicted? Then: is it in gold?
        labels = sorted(set(gold))
        code = {label: number for number, label in enumerate(labels)}
        of_gold = np.array([code[label] for label in gold])
        of_predicted = np.array([code.get(label, len(labels)) for label in predicted])
        each = np.arange(len(labels))[:, None]
        is_gold, is_predicted = of_gold == each, of_predicted == each
        return np.concatenate([is_gold & is_predicted, is_predicted, is_gold]).astype(np.float64)

    @override
    def value(self, sums: Floats) -> Floats:
        right, predicted, gold = sums.reshape(3, -1, *sums.shape[1:])
        weights = self.weights(gold)
        return np.asarray((f1_of(right, predicted, gold) * weights).sum(axis=0) / weights.sum(axis=0))

    @abstractmethod
    def weights(self, gold: Floats) -> Floats:
        """Returns each label's weight for its count in gold, 0 in resamples that lack it; both [labels, ...]."""


class MacroF1(_LabelF1):
    """Mean of the F1 of each label that occurs in gold."""

    name, shown = "macro_f1", "macro-F1"

    @override
    def weights(self, gold: Floats) -> Floats:
        return np.asarray(gold > 0, dtype=np.float64)


class WeightedF1(_LabelF1):
    """Mean of the same F1s, each weighted by how often its label occurs in gold."""

    name, shown = "weighted_f1", "weighted F1"

    @override
    def weights(self, gold: Floats) -> Floats:
        return gold


@dataclass(frozen=True)
class PositiveF1(Metric):
    """F1 of the positive class; 0 if neither gold nor the predictions hold it."""

    positive: str
    name = "f1"

    @property
    @override
    def shown(self) -> str:  # type: ignore[override]
        return f"F1 of {self.positive}"

    @override
    def statistics(self, gold: Sequence[str], predicted: Sequence[str], language: str) -> Floats:
        is_gold, is_predicted = (np.array([label == self.positive for label in texts]) for texts in (gold, predicted))
        return np.array([is_gold & is_predicted, is_predicted, is_gold], dtype=np.float64)

    @override
    def value(self, sums: Floats) -> Floats:
        return f1_of(*sums)
