"""A user's own files: the same examples from every kind of file, and what is said of each mistake."""

from __future__ import annotations

import codecs
import gzip
import json
import uuid
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from pydantic import TypeAdapter, ValidationError

from datamodules import ClassificationDataset, DataError, Example, RowError, dataset, labelled_dataset
from datamodules.datasets.table import TableConfig
from datamodules.errors import RowErrors
from datamodules.sources.table_files import table_rows
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
    "json": lambda file: file.write_text(json.dumps(ROWS, indent=2)),
    "lines.json": lambda file: file.write_text("".join(json.dumps(row) + "\n" for row in ROWS)),
    "dense.json": lambda file: file.write_text("\ufeff" + json.dumps(ROWS, separators=(",", ":")), "utf-8"),
    "csv.gz": lambda file: file.write_bytes(gzip.compress(delimited(ROWS, ",").encode())),
    "tsv.gz": lambda file: file.write_bytes(gzip.compress(delimited(ROWS, "\t").encode())),
    "json.gz": lambda file: file.write_bytes(gzip.compress(json.dumps(ROWS).encode())),
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
    found = table(tmp_path, **settings, positive_class="yes")
    found.verify()
    assert found.positive == "yes"
    with pytest.raises(DataError, match=r"positive_class: no label .* is called 'yess'; did you mean 'yes'\?"):
        table(tmp_path, **settings, positive_class="yess").verify()


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
        ("test.csv", GOOD + "\u200b\u200e,no\n", r"test\.csv, line 4: the column 'claim' is empty"),
        ("test.csv", GOOD + "w3,\n", r"test\.csv, line 4: the column 'verdict' is empty"),
        ("test.csv", GOOD + "w3,ye\n", r"line 4: .* the unknown label 'ye'; did you mean 'yes'\?; known: no, yes"),
        ("test.jsonl", '{"claim": "w1", "verdict": "no"}\n{"claim": \n', r"line 2: this is not JSON: Expecting value"),
        ("test.jsonl", "[1]\n", r"test\.jsonl, line 1: this is not a JSON object such as \{\"claim\": …\}"),
        ("test.jsonl", '{"claim": "w1"}\n', r"test\.jsonl, line 1: there is no column 'verdict'; found: claim"),
        ("test.jsonl", '{"claim": null, "verdict": "no"}\n', r"test\.jsonl, line 1: the column 'claim' is empty"),
        ("test.parquet", "no", r"test\.parquet cannot be read as parquet"),
        ("test.xlsx", "no", r"test\.xlsx cannot be read: the name must end with \.csv, \.tsv, \.jsonl, \.json, "),
        ("test.parquet.gz", "no", r"test\.parquet\.gz cannot be read: .*, \.parquet; all but parquet may also be "),
        ("tset.csv", GOOD, r"there is no file .*test\.csv; did you mean 'tset\.csv'\?"),
    ],
)
def test_mistakes_in_a_file(name: str, content: str | bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    named = name if name.startswith("test") else "test.csv"
    with pytest.raises(DataError, match=message):
        table(tmp_path, files={"test": {"eng_Latn": named}}, labels=["no", "yes"]).verify()


ROW = '{"claim": "w1", "verdict": "no"}'
PACKED = gzip.compress(GOOD.encode(), mtime=0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1]", ', row 1: this is not a JSON object such as {"claim": …}'),
        (f'[{ROW}, {{"claim": "w1"}}]', ", row 2: there is no column 'verdict'; found: claim"),
        (f"[{ROW},\n".encode() + b'{"claim": "\xe9", "verdict": "no"}]', ", row 2: this is not UTF-8; save the "),
        ('[{"claim": "w1",\n "verdict": no}]', ", row 1: this is not JSON: Expecting value (line 2, character 13)"),
        (f"[{ROW} {ROW}]", ", row 2: this is not JSON: Expecting ',' delimiter (line 1, character 35)"),
        (f"[{ROW}", ", row 2: this is not JSON: Expecting ',' delimiter (line 1, character 34)"),
        (f"[{ROW}]\n[]", ", row 2: this is not JSON: Extra data (line 2, character 1)"),
        ('[{"claim": "w1", "claim": "w2"}]', ", row 1: the key 'claim' is there more than once"),
        ("[" * 100_000, ", row 1: this is nested too deeply"),
        ("", ": {}; line 1: this is not JSON: Expecting value (character 1)"),
        ('{\n"claim": "w1"}', ": {}; line 1: this is not JSON: Expecting property name enclosed in double "),
        ('{"version": 1, "data": [{}]}', ": {}, but one object with version, data; save the list alone"),
        (f'{ROW}\n{{"claim": "w1"}}', ", line 2: there is no column 'verdict'; found: claim"),
    ],
)
def test_mistakes_in_a_json_file(content: str | bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError) as error:
        table(tmp_path, files={"test": {"eng_Latn": "a.json"}}, labels=["no", "yes"]).verify()
    words = message.replace("{}", "this is neither a list of objects nor an object in each line")
    assert str(error.value).startswith(f"{tmp_path}/a.json{words}")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (GOOD.encode(), "Not a gzipped file"),
        (PACKED[:-9], "Compressed file ended before the end-of-stream marker was reached"),
        (PACKED[:10] + b"\xff" * 9, "Error -3 while decompressing data"),
        (PACKED[:-8] + bytes(8), "CRC check failed"),
    ],
    ids=["not compressed", "cut", "damaged", "another sum"],
)
def test_damaged_compressed_files(content: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(content)
    with pytest.raises(DataError, match=rf"/a\.csv\.gz cannot be read as gzip: {reason}"):
        table(tmp_path, files={"test": {"eng_Latn": "a.csv.gz"}}, labels=["no", "yes"]).verify()


def test_a_file_that_is_compressed_twice(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(PACKED))
    with pytest.raises(DataError, match=r"/a\.csv\.gz is compressed twice with gzip; unpack it once$"):
        table(tmp_path, files={"test": {"eng_Latn": "a.csv.gz"}}, labels=["no", "yes"]).verify()


@pytest.mark.parametrize(
    ("name", "content", "cause"),
    [
        ("a.csv", GOOD.replace(",", ";"), "the columns are separated by ';'; save the file with ','"),
        ("a.csv", GOOD.replace(",", "\t"), "the columns are separated by '\\t'; save the file with ','"),
        ("a.tsv", GOOD, "the columns are separated by ','; save the file with '\\t'"),
        ("a.csv", GOOD.encode("utf-16-le"), "this looks like UTF-16; save the file as UTF-8"),
        ("a.csv", GOOD.encode("utf-16-be"), "this looks like UTF-16; save the file as UTF-8"),
        ("a.tsv", GOOD.replace(",", "\t").encode("utf-16-le"), "this looks like UTF-16; save the file as UTF-8"),
        ("a.csv", GOOD.replace("\n", "\r"), "the lines end with \\r, as on very old Macs; save the file with the line"),
        ("a.tsv", GOOD.replace("\n", "\r").replace(",", "\t"), "the lines end with \\r, as on very old Macs; save the"),
        ("a.csv", GOOD.encode("utf-16"), "this is UTF-16; save the file as UTF-8"),
        ("a.tsv", codecs.BOM_UTF16_BE + GOOD.encode("utf-16-be"), "this is UTF-16; save the file as UTF-8"),
        ("a.csv", "\n\n" + GOOD, "this line is blank; the first line must hold the names of the columns"),
        ("a.tsv", " \r\n" + GOOD, "this line is blank; the first line must hold the names of the columns"),
        ("a.csv", "claim;verdict,more\n", ""),
        ("a.csv", "", ""),
    ],
)
def test_the_likely_cause_is_named_where_the_header_is_none(
    name: str, content: str | bytes, cause: str, tmp_path: Path
) -> None:
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    for quotes in (True, False):
        with pytest.raises(DataError) as error:
            list(table_rows(file, ("claim", "verdict"), quotes=quotes))
        assert str(error.value).startswith(f"{file}, line 1: {cause}" if cause else f"{file}: there is no column")


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
        (
            {"files": {"test": "{language}.csv"}, "columns": {"text": "a", "label": "a"}},
            r"columns\n.* text and label are the same column, 'a'",
        ),
        (
            {"files": {"test": "{language}.csv"}, "columns": {"text": "a", "second_text": "a", "label": "b"}},
            r"columns\n.* text and second_text are the same column, 'a'",
        ),
        (
            {"files": {"test": "{language}.csv"}, "translated": {"claim": "verdict"}},
            "translated: in the test split text and label are the same column, 'verdict'",
        ),
        ({"files": {"test": "{language}.csv"}, "revision": "main"}, "revision is one of the hub's"),
    ],
)
def test_mistakes_in_the_settings(settings: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=message):
        table(tmp_path, **settings)


def test_it_is_no_dataset_without_settings() -> None:
    with pytest.raises(DataError, match="dataset 'table' must be told its files and columns"):
        dataset("table")


def read(folder: Path, name: str, content: str | bytes, **settings: Any) -> list[str]:
    """The texts of a file's rows, and the messages of its unusable ones without the folder."""
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    settings = {"files": {"test": {"eng_Latn": name}}, "labels": ["no", "yes"]} | settings
    found = table(folder, **settings).read("eng_Latn", "test")
    return [str(one).removeprefix(f"{folder}/") if isinstance(one, RowError) else one.text for one in found]


QUOTING = "; a cell that contains quotes must itself be quoted, and its quotes doubled"
LINE_BREAKS = "; if this cell really has line breaks, save the table as JSONL or parquet"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("delimiter", [",", "\t"])
class TestStrayQuotes:
    """A quote at the beginning of a cell takes in all lines up to the next quote."""

    def rows(self, lines: list[tuple[str, str]], delimiter: str, end: str) -> str:
        return end.join(delimiter.join(cells) for cells in [("claim", "verdict"), *lines])

    def test_one_that_nobody_closes(self, delimiter: str, end: str, tmp_path: Path) -> None:
        content = self.rows([("w1", "yes"), ('"w2', "no"), ("w3", "yes")], delimiter, end)
        assert read(tmp_path, "a.csv" if delimiter == "," else "a.tsv", content) == [
            "w1",
            f"a.{'csv' if delimiter == ',' else 'tsv'}, line 3: unexpected end of data{QUOTING}",
        ]

    def test_one_that_another_closes(self, delimiter: str, end: str, tmp_path: Path) -> None:
        lines = [("w1", "yes"), ('"w2', "no"), ("w3", "yes"), ('w4"', "no"), ("w5", "yes")]
        name = "a.csv" if delimiter == "," else "a.tsv"
        assert read(tmp_path, name, self.rows(lines, delimiter, end)) == [
            "w1",
            f"{name}, line 3: a quote makes one row of these 3 lines{QUOTING}{LINE_BREAKS}",
            "w5",
        ]

    @pytest.mark.parametrize("odd", ["one cell more at the first", "at the last", "between", "one cell less"])
    def test_one_that_joins_rows_of_which_one_is_odd(
        self, odd: str, delimiter: str, end: str, tmp_path: Path
    ) -> None:
        """A number such as 1,000 gives a row another cell."""
        lines = [("w0", "no"), ('"w1', "yes"), *((f"w{n}", "no") for n in range(2, 7)), ('w7"', "yes"), ("w8", "no")]
        content = self.rows(lines, delimiter, end)
        number = f"1{delimiter}000 "
        changes = {"first": ('"w1', f'"{number}w1'), "last": ("w7", f"{number}w7"), "between": ("w4", f"{number}w4")}
        content = content.replace(*changes.get(odd.split()[-1], (f"w4{delimiter}no", "w4")))
        name = "a.csv" if delimiter == "," else "a.tsv"
        assert read(tmp_path, name, content) == [
            "w0",
            f"{name}, line 3: a quote makes one row of these 7 lines{QUOTING}{LINE_BREAKS}",
            "w8",
        ]

    @pytest.mark.parametrize(
        "text", ["First, this\nthen 1,000\nand that", "1,000\nof these\nand, well, of those", "a,b\n\nc\nd\ne,f"]
    )
    def test_texts_of_several_lines_may_hold_a_comma(
        self, text: str, delimiter: str, end: str, tmp_path: Path
    ) -> None:
        content = self.rows([(f'"{text}"', "yes"), ("w2", "no")], delimiter, end)
        assert read(tmp_path, "a.csv" if delimiter == "," else "a.tsv", content) == [text, "w2"]

    def test_a_text_of_several_lines_is_none(self, delimiter: str, end: str, tmp_path: Path) -> None:
        text = "Good morning, all\n\nand, if you wish, good night"
        content = self.rows([(f'"{text}"', "yes"), ('"a\nb"', "no"), ('"say ""w3"""', "no")], delimiter, end)
        assert read(tmp_path, "a.csv" if delimiter == "," else "a.tsv", content) == [text, "a\nb", 'say "w3"']


@pytest.mark.parametrize("kind", ["csv", "tsv"])
def test_articles_of_several_lines_are_no_rows(kind: str, real_data: Path, tmp_path: Path) -> None:
    columns = ("category", "headline", "text", "url")
    lengthy = 0
    for language in ("eng", "hau", "som", "amh", "xho"):
        articles = pyarrow.parquet.read_table(real_data / "masakhanews" / language / "test.parquet").to_pylist()
        rows = [{column: article.get(column) or "x" for column in columns} for article in articles]
        rows[0]["text"] = rows[0]["text"].replace(". ", ".\n")
        (tmp_path / f"a.{kind}").write_text(delimited(rows, "," if kind == "csv" else "\t"), newline="")
        assert list(table_rows(tmp_path / f"a.{kind}", columns)) == rows
        lengthy += sum("\n" in row["text"] for row in rows)
    assert lengthy > 100


def test_long_cells_and_odd_characters_are_read(tmp_path: Path) -> None:
    texts = ["w" * 200_000, "a\0b", "a\u2028b\x85c", "\u200bw\u200e", "NaN", "null"]
    content = "claim,verdict\n" + "".join(f"{text},no\n" for text in texts)
    assert read(tmp_path, "a.csv", "\ufeff" + content) == texts


LATIN = b"claim,verdict\nw1,no\ncaf\xe9,no\nw3,no\n"


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("a.csv", LATIN, ["w1", "a.csv, line 3: this is not UTF-8; save the file as UTF-8", "w3"]),
        ("a.csv", "claim,verdict\nw1\nw2,no,\nw3,no\n", ["a.csv, line 2: 1 c…", "a.csv, line 3: 3 c…", "w3"]),
        ("a.jsonl", '{"claim": "\\ud83d", "verdict": "no"}', ["a.jsonl, line 1: the column 'claim' holds half of a …"]),
        ("a.jsonl", '{"claim": "w", "verdict": "\\ud83d"}', ["a.jsonl, line 1: the column 'verdict' holds half of…"]),
        ("a.jsonl", '{"claim": "w", "verdict": NaN}', ["a.jsonl, line 1: the column 'verdict' holds nan, n…"]),
        ("a.jsonl", '{"claim": "w", "verdict": ["no"]}', ["a.jsonl, line 1: the column 'verdict' holds a list, not…"]),
        ("a.jsonl", '{"claim": "w", "claim": "v", "verdict": "no"}', ["a.jsonl, line 1: the key 'claim' is there mo…"]),
        ("a.jsonl", '{"claim": %s, "verdict": "no"}' % ("9" * 5000), ["a.jsonl, line 1: a number of 5000 digits can…"]),
        ("a.jsonl", "[" * 100_000, ["a.jsonl, line 1: this is nested too deeply"]),
        ("a.jsonl", "{\n" + '{"claim": "w", "verdict": "no"}', ["a.jsonl, line 1: this is not JSON: …", "w"]),
    ],
)
def test_reading_goes_on_behind_an_unusable_row(
    name: str, content: str | bytes, found: list[str], tmp_path: Path
) -> None:
    for one, expected in zip(read(tmp_path, name, content), found, strict=True):
        assert one.startswith(expected.removesuffix("…")), one


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_two_columns_of_one_name_are_refused(name: str, tmp_path: Path) -> None:
    if name == "a.csv":
        (tmp_path / name).write_text("claim,verdict,verdict\nw1,no,yes\n")
    else:
        columns = [pyarrow.array([text]) for text in ("w1", "no", "yes")]
        made = pyarrow.Table.from_arrays(columns, ["claim", "verdict", "verdict"])
        pyarrow.parquet.write_table(made, tmp_path / name)
    with pytest.raises(DataError, match=rf"/{name}: 2 columns are called 'verdict'; rename all but one of them$"):
        table(tmp_path, files={"test": {"eng_Latn": name}}, labels=["no", "yes"]).verify()


class TestParquet:
    def write(self, folder: Path, **columns: pyarrow.Array) -> list[tuple[str, str] | str]:
        pyarrow.parquet.write_table(pyarrow.table(columns), folder / "a.parquet")
        settings: dict[str, Any] = {"labels": ["no", "yes"], "files": {"test": {"eng_Latn": "a.parquet"}}}
        settings["columns"] = {"text": "claim", "label": "verdict", "id": "key" if "key" in columns else None}
        found = table(folder, **settings).read("eng_Latn", "test")
        return [f"{one.row}: {one.reason}" if isinstance(one, RowError) else (one.id, one.text) for one in found]

    def test_columns_of_any_type(self, tmp_path: Path) -> None:
        """`datasets` cannot read a file with such columns, even where nobody asks for them."""
        two: dict[str, Any] = {"claim": pyarrow.array([b"w1", "é".encode()]), "verdict": pyarrow.array(["no", "yes"])}
        of_type = [
            (pyarrow.array([uuid.UUID(int=n).bytes for n in (1, 2)], pyarrow.uuid()), str(uuid.UUID(int=1))),
            (pyarrow.array([Decimal("1.50"), Decimal("2.50")]), "1.50"),
            (pyarrow.array([date(2020, 1, 31), date(2021, 1, 31)]), "2020-01-31"),
            (pyarrow.array([7, 8]), "7"),
        ]
        for keys, first in of_type:
            assert self.write(tmp_path, **two, key=keys)[0] == (first, "w1")
            assert self.write(tmp_path, **two, other=keys) == [("test-00000", "w1"), ("test-00001", "é")]

    def test_cells_that_are_no_text(self, tmp_path: Path) -> None:
        broken = pyarrow.array([b"caf\xe9", b"w2"]).view(pyarrow.utf8())  # a text by its type, and not UTF-8
        for claim in (broken, pyarrow.array([b"caf\xe9", b"w2"])):
            [error, second] = self.write(tmp_path, claim=claim, verdict=pyarrow.array(["no", "no"]))
            assert second == ("test-00001", "w2")
            assert error.startswith("row 1: ")
            assert error.endswith("not UTF-8")

    @pytest.mark.parametrize(
        ("metadata", "message"),
        [
            (b"{no json", "its metadata of `datasets` is not JSON: Expecting property name"),
            (b"[" * 100_000, "its metadata of `datasets` is not JSON: maximum recursion depth"),
            (b"[1]", None),
            (b'{"info": {"features": {"verdict": {"_type": "os.system", "names": ["a"]}}}}', None),
            (b'{"info": {"features": {"verdict": {"_type": "ClassLabel"}}}}', None),
            (b"{}", None),
        ],
    )
    def test_metadata_of_datasets(self, metadata: bytes, message: str | None, tmp_path: Path) -> None:
        made = pyarrow.table({"claim": ["w1", "w2"], "verdict": ["no", "yes"]})
        made = made.replace_schema_metadata({b"huggingface": metadata})
        pyarrow.parquet.write_table(made, tmp_path / "a.parquet")
        found = table(tmp_path, files={"test": {"eng_Latn": "a.parquet"}}, labels=["no", "yes"])
        if message is None:
            assert len(list(found.examples("eng_Latn", "test"))) == 2
        else:
            with pytest.raises(DataError, match=message):
                found.verify()


COMPOSED, DECOMPOSED = "sant\u00e9", "sante\u0301"


def test_labels_are_compared_in_one_unicode_form(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(f"claim,verdict\nw1,{COMPOSED}\nw2,{DECOMPOSED}\nw3,sport\n")
    (tmp_path / "test.csv").write_text(f"claim,verdict\nw4,{DECOMPOSED}\n")
    files = {"train": {"eng_Latn": "train.csv"}, "test": {"spa_Latn": "test.csv"}}
    found = table(tmp_path, files=files, positive_class=DECOMPOSED)
    found.verify()
    assert (found.labels, found.positive) == ((COMPOSED, "sport"), COMPOSED)
    assert [example.label for example in found.examples("spa_Latn", "test")] == [0]
    given = table(tmp_path, files=files, labels=["sport", DECOMPOSED])
    assert [example.label for example in given.examples("eng_Latn", "train")] == [1, 1, 0]
    with pytest.raises(ValidationError, match="labels must be two or more different names"):
        table(tmp_path, files=files, labels=[COMPOSED, DECOMPOSED])


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        ("Sport", "; 'sport' differs only in case"),
        ("sp ort", "; 'sport' differs only in spaces"),
        ("sp\u200bort", "; 'sport' differs only in invisible characters"),
        ("sp\u043ert", " ('\u043e' is CYRILLIC SMALL LETTER O and 'o' is LATIN SMALL LETTER O)"),
        ("0.0", "; '0' differs only in how the number is written"),
        ("spart", "; did you mean 'sport'?"),
    ],
)
def test_labels_that_look_alike_are_told_apart(label: str, reason: str, tmp_path: Path) -> None:
    [error] = read(tmp_path, "a.csv", f"claim,verdict\nw1,{label}\n", labels=["sport", "0"])
    assert f"holds the unknown label {label!r}" in error
    assert f"{reason}; known: sport, 0" in error


def test_files_that_are_not_taken_are_named(tmp_path: Path) -> None:
    for code in ("zh", "cn", "eng_Latn"):
        (tmp_path / f"test-{code}.csv").write_text(GOOD)
    found = table(tmp_path, files={"test": "test-{language}.csv"}, labels=["no", "yes"])
    reasons = r"not taken: .*/test-cn\.csv: unknown language 'cn'.*, .*/test-zh\.csv: the language 'zh' may be "
    with pytest.raises(DataError, match=rf"no text in 'zho_Hans'.*; it has eng_Latn; {reasons}"):
        found.check("zho_Hans", "test")
    [note] = found.notes()
    words = "Not every file of the test split has the code of one language; not taken: "
    assert note.startswith(f"{words}{tmp_path}/test-cn.csv: ")
    assert table(tmp_path, files={"test": {"eng_Latn": "test-eng_Latn.csv"}}).notes() == []
    (tmp_path / "test-en.csv").write_text(GOOD)
    with pytest.raises(DataError, match=r"test-en\.csv and .*test-eng_Latn\.csv are both of eng_Latn"):
        table(tmp_path, files={"test": "test-{language}.csv"}, labels=["no", "yes"]).verify()


@pytest.mark.parametrize("name", ["[v2] daten", "what? *", "a'b\"c", "{x}", "#1 %41"])
def test_folders_may_have_any_name(name: str, tmp_path: Path, write: Write) -> None:
    write(f"{name}/test", [{"claim": "w1", "verdict": "no"}])
    write(f"{name}/swh_Latn/train", [{"text": "w1"}])
    settings: dict[str, Any] = {"labels": ["no", "yes"], "files": {"test": {"eng_Latn": "test.parquet"}}}
    assert [example.text for example in table(tmp_path / name, **settings).examples("eng_Latn", "test")] == ["w1"]
    texts = dataset("texts", str(tmp_path / name))
    assert [example.text for example in texts.examples("swh_Latn", "train")] == ["w1"]


@pytest.mark.parametrize("label", ['["sports"]', "NaN", "null"])
def test_labels_of_which_none_can_be_used_are_named_by_line(label: str, tmp_path: Path) -> None:
    lines = (f'{{"claim": "t{number}", "verdict": {label}}}\n' for number in range(3))
    (tmp_path / "train.jsonl").write_text("".join(lines))
    found = table(tmp_path, files={"train": {"eng_Latn": "train.jsonl"}, "test": {"eng_Latn": "train.jsonl"}})
    with pytest.raises(RowErrors) as raised:
        found.verify()
    assert [(error.row, error.column) for error in raised.value.errors] == [
        (f"line {number}", "verdict") for number in (1, 2, 3)
    ]


@pytest.mark.parametrize("hidden", ["-", "-1"])
def test_hidden_labels_are_no_class_unless_they_are_named(hidden: str, tmp_path: Path) -> None:
    rows = [("a", "no"), ("b", "yes"), ("c", hidden)]
    (tmp_path / "a.csv").write_text("claim,verdict\n" + "".join(f"{text},{label}\n" for text, label in rows))
    files = {"train": {"eng_Latn": "a.csv"}, "test": {"eng_Latn": "a.csv"}}
    with pytest.raises(RowErrors, match=f"line 4: the column 'verdict' holds '{hidden}', which marks"):
        table(tmp_path, files=files).verify()
    table(tmp_path, files=files, labels=["no", "yes", hidden]).verify()


@pytest.mark.parametrize(("labels", "hidden"), [("0 1 -1", "-1"), ("+ 0 -", "-")])
def test_hidden_labels_are_not_skipped_where_they_may_be_a_class(labels: str, hidden: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("claim,verdict\n" + "".join(f"w,{label}\n" for label in labels.split()))
    files = {"train": {"eng_Latn": "a.csv"}, "test": {"eng_Latn": "a.csv"}}
    message = rf"^the train split .* '{hidden}' may be a class or mark a missing label: name the labels in data"
    with pytest.raises(DataError, match=message):
        table(tmp_path, files=files, bad_rows="skip").verify()
    for names in (labels.split(), labels.split()[:2]):
        found = table(tmp_path, files=files, bad_rows="skip", labels=names)
        found.verify()
        assert len(list(found.examples("eng_Latn", "train"))) == len(names)


def test_labels_that_differ_only_in_case_are_refused_unless_they_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("claim,verdict\na,Sport\nb,sport\n")
    files = {"train": {"eng_Latn": "a.csv"}, "test": {"eng_Latn": "a.csv"}}
    with pytest.raises(DataError, match="^the labels 'Sport' and 'sport' of the train split differ only in case;"):
        table(tmp_path, files=files).verify()
    table(tmp_path, files=files, labels=["Sport", "sport"]).verify()


def test_skipped_rows_of_a_table_change_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("claim,verdict\na,no\nb,yes\n,yes\n")
    files = {"train": {"eng_Latn": "a.csv"}, "test": {"eng_Latn": "a.csv"}}
    with pytest.raises(RowErrors, match="line 4: the column 'claim' is empty"):
        table(tmp_path, files=files).verify()
    found = table(tmp_path, files=files, bad_rows="skip")
    found.verify()
    assert [example.text for example in found.examples("eng_Latn", "test")] == ["a", "b"]
    (tmp_path / "a.csv").write_text("claim,verdict\na,no\nb,yes\n")
    assert table(tmp_path, files=files).fingerprint("eng_Latn", "test") == found.fingerprint("eng_Latn", "test")
