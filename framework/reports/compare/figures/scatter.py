"""Scatter plots of two combinations, a dot per language: above the diagonal the one on the y axis is better."""

import textwrap
from collections import Counter
from collections.abc import Sequence
from math import ceil, floor

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MultipleLocator

from framework.languages import script_of
from framework.reports.compare.comparison import Comparison
from framework.reports.compare.figures.drawing import Drawing, page, parts, titled
from framework.reports.compare.figures.languages import FEW, family_label
from framework.reports.compare.figures.style import COLOURS, GREY, MARKERS, SMALL, SMALLEST, pale_lines
from framework.reports.compare.layout import SOURCE
from framework.reports.compare.score_rows import Row

MOST = 6
"""Plots on a page."""
ACROSS = 2
OTHERS = "other families"
EXTREMES = 2
"""Number of languages with the greatest gain, and with the greatest loss, that are named."""


def draw(comparison: Comparison) -> Drawing | None:
    """Draws each combination against the baseline, or else the first combination; None if there are no others."""
    own = [row for row in comparison.rows if row.control == "own" and row.cells]
    own.sort(key=lambda row: row.combination != comparison.baseline)  # the baseline first, if it is there
    others = [row for row in own[1:] if row.cells.keys() & own[0].cells.keys()]
    if not others:
        return None
    reference = own[0]
    says = f"Scatter: other combinations against {reference.combination}, a dot a language, with the diagonal."
    pages = titled(comparison.title, parts(others, MOST))
    return Drawing("scatter", says, [_page(comparison, title, reference, rows) for title, rows in pages])


def _page(comparison: Comparison, title: str, reference: Row, rows: Sequence[Row]) -> Figure:
    looks = _looks(comparison.languages)
    across = min(len(rows), ACROSS)
    side = {1: 4.4, 2: 2.6}[across]
    notes = [
        f"Above the diagonal: better than {reference.combination}. Filled: Latin script; hollow: another.",
        *comparison.explained(SOURCE),
    ]
    key = {
        family: Line2D([], [], linestyle="", color=colour, marker=marker, markersize=4)
        for family, (colour, marker) in looks.items()
    }
    figure = page((side + 0.35) * ceil(len(rows) / across), title, notes, key, key_columns=4)
    panels = figure.subplots(ceil(len(rows) / across), across, squeeze=False).ravel()
    means = [row.cells[code].mean for row in (reference, *rows) for code in row.cells]
    low, high = floor(min(means) * 10 - 0.1) / 10, ceil(max(means) * 10 + 0.1) / 10
    for axes, row in zip(panels, rows, strict=False):
        pale_lines(axes, "both")
        axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
        axes.xaxis.set_major_locator(MultipleLocator(0.2))
        axes.yaxis.set_major_locator(MultipleLocator(0.2))
        axes.plot([low, high], [low, high], "--", color=GREY, linewidth=0.8)
        axes.set_xlabel(textwrap.fill(reference.combination, 44), fontsize=SMALL)
        axes.set_ylabel(textwrap.fill(row.combination, 44), fontsize=SMALL)
        both = [code for code in reference.cells if code in row.cells]
        _dots(axes, reference, row, both, looks)
        named = _named(reference, row, both, FEW if len(comparison.languages) <= FEW else EXTREMES)
        _names(axes, reference, row, named, points=side * 72 / (high - low))
    for axes in panels[len(rows) :]:
        axes.set_visible(False)
    return figure


def _looks(languages: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Returns colour and marker of each family; small families share the last ones."""
    sizes = Counter(map(family_label, languages)).most_common()
    large = [family for family, _ in sizes]
    if len(large) > len(COLOURS):
        large = [*large[: len(COLOURS) - 1], OTHERS]
    order = COLOURS[1:] + COLOURS[:1]  # black for the small families
    return dict(zip(large, zip(order, MARKERS, strict=True), strict=False))


def _dots(axes: Axes, x: Row, y: Row, languages: Sequence[str], looks: dict[str, tuple[str, str]]) -> None:
    for code in languages:
        colour, marker = looks.get(family_label(code)) or looks[OTHERS]
        fill = "full" if script_of(code) == "Latn" else "none"
        at = x.cells[code].mean, y.cells[code].mean
        axes.plot(*at, marker, markersize=3.5, markeredgewidth=0.8, color=colour, fillstyle=fill)


def _named(x: Row, y: Row, languages: Sequence[str], extremes: int) -> dict[str, str]:
    """Returns the labels of the languages with the greatest gains and losses, and of the sources."""
    by_gain = sorted(languages, key=lambda code: y.cells[code].mean - x.cells[code].mean)
    sources = [code for code in languages if x.cells[code].source or y.cells[code].source]
    losses = [code for code in by_gain[:extremes] if y.cells[code].mean < x.cells[code].mean]
    gains = [code for code in by_gain[-extremes:] if y.cells[code].mean > x.cells[code].mean]
    chosen = dict.fromkeys([*losses, *gains, *sources])
    return {code: f"{code} {SOURCE}" if code in sources else code for code in chosen}


def _names(axes: Axes, x: Row, y: Row, named: dict[str, str], points: float) -> None:
    """Writes names away from the diagonal without overlaps; `points` is the length of 1 on the axes."""
    for is_gain in (True, False):
        chosen = [code for code in named if (y.cells[code].mean > x.cells[code].mean) == is_gain]
        lowest = float("-inf")
        for code in sorted(chosen, key=lambda code: y.cells[code].mean):
            at = x.cells[code].mean, y.cells[code].mean
            height = lowest = max(at[1] * points, lowest + SMALLEST + 1)
            axes.annotate(
                named[code],
                at,
                (-5 if is_gain else 5, height - at[1] * points),
                textcoords="offset points",
                ha="right" if is_gain else "left",
                va="center",
                fontsize=SMALLEST,
                in_layout=False,
            )
