"""Scores as text in grids: few languages are columns, many are rows."""

from collections.abc import Callable, Collection, Mapping, Sequence

from framework.languages import name_of
from framework.reports.compare.groups import Grouping
from framework.reports.compare.pivot import Pivot
from framework.reports.compare.score_rows import Row, Tested, is_source_everywhere
from framework.results.statistics import MacroAverage

Grid = list[list[str]]
"""A table by columns; the first item of each is its header."""
CellText = Callable[[Row, str], str]
"""Returns the cell of a row and a language or group."""
MISSING = "–"
SOURCE = "†"
STAR = "*"
MOST_LANGUAGE_COLUMNS = 10
"""With more languages than these, they are rows."""
MOST_GROUP_COLUMNS = 6
"""With more groups than these, they are rows."""
LONGEST_NAME = 14
"""Longer names of languages are left out of headers."""


def prefers_wide(rows: Sequence[Row], languages: Collection[str]) -> bool:
    """Says whether languages (or groups) should be columns."""
    return len(languages) <= min(MOST_LANGUAGE_COLUMNS, len(rows))


def crossed(
    rows: Sequence[Row], text: CellText, labels: Grid, headers: Mapping[str, str], names: Grid, wide: bool
) -> Grid:
    """Makes a table of rows × languages or groups.

    Args:
        rows: The comparison's.
        text: Returns the text of a cell.
        labels: The first columns, which name the rows, if languages are columns.
        headers: The header of each language's column.
        names: The first columns, which name the languages, if they are rows.
        wide: Whether languages are columns.
    """
    if wide:
        return [*labels, *([header, *(text(row, key) for row in rows)] for key, header in headers.items())]
    return [*names, *([row.full_label, *(text(row, key) for key in headers)] for row in rows)]


def by_language(rows: Sequence[Row], languages: Sequence[str], baseline: str | None, wide: bool) -> list[Grid]:
    """Makes a wide table of all, or one of the macro averages and one with a row for each language."""
    marks = {code: f" {SOURCE}" if is_source_everywhere(rows, code) else "" for code in languages}
    short = {code: name_of(code) if len(name_of(code)) <= LONGEST_NAME else "" for code in languages}
    headers = {code: f"{code}{mark}\n{short[code]}".rstrip() for code, mark in marks.items()}
    names = ["", *(f"{code}  {name_of(code)}".rstrip() + mark for code, mark in marks.items())]

    def text(row: Row, code: str) -> str:
        return cell_text(row, code, mark=not marks[code])

    labels, averages = _labels(rows), summary(rows, baseline)
    scores = crossed(rows, text, labels, headers, [names], wide)
    return [scores + averages] if wide else [labels + averages, scores]


def grouped(rows: Sequence[Row], grouping: Grouping, baseline: str | None) -> list[Grid]:
    """Makes a table of the averages over the groups of a grouping, and one of their differences to the baseline."""
    average, difference = group_texts(grouping)
    averages = _by_group(rows, grouping, average)
    return [averages] if baseline is None else [averages, _by_group(compared(rows, baseline), grouping, difference)]


def group_texts(grouping: Grouping) -> tuple[CellText, CellText]:
    """Returns the texts of averages over groups, and of their differences to the baseline."""

    def average(row: Row, name: str) -> str:
        found = row.groups.get(grouping.name, {}).get(name)
        return macro_text(found.average if found else None)

    def difference(row: Row, name: str) -> str:
        found = row.groups.get(grouping.name, {}).get(name)
        return tested_text(found.tested if found else None)

    return average, difference


def compared(rows: Sequence[Row], baseline: str) -> list[Row]:
    """Returns the rows that are compared to the baseline."""
    return [row for row in rows if row.control == "own" and row.combination != baseline]


def group_sizes(rows: Sequence[Row], grouping: Grouping) -> dict[str, int]:
    """Returns the groups that any row has an average over, and their numbers of languages."""
    found = [row.groups.get(grouping.name, {}) for row in rows]
    sizes = {
        name: max((len(groups[name].languages) for groups in found if name in groups), default=0)
        for name in grouping.groups
    }
    return {name: size for name, size in sizes.items() if size}


def _by_group(rows: Sequence[Row], grouping: Grouping, text: CellText) -> Grid:
    headers = {name: f"{name}\n({size})" for name, size in group_sizes(rows, grouping).items()}
    names = ["", *(header.replace("\n", " ") for header in headers.values())]
    return crossed(rows, text, _labels(rows), headers, [names], wide=len(headers) <= MOST_GROUP_COLUMNS)


def pivoted(pivot: Pivot) -> Grid:
    """Makes a table of macro averages, rows × columns; empty where there are no such runs."""
    columns = [["", *pivot.rows]]
    for column in pivot.columns:
        cells = [pivot.cells.get((row, column)) for row in pivot.rows]
        columns.append([column, *("" if cell is None else macro_text(cell.average) for cell in cells)])
    return columns


def _labels(rows: Sequence[Row]) -> Grid:
    return [["", *(row.label for row in rows)]]


def summary(rows: Sequence[Row], baseline: str | None) -> Grid:
    """Returns the columns of the macro averages and of their differences to the baseline."""
    columns = [["macro (95 %)", *(macro_text(row.macro) for row in rows)]]
    if baseline is not None:
        columns.append([f"over {baseline}", *(_over_baseline(row, baseline) for row in rows)])
    return columns


def _over_baseline(row: Row, baseline: str) -> str:
    if row.control != "own":
        return ""
    if row.combination == baseline:
        return "baseline"
    return tested_text(row.difference)


def cell_text(row: Row, language: str, mark: bool) -> str:
    """Returns a cell's text; with `mark`, a language that the task was trained on is marked."""
    cell = row.cells.get(language)
    if cell is None:
        return MISSING if row.lacks(language) else ""
    text = number(cell.mean)
    if cell.spread is not None:
        text += f" ± {number(cell.spread)}"
    if cell.source and mark:
        text += f" {SOURCE}"
    tested = row.by_language.get(language)
    return f"{text} {STAR}" if tested is not None and tested.significant else text


def number(value: float) -> str:
    """Formats three decimals without the leading zero: `.912`, `1.000`, `-.012`."""
    text = f"{value:.3f}".replace("-0.", "-.")
    return ".000" if text == "-.000" else text.removeprefix("0")


def signed(value: float) -> str:
    """Formats three decimals with a sign: `+.912`, `-.012`."""
    text = number(value)
    return text if text.startswith("-") or text == ".000" else f"+{text}"


def macro_text(macro: MacroAverage | None) -> str:
    """Returns an average's text, with its interval."""
    if macro is None:
        return MISSING
    return f"{number(macro.mean)} [{number(macro.low)}, {number(macro.high)}]"


def tested_text(tested: Tested | None) -> str:
    """Returns a tested difference's text, with a star where it is significant."""
    if tested is None:
        return MISSING
    found = tested.difference
    interval = f"[{signed(found.low)}, {signed(found.high)}]"
    return f"{signed(found.mean)} {interval}{f' {STAR}' if tested.significant else ''}"
