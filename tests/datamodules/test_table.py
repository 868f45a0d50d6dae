"""A user's own files: the same examples from every kind of file, and what is said of each mistake."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from datamodules import ClassificationDataset, DataError, Example, dataset, labelled_dataset
from datamodules.table import TableConfig
from tests.datamodules.conftest import Write

ROWS = [
    {"claim": "w1, w2", "other": 'say "w3"', "verdict": "yes", "key": "a", "lang": "sk"},
    {"claim": "w4", "other": "w5\nw6", "verdict": "no", "key": "b", "lang": "eng_Latn"},
    {"claim": "w7", "other": "w8", "verdict": "no", "key": "c", "lang": "slk"},
]
COLUMNS = {"text": "claim", "second_text": "other", "label": "verdict", "id": "key", "language": "lang"}


def table(folder: Path, **settings: Any) -> ClassificationDataset:
    settings = {"name": "table", "path": str(folder), "columns": {"text": "claim", "label": "verdict"}} | settings
    return labelled_dataset(TypeAdapter(TableConfig).validate_json(json.dumps(settings), strict=True))


def delimited(rows: list[dict[str, Any]], delimiter: str) -> str:
    def cell(text: str) -> str:
        return '"' + text.replace('"', '""') + '"'

    lines = [list(rows[0]), *(map(str, row.values()) for row in rows)]
    return "".join(delimiter.join(map(cell, line)) + "\r\n" for line in lines)


WRITERS: dict[str, Callable[[Path], object]] = {
    "csv": lambda file: file.write_text(delimited(ROWS, ","), "utf-8-sig", newline=""),
    "tsv": lambda file: file.write_text(delimited(ROWS, "\t"), "utf-8", newline=""),
    "jsonl": lambda file: file.write_text("\n\n".join(json.dumps(row) for row in ROWS)),
}


@pytest.mark.parametrize("kind", [*WRITERS, "parquet"])
def test_every_kind_of_file_gives_the_same_examples(kind: str, tmp_path: Path, write: Write) -> None:
    write("test", ROWS)
    if kind in WRITERS:
        WRITERS[kind](tmp_path / f"test.{kind}")
    found = table(tmp_path, files={"test": f"test.{kind}"}, columns=COLUMNS, labels=["no", "yes"])
    assert found.pairs
    assert set(found.languages) == {"eng_Latn", "slk_Latn"}
    assert list(found.examples("slk_Latn", "test")) == [
        Example("a", "w1, w2", "slk_Latn", 1, second_text='say "w3"'),
        Example("c", "w7", "slk_Latn", 0, second_text="w8"),
    ]
    assert [example.second_text for example in found.examples("eng_Latn", "test")] == ["w5\nw6"]


def test_identity_is_that_of_the_content(tmp_path: Path) -> None:
    for kind, write_file in WRITERS.items():
        write_file(tmp_path / f"test.{kind}")
    rows = [dict(zip("vwxyz", row.values(), strict=True)) for row in ROWS]
    (tmp_path / "renamed.csv").write_text(delimited(rows, ","))
    renamed = dict(zip(("text", "second_text", "label", "id", "language"), "vwxyz", strict=True))

    def fingerprint(file: str, language: str = "slk_Latn", columns: Any = COLUMNS, **settings: Any) -> str:
        settings = {"labels": ["no", "yes"]} | settings
        return table(tmp_path, files={"test": file}, columns=columns, **settings).fingerprint(language, "test")

    first = fingerprint("test.csv")
    assert {fingerprint("test.tsv"), fingerprint("test.jsonl"), fingerprint("renamed.csv", columns=renamed)} == {first}
    others = {
        fingerprint("test.csv", labels=["yes", "no"]),
        fingerprint("test.csv", labels=["maybe", "no", "yes"]),
        fingerprint("test.csv", "eng_Latn"),
        fingerprint("test.csv", columns=COLUMNS | {"id": None}),
        fingerprint("test.csv", columns=COLUMNS | {"second_text": None}),
    }
    assert len(others | {first}) == 6
    (tmp_path / "test.csv").write_text(delimited([*ROWS[:2], ROWS[2] | {"verdict": "yes"}], ","))
    assert fingerprint("test.csv") != first
    assert fingerprint("test.csv", "eng_Latn") in others  # the other languages of a file are what they were


def test_the_positive_label_is_one_of_the_labels(tmp_path: Path) -> None:
    (tmp_path / "eng_Latn.csv").write_text("claim,verdict\nw1,yes\nw2,no\n")
    settings: dict[str, Any] = {"files": {"test": "{language}.csv"}, "labels": ["no", "yes"]}
    assert table(tmp_path, **settings).positive is None
    found = table(tmp_path, **settings, positive="yes")
    found.verify()
    assert found.positive == "yes"
    with pytest.raises(DataError, match=r"positive: no label of the table is called 'yess'; did you mean 'yes'\?"):
        table(tmp_path, **settings, positive="yess").verify()


def test_labels_are_those_of_what_is_trained_on(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text("".join(f'{{"claim": "w{n}", "verdict": {n % 3}}}\n' for n in range(9)))
    (tmp_path / "test.jsonl").write_text('{"claim": "w1", "verdict": "2"}\n{"claim": "w2", "verdict": 7}\n')
    files = {"train": {"eng_Latn": "train.jsonl"}, "test": {"slk_Latn": "test.jsonl"}}
    found = table(tmp_path, files=files)
    assert found.labels == ("0", "1", "2")
    assert [example.label for example in found.examples("eng_Latn", "train")] == [0, 1, 2] * 3
    with pytest.raises(DataError, match=r"test\.jsonl, line 2: .* the unknown label '7'; known: 0, 1, 2$"):
        found.verify()
    assert table(tmp_path, files=files, labels=["0", "1", "2", "7"]).labels[-1] == "7"


@pytest.mark.parametrize("code", ["swh_Latn", "swh", "swa", "sw"])
def test_one_file_per_language_may_have_any_code(code: str, tmp_path: Path) -> None:
    for name in (code, "hau_Latn"):
        (tmp_path / f"{name}-test.csv").write_text(f"claim,verdict\nof {name},no\n")
    found = table(tmp_path, files={"test": "{language}-test.csv"}, labels=["no", "yes"])
    assert set(found.languages) == {"swh_Latn", "hau_Latn"}
    assert list(found.examples("swh_Latn", "test")) == [Example("test-00000", f"of {code}", "swh_Latn", 0)]


def test_an_ambiguous_code_names_no_file(tmp_path: Path) -> None:
    (tmp_path / "ace.csv").write_text("claim,verdict\nw1,no\n")  # Acehnese, in Arabic or in Latin script
    assert table(tmp_path, files={"test": "{language}.csv"}).languages == ()


GOOD = "claim,verdict\nw1,yes\nw2,no\n"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("test.csv", "clam,verdict\nw1,yes\n", r"no column 'claim'; did you mean 'clam'\?; found: clam, verdict"),
        ("test.csv", "", r"test\.csv: there is no column 'claim'; found: none"),
        ("test.csv", GOOD + "w3\n", r"test\.csv, line 4: 1 cells, but 2 columns"),
        ("test.csv", GOOD + '"w3" w4,no\n', r"test\.csv, line 4: ',' expected after '\"'; a cell that contains quotes"),
        ("test.csv", GOOD + '\n"w3,no\n', r"test\.csv, line 5: unexpected end of data"),
        ("test.csv", GOOD.encode() + b"caf\xe9,no\n", r"test\.csv, line 4: this is not UTF-8"),
        ("test.csv", GOOD + " ,no\n", r"test\.csv, line 4: the column 'claim' is empty"),
        ("test.csv", GOOD + "w3,\n", r"test\.csv, line 4: the column 'verdict' is empty"),
        ("test.csv", GOOD + "w3,ye\n", r"line 4: .* the unknown label 'ye'; did you mean 'yes'\?; known: no, yes"),
        ("test.jsonl", '{"claim": "w1", "verdict": "no"}\n{"claim": \n', r"line 2: this is not JSON: Expecting value"),
        ("test.jsonl", "[1]\n", r"test\.jsonl, line 1: this is not a JSON object such as \{\"claim\": …\}"),
        ("test.jsonl", '{"claim": "w1"}\n', r"test\.jsonl, line 1: there is no column 'verdict'; found: claim"),
        ("test.jsonl", '{"claim": null, "verdict": "no"}\n', r"test\.jsonl, line 1: the column 'claim' is empty"),
        ("test.parquet", "no", r"test\.parquet cannot be read as parquet"),
        ("test.xlsx", "no", r"test\.xlsx cannot be read: the name must end with \.csv, \.tsv, \.jsonl, \.parquet"),
        ("tset.csv", GOOD, r"there is no file .*test\.csv; did you mean 'tset\.csv'\?"),
    ],
)
def test_mistakes_in_a_file(name: str, content: str | bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    named = name if name.startswith("test") else "test.csv"
    with pytest.raises(DataError, match=message):
        table(tmp_path, files={"test": {"eng_Latn": named}}, labels=["no", "yes"]).verify()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["w1,yes,a,en", "w2,no,a,en"], r"test\.csv, line 3: .* holds 'a', which is the id of line 2 too"),
        (["w1,yes,a,enn"], r"test\.csv, line 2: unknown language 'enn'; nearest: eng_Latn"),
        (["w1,yes,a,ace"], r"test\.csv, line 2: the language 'ace' may be ace_Arab or ace_Latn; write one of these"),
    ],
)
def test_mistakes_in_ids_and_languages(rows: list[str], message: str, tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text("\n".join(["claim,verdict,key,lang", *rows]))
    columns = {name: COLUMNS[name] for name in ("text", "label", "id", "language")}
    with pytest.raises(DataError, match=message):
        table(tmp_path, files={"test": "test.csv"}, columns=columns, labels=["no", "yes"]).verify()


def test_an_id_may_stand_in_two_languages(tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text("claim,verdict,key,lang\nw1,yes,a,en\nw2,no,a,sk\n")
    columns = {name: COLUMNS[name] for name in ("text", "label", "id", "language")}
    table(tmp_path, files={"test": "test.csv"}, columns=columns, labels=["no", "yes"]).verify()


def test_missing_splits_and_languages(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(GOOD)
    found = table(tmp_path, files={"train": {"eng_Latn": "train.csv"}, "test": {"slk_Latn": "train.csv"}})
    with pytest.raises(DataError, match=r"the table has no text in 'ces_Latn'.*; it has eng_Latn, slk_Latn$"):
        found.check("ces_Latn", "test")
    with pytest.raises(DataError, match=r"no validation split: data\.files names only train and test$"):
        found.check("eng_Latn", "validation")
    with pytest.raises(DataError, match=r"the table's test split has no text in eng_Latn, only in slk_Latn$"):
        found.check("eng_Latn", "test")
    (tmp_path / "train.csv").write_text("claim,verdict\nw1,yes\n")
    with pytest.raises(DataError, match=r"needs two labels; the train split of the table holds only 'yes'"):
        found.verify()
    with pytest.raises(DataError, match=r"no language has texts for the test split: .*nowhere-\{language\}\.csv"):
        table(tmp_path, files={"test": "nowhere-{language}.csv"}).verify()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"files": {"train": "{language}.csv"}}, "files name no test split"),
        ({"files": {"test": "test.csv"}}, r"files say nothing of the language of test\.csv: write test: \{eng_Latn: "),
        ({"files": {"test": {"slo_Latn": "a.csv"}}}, r"files of test name the unknown language 'slo_Latn'; nearest: "),
        ({"files": {"test": "{language}.csv"}, "labels": ["yes"]}, "labels must be two or more different names"),
        ({"files": {"test": "{language}.csv"}, "labels": ["a", "b", "a"]}, "labels must be two or more different"),
        ({"files": {"test": "{language}.csv"}, "revision": "main"}, "revision is one of the hub's"),
    ],
)
def test_mistakes_in_the_settings(settings: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=message):
        table(tmp_path, **settings)


def test_it_is_no_dataset_without_settings() -> None:
    with pytest.raises(DataError, match="dataset 'table' must be told its files and columns"):
        dataset("table")
