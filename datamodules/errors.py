"""What goes wrong with data through a mistake that its user can mend."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class DataError(ValueError):
    """A mistake about data, in one line that says where, what and the nearest right spelling."""


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
