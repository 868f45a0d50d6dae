"""Runs side by side: combinations × languages, with intervals; as a table, Markdown and CSV.

A figure is shown only where all that it averages is there. A language that has not been tested with each of
a combination's seeds shows "–", and so does the combination's macro average; a note says what is missing.
"""

import csv
import io
import json
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from framework.errors import UserError, did_you_mean
from framework.metrics import METRICS
from framework.results import (
    CONTROLS,
    Control,
    LanguageResult,
    RunFolder,
    RunGroup,
    group_runs,
    read_runs,
    write_whole,
)
from framework.statistics import (
    RESAMPLES,
    Bootstrap,
    Difference,
    MacroAverage,
    Outcome,
    TestSet,
    mean_and_spread,
)

MISSING = "–"
SOURCE = "†"
CONTROL_LABELS: dict[Control, str] = {
    "own": "",
    "none": "· no language component",
    "wrong": "· wrong language's",
}
RESAMPLING = {
    "parallel": " (the same in all languages, whose test sets are parallel)",
    "per language": " (in each language on its own)",
    "mixed": " (the same in those languages whose test sets are parallel)",
    "alone": "",
}
"""How the legend says what `MacroAverage.resampling` tells; a single language needs no such word."""
MOST_LANGUAGE_COLUMNS = 10
"""With more languages than these, they are rows."""
LABEL_WIDTH = 30
"""Longer labels of rows fold where the table leaves them no room."""
NAMED = 3
"""A note that speaks of many languages names so many of them."""


@dataclass(frozen=True)
class Cell:
    """A metric of one combination in one language, over its seeds."""

    mean: float
    spread: float | None
    """Standard deviation over seeds; None for one seed."""
    source: bool
    """Whether the task was trained on this language."""
    foreign_rate: float
    """Mean over seeds of the share of predictions with a label that the language's gold lacks."""


@dataclass(frozen=True)
class Row:
    """One combination under one control."""

    combination: str
    """The combination's label, unlike that of any other in the comparison."""
    control: Control
    seeds: tuple[int, ...]
    cells: dict[str, Cell]
    """For each language that all seeds were tested in."""
    missing: dict[str, list[int]]
    """For each language that should be there and is not: the seeds that lack it."""
    macro: MacroAverage | None = None
    difference: Difference | None = None
    """The macro average's difference to the baseline's."""

    @property
    def label(self) -> str:
        """What the table calls the row."""
        return CONTROL_LABELS[self.control] or self.combination

    @property
    def full_label(self) -> str:
        """What a note calls the row."""
        return f"{self.combination} {CONTROL_LABELS[self.control]}".rstrip()

    def zero_shot(self, language: str) -> bool:
        """Whether the language was tested with all seeds, and the task not trained on it."""
        return language in self.cells and not self.cells[language].source


@dataclass(frozen=True)
class Comparison:
    """Runs side by side; `compare` makes it."""

    metric: str
    title: str
    languages: list[str]
    """FLORES codes, training sources first, else sorted."""
    macro_languages: list[str]
    """The languages that the macro averages are over: the same for each row."""
    rows: list[Row]
    """Each combination, followed by its controls."""
    baseline: str | None
    """The label of the combination that the others are compared to."""
    legend: list[str]
    """What must be said under the table, a sentence or a list each."""
    runs: list[tuple[str, RunFolder]] = field(repr=False)
    """Each run with its combination's label."""

    def print(self, console: Console) -> None:
        """Prints the table and its legend; languages are columns where they are few and there is room."""
        console.print(Text(self.title, style="bold"), soft_wrap=True)
        console.print()
        wide = self._wide()
        fits = sum(_width(column) + 2 for column in wide[1:]) + LABEL_WIDTH <= console.width
        grids = [wide] if self._prefers_wide() and fits else self._tall()
        for grid in grids:
            for block in _blocks(grid, console.width):
                console.print(_table(block))
                console.print()
        for line in self.legend:
            console.print(Text(line, style="dim"))

    def markdown(self) -> str:
        """Returns the table and its legend as Markdown."""
        grids = [self._wide()] if self._prefers_wide() else self._tall()
        legend = "\n".join(f"- {_escape(line)}" for line in self.legend)
        return "\n\n".join([f"**{_escape(self.title)}**", *map(_markdown_table, grids), legend]) + "\n"

    def csv(self) -> str:
        """Returns every result of every run, complete or not, one a line, with all metrics."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        scores = [*METRICS, "foreign_rate"]
        about = ("control", "language", "component_language", "source", "examples")
        writer.writerow(["experiment", "combination", "settings", "seed", "run", *about, *scores])
        for label, run in self.runs:
            record = run.record
            of_run = [record.experiment, label, json.dumps(record.settings), record.seed, record.id]
            for result in run.results():
                writer.writerow([*of_run, *(getattr(result, name) for name in (*about, *scores))])
        return out.getvalue()

    def write(self, folder: str | Path) -> list[Path]:
        """Writes the table as Markdown and all results as CSV.

        Args:
            folder: Where to; it is made when it is not there.

        Returns:
            The files: `table-<metric>.md` and `results.csv`. One that says the same already is left as it is.
        """
        texts = {f"table-{self.metric}.md": self.markdown(), "results.csv": self.csv()}
        files = {Path(folder) / name: text.encode() for name, text in texts.items()}
        for file, content in files.items():
            if not file.is_file() or file.read_bytes() != content:
                write_whole(file, content)
        return list(files)

    def _prefers_wide(self) -> bool:
        return len(self.languages) <= min(MOST_LANGUAGE_COLUMNS, len(self.rows))

    def _wide(self) -> "Grid":
        """Rows are rows, languages are columns."""
        columns = [["", *(row.label for row in self.rows)]]
        for language in self.languages:
            everywhere = self._is_source_everywhere(language)
            header = _with_name(language + (f" {SOURCE}" if everywhere else ""), language, "\n", most=14)
            columns.append([header, *(_cell(row, language, mark=not everywhere) for row in self.rows)])
        return columns + self._summary()

    def _tall(self) -> list["Grid"]:
        """A table of the macro averages, and one with a row for each language."""
        averages = [["", *(row.label for row in self.rows)], *self._summary()]
        names = [""]
        for language in self.languages:
            everywhere = self._is_source_everywhere(language)
            names.append(_with_name(language, language, "  ") + (f" {SOURCE}" if everywhere else ""))
        columns = [names]
        for row in self.rows:
            cells = [_cell(row, language, mark=not self._is_source_everywhere(language)) for language in self.languages]
            columns.append([row.full_label, *cells])
        return [averages, columns]

    def _summary(self) -> "Grid":
        columns = [["macro (95 %)", *(_macro(row.macro) for row in self.rows)]]
        if self.baseline is not None:
            cells = [self._difference(row) for row in self.rows]
            columns.append([f"over {self.baseline}", *cells])
        return columns

    def _difference(self, row: Row) -> str:
        if row.control != "own":
            return ""
        if row.combination == self.baseline:
            return "baseline"
        return _difference(row.difference)

    def _is_source_everywhere(self, language: str) -> bool:
        cells = [row.cells[language] for row in self.rows if language in row.cells]
        return bool(cells) and all(cell.source for cell in cells)


def compare(paths: Iterable[str | Path], metric: str = "accuracy", baseline: str | None = None) -> Comparison:
    """Lays runs side by side.

    Args:
        paths: Run folders, or folders above them.
        metric: "accuracy", "macro_f1" or "weighted_f1".
        baseline: The label of the combination that the others are compared to; None for no such comparison.

    Raises:
        UserError: The metric or the baseline is unknown; a path holds no runs; a file is damaged; or the runs
            cannot stand in one table: they are of different datasets, or two pass for the same seed.
    """
    if metric not in METRICS:
        near = did_you_mean(metric, METRICS)
        raise UserError(f"unknown metric '{metric}'{near} (known: {', '.join(METRICS)})")
    runs = read_runs(paths)
    groups, empty = group_runs(runs)
    if not groups:
        raise UserError(f"no results yet in {', '.join(str(run.path) for run in runs)}")
    _refuse_several_datasets(groups)
    chosen = None if baseline is None else _choose_baseline(groups, baseline)
    rows = [row for group in groups for row in _rows(group, groups, metric)]
    languages = _languages(rows)
    macro_languages = _zero_shot_everywhere(rows, languages)
    rows, refusals = _with_averages(rows, groups, macro_languages, metric, chosen)
    return Comparison(
        metric=metric,
        title=_title(groups, rows, languages, metric),
        languages=languages,
        macro_languages=macro_languages,
        rows=rows,
        baseline=chosen,
        legend=[
            *_how_to_read(rows, macro_languages),
            *_about_differences(rows, chosen),
            *refusals,
            *_about_runs(groups, empty),
            *_about_gaps(rows, languages, macro_languages),
            *_about_data(groups),
            *_about_labels(groups, rows, languages),
        ],
        runs=[(group.label, group.runs[seed]) for group in groups for seed in group.seeds],
    )


def _refuse_several_datasets(groups: list[RunGroup]) -> None:
    where = {group.record.dataset: next(iter(group.runs.values())).path for group in groups}
    if len(where) > 1:
        listed = ", ".join(f"{dataset} ({path})" for dataset, path in where.items())
        raise UserError(f"these runs were tested on different datasets, compare one at a time: {listed}")


def _choose_baseline(groups: list[RunGroup], baseline: str) -> str:
    labels = [group.label for group in groups]
    if baseline in labels:
        return baseline
    alike = [group.label for group in groups if group.record.label == baseline]
    if len(alike) == 1:
        return alike[0]
    if alike:
        raise UserError(f"several combinations are called '{baseline}': {'; '.join(alike)}")
    near = did_you_mean(baseline, labels)
    raise UserError(f"no combination is called '{baseline}'{near} (here: {'; '.join(labels)})")


# ---- figures


def _rows(group: RunGroup, groups: list[RunGroup], metric: str) -> Iterator[Row]:
    """The rows of one combination: its own, then the controls that were tested."""
    # A run says what was tested, not what should be: the other runs of its experiment tell.
    experiment = [other for other in groups if other.record.experiment == group.record.experiment]
    expected = dict.fromkeys(language for other in experiment for language in other.results["own"])
    own = group.results["own"]
    # A control says nothing of a language that has no components which it could take away.
    controlled = [
        language
        for language in expected
        if language not in own or any(result.component_language for result in own[language].values())
    ]
    for control in CONTROLS:
        results = group.results[control]
        lacking = {
            language: [seed for seed in group.seeds if seed not in results.get(language, {})]
            for language in (expected if control == "own" else controlled)
        }
        missing = {language: seeds for language, seeds in lacking.items() if seeds}
        cells = {
            language: _make_cell(list(of_seeds.values()), metric)
            for language, of_seeds in results.items()
            if of_seeds.keys() == set(group.seeds)
        }
        if results:
            yield Row(group.label, control, group.seeds, cells, missing)


def _make_cell(results: list[LanguageResult], metric: str) -> Cell:
    mean, spread = mean_and_spread([getattr(result, metric) for result in results])
    foreign_rate, _ = mean_and_spread([result.foreign_rate for result in results])
    return Cell(mean, spread, any(result.source for result in results), foreign_rate)


def _languages(rows: list[Row]) -> list[str]:
    languages = {language for row in rows for language in (*row.cells, *row.missing)}
    sources = {language for row in rows for language, cell in row.cells.items() if cell.source}
    return [*sorted(sources), *sorted(languages - sources)]


def _zero_shot_everywhere(rows: list[Row], languages: list[str]) -> list[str]:
    """The languages to average over: what each combination without gaps has, and none was trained on."""
    complete = [row for row in rows if row.control == "own" and not row.missing]
    return [language for language in languages if complete and all(row.zero_shot(language) for row in complete)]


def _with_averages(
    rows: list[Row], groups: list[RunGroup], languages: list[str], metric: str, baseline: str | None
) -> tuple[list[Row], list[str]]:
    """Adds macro averages and differences where all that they need is there, and says where it is not."""
    by_label = {group.label: group for group in groups}
    bootstrap = Bootstrap()
    reference: dict[str, Outcome] = {}
    averaged: list[Row] = []
    refusals: list[str] = []
    # The baseline goes first: the others are compared to its outcomes.
    order = sorted(range(len(rows)), key=lambda place: (rows[place].combination != baseline, place))
    for row in (rows[place] for place in order):
        # A control of languages some of which have no components is averaged over the rest; a note says so.
        present = [language for language in languages if language in row.cells]
        if present and not row.missing:
            outcomes = _outcomes(by_label[row.combination], row.control, present)
            row = replace(row, macro=bootstrap.macro_average(outcomes, metric))
            if row.control == "own" and row.combination == baseline:
                reference = outcomes
            elif row.control == "own" and reference:
                try:
                    row = replace(row, difference=bootstrap.difference(outcomes, reference, metric))
                except ValueError as error:
                    refusals.append(f"No difference for {row.combination}: {error}.")
        averaged.append(row)
    if baseline is not None and not reference:
        refusals.append(f"No differences: {baseline} has no macro average.")
    return [row for _, row in sorted(zip(order, averaged, strict=True), key=lambda pair: pair[0])], refusals


def _outcomes(group: RunGroup, control: Control, languages: list[str]) -> dict[str, Outcome]:
    """Reads what one combination predicted."""
    return {language: _outcome(group, control, language) for language in languages}


def _outcome(group: RunGroup, control: Control, language: str) -> Outcome:
    read = {seed: group.runs[seed].predictions(control, language) for seed in group.seeds}
    first = read[group.seeds[0]]
    for seed, predictions in read.items():
        path = group.runs[seed].path
        if len(predictions) != group.results[control][language][seed].examples:
            raise UserError(f"{path}: {language} ({control}) has not as many predictions as its result says")
        if (predictions.id, predictions.gold) != (first.id, first.gold):
            raise UserError(
                f"{path}: {language} was tested on other examples than in {group.runs[group.seeds[0]].path}"
            )
    test_set = TestSet(first.id, first.gold)
    return Outcome(test_set, {seed: test_set.encode(one.predicted) for seed, one in read.items()})


# ---- what must be said under the table


def _title(groups: list[RunGroup], rows: list[Row], languages: list[str], metric: str) -> str:
    backbones = {group.record.backbone for group in groups}
    sources = {" + ".join(group.record.source) for group in groups}
    trained_on = {language for row in rows for language, cell in row.cells.items() if cell.source}
    parts = [
        METRICS[metric],
        groups[0].record.dataset,
        backbones.pop() if len(backbones) == 1 else f"{len(backbones)} backbones",
        f"{sources.pop() if len(sources) == 1 else 'several sources'}"
        f" → {_count([language for language in languages if language not in trained_on])}",
    ]
    return " · ".join(parts)


def _how_to_read(rows: list[Row], macro_languages: list[str]) -> Iterator[str]:
    several = any(len(row.seeds) > 1 for row in rows)
    if several:
        yield "±: standard deviation over seeds."
    averages = [row.macro for row in rows if row.macro is not None]
    if averages:
        way = "alone" if len(macro_languages) == 1 else averages[0].resampling
        drawn = f"examples{RESAMPLING[way]}{' and of seeds' if several else ''}"
        yield (
            f"macro: mean over {_count(macro_languages)}, zero-shot; [95 % interval]: percentile bootstrap, "
            f"{RESAMPLES:,} resamples of {drawn}."
        )
    if any(cell.source for row in rows for cell in row.cells.values()):
        yield f"{SOURCE}: the task was trained on this language; not zero-shot, not in the macro average."
    if any(row.control != "own" for row in rows):
        yield "·: the row above, tested without its language components or with those of another language."


def _about_differences(rows: list[Row], baseline: str | None) -> Iterator[str]:
    compared = {row.combination: row.difference for row in rows if row.difference is not None}
    if compared:
        tests = "1 test" if len(compared) == 1 else f"{len(compared)} tests, not corrected for their number"
        yield (
            f"*: the 95 % interval of the paired bootstrap difference to {baseline}, on the same resamples, "
            f"excludes 0 ({tests})."
        )
    unpaired = [label for label, difference in compared.items() if not difference.seeds_paired]
    if unpaired:
        yield f"Paired by examples but not by seeds, as {baseline} has others: {'; '.join(unpaired)}."


def _about_runs(groups: list[RunGroup], empty: list[RunFolder]) -> Iterator[str]:
    """Says what the runs are; where they differ, which row is what."""
    facts: dict[str, Callable[[RunGroup], str]] = {
        "seeds": lambda group: ", ".join(map(str, group.seeds)),
        "examples a language": _examples,
        "backbone": lambda group: group.record.backbone,
        "source": lambda group: ", ".join(group.record.source),
    }
    for name, fact in facts.items():
        labels: dict[str, list[str]] = {}
        for group in groups:
            labels.setdefault(fact(group), []).append(group.label)
        if len(labels) > 1:
            listed = "; ".join(f"{what} ({', '.join(which)})" for what, which in labels.items())
            yield f"{name}: {listed}."
        elif name not in ("backbone", "source"):  # the title has these
            yield f"{name}: {next(iter(labels))}."
    notes = [note for group in groups for run in group.runs.values() for note in run.record.notes]
    yield from dict.fromkeys(notes)
    if empty:
        yield f"No results yet: {'; '.join(f'{run.record.label}, seed {run.record.seed}' for run in empty)}."


def _examples(group: RunGroup) -> str:
    sizes = {result.examples for result in _all_results([group])}
    return f"{min(sizes):,}" if len(sizes) == 1 else f"{min(sizes):,} to {max(sizes):,}"


def _about_gaps(rows: list[Row], languages: list[str], macro_languages: list[str]) -> Iterator[str]:
    if any(_cell(row, language, mark=False) == MISSING for row in rows for language in languages):
        yield f"{MISSING}: not tested, or not with all seeds."
    for row in rows:
        gaps = [f"{language} (seed {', '.join(map(str, seeds))})" for language, seeds in row.missing.items()]
        if gaps:
            yield f"Still to test: {row.full_label} in {_some(gaps)}."
    left_out = [
        language
        for language in languages
        if language not in macro_languages and any(row.zero_shot(language) for row in rows if not row.missing)
    ]
    if left_out and macro_languages:
        yield f"Not in the macro average, for not every row has it zero-shot: {_some(left_out)}."
    elif left_out:
        yield "No macro average: there is no language that every row has zero-shot."
    for row in rows:
        without = [language for language in macro_languages if language not in row.cells]
        if row.macro is not None and without:
            yield f"{row.full_label}: macro without {_some(without)}, which has no language components."


def _about_data(groups: list[RunGroup]) -> Iterator[str]:
    """Says where figures of one table come from different versions of the test data."""
    by_language: dict[str, dict[str, list[str]]] = {}
    by_commit: dict[str, list[str]] = {}
    for group in groups:
        for result in _all_results([group]):
            if result.data:
                by_language.setdefault(result.language, {}).setdefault(result.data, []).append(group.label)
                by_commit.setdefault(_commit(result.data), []).append(result.language)
    for language, by_data in by_language.items():
        if len(by_data) > 1:
            listed = "; ".join(f"{data} ({', '.join(dict.fromkeys(labels))})" for data, labels in by_data.items())
            yield f"{language} was tested on different data: {listed}."
    commits = {commit: list(dict.fromkeys(languages)) for commit, languages in by_commit.items() if commit}
    if len(commits) > 1:
        listed = "; ".join(f"{commit} ({_some(languages)})" for commit, languages in commits.items())
        yield f"Languages were tested on different versions of the data: {listed}."


def _commit(data: str) -> str:
    """Returns repository and commit of a fingerprint of the hub's data; nothing for that of a file."""
    return data.rsplit("/", 2)[0] if "@" in data else ""


def _about_labels(groups: list[RunGroup], rows: list[Row], languages: list[str]) -> Iterator[str]:
    labels = {result.language: set(result.labels) for result in _all_results(groups)}
    known = set().union(*labels.values())
    lacking: dict[str, list[str]] = {}
    for language in languages:
        absent = ", ".join(sorted(known - labels.get(language, known)))
        if absent:
            lacking.setdefault(absent, []).append(language)
    if lacking:
        listed = "; ".join(f"{', '.join(where)}: {absent}" for absent, where in lacking.items())
        yield f"Labels that do not occur in a test set: {listed}."
    for row in rows:
        rates = {language: cell.foreign_rate for language, cell in row.cells.items() if cell.foreign_rate > 0}
        worst_first = sorted(rates, key=lambda language: -rates[language])
        if rates:
            listed = _some([f"{language} {_number(rates[language])}" for language in worst_first])
            yield f"Predictions of a label that does not occur in the test set, {row.full_label}: {listed}."


def _all_results(groups: list[RunGroup]) -> Iterator[LanguageResult]:
    for group in groups:
        for by_language in group.results.values():
            for of_seeds in by_language.values():
                yield from of_seeds.values()


def _count(languages: Sequence[str]) -> str:
    return f"{len(languages)} {'language' if len(languages) == 1 else 'languages'}"


def _some(things: Sequence[str]) -> str:
    shown = ", ".join(things[:NAMED])
    return shown if len(things) <= NAMED else f"{shown} and {len(things) - NAMED} more"


# ---- text


Grid = list[list[str]]
"""A table by columns; the first entry of each is its header."""


def _number(value: float) -> str:
    """Three decimals without the leading zero: `.912`, `1.000`, `-.012`."""
    text = f"{value:.3f}".replace("-0.", "-.")
    return ".000" if text == "-.000" else text.removeprefix("0")


def _cell(row: Row, language: str, mark: bool) -> str:
    cell = row.cells.get(language)
    if cell is None:
        # A control of a language that has no components is not missing: there is nothing to control.
        return "" if row.control != "own" and language not in row.missing else MISSING
    text = _number(cell.mean)
    if cell.spread is not None:
        text += f" ± {_number(cell.spread)}"
    return f"{text} {SOURCE}" if cell.source and mark else text


def _macro(macro: MacroAverage | None) -> str:
    if macro is None:
        return MISSING
    return f"{_number(macro.mean)} [{_number(macro.low)}, {_number(macro.high)}]"


def _difference(difference: Difference | None) -> str:
    if difference is None:
        return MISSING
    interval = f"[{_signed(difference.low)}, {_signed(difference.high)}]"
    star = " *" if difference.excludes_zero else ""
    return f"{_signed(difference.mean)} {interval}{star}"


def _signed(value: float) -> str:
    text = _number(value)
    return text if text.startswith("-") or text == ".000" else f"+{text}"


def _with_name(text: str, code: str, between: str, most: int | None = None) -> str:
    """Adds a language's English name, where it is known and not longer than there is room."""
    from datamodules.errors import DataError
    from datamodules.languages import language

    try:
        name = language(code).name
    except DataError:  # a language of the user's own dataset
        return text
    return text if most is not None and len(name) > most else f"{text}{between}{name}"


def _width(column: list[str]) -> int:
    """The width that folds no cell, nor a header within a word."""
    words = [len(word) for word in column[0].split()]
    return max([0, *words, *(len(cell) for cell in column[1:])])


def _blocks(grid: Grid, width: int) -> Iterator[Grid]:
    """Cuts a table into ones that fit the width; each repeats the first column."""
    first, *rest = grid
    block: Grid = []
    left = room = width - min(_width(first), LABEL_WIDTH) - 2
    for column in rest:
        needed = _width(column) + 2
        if block and needed > left:
            yield [first, *block]
            block, left = [], room
        block.append(column)
        left -= needed
    yield [first, *block]


def _table(grid: Grid) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in grid:
        width = max(_width(column), 1)
        header = [part for line in column[0].split("\n") for part in textwrap.wrap(line, width)]
        table.add_column(Text("\n".join(header)))
    for cells in zip(*(column[1:] for column in grid), strict=True):
        table.add_row(*map(Text, cells))  # Text, for rich would take a label's "[...]" for markup
    return table


def _markdown_table(grid: Grid) -> str:
    lines = [
        "| " + " | ".join(_escape(cell).replace("\n", "<br>") for cell in line) + " |"
        for line in zip(*grid, strict=True)
    ]
    rule = "|" + "---|" * len(grid)
    return "\n".join([lines[0], rule, *lines[1:]])


def _escape(text: str) -> str:
    return re.sub(r"([|*\\])", r"\\\1", text)
