"""Metrics of the spans that BIO tags mark: a span is right if its type and both its ends are those of a gold span.

All spans of a language are counted together (micro average), as CoNLL's `conlleval` does it.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from typing_extensions import override

from framework.results.metrics.base import Floats, Metric, f1_of, precision_of
from modules.training.bio import spans
from modules.training.unparsed import UNPARSED

Span = tuple[str, int, int]


class _SpanCounts(Metric):
    """A function of how many spans are right, predicted and in gold."""

    @override
    def statistics(self, gold: Sequence[str], predicted: Sequence[str], language: str) -> Floats:
        both = [(_spans(right), _answered(answer)) for right, answer in zip(gold, predicted, strict=True)]
        counts = [(len(right & answer), len(answer), len(right)) for right, answer in both]
        return np.array(counts, dtype=np.float64).reshape(-1, 3).T


class SpanF1(_SpanCounts):
    """Harmonic mean of the spans' precision and recall."""

    name, shown = "span_f1", "span F1"

    @override
    def value(self, sums: Floats) -> Floats:
        return f1_of(*sums)


class SpanPrecision(_SpanCounts):
    """Share of the predicted spans that are right; 0 where none is predicted."""

    name, shown = "span_precision", "span precision"

    @override
    def value(self, sums: Floats) -> Floats:
        right, predicted, _ = sums
        return precision_of(right, predicted)


class SpanRecall(_SpanCounts):
    """Share of the gold spans that are found; 0 where there are none."""

    name, shown = "span_recall", "span recall"

    @override
    def value(self, sums: Floats) -> Floats:
        right, _, gold = sums
        return precision_of(right, gold)


def _answered(predicted: str) -> frozenset[Span]:
    """Returns the predicted spans; an unparsed answer is one wrong span, even if gold has none."""
    return frozenset({(UNPARSED, 0, 0)}) if predicted == UNPARSED else _spans(predicted)


@functools.lru_cache(maxsize=2**16)  # the same gold occurs again with each seed and metric
def _spans(tags: str) -> frozenset[Span]:
    return frozenset(spans(tags.split()))
