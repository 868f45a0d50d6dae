"""The rows of a user's own file, each with its place for messages: CSV, TSV, JSONL or parquet."""

from __future__ import annotations

import csv
import functools
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet
from datasets import IterableDataset

from datamodules.errors import DataError, RowError, nearest
from datamodules.source import check_readable, stream_rows

Placed = tuple[str, dict[str, Any]]
"""Where a row stands ("line 3") and its cells by column."""
Reader = Callable[[Path, tuple[str, ...]], Iterator[Placed]]


def table_rows(file: Path, columns: tuple[str, ...]) -> Iterator[Placed]:
    """Reads a file, of the kind that its name ends with.

    Args:
        file: CSV and TSV with the names of the columns in the first line, in UTF-8; quoted as spreadsheets do.
        columns: Columns that must be there.

    Raises:
        DataError: If the file or a column is missing, or a row cannot be read.
    """
    if not file.is_file():
        beside = [other.name for other in file.parent.iterdir()] if file.parent.is_dir() else []
        raise DataError(f"there is no file {file}{nearest(file.name, beside)}")
    if file.suffix not in READERS:
        raise DataError(f"{file} cannot be read: the name must end with {', '.join(READERS)}")
    return READERS[file.suffix](file, columns)


def _delimited(file: Path, columns: tuple[str, ...], *, delimiter: str) -> Iterator[Placed]:
    rows = csv.reader((line for _, line in _lines(file)), delimiter=delimiter, strict=True)
    try:
        header = next(rows, [])
        _check_columns(columns, header, str(file))
        for cells in rows:
            if not cells:
                continue  # a blank line
            if len(cells) != len(header):
                raise DataError(f"{file}, line {rows.line_num}: {len(cells)} cells, but {len(header)} columns")
            yield f"line {rows.line_num}", dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise DataError(f"{file}, line {rows.line_num}: {error}; a cell with quotes must be quoted itself") from error


def _json_lines(file: Path, columns: tuple[str, ...]) -> Iterator[Placed]:
    for number, line in _lines(file):
        if not line.strip():
            continue
        where = f"{file}, line {number}"
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(f"{where}: this is not JSON: {error.msg} (character {error.colno})") from error
        if not isinstance(row, dict):
            raise DataError(f"{where}: this is not a JSON object such as {{{json.dumps(columns[0])}: …}}")
        _check_columns(columns, row, where)
        yield f"line {number}", row


def _parquet(file: Path, columns: tuple[str, ...]) -> Iterator[Placed]:
    check_readable(file)
    _check_columns(columns, pyarrow.parquet.read_schema(file).names, str(file))
    stream = stream_rows(IterableDataset.from_parquet(str(file)), columns, (), where=str(file))
    for row in stream:
        if isinstance(row, RowError):
            raise row
        yield row.place, row


READERS: dict[str, Reader] = {
    ".csv": functools.partial(_delimited, delimiter=","),
    ".tsv": functools.partial(_delimited, delimiter="\t"),
    ".jsonl": _json_lines,
    ".parquet": _parquet,
}
"""What reads a file, by the end of its name."""


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    """Numbers the lines from 1. Each is decoded on its own, so that a message can name the one that cannot be."""
    with file.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            try:
                yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise DataError(f"{file}, line {number}: this is not UTF-8; save the file as UTF-8") from error


def _check_columns(wanted: Iterable[str], found: Iterable[str], where: str) -> None:
    found = list(found)
    for column in wanted:
        if column not in found:
            known = ", ".join(found) or "none"
            raise DataError(f"{where}: there is no column '{column}'{nearest(column, found)}; found: {known}")
