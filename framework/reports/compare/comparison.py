"""A comparison of runs, ready to be printed and written."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from framework.errors import UserError, did_you_mean
from framework.reports.compare.groups import Grouping
from framework.reports.compare.latex import latex
from framework.reports.compare.layout import Grid, by_language, grouped, pivoted, prefers_wide
from framework.reports.compare.pivot import Pivot
from framework.reports.compare.rendering import blocks, csv_text, escape, fits, markdown_table, rich_table
from framework.reports.compare.score_rows import ScoredRuns, Tested
from framework.results.statistics import MacroAverage
from framework.system.atomic_files import write_changed


@dataclass(frozen=True)
class Comparison(ScoredRuns):
    """A comparison of runs, whose rows have averages; `compare` makes it."""

    languages: list[str]
    """FLORES codes, training sources first, else sorted."""
    macro_languages: list[str]
    """The languages of the macro averages: the same for each row."""
    baseline: str | None
    """The label of the combination that the others are compared to."""
    legend: list[str]
    """The notes under the table, a sentence or a list each."""
    groupings: list[Grouping]
    """The groupings of languages; the averages over the groups are in the rows."""
    pivot: Pivot | None
    """Macro averages by two keys, if requested."""

    def explained(self, *signs: str) -> list[str]:
        """Returns the lines of the legend on some signs."""
        return [line for line in self.legend if line.partition(":")[0] in signs]

    def print(self, console: Console) -> None:
        """Prints the pivot and the groups, or else the table of languages, and the legend."""
        console.print(Text(self.title, style="bold"), soft_wrap=True)
        console.print()
        for caption, grid in self._requested() or self._by_language(console.width):
            if caption:
                console.print(Text(caption), soft_wrap=True)
            for block in blocks(grid, console.width):
                console.print(rich_table(block))
                console.print()
        for line in self.legend:
            console.print(Text(line, style="dim"))

    def markdown(self) -> str:
        """Returns all tables and the legend as Markdown."""
        legend = "\n".join(f"- {escape(line)}" for line in self.legend)
        tables = [part for caption, grid in self._all() for part in (escape(caption), markdown_table(grid)) if part]
        return "\n\n".join([f"**{escape(self.title)}**", *tables, legend]) + "\n"

    def latex(self) -> str:
        """Returns all tables and the legend as LaTeX, for a document to input."""
        return latex(self.title, self._all(), self.legend)

    def csv(self) -> str:
        """Returns every result of every run, complete or not, one a line, with all metrics."""
        about = ("control", "language", "component_language", "source", "examples")
        rates = ("foreign_rate", "unparsed_rate")
        lines: list[list[object]] = []
        for group in self.groups:
            for seed in group.seeds:
                record = group.runs[seed].record
                of_run = [record.experiment, group.label, json.dumps(record.settings), seed, record.id]
                for result in group.results_of(seed):
                    facts = vars(result)
                    scores = [result.scores.get(name) for name in self.metrics]
                    lines.append([*of_run, *(facts[name] for name in about), *scores, *(facts[name] for name in rates)])
        header = ["experiment", "combination", "settings", "seed", "run", *about, *self.metrics, *rates]
        return csv_text(header, lines)

    def averages_csv(self) -> str:
        """Returns every average and difference of the shown metric, one a line.

        The column `over` is `macro`, `language`, or a grouping such as `script` with the group as `name`.
        """
        lines: list[list[object]] = []
        for row in self.rows:
            own = [row.combination, row.control]
            if row.macro is not None:
                lines.append([*own, "macro", "", *_average(row.macro), *_test(row.difference)])
            for grouping, groups in row.groups.items():
                for name, one in groups.items():
                    lines.append([*own, grouping, name, *_average(one.average), *_test(one.tested)])
            for language, of_language in row.by_language.items():
                cell = row.cells[language]
                lines.append([*own, "language", language, 1, cell.mean, None, None, *_test(of_language)])
        header = ["combination", "control", "over", "name", "languages", "mean", "low", "high"]
        tests = ["difference", "difference_low", "difference_high", "p", "adjusted_p", "star"]
        return csv_text([*header, *tests], lines)

    def pivot_csv(self) -> str:
        """Returns the pivot with mean and interval for each column."""
        assert self.pivot is not None
        names = [name for column in self.pivot.columns for name in (column, f"{column} low", f"{column} high")]
        lines: list[list[object]] = []
        for row in self.pivot.rows:
            cells = [self.pivot.cells.get((row, column)) for column in self.pivot.columns]
            averages = [_average(cell.average if cell else None) for cell in cells]
            lines.append([row, *(figure for average in averages for figure in average[1:])])
        return csv_text([f"{self.pivot.row_key} by {self.pivot.column_key}", *names], lines)

    def write(self, place: str | Path) -> list[Path]:
        """Writes everything into a folder, or one kind of file; unchanged files are not rewritten.

        Args:
            place: A folder, which is made if necessary; or a file with a suffix of `FILES`.

        Returns:
            The files: in a folder `table-<metric>.md` and `.tex`, `results.csv` and `averages-<metric>.csv`; with a
            pivot `pivot-<metric>.md`, `.tex` and `.csv` in place of the table.

        Raises:
            UserError: The suffix is unknown.
        """
        [place] = check_places([Path(place)])
        texts: dict[Path, str] = {}
        if _is_file(place):
            texts[place] = FILES[place.suffix](self)
        else:
            shown = f"{'table' if self.pivot is None else 'pivot'}-{self.metric.name}"
            texts[place / f"{shown}.md"] = self.markdown()
            texts[place / f"{shown}.tex"] = self.latex()
            texts[place / "results.csv"] = self.csv()
            texts[place / f"averages-{self.metric.name}.csv"] = self.averages_csv()
            if self.pivot is not None:
                texts[place / f"pivot-{self.metric.name}.csv"] = self.pivot_csv()
        for file, text in texts.items():
            write_changed(file, text.encode())
        return list(texts)

    def _all(self) -> list[tuple[str, Grid]]:
        return [*self._requested(), *self._by_language()]

    def _requested(self) -> list[tuple[str, Grid]]:
        """Returns the tables of pivot and groups, with their captions."""
        tables: list[tuple[str, Grid]] = []
        if self.pivot is not None:
            caption = f"macro averages: {self.pivot.row_key} (rows) × {self.pivot.column_key} (columns)"
            tables.append((caption, pivoted(self.pivot)))
        for grouping in self.groupings:
            if grouping.groups:
                captions = [f"macro averages by {grouping.name}", f"over {self.baseline}, by {grouping.name}"]
                tables += zip(captions, grouped(self.rows, grouping, self.baseline), strict=False)
        return tables

    def _by_language(self, width: int | None = None) -> list[tuple[str, Grid]]:
        """Arranges the scores for a page of a width in letters, or of any width."""
        shown = self.rows, self.languages, self.baseline
        grids = by_language(*shown, wide=True)
        if not prefers_wide(self.rows, self.languages) or (width is not None and not fits(grids[0], width)):
            grids = by_language(*shown, wide=False)
        return [("", grid) for grid in grids]


FILES: dict[str, Callable[[Comparison], str]] = {
    ".md": Comparison.markdown,
    ".tex": Comparison.latex,
    ".csv": Comparison.csv,
}
"""What a single file holds, by how its name ends."""


def check_places(places: Iterable[Path]) -> list[Path]:
    """Checks that `Comparison.write` accepts each path, before any work is done; `UserError` if it does not."""
    checked = list(places)
    for place in checked:
        if _is_file(place) and place.suffix not in FILES:
            near = did_you_mean(place.suffix, FILES)
            known = ", ".join(FILES)
            raise UserError(f"{place}: unknown kind of file '{place.suffix}'{near} (known: {known}, or a folder)")
    return checked


def _is_file(place: Path) -> bool:
    return bool(place.suffix) and not place.is_dir()


def _average(average: MacroAverage | None) -> list[object]:
    return [None] * 4 if average is None else [average.languages, average.mean, average.low, average.high]


def _test(tested: Tested | None) -> list[object]:
    if tested is None:
        return [None] * 6
    found = tested.difference
    return [found.mean, found.low, found.high, found.p, tested.adjusted_p, tested.significant]
