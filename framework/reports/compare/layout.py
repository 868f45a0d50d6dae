"""Scores as text in grids: few languages are columns, many are rows."""

from collections.abc import Callable, Sequence

from framework.languages import name_of
from framework.reports.compare.groups import Grouping
from framework.reports.compare.pivot import Pivot
from framework.reports.compare.rows import GroupAverage, Row, Tested, is_source_everywhere
from framework.results.statistics import MacroAverage

Grid = list[list[str]]
"""A table by columns; the first item of each is its header."""
MISSING = "–"
SOURCE = "†"
STAR = "*"
MOST_LANGUAGE_COLUMNS = 10
"""With more languages than these, they are rows."""
MOST_GROUP_COLUMNS = 6
"""With more groups than these, they are rows."""


def prefers_wide(rows: Sequence[Row], languages: Sequence[object]) -> bool:
    """Says whether languages (or groups) should be columns."""
    return len(languages) <= min(MOST_LANGUAGE_COLUMNS, len(rows))


def wide(rows: Sequence[Row], languages: Sequence[str], baseline: str | None) -> Grid:
    """Makes a table with a column for each language."""
    columns = [["", *(row.label for row in rows)]]
    for language in languages:
        everywhere = is_source_everywhere(rows, language)
        header = _with_name(language + (f" {SOURCE}" if everywhere else ""), language, "\n", most=14)
        columns.append([header, *(cell_text(row, language, mark=not everywhere) for row in rows)])
    return columns + _summary(rows, baseline)


def tall(rows: Sequence[Row], languages: Sequence[str], baseline: str | None) -> list[Grid]:
    """Makes a table of the macro averages, and one with a row for each language."""
    averages = [["", *(row.label for row in rows)], *_summary(rows, baseline)]
    everywhere = {language: is_source_everywhere(rows, language) for language in languages}
    names = [_with_name(code, code, "  ") + (f" {SOURCE}" if everywhere[code] else "") for code in languages]
    columns = [["", *names]]
    for row in rows:
        cells = [cell_text(row, language, mark=not everywhere[language]) for language in languages]
        columns.append([row.full_label, *cells])
    return [averages, columns]


def grouped(rows: Sequence[Row], grouping: Grouping, baseline: str | None) -> list[Grid]:
    """Makes a table of the averages over the groups of a grouping, and one of their differences to the baseline."""
    averages = _by_group(rows, grouping, lambda one: macro_text(one.average))
    if baseline is None:
        return [averages]
    others = [row for row in rows if row.control == "own" and row.combination != baseline]
    return [averages, _by_group(others, grouping, lambda one: tested_text(one.tested))]


def group_sizes(rows: Sequence[Row], grouping: Grouping) -> dict[str, int]:
    """Returns the groups that any row has an average over, and their numbers of languages."""
    found = [row.groups.get(grouping.name, {}) for row in rows]
    sizes = {
        name: max((len(groups[name].languages) for groups in found if name in groups), default=0)
        for name in grouping.groups
    }
    return {name: size for name, size in sizes.items() if size}


def _by_group(rows: Sequence[Row], grouping: Grouping, text: Callable[[GroupAverage], str]) -> Grid:
    found = [row.groups.get(grouping.name, {}) for row in rows]
    sizes = group_sizes(rows, grouping)
    cells = [[text(groups[name]) if name in groups else MISSING for groups in found] for name in sizes]
    if len(sizes) <= MOST_GROUP_COLUMNS:
        headers = [f"{name}\n({size})" for name, size in sizes.items()]
        columns = [[header, *of_group] for header, of_group in zip(headers, cells, strict=True)]
        return [["", *(row.label for row in rows)], *columns]
    lines = [[row.full_label, *of_row] for row, of_row in zip(rows, zip(*cells, strict=True), strict=True)]
    return [["", *(f"{name} ({size})" for name, size in sizes.items())], *lines]


def pivoted(pivot: Pivot) -> Grid:
    """Makes a table of macro averages, rows × columns; empty where there are no such runs."""
    columns = [["", *pivot.rows]]
    for column in pivot.columns:
        cells = [pivot.cells.get((row, column)) for row in pivot.rows]
        columns.append([column, *("" if cell is None else macro_text(cell.average) for cell in cells)])
    return columns


def _summary(rows: Sequence[Row], baseline: str | None) -> Grid:
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


def _with_name(text: str, code: str, between: str, most: int | None = None) -> str:
    """Adds a language's English name, if it is known and short enough."""
    name = name_of(code)
    return text if not name or (most is not None and len(name) > most) else f"{text}{between}{name}"
