"""The tables of the report: as in the terminal, but with self-contained rows, because they can be sorted."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from framework.languages import name_of, script_of
from framework.reports.compare import layout
from framework.reports.compare.comparison import Comparison
from framework.reports.compare.figures.languages import CONTROL_NAMES, family_label
from framework.reports.compare.groups import Grouping
from framework.reports.compare.layout import CellText, Grid
from framework.reports.compare.pivot import Pivot
from framework.reports.compare.score_rows import Row


@dataclass(frozen=True)
class Table:
    """A table of texts."""

    name: str
    says: str
    columns: list[str]
    rows: list[list[str]]
    """The first cell of each is its header."""

    @classmethod
    def of(cls, name: str, says: Iterable[str], grid: Grid) -> "Table":
        """Makes a table from its columns and sentences about it."""
        header, *rows = map(list, zip(*grid, strict=True))
        return cls(name, " ".join(says), header, rows)

    @property
    def id(self) -> str:
        """The target of the page's links to it."""
        return self.name.lower().replace(" ", "-")


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
    seeds = ["seeds", *(str(len(row.seeds)) for row in comparison.rows)]
    says = [f"Macro averages: {comparison.metric.shown}.", *comparison.explained("macro", layout.STAR)]
    grid = [*_labels(comparison.rows), seeds, *layout.summary(comparison.rows, comparison.baseline)]
    return Table.of("Averages", says, grid)


def pivot_table(pivot: Pivot) -> Table:
    """Makes a row for each value of one key, and a column for each of another."""
    (_, *names), *columns = layout.pivoted(pivot)
    says = f"Macro averages: {pivot.row_key} (rows) × {pivot.column_key} (columns). Empty: there are no such runs."
    return Table.of("Pivot", [says], [[pivot.row_key, *names], *columns])


def group_tables(comparison: Comparison, grouping: Grouping) -> Iterator[Table]:
    """Yields the averages over the groups, and their differences to the baseline."""
    sizes = layout.group_sizes(comparison.rows, grouping)
    headers = {name: f"{name} ({size})" for name, size in sizes.items()}
    names = [[grouping.name, *sizes], ["languages", *map(str, sizes.values())]]
    average, difference = layout.group_texts(grouping)
    says = [f"Macro averages: {comparison.metric.shown}.", *comparison.explained(grouping.name, "In brackets")]
    yield Table.of(f"Averages by {grouping.name}", says, _crossed(comparison.rows, average, headers, names))
    yield from _differences(comparison, grouping.name, difference, headers, names)


def language_tables(comparison: Comparison) -> Iterator[Table]:
    """Yields the scores of each language, and their differences to the baseline."""
    codes = comparison.languages
    headers = {code: f"{code} {name_of(code)}".rstrip() for code in codes}
    names = [
        ["language", *codes],
        ["name", *map(name_of, codes)],
        ["family", *map(family_label, codes)],
        ["script", *(script_of(code) or "" for code in codes)],
    ]

    def score(row: Row, code: str) -> str:
        return layout.cell_text(row, code, mark=True)

    def difference(row: Row, code: str) -> str:
        return layout.tested_text(row.by_language.get(code))

    signs = ("±", layout.SOURCE, layout.STAR, layout.MISSING)
    says = [f"Each language: {comparison.metric.shown}.", *comparison.explained(*signs)]
    yield Table.of("Languages", says, _crossed(comparison.rows, score, headers, names))
    yield from _differences(comparison, "language", difference, headers, names)


def _differences(
    comparison: Comparison, by: str, text: CellText, headers: Mapping[str, str], names: Grid
) -> Iterator[Table]:
    if comparison.baseline is not None:
        says = [f"Differences to {comparison.baseline} [95 % interval].", *comparison.explained(layout.STAR)]
        rows = layout.compared(comparison.rows, comparison.baseline)
        yield Table.of(f"Differences by {by}", says, _crossed(rows, text, headers, names))


def _crossed(rows: Sequence[Row], text: CellText, headers: Mapping[str, str], names: Grid) -> Grid:
    return layout.crossed(rows, text, _labels(rows), headers, names, layout.prefers_wide(rows, headers))


def _labels(rows: Sequence[Row]) -> Grid:
    controls = (CONTROL_NAMES[row.control] for row in rows)
    return [["combination", *(row.combination for row in rows)], ["language components", *controls]]
