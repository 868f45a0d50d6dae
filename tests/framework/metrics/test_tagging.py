"""The metrics of spans against values worked out by hand and against seqeval."""

import random

import pytest
from seqeval.metrics import f1_score, precision_score, recall_score

from framework.results.metrics import metrics_of

TAGS = ["O", "O", "O", "B-PER", "I-PER", "B-LOC", "I-LOC"]


def scores(gold: list[str], predicted: list[str]) -> dict[str, float]:
    found = metrics_of("tagging").items()
    return {name: metric.score(gold, predicted, "swh_Latn") for name, metric in found}


def test_by_hand() -> None:
    gold = ["B-PER I-PER O B-LOC", "O O", "B-PER B-PER"]
    #             type and ends right; then an end wrong; then one too many; then one of two
    predicted = ["B-PER I-PER O B-PER", "O B-LOC", "B-PER O"]
    assert scores(gold, predicted) == {
        "span_f1": pytest.approx(2 * 2 / (4 + 4)),
        "span_precision": pytest.approx(2 / 4),
        "span_recall": pytest.approx(2 / 4),
    }
    assert list(scores(gold, predicted))[0] == "span_f1"


def test_half_a_span_is_none() -> None:
    assert scores(["B-PER I-PER I-PER"], ["B-PER I-PER O"])["span_f1"] == 0


def test_tags_that_are_missing_at_the_end_do_not_shorten_gold() -> None:
    """A model that reads the beginning of a sentence alone does not find what stands behind it."""
    assert scores(["B-PER O O B-LOC"], ["B-PER O"]) == {
        "span_f1": pytest.approx(2 / 3),
        "span_precision": 1,
        "span_recall": 0.5,
    }


def test_nothing_to_find_and_nothing_found() -> None:
    assert set(scores(["O O"], ["O O"]).values()) == {0}


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.filterwarnings("ignore:.*ill-defined")
def test_as_seqeval(seed: int) -> None:
    draw = random.Random(seed)
    gold = [draw.choices(TAGS, k=draw.randint(1, 9)) for _ in range(draw.randint(1, 30))]
    # Near to gold, or hardly a span would be right by chance.
    predicted = [[tag if draw.random() < 0.7 else draw.choice(TAGS) for tag in tags] for tags in gold]
    found = scores([" ".join(tags) for tags in gold], [" ".join(tags) for tags in predicted])
    assert found["span_f1"] == pytest.approx(f1_score(gold, predicted))
    assert found["span_precision"] == pytest.approx(precision_score(gold, predicted))
    assert found["span_recall"] == pytest.approx(recall_score(gold, predicted))
