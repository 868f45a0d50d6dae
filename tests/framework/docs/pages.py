"""The documentation taken apart: its pages, and the headings, links and fenced blocks in them."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.framework.tiny import ROOT

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]
COMMANDS = ("", "sh")
"""What stands behind the fence of a block of commands; output and all else says what it is: `text`, `yaml`, …"""

FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^`\n]*)\n(?P<body>.*?)^ *```$", flags=re.DOTALL | re.MULTILINE)
TITLE = re.compile(r'title="(?P<title>[^"]+)"')
LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    language: str
    title: str
    """The file that it is, where it is a whole one: ```` ```yaml title="mine.yaml" ````."""
    body: str


def page_name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in their order."""
    found = []
    for match in FENCE.finditer(text_of(page)):
        title = TITLE.search(match["info"])
        language = match["info"].partition(" ")[0]
        found.append(Block(language, title["title"] if title else "", textwrap.dedent(match["body"])))
    return found


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return FENCE.sub("", text_of(page))


def inline_code(page: Path) -> list[str]:
    """What stands between backticks in the prose, on one line each."""
    return [" ".join(code.split()) for code in re.findall(r"(?<!`)`([^`]+)`(?!`)", prose(page))]


def commands(page: Path) -> list[str]:
    """The lines of a page's blocks of commands; a line that ends with a backslash goes on in the next."""
    lines: list[str] = []
    for block in blocks(page):
        if block.language in COMMANDS:
            lines += block.body.replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]


def files(page: Path) -> dict[str, str]:
    """The whole files that a page shows, by their names."""
    return {block.title: block.body for block in blocks(page) if block.title}


def links(page: Path) -> list[str]:
    return [match["target"] for match in LINK.finditer(re.sub(r"`[^`]*`", "", prose(page)))]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, of those that GitHub and the site make alike."""
    titles = re.findall(r"^#+ (.+)$", prose(page), flags=re.MULTILINE)
    plain = [re.sub(r"[^\w\s-]", "", title).strip().lower() for title in titles]
    return {re.sub(r"\s", "-", title) for title in plain} & {re.sub(r"[-\s]+", "-", title) for title in plain}


def navigation() -> list[str]:
    """The pages that the site's navigation leads to, in its order."""
    found: list[str] = []

    def walk(entry: object) -> None:
        if isinstance(entry, str):
            found.append(entry)
        for inner in entry.values() if isinstance(entry, dict) else entry if isinstance(entry, list) else ():
            walk(inner)

    walk(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"])
    return found
