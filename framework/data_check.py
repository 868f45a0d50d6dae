"""Reads the rows that a plan will use before anything is trained, and reports those that cannot be used together."""

import dataclasses
import itertools
from collections import deque
from collections.abc import Iterator
from functools import singledispatch
from typing import Any

from rich.console import Console

from datamodules import DataError, LabelledDataset, MonolingualText, ParallelText, RowError
from framework.config import Experiment
from framework.errors import UserError
from framework.identity import identity, plain
from framework.objectives import AlignmentObjective
from framework.objectives.monolingual import MonolingualObjective
from framework.plan import EvaluateStage, LanguageStage, Plan, Stage, TaskStage
from framework.wording import count

LISTED = 20
"""Rows that a message lists; of the others it tells the number."""
TEXTS = 100
"""Texts that are read of each language for a language stage, whose text may be a whole Wikipedia: what is wrong with a
column shows in its first rows."""
FEEDING = ("text_prefix", "max_length", "train_max_length", "stride")
"""Settings of the data that do not decide which rows are read: cells of a grid that differ in them read the same."""

LEARNT = ("train", "validation")
"""The splits of the source languages that a task stage reads."""


@dataclasses.dataclass
class DataCheck:
    """What was found in the data of a plan; an error is there once, though several stages read the row."""

    usable: int = 0
    """Rows of labelled data that can be used."""
    refused: dict[str, None] = dataclasses.field(default_factory=dict)
    """Errors because of which the plan cannot be carried out."""
    skipped: dict[str, None] = dataclasses.field(default_factory=dict)
    """Errors of the rows that are left out (`data.bad_rows: skip`)."""

    @property
    def rows(self) -> int:
        """Rows that were read."""
        return self.usable + len(self.refused) + len(self.skipped)


def check_rows(plan: Plan, console: Console) -> None:
    """Checks the data of the stages that are left to do, and prints which rows are left out.

    Args:
        plan: The plan.
        console: Where to print.

    Raises:
        UserError: Some rows cannot be used, and `data.bad_rows` does not say to skip them.
    """
    with console.status("reading the data"):
        found = check_data(plan.todo)
    if found.refused:
        raise UserError(
            f"{plan.name}: {_listed(found.refused, found.rows)}\n"
            "Correct the data, or skip unusable rows with `data.bad_rows: skip`; the results then hold their number."
        )
    if found.skipped:
        console.print(f"skipped: {_listed(found.skipped, found.rows)}", highlight=False, markup=False, soft_wrap=True)


def check_data(stages: list[Stage]) -> DataCheck:
    """Reads the data of some stages: each split of labelled data once, of other text the first rows.

    Args:
        stages: Stages of a plan.

    Returns:
        What cannot be used.
    """
    found = DataCheck()
    read: set[str] = set()
    for stage in stages:
        if isinstance(stage, LanguageStage):
            _read_text(stage, found)
        for language, split in splits_of(stage):
            part = identity(data=_choosing_rows(stage.experiment), language=language, split=split)
            if part not in read:
                read.add(part)
                _read_split(stage.experiment.dataset, language, split, found)
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
    return [f"Training and validation rows left out, for they cannot be used: {number:,} of {sources}."]


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
    shown = (part for code in tested for part in experiment.answer.reads(source, code))
    return [*learnt, *((code, "test") for code in tested), *shown]


def _read_split(dataset: LabelledDataset, language: str, split: str, found: DataCheck) -> None:
    errors = found.refused if dataset.bad_rows == "refuse" else found.skipped
    usable = 0
    try:
        for row in dataset.read(language, split):
            if isinstance(row, RowError):
                errors[str(row)] = None
            else:
                usable += 1
    except DataError as error:
        found.refused[str(error)] = None
        return
    found.usable += usable
    if not usable:
        found.refused[f"{dataset.name} {language}: the {split} split has no row that can be used"] = None


def _read_text(stage: LanguageStage, found: DataCheck) -> None:
    for language in stage.languages:
        try:
            deque(itertools.islice(_texts(stage.settings.objective, language), TEXTS), maxlen=0)
        except DataError as error:
            found.refused[str(error)] = None


@singledispatch
def _texts(objective: Any, language: str) -> Iterator[object]:
    """Streams what an objective trains on; of a class of the user's own, nothing is known."""
    return iter(())


@_texts.register
def _(objective: MonolingualObjective, language: str) -> Iterator[object]:
    text = MonolingualText(objective.text)
    return text.texts(language, objective.text.split)


@_texts.register
def _(objective: AlignmentObjective, language: str) -> Iterator[object]:
    return ParallelText(objective.parallel).pairs(language)


def _choosing_rows(experiment: Experiment) -> dict[str, Any]:
    return {key: value for key, value in plain(experiment.data).items() if key not in FEEDING}


def _listed(errors: dict[str, None], rows: int) -> str:
    lines = [f"  {error}" for error in itertools.islice(errors, LISTED)]
    more = [f"  … and {len(errors) - LISTED:,} more"] if len(errors) > LISTED else []
    return "\n".join([f"{len(errors):,} of {count(rows, 'row')} cannot be used:", *lines, *more])
