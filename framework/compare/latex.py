"""Tables for LaTeX, in the manner of the package booktabs.

What comes out is read by a document's `input`; its first line says which packages the document needs.
"""

import re
from collections.abc import Iterable

from framework.compare.layout import Grid
from framework.compare.rendering import blocks

PACKAGES = "% needs \\usepackage{booktabs,longtable}, and to be read as UTF-8, as LaTeX does since 2018"
LETTERS_PER_LINE = 84
"""How many letters have room side by side in a column of text, in small print; wider tables come in parts."""

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
    "[": "{[}",  # after \\ a bracket would be taken for an argument
    "]": "{]}",
}


def escape(text: str) -> str:
    """Writes a text as LaTeX shows it."""
    written = "".join(SIGNS.get(sign, sign) for sign in text)
    return re.sub(r"(?<![\w.-])-(?=[.\d])", r"$-$", written)  # a minus, no hyphen


def latex(title: str, tables: Iterable[tuple[str, Grid]], legend: Iterable[str]) -> str:
    """Returns tables, each with its caption, and below them the legend.

    Args:
        title: Said in the caption of each table.
        tables: Caption (it may be empty) and columns.
        legend: Sentences.
    """
    written = [
        _table(". ".join(part for part in (title, caption) if part), block)
        for caption, grid in tables
        for block in blocks(grid, LETTERS_PER_LINE)
    ]
    items = "\n".join(rf"\item {escape(line)}" for line in legend)
    notes = "\\begin{itemize}\\footnotesize\n" + items + "\n\\end{itemize}"
    return "\n\n".join([PACKAGES, *written, *([notes] if items else [])]) + "\n"


def _table(caption: str, grid: Grid) -> str:
    headers = [column[0].split("\n") for column in grid]
    height = max(map(len, headers))
    above = [[""] * (height - len(header)) + header for header in headers]
    head = [_line(line) for line in zip(*above, strict=True)]
    body = [_line(line) for line in zip(*(column[1:] for column in grid), strict=True)]
    # A longtable goes on over the page; the group keeps its print and its spaces to itself.
    return "\n".join(
        [
            r"\begingroup\footnotesize\setlength{\tabcolsep}{4pt}",
            rf"\begin{{longtable}}{{l{'r' * (len(grid) - 1)}}}",
            rf"\caption{{{escape(caption)}}}\\",
            r"\toprule",
            *head,
            r"\midrule",
            r"\endhead",
            *body,
            r"\bottomrule",
            r"\end{longtable}",
            r"\endgroup",
        ]
    )


def _line(cells: Iterable[str]) -> str:
    return " & ".join(map(escape, cells)) + r" \\"
