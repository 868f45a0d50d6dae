"""Common style of all figures: sizes, colours that the colour-blind can distinguish, grid lines."""

from typing import Any, Literal

from matplotlib.axes import Axes

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


def pale_lines(axes: Axes, along: Literal["x", "y", "both"]) -> None:
    """Draws pale grid lines in the background, at the ticks of one axis or both."""
    axes.grid(axis=along, color=PALE, linewidth=0.5)
    axes.set_axisbelow(True)
