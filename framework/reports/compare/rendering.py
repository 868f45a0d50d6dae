"""Tables for the terminal, for Markdown and as CSV."""

import csv
import io
import re
import textwrap
from collections.abc import Iterable, Iterator

from rich.table import Table
from rich.text import Text

from framework.reports.compare.layout import Grid

LABEL_WIDTH = 30
"""Longer labels of rows are wrapped in a full table."""


def column_width(column: list[str]) -> int:
    """Returns the width that wraps no cell, nor a header within a word."""
    words = [len(word) for word in column[0].split()]
    return max([0, *words, *(len(cell) for cell in column[1:])])


def fits(grid: Grid, width: int) -> bool:
    """Says whether a table is not wider than `width`."""
    return sum(column_width(column) + 2 for column in grid[1:]) + LABEL_WIDTH <= width


def blocks(grid: Grid, width: int) -> Iterator[Grid]:
    """Splits a table into ones that fit the width; each repeats the first column."""
    first, *rest = grid
    block: Grid = []
    left = room = width - min(column_width(first), LABEL_WIDTH) - 2
    for column in rest:
        needed = column_width(column) + 2
        if block and needed > left:
            yield [first, *block]
            block, left = [], room
        block.append(column)
        left -= needed
    yield [first, *block]


def rich_table(grid: Grid) -> Table:
    """Makes a table for the terminal without wrapped cells."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in grid:
        width = max(column_width(column), 1)
        header = [part for line in column[0].split("\n") for part in textwrap.wrap(line, width)]
        table.add_column(Text("\n".join(header)))
    for cells in zip(*(column[1:] for column in grid), strict=True):
        table.add_row(*map(Text, cells))  # Text, because "[...]" in a label is no markup
    return table


def markdown_table(grid: Grid) -> str:
    """Makes a table for Markdown."""
    lines = [
        "| " + " | ".join(escape(cell).replace("\n", "<br>") for cell in line) + " |"
        for line in zip(*grid, strict=True)
    ]
    rule = "|" + "---|" * len(grid)
    return "\n".join([lines[0], rule, *lines[1:]])


def escape(text: str) -> str:
    """Escapes Markdown's signs in a text."""
    return re.sub(r"([|*\\])", r"\\\1", text)


def csv_text(header: Iterable[object], lines: Iterable[Iterable[object]]) -> str:
    """Formats a table as CSV; None is empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(lines)
    return out.getvalue()
