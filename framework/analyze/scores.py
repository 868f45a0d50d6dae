"""What is to be explained: each combination's score in each language that it was tested on zero-shot."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from framework.compare import Comparison, compare
from framework.results import RunFolder


@dataclass(frozen=True)
class Scores:
    """One combination's scores, each the mean over its seeds."""

    label: str
    """The combination in words, unlike that of any other."""
    run: RunFolder
    """One of its runs; all but the seed holds for the others."""
    seeds: int
    by_language: dict[str, float]
    """By FLORES code: the languages that all seeds were tested in and the task was not trained on."""

    @property
    def source(self) -> tuple[str, ...]:
        """The languages (FLORES codes) that the task was trained on."""
        return tuple(self.run.record.source)

    @property
    def family(self) -> tuple[str, str, str, str]:
        """What combinations have in common that differ in nothing but the source."""
        record = self.run.record
        return record.backbone, repr(record.combination), repr(record.settings), record.label


def read_scores(places: Sequence[str | Path], metric: str | None) -> tuple[Comparison, list[Scores]]:
    """Reads runs as `compare` does, with all that it refuses.

    Args:
        places: Run folders, or folders above them.
        metric: One of the task's; None for its main one.

    Raises:
        UserError: As `compare` does.
    """
    comparison = compare(places, metric=metric)
    runs = dict(reversed(comparison.runs))
    scores = [
        Scores(
            row.combination,
            runs[row.combination],
            len(row.seeds),
            {language: row.cells[language].mean for language in sorted(row.cells) if row.zero_shot(language)},
        )
        for row in comparison.rows
        if row.control == "own"
    ]
    return comparison, scores
