"""Metrics of answers to questions, as SQuAD defines them (Rajpurkar et al., 2016, section 6.1; 2.0: 2018).

An answer is compared to each of the gold answers, normalised as `framework.results.metrics.normalization` says, and
the best comparison counts. The correct answer to a question without a gold answer is an empty text.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence

from typing_extensions import override

from framework.results.metrics.base import Mean
from framework.results.metrics.normalization import Words, normalized


class _BestOfGold(Mean):
    """The mean over questions of the best comparison with a gold answer; gold holds JSON lists of answers."""

    @override
    def of_each(self, gold: Sequence[str], predicted: Sequence[str], language: str) -> Sequence[float]:
        return [
            max(
                self.compared(normalized(right, language), normalized(answer, language))
                for right in json.loads(rights) or [""]
            )
            for rights, answer in zip(gold, predicted, strict=True)
        ]

    @abstractmethod
    def compared(self, gold: Words, predicted: Words) -> float:
        """Compares an answer to one gold answer."""


class ExactMatch(_BestOfGold):
    """Share of the questions whose answer is one of the gold answers."""

    name, shown = "exact_match", "exact match"

    @override
    def compared(self, gold: Words, predicted: Words) -> float:
        return float(gold == predicted)


class TokenF1(_BestOfGold):
    """Mean F1 of the words that an answer shares with the gold answer, each counted as often as both have it."""

    name, shown = "token_f1", "token F1"

    @override
    def compared(self, gold: Words, predicted: Words) -> float:
        if not gold or not predicted:
            return float(gold == predicted)
        shared = sum((Counter(gold) & Counter(predicted)).values())
        return 2 * shared / (len(gold) + len(predicted))
