"""Groups runs that are seeds of one combination, and gives combinations distinct labels."""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from framework.errors import UserError
from framework.results.run_folder import CONTROLS, Control, LanguageResult, RunFolder, RunRecord
from framework.system.stored_files import disagreement

MOST_SETTINGS = 3
"""A label names all settings that differ if there are no more than these, otherwise as few as distinguish it."""

NO_RECIPE = frozenset({"backbone", "name", "runs", "seeds", "slurm", "store", "tracking", "trainer"})
"""Sections of an experiment that say where and how it runs, or that labels name by another fact."""

NO_RECIPE_KEYS = frozenset(
    {"data.path", "languages.source", "languages.targets", "stages.evaluate.batch_size", "stages.evaluate.metrics"}
)
"""Single keys of that kind."""

Labels = list[str]
Fact = Callable[[Sequence["RunGroup"], str], Labels]
"""Appends one kind of fact to the common label of some groups, and returns the label of each."""

Results = dict[Control, dict[str, dict[int, LanguageResult]]]
"""Results by control, language and seed."""


@dataclasses.dataclass
class RunGroup:
    """The runs of one combination, which differ only in their seed."""

    label: str
    """The combination in words; unique among the groups."""
    record: RunRecord
    """The record of one of the runs; the others differ only in the seed and what follows from it."""
    runs: dict[int, RunFolder]
    """By seed."""
    results: Results

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds, sorted."""
        return tuple(sorted(self.runs))

    def by_seed(self) -> Iterator[tuple[int, LanguageResult]]:
        """Yields every result with its seed."""
        for by_language in self.results.values():
            for of_seeds in by_language.values():
                yield from of_seeds.items()

    def results_of(self, seed: int) -> list[LanguageResult]:
        """Returns the results of one of the runs, by control and language."""
        found = (of_seeds for by_language in self.results.values() for _, of_seeds in sorted(by_language.items()))
        return [of_seeds[seed] for of_seeds in found if seed in of_seeds]


def group_runs(runs: Iterable[RunFolder]) -> tuple[list[RunGroup], list[RunFolder]]:
    """Groups the runs of any experiments.

    Returns:
        The groups, by experiment in the given order, then small combinations before large ones; and the runs
        without results, which are in no group.

    Raises:
        UserError: Two runs of one group have the same seed or id, a result cannot be read, a record contradicts its
            results, or the seeds of a group were tested on different data or with different language components.
    """
    groups: dict[str, RunGroup] = {}
    empty: list[RunFolder] = []
    for run in runs:
        record, results = run.record, run.results()
        if not results:
            empty.append(run)
            continue
        _refuse_other_sources(run, results)
        key = f"{record.experiment} {_recipe(record)}"
        group = groups.setdefault(key, RunGroup(record.label, record, {}, {control: {} for control in CONTROLS}))
        if record.seed in group.runs:
            raise UserError(
                f"{group.runs[record.seed].path} and {run.path} are both seed {record.seed} of "
                f"'{record.label}': name the one that you mean"
            )
        for other in group.runs.values():
            if other.record.id == record.id:
                raise UserError(
                    f"{other.path} and {run.path} have one id, {record.id}, and two seeds: one is an edited copy of "
                    "the other; remove it"
                )
        group.runs[record.seed] = run
        for result in results:
            group.results[result.control].setdefault(result.language, {})[record.seed] = result
    found = list(groups.values())
    for group in found:
        _refuse_mixture(group)
    for group, label in zip(found, disambiguate(found), strict=True):
        group.label = label
    experiments = list(dict.fromkeys(group.record.experiment for group in found))
    found.sort(
        key=lambda group: (
            experiments.index(group.record.experiment),
            sum(len(kinds or ()) for kinds in group.record.combination.values()),
            natural(group.label),
        )
    )
    return found, empty


def _refuse_other_sources(run: RunFolder, results: Iterable[LanguageResult]) -> None:
    """Compares the source languages of the record with those of the results."""
    for result in results:
        in_record = result.language in run.record.source
        # Without a task component nothing may have been trained; then no result is of a source.
        may_differ = in_record and not run.record.combination.get("task")
        if result.source != in_record and not may_differ:
            difference = f"source is {run.record.source} in the one, {str(result.source).lower()} in the other"
            raise UserError(disagreement(run.path / "run.json", f"the result of {result.language}", difference))


def _refuse_mixture(group: RunGroup) -> None:
    """Refuses seeds that differ in data or language components: one of them may have kept an older result."""
    for by_language in group.results.values():
        for language, of_seeds in by_language.items():
            known = {seed: of_seeds[seed] for seed in sorted(of_seeds) if of_seeds[seed].data}
            for (first, result), (seed, other) in itertools.pairwise(known.items()):
                if (other.data, other.components) != (result.data, result.components):
                    what = "on other data" if other.data != result.data else "with other language components"
                    raise UserError(
                        f"{group.runs[seed].path}: {language} was tested {what} than in {group.runs[first].path}; "
                        "run the experiment again with this language among its targets"
                    )


def _recipe(record: RunRecord) -> str:
    """Returns what the seeds of one combination have in common."""
    if record.recipe:
        return record.recipe
    about_data = [record.backbone, record.precision, record.dataset, record.source]
    return json.dumps([record.label, record.combination, record.settings, *about_data], sort_keys=True)


def disambiguate(
    groups: Sequence[RunGroup],
    labels: Labels | None = None,
    columns: Sequence[str] | None = None,
    without: str | None = None,
) -> Labels:
    """Appends to equal labels the facts that distinguish them.

    Args:
        groups: Combinations.
        labels: Their labels so far; None for those of their runs.
        columns: The column of each; labels need only be distinct within a column. None for one column.
        without: A key that labels must not name, because it is that of the columns.

    Returns:
        A label for each group, unique within its column.
    """
    labels = [group.record.label for group in groups] if labels is None else list(labels)
    columns = [""] * len(groups) if columns is None else columns
    for fact in (
        _combination,
        _experiment,
        _grid(without),
        _of_record(lambda record: record.backbone),
        _of_record(lambda record: record.precision and f"precision={record.precision}"),
        _of_record(lambda record: f"from {', '.join(record.source)}"),
        _settings(without),
        _of_record(lambda record: record.commit and f"commit {record.commit[:7]}"),
    ):
        for label in dict.fromkeys(labels):
            alike = [index for index, other in enumerate(labels) if other == label]
            longer = fact([groups[index] for index in alike], label)
            # A difference only between columns is not named.
            apart = {(columns[index], new) for index, new in zip(alike, longer, strict=True)}
            if len(apart) > len({columns[index] for index in alike}):
                for index, new in zip(alike, longer, strict=True):
                    labels[index] = new
    return _numbered(labels, columns)


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """Shortens dotted keys to the fewest last parts that distinguish them: `prompt.length`, or just `length`."""
    short: dict[str, str] = {}
    for key in keys:
        parts = key.split(".")
        tails = [".".join(parts[-length:]) for length in range(1, len(parts) + 1)]
        others = [f".{other}" for other in keys if other != key]
        short[key] = next((tail for tail in tails if not any(other.endswith(f".{tail}") for other in others)), key)
    return short


def leaves(data: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yields every dotted key of nested mappings with its value; an empty mapping is a value."""
    if isinstance(data, Mapping) and data:
        for name, value in data.items():
            yield from leaves(value, f"{key}.{name}".lstrip("."))
    else:
        yield key, data


def shown(value: Any) -> str:
    """Returns a short text for a setting's value: the keys of a mapping, the beginning of a hash."""
    if value is None or value == {} or value == []:
        return "none"
    if isinstance(value, Mapping):
        return " + ".join(map(str, value))
    if isinstance(value, list | tuple):
        return ", ".join(map(shown, value))
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if "/" in text and " " not in text:  # of a path, or a name on the hub, the last part
        text = text.rstrip("/").rpartition("/")[2]
    return re.sub(r"\b([0-9a-f]{8})[0-9a-f]{8,}\b", r"\1", text)


def recipe_of(run: RunFolder) -> Iterator[tuple[str, Any]]:
    """Yields the settings of a run as they were written; those of its components with their defaults.

    Sources, targets and settings of where and how it runs are left out.
    """
    sections = {name: part for name, part in run.experiment.items() if name not in NO_RECIPE}
    for key, value in leaves({**sections, "combination": run.record.combination}):
        if key not in NO_RECIPE_KEYS:
            yield key, value


def natural(text: str) -> list[tuple[float, str]]:
    """Returns a sort key that puts `length=5` before `length=20`, and `lr=0.05` before `lr=0.1`."""
    parts = re.split(r"(\d+(?:\.\d+)?)", text)
    return [(float(part), "") if index % 2 else (-1, part) for index, part in enumerate(parts)]


def _combination(alike: Sequence[RunGroup], label: str) -> Labels:
    names = [group.record.label.partition(" · ")[0] for group in alike]
    return [label if name in label.split(" · ") else _with(label, name) for name in names]


def _experiment(alike: Sequence[RunGroup], label: str) -> Labels:
    return [f"{group.record.experiment}: {label}" for group in alike]


def _of_record(fact: Callable[[RunRecord], str]) -> Fact:
    return lambda alike, label: [_with(label, fact(group.record)) for group in alike]


def _grid(without: str | None) -> Fact:
    def add(alike: Sequence[RunGroup], label: str) -> Labels:
        settings = [{key: value for key, value in one.record.settings.items() if key != without} for one in alike]
        return _with_settings(label, settings, _distinct(settings))

    return add


def _settings(without: str | None) -> Fact:
    def add(alike: Sequence[RunGroup], label: str) -> Labels:
        settings = [dict(_recipe_of(group, without)) for group in alike]
        keys = _distinct(settings)
        return _with_settings(label, settings, keys if len(keys) <= MOST_SETTINGS else _fewest(settings, keys))

    return add


def _recipe_of(group: RunGroup, without: str | None) -> Iterator[tuple[str, str]]:
    for key, value in recipe_of(group.runs[group.seeds[0]]):
        below = without is not None and f"{key}.".startswith(f"{without}.")
        if not below:
            yield key, shown(value)


def _distinct(settings: Sequence[Mapping[str, str]]) -> list[str]:
    keys = dict.fromkeys(key for one in settings for key in one)
    return [key for key in keys if len({one.get(key) for one in settings}) > 1]


def _fewest(settings: Sequence[Mapping[str, str]], keys: Sequence[str]) -> list[str]:
    """Chooses keys one by one, each the one that distinguishes most of the groups together with those before it."""
    chosen: list[str] = []

    def distinguished(more: str) -> int:
        return len({tuple(one.get(key) for key in (*chosen, more)) for one in settings})

    distinct = len({tuple(one.get(key) for key in keys) for one in settings})
    while not chosen or distinguished(chosen[-1]) < distinct:
        chosen.append(max((key for key in keys if key not in chosen), key=distinguished))
    return chosen


def _with_settings(label: str, settings: Sequence[Mapping[str, str]], keys: Sequence[str]) -> Labels:
    short = short_names(keys)
    return [_with(label, *(f"{short[key]}={shown(one[key])}" for key in keys if key in one)) for one in settings]


def _with(label: str, *additions: str) -> str:
    return " · ".join(filter(None, (label, *additions)))


def _numbered(labels: Labels, columns: Sequence[str]) -> Labels:
    """Numbers labels that no recorded fact distinguishes, for example after a change of the data or of the code."""
    pairs = list(zip(columns, labels, strict=True))
    return [
        f"{pair[1]} · number {pairs[: index + 1].count(pair)}" if pairs.count(pair) > 1 else pair[1]
        for index, pair in enumerate(pairs)
    ]
