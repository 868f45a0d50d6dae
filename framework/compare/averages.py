"""Averages over languages and groups of them, and differences to a baseline, from what the runs predicted."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from framework.compare.groups import Grouping
from framework.compare.rows import GroupAverage, Row, Tested
from framework.errors import UserError
from framework.metrics import SCORINGS, Metric
from framework.results import Control, RunGroup
from framework.statistics import Bootstrap, Difference, Outcome, Resampled, TestSet, benjamini_hochberg

Key = TypeVar("Key", bound=Hashable)


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
    reference: Resampled | None = None
    averaged = list(rows)
    of_languages: dict[tuple[int, str], Difference] = {}
    of_groups: dict[tuple[int, str, str], Difference] = {}
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
        scores = bootstrap.resampled(outcomes_of(by_label[row.combination], row.control, wanted), metric)
        row = averaged[place] = _with_own_averages(row, scores, present, groupings)
        if compared and row.combination == baseline:
            reference = scores
        elif compared and reference is not None:
            single, refused = _by_language(scores, reference)
            refusals += [f"No difference for {row.combination}: {why}." for why in refused]
            of_languages |= {(place, language): found for language, found in single.items()}
            if present and row.macro is not None and single.keys() >= set(present):
                averaged[place] = replace(row, difference=scores.difference(reference, present))
            for grouping, name, group in _all_groups(row):
                if single.keys() >= set(group.languages):
                    of_groups[place, grouping, name] = scores.difference(reference, group.languages)
    if baseline is not None and not any(row.macro for row in averaged if row.combination == baseline):
        refusals.append(f"No differences: {baseline} has no macro average.")
    return _with_tests(averaged, _corrected(of_languages), _corrected(of_groups)), refusals


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


def _by_language(scores: Resampled, reference: Resampled) -> tuple[dict[str, Difference], list[str]]:
    """The difference in each language that both were tested in, and why there is none in some."""
    found: dict[str, Difference] = {}
    refused: list[str] = []
    for language in scores.means:
        if language in reference.means:
            try:
                found[language] = scores.difference(reference, [language])
            except ValueError as error:
                refused.append(str(error))
    return found, refused


def _all_groups(row: Row) -> Iterable[tuple[str, str, GroupAverage]]:
    return [(grouping, name, one) for grouping, groups in row.groups.items() for name, one in groups.items()]


def _corrected(tests: Mapping[Key, Difference]) -> dict[Key, Tested]:
    """Corrects all tests of one kind for their number."""
    adjusted = benjamini_hochberg([one.p for one in tests.values()])
    return {key: Tested(one, p) for (key, one), p in zip(tests.items(), adjusted, strict=True)}


def _with_tests(
    rows: list[Row], of_languages: Mapping[tuple[int, str], Tested], of_groups: Mapping[tuple[int, str, str], Tested]
) -> list[Row]:
    """Puts each test into its row."""
    by_language: dict[int, dict[str, Tested]] = {}
    for (place, language), tested in of_languages.items():
        by_language.setdefault(place, {})[language] = tested
    return [
        replace(
            row,
            by_language=by_language.get(place, {}),
            groups={
                grouping: {
                    name: replace(one, tested=of_groups.get((place, grouping, name))) for name, one in groups.items()
                }
                for grouping, groups in row.groups.items()
            },
        )
        for place, row in enumerate(rows)
    ]


def outcomes_of(group: RunGroup, control: Control, languages: Iterable[str]) -> dict[str, Outcome]:
    """Reads what one combination predicted in some languages.

    Raises:
        UserError: A file is missing, or its predictions are not those of its result.
    """
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
    record = group.record
    # Labels are the same in all languages, so they tell whether examples are; other gold cannot.
    parallel = record.parallel and not SCORINGS[record.task].gold_is_label
    test_set = TestSet(language, first.id, first.gold, parallel=parallel)
    return Outcome(test_set, {seed: one.predicted for seed, one in read.items()})
