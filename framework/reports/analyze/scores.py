"""The scores of each combination in each language that it was tested on zero-shot."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from framework.reports.compare import ScoredRuns, scored_runs
from framework.results.run_folder import RunFolder
from framework.results.run_groups import recipe_of

SOURCE = "languages.source"


@dataclass(frozen=True)
class Scores:
    """One combination's scores, each the mean over its seeds."""

    label: str
    """The combination in words; unique."""
    run: RunFolder
    """One of its runs; the others differ only in the seed."""
    seeds: int
    by_language: dict[str, float]
    """By FLORES code: the languages that all seeds were tested in and the task was not trained on."""

    @property
    def source(self) -> tuple[str, ...]:
        """The languages (FLORES codes) that the task was trained on."""
        return tuple(self.run.record.source)

    @property
    def recipe(self) -> tuple[str, str, str]:
        """Equal for combinations that differ only in the source."""
        record = self.run.record
        # A run without its experiment still has the grid's values.
        grid = {key: value for key, value in record.settings.items() if key != SOURCE}
        return record.backbone, repr(sorted(grid.items())), repr(sorted(recipe_of(self.run)))


def read_scores(places: Sequence[str | Path], metric: str | None) -> tuple[ScoredRuns, list[Scores]]:
    """Reads the scores of runs that `compare` accepts; the arguments and errors are those of `scored_runs`."""
    scored = scored_runs(places, metric)
    runs = {group.label: group.runs[group.seeds[0]] for group in scored.groups}
    scores = [
        Scores(
            row.combination,
            runs[row.combination],
            len(row.seeds),
            {language: row.cells[language].mean for language in sorted(row.cells) if row.zero_shot(language)},
        )
        for row in scored.rows
        if row.control == "own"
    ]
    return scored, scores
