"""Tables for LaTeX in the style of booktabs, for a document's `input`; the first line names the packages needed."""

import re
from collections.abc import Iterable

from framework.reports.compare.layout import Grid
from framework.reports.compare.rendering import blocks

PACKAGES = "% needs \\usepackage{booktabs,longtable}, and to be read as UTF-8, as LaTeX does since 2018"
ONE_COLUMN = "% in a document of two columns, \\onecolumn has to stand before the tables that are longer than a page"
LETTERS_PER_LINE = 84
"""Letters on a line of small print; wider tables are split."""
ROWS_PER_PAGE = 40
"""Longer tables are set across pages."""

SIGNS = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "·": r"\textperiodcentered{}",
    "±": r"$\pm$",
    "†": r"\dag{}",
    "→": r"$\rightarrow$",
    "×": r"$\times$",
    "–": "--",
    "…": r"\dots{}",
    "[": "{[}",  # after \\ a bracket would begin an argument
    "]": "{]}",
}


def escape(text: str) -> str:
    """Escapes a text for LaTeX."""
    written = "".join(SIGNS.get(sign, sign) for sign in text)
    return re.sub(r"(?<![\w.-])-(?=[.\d])", r"$-$", written)  # a minus, not a hyphen


def latex(title: str, tables: Iterable[tuple[str, Grid]], legend: Iterable[str]) -> str:
    """Returns tables with captions, which begin with the title, and below them the legend."""
    written = [
        _table(". ".join(part for part in (title, caption) if part), block)
        for caption, grid in tables
        for block in blocks(grid, LETTERS_PER_LINE)
    ]
    items = "\n".join(rf"\item {escape(line)}" for line in legend)
    notes = "\\begin{itemize}\\footnotesize\n" + items + "\n\\end{itemize}"
    head = "\n".join([PACKAGES, ONE_COLUMN])
    return "\n\n".join([head, *written, *([notes] if items else [])]) + "\n"


def _table(caption: str, grid: Grid) -> str:
    headers = [column[0].split("\n") for column in grid]
    height = max(map(len, headers))
    above = [[""] * (height - len(header)) + header for header in headers]
    head = [_line(line) for line in zip(*above, strict=True)]
    body = [_line(line) for line in zip(*(column[1:] for column in grid), strict=True)]
    columns, title = f"l{'r' * (len(grid) - 1)}", escape(caption)
    # The group, or the float, limits these settings to the table.
    small = r"\footnotesize\setlength{\tabcolsep}{4pt}"
    if len(body) <= ROWS_PER_PAGE:  # over both columns, where a document has two
        begin = [r"\begin{table*}\centering" + small, rf"\caption{{{title}}}", rf"\begin{{tabular}}{{{columns}}}"]
        end_of_head, end = [], [r"\end{tabular}", r"\end{table*}"]
    else:
        begin = [r"\begingroup" + small, rf"\begin{{longtable}}{{{columns}}}", rf"\caption{{{title}}}\\"]
        end_of_head, end = [r"\endhead"], [r"\end{longtable}", r"\endgroup"]
    return "\n".join([*begin, r"\toprule", *head, r"\midrule", *end_of_head, *body, r"\bottomrule", *end])


def _line(cells: Iterable[str]) -> str:
    return " & ".join(map(escape, cells)) + r" \\"
