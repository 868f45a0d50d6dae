"""The scores against values worked out by hand and against scikit-learn."""

import random

import pytest
from sklearn.metrics import accuracy_score, f1_score

from framework.metrics import METRICS, Scores, score


def test_by_hand() -> None:
    #        a: 2 of 3 found, chosen 3 times; b: 1 of 2, chosen twice; c: 0 of 1, chosen once
    scores = score(["a", "a", "a", "b", "b", "c"], ["a", "a", "b", "b", "c", "a"])
    f1 = {"a": 2 * 2 / (3 + 3), "b": 2 * 1 / (2 + 2), "c": 0.0}
    assert scores.accuracy == pytest.approx(3 / 6)
    assert scores.macro_f1 == pytest.approx(sum(f1.values()) / 3)
    assert scores.weighted_f1 == pytest.approx((3 * f1["a"] + 2 * f1["b"]) / 6)
    assert scores.foreign_rate == 0
    assert scores.labels == ["a", "b", "c"]


def test_a_foreign_label_is_an_error_without_a_row_of_its_own() -> None:
    scores = score(["a", "a", "b", "b"], ["a", "foreign", "b", "strange"])
    # a and b: found once of two, chosen once. A mean over all four labels would be 1/3.
    assert scores.macro_f1 == pytest.approx(2 / 3)
    assert scores.weighted_f1 == pytest.approx(2 / 3)
    assert scores.accuracy == 0.5
    assert scores.foreign_rate == 0.5
    assert scores.labels == ["a", "b"]


@pytest.mark.parametrize("seed", range(20))
def test_as_scikit_learn_over_the_labels_in_gold(seed: int) -> None:
    draw = random.Random(seed)
    labels = list("abcdefg")
    gold = draw.choices(labels[: draw.randint(1, 7)], k=draw.randint(1, 60))
    predicted = draw.choices(labels, k=len(gold))
    scores = score(gold, predicted)
    in_gold = sorted(set(gold))
    assert scores.accuracy == pytest.approx(accuracy_score(gold, predicted))
    for average, found in (("macro", scores.macro_f1), ("weighted", scores.weighted_f1)):
        expected = f1_score(gold, predicted, labels=in_gold, average=average, zero_division=0)
        assert found == pytest.approx(expected)
    assert scores.foreign_rate == pytest.approx(sum(label not in in_gold for label in predicted) / len(gold))


def test_every_metric_is_a_score() -> None:
    assert set(METRICS) < set(Scores.__dataclass_fields__)


def test_refuses_what_cannot_be_scored() -> None:
    with pytest.raises(ValueError, match="2 gold labels but 1 predictions"):
        score(["a", "b"], ["a"])
    with pytest.raises(ValueError, match="no examples"):
        score([], [])
