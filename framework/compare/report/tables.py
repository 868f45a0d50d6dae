"""The tables of the report: as in the terminal, but each row says by itself what it is, for it can be sorted."""

from dataclasses import dataclass

from framework.compare.comparison import Comparison
from framework.compare.figures.languages import CONTROL_NAMES, family_of, name_of, script_of
from framework.compare.layout import MISSING, SOURCE, cell_text, tall


@dataclass(frozen=True)
class Table:
    """A table of texts."""

    name: str
    says: str
    columns: list[str]
    rows: list[list[str]]
    """The first cell of each is its header."""


def average_table(comparison: Comparison) -> Table:
    """A row for each combination and control, with its average and its difference to the baseline."""
    (_, *averages), _ = tall(comparison.rows, comparison.languages, comparison.baseline)
    columns = [
        ["combination", *(row.combination for row in comparison.rows)],
        ["language components", *(CONTROL_NAMES[row.control] for row in comparison.rows)],
        ["seeds", *(str(len(row.seeds)) for row in comparison.rows)],
        *averages,
    ]
    header, *rows = map(list, zip(*columns, strict=True))
    says = f"Macro averages, {comparison.metric}: over {len(comparison.macro_languages)} languages, zero-shot."
    return Table("Averages", says, header, rows)


def language_table(comparison: Comparison) -> Table:
    """A row for each language, with a cell for each combination and control."""
    columns = ["language", "name", "family", "script", *(row.full_label for row in comparison.rows)]
    rows = [
        [code, name_of(code), family_of(code), script_of(code)]
        + [cell_text(row, code, mark=True) for row in comparison.rows]
        for code in comparison.languages
    ]
    says = f"{comparison.metric} by language; {SOURCE}: not zero-shot; {MISSING}: not tested, or not with all seeds."
    return Table("Languages", says, columns, rows)
