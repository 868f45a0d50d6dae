"""Macro averages as bars, each with its interval."""

import textwrap
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from framework.reports.compare.comparison import Comparison
from framework.reports.compare.figures.drawing import Drawing, page, parts, titled
from framework.reports.compare.figures.languages import CONTROL_NAMES
from framework.reports.compare.figures.style import GREY, INK, MISSING, SMALL, pale_lines
from framework.reports.compare.layout import STAR, macro_text
from framework.reports.compare.score_rows import Row
from framework.results.run_folder import Control

MOST = 36
"""Rows on a page."""
LOOKS: dict[Control, dict[str, Any]] = {
    "own": {"facecolor": "#56B4E9", "edgecolor": INK, "linewidth": 0.5},
    "none": {"facecolor": "white", "edgecolor": INK, "linewidth": 0.5, "hatch": "\\\\\\"},
    "wrong": {"facecolor": "white", "edgecolor": INK, "linewidth": 0.5, "hatch": "....."},
}


def draw(comparison: Comparison) -> Drawing | None:
    """Draws the bars; None if no row has an average."""
    if not any(row.macro for row in comparison.rows):
        return None
    pages = parts(comparison.rows, MOST, lambda row: row.combination)
    drawn = [_page(comparison, title, rows) for title, rows in titled(comparison.title, pages)]
    return Drawing("averages", "Bars: macro averages with 95 % intervals.", drawn)


def _page(comparison: Comparison, title: str, rows: Sequence[Row]) -> Figure:
    labels = [textwrap.fill(row.label, 36) for row in rows]
    height = 0.55 + sum(0.08 + 0.12 * (1 + label.count("\n")) for label in labels)
    notes = comparison.explained("macro", "·", STAR)
    if any(row.macro is None for row in rows):
        notes.append("Hatched in grey: no average, for not all is tested.")
    controls = dict.fromkeys(row.control for row in rows)
    key = {CONTROL_NAMES[control]: Patch(**LOOKS[control]) for control in controls} if len(controls) > 1 else None
    figure = page(height, title, notes, key, key_columns=3)
    _bars(figure.subplots(), comparison, rows, labels)
    return figure


def _bars(axes: Axes, comparison: Comparison, rows: Sequence[Row], labels: Sequence[str]) -> None:
    pale_lines(axes, "x")
    least = min([0.0, *(row.macro.low for row in comparison.rows if row.macro is not None)])
    axes.set(xlim=(least, 1), ylim=(len(rows) - 0.4, -0.6), xlabel=f"{comparison.metric.shown}, macro average")
    axes.set_yticks(range(len(rows)), labels)
    axes.tick_params("y", length=0)
    for y, (row, label) in enumerate(zip(rows, axes.get_yticklabels(), strict=True)):
        if row.control != "own":
            label.set(color=GREY, style="italic")
        if row.macro is None:
            axes.barh(y, 1, 0.7, **MISSING)
            continue
        mean, low, high = row.macro.mean, row.macro.low, row.macro.high
        axes.barh(y, mean, 0.7, **LOOKS[row.control])
        axes.plot([low, high], [y, y], "|-", color="black", linewidth=1.2, markersize=5)
        text = macro_text(row.macro)
        if row.difference is not None and row.difference.significant:
            text += f" {STAR}"
        if row.combination == comparison.baseline and row.control == "own":
            axes.axvline(mean, color=GREY, linestyle="--", linewidth=0.8, zorder=0.9)
            text += " baseline"
        axes.text(1.02, y, text, transform=axes.get_yaxis_transform(), va="center", fontsize=SMALL)
