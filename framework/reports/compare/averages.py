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
from framework.results.statistics import Bootstrap, Difference, Outcome, Resampled, TestSet, benjamini_hochberg

Key = TypeVar("Key", bound=Hashable)

MACRO, LANGUAGE = "macro", "language"
"""Families of tests, as the file of averages calls them; each grouping is another."""


def with_averages(
    rows: list[Row],
    groups: list[RunGroup],
    languages: list[str],
    metric: Metric,
    baseline: str | None,
    groupings: Sequence[Grouping] = (),
) -> tuple[list[Row], list[str]]:
    """Adds averages and differences where all that they need is there, and says where it is not.

    Args:
        rows: Without averages.
        groups: The combinations that they are of.
        languages: Those that the macro average is over.
        metric: What is averaged.
        baseline: The label of the combination that the others are compared to.
        groupings: What further averages are over.

    Returns:
        The rows in the same order, and sentences for the legend.
    """
    by_label = {group.label: group for group in groups}
    bootstrap = Bootstrap()
    reference: tuple[Row, Resampled] | None = None
    averaged = list(rows)
    families: dict[str, dict[tuple[int, str], Difference]] = {}
    refusals: list[str] = []
    # The baseline goes first: the others are compared to its outcomes.
    for place in sorted(range(len(rows)), key=lambda place: (rows[place].combination != baseline, place)):
        row = rows[place]
        # A control of languages some of which have no components is averaged over the rest; a note says so.
        present = [language for language in languages if language in row.cells and not row.missing]
        compared = row.control == "own" and baseline is not None
        wanted = list(row.cells) if compared else present
        if not wanted:
            continue
        scores = bootstrap.resampled(outcomes_of(by_label[row.combination], row.control, wanted, metric), metric)
        row = averaged[place] = _with_own_averages(row, scores, present, groupings)
        if compared and row.combination == baseline:
            reference = row, scores
        elif compared and reference is not None:
            zero_shot = [one for one in row.cells if row.zero_shot(one) and reference[0].zero_shot(one)]
            single, refused = _by_language(scores, reference[1], zero_shot)
            refusals += [f"No difference for {row.combination}: {why}." for why in refused]
            families.setdefault(LANGUAGE, {}).update({(place, one): found for one, found in single.items()})
            for family, name, members in _averages_of(row, present):
                if single.keys() >= set(members):
                    families.setdefault(family, {})[place, name] = scores.difference(reference[1], members)
    if baseline is not None and not any(row.macro for row in averaged if row.combination == baseline):
        refusals.append(f"No differences: {baseline} has no macro average.")
    tests = {family: _corrected(differences) for family, differences in families.items()}
    return [_with_tests(row, place, tests) for place, row in enumerate(averaged)], refusals


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
    """The difference in each language, and why there is none in some."""
    found: dict[str, Difference] = {}
    refused: list[str] = []
    for language in languages:
        try:
            found[language] = scores.difference(reference, [language])
        except ValueError as error:
            refused.append(str(error))
    return found, refused


def _averages_of(row: Row, languages: Sequence[str]) -> Iterator[tuple[str, str, Sequence[str]]]:
    """The family, name and languages of each average that a row has; the macro average is over the given ones."""
    if row.macro is not None:
        yield MACRO, "", languages
    for grouping, groups in row.groups.items():
        yield from ((grouping, name, one.languages) for name, one in groups.items())


def _corrected(family: Mapping[Key, Difference]) -> dict[Key, Tested]:
    """Corrects the tests of one family for their number."""
    p_values = {key: one.p for key, one in family.items() if one.p is not None}
    adjusted = dict(zip(p_values, benjamini_hochberg(list(p_values.values())), strict=True))
    return {key: Tested(one, adjusted.get(key)) for key, one in family.items()}


def _with_tests(row: Row, place: int, tests: Mapping[str, Mapping[tuple[int, str], Tested]]) -> Row:
    """Puts the tests of the row at a place of the table into it."""

    def tested(family: str, name: str) -> Tested | None:
        return tests.get(family, {}).get((place, name))

    groups = {
        grouping: {name: replace(one, tested=tested(grouping, name)) for name, one in found.items()}
        for grouping, found in row.groups.items()
    }
    single = {language: found for language in row.cells if (found := tested(LANGUAGE, language)) is not None}
    return replace(row, difference=tested(MACRO, ""), by_language=single, groups=groups)


def outcomes_of(group: RunGroup, control: Control, languages: Iterable[str], metric: Metric) -> dict[str, Outcome]:
    """Reads what one combination predicted in some languages.

    Args:
        group: The combination.
        control: Whose language components acted.
        languages: Those that are read.
        metric: What is averaged: its score of the predictions must be that of the result, which the table shows.

    Raises:
        UserError: A file is missing, or its predictions are not those of its result.
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
    # Labels are the same in all languages, so they tell whether examples are; other gold cannot.
    parallel = record.parallel and not SCORINGS[record.task].gold_is_label
    test_set = TestSet(language, first.id, first.gold, parallel=parallel)
    return Outcome(test_set, {seed: one.predicted for seed, one in read.items()})
