"""Labels as files hold them: which one a value is, or why it is none of them."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from datamodules.errors import nearest, shown

HIDDEN = {
    "-1": "marks a label that is not published",
    "-": "marks an example without a gold label",
}
"""What is written in place of a label that nobody gives: of test splits whose labels are kept back, and of SNLI's pairs
on whose label its annotators did not agree (Bowman et al. 2015)."""


def index_of(value: Any, labels: Sequence[str], *, numbered: bool) -> int | None:
    """Returns the index of the label that a value means, or None where it is none of them.

    Args:
        value: Of a cell, as the file holds it.
        labels: All that the dataset knows.
        numbered: Whether the value may be a label's number too.
    """
    if isinstance(value, str):
        return labels.index(value) if value in labels else None
    is_number = numbered and isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and value in range(len(labels)) else None


def unknown_label(value: Any, labels: Sequence[str]) -> str:
    """Returns why a value is none of the labels, with the likely cause; the words continue "the column 'label' …".

    Args:
        value: Of a cell, as the file holds it.
        labels: All that the dataset knows.
    """
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return "is empty"
    if isinstance(value, list | tuple | dict | set):
        return f"holds {shown(value)}, but an example has one label"
    written = str(value).strip()
    if written in HIDDEN:
        return f"holds {shown(value)}, which {HIDDEN[written]}"
    known = ", ".join(labels)
    for label in labels:
        if difference := difference_of(written, label):
            return f"holds {shown(value)}, which differs from the label {label!r} only in {difference}; known: {known}"
    return f"holds the unknown label {shown(value)}{nearest(written, labels)}; known: {known}"


def difference_of(written: str, label: str) -> str:
    """Returns in what alone two spellings of one label differ; an empty text where they are different labels."""
    differences = (name for name, spelling in _SPELLINGS.items() if _same(spelling, written, label))
    return next(differences, "")


def first_pair_alike(labels: Iterable[str]) -> tuple[str, str, str] | None:
    """Returns the first two labels that are one label in two spellings, and in what they differ."""
    seen: list[str] = []
    for label in labels:
        for other in seen:
            if difference := difference_of(label, other):
                return other, label, difference
        seen.append(label)
    return None


_SPELLINGS: dict[str, Callable[[str], object]] = {
    "how its letters are encoded (composed or decomposed Unicode)": lambda text: unicodedata.normalize("NFC", text),
    "upper and lower case": str.casefold,
    "white space and Unicode form": lambda text: " ".join(unicodedata.normalize("NFKC", text).split()),
    "how the number is written (a column with gaps makes 1.0 of 1)": float,
}


def _same(spelling: Callable[[str], object], first: str, second: str) -> bool:
    try:
        return first != second and spelling(first) == spelling(second)
    except ValueError:  # it is no number
        return False

