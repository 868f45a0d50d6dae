"""Checks that run.json, experiment.yaml and passports agree, because no hash covers them."""

from collections.abc import Iterator, Mapping
from typing import Any

from framework.config.schema import Experiment
from framework.identity import identity, plain
from framework.results.run_folder import RunFolder
from framework.results.run_groups import leaves
from framework.store.store import Passport
from framework.system.stored_files import Damaged, disagreement
from framework.validation import rename_dotted

ANSWERING = ("backbone.precision", "combination", "data", "languages", "stages.task.answer")
"""Keys of an experiment that determine the answers to a text."""


def answering_keys(experiment: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the values of a resolved experiment that determine a run's answers, by dotted key, without paths."""
    return {
        key: value
        for key, value in leaves(plain(experiment))
        if any(f"{key}.".startswith(f"{section}.") for section in ANSWERING) and key.rpartition(".")[2] != "path"
    }


def refuse_edited_record(run: RunFolder, passports: list[Passport]) -> None:
    """Compares a run's record with the passports of its components, which are in the record's order.

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
    """Compares a run's record with the experiment of its `experiment.yaml`, and with the run's identity.

    Raises:
        Damaged: One of them was edited: the answers would be those of another run.
    """
    record, file = run.record, run.path / "run.json"
    if record.recipe and record.id != identity(recipe=record.recipe, seed=record.seed):
        raise Damaged(f"{file} was edited: its id does not follow from its recipe and seed")
    for key, in_record, in_experiment in _in_both(run, experiment):
        if in_record != in_experiment:
            difference = f"{key} is {_shown(in_record)} in the one, {_shown(in_experiment)} in the other"
            raise Damaged(disagreement(file, run.path / "experiment.yaml", difference))
    if experiment.stages.task is None:
        raise Damaged(f"{run.path / 'experiment.yaml'} was edited: stages.task is missing")


def refuse_missing_component(run: RunFolder, passports: list[Passport], experiment: Experiment, head: int) -> None:
    """Compares the components of a run's record with those that the experiment trains and that the results used.

    `passports` are those of the components in the record, and `head` is the number of parameters of the answer's head.

    Raises:
        Damaged: A component is missing: an untrained one, or none, would be used instead.
    """
    record, file = run.record, run.path / "run.json"
    if (head or experiment.combination["task"]) and not any(passport.stage == "task" for passport in passports):
        difference = "components names no task component in the one, and the other trains one"
        raise Damaged(disagreement(file, run.path / "experiment.yaml", difference))
    for result in run.results():
        # Results of former targets are kept when the record is rewritten.
        if result.control == "own" and result.language in experiment.languages.targets:
            missing = set(result.components) - set(record.components.values())
            if missing:
                difference = f"components lacks {', '.join(sorted(missing))}, which acted in the test"
                raise Damaged(disagreement(file, f"the result of {result.language}", difference))


def _in_both(run: RunFolder, experiment: Experiment) -> Iterator[tuple[str, Any, Any]]:
    """Yields keys with their values in the record and in the experiment; older records have fewer."""
    record = run.record
    for role, components in experiment.combination.items():
        yield f"combination.{role}", sorted(record.combination.get(role) or ()), sorted(components)
    yield "data.name", record.dataset, experiment.data.name if experiment.data is not None else None
    yield "languages.source", record.source, experiment.languages.source
    if record.answering:
        in_experiment = answering_keys(run.experiment)
        in_record = rename_dotted(record.answering, record.dataset)
        for key in sorted(in_record.keys() | in_experiment.keys()):
            yield key, in_record.get(key), in_experiment.get(key)


def _shown(value: Any) -> str:
    return "missing" if value is None else repr(value)
