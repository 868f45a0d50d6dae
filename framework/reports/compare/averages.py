"""Averages over languages and groups of them, and differences to a baseline, from what the runs predicted."""

import math
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from framework.errors import UserError
from framework.reports.compare.groups import Grouping
from framework.reports.compare.rows import GroupAverage, Row, Tested
from framework.results.metrics import SCORINGS, Metric
from framework.results.run_folder import Control
from framework.results.run_groups import RunGroup
from framework.results.statistics import Bootstrap, Difference, Examples, Outcome, Resampled

Key = TypeVar("Key", bound=Hashable)

MACRO, LANGUAGE = "macro", "language"
"""Families of tests, by their names in `averages-<metric>.csv`; each grouping is another family."""


def with_averages(
    rows: list[Row],
    groups: list[RunGroup],
    languages: list[str],
    metric: Metric,
    baseline: str | None,
    groupings: Sequence[Grouping] = (),
) -> tuple[list[Row], list[str]]:
    """Adds averages and differences where all predictions that they need exist.

    Args:
        rows: Without averages.
        groups: The combinations of the rows.
        languages: Those of the macro average.
        metric: What is averaged.
        baseline: The label of the combination that the others are compared to.
        groupings: Further averages, over each of their groups.

    Returns:
        The rows in the same order, and sentences for the legend on what could not be computed.
    """
    by_label = {group.label: group for group in groups}
    bootstrap = Bootstrap()
    reference: tuple[Row, Resampled] | None = None
    averaged = list(rows)
    families: dict[str, dict[tuple[int, str], Difference]] = {}
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
        row = averaged[index] = _with_own_averages(row, scores, present, groupings)
        if compared and row.combination == baseline:
            reference = row, scores
        elif compared and reference is not None:
            zero_shot = [one for one in row.cells if row.zero_shot(one) and reference[0].zero_shot(one)]
            single, refused = _by_language(scores, reference[1], zero_shot)
            refusals += [f"No difference for {row.combination}: {why}." for why in refused]
            families.setdefault(LANGUAGE, {}).update({(index, one): found for one, found in single.items()})
            for family, name, members in _averages_of(row, present):
                if single.keys() >= set(members):
                    families.setdefault(family, {})[index, name] = scores.difference(reference[1], members)
    if baseline is not None and not any(row.macro for row in averaged if row.combination == baseline):
        refusals.append(f"No differences: {baseline} has no macro average.")
    tests = {family: _corrected(differences) for family, differences in families.items()}
    return [_with_tests(row, index, tests) for index, row in enumerate(averaged)], refusals


def _with_own_averages(row: Row, scores: Resampled, present: list[str], groupings: Sequence[Grouping]) -> Row:
    if not present:
        return row
    groups: dict[str, dict[str, GroupAverage]] = {}
    for grouping in groupings:
        members = {name: tuple(one for one in of_it if one in present) for name, of_it in grouping.groups.items()}
        groups[grouping.name] = {
            name: GroupAverage(languages, scores.average(languages)) for name, languages in members.items() if languages
        }
    return replace(row, macro=scores.average(present), groups=groups)


def _by_language(
    scores: Resampled, reference: Resampled, languages: Iterable[str]
) -> tuple[dict[str, Difference], list[str]]:
    """Returns the difference in each language, and why there is none in others."""
    found: dict[str, Difference] = {}
    refused: list[str] = []
    for language in languages:
        try:
            found[language] = scores.difference(reference, [language])
        except ValueError as error:
            refused.append(str(error))
    return found, refused


def _averages_of(row: Row, languages: Sequence[str]) -> Iterator[tuple[str, str, Sequence[str]]]:
    """Yields family, name and languages of each average of a row; the macro average is over the given languages."""
    if row.macro is not None:
        yield MACRO, "", languages
    for grouping, groups in row.groups.items():
        yield from ((grouping, name, one.languages) for name, one in groups.items())


def _corrected(family: Mapping[Key, Difference]) -> dict[Key, Tested]:
    """Corrects the tests of one family for their number."""
    from scipy.stats import false_discovery_control  # slow to import

    p_values = {key: one.p for key, one in family.items() if one.p is not None}
    adjusted = false_discovery_control(list(p_values.values())).tolist() if p_values else []
    by_key = dict(zip(p_values, adjusted, strict=True))
    return {key: Tested(one, by_key.get(key)) for key, one in family.items()}


def _with_tests(row: Row, index: int, tests: Mapping[str, Mapping[tuple[int, str], Tested]]) -> Row:
    """Adds its tests to the row with an index in the table."""

    def tested(family: str, name: str) -> Tested | None:
        return tests.get(family, {}).get((index, name))

    groups = {
        grouping: {name: replace(one, tested=tested(grouping, name)) for name, one in found.items()}
        for grouping, found in row.groups.items()
    }
    single = {language: found for language in row.cells if (found := tested(LANGUAGE, language)) is not None}
    return replace(row, difference=tested(MACRO, ""), by_language=single, groups=groups)


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
