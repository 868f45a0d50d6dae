"""Labels as files hold them: which one a value is, or why it is none of them."""

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from datamodules.errors import DIFFERENCES, comma_list, nearest, shown

HIDDEN = {"-1": "marks a label that is not published", "-": "marks an example without a gold label"}
"""What is written in place of a label that nobody gives: of test splits whose labels are kept back, and of SNLI's pairs
on whose label its annotators did not agree (Bowman et al. 2015)."""

_NUMBER = re.compile("[0-9]{1,9}")


def index_of(value: Any, labels: Sequence[str], *, numbered: bool) -> int | None:
    """Returns the index of the label that a cell names, or numbers where labels are `numbered`; None if it is none."""
    if isinstance(value, str):
        if value not in labels:  # at most in another Unicode form
            value, labels = in_one_form(value), [in_one_form(label) for label in labels]
        return labels.index(value) if value in labels else None
    is_number = numbered and isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and value in range(len(labels)) else None


def named(value: Any, labels: Sequence[str]) -> Any:
    """Turns the number of a label, or a list of such numbers, into names. In CSV and TSV a number is a text.

    Returns:
        The name or names; what is not the number of a label stays as it is, so that it is refused later. A fraction is
        none, whole or not: nothing is rounded.
    """
    if isinstance(value, list):
        return [named(entry, labels) for entry in value]
    number = int(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value
    return labels[number] if type(number) is int and number in range(len(labels)) else value


def unknown_label(value: Any, labels: Sequence[str], *, numbered: bool = False) -> str:
    """Returns why a cell holds none of the labels, with the likely cause; the words continue "the column 'label' …"."""
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return "is empty"
    if isinstance(value, list | tuple | dict | set):
        return f"holds {shown(value)}, but an example has one label"
    written = str(value).strip()
    if written in HIDDEN:
        return f"holds {shown(value)}, which {HIDDEN[written]}"
    if numbered and isinstance(value, str | float) and written.removesuffix(".0").isdecimal():
        kind = "a text" if isinstance(value, str) else "a fraction (whole numbers in a column with gaps become such)"
        return f"holds {shown(value)}, which is {kind}, not the number of a label"
    return f"holds the unknown label {shown(value)}{nearest(written, labels)}; known: {comma_list(labels)}"


def in_one_form(label: str) -> str:
    """Returns a label in the Unicode form in which labels are compared: files and editors write é in two ways."""
    return unicodedata.normalize("NFC", label)


def first_pair_alike(labels: Iterable[str]) -> tuple[str, str, str] | None:
    """Returns two labels that may be one in two spellings, and in what they differ; None if there are no such two."""
    labels = list(labels)
    for difference, normalized in DIFFERENCES.items():
        found: dict[str, str] = {}
        for label in labels:
            if (other := found.setdefault(normalized(label), label)) != label:
                return other, label, difference
    return None
