"""Runs side by side: combinations × languages, with intervals; as a table, Markdown and CSV.

A figure is shown only where all that it averages is there. A language that has not been tested with each of
a combination's seeds shows "–", and so does the combination's macro average; a note says what is missing.
"""

from collections.abc import Iterable
from pathlib import Path

from framework.compare import legend
from framework.compare.averages import with_averages
from framework.compare.comparison import Comparison
from framework.compare.rows import languages_of, rows_of, zero_shot_everywhere
from framework.errors import UserError, did_you_mean
from framework.metrics import METRICS
from framework.results import RunFolder, RunGroup, group_runs, read_runs

__all__ = ["Comparison", "compare"]


def compare(
    places: Iterable[str | Path | RunFolder], metric: str = "accuracy", baseline: str | None = None
) -> Comparison:
    """Lays runs side by side.

    Args:
        places: Runs, or their folders, or folders above them.
        metric: "accuracy", "macro_f1" or "weighted_f1".
        baseline: The label of the combination that the others are compared to; None for no such comparison.

    Raises:
        UserError: The metric or the baseline is unknown; a folder holds no runs; a file is damaged; or the runs
            cannot stand in one table: they are of different datasets, or two pass for the same seed.
    """
    if metric not in METRICS:
        near = did_you_mean(metric, METRICS)
        raise UserError(f"unknown metric '{metric}'{near} (known: {', '.join(METRICS)})")
    runs = read_runs(places)
    groups, empty = group_runs(runs)
    if not groups:
        raise UserError(f"no results yet in {', '.join(str(run.path) for run in runs)}")
    _refuse_several_datasets(groups)
    chosen = None if baseline is None else _choose_baseline(groups, baseline)
    rows = [row for group in groups for row in rows_of(group, groups, metric)]
    languages = languages_of(rows)
    macro_languages = zero_shot_everywhere(rows, languages)
    rows, refusals = with_averages(rows, groups, macro_languages, metric, chosen)
    return Comparison(
        metric=metric,
        title=legend.title(groups, rows, languages, metric),
        languages=languages,
        macro_languages=macro_languages,
        rows=rows,
        baseline=chosen,
        legend=[
            *legend.how_to_read(rows, macro_languages),
            *legend.about_differences(rows, chosen),
            *refusals,
            *legend.about_runs(groups, empty),
            *legend.about_gaps(rows, languages, macro_languages),
            *legend.about_data(groups),
            *legend.about_labels(groups, rows, languages),
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
