"""The metrics of each task, by their names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from framework.results.metrics.base import Metric
from framework.results.metrics.classification import Accuracy, MacroF1, PositiveF1, WeightedF1
from framework.results.metrics.question_answering import ExactMatch, TokenF1
from framework.results.metrics.tagging import SpanF1, SpanPrecision, SpanRecall

__all__ = ["SCORINGS", "SHIPPED", "Metric", "Scoring", "Task", "metrics_of"]

Task = Literal["classification", "tagging", "question answering"]
"""The tasks of `datamodules.datasets.base`."""


@dataclass(frozen=True)
class Scoring:
    """The scoring of a task's answers."""

    metrics: tuple[Metric, ...]
    """The main one first."""
    gold_is_label: bool = False
    """Whether gold is a label's name: a language may lack some, and a text and its translations have the same."""
    dependent: str = ""
    """Why examples are less independent than intervals assume, as a sentence; empty if nothing is known."""


SCORINGS: dict[Task, Scoring] = {
    "classification": Scoring((Accuracy(), MacroF1(), WeightedF1()), gold_is_label=True),
    "tagging": Scoring((SpanF1(), SpanPrecision(), SpanRecall())),
    "question answering": Scoring(
        (TokenF1(), ExactMatch()),
        dependent="Questions about one context are taken as independent, for results do not hold their contexts: where "
        "many share one, intervals are too narrow.",
    ),
}

SHIPPED = frozenset(metric.name for scoring in SCORINGS.values() for metric in scoring.metrics) | {PositiveF1.name}
"""The names of all metrics that are here; a metric of a user's own has another."""


def metrics_of(task: Task, positive: str | None = None) -> dict[str, Metric]:
    """Returns a task's metrics by name, the main one first; with a positive class also its F1."""
    of_positive = () if positive is None else (PositiveF1(positive),)
    return {metric.name: metric for metric in (*SCORINGS[task].metrics, *of_positive)}
