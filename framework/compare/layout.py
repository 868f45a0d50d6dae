"""Figures as text, laid out in grids: languages as columns where they are few, as rows where they are many."""

from collections.abc import Sequence

from framework.compare.rows import Row
from framework.statistics import Difference, MacroAverage

Grid = list[list[str]]
"""A table by columns; the first entry of each is its header."""
MISSING = "–"
SOURCE = "†"
MOST_LANGUAGE_COLUMNS = 10
"""With more languages than these, they are rows."""


def prefers_wide(rows: Sequence[Row], languages: Sequence[str]) -> bool:
    """Says whether languages are better shown as columns."""
    return len(languages) <= min(MOST_LANGUAGE_COLUMNS, len(rows))


def wide(rows: Sequence[Row], languages: Sequence[str], baseline: str | None) -> Grid:
    """Rows are rows, languages are columns."""
    columns = [["", *(row.label for row in rows)]]
    for language in languages:
        everywhere = _is_source_everywhere(rows, language)
        header = _with_name(language + (f" {SOURCE}" if everywhere else ""), language, "\n", most=14)
        columns.append([header, *(cell_text(row, language, mark=not everywhere) for row in rows)])
    return columns + _summary(rows, baseline)


def tall(rows: Sequence[Row], languages: Sequence[str], baseline: str | None) -> list[Grid]:
    """A table of the macro averages, and one with a row for each language."""
    averages = [["", *(row.label for row in rows)], *_summary(rows, baseline)]
    everywhere = {language: _is_source_everywhere(rows, language) for language in languages}
    names = [_with_name(code, code, "  ") + (f" {SOURCE}" if everywhere[code] else "") for code in languages]
    columns = [["", *names]]
    for row in rows:
        cells = [cell_text(row, language, mark=not everywhere[language]) for language in languages]
        columns.append([row.full_label, *cells])
    return [averages, columns]


def _summary(rows: Sequence[Row], baseline: str | None) -> Grid:
    columns = [["macro (95 %)", *(_macro(row.macro) for row in rows)]]
    if baseline is not None:
        columns.append([f"over {baseline}", *(_over_baseline(row, baseline) for row in rows)])
    return columns


def _over_baseline(row: Row, baseline: str) -> str:
    if row.control != "own":
        return ""
    if row.combination == baseline:
        return "baseline"
    return _difference(row.difference)


def _is_source_everywhere(rows: Sequence[Row], language: str) -> bool:
    cells = [row.cells[language] for row in rows if language in row.cells]
    return bool(cells) and all(cell.source for cell in cells)


def cell_text(row: Row, language: str, mark: bool) -> str:
    """Returns a cell's text; with `mark`, a language that the task was trained on is marked."""
    cell = row.cells.get(language)
    if cell is None:
        # A control of a language that has no components is not missing: there is nothing to control.
        return "" if row.control != "own" and language not in row.missing else MISSING
    text = number(cell.mean)
    if cell.spread is not None:
        text += f" ± {number(cell.spread)}"
    return f"{text} {SOURCE}" if cell.source and mark else text


def number(value: float) -> str:
    """Three decimals without the leading zero: `.912`, `1.000`, `-.012`."""
    text = f"{value:.3f}".replace("-0.", "-.")
    return ".000" if text == "-.000" else text.removeprefix("0")


def _signed(value: float) -> str:
    text = number(value)
    return text if text.startswith("-") or text == ".000" else f"+{text}"


def _macro(macro: MacroAverage | None) -> str:
    if macro is None:
        return MISSING
    return f"{number(macro.mean)} [{number(macro.low)}, {number(macro.high)}]"


def _difference(difference: Difference | None) -> str:
    if difference is None:
        return MISSING
    interval = f"[{_signed(difference.low)}, {_signed(difference.high)}]"
    star = " *" if difference.excludes_zero else ""
    return f"{_signed(difference.mean)} {interval}{star}"


def _with_name(text: str, code: str, between: str, most: int | None = None) -> str:
    """Adds a language's English name, where it is known and not longer than there is room."""
    from datamodules.errors import DataError
    from datamodules.languages import language

    try:
        name = language(code).name
    except DataError:  # a language of the user's own dataset
        return text
    return text if most is not None and len(name) > most else f"{text}{between}{name}"
