"""The tables of the report: as in the terminal, but with self-contained rows, because they can be sorted."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from framework.languages import name_of, script_of
from framework.reports.compare.comparison import Comparison
from framework.reports.compare.figures.languages import CONTROL_NAMES, family_label
from framework.reports.compare.groups import Grouping
from framework.reports.compare.layout import (
    MISSING,
    SOURCE,
    STAR,
    cell_text,
    group_sizes,
    macro_text,
    pivoted,
    prefers_wide,
    tall,
    tested_text,
)
from framework.reports.compare.pivot import Pivot
from framework.reports.compare.rows import Row

HEADS = ["combination", "language components"]
"""Headers of the cells that identify a row of the comparison."""


@dataclass(frozen=True)
class Table:
    """A table of texts."""

    name: str
    says: str
    columns: list[str]
    rows: list[list[str]]
    """The first cell of each is its header."""

    @property
    def id(self) -> str:
        """The target of the page's links to it."""
        return self.name.lower().replace(" ", "-")


@dataclass(frozen=True)
class Category:
    """A language, or a group of languages: a column or a row of a table."""

    key: str
    header: str
    """The header of its column."""
    cells: list[str]
    """The first cells of its row."""


def tables(comparison: Comparison) -> Iterator[Table]:
    """Yields all tables: the averages, pivot and groups if requested, and the languages."""
    yield average_table(comparison)
    if comparison.pivot is not None:
        yield pivot_table(comparison.pivot)
    for grouping in comparison.groupings:
        if grouping.groups:
            yield from group_tables(comparison, grouping)
    yield from language_tables(comparison)


def average_table(comparison: Comparison) -> Table:
    """Makes a row for each combination and control, with its average and its difference to the baseline."""
    (_, *averages), _ = tall(comparison.rows, comparison.languages, comparison.baseline)
    columns = [
        *zip(HEADS, *map(_heads, comparison.rows), strict=True),
        ["seeds", *(str(len(row.seeds)) for row in comparison.rows)],
        *averages,
    ]
    header, *rows = map(list, zip(*columns, strict=True))
    says = [f"Macro averages: {comparison.metric.shown}.", *comparison.explained("macro", STAR)]
    return Table("Averages", " ".join(says), header, rows)


def pivot_table(pivot: Pivot) -> Table:
    """Makes a row for each value of one key, and a column for each of another."""
    header, *rows = map(list, zip(*pivoted(pivot), strict=True))
    says = f"Macro averages: {pivot.row_key} (rows) × {pivot.column_key} (columns). Empty: there are no such runs."
    return Table("Pivot", says, [pivot.row_key, *header[1:]], rows)


def group_tables(comparison: Comparison, grouping: Grouping) -> Iterator[Table]:
    """Yields the averages over the groups, and their differences to the baseline."""
    sizes = group_sizes(comparison.rows, grouping)
    groups = [Category(name, f"{name} ({size})", [name, str(size)]) for name, size in sizes.items()]
    columns = [grouping.name, "languages"]

    def average(row: Row, name: str) -> str:
        found = row.groups.get(grouping.name, {}).get(name)
        return macro_text(found.average if found else None)

    def difference(row: Row, name: str) -> str:
        found = row.groups.get(grouping.name, {}).get(name)
        return tested_text(found.tested if found else None)

    says = [f"Macro averages: {comparison.metric.shown}.", *comparison.explained(grouping.name, "In brackets")]
    cells = _crossed(comparison.rows, groups, columns, average)
    yield Table(f"Averages by {grouping.name}", " ".join(says), *cells)
    if comparison.baseline is not None:
        says = [f"Differences to {comparison.baseline} [95 % interval].", *comparison.explained(STAR)]
        cells = _crossed(_compared(comparison), groups, columns, difference)
        yield Table(f"Differences by {grouping.name}", " ".join(says), *cells)


def language_tables(comparison: Comparison) -> Iterator[Table]:
    """Yields the scores of each language, and their differences to the baseline."""
    columns = ["language", "name", "family", "script"]
    languages = [
        Category(code, " ".join(cells[:2]).rstrip(), cells)
        for code in comparison.languages
        for cells in [[code, name_of(code), family_label(code), script_of(code) or ""]]
    ]

    def difference(row: Row, code: str) -> str:
        return tested_text(row.by_language.get(code))

    signs = ("±", SOURCE, STAR, MISSING)
    says = [f"Each language: {comparison.metric.shown}.", *comparison.explained(*signs)]
    cells = _crossed(comparison.rows, languages, columns, lambda row, code: cell_text(row, code, mark=True))
    yield Table("Languages", " ".join(says), *cells)
    if comparison.baseline is not None:
        says = [f"Differences to {comparison.baseline} [95 % interval].", *comparison.explained(STAR)]
        cells = _crossed(_compared(comparison), languages, columns, difference)
        yield Table("Differences by language", " ".join(says), *cells)


def _heads(row: Row) -> list[str]:
    return [row.combination, CONTROL_NAMES[row.control]]


def _compared(comparison: Comparison) -> list[Row]:
    return [row for row in comparison.rows if row.control == "own" and row.combination != comparison.baseline]


def _crossed(
    rows: Sequence[Row], categories: Sequence[Category], columns: list[str], text: Callable[[Row, str], str]
) -> tuple[list[str], list[list[str]]]:
    """Returns header and rows of a table, in which the more numerous of the two become the rows.

    Args:
        rows: The comparison's.
        categories: Languages or groups.
        columns: The headers of the categories' own cells.
        text: Returns the cell of a row and a category's key.
    """
    if prefers_wide(rows, categories):
        header = [*HEADS, *(category.header for category in categories)]
        return header, [[*_heads(row), *(text(row, category.key) for category in categories)] for row in rows]
    header = [*columns, *(row.full_label for row in rows)]
    return header, [[*category.cells, *(text(row, category.key) for row in rows)] for category in categories]
