"""The pages hang together: the navigation has them all, links lead somewhere, and the site builds."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from tests.framework.docs.pages import (
    COMMANDS,
    DOCS,
    PAGES,
    anchors,
    blocks,
    links,
    navigation,
    page_name,
    prose,
    text_of,
)
from tests.framework.tiny import ROOT

EVERY_PAGE = pytest.mark.parametrize("page", PAGES, ids=page_name)
README_LINES = 110


def test_the_navigation_has_every_page_once() -> None:
    assert sorted(navigation()) == sorted(page.name for page in DOCS.glob("*.md"))


@EVERY_PAGE
def test_links_lead_somewhere(page: Path) -> None:
    dead = []
    for target in links(page):
        parts = urlsplit(target)
        if parts.scheme:
            if parts.scheme not in ("http", "https") or "." not in parts.netloc:
                dead.append(target)
            continue
        file = (page.parent / parts.path).resolve() if parts.path else page
        if not file.exists() or (parts.fragment and parts.fragment not in anchors(file)):
            dead.append(target)
        if page.parent == DOCS and not file.is_relative_to(DOCS):
            dead.append(f"{target} (the site holds docs/ alone: name the file without a link)")
    assert dead == []


def test_dead_links_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One two\n[a](page.md#one-two) [b](page.md#three) [c](gone.md)\n```\n[d](in-a-block.md)\n```\n")
    assert links(page) == ["page.md#one-two", "page.md#three", "gone.md"]
    assert anchors(page) == {"one-two"}


@EVERY_PAGE
def test_fences_are_paired_and_say_what_they_hold(page: Path) -> None:
    assert not re.search(r"^ *```", prose(page), flags=re.MULTILINE), "a fence that is not closed"
    for block in blocks(page):
        if block.language == "yaml":
            yaml.safe_load(block.body)
        if block.language not in COMMANDS:
            hidden = re.findall(r"^\s*(?:\$ )?(?:\.venv/bin/)?(?:modulingua|make) \w.*", block.body, flags=re.MULTILINE)
            assert hidden == [], "commands stand in a block of their own, which the tests run"


def test_the_readme_stays_short() -> None:
    assert len(text_of(ROOT / "README.md").splitlines()) <= README_LINES


def test_the_site_builds_strictly(tmp_path: Path) -> None:
    """Zensical checks links and anchors its own way, as the site will have them."""
    pytest.importorskip("zensical", reason="no zensical: pip install -e '.[docs]'")
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    shutil.copytree(DOCS, tmp_path / "docs")
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--config-file", str(tmp_path / "mkdocs.yml")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    built = {file.stem for file in (tmp_path / "site").glob("*.html")}
    assert {Path(page).stem for page in navigation()} <= built
