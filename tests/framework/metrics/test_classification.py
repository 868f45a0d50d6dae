"""The metrics of labels against values worked out by hand and against scikit-learn."""

import random

import pytest
from sklearn.metrics import accuracy_score, f1_score

from framework.results.metrics import metrics_of


def scores(gold: list[str], predicted: list[str], positive: str | None = None) -> dict[str, float]:
    found = metrics_of("classification", positive)
    return {name: metric.score(gold, predicted, "eng_Latn") for name, metric in found.items()}


def test_by_hand() -> None:
    #              a: 2 of 3 found, chosen 3 times; b: 1 of 2, chosen twice; c: 0 of 1, chosen once
    found = scores(["a", "a", "a", "b", "b", "c"], ["a", "a", "b", "b", "c", "a"], positive="b")
    f1 = {"a": 2 * 2 / (3 + 3), "b": 2 * 1 / (2 + 2), "c": 0.0}
    assert found == {
        "accuracy": pytest.approx(3 / 6),
        "macro_f1": pytest.approx(sum(f1.values()) / 3),
        "weighted_f1": pytest.approx((3 * f1["a"] + 2 * f1["b"]) / 6),
        "f1": pytest.approx(f1["b"]),
    }


def test_a_foreign_label_is_an_error_without_a_row_of_its_own() -> None:
    found = scores(["a", "a", "b", "b"], ["a", "foreign", "b", "strange"])
    # a and b: found once of two, chosen once. A mean over all four labels would be 1/3.
    assert found == {"accuracy": 0.5, "macro_f1": pytest.approx(2 / 3), "weighted_f1": pytest.approx(2 / 3)}


@pytest.mark.parametrize("seed", range(20))
def test_as_scikit_learn_over_the_labels_in_gold(seed: int) -> None:
    draw = random.Random(seed)
    labels = list("abcdefg")
    gold = draw.choices(labels[: draw.randint(1, 7)], k=draw.randint(1, 60))
    predicted = draw.choices(labels, k=len(gold))
    found = scores(gold, predicted, positive="b")
    assert found["accuracy"] == pytest.approx(accuracy_score(gold, predicted))
    for average in ("macro", "weighted"):
        expected = f1_score(gold, predicted, labels=sorted(set(gold)), average=average, zero_division=0)
        assert found[f"{average}_f1"] == pytest.approx(expected)
    is_b = [[label == "b" for label in labels] for labels in (gold, predicted)]
    assert found["f1"] == pytest.approx(f1_score(*is_b, zero_division=0))
