"""Figures of a comparison, as PDF for papers and as PNG. Only this folder imports matplotlib."""

import re
from pathlib import Path

from framework.reports.compare.comparison import Comparison
from framework.reports.compare.figures import averages, by_language, heat_map, scatter
from framework.reports.compare.figures.drawing import Drawing, settle, styled
from framework.system.atomic_files import write_changed

FIGURES = (averages.draw, heat_map.draw, by_language.draw, scatter.draw)


def draw_figures(comparison: Comparison) -> list[Drawing]:
    """Draws all figures that have something to show."""
    with styled():
        drawings = [drawing for draw in FIGURES if (drawing := draw(comparison)) is not None]
        for figure in (page for drawing in drawings for page in drawing.pages):
            settle(figure)
    return drawings


def write_figures(comparison: Comparison, drawings: list[Drawing], folder: str | Path) -> list[Path]:
    """Writes the figures of a comparison into a folder, each as a PDF and as a PNG for each page.

    Unchanged files are not rewritten; further pages of an earlier figure are removed.

    Returns:
        The files: `<figure>-<metric>.pdf` and `<figure>-<metric>.png`, or `<figure>-<metric>-1.png` and so on.
    """
    files: dict[Path, bytes] = {}
    for drawing in drawings:
        stem = f"{drawing.name}-{comparison.metric.name}"
        pngs = drawing.pngs()
        files[Path(folder) / f"{stem}.pdf"] = drawing.pdf()
        for number, png in enumerate(pngs, start=1):
            files[Path(folder) / (f"{stem}-{number}.png" if len(pngs) > 1 else f"{stem}.png")] = png
        for old in Path(folder).glob(f"{stem}*.png"):
            if old not in files and re.fullmatch(rf"{re.escape(stem)}(-\d+)?\.png", old.name):
                old.unlink()
    for file, content in files.items():
        write_changed(file, content)
    return list(files)
