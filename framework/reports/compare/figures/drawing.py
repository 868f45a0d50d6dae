"""A figure of one page or several: its layout, and how it becomes a file (the same figure always gives the same bytes).

Figures have their printed size: as wide as the text of an A4 page with margins of 2.5 cm (and of ACL's style), not
higher than a page, and without letters smaller than 6 points. What does not fit goes to another page.
"""

import io
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from math import ceil
from typing import TypeVar
from warnings import catch_warnings, filterwarnings

from matplotlib import style
from matplotlib.artist import Artist
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from framework.reports.compare.figures.style import GREY, NORMAL, SMALL, STYLE, WIDTH

DPI = 200
T = TypeVar("T")
Key = Mapping[str, Artist]
"""The key of a figure: a sample mark by its label."""
KEY_LINE = 0.155
"""Inches."""


@dataclass
class Drawing:
    """A figure; on several pages where one has no room."""

    name: str
    """The name of its files, without the metric."""
    says: str
    """What it shows, for those who cannot see it."""
    pages: list[Figure]

    def pdf(self) -> bytes:
        """Returns all pages as one PDF."""
        out = io.BytesIO()
        with styled(), PdfPages(out, metadata={"CreationDate": None}) as file:
            for figure in self.pages:
                file.savefig(figure)
        return out.getvalue()

    def pngs(self) -> list[bytes]:
        """Returns each page as a PNG."""
        return [_saved(figure, "png", {"Software": None}) for figure in self.pages]

    def svgs(self) -> list[bytes]:
        """Returns each page as an SVG."""
        return [_saved(figure, "svg", {"Date": None, "Creator": None}) for figure in self.pages]


def _saved(figure: Figure, format: str, metadata: dict[str, None]) -> bytes:
    out = io.BytesIO()
    with styled():
        figure.savefig(out, format=format, dpi=DPI, metadata=metadata)
    return out.getvalue()


@contextmanager
def styled() -> Iterator[None]:
    """The settings under which figures are drawn and saved, whatever matplotlibrc the user has."""
    with style.context([STYLE], after_reset=True), catch_warnings():
        # A label in a script that the font lacks shows boxes; the tables have it right.
        filterwarnings("ignore", "Glyph .* missing from font")
        yield


def page(height: float, title: str, notes: Iterable[str], key: Key | None = None, key_columns: int = 1) -> Figure:
    """Makes an empty page with heading, key and notes (a paragraph each); `height` is in inches, without these."""
    heading = _folded([title], NORMAL)
    said = _folded(notes, SMALL)
    above, below = _inches(heading, NORMAL) + 0.06, _inches(said, SMALL) + 0.06
    key_height = KEY_LINE * ceil(len(key) / key_columns) + 0.1 if key else 0.0
    total = above + key_height + height + below
    figure = Figure(figsize=(WIDTH, total), layout=ConstrainedLayoutEngine(rect=(0, below / total, 1, height / total)))
    figure.text(0.01, 1 - 0.04 / total, "\n".join(heading), va="top", fontsize=NORMAL, weight="bold")
    figure.text(0.01, (below - 0.04) / total, "\n".join(said), va="top", fontsize=SMALL, color=GREY)
    if key:
        top = 1 - above / total
        figure.legend(list(key.values()), list(key), loc="upper left", bbox_to_anchor=(0, top), ncols=key_columns)
    return figure


def settle(figure: Figure) -> None:
    """Computes the layout of a page, which is then the same in all formats."""
    figure.draw_without_rendering()
    figure.set_layout_engine(None)  # not "none", whose placeholder draws each page twice when it is saved


def _folded(paragraphs: Iterable[str], size: float) -> list[str]:
    # The letters of DejaVu Sans are 0.56 of its size wide on average; bold ones a little more.
    letters = int(WIDTH * 72 / (size * 0.57))
    return [line for paragraph in paragraphs for line in textwrap.wrap(paragraph, letters)]


def _inches(lines: Sequence[str], size: float) -> float:
    return len(lines) * size * 1.25 / 72


def parts(things: Sequence[T], most: int, whole: Callable[[T], str] | None = None) -> list[list[T]]:
    """Splits a sequence into parts of at most `most` items; neighbours with the same `whole` stay together."""
    units = [[thing] for thing in things] if whole is None else [list(same) for _, same in groupby(things, whole)]
    cut: list[list[T]] = [[]]
    for unit in units:
        if cut[-1] and len(cut[-1]) + len(unit) > most:
            cut.append([])
        cut[-1].extend(unit)
    return cut


def titled(title: str, pages: Sequence[T]) -> Iterator[tuple[str, T]]:
    """Yields each page with its title, numbered if there are several pages."""
    for number, content in enumerate(pages, start=1):
        yield title if len(pages) == 1 else f"{title} · page {number} of {len(pages)}", content
