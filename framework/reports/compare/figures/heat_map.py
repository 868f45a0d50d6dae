"""The heat map: combinations × languages, with the score in each cell.

Few languages are columns; many are rows, grouped by family, on as many pages as necessary.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from framework.languages import name_of
from framework.reports.compare.comparison import Comparison
from framework.reports.compare.figures.drawing import Drawing, page, parts, titled
from framework.reports.compare.figures.languages import FEW, by_family, family_label
from framework.reports.compare.figures.style import GREY, MISSING, SMALL, SMALLEST
from framework.reports.compare.layout import SOURCE, number
from framework.reports.compare.score_rows import Cell, Row

MOST_LANGUAGES = 42
"""Languages on a page, if they are rows."""
MOST_ACROSS, MOST_DOWN = 10, 36
"""Combinations and controls on a page, if they are columns and if they are rows."""
LINE = 0.15
"""Height of a cell in inches."""
MACRO = "macro"
CONTROLS_SAY = "·: the combination before it, tested without its language components or with those of another language."


@dataclass(frozen=True)
class Band:
    """A row or a column of the map: a combination under a control, a language, or the macro average."""

    label: str
    group: str
    """Between bands of different groups is a gap."""
    row: Row | None = None
    """The comparison's row of a combination."""
    language: str = ""
    """Otherwise: the FLORES code, or MACRO."""


def draw(comparison: Comparison) -> Drawing | None:
    """Draws the map; None if no row has a score."""
    rows, languages = comparison.rows, comparison.languages
    if not any(row.cells for row in rows):
        return None
    few = len(languages) <= FEW
    macro = [Band("macro average", MACRO, language=MACRO)] if any(row.macro for row in rows) else []
    between = "\n" if few else "  "
    bands = [
        Band(f"{code}{between}{name_of(code)}".rstrip(), "" if few else family_label(code), language=code)
        for code in (languages if few else by_family(languages))
    ]
    combinations = [Band(row.label, row.combination, row) for row in rows]
    if few:
        blocks = [([*bands, *macro], down) for down in parts(combinations, MOST_DOWN, lambda band: band.group)]
    else:
        blocks = [
            (across, [*(macro if first == 0 else []), *down])
            for across in parts(combinations, MOST_ACROSS, lambda band: band.group)
            for first, down in enumerate(parts(bands, MOST_LANGUAGES))
        ]
    says = f"Heat map: combinations and controls ({len(rows)}) × languages ({len(languages)}), a figure in each cell."
    scale = _scale(rows)
    pages = [_page(comparison, title, *block, scale) for title, block in titled(comparison.title, blocks)]
    return Drawing("heat-map", says, pages)


def _scale(rows: Sequence[Row]) -> Normalize:
    """Returns the scale of all pages, from the lowest to the highest score in steps of .05."""
    means = [cell.mean for row in rows for cell in row.cells.values()]
    low, high = floor(min(means) * 20) / 20, ceil(max(means) * 20) / 20
    return Normalize(low, high if high > low else low + 0.05)


def _page(
    comparison: Comparison, title: str, across: Sequence[Band], down: Sequence[Band], scale: Normalize
) -> Figure:
    xs, ys = _positions(across, 0.045 * len(across)), _positions(down, 0.35)
    labels_across = [_folded(band.label, 26) for band in across]
    labels_down = [_folded(band.label, 46) for band in down]
    upright = len(across) <= 5 and across[0].row is None
    lines = max(label.count("\n") for label in labels_down) + 1
    header = 0.35 if upright else 0.1 + 0.062 * max(len(line) for label in labels_across for line in label.split("\n"))
    line = max(LINE, 0.02 + 0.11 * lines)
    missing = any(_missing(*_pair(x, y)) for x in across for y in down)
    controls = any(band.row is not None and band.row.control != "own" for band in [*across, *down])
    notes = [
        *comparison.explained(MACRO, SOURCE),
        *([CONTROLS_SAY] if controls else []),
        *(["Hatched: not tested, or not with all seeds."] if missing else []),
    ]
    map_height = header + line * (ys[-1] + 1)
    figure = page(map_height + 0.6, title, notes)
    axes, below = figure.subplots(2, height_ratios=[map_height - header, 0.1])
    for x, band_x in zip(xs, across, strict=True):
        for y, band_y in zip(ys, down, strict=True):
            _cell(axes, x, y, *_pair(band_x, band_y), scale)
    axes.set(xlim=(xs[0] - 0.5, xs[-1] + 0.5), ylim=(ys[-1] + 0.5, ys[0] - 0.5))
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, pad=2)
    axes.xaxis.tick_top()
    axes.set_xticks(xs, labels_across, rotation=0 if upright else 90)
    axes.set_yticks(ys, labels_down)
    texts = [*axes.get_xticklabels(), *axes.get_yticklabels()]
    for band, text in zip([*across, *down], texts, strict=True):
        if band.row is not None and band.row.control != "own":
            text.set(color=GREY, style="italic")
    _families(axes, ys, down)
    shades = ScalarMappable(scale, colormaps["viridis"])
    bar = figure.colorbar(shades, cax=below, orientation="horizontal")
    bar.outline.set_visible(False)
    bar.set_label(comparison.metric.shown, fontsize=SMALL)
    return figure


def _folded(label: str, width: int) -> str:
    return "\n".join(textwrap.fill(line, width) for line in label.split("\n"))


def _positions(bands: Sequence[Band], gap: float) -> list[float]:
    """Returns the position of each band, in cells, with a gap between groups."""
    positions = [0.0]
    for before, band in zip(bands, bands[1:], strict=False):
        positions.append(positions[-1] + 1 + (gap if band.group != before.group else 0))
    return positions


def _pair(one: Band, other: Band) -> tuple[Row, str]:
    """Returns the comparison's row and the language where two bands cross."""
    row = one.row or other.row
    assert row is not None
    return row, one.language or other.language


def _missing(row: Row, language: str) -> bool:
    return row.macro is None if language == MACRO else row.lacks(language)


def _cell(axes: Axes, x: float, y: float, row: Row, language: str, scale: Normalize) -> None:
    corner = (x - 0.5, y - 0.5)
    score = row.macro if language == MACRO else row.cells.get(language)
    if score is None:
        if _missing(row, language):
            axes.add_artist(Rectangle(corner, 1, 1, in_layout=False, **MISSING))
        return
    colour = colormaps["viridis"](scale(score.mean))
    axes.add_artist(Rectangle(corner, 1, 1, facecolor=colour, edgecolor="white", linewidth=0.4, in_layout=False))
    # Relative luminance of WCAG 2: the letters are black on light cells and white on dark ones.
    light = 0.2126 * colour[0] ** 2.2 + 0.7152 * colour[1] ** 2.2 + 0.0722 * colour[2] ** 2.2 > 0.18
    text = number(score.mean) + (f" {SOURCE}" if isinstance(score, Cell) and score.source else "")
    axes.text(
        x,
        y,
        text,
        ha="center",
        va="center",
        fontsize=SMALLEST + 0.3,
        color="black" if light else "white",
        weight="bold" if language == MACRO else "normal",
        in_layout=False,  # needs no space outside the axes, and thousands of texts would slow the layout
    )


def _families(axes: Axes, ys: Sequence[float], down: Sequence[Band]) -> None:
    """Names each group of languages at its first row."""
    before = ""
    for y, band in zip(ys, down, strict=True):
        if band.language and band.group not in (before, MACRO):
            at = axes.get_yaxis_transform()
            axes.text(1.01, y, band.group, transform=at, va="center", fontsize=SMALL, color=GREY)
        before = band.group
