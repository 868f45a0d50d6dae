"""Rows of labelled data that cannot be used: `plan --data` lists them, whatever stands in place of a text or a label.

Every break is tried on a split that trains and on one that tests. Parquet gives a column one type, so a break of a type
is in all rows, and one of a value (a null, a blank) in one row among good ones.
"""

from __future__ import annotations

import datetime
import decimal
import shutil
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.framework import tiny
from tests.hostile.case import DONE, REFUSED, Case
from tests.hostile.world import World

Rows = list[dict[str, Any]]
Value = Callable[[Any], Any]
"""Makes the broken value of a good one."""


class Kind(NamedTuple):
    """A dataset, and what good rows of it look like."""

    data: Mapping[str, Any]
    """The section of the experiment."""
    source: str
    target: str
    files: Mapping[str, str]
    """By split of the plan, the file that it is read from."""
    row: Callable[[str, int], dict[str, Any]]
    """Makes a good row of a split."""
    breaks: Mapping[str, tuple[str, ...]]
    """By column the names of `BREAKS` that make it unusable."""
    harmless: Mapping[str, tuple[str, ...]] = {}
    """By column those that leave it usable."""


def cases(world: World) -> Iterator[Case]:
    """Yields the cases of the family."""
    for name, kind in KINDS.items():
        text = _experiment(world, kind)
        make = partial(_write, world=world, kind=kind)
        yield Case(f"{name}: good rows", ["plan", "e.yaml", "--data"], {"e.yaml": text}, make, codes=DONE)
        for split in ("train", "test"):
            file = Path(kind.files[split]).name
            for codes, says, columns in ((REFUSED, (file,), kind.breaks), (DONE, (), kind.harmless)):
                for column, broken in ((column, one) for column, breaks in columns.items() for one in breaks):
                    setup = partial(make, split=split, column=column, broken=broken)
                    title = f"{name} {split}: {column}: {broken}"
                    yield Case(title, ["plan", "e.yaml", "--data"], {"e.yaml": text}, setup, codes=codes, says=says)
    for broken in ("blank in one row", "null in one row", "numbers"):
        setup = partial(_write, world=world, kind=KINDS["topics"], split="test", column="text", broken=broken)
        text = _experiment(world, KINDS["topics"])
        yield Case(f"run: {broken}", ["run", "e.yaml"], {"e.yaml": text}, setup, says=("test.parquet",))


def _experiment(world: World, kind: Kind) -> str:
    settings = world.settings()
    settings["backbone"]["name"] = "./encoder"
    settings["combination"]["language"] = {}
    settings["stages"] = {"task": {"training": settings["stages"]["task"]["training"], "batch_size": 4}}
    settings["data"] = {"path": "./data", "max_length": 24, **kind.data}
    settings["languages"] = {"source": [kind.source], "targets": [kind.target]}
    return yaml.safe_dump(settings, sort_keys=False)


def _write(folder: Path, *, world: World, kind: Kind, split: str = "", column: str = "", broken: str = "") -> None:
    """Writes the data, one column of one split broken, and an encoder whose tokenizer joins pairs."""
    tiny.join_pairs(Path(shutil.copytree(world.encoder, folder / "encoder")))
    for name, file in kind.files.items():
        rows = [kind.row(name, number) for number in range(6)]
        if name == split:
            change, everywhere = BREAKS[broken]
            for number, row in enumerate(rows):
                if everywhere or number == 3:
                    row[column] = change(row[column])
            if broken == "missing column":
                rows = [{key: value for key, value in row.items() if key != column} for row in rows]
        tiny.write_rows(folder / "data" / file, rows)


BREAKS: dict[str, tuple[Value, bool]] = {
    "null in one row": (lambda value: None, False),
    "null in all rows": (lambda value: None, True),
    "blank in one row": (lambda value: " \n\t", False),
    "empty in one row": (lambda value: type(value)(), False),
    "unknown in one row": (lambda value: "what is this?", False),
    "a dash in one row": (lambda value: "-", False),
    "in capitals in one row": (lambda value: value.upper(), False),
    "hidden in one row": (lambda value: -1, False),
    "numbers": (lambda value: 7, True),
    "fractions": (lambda value: 0.5, True),
    "NaN": (lambda value: float("nan"), True),
    "truth values": (lambda value: True, True),
    "dates": (lambda value: datetime.date(2024, 2, 29), True),
    "decimals": (lambda value: decimal.Decimal("1.50"), True),
    "bytes": (lambda value: str(value).encode(), True),
    "bytes in no UTF-8": (lambda value: b"\xff\xfe\x00", True),
    "lists": (lambda value: [value], True),
    "lists of lists": (lambda value: [[value]], True),
    "mappings": (lambda value: {"text": value}, True),
    "texts": (str, True),
    "missing column": (lambda value: value, True),
    "numbers in the list": (lambda value: [7 for _ in value], True),
    "fractions in the list": (lambda value: [1.0 for _ in value], True),
    "bytes in the list": (lambda value: [str(entry).encode() for entry in value], True),
    "lists in the list": (lambda value: [[entry] for entry in value], True),
    "mappings in the list": (lambda value: [{"a": entry} for entry in value], True),
    "a null in the list": (lambda value: [None, *value[1:]], False),
    "a blank in the list": (lambda value: [" ", *value[1:]], False),
    "an unknown one in the list": (lambda value: [*value[:-1], "B-NOTHING"], False),
    "one more in the list": (lambda value: [*value, value[-1]], False),
    "one less in the list": (lambda value: value[:-1], False),
    "answers as in SQuAD's JSON": (lambda value: [{"text": "w1", "answer_start": 0}], True),
    "answers without offsets": (lambda value: {"text": value["text"]}, True),
    "answers of null": (lambda value: {"text": [None], "answer_start": [0]}, False),
    "answers that are numbers": (lambda value: {"text": [7], "answer_start": [0]}, True),
    "answers of another number": (lambda value: {"text": ["w1", "w2"], "answer_start": [0]}, False),
    "no answer": (lambda value: {"text": [], "answer_start": []}, False),
    "a blank answer": (lambda value: {"text": [" "], "answer_start": [0]}, False),
    "offsets of null": (lambda value: {"text": ["w1"], "answer_start": [None]}, False),
    "offsets that are texts": (lambda value: {"text": ["w1"], "answer_start": ["0"]}, True),
    "a negative offset": (lambda value: {"text": ["w1"], "answer_start": [-1]}, False),
    "an offset behind the end": (lambda value: {"text": ["w1"], "answer_start": [10**6]}, False),
}
"""What a broken value is, and whether all rows have it."""

NO_TEXT = ("numbers", "fractions", "truth values", "dates", "bytes in no UTF-8", "lists", "mappings", "missing column")
NO_LABEL = ("numbers", "fractions", "NaN", "truth values", "dates", "decimals", "lists", "lists of lists", "mappings")
BLANK = ("null in one row", "null in all rows", "blank in one row", "empty in one row")
WRONG = ("unknown in one row", "a dash in one row", "in capitals in one row")
NO_ANSWERS = (
    *("numbers", "texts", "lists", "null in one row", "null in all rows", "missing column", "answers without offsets"),
    *("answers of null", "answers that are numbers", "answers of another number", "no answer", "a blank answer"),
    *("offsets of null", "offsets that are texts"),
)


def _words(split: str, number: int) -> str:
    """A text of the tiny encoder's words, another one in each split and row."""
    return f"w{number} w{number + 7} {split}"


KINDS = {
    "topics": Kind(
        {"name": "sib200"},
        "eng_Latn",
        "swh_Latn",
        {
            "train": "eng_Latn/train.parquet",
            "validation": "eng_Latn/validation.parquet",
            "test": "swh_Latn/test.parquet",
        },
        lambda split, number: {
            "index_id": number,
            "category": ("sports", "health")[number % 2],
            "text": _words(split, number),
        },
        {"text": (*NO_TEXT, *BLANK), "category": (*NO_LABEL, *BLANK, *WRONG, "missing column")},
        {"text": ("bytes",), "index_id": ("texts",)},
    ),
    "pairs": Kind(
        {"name": "xnli"},
        "eng_Latn",
        "swh_Latn",
        {"train": "en/train.parquet", "validation": "en/validation.parquet", "test": "sw/test.parquet"},
        lambda split, number: {"premise": _words(split, number), "hypothesis": f"w{number}", "label": number % 3},
        {
            "premise": ("numbers", "mappings", *BLANK),
            "hypothesis": ("lists", "bytes in no UTF-8", *BLANK),
            "label": ("hidden in one row", "fractions", "truth values", "lists", "null in one row", "bytes"),
        },
    ),
    "tags": Kind(
        {"name": "wikiann"},
        "eng_Latn",
        "swh_Latn",
        {"train": "en/train.parquet", "validation": "en/validation.parquet", "test": "sw/test.parquet"},
        lambda split, number: {"tokens": _words(split, number).split(), "ner_tags": [1, 2, 0]},
        {
            "tokens": (
                *("numbers", "texts", "null in one row", "null in all rows", "empty in one row", "numbers in the list"),
                *("bytes in the list", "lists in the list", "mappings in the list", "a null in the list"),
                *("one more in the list", "one less in the list", "missing column"),
            ),
            "ner_tags": (
                *("numbers", "texts", "null in one row", "empty in one row", "numbers in the list"),
                *("fractions in the list", "bytes in the list", "lists in the list", "a null in the list"),
                *("one more in the list", "one less in the list", "missing column"),
            ),
        },
        {"tokens": ("a blank in the list",)},
    ),
    "answers": Kind(
        {"name": "squad", "held_out": 0.4, "max_length": 32, "stride": 4},
        "eng_Latn",
        "eng_Latn",
        {"train": "plain_text/train.parquet", "test": "plain_text/validation.parquet"},
        lambda split, number: {
            "id": f"{split} {number}",
            "context": f"w1 w2 {_words(split, number)}",
            "question": f"w{number}",
            "answers": {"text": ["w1"], "answer_start": [0]},
        },
        {
            "context": ("numbers", "lists", *BLANK),
            "question": ("truth values", "mappings", *BLANK),
            "answers": NO_ANSWERS,
        },
        {"answers": ("answers as in SQuAD's JSON", "a negative offset", "an offset behind the end")},
    ),
}
