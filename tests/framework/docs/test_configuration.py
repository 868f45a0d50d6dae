"""The configuration reference is that of the schema."""

from __future__ import annotations

import dataclasses
import re

import pytest

from framework.config.schema import Sections
from tests.framework.docs.configuration import GROUPS, PAGE, keys_of, page, sections


def test_the_page_says_what_is() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "make docs writes it anew"


def test_every_key_has_a_row() -> None:
    rows = set(re.findall(r"^\| `(\w+)` \|", page(), flags=re.MULTILINE))
    types = [Sections, *(inner for _, inner in sections(Sections))]
    for group in GROUPS:
        for type_ in group.known.values():
            types += [type_, *(inner for _, inner in sections(type_))]
    assert {field.name for type_ in types for field in dataclasses.fields(type_)} == rows


def test_a_key_without_a_sentence_is_refused() -> None:
    @dataclasses.dataclass
    class Bare:
        """A section."""

        said: int = 1
        """What it is."""
        unsaid: int = 2

    # The module's annotations are texts; those of a class inside a function are found all the same.
    with pytest.raises(ValueError, match="unsaid: no sentence"):
        list(keys_of(Bare, {}))
