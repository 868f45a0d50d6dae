"""Errors about data that its user can correct."""

from __future__ import annotations

import difflib
import itertools
import unicodedata
from collections.abc import Callable, Collection, Iterable, Sequence

_LONGEST_NAME = 60
"""Characters of a name that messages show, and that are compared with others."""


class DataError(ValueError):
    """A mistake in data or its settings: one line with the place, the problem and the nearest correct spelling."""


class RowError(DataError):
    """A single row that cannot be used; the rows after it may be usable.

    Every check of a single row raises this error, or yields it in the row's place (see `datamodules.sources.row.Rows`),
    so that a caller can report all unusable rows together, or skip them.
    """

    def __init__(self, file: str, row: str, reason: str, column: str | None = None) -> None:
        """Composes the message `FILE, ROW: the column 'COLUMN' REASON`.

        Args:
            file: The file; of a dataset on the hub, repository, config and split.
            row: The position in the file: "line 3", "row 17".
            reason: What is wrong. With a column it continues the words "the column 'x'": "is empty".
            column: The column that the error is about; None for the whole row.
        """
        subject = "" if column is None else f"the column '{column}' "
        super().__init__(f"{file}, {row}: {subject}{reason}")
        self.file = file
        self.row = row
        self.reason = reason
        self.column = column

    def __reduce__(self) -> tuple[type[RowError], tuple[str, str, str, str | None]]:
        """Pickles it by its fields, so that worker processes can hand it on."""
        return type(self), (self.file, self.row, self.reason, self.column)


class NetworkError(Exception):
    """The hub is out of reach, overloaded or broken: no mistake of the user's, and it may work later."""


LISTED = 20
"""Most errors that a message lists; it counts the others."""


class RowErrors(DataError):
    """All rows of some files that cannot be used."""

    def __init__(self, errors: Sequence[RowError]) -> None:
        self.errors = list(errors)
        super().__init__("\n".join(listed(self.errors)))


def listed(errors: Collection[object]) -> list[str]:
    """Returns a line for each of the first errors, and one that counts the others."""
    more = [f"… and {len(errors) - LISTED:,} more"] if len(errors) > LISTED else []
    return [*map(str, itertools.islice(errors, LISTED)), *more]


def nearest(word: str, known: Iterable[str]) -> str:
    """Words for the known spelling nearest to `word`.

    Returns:
        "; did you mean 'sib200'?"; "; 'sib200' differs only in case" where the two may look alike; or an empty string
        where nothing is near.
    """
    known = list(known)
    for other in known:
        if difference := difference_of(word, other):
            return f"; {other!r} differs only in {difference}"
    near = difflib.get_close_matches(word[:_LONGEST_NAME], known, n=1, cutoff=0.5)
    return f"; did you mean '{near[0]}'?{_foreign_letter(word, near[0])}" if near else ""


def difference_of(word: str, other: str) -> str:
    """Names in what alone two spellings differ; an empty text where they differ in more, or in nothing."""
    equal = (name for name, normalized in DIFFERENCES.items() if normalized(word) == normalized(other))
    return next(equal, "") if word != other else ""


def _foreign_letter(word: str, meant: str) -> str:
    """Names a letter that is no ASCII in the place of one that is: 'о' of Cyrillic looks like that of Latin."""
    if len(word) == len(meant):
        for letter, other in zip(word, meant, strict=True):
            if letter != other and letter.isascii() != other.isascii():
                names = " and ".join(f"{one!r} is {unicodedata.name(one, 'unnamed')}" for one in (letter, other))
                return f" ({names})"
    return ""


def _number(word: str) -> str:
    try:
        return str(float(word))
    except ValueError:
        return word


DIFFERENCES: dict[str, Callable[[str], str]] = {
    "Unicode form (composed or decomposed letters)": lambda word: unicodedata.normalize("NFC", word),
    "spaces": lambda word: "".join(word.split()),
    "invisible characters": lambda word: "".join(c for c in word if unicodedata.category(c) not in ("Cc", "Cf")),
    "case": str.casefold,
    "how the number is written": _number,
}
"""What two spellings that look alike may differ in: the name of the difference, and what makes them equal."""


def shown(value: object, most: int = 80) -> str:
    """A value of a file as a message shows it: as Python writes it, and no longer than so many characters."""
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}…"


def comma_list(names: Sequence[str], most: int = 20) -> str:
    """Returns names for a message, separated by commas: the first of many, long ones shortened; "none" of none."""
    plain = (name.isprintable() and len(name) <= _LONGEST_NAME for name in names)
    short = [name if is_plain else f"{name[:_LONGEST_NAME]!r}…" for name, is_plain in zip(names, plain, strict=True)]
    more = [f"{len(names) - most:,} more"] if len(names) > most else []
    return ", ".join([*short[:most], *more]) or "none"


def first_line(error: BaseException) -> str:
    """The first line of a library's message, for use inside one of ours."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
