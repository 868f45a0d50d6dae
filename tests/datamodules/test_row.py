"""Rows, and the errors of rows that cannot be used."""

from __future__ import annotations

import datetime
import decimal
import pickle
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from datamodules import Example, Row, RowError
from datamodules.datasets.base import Dataset
from datamodules.sources.row import Rows, is_blank


def row(**cells: Any) -> Row:
    return Row(cells, file="a.jsonl", place="line 3")


@pytest.mark.parametrize(
    ("value", "text"), [("été ", "été "), ("été".encode(), "été"), (None, ""), ("", ""), ("a\u2028b\0", "a\u2028b\0")]
)
def test_a_text(value: object, text: str) -> None:
    assert row(text=value).text("text") == text


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (["a"], "holds a list, not a text"),
        ({"a": 1}, "holds a mapping, not a text"),
        (3, "holds a number, not a text"),
        (True, "holds a truth value, not a text"),
        (datetime.date(2020, 1, 1), "holds a value of type date, not a text"),
        (b"caf\xe9", "holds bytes that are not UTF-8"),
        (bytes(16), "holds bytes that are not a text"),
        ("half \ud83d", r"holds half of a character (a lone surrogate, U+D83D) at position 5"),
    ],
)
def test_what_is_no_text(value: object, reason: str) -> None:
    with pytest.raises(RowError) as raised:
        row(text=value).text("text")
    error = raised.value
    assert (error.file, error.row, error.column, error.reason) == ("a.jsonl", "line 3", "text", reason)
    assert str(error) == f"a.jsonl, line 3: the column 'text' {reason}"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (" yes ", "yes"),
        (3, "3"),
        (0.5, "0.5"),
        (True, "true"),
        (datetime.date(2020, 1, 31), "2020-01-31"),
        (decimal.Decimal("1.50"), "1.50"),
        (uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
    ],
)
def test_a_name(value: object, name: str) -> None:
    assert row(label=value).name("label") == name


NO_NAMES = [None, "", " ", "\u200b \u200e", float("nan"), float("inf"), ["sports"], {"a": 1}, "\ud83d", b"\xff"]


@pytest.mark.parametrize("value", NO_NAMES)
def test_what_is_no_name(value: object) -> None:
    with pytest.raises(RowError, match="^a.jsonl, line 3: the column 'label' (is empty|holds .*)$"):
        row(label=value).name("label")


@pytest.mark.parametrize("text", ["", " \t\n\u3000", "\u200b\u200e", "\ufeff \0", "\xad\u200d"])
def test_a_text_with_nothing_to_read_is_blank(text: str) -> None:
    assert is_blank(text)
    assert not is_blank(f"{text}.{text}")
    assert not is_blank(f"\u0301{text}")


class Made(Dataset):
    """Rows that the test names; some of them are errors."""

    name = "made"
    made: list[Row | RowError]

    def rows(self, language: str, split: str) -> Rows:
        return iter(self.made)

    def to_example(self, row: Row, row_id: str, language: str) -> Example:
        return Example(row_id, row.text("text"), language)


def test_reading_goes_on_behind_an_unusable_row() -> None:
    dataset = Made.__new__(Made)
    dataset.made = [row(text="a"), row(text=7), row().error("is half a row"), row(text="b")]
    found: Iterator[Example | RowError] = dataset.read("swh_Latn", "test")
    assert [str(one) if isinstance(one, RowError) else (one.id, one.text) for one in found] == [
        ("test-00000", "a"),
        "a.jsonl, line 3: the column 'text' holds a number, not a text",
        "a.jsonl, line 3: is half a row",
        ("test-00003", "b"),
    ]
    with pytest.raises(RowError, match="holds a number"):
        list(dataset.examples("swh_Latn", "test"))
