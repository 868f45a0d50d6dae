"""Compares runs: combinations × languages, with intervals; as a table, Markdown, LaTeX and CSV.

An average is shown only if it is complete. A language that was not tested with each of a combination's seeds shows
"–", and so does the combination's macro average; a note says what is missing.
"""

from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import replace
from pathlib import Path

from framework.errors import UserError, did_you_mean
from framework.reports.compare import legend
from framework.reports.compare.averages import with_averages
from framework.reports.compare.comparison import Comparison, check_places
from framework.reports.compare.groups import group_languages
from framework.reports.compare.pivot import COMBINATION, pivot
from framework.reports.compare.score_rows import ScoredRuns, languages_of, rows_of, zero_shot_everywhere
from framework.results.metrics import SHIPPED, Metric, metrics_of
from framework.results.metrics.own import own_metric
from framework.results.run_folder import RunFolder, RunRecord, read_runs
from framework.results.run_groups import RunGroup, group_runs

__all__ = ["Comparison", "ScoredRuns", "check_places", "compare", "scored_runs"]


def compare(
    places: Iterable[str | Path | RunFolder],
    metric: str | None = None,
    baseline: str | None = None,
    group: Sequence[str] = (),
    by: str | None = None,
    rows_by: str | None = None,
    pretrained_on: str | None = None,
) -> Comparison:
    """Compares runs.

    Args:
        places: Runs, their folders, or folders above them.
        metric: The name of one of the task's metrics, or of one of the user's own that all runs have; None for the
            task's main one.
        baseline: The label of the combination that the others are compared to; None for no such comparison.
        group: Groupings of languages, of `framework.reports.compare.groups.GROUPINGS`, for further macro averages.
        by: A key of the experiments, such as `combination.task.prompt.length`; its values are the columns of a table
            of macro averages.
        rows_by: The key of that table's rows; None for the combinations.
        pretrained_on: The pretraining corpus, of `PRETRAINING_CORPORA`, of backbones that are not known by name.

    Raises:
        UserError: The metric, the baseline, a group or a key is unknown; a folder holds no runs; a file is damaged; or
            the runs do not fit into one table: their datasets or tasks differ, or two have the same seed.
    """
    if rows_by is not None and by is None:
        raise UserError(f"rows by '{rows_by}' need columns: say which with --by")
    scored = scored_runs(places, metric)
    groups = scored.groups
    chosen = None if baseline is None else _choose_baseline(groups, baseline)
    languages = languages_of(scored.rows)
    macro_languages = zero_shot_everywhere(scored.rows, languages)
    groupings = group_languages(group, languages, groups, pretrained_on)
    rows, refusals = with_averages(scored, macro_languages, chosen, groupings)
    scored = replace(scored, rows=rows)
    table = None if by is None else pivot(scored, macro_languages, by, rows_by or COMBINATION)
    return Comparison(
        **vars(scored),
        languages=languages,
        macro_languages=macro_languages,
        baseline=chosen,
        legend=[
            *legend.how_to_read(groups, rows, macro_languages, table),
            *legend.about_differences(rows, chosen),
            *refusals,
            *legend.about_groups(rows, groupings, macro_languages),
            *legend.about_language_components(groups),
            *legend.about_runs(groups, scored.empty),
            *legend.about_gaps(rows, languages, macro_languages),
            *legend.about_data(groups),
            *legend.about_labels(groups, rows, languages),
            *legend.about_unparsed(rows),
        ],
        groupings=groupings,
        pivot=table,
    )


def scored_runs(places: Iterable[str | Path | RunFolder], metric: str | None = None) -> ScoredRuns:
    """Reads the scores of runs that fit into one table, without predictions; see `compare`."""
    runs = read_runs(places)
    groups, empty = group_runs(runs)
    if not groups:
        raise UserError(f"no results yet in {', '.join(str(run.path) for run in runs)}")
    _refuse_several(groups, "datasets", lambda record: record.dataset)
    _refuse_several(groups, "tasks", lambda record: record.task)
    _refuse_several(groups, "positive labels", lambda record: str(record.positive))
    metrics = metrics_of(groups[0].record.task, groups[0].record.positive)
    _refuse_other_scores(groups, metrics.keys())
    own = {name: None for group in groups for run in group.runs.values() for name in run.record.own_metrics}
    names = [*metrics, *own]
    name = names[0] if metric is None else metric
    if name in own:
        shown = _own_metric(name, groups)
    elif name in metrics:
        shown = metrics[name]
    else:
        near = did_you_mean(name, names)
        raise UserError(f"unknown metric '{name}'{near} (of {groups[0].record.task}: {', '.join(names)})")
    rows = [row for one in groups for row in rows_of(one, groups, shown.name)]
    title = legend.title(groups, rows, languages_of(rows), shown)
    return ScoredRuns(title, names, shown, groups, empty, rows)


def _refuse_several(groups: list[RunGroup], what: str, fact: Callable[[RunRecord], str]) -> None:
    where = {fact(group.record): next(iter(group.runs.values())).path for group in groups}
    if len(where) > 1:
        listed = ", ".join(f"{found} ({path})" for found, path in where.items())
        raise UserError(f"these runs were tested on different {what}, compare one at a time: {listed}")


def _own_metric(name: str, groups: list[RunGroup]) -> Metric:
    """Imports a metric of the user's own, which all results must have."""
    runs = [run for group in groups for run in group.runs.values()]
    paths = {run.record.own_metrics.get(name): run.path for run in runs}
    named = [path for path in paths if path is not None]
    if len(named) > 1:
        listed = ", ".join(f"{path} ({paths[path]})" for path in named)
        raise UserError(f"'{name}' is another metric in some of the runs: {listed}")
    for group in groups:
        for seed, result in group.by_seed():
            if name not in result.scores:
                raise UserError(
                    f"{group.runs[seed].path}: {result.language} has no score '{name}'; run the experiment with "
                    f"{named[0]} in stages.evaluate.metrics and this language among its targets: it is tested again, "
                    "and nothing is trained"
                )
    metric = own_metric(named[0])
    if metric.name != name:
        raise UserError(f"metric {named[0]!r} has the name '{metric.name}' now, and '{name}' in {paths[named[0]]}")
    return metric


def _refuse_other_scores(groups: list[RunGroup], metrics: Set[str]) -> None:
    """Checks that all results have the task's metrics: results of former targets may be older than a metric."""
    for group in groups:
        for seed, result in group.by_seed():
            if result.scores.keys() & SHIPPED != metrics:
                raise UserError(
                    f"{group.runs[seed].path}: {result.language} has the scores {', '.join(result.scores)}, not "
                    f"{', '.join(metrics)}; run the experiment again with this language among its targets"
                )


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
