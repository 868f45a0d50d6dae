"""The rows of a file, each with its position for messages: CSV, TSV, JSON, JSONL or parquet."""

import csv
import functools
import itertools
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from datamodules.errors import DataError, RowError
from datamodules.sources.files import require_file
from datamodules.sources.json_files import json_file, json_lines
from datamodules.sources.lines import GZIP, NOT_UTF8, UNDECODED, lines_of
from datamodules.sources.row import Row, Rows, wanted_columns

csv.field_size_limit(sys.maxsize)  # a cell may hold a whole document; the standard limit is 131,072 characters


Reader = Callable[[Path, tuple[str, ...], tuple[str, ...]], Rows]
"""Reads the columns that must be there, and the optional ones, of a file of one kind; see `table_rows`."""


def table_rows(file: Path, columns: tuple[str, ...], optional: tuple[str, ...] = (), *, quotes: bool = True) -> Rows:
    """Reads a file, of the kind that its name ends with.

    Args:
        file: In UTF-8, and compressed if its name ends with `.gz`. CSV and TSV have the columns' names in the first
            line; JSON is a list of objects, or an object in each line.
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
    return readers[_kind(file)](file, columns, optional)


def require_table(file: Path) -> None:
    """Raises DataError if there is no such file, or its name does not end with a known kind."""
    if _kind(file) not in READERS:
        kinds = ", ".join(READERS)
        raise DataError(f"{file} cannot be read: the name must end with {kinds}; all but parquet may also be {GZIP}")
    require_file(file)


def _kind(file: Path) -> str:
    """The end of the name that says what is in the file; parquet is compressed in itself, and never as a whole."""
    kind = Path(file.name.removesuffix(GZIP)).suffix
    return file.suffix if kind == ".parquet" else kind


def _quoted(file: Path, columns: tuple[str, ...], optional: tuple[str, ...], *, delimiter: str) -> Rows:
    """Reads CSV, or TSV with quoted cells.

    A quote that nobody closes takes in the lines behind it, up to the next quote or the end of the file: an error
    therefore names the line where its row begins, and rows that have become one are refused.
    """
    recent: list[str] = []
    reader = csv.reader(_recorded(lines_of(file), recent), delimiter=delimiter, strict=True)
    try:
        header = next(reader, [])
    except csv.Error as error:
        cause = _likely_cause(recent, delimiter) or f"{error}; {_QUOTING}"
        raise DataError(f"{file}, line 1: {cause}") from error
    wanted = _wanted(file, header, columns, optional, _likely_cause(recent, delimiter))
    while True:
        place = f"line {reader.line_num + 1}"
        recent.clear()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield RowError(str(file), place, f"{error}; {_QUOTING}")
            continue
        if not cells:
            continue  # a blank line
        if _is_several_rows(recent, delimiter, len(header)):
            reason = f"a quote makes one row of these {len(recent)} lines; {_QUOTING}; {_LINE_BREAKS}"
            yield RowError(str(file), place, reason)
        else:
            yield _row(file, place, header, cells, wanted)


def _unquoted(file: Path, columns: tuple[str, ...], optional: tuple[str, ...]) -> Rows:
    """Reads TSV in which quotes are part of the text, and each line is a row."""
    lines = ((number, line.rstrip("\r\n")) for number, line in enumerate(lines_of(file), start=1))
    first = [line for _, line in itertools.islice(lines, 1)]
    header = first[0].split("\t") if any(first) else []
    wanted = _wanted(file, header, columns, optional, _likely_cause(first, "\t"))
    for number, line in lines:
        if line:
            yield _row(file, f"line {number}", header, line.split("\t"), wanted)


def _wanted(
    file: Path, header: list[str], columns: tuple[str, ...], optional: tuple[str, ...], likely_cause: str | None
) -> list[str]:
    """Chooses the columns to read; where one is missing, the error names the likely cause."""
    if any(map(UNDECODED.search, header)):
        raise DataError(f"{file}, line 1: {NOT_UTF8}")
    if likely_cause and not set(columns) <= set(header):
        raise DataError(f"{file}, line 1: {likely_cause}")
    return wanted_columns(header, columns, optional, lambda reason: DataError(f"{file}: {reason}"))


def _likely_cause(header: list[str], delimiter: str) -> str | None:
    """Tells why the columns of a table may not be found in the lines of its header."""
    line = "".join(header).rstrip("\r\n")
    if header and not line.strip():
        return "this line is blank; the first line must hold the names of the columns"
    signs = dict(_SIGNS)
    if delimiter not in line:
        way_out = f"save the file with {delimiter!r}"
        signs |= {other: f"the columns are separated by {other!r}; {way_out}" for other in ";,\t"}
    return next((cause for sign, cause in signs.items() if sign in line), None)


def _row(file: Path, place: str, header: list[str], cells: list[str], wanted: list[str]) -> Row | RowError:
    if any(map(UNDECODED.search, cells)):
        return RowError(str(file), place, NOT_UTF8)
    if len(cells) != len(header):
        return RowError(str(file), place, f"{len(cells)} cells, but {len(header)} columns")
    named = dict(zip(header, cells, strict=True))
    return Row({column: named[column] for column in wanted}, file=str(file), place=place)


def _parquet(file: Path, columns: tuple[str, ...], optional: tuple[str, ...]) -> Rows:
    from datamodules.sources.parquet import parquet_rows  # pyarrow takes a third of a second to import

    return parquet_rows(file, columns, optional)


READERS: dict[str, Reader] = {
    ".csv": functools.partial(_quoted, delimiter=","),
    ".tsv": functools.partial(_quoted, delimiter="\t"),
    ".jsonl": json_lines,
    ".json": json_file,
    ".parquet": _parquet,
}
"""What reads a file, by the end of its name without `.gz`."""

_DELIMITERS = {",": re.compile(",(?! )"), "\t": re.compile("\t")}
"""What separates the cells of lines that may be rows or a text: a comma of a sentence has a space behind it."""
_SIGNS = {
    "\0": "this looks like UTF-16; save the file as UTF-8",
    "\r": "the lines end with \\r, as on very old Macs; save the file with the line ends \\n or \\r\\n",
}
"""What is wrong with a file, by a character of its header."""
_QUOTING = "a cell that contains quotes must itself be quoted, and its quotes doubled"
_LINE_BREAKS = "if this cell really has line breaks, save the table as JSONL or parquet"


def _recorded(lines: Iterator[str], recent: list[str]) -> Iterator[str]:
    """Yields lines and appends them to `recent`, which the reader clears after each row."""
    for line in lines:
        recent.append(line)
        yield line


def _is_several_rows(lines: list[str], delimiter: str, columns: int) -> bool:
    """Tells whether several lines look like rows of the table, and not like the text of a quoted cell.

    Either each of them, taken alone, has as many cells as the table; or most have at least so many, because some rows
    may be odd. The lines of a text may have commas, but no tabs, and no cell in common such as a label.
    """
    cells = [_DELIMITERS[delimiter].split(line.rstrip("\r\n")) for line in lines if line.strip()]
    if columns == 1 or len(cells) == 1:
        return False
    lines_with = Counter(cell for line in cells for cell in set(line))
    rows = [line for line in cells if len(line) >= columns]
    alike = [line for line in rows if delimiter == "\t" or any(lines_with[cell] > 1 for cell in line)]
    return len(alike) > len(cells) / 2 or all(len(line) == columns for line in cells)
