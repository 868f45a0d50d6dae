"""The scores of a comparison: a row for each combination under each control, a cell for each language."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from framework.results.metrics import Metric
from framework.results.run_folder import CONTROLS, Control, LanguageResult, RunFolder
from framework.results.run_groups import RunGroup
from framework.results.statistics import Difference, MacroAverage, mean_and_spread

CONTROL_LABELS: dict[Control, str] = {
    "own": "",
    "none": "· no language component",
    "wrong": "· wrong language's",
}


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
    unparsed_rate: float
    """Mean over seeds of the share of predictions that could not be read as an answer."""


LEVEL = 0.05
"""Significance level of all tests of differences, after their correction."""


@dataclass
class Tested:
    """A difference to the baseline, tested together with the others of its family."""

    difference: Difference
    adjusted_p: float | None = None
    """p, corrected for the number of tests in the family (Benjamini and Hochberg); None without a p."""

    @property
    def significant(self) -> bool:
        """Whether it has a star."""
        return self.adjusted_p is not None and self.adjusted_p <= LEVEL


@dataclass(frozen=True)
class GroupAverage:
    """The macro average over one group of languages."""

    languages: tuple[str, ...]
    """Those of the group that have a score."""
    average: MacroAverage
    tested: Tested | None = None
    """Its difference to the baseline's average over the same languages."""


@dataclass(frozen=True)
class Row:
    """One combination under one control."""

    combination: str
    """The combination's label; unique in the comparison."""
    control: Control
    seeds: tuple[int, ...]
    cells: dict[str, Cell]
    """By language, if all seeds were tested in it."""
    missing: dict[str, list[int]]
    """By language that is not complete: the seeds that lack it."""
    macro: MacroAverage | None = None
    difference: Tested | None = None
    """The macro average's difference to the baseline's."""
    by_language: dict[str, Tested] = field(default_factory=dict)
    """The difference to the baseline by language, zero-shot in both; only in rows that are compared to one."""
    groups: dict[str, dict[str, GroupAverage]] = field(default_factory=dict)
    """Averages by grouping and group; empty if the row is not complete."""

    @property
    def label(self) -> str:
        """Its label in a table."""
        return CONTROL_LABELS[self.control] or self.combination

    @property
    def full_label(self) -> str:
        """Its label in a note."""
        return f"{self.combination} {CONTROL_LABELS[self.control]}".rstrip()

    def lacks(self, language: str) -> bool:
        """Whether the language should have a cell and has none."""
        # Languages without components need no control.
        return language not in self.cells and (self.control == "own" or language in self.missing)

    def zero_shot(self, language: str) -> bool:
        """Whether the language was tested with all seeds, and the task not trained on it."""
        return language in self.cells and not self.cells[language].source


@dataclass(frozen=True)
class ScoredRuns:
    """The scores of runs in each language, before averages over languages."""

    title: str
    metrics: list[str]
    """The names of all metrics: those of the task, and of the user's own those that any of the runs has."""
    metric: Metric
    """The one that is shown."""
    groups: list[RunGroup]
    """The combinations."""
    empty: list[RunFolder]
    """Runs without results."""
    rows: list[Row]
    """Each combination, followed by its controls."""


def families_of(rows: Iterable[Row]) -> dict[str, list[Tested]]:
    """Returns the differences to the baseline by the family in which they are tested together."""
    families: dict[str, list[Tested | None]] = {"macro averages": [], "single languages, zero-shot": []}
    for row in rows:
        families["macro averages"].append(row.difference)
        families["single languages, zero-shot"] += row.by_language.values()
        for grouping, groups in row.groups.items():
            families.setdefault(f"groups by {grouping}", []).extend(one.tested for one in groups.values())
    return {name: [one for one in tests if one is not None] for name, tests in families.items()}


def rows_of(group: RunGroup, groups: list[RunGroup], metric: str) -> Iterator[Row]:
    """Yields the rows of one combination: its own, then the controls that were tested."""
    # A run records what was tested; what should be tested follows from the other runs of its experiment.
    experiment = [other for other in groups if other.record.experiment == group.record.experiment]
    expected = dict.fromkeys(language for other in experiment for language in other.results["own"])
    own = group.results["own"]
    # Languages without components need no control.
    controlled = [
        language
        for language in expected
        if language not in own or any(result.component_language for result in own[language].values())
    ]
    for control in CONTROLS:
        results = group.results[control]
        missing = {
            language: seeds
            for language in (expected if control == "own" else controlled)
            if (seeds := [seed for seed in group.seeds if seed not in results.get(language, {})])
        }
        cells = {
            language: _make_cell(list(of_seeds.values()), metric)
            for language, of_seeds in results.items()
            if of_seeds.keys() == set(group.seeds)
        }
        if results:
            yield Row(group.label, control, group.seeds, cells, missing)


def _make_cell(results: list[LanguageResult], metric: str) -> Cell:
    mean, spread = mean_and_spread([result.scores[metric] for result in results])
    foreign_rate, _ = mean_and_spread([result.foreign_rate for result in results])
    unparsed_rate, _ = mean_and_spread([result.unparsed_rate for result in results])
    return Cell(mean, spread, any(result.source for result in results), foreign_rate, unparsed_rate)


def is_source_everywhere(rows: Iterable[Row], language: str) -> bool:
    """Says whether all rows that were tested in a language were trained on it."""
    cells = [row.cells[language] for row in rows if language in row.cells]
    return bool(cells) and all(cell.source for cell in cells)


def languages_of(rows: list[Row]) -> list[str]:
    """Returns the languages of a table, training sources first, else sorted."""
    languages = {language for row in rows for language in (*row.cells, *row.missing)}
    sources = {language for row in rows for language, cell in row.cells.items() if cell.source}
    return [*sorted(sources), *sorted(languages - sources)]


def zero_shot_everywhere(rows: list[Row], languages: list[str]) -> list[str]:
    """Returns the languages of the macro average: all complete combinations have them zero-shot."""
    complete = [row for row in rows if row.control == "own" and not row.missing]
    return [language for language in languages if complete and all(row.zero_shot(language) for row in complete)]
