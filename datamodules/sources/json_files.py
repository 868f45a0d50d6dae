"""The rows of JSON files: an object in each line, or one list of objects."""

import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datamodules.errors import DataError, RowError, comma_list
from datamodules.sources.lines import NOT_UTF8, UNDECODED, lines_of
from datamodules.sources.row import Row, Rows, wanted_columns


def json_lines(file: Path, columns: tuple[str, ...], optional: tuple[str, ...]) -> Rows:
    """Reads an object in each line; see `datamodules.sources.table_files.table_rows`."""
    for number, line in enumerate(lines_of(file), start=1):
        if not line.strip():
            continue
        place = f"line {number}"
        try:
            cells = _json(line)
        except ValueError as error:
            yield RowError(str(file), place, str(error))
        else:
            yield _row(file, place, cells, columns, optional)


def json_file(file: Path, columns: tuple[str, ...], optional: tuple[str, ...]) -> Rows:
    """Reads what files called `.json` hold: one list of objects, or an object in each line.

    Raises:
        DataError: It is neither, or what is in it cannot be read any further.
    """
    first = next(filter(str.strip, lines_of(file)), "")
    if first.lstrip().startswith("["):
        return _json_list(file, columns, optional)
    try:
        cells = _json(first)
    except ValueError as error:
        raise DataError(f"{file}: {_NO_ROWS}; line 1: {error}") from None
    if _holds_rows_below(cells, columns):
        raise DataError(f"{file}: {_NO_ROWS}, but one object with {comma_list(list(cells))}; save the list alone")
    return json_lines(file, columns, optional)


def _json_list(file: Path, columns: tuple[str, ...], optional: tuple[str, ...]) -> Rows:
    """Reads the whole file first; an entry that is not JSON ends the reading, because nobody knows where it ends."""
    text = "".join(lines_of(file))
    number = 0
    try:
        for number, (cells, begin, end) in enumerate(_entries(text), start=1):
            if UNDECODED.search(text, begin, end):
                yield RowError(str(file), f"row {number}", NOT_UTF8)
            else:
                yield _row(file, f"row {number}", cells, columns, optional)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, character {error.colno}"
        raise DataError(f"{file}, row {number + 1}: {_NOT_JSON}: {error.msg} ({place})") from None
    except RecursionError:
        raise DataError(f"{file}, row {number + 1}: {_TOO_DEEP}") from None
    except ValueError as error:
        raise DataError(f"{file}, row {number + 1}: {error}") from None


def _entries(text: str) -> Iterator[tuple[Any, int, int]]:
    """Yields the values in a list, with where each begins and ends.

    Raises:
        ValueError: As in `_json`; of what is not JSON it is a `json.JSONDecodeError`.
        RecursionError: An entry is nested too deeply.
    """
    begin = _behind_spaces(text, text.index("[") + 1)
    while not text.startswith("]", begin):
        value, end = _DECODER.raw_decode(text, begin)
        yield value, begin, end
        begin = _behind_spaces(text, end)
        if text.startswith(",", begin):
            begin = _behind_spaces(text, begin + 1)
        elif not text.startswith("]", begin):
            raise json.JSONDecodeError("Expecting ',' delimiter", text, begin)
    behind = _behind_spaces(text, begin + 1)
    if behind < len(text):
        raise json.JSONDecodeError("Extra data", text, behind)


def _behind_spaces(text: str, position: int) -> int:
    found = _SPACES.match(text, position)
    return position if found is None else found.end()


def _holds_rows_below(cells: Any, columns: tuple[str, ...]) -> bool:
    """Whether this is no row, but an object that holds the list of all rows."""
    if not isinstance(cells, dict) or not cells.keys().isdisjoint(columns):
        return False
    return any(isinstance(value, list) and isinstance(next(iter(value), None), dict) for value in cells.values())


def _row(file: Path, place: str, cells: Any, columns: tuple[str, ...], optional: tuple[str, ...]) -> Row | RowError:
    if not isinstance(cells, dict):
        return RowError(str(file), place, f"this is not a JSON object such as {{{json.dumps(columns[0])}: …}}")
    try:
        wanted = wanted_columns(cells, columns, optional, functools.partial(RowError, str(file), place))
    except RowError as error:
        return error
    return Row({column: cells[column] for column in wanted}, file=str(file), place=place)


def _json(line: str) -> Any:
    """Reads one line.

    Raises:
        ValueError: It is no JSON, is nested too deeply, or holds a key twice or a number of thousands of digits.
    """
    if UNDECODED.search(line):
        raise ValueError(NOT_UTF8)
    try:
        return _DECODER.decode(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"{_NOT_JSON}: {error.msg} (character {error.colno})") from None
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None


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


_DECODER = json.JSONDecoder(object_pairs_hook=_with_unique_keys, parse_int=_whole_number)
_SPACES = re.compile(r"[ \t\r\n]*")
_NOT_JSON = "this is not JSON"
_TOO_DEEP = "this is nested too deeply"
_NO_ROWS = "this is neither a list of objects nor an object in each line"
