"""The scores of each language: bars for few languages, otherwise a line of dots per language, the best on top.

Controls have panels of their own, with the combinations in the same colours.
"""

from collections.abc import Collection, Sequence
from math import ceil, floor
from statistics import fmean
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MultipleLocator

from framework.languages import name_of
from framework.reports.compare.comparison import Comparison
from framework.reports.compare.figures.drawing import Drawing, page, parts, titled
from framework.reports.compare.figures.languages import CONTROL_NAMES, FEW
from framework.reports.compare.figures.style import COLOURS, HATCHES, INK, MARKERS, MISSING, SMALL, SMALLEST, pale_lines
from framework.reports.compare.layout import SOURCE
from framework.reports.compare.score_rows import Row, is_source_everywhere
from framework.results.run_folder import Control

MOST_LANGUAGES = 52
"""Languages on a page with a line for each."""
Panels = dict[Control, dict[int, Row]]
"""By control, and by the combination's index among those of the page."""


def draw(comparison: Comparison) -> Drawing | None:
    """Draws bars or dots; None if no row has a score."""
    if not any(row.cells for row in comparison.rows):
        return None
    few = len(comparison.languages) <= FEW
    combinations = list(dict.fromkeys(row.combination for row in comparison.rows))
    blocks = [
        (chosen, languages)
        for chosen in parts(combinations, len(COLOURS))
        for languages in ([comparison.languages] if few else parts(_best_first(comparison), MOST_LANGUAGES))
    ]
    says = f"{'Bars' if few else 'Dots'}: each combination in each language, controls in panels of their own."
    draw_page = _bars if few else _dots
    pages = [draw_page(comparison, title, *block) for title, block in titled(comparison.title, blocks)]
    return Drawing("languages", says, pages)


def _best_first(comparison: Comparison) -> list[str]:
    """Orders languages by their mean over the combinations, the best first; those without any last."""
    found = {
        code: [row.cells[code].mean for row in comparison.rows if row.control == "own" and code in row.cells]
        for code in comparison.languages
    }
    return sorted(found, key=lambda code: -fmean(found[code] or [-1.0]))


def _panels(comparison: Comparison, combinations: Sequence[str]) -> Panels:
    panels: Panels = {}
    for row in comparison.rows:
        if row.combination in combinations:
            panels.setdefault(row.control, {})[combinations.index(row.combination)] = row
    return panels


def _rows(panels: Panels) -> list[Row]:
    return [row for of_control in panels.values() for row in of_control.values()]


def _name(axes: Axes, control: Control, panels: Panels) -> None:
    if len(panels) > 1:
        axes.set_title(CONTROL_NAMES[control], loc="left", style="normal" if control == "own" else "italic")


def _notes(comparison: Comparison, panels: Panels, languages: Sequence[str], missing: str) -> list[str]:
    gaps = any(row.lacks(code) for row in _rows(panels) for code in languages)
    return [*comparison.explained("±", SOURCE), *([f"{missing}: not tested, or not with all seeds."] if gaps else [])]


def _bars(comparison: Comparison, title: str, combinations: Sequence[str], languages: Sequence[str]) -> Figure:
    panels = _panels(comparison, combinations)
    key = {name: Patch(**_face(index)) for index, name in enumerate(combinations)}
    figure = page(1.7 * len(panels) + 0.5, title, _notes(comparison, panels, languages, "Hatched in grey"), key)
    width = 0.84 / len(combinations)
    least = min([0.0, *(cell.mean - (cell.spread or 0) for row in comparison.rows for cell in row.cells.values())])
    subplots = figure.subplots(len(panels), sharex=True, sharey=True, squeeze=False)[:, 0]
    for axes, (control, rows) in zip(subplots, panels.items(), strict=True):
        pale_lines(axes, "y")
        _name(axes, control, panels)
        axes.set(ylim=(least, 1.03), ylabel=comparison.metric.shown)
        axes.tick_params("x", length=0)
        for index, row in rows.items():
            for x, language in enumerate(languages):
                _bar(axes, x + (index - (len(combinations) - 1) / 2) * width, width, index, row, language)
    names = [f"{code}\n{name_of(code)}".rstrip() for code in languages]
    aslant = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if len(languages) > 6 else {}
    subplots[-1].set_xticks(range(len(languages)), names, **aslant)
    return figure


def _face(index: int) -> dict[str, Any]:
    # A black bar would hide its interval.
    colour = "#BBBBBB" if index == 0 else COLOURS[index]
    return {"facecolor": colour, "hatch": HATCHES[index], "edgecolor": INK, "linewidth": 0.6}


def _bar(axes: Axes, x: float, width: float, index: int, row: Row, language: str) -> None:
    if row.lacks(language):
        axes.bar(x, 1, width, **MISSING)
    if language in row.cells:
        cell = row.cells[language]
        spread = cell.spread or 0
        axes.bar(x, cell.mean, width, **_face(index))
        if spread:
            ends = [cell.mean - spread, cell.mean + spread]
            axes.plot([x, x], ends, "_-", color=INK, linewidth=1, markersize=3)
        if cell.source:
            axes.text(x, cell.mean + spread, SOURCE, ha="center", va="bottom", fontsize=SMALL)


def _dots(comparison: Comparison, title: str, combinations: Sequence[str], languages: Sequence[str]) -> Figure:
    panels = _panels(comparison, combinations)
    key = {name: Line2D([], [], linestyle="", **_marker(index)) for index, name in enumerate(combinations)}
    notes = _notes(comparison, panels, languages, "Hollow at the left edge")
    figure = page(0.13 * len(languages) + 0.8, title, notes, key)
    sources = {code for code in languages if is_source_everywhere(_rows(panels), code)}
    low, high = _range(comparison.rows)
    subplots = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
    for axes, (control, rows) in zip(subplots, panels.items(), strict=True):
        pale_lines(axes, "both")
        _name(axes, control, panels)
        axes.set(xlim=(low, high), ylim=(len(languages) - 0.4, -0.6), xlabel=comparison.metric.shown)
        axes.xaxis.set_major_locator(MultipleLocator(0.2))
        axes.tick_params("y", length=0)
        for index, row in rows.items():
            _dots_of(axes, index, row, languages, sources)
    names = [f"{code}  {name_of(code)} {SOURCE if code in sources else ''}".rstrip() for code in languages]
    subplots[0].set_yticks(range(len(languages)), names)
    return figure


def _range(rows: Sequence[Row]) -> tuple[float, float]:
    """Returns the range of all scores in steps of .1: the same on all pages."""
    cells = [cell for row in rows for cell in row.cells.values()]
    low = min(cell.mean - (cell.spread or 0) for cell in cells)
    high = max(cell.mean + (cell.spread or 0) for cell in cells)
    return floor(low * 10 - 0.1) / 10, ceil(high * 10 + 0.1) / 10


def _marker(index: int) -> dict[str, Any]:
    return {"color": COLOURS[index], "marker": MARKERS[index], "markersize": 3.5, "markeredgewidth": 0.5}


def _dots_of(axes: Axes, index: int, row: Row, languages: Sequence[str], marked: Collection[str]) -> None:
    look = _marker(index)
    found = [(y, row.cells[code]) for y, code in enumerate(languages) if code in row.cells]
    ys, means = [y for y, _ in found], [cell.mean for _, cell in found]
    spreads = [cell.spread or 0 for _, cell in found]
    axes.errorbar(means, ys, xerr=spreads, fmt="none", ecolor=look["color"], elinewidth=0.8, alpha=0.5)
    axes.plot(means, ys, linestyle="", **look)
    gaps = [y for y, code in enumerate(languages) if row.lacks(code)]
    edge = [axes.get_xlim()[0]] * len(gaps)
    axes.plot(edge, gaps, linestyle="", fillstyle="none", clip_on=False, in_layout=False, **look)
    for y, cell in found:
        if cell.source and languages[y] not in marked:
            axes.annotate(SOURCE, (cell.mean, y), (3, 0), textcoords="offset points", va="center", fontsize=SMALLEST)
