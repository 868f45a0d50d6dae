"""Metrics of labels.

Some datasets lack labels in some languages (MasakhaNEWS has no entertainment news in Lingala), while the classifier
knows them all. A prediction of such a foreign label is an error of the gold label that it missed, as any other; the
foreign label itself has no F1, for there is nothing of it to find, so it has no part in the means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from framework.results.metrics.base import Floats, Mean, Metric, f1_of


class Accuracy(Mean):
    """Share of the examples with the right label."""

    name = shown = "accuracy"

    def of_each(self, gold: Sequence[str], predicted: Sequence[str], language: str) -> Sequence[float]:
        """See `Mean.of_each`."""
        return [float(right == answer) for right, answer in zip(gold, predicted, strict=True)]


class _LabelCounts(Metric):
    """What is a function of how often each label of gold is right, predicted and in gold."""

    def statistics(self, gold: Sequence[str], predicted: Sequence[str], language: str) -> Floats:
        """For each label in gold, sorted: is it right? Then for each: is it predicted? Then: is it in gold?"""
        labels = sorted(set(gold))
        code = {label: number for number, label in enumerate(labels)}
        of_gold = np.array([code[label] for label in gold])
        of_predicted = np.array([code.get(label, len(labels)) for label in predicted])
        each = np.arange(len(labels))[:, None]
        is_gold, is_predicted = of_gold == each, of_predicted == each
        return np.concatenate([is_gold & is_predicted, is_predicted, is_gold]).astype(np.float64)

    def value(self, sums: Floats) -> Floats:
        """See `Metric.value`."""
        right, predicted, gold = sums.reshape(3, -1, *sums.shape[1:])
        return self.mean(f1_of(right, predicted, gold), gold)

    def mean(self, f1: Floats, gold: Floats) -> Floats:
        """Averages over labels.

        Args:
            f1: [labels, ...], the F1 of each label.
            gold: [labels, ...], how often it is in gold; 0 where a resample lacks it.
        """
        raise NotImplementedError


class MacroF1(_LabelCounts):
    """Mean of the F1 of each label that occurs in gold."""

    name, shown = "macro_f1", "macro-F1"

    def mean(self, f1: Floats, gold: Floats) -> Floats:
        """See `_LabelCounts.mean`."""
        occurs = gold > 0
        return np.asarray((f1 * occurs).sum(axis=0) / occurs.sum(axis=0))


class WeightedF1(_LabelCounts):
    """Mean of the same F1s, each weighted by how often its label occurs in gold."""

    name, shown = "weighted_f1", "weighted F1"

    def mean(self, f1: Floats, gold: Floats) -> Floats:
        """See `_LabelCounts.mean`."""
        return np.asarray((f1 * gold).sum(axis=0) / gold.sum(axis=0))


@dataclass(frozen=True)
class PositiveF1(Metric):
    """F1 of one label alone, where the task is to find its examples among all others; 0 where there are none."""

    positive: str
    """The label."""
    name = "f1"

    @property
    def shown(self) -> str:  # type: ignore[override]
        """Names the label too."""
        return f"F1 of {self.positive}"

    def statistics(self, gold: Sequence[str], predicted: Sequence[str], language: str) -> Floats:
        """Is the label right? Is it predicted? Is it gold?"""
        is_gold, is_predicted = (np.array([label == self.positive for label in texts]) for texts in (gold, predicted))
        return np.array([is_gold & is_predicted, is_predicted, is_gold], dtype=np.float64)

    def value(self, sums: Floats) -> Floats:
        """See `Metric.value`."""
        return f1_of(*sums)
