"""What goes wrong with data through a mistake that its user can mend."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class DataError(ValueError):
    """A mistake about data, in one line that says where, what and the nearest right spelling."""


class RowError(DataError):
    """A single row that cannot be used; the rows after it may be usable.

    Every check of a single row raises this error, or yields it in the row's place (see `datamodules.row.Rows`), so that
    a caller can report all unusable rows together, or skip them.
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


def nearest(word: str, known: Iterable[str]) -> str:
    """Words for the known spelling nearest to `word`.

    Returns:
        "; did you mean 'sib200'?", or an empty string where nothing is near.
    """
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean '{near[0]}'?" if near else ""


def first_line(error: BaseException) -> str:
    """The first line of a library's message, for use inside one of ours."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
