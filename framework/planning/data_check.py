"""Reads the rows that a plan will use before anything is trained, and reports those that cannot be used together."""

import dataclasses
import itertools
from collections.abc import Iterator
from functools import singledispatch
from typing import Any

from rich.console import Console

from datamodules import DataError, LabelledDataset, MonolingualText, ParallelText, RowError
from datamodules.errors import listed
from framework.config.schema import Experiment
from framework.errors import UserError
from framework.identity import identity, plain
from framework.objectives import AlignmentObjective
from framework.objectives.monolingual import MonolingualObjective
from framework.planning.plan import EvaluateStage, LanguageStage, Plan, Stage, TaskStage
from framework.wording import count

TEXTS = 100
"""Texts that are read of each language for a language stage on monolingual text, which may be a whole Wikipedia: what
is wrong with a column shows in its first rows."""

FEEDING = ("text_prefix", "max_length", "train_max_length", "stride")
"""Settings of the data that do not decide which rows are read: cells of a grid that differ in them read the same."""

LEARNT = ("train", "validation")
"""The splits of the source languages that a task stage reads."""


@dataclasses.dataclass
class DatasetRead:
    """What was read of one dataset."""

    splits: int = 0
    """Splits, those of each language counted."""
    usable: int = 0
    """Rows that can be used."""
    skipped: set[str] = dataclasses.field(default_factory=set)
    """Errors of rows that are left out."""

    def add(self, usable: int, skipped: set[str]) -> None:
        """Counts a split; the parts of one that is divided have its errors each."""
        self.splits += 1
        self.usable += usable
        self.skipped |= skipped

    def __str__(self) -> str:
        """Says how much was read: `70 rows of 4 splits read, all usable`."""
        rows = count(self.usable + len(self.skipped), "row")
        left_out = f"{len(self.skipped):,} skipped" if self.skipped else "all usable"
        return f"{rows} of {count(self.splits, 'split')} read, {left_out}"


@dataclasses.dataclass
class DataCheck:
    """What was found in the data of a plan; an error is there once, though several stages read the row."""

    usable: int = 0
    """Rows of labelled data that can be used."""
    refused: dict[str, None] = dataclasses.field(default_factory=dict)
    """Errors of rows because of which the plan cannot be carried out."""
    skipped: dict[str, None] = dataclasses.field(default_factory=dict)
    """Errors of rows that are left out (`data.bad_rows: skip`)."""
    other: dict[str, None] = dataclasses.field(default_factory=dict)
    """Errors of whole files and splits, and of rows of text, which are never left out."""
    datasets: dict[str, DatasetRead] = dataclasses.field(default_factory=dict)
    """What was read, by the name of the dataset."""

    def __str__(self) -> str:
        """Says how much labelled data was read, a line for each dataset."""
        lines = [f"{name}: {read}" for name, read in self.datasets.items()]
        return "\n".join(lines) or "no labelled data is left to read"

    def listed(self, errors: dict[str, None]) -> str:
        """Lists errors of rows, and says how many rows there are."""
        rows = self.usable + len(self.refused) + len(self.skipped)
        return "\n  ".join([f"{len(errors):,} of {count(rows, 'row')} cannot be used:", *listed(errors)])


def check_rows(plan: Plan, console: Console, *, whole: bool = True) -> DataCheck:
    """Checks the data of the stages that are left to do, and prints which rows are left out; `whole` as `check_data`.

    Raises:
        UserError: Some data cannot be used, and `data.bad_rows` does not say to skip it.
    """
    with console.status("reading the data"):
        found = check_data(plan.todo, whole=whole)
    if found.skipped:
        text = f"skipped: {found.listed(found.skipped)}\n"
        console.print(text, highlight=False, markup=False, soft_wrap=True)
    said = listed(found.other)
    if found.refused:
        said += [
            f"{plan.name}: {found.listed(found.refused)}",
            "Correct the data, or skip such rows with `data.bad_rows: skip`; the results then hold their number.",
        ]
    if said:
        raise UserError("\n".join(said))
    return found


def check_data(stages: list[Stage], *, whole: bool = True) -> DataCheck:
    """Reads the data of some stages: labelled data and translations once, of monolingual text the first rows.

    Args:
        stages: Stages of a plan.
        whole: Whether to read all of it; else only the labelled data of languages that are source and target, whose
            splits every plan compares (`framework.config.checks.check_leaks`).

    Returns:
        What cannot be used.
    """
    found = DataCheck()
    read: set[str] = set()
    for stage in stages:
        experiment = stage.experiment
        if isinstance(stage, LanguageStage) and whole:
            for language in stage.languages:
                part = identity(objective=plain(stage.settings.objective), language=language)
                if part not in read:
                    read.add(part)
                    read_text(stage.settings.objective, language, found)
        for language, split in splits_of(stage):
            if not whole and not (language in experiment.languages.source and language in experiment.targets):
                continue
            choosing = {key: value for key, value in plain(experiment.data).items() if key not in FEEDING}
            part = identity(data=choosing, language=language, split=split)
            if part not in read:
                read.add(part)
                _read_split(experiment.dataset, language, split, found)
    return found


def note_on_skipped_rows(experiment: Experiment) -> list[str]:
    """Says how many rows a task stage leaves out; nothing where it leaves out none."""
    if experiment.dataset.bad_rows == "refuse":
        return []
    found = DataCheck()
    for language, split in itertools.product(experiment.languages.source, LEARNT):
        _read_split(experiment.dataset, language, split, found)
    if not found.skipped:
        return []
    sources, number = ", ".join(experiment.languages.source), len(found.skipped)
    return [f"Training and validation rows left out because they cannot be used: {number:,} of {sources}."]


@singledispatch
def splits_of(stage: Stage) -> list[tuple[str, str]]:
    """Returns the languages and splits of labelled data that a stage reads."""
    return []


@splits_of.register
def _(stage: TaskStage) -> list[tuple[str, str]]:
    return list(itertools.product(stage.experiment.languages.source, LEARNT))


@splits_of.register
def _(stage: EvaluateStage) -> list[tuple[str, str]]:
    experiment = stage.experiment
    source = experiment.languages.source
    # The notes on a run compare its test texts with those that it was trained on.
    learnt = itertools.product(source if stage.task.trains else (), LEARNT)
    tested = dict.fromkeys(test.language for test in stage.missing)
    shown = (part for code in tested for part in experiment.answer.demonstration_splits(source, code))
    return [*learnt, *((code, "test") for code in tested), *shown]


def _read_split(dataset: LabelledDataset, language: str, split: str, found: DataCheck) -> None:
    skips = dataset.bad_rows == "skip"
    errors = found.skipped if skips else found.refused
    usable = 0
    unusable: set[str] = set()
    try:
        for row in dataset.read(language, split):
            if isinstance(row, RowError):
                errors[str(row)] = None
                unusable.add(str(row))
            else:
                usable += 1
    except DataError as error:
        found.other[str(error)] = None
        return
    found.usable += usable
    found.datasets.setdefault(dataset.name, DatasetRead()).add(usable, unusable)
    if not usable and not unusable:
        found.other[f"{dataset.name} {language}: the {split} split has no row"] = None
    elif not usable and skips:
        rows = count(len(unusable), "row")
        reason = f"data.bad_rows: skip leaves none of the {rows} of the {split} split"
        found.other[f"{dataset.name} {language}: {reason}"] = None


def read_text(objective: Any, language: str, found: DataCheck) -> None:
    """Reads as much of a language stage's text as is checked, and adds what cannot be used to `found`."""
    try:
        for row in _texts(objective, language):
            if isinstance(row, RowError):
                found.other[str(row)] = None
    except DataError as error:
        found.other[str(error)] = None


@singledispatch
def _texts(objective: Any, language: str) -> Iterator[object]:
    """Streams what an objective trains on, as far as it is checked; of a class of the user's own, nothing is known."""
    return iter(())


@_texts.register
def _(objective: MonolingualObjective, language: str) -> Iterator[object]:
    text = MonolingualText(objective.text)
    return itertools.islice(text.texts(language, objective.text.split), TEXTS)


@_texts.register
def _(objective: AlignmentObjective, language: str) -> Iterator[object]:
    return ParallelText(objective.parallel).read(language)

