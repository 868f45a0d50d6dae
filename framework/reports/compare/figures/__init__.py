"""Figures of a comparison, as PDF for papers and as PNG.

matplotlib is imported here and nowhere else: a table does without.
"""

import re
from pathlib import Path

from framework.reports.compare.comparison import Comparison
from framework.reports.compare.figures import averages, by_language, heat_map, scatter
from framework.reports.compare.figures.drawing import Drawing, styled
from framework.reports.compare.figures.style import settle
from framework.system.files import write_changed

FIGURES = (averages.draw, heat_map.draw, by_language.draw, scatter.draw)


def draw_figures(comparison: Comparison) -> list[Drawing]:
    """Draws all figures for which there are figures."""
    with styled():
        drawings = [drawing for draw in FIGURES if (drawing := draw(comparison)) is not None]
        for figure in (page for drawing in drawings for page in drawing.pages):
            settle(figure)
    return drawings


def write_figures(comparison: Comparison, drawings: list[Drawing], folder: str | Path) -> list[Path]:
    """Writes each figure as a PDF and as a PNG; of several pages, a PNG each.

    Args:
        comparison: What is shown.
        drawings: Its figures.
        folder: Where to; it is made when it is not there.

    Returns:
        The files: `<figure>-<metric>.pdf` and `<figure>-<metric>.png`, or `<figure>-<metric>-1.png` and so on. One
        that says the same already is left as it is; pages that an earlier figure had too many are removed.
    """
    files: dict[Path, bytes] = {}
    for drawing in drawings:
        stem = f"{drawing.name}-{comparison.metric}"
        pngs = drawing.pngs()
        files[Path(folder) / f"{stem}.pdf"] = drawing.pdf()
        for place, png in enumerate(pngs):
            files[Path(folder) / (f"{stem}-{place + 1}.png" if len(pngs) > 1 else f"{stem}.png")] = png
        for old in Path(folder).glob(f"{stem}*.png"):
            if old not in files and re.fullmatch(rf"{re.escape(stem)}(-\d+)?\.png", old.name):
                old.unlink()
    for file, content in files.items():
        write_changed(file, content)
    return list(files)
