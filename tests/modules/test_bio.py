"""Spans of BIO tags, beside those of seqeval."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow.parquet
import pytest
from seqeval.metrics import f1_score
from seqeval.metrics.sequence_labeling import get_entities

from modules.training.bio import spans

TAGS = ["O", *(f"{kind}-{type_}" for type_ in ("PER", "ORG", "LOC") for kind in "BI")]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("", set()),
        ("O O", set()),
        ("B-PER I-PER O", {("PER", 0, 2)}),
        ("O B-PER", {("PER", 1, 2)}),
        ("B-PER B-PER", {("PER", 0, 1), ("PER", 1, 2)}),
        ("B-PER I-PER B-PER I-PER", {("PER", 0, 2), ("PER", 2, 4)}),
        ("O I-PER I-PER", {("PER", 1, 3)}),
        ("B-PER I-LOC I-LOC", {("PER", 0, 1), ("LOC", 1, 3)}),
        ("I-PER O I-PER", {("PER", 0, 1), ("PER", 2, 3)}),
    ],
)
def test_spans(tags: str, expected: set[tuple[str, int, int]]) -> None:
    assert spans(tags.split()) == expected


def by_seqeval(tags: list[str]) -> set[tuple[str, int, int]]:
    return {(type_, first, last + 1) for type_, first, last in get_entities(tags)}


def test_spans_are_those_of_seqeval() -> None:
    draw = random.Random(0)
    for _ in range(5000):
        tags = draw.choices(TAGS, k=draw.randint(1, 12))
        assert spans(tags) == by_seqeval(tags), tags


def test_spans_of_published_gold_are_those_of_seqeval(real_data: Path) -> None:
    for code in ("bbj", "swa", "wol"):
        rows = pyarrow.parquet.read_table(real_data / "masakhaner2" / code / "test.parquet")["ner_tags"].to_pylist()
        names = ["O", *(f"{kind}-{type_}" for type_ in ("PER", "ORG", "LOC", "DATE") for kind in "BI")]
        gold = [[names[number] for number in row] for row in rows]
        assert sum(len(spans(tags)) for tags in gold) > 500
        for tags in gold:
            assert spans(tags) == by_seqeval(tags)


def test_micro_f1_over_spans_is_that_of_seqeval() -> None:
    draw = random.Random(1)
    gold = [draw.choices(TAGS, k=20) for _ in range(50)]
    predicted = [[tag if draw.random() < 0.8 else draw.choice(TAGS) for tag in row] for row in gold]
    pairs = [(spans(right), spans(answer)) for right, answer in zip(gold, predicted, strict=True)]
    hits = sum(len(right & answer) for right, answer in pairs)
    f1 = 2 * hits / sum(len(right) + len(answer) for right, answer in pairs)
    assert f1 == pytest.approx(f1_score(gold, predicted), abs=1e-12)
