"""What holds for the metrics of every task."""

from typing import get_args

import pytest

from datamodules.datasets.base import Task
from framework.results.metrics import SCORINGS, Metric, metrics_of
from framework.results.metrics import Task as TaskHere
from framework.results.metrics.classification import PositiveF1
from modules.training.unparsed import UNPARSED

RIGHT = {
    "classification": ["label", "other"],
    "tagging": ["B-PER O", "B-LOC I-LOC"],
    "question answering": ['["Paris"]', '["London", "Rome"]', "[]", '["?"]', f'["{UNPARSED}s"]'],
}
ALL = [(task, metric) for task in RIGHT for metric in SCORINGS[task].metrics]
ALL.append(("classification", PositiveF1("label")))


def test_every_task_of_a_dataset_has_metrics() -> None:
    assert set(get_args(Task)) == set(get_args(TaskHere)) == SCORINGS.keys() == RIGHT.keys()


@pytest.mark.parametrize(("task", "metric"), ALL)
def test_an_unparsed_answer_is_wrong(task: str, metric: Metric) -> None:
    gold = RIGHT[task]
    assert metric.score(gold, [UNPARSED] * len(gold), "eng_Latn") == 0
    assert metric.score(gold, [UNPARSED] * len(gold), "zho_Hans") == 0


@pytest.mark.parametrize(("task", "metric"), ALL)
def test_refuses_what_cannot_be_scored(task: str, metric: Metric) -> None:
    with pytest.raises(ValueError, match="2 gold answers but 1 predicted"):
        metric.score(RIGHT[task][:2], RIGHT[task][:1], "eng_Latn")
    with pytest.raises(ValueError, match="no examples"):
        metric.score([], [], "eng_Latn")


def test_names_tell_metrics_apart() -> None:
    names = [metric.name for _, metric in ALL]
    assert len(set(names)) == len(names)
    assert metrics_of("classification", "claim")["f1"].shown == "F1 of claim"
