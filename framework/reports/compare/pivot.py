"""Macro averages by any two keys of the runs' experiments: rows × columns."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from framework.errors import UserError, did_you_mean
from framework.reports.compare.averages import outcomes_of
from framework.reports.compare.score_rows import ScoredRuns
from framework.results.metrics import Metric
from framework.results.run_folder import RunFolder
from framework.results.run_groups import RunGroup, disambiguate, natural, shown
from framework.results.statistics import Bootstrap, MacroAverage

COMBINATION = "combination"
"""The key of the combinations themselves, the default rows of a pivot."""
NOT_SET = "not set"
"""The value of a key that is missing in a run's experiment."""

FACTS: dict[str, Callable[[RunFolder], Any]] = {
    COMBINATION: lambda run: run.record.label.partition(" · ")[0],
    "experiment": lambda run: run.record.experiment,
    "seed": lambda run: run.record.seed,
    "backbone": lambda run: run.record.backbone,
    "languages.source": lambda run: run.record.source,
}
"""Keys whose value comes from a run's record, not from its experiment."""


@dataclass(frozen=True)
class PivotCell:
    """A macro average of the runs of one row and column."""

    label: str
    """The combination's label in the whole comparison."""
    average: MacroAverage | None
    """None where it was not tested in all languages of the average."""


@dataclass(frozen=True)
class Pivot:
    """Macro averages: rows × columns."""

    row_key: str
    column_key: str
    rows: list[str]
    """The first column; all different."""
    columns: list[str]
    """The values of the column's key, in natural order."""
    cells: dict[tuple[str, str], PivotCell]
    """By row and column; many may be empty."""


def pivot(scored: ScoredRuns, languages: Sequence[str], column_key: str, row_key: str) -> Pivot:
    """Arranges macro averages by two keys.

    Args:
        scored: Rows with averages, and their combinations.
        languages: Those of the macro averages.
        column_key: A dotted key of the experiments (its last parts are enough), or one of `FACTS`; its values are the
            columns.
        row_key: Another one. Combinations that the two keys do not distinguish get distinct row labels.

    Raises:
        UserError: No run has such a key.
    """
    groups = scored.groups
    row_key, column_key = full_key(row_key, groups), full_key(column_key, groups)
    if column_key == row_key:
        raise UserError(f"rows and columns are both '{row_key}'")
    parts = [part for group in groups for part in _split(group, row_key, column_key)]
    columns = _in_order(column_key, [column for _, _, column in parts])
    labels = disambiguate(
        [part for part, _, _ in parts], [row for _, row, _ in parts], [column for _, _, column in parts], column_key
    )
    whole = {row.combination: row for row in scored.rows if row.control == "own"}
    bootstrap = Bootstrap()
    cells: dict[tuple[str, str], PivotCell] = {}
    for (part, _, column), label in zip(parts, labels, strict=True):
        average = whole[part.label].macro
        if part.seeds != whole[part.label].seeds:
            average = _average(part, languages, scored.metric, bootstrap)
        cells[label, column] = PivotCell(part.label, average)
    return Pivot(row_key, column_key, _in_order(row_key, labels), columns, cells)


def _in_order(key: str, values: Sequence[str]) -> list[str]:
    """Sorts values; combinations are sorted already, small before large."""
    distinct = list(dict.fromkeys(values))
    return distinct if key == COMBINATION else sorted(distinct, key=natural)


def _split(group: RunGroup, row_key: str, column_key: str) -> Iterator[tuple[RunGroup, str, str]]:
    """Splits the seeds of a combination by the values of two keys, which usually are the same for all seeds."""
    by_values: dict[tuple[str, str], list[int]] = {}
    for seed in group.seeds:
        values = _values(group.runs[seed])
        by_values.setdefault((values.get(row_key, NOT_SET), values.get(column_key, NOT_SET)), []).append(seed)
    for (of_row, of_column), seeds in by_values.items():
        # Its results stay those of all seeds.
        yield replace(group, runs={seed: group.runs[seed] for seed in seeds}), of_row, of_column


def _average(part: RunGroup, languages: Sequence[str], metric: Metric, bootstrap: Bootstrap) -> MacroAverage | None:
    tested = part.results["own"]
    if not languages or any(not tested.get(language, {}).keys() >= set(part.seeds) for language in languages):
        return None
    return bootstrap.resampled(outcomes_of(part, "own", languages, metric), metric).average(languages)


def full_key(key: str, groups: Sequence[RunGroup]) -> str:
    """Completes a key that may be given by its last parts, as labels do: `length`.

    Raises:
        UserError: No run has such a key, or the last parts are those of several.
    """
    runs = [_values(run) for group in groups for run in group.runs.values()]
    known = list(dict.fromkeys([*FACTS, *(name for values in runs for name in values)]))
    if key in known:
        return key
    longer = [one for one in known if one.endswith(f".{key}")]
    if len(longer) > 1:
        raise UserError(f"several keys end with '{key}': {', '.join(longer)}")
    if longer:
        return longer[0]
    varied = [one for one in known if len({values.get(one, NOT_SET) for values in runs}) > 1]
    here = f" (these differ between the runs: {', '.join(varied)})" if varied else ""
    raise UserError(f"no run has a key '{key}'{did_you_mean(key, known)}{here}")


def _values(run: RunFolder) -> dict[str, str]:
    """Returns the values of all keys of a run as text: of its experiment as written, and of `FACTS`."""
    # The components have their defaults. A section below another one is a key too, such as `combination.task`.
    keys = _nested({**run.experiment, "combination": run.record.combination})
    settings = {key: value for key, value in keys if "." in key or not value or not isinstance(value, Mapping)}
    return {key: shown(value) for key, value in (settings | {key: of(run) for key, of in FACTS.items()}).items()}


def _nested(data: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yields every dotted key with its value, including those of sections."""
    for name, value in data.items():
        yield f"{above}{name}", value
        if isinstance(value, Mapping):
            yield from _nested(value, f"{above}{name}.")
