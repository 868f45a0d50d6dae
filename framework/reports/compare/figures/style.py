"""Common layout of all figures: size, colours that the colour-blind can distinguish, heading and notes.

Figures have their printed size: as wide as the text of an A4 page with margins of 2.5 cm (and of ACL's style), not
higher than a page, and without letters smaller than 6 points. What does not fit goes to another page.
"""

import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from math import ceil
from typing import Any, Literal, TypeVar

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

WIDTH = 6.3
"""Inches."""
NORMAL, SMALL, SMALLEST = 8.0, 7.0, 6.0
"""Points."""

# Okabe and Ito, Color Universal Design, 2008; black first, for the baseline, and yellow last, because it is faint on
# paper.
COLOURS = ("#000000", "#E69F00", "#0072B2", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#F0E442")
# Each colour has its own marker and hatch.
MARKERS = ("o", "D", "s", "^", "v", "P", "X", "h")
HATCHES = ("", "////", "....", "\\\\\\\\", "xxxx", "----", "oo", "++++")
GREY = "#666666"
PALE = "#D9D9D9"
MISSING: dict[str, Any] = {"facecolor": "white", "edgecolor": "#AAAAAA", "hatch": "//////", "linewidth": 0}
"""Style of missing values."""
INK = "#333333"

STYLE: dict[str, Any] = {
    "font.size": NORMAL,
    "axes.titlesize": NORMAL,
    "axes.labelsize": NORMAL,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "legend.borderaxespad": 0.0,
    "legend.labelspacing": 0.3,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "hatch.linewidth": 0.5,
    "text.parse_math": False,  # a label with two dollar signs is no formula
    "pdf.fonttype": 42,  # TrueType: publishers refuse matplotlib's own, Type 3
    "svg.fonttype": "path",  # the page that shows it may not have the font
    "svg.hashsalt": "modulingua",  # otherwise its ids are random
}
"""Overrides matplotlib's defaults; the user's own settings are ignored."""

T = TypeVar("T")
Key = Mapping[str, Artist]
"""The key of a figure: a sample mark by its label."""
KEY_LINE = 0.155
"""Inches."""


def page(height: float, title: str, notes: Iterable[str], key: Key | None = None, key_columns: int = 1) -> Figure:
    """Makes an empty page with heading, key and notes (a paragraph each); `height` is in inches, without these."""
    heading = _folded([title], NORMAL)
    said = _folded(notes, SMALL)
    above, below = _inches(heading, NORMAL) + 0.06, _inches(said, SMALL) + 0.06
    key_height = KEY_LINE * ceil(len(key) / key_columns) + 0.1 if key else 0.0
    total = above + key_height + height + below
    figure = Figure(
        figsize=(WIDTH, total),
        layout=ConstrainedLayoutEngine(rect=(0, below / total, 1, height / total)),
    )
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


def pale_lines(axes: Axes, along: Literal["x", "y", "both"]) -> None:
    """Draws pale grid lines in the background, at the ticks of one axis or both."""
    axes.grid(axis=along, color=PALE, linewidth=0.5)
    axes.set_axisbelow(True)
