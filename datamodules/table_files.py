"""The rows of a file, each with its position for messages: CSV, TSV, JSONL or parquet."""

from __future__ import annotations

import codecs
import csv
import functools
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from datamodules.errors import DataError, RowError
from datamodules.files import open_file, require_file
from datamodules.parquet import parquet_rows
from datamodules.row import Row, Rows, wanted_columns, wanted_columns_of

csv.field_size_limit(sys.maxsize)  # a cell may hold a whole document; the standard limit is 131,072 characters


Reader = Callable[[Path, tuple[str, ...], tuple[str, ...]], Rows]
"""Reads the columns that must be there, and the optional ones, of a file of one kind; see `table_rows`."""


def table_rows(file: Path, columns: tuple[str, ...], optional: tuple[str, ...] = (), *, quotes: bool = True) -> Rows:
    """Reads a file, of the kind that its name ends with.

    Args:
        file: In UTF-8. CSV and TSV have the columns' names in the first line.
        columns: Columns that must be there.
        optional: Columns that are read where they are there.
        quotes: Whether cells of a TSV may be quoted, as spreadsheets write them; else quotes are part of the text.

    Returns:
        Rows, and the errors of unusable ones in their places.

    Raises:
        DataError: The file or a column is missing, or the file cannot be read any further.
    """
    require_table(file)
    readers = READERS if quotes else READERS | {".tsv": _unquoted}
    return readers[file.suffix](file, columns, optional)


def require_table(file: Path) -> None:
    """Checks that there is a file and that its kind is known.

    Raises:
        DataError: There is none, or its name ends differently.
    """
    if file.suffix not in READERS:
        raise DataError(f"{file} cannot be read: the name must end with {', '.join(READERS)}")
    require_file(file)


def _quoted(file: Path, columns: tuple[str, ...], optional: tuple[str, ...], *, delimiter: str) -> Rows:
    """Reads CSV, or TSV with quoted cells.

    A quote that nobody closes takes in the lines behind it, up to the next quote or the end of the file: an error
    therefore names the line where its row begins, and rows that have become one are refused.
    """
    lines = _Recorded(_lines(file))
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        header = next(reader, [])
    except csv.Error as error:
        raise DataError(f"{file}, line 1: {error}; {_QUOTING}") from error
    wanted = _wanted(file, header, columns, optional)
    while True:
        place = f"line {reader.line_num + 1}"
        lines.recent.clear()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield RowError(str(file), place, f"{error}; {_QUOTING}")
            continue
        if not cells:
            continue  # a blank line
        if _is_several_rows(lines.recent, delimiter, len(header)):
            reason = f"a quote makes one row of these {len(lines.recent)} lines; {_QUOTING}"
            yield RowError(str(file), place, reason)
        else:
            yield _row(file, place, header, cells, wanted)


def _unquoted(file: Path, columns: tuple[str, ...], optional: tuple[str, ...]) -> Rows:
    """Reads TSV in which quotes are part of the text, and each line is a row."""
    lines = ((number, line.rstrip("\r\n")) for number, line in enumerate(_lines(file), start=1))
    _, first = next(lines, (1, ""))
    header = first.split("\t") if first else []
    wanted = _wanted(file, header, columns, optional)
    for number, line in lines:
        if line:
            yield _row(file, f"line {number}", header, line.split("\t"), wanted)


def _wanted(file: Path, header: list[str], columns: tuple[str, ...], optional: tuple[str, ...]) -> list[str]:
    if any(map(_UNDECODED.search, header)):
        raise DataError(f"{file}, line 1: {_NOT_UTF8}")
    return wanted_columns_of(str(file), header, columns, optional)


def _row(file: Path, place: str, header: list[str], cells: list[str], wanted: list[str]) -> Row | RowError:
    if any(map(_UNDECODED.search, cells)):
        return RowError(str(file), place, _NOT_UTF8)
    if len(cells) != len(header):
        return RowError(str(file), place, f"{len(cells)} cells, but {len(header)} columns")
    named = dict(zip(header, cells, strict=True))
    return Row({column: named[column] for column in wanted}, file=str(file), place=place)


def _json_lines(file: Path, columns: tuple[str, ...], optional: tuple[str, ...]) -> Rows:
    for number, line in enumerate(_lines(file), start=1):
        if not line.strip():
            continue
        place = f"line {number}"
        try:
            cells = _json(line)
            if not isinstance(cells, dict):
                raise ValueError(f"this is not a JSON object such as {{{json.dumps(columns[0])}: …}}")
            wanted = wanted_columns(cells, columns, optional)
        except ValueError as error:
            yield RowError(str(file), place, str(error))
        else:
            yield Row({column: cells[column] for column in wanted}, file=str(file), place=place)


def _json(line: str) -> Any:
    """Reads a line of JSONL.

    Raises:
        ValueError: It is no JSON, is nested too deeply, or holds a key twice or a number of thousands of digits.
    """
    if _UNDECODED.search(line):
        raise ValueError(_NOT_UTF8)
    try:
        return json.loads(line, object_pairs_hook=_with_unique_keys, parse_int=_whole_number)
    except json.JSONDecodeError as error:
        raise ValueError(f"this is not JSON: {error.msg} (character {error.colno})") from None
    except RecursionError:
        raise ValueError("this is nested too deeply") from None


def _with_unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} is there more than once")
    return found


def _whole_number(digits: str) -> int:
    try:
        return int(digits)
    except ValueError:  # Python reads no number of more than 4,300 digits: that would take very long
        raise ValueError(f"a number of {len(digits)} digits cannot be read") from None


READERS: dict[str, Reader] = {
    ".csv": functools.partial(_quoted, delimiter=","),
    ".tsv": functools.partial(_quoted, delimiter="\t"),
    ".jsonl": _json_lines,
    ".parquet": parquet_rows,
}
"""What reads a file, by the end of its name."""

_QUOTING = "a cell that contains quotes must itself be quoted, and its quotes doubled"
_NOT_UTF8 = "this is not UTF-8; save the file as UTF-8"
_UNDECODED = re.compile("[\udc80-\udcff]")
"""What `_lines` makes of bytes that are not UTF-8."""


def _lines(file: Path) -> Iterator[str]:
    """Yields the lines with their ends; a byte that is not UTF-8 becomes a lone surrogate, so that its row is known."""
    with open_file(file) as stream:
        for number, line in enumerate(stream):
            yield (line if number else line.removeprefix(codecs.BOM_UTF8)).decode(errors="surrogateescape")


class _Recorded(Iterator[str]):
    """Hands on lines and keeps those since `recent` was cleared: the lines of one row."""

    def __init__(self, lines: Iterator[str]) -> None:
        self.lines = lines
        self.recent: list[str] = []

    def __next__(self) -> str:
        self.recent.append(next(self.lines))
        return self.recent[-1]


def _is_several_rows(lines: list[str], delimiter: str, columns: int) -> bool:
    """Tells whether each of several lines, taken alone, has as many cells as the table, so that all look like rows.

    The lines of a text that a quoted cell may hold do not: a comma of a sentence has a space behind it.
    """
    cells = [len(re.split(f"{delimiter}(?! )", line)) for line in lines if line.strip()]
    return columns > 1 and len(cells) > 1 and set(cells) == {columns}
