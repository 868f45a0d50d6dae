"""Scores of one language's predictions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

METRICS: dict[str, str] = {"accuracy": "accuracy", "macro_f1": "macro-F1", "weighted_f1": "weighted F1"}
"""The metrics a comparison can show: the name of the score and how it is printed."""


@dataclass(frozen=True)
class Scores:
    """What `score` finds."""

    accuracy: float
    """Share of the examples with the right label."""
    macro_f1: float
    """Mean of the F1 of each label that occurs in gold."""
    weighted_f1: float
    """Mean of the same F1s, each weighted by how often its label occurs in gold."""
    foreign_rate: float
    """Share of the predictions whose label does not occur in gold."""
    labels: list[str]
    """The labels that occur in gold, sorted."""


def score(gold: Sequence[str], predicted: Sequence[str]) -> Scores:
    """Scores the predictions for one language.

    Some datasets lack labels in some languages (MasakhaNEWS has no entertainment news in Lingala), while the
    classifier knows them all. A prediction of such a foreign label is an error of the gold label that it
    missed, as any other; the foreign label itself has no F1, for there is nothing of it to find, so it has
    no part in the means.

    Args:
        gold: The right label of each example.
        predicted: The predicted label of each example, in the same order.

    Returns:
        The scores, each between 0 and 1.

    Raises:
        ValueError: If there are no examples, or not as many predictions as gold labels.
    """
    if len(gold) != len(predicted):
        raise ValueError(f"{len(gold)} gold labels but {len(predicted)} predictions")
    if not len(gold):
        raise ValueError("there are no examples to score")
    labels = sorted(set(gold))
    code = {label: number for number, label in enumerate(labels)}
    foreign = len(labels)
    gold_codes = np.array([code[label] for label in gold])
    predicted_codes = np.array([code.get(label, foreign) for label in predicted])
    right = gold_codes == predicted_codes
    support = np.bincount(gold_codes, minlength=foreign)
    chosen = np.bincount(predicted_codes, minlength=foreign + 1)[:foreign]
    hits = np.bincount(gold_codes[right], minlength=foreign)
    f1 = 2 * hits / (support + chosen)  # support is never 0 here
    return Scores(
        accuracy=float(right.mean()),
        macro_f1=float(f1.mean()),
        weighted_f1=float(f1 @ support / len(gold)),
        foreign_rate=float((predicted_codes == foreign).mean()),
        labels=labels,
    )
