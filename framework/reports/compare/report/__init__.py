"""A comparison as one self-contained HTML page: sortable tables, figures, and how to reproduce them.

The page loads nothing from a server, and its Content-Security-Policy forbids it. Texts of the runs (labels, notes,
YAML) are escaped, and only the page's own script is allowed.
"""

import base64
import hashlib
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment
from markupsafe import Markup

from framework.reports.compare.comparison import Comparison
from framework.reports.compare.figures.drawing import Drawing
from framework.reports.compare.report.facts import commands, experiments, runs_table, versions_table
from framework.reports.compare.report.tables import tables
from framework.system.atomic_files import write_changed

FILE = "report.html"


def report(comparison: Comparison, drawings: Iterable[Drawing]) -> str:
    """Returns the page: the same for the same runs."""
    runs = [(group.label, group.runs[seed]) for group in comparison.groups for seed in group.seeds]
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    style, script = _part("report.css"), _part("report.js")
    return environment.from_string(_part("report.html.jinja")).render(
        comparison=comparison,
        tables=list(tables(comparison)),
        figures=[{"says": drawing.says, "pages": [_data_uri(svg) for svg in drawing.svgs()]} for drawing in drawings],
        experiments=experiments(runs),
        commands=commands(runs),
        runs=runs_table(runs),
        versions=versions_table(runs),
        # Not escaped, because they are ours; the page's policy allows them by their hashes.
        style=Markup(style),
        script=Markup(script),
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


def write_report(comparison: Comparison, drawings: Iterable[Drawing], folder: str | Path) -> Path:
    """Writes `report.html` into a folder, unless it is unchanged, and returns its path."""
    file = Path(folder) / FILE
    write_changed(file, report(comparison, drawings).encode())
    return file


def _part(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _data_uri(svg: bytes) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
