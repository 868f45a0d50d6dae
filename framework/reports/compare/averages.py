"""Averages over languages and groups of them, and differences to a baseline, from what the runs predicted."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from framework.errors import UserError
from framework.reports.compare.groups import Grouping
from framework.reports.compare.score_rows import GroupAverage, Row, ScoredRuns, Tested, families_of
from framework.results.metrics import SCORINGS, Metric
from framework.results.run_folder import Control
from framework.results.run_groups import RunGroup
from framework.results.statistics import Bootstrap, Examples, Outcome, Resampled


def with_averages(
    scored: ScoredRuns, languages: list[str], baseline: str | None, groupings: Sequence[Grouping]
) -> tuple[list[Row], list[str]]:
    """Adds averages and differences where all predictions that they need exist.

    Args:
        scored: Rows without averages, and their combinations.
        languages: Those of the macro average.
        baseline: The label of the combination that the others are compared to.
        groupings: Further averages, over each of their groups.

    Returns:
        The rows in the same order, and sentences for the legend on what could not be computed.
    """
    rows, metric = scored.rows, scored.metric
    by_label = {group.label: group for group in scored.groups}
    bootstrap = Bootstrap()
    reference: tuple[Row, Resampled] | None = None
    averaged = list(rows)
    refusals: list[str] = []
    # The baseline comes first: the others are compared to its outcomes.
    for index in sorted(range(len(rows)), key=lambda index: rows[index].combination != baseline):
        row = rows[index]
        # A control is averaged over the languages that have components; a note names the others.
        present = [language for language in languages if language in row.cells and not row.missing]
        compared = row.control == "own" and baseline is not None
        wanted = list(row.cells) if compared else present
        if not wanted:
            continue
        scores = bootstrap.resampled(outcomes_of(by_label[row.combination], row.control, wanted, metric), metric)
        if compared and row.combination == baseline:
            reference = row, scores
        elif compared and reference is not None:
            row, refused = _with_single_languages(row, scores, *reference)
            refusals += [f"No difference for {row.combination}: {why}." for why in refused]
        averaged[index] = _averaged(row, scores, present, groupings, reference[1] if reference else None)
    if baseline is not None and not any(row.macro for row in averaged if row.combination == baseline):
        refusals.append(f"No differences: {baseline} has no macro average.")
    for family in families_of(averaged).values():
        _correct(family)
    return averaged, refusals


def _with_single_languages(
    row: Row, scores: Resampled, baseline: Row, baseline_scores: Resampled
) -> tuple[Row, list[str]]:
    """Adds the difference in each language that is zero-shot in both rows, and says why there is none in some."""
    found: dict[str, Tested] = {}
    refused: list[str] = []
    for language in row.cells:
        if row.zero_shot(language) and baseline.zero_shot(language):
            try:
                found[language] = Tested(scores.difference(baseline_scores, [language]))
            except ValueError as error:
                refused.append(str(error))
    return replace(row, by_language=found), refused


def _averaged(
    row: Row, scores: Resampled, present: Sequence[str], groupings: Sequence[Grouping], baseline: Resampled | None
) -> Row:
    """Adds the averages, and the difference of each of them whose languages all have one."""
    if not present:
        return row

    def tested(languages: Sequence[str]) -> Tested | None:
        if baseline is None or not row.by_language.keys() >= set(languages):
            return None
        return Tested(scores.difference(baseline, languages))

    groups: dict[str, dict[str, GroupAverage]] = {}
    for grouping in groupings:
        members = {name: tuple(one for one in of_it if one in present) for name, of_it in grouping.groups.items()}
        groups[grouping.name] = {
            name: GroupAverage(languages, scores.average(languages), tested(languages))
            for name, languages in members.items()
            if languages
        }
    return replace(row, macro=scores.average(present), difference=tested(present), groups=groups)


def _correct(family: Iterable[Tested]) -> None:
    """Corrects the p values of one family of tests for their number (Benjamini and Hochberg)."""
    tested = [one for one in family if one.difference.p is not None]
    if tested:
        from scipy.stats import false_discovery_control  # slow to import

        adjusted = false_discovery_control([one.difference.p for one in tested])
        for one, p in zip(tested, adjusted.tolist(), strict=True):
            one.adjusted_p = p


def outcomes_of(group: RunGroup, control: Control, languages: Iterable[str], metric: Metric) -> dict[str, Outcome]:
    """Reads the predictions of one combination under one control.

    Raises:
        UserError: A file is missing, or its predictions do not have the result's score in the metric.
    """
    return {language: _outcome(group, control, language, metric) for language in languages}


def _outcome(group: RunGroup, control: Control, language: str, metric: Metric) -> Outcome:
    read = {seed: group.runs[seed].predictions(control, language) for seed in group.seeds}
    first = read[group.seeds[0]]
    for seed, predictions in read.items():
        path, result = group.runs[seed].path, group.results[control][language][seed]
        if len(predictions) != result.examples:
            raise UserError(f"{path}: {language} ({control}) has not as many predictions as its result says")
        score = metric.score(predictions.gold, predictions.predicted, language)
        if not math.isclose(score, result.scores[metric.name], abs_tol=1e-9):
            raise UserError(
                f"{path}: {language} ({control}) has {metric.shown} {result.scores[metric.name]:.4f} in its result and "
                f"{score:.4f} by its predictions; remove the result and run the experiment again"
            )
        if (predictions.id, predictions.gold) != (first.id, first.gold):
            raise UserError(
                f"{path}: {language} was tested on other examples than in {group.runs[group.seeds[0]].path}"
            )
    record = group.record
    # Gold labels are equal in parallel test sets, so they are compared too; other gold is text in each language.
    parallel = record.parallel and not SCORINGS[record.task].gold_is_label
    examples = Examples(language, first.id, first.gold, parallel=parallel)
    return Outcome(examples, {seed: one.predicted for seed, one in read.items()})
