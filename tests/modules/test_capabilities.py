"""The page on what works on what is true."""

from __future__ import annotations

from pathlib import Path

from modules import components
from tests.modules.capabilities import PAGE, table
from tests.modules.slots import CONFIGS


def test_the_page_says_what_is(tmp_path: Path) -> None:
    assert set(CONFIGS) == set(components.CONFIGS)
    assert PAGE.read_text(encoding="utf-8") == table(tmp_path), "make capabilities writes it anew"
