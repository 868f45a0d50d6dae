"""One row of a data file: its cells by column, and its position in the file for messages.

Readers yield `Row | RowError`, so that one unusable row does not end the reading: the caller collects the errors, skips
the rows, or raises the first error.
"""

from __future__ import annotations

import datetime
import decimal
import json
import math
import re
import unicodedata
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from datamodules.errors import DataError, RowError, comma_list, nearest


class Row(dict[str, Any]):
    """The cells of one row by column name, as the file holds them, and its position there: "line 3", "row 17"."""

    def __init__(self, cells: Mapping[str, Any], *, file: str, place: str) -> None:
        super().__init__(cells)
        self.file = file
        self.place = place

    def error(self, reason: str, column: str | None = None) -> RowError:
        """Returns the error to raise for this row; see `RowError`."""
        return RowError(self.file, self.place, reason, column)

    def replace(self, /, **cells: Any) -> Row:
        """Returns the row with other values in some columns."""
        return Row({**self, **cells}, file=self.file, place=self.place)

    def text(self, column: str) -> str:
        """Returns the text of a cell; null is the empty text.

        Raises:
            RowError: The cell holds no text, or one that is not valid Unicode.
        """
        value = self[column]
        try:
            return "" if value is None else text_of(value)
        except ValueError as error:
            raise self.error(str(error), column) from None

    def name(self, column: str) -> str:
        """Returns a cell that names something (a label, an id); unlike a text, it may be a number, a date or the like.

        Raises:
            RowError: The cell is empty, or holds a list, a mapping, NaN or invalid Unicode.
        """
        try:
            name = _name_of(self[column]).strip()
        except ValueError as error:
            raise self.error(str(error), column) from None
        if is_blank(name):
            raise self.error("is empty", column)
        return name


Rows = Iterator[Row | RowError]
"""What readers yield: rows in the order of the file, and in their places the errors of the unusable ones."""


def wanted_columns(
    found: Collection[str], columns: Collection[str], optional: Collection[str], error: Callable[[str], DataError]
) -> list[str]:
    """Chooses of a file's columns those that must be there, and the optional ones that are there.

    `error` makes the error to raise of its reason: that a column is missing, or that two have its name.
    """
    found = list(found)
    for column in columns:
        if column not in found:
            raise error(f"there is no column '{column}'{nearest(column, found)}; found: {comma_list(found)}")
    wanted = list(dict.fromkeys([*columns, *(column for column in optional if column in found)]))
    if twice := [column for column in wanted if found.count(column) > 1]:
        raise error(f"{found.count(twice[0])} columns are called '{twice[0]}'; rename all but one of them")
    return wanted


_NAMES = (decimal.Decimal, datetime.date, datetime.time, uuid.UUID)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f]")
"""Control characters that no text has."""


def is_blank(text: str) -> bool:
    """Whether a text has nothing to read: white space, control and format characters (category Cc or Cf) only."""
    return all(letter.isspace() or unicodedata.category(letter) in ("Cc", "Cf") for letter in text)


def text_of(value: Any) -> str:
    """Returns a value that must be a text; bytes are read as UTF-8.

    A text with a lone surrogate (half of a character, as in a JSON string that was cut within an emoji) is refused like
    undecodable bytes are: no model can read it, and a replacement character would silently make another text, or
    another label, of it.

    Raises:
        ValueError: It is no valid text; the message continues the words "the column 'x' …".
    """
    if isinstance(value, bytes):
        try:
            text = value.decode()
        except UnicodeDecodeError:
            raise ValueError("holds bytes that are not UTF-8") from None
        if _CONTROL.search(text):  # such as a UUID of 16 bytes, which may happen to be UTF-8
            raise ValueError("holds bytes that are not a text")
        return text
    if not isinstance(value, str):
        raise ValueError(f"holds {_described(value)}, not a text")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"holds half of a character (a lone surrogate, U+{ord(value[error.start]):04X}) at position {error.start}"
        ) from None
    return value


def _name_of(value: Any) -> str:
    """Writes a text, number, truth value (as JSON does), date, decimal number or UUID; raises as `text_of` does."""
    if value is None:
        return ""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"holds {value}, not a name")
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    return str(value) if isinstance(value, _NAMES) else text_of(value)


def _described(value: Any) -> str:
    kinds = {list: "a list", dict: "a mapping", bool: "a truth value", int: "a number", float: "a number"}
    return kinds.get(type(value), f"a value of type {type(value).__name__}")
