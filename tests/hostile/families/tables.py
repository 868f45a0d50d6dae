"""A user's own files: what stands in their cells, how they are written, and what their names mean."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.hostile.case import DONE, EITHER, REFUSED, Case
from tests.hostile.obstacles import AT_A_FILE, CLOSED, NAMES
from tests.hostile.world import World

ROWS = [(f"w{number} w{number + 20}", "yes" if number % 2 else "no") for number in range(8)]
TABLE = {
    "data": {
        "name": "table",
        "path": "data",
        "columns": {"text": "text", "label": "label"},
        "held_out": 0.25,
        "max_length": 24,
    },
    "combination.language": {},
    "stages.language": None,
    "languages.targets": ["swh_Latn"],
}


def jsonl(rows: list[tuple[str, str]] = ROWS) -> str:
    """Writes rows."""
    return "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows)


def delimited(delimiter: str, rows: list[tuple[str, str]] = ROWS, end: str = "\n") -> str:
    """Writes rows, with the names of the columns in the first."""
    return "".join(delimiter.join(cells) + end for cells in [("text", "label"), *rows])


def formats(rows: list[tuple[str, str]]) -> dict[str, str]:
    """Writes rows in every format; by the ending of the file's name."""
    return {"csv": delimited(",", rows), "tsv": delimited("\t", rows), "jsonl": jsonl(rows)}


GOOD = formats(ROWS)
TEST = formats(ROWS[::-1])
"""A test split that is its training split, byte for byte, is refused."""

CELLS: dict[str, tuple[str, str, str]] = {
    "null": ("null", "is empty", "is empty"),
    "an empty text": ('""', "is empty", "is empty"),
    "a blank text": ('" \\u00a0\\t"', "is empty", "is empty"),
    "a list": ('["w1"]', "holds a list", "holds a list"),
    "an empty list": ("[]", "holds a list", "holds a list"),
    "a mapping": ('{"a": 1}', "holds a mapping", "holds a mapping"),
    "NaN": ("NaN", "holds nan", "holds nan"),
    "a number without end": ("-1e999", "holds -inf", "holds -inf"),
    "the first half of a character": ('"w1 \\ud83d"', "lone surrogate", "lone surrogate"),
    "the second half of a character": ('"\\ude00 w1"', "lone surrogate", "lone surrogate"),
    "a number of 5000 digits": ("9" * 5000, "5000 digits", "5000 digits"),
    "brackets without end": ("[" * 50_000, "nested too deeply", "nested too deeply"),
    "no JSON": ("nonsense", "this is not JSON", "this is not JSON"),
    "a number": ("7", "", "unknown label '7'"),
    "true": ("true", "", "unknown label 'true'"),
    "another case": ('"YES"', "", "'yes' differs only in case"),
    "an invisible character": ('"y\\u200bes"', "", "'yes' differs only in invisible characters"),
    "a null character": ('"a\\u0000b"', "", "unknown label"),
    "a line separator": ('"a\\u2028b"', "", "unknown label"),
    "a megabyte": (json.dumps("w1 " * 350_000), "", "unknown label"),
}
"""By name a cell's JSON, and what is said of it as a text and as a label; "" where it is one that can be used."""

BYTES: dict[str, tuple[Callable[[str], bytes], str | None]] = {
    "UTF-16": (lambda text: text.encode("utf-16"), ""),
    "UTF-32": (lambda text: text.encode("utf-32"), ""),
    "Latin-1": (lambda text: text.replace("w1 ", "caf\xe9 ").encode("latin-1"), "is not UTF-8"),
    "a surrogate in UTF-8": (lambda text: text.encode().replace(b"w1 ", b"\xed\xa0\x80 "), "is not UTF-8"),
    "random bytes": (lambda text: bytes(n * n * 7 % 256 for n in range(4000)), ""),
    "a compressed file": (lambda text: b"\x1f\x8b\x08\x00" + bytes(range(256)), ""),
    "nothing": (lambda text: b"", ""),
    "null characters": (lambda text: bytes(1000), ""),
    "a byte order mark": (lambda text: b"\xef\xbb\xbf" + text.encode(), None),
    "blank lines": (lambda text: text.replace("\n", "\n\n").encode(), None),
    "ends of lines of Windows": (lambda text: text.replace("\n", "\r\n").encode(), None),
    "no end of the last line": (lambda text: text.rstrip().encode(), None),
    "cut in the middle of a row": (lambda text: text[: len(text) // 2 - 3].encode(), ""),
}
"""By name, how a good file is spoiled, and a part of what is said; None where it can be read."""

LINES: dict[str, tuple[Callable[[str], str], str]] = {
    "one cell less": (lambda d: f"w1{d}no\nw2\n", "1 cells, but 2 columns"),
    "one cell more": (lambda d: f"w1{d}no{d}{d}\n", "4 cells, but 2 columns"),
    "a stray quote": (lambda d: f'"w1{d}no\nw2{d}yes\n', "unexpected end of data"),
    "a stray quote that another closes": (lambda d: f'"w1{d}no\nw2{d}yes\nw3"{d}no\n', "makes one row of these 3"),
    "a stray quote behind a cell": (lambda d: f'"w1" w2{d}no\n', "expected after"),
    "a stray quote in a label": (lambda d: f'w1{d}"no\nw2{d}yes"\n', "makes one row of these 2"),
    "an empty cell": (lambda d: f"{d}no\n", "the column 'text' is empty"),
    "an unknown label": (lambda d: f"w1{d}nope\n", "unknown label 'nope'"),
    "returns alone": (lambda d: f"w1{d}no\rw2{d}yes\r", "line 10"),
}
"""By name lines behind good ones, for a delimiter, and a part of what is said."""

HEADERS: dict[str, tuple[str, str]] = {
    "two columns of one name": ("text{d}label{d}label", "2 columns are called 'label'"),
    "another name": ("texts{d}label", "there is no column 'text'; did you mean 'texts'?"),
    "another case": ("Text{d}label", "'Text' differs only in case"),
    "a space": ("text {d}label", "'text ' differs only in spaces"),
    "a joiner": ("te\u200dxt{d}label", "differs only in invisible characters"),
    "a quote": ('"text{d}label', ""),
    "no names": ("w1{d}no", "there is no column 'text'"),
}
"""By name a first line, and a part of what is said."""

PATTERNS: dict[str, tuple[str, frozenset[int]]] = {
    "plain": ("test-{language}.csv", DONE),
    "up and down": ("../data/test-{language}.csv", DONE),
    "twice": ("{language}/test-{language}.csv", DONE),
    "with brackets": ("[v2] {language}.csv", DONE),
    "stars": ("**{language}*.csv", REFUSED),
    "a star": ("*-{language}.csv", REFUSED),
    "a question mark": ("test?{language}.csv", REFUSED),
    "braces": ("{{language}}.csv", REFUSED),
    "another placeholder": ("{lang}-{language}.csv", REFUSED),
    "nothing else": ("{language}", REFUSED),
    "a folder that is not there": ("nowhere/{language}.csv", REFUSED),
    "a slash at the end": ("test-{language}.csv/", EITHER),
    "a null character": ("\0{language}.csv", REFUSED),
    "300 letters": ("x" * 300 + "{language}.csv", REFUSED),
    "a hundred folders": ("{language}/" * 100 + "x.csv", REFUSED),
    "a home that is not there": ("~nobody-of-that-name/{language}.csv", REFUSED),
    "a device": ("/dev/{language}", REFUSED),
}
"""By name a pattern of files, and the exit codes that are right."""


def cases(world: World) -> Iterator[Case]:
    """Yields the cases of the family."""
    for split in ("train", "test"):
        for name, (value, *of_columns) in CELLS.items():
            for column, says in zip(("text", "label"), of_columns, strict=True):
                cells = {"text": '"w1"', "label": '"no"'} | {column: value}
                row = f'{{"text": {cells["text"]}, "label": {cells["label"]}}}\n'
                kind = {split: jsonl() + row}
                codes = REFUSED if says else DONE
                yield _case(world, f"{split}: {name} as a {column}", "jsonl", kind, codes, says, labels=["no", "yes"])
        for kind, text in GOOD.items():
            for name, (spoil, expected) in BYTES.items():
                codes = DONE if expected is None else REFUSED
                yield _case(world, f"{split}.{kind}: {name}", kind, {split: spoil(text)}, codes, expected or "")
        for kind, delimiter in {"csv": ",", "tsv": "\t"}.items():
            for name, (line, says) in LINES.items():
                files = {split: delimited(delimiter) + line(delimiter)}
                yield _case(world, f"{split}.{kind}: {name}", kind, files, REFUSED, says, labels=["no", "yes"])
            for name, (header, says) in HEADERS.items():
                lines = delimited(delimiter).splitlines(keepends=True)
                files = {split: header.format(d=delimiter) + "\n" + "".join(lines[1:])}
                yield _case(world, f"{split}.{kind}: the first line has {name}", kind, files, REFUSED, says)
        for name, obstacle in AT_A_FILE.items():
            replace = functools.partial(_at, f"data/{split}.csv", obstacle.replace)
            yield _case(world, f"{split}: {name} in its place", "csv", {}, REFUSED, obstacle.says, setup=replace)
        for name, place in {"file": f"data/{split}.csv", "folder": "data"}.items():
            close = functools.partial(_at, place, CLOSED.make)
            title = f"{split}: a {name} without permissions"
            yield _case(world, title, "csv", {}, REFUSED, CLOSED.says, setup=close, unprivileged=True)
        for name, path in NAMES.items():
            files = {"train": {"eng_Latn": "train.csv"}, "test": {"swh_Latn": "test.csv"}}
            files[split] = dict.fromkeys(files[split], f"{path}.csv")
            yield _case(world, f"{split}: a name {name}", "csv", {}, REFUSED, named=files)
    for absolute in (False, True):
        for name, (pattern, codes) in PATTERNS.items():
            title = f"{'an absolute' if absolute else 'a'} pattern: {name}"
            yield _pattern_case(world, title, pattern, codes, absolute)


def _at(place: str, make: Callable[[Path], object], folder: Path) -> None:
    make(folder / place)


def _case(
    world: World,
    name: str,
    kind: str,
    files: dict[str, Any],
    codes: frozenset[int],
    says: str = "",
    *,
    labels: list[str] | None = None,
    named: dict[str, Any] | None = None,
    **others: Any,
) -> Case:
    """Makes a case: `plan` with files of one kind, of which some are not the good ones."""
    named = named or {"train": {"eng_Latn": f"train.{kind}"}, "test": {"swh_Latn": f"test.{kind}"}}
    experiment = world.experiment(TABLE | {"data.files": named, "data.labels": labels})
    content = {f"data/{split}.{kind}": good[kind] for split, good in {"train": GOOD, "test": TEST}.items()}
    content |= {f"data/{split}.{kind}": spoiled for split, spoiled in files.items()}
    says_all = (says,) if says else ()
    return Case(name, ["plan", "e.yaml"], {"e.yaml": experiment} | content, codes=codes, says=says_all, **others)


def _pattern_case(world: World, name: str, pattern: str, codes: frozenset[int], absolute: bool) -> Case:
    """Makes a case whose test file is found by a pattern; an absolute one begins with the case's folder."""
    found = ("test-swh_Latn.csv", "swh_Latn/test-swh_Latn.csv", "[v2] swh_Latn.csv")
    content = {"data/train.csv": GOOD["csv"]} | {f"data/{file}": TEST["csv"] for file in found}
    begins = "HERE/data/" if absolute else ""
    named = {"train": {"eng_Latn": "train.csv"}, "test": begins + pattern}
    experiment = world.experiment(TABLE | {"data.files": named})

    def setup(folder: Path) -> None:
        (folder / "e.yaml").write_text(experiment.replace("HERE", str(folder)))

    return Case(name, ["plan", "e.yaml"], content, setup=setup, codes=codes)
