"""Checks that run.json, experiment.yaml and passports agree: no hash covers them, so only this finds an edit."""

from collections.abc import Iterator, Mapping
from typing import Any

from framework.config.schema import Experiment
from framework.identity import identity, plain
from framework.results.run_folder import RunFolder
from framework.results.run_groups import leaves
from framework.store.store import Passport
from framework.system.stored import Damaged, disagreement

ANSWERING = ("backbone.precision", "combination", "data", "languages", "stages.task.answer")
"""Keys of an experiment that decide what is answered to a text."""
PLACE = "path"
"""Last part of the keys that say where data lie."""


def answering_keys(experiment: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what decides the answers of a run, without where things lie.

    Args:
        experiment: The experiment as resolved from its YAML.

    Returns:
        The values by dotted key: `{"data.max_length": 48}`.
    """
    return {
        key: value
        for key, value in leaves(plain(experiment))
        if any(f"{key}.".startswith(f"{section}.") for section in ANSWERING) and key.rpartition(".")[2] != PLACE
    }


def refuse_edited_record(run: RunFolder, passports: list[Passport]) -> None:
    """Compares a run's record with the passports of its components.

    Args:
        run: The run.
        passports: Of its components, in the order of its record.

    Raises:
        Damaged: One of them was edited: answers would have wrong labels or come from wrong components.
    """
    record, file = run.record, run.path / "run.json"
    if len(set(record.labels)) < len(record.labels):
        raise Damaged(f"{file} is damaged: a label is there twice: {record.labels}")
    for name, passport in zip(record.components, passports, strict=True):
        labels = passport.answers.get("labels", record.labels)
        if record.labels and labels != record.labels:
            difference = f"the labels are {record.labels} in the one, {labels} in the other"
            raise Damaged(disagreement(file, f"the passport of {passport.id}", difference))
        # The name of a component in the record ends with its languages.
        if passport.stage == "language" and not name.endswith(f" · {', '.join(passport.languages)}"):
            difference = f"'{name}' in the one, the languages {passport.languages} in the other"
            raise Damaged(disagreement(file, f"the passport of {passport.id}", difference))


def refuse_edited_experiment(run: RunFolder, experiment: Experiment) -> None:
    """Compares a run's record with the experiment in its folder, and with the run's identity.

    Args:
        run: The run.
        experiment: What its folder's `experiment.yaml` means.

    Raises:
        Damaged: One of them was edited: the answers would be those of another run.
    """
    record, file = run.record, run.path / "run.json"
    if record.recipe and record.id != identity(recipe=record.recipe, seed=record.seed):
        raise Damaged(f"{file} was edited: its id does not follow from its recipe and seed")
    for key, in_record, in_experiment in _said_twice(run, experiment):
        if in_record != in_experiment:
            difference = f"{key} is {_shown(in_record)} in the one, {_shown(in_experiment)} in the other"
            raise Damaged(disagreement(file, run.path / "experiment.yaml", difference))
    if experiment.stages.task is None:
        raise Damaged(f"{run.path / 'experiment.yaml'} was edited: stages.task is missing")


def refuse_missing_component(run: RunFolder, passports: list[Passport], experiment: Experiment, head: int) -> None:
    """Compares the components that a run's record names with what the experiment trains and the results used.

    Args:
        run: The run.
        passports: Of the components that its record names.
        experiment: What its folder's `experiment.yaml` means.
        head: Parameters of the answer's head.

    Raises:
        Damaged: A component is missing: an untrained one, or none, would answer in its place.
    """
    record, file = run.record, run.path / "run.json"
    if (head or experiment.combination["task"]) and not any(passport.stage == "task" for passport in passports):
        difference = "components names no task component in the one, and the other trains one"
        raise Damaged(disagreement(file, run.path / "experiment.yaml", difference))
    for result in run.results():
        # Results of former targets stay when the record is written anew.
        if result.control == "own" and result.language in experiment.languages.targets:
            missing = set(result.components) - set(record.components.values())
            if missing:
                difference = f"components lacks {', '.join(sorted(missing))}, which acted in the test"
                raise Damaged(disagreement(file, f"the result of {result.language}", difference))


def _said_twice(run: RunFolder, experiment: Experiment) -> Iterator[tuple[str, Any, Any]]:
    """Yields keys with their values in the record and in the experiment; an older record has fewer."""
    record = run.record
    for role, components in experiment.combination.items():
        yield f"combination.{role}", sorted(record.combination.get(role) or ()), sorted(components)
    yield "data.name", record.dataset, experiment.data.name if experiment.data is not None else None
    yield "languages.source", record.source, experiment.languages.source
    if record.answering:
        in_experiment = answering_keys(run.experiment)
        for key in sorted(record.answering.keys() | in_experiment.keys()):
            yield key, record.answering.get(key), in_experiment.get(key)


def _shown(value: Any) -> str:
    return "missing" if value is None else repr(value)
