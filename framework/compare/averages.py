"""Macro averages over languages, and their differences to a baseline, from what the runs predicted."""

from dataclasses import replace

from framework.compare.rows import Row
from framework.errors import UserError
from framework.metrics import SCORINGS, Metric
from framework.results import Control, RunGroup
from framework.statistics import Bootstrap, Outcome, TestSet


def with_averages(
    rows: list[Row], groups: list[RunGroup], languages: list[str], metric: Metric, baseline: str | None
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
    record = group.record
    # Labels are the same in all languages, so they tell whether examples are; other gold cannot.
    parallel = record.parallel and not SCORINGS[record.task].gold_is_label
    test_set = TestSet(language, first.id, first.gold, parallel=parallel)
    return Outcome(test_set, {seed: one.predicted for seed, one in read.items()})
