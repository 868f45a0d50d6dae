"""Answers new texts with a run's trained combination."""

import io
import sys
from collections.abc import Iterable, Iterator
from itertools import count, islice
from pathlib import Path

import torch

from datamodules import Example, language
from datamodules.sources.row import is_blank, text_of
from framework.errors import UserError
from framework.execution.execute import add_language, load_task, most_confident, stage_data
from framework.execution.run_integrity import refuse_edited_experiment, refuse_edited_record, refuse_missing_component
from framework.planning.plan import TaskStage
from framework.planning.reopen import reopen
from framework.results.run_folder import RunFolder
from framework.store.backbone_choice import BackboneChoice
from framework.store.store import Store
from modules.training.task import TaskModule

TEXTS_AT_ONCE = 64
SHOWN = 10
"""Unreadable lines that the message shows at most."""
RUNS_SHOWN = 3
"""Runs that the message on a folder of runs shows at most."""


def input_lines() -> Iterable[str]:
    """Returns the lines of standard input, which end with a line feed only.

    Bytes that are not UTF-8 become lone surrogates, which `predict_lines` reports with the line.

    Raises:
        UserError: Standard input is closed.
    """
    if sys.stdin is None:
        raise UserError("standard input is closed; write one text a line to it")
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8-sig", errors="surrogateescape", newline="\n")
    return sys.stdin


def predict_lines(run: Path, code: str, lines: Iterable[str]) -> Iterator[tuple[str, float] | None]:
    """Answers texts in one language. Needs the run's folder, the component store and the backbone, not the data.

    Args:
        run: The run's folder.
        code: FLORES code of a language of the run.
        lines: One text each; for a dataset of pairs two, separated by a tab.

    Yields:
        For each line the answer and its confidence; None for a line that is blank or unreadable.

    Raises:
        UserError: The folder holds no run, or the run has no components for the language; at the end, if lines were
            unreadable because they are not UTF-8 or no pair.
    """
    stage, store = _stage(run)
    language(code)
    settings = stage.experiment.stages.language
    without = settings.objective.languages_without_components if settings is not None else ()
    known = [known for known, components in stage.language_components.items() if components or known in without]
    if any(stage.language_components.values()) and code not in known:
        # No nearest code is suggested: this one names a language, so it is not misspelt.
        raise UserError(f"{run}: this run has no language components for {code} (it has {', '.join(known)})")
    module = load_task(stage, store)
    if stage.language_components.get(code):
        add_language(stage, module.combination, code, store)
    data = stage_data(stage, module.combination.backbone.tokenizer)
    reader = _Reader(code, data.dataset.pairs)
    examples = map(reader.example, lines, count(1))
    while batch := list(islice(examples, TEXTS_AT_ONCE)):
        texts = [example for example in batch if example.text]
        answers = _answer(module.eval(), data.examples_dataloader(texts)) if texts else {}
        yield from (answers.get(example.id) for example in batch)
    reader.raise_errors()


class _Reader:
    """Makes examples of lines, and collects the errors of those that cannot be read."""

    def __init__(self, language: str, pairs: bool) -> None:
        self.language = language
        self.pairs = pairs
        self.errors: list[str] = []
        self.unreadable = 0

    def example(self, line: str, number: int) -> Example:
        """Makes an example of a line; an empty one of an unreadable line, so that answers stay aligned."""
        try:
            first, second = self._texts(line)
        except ValueError as error:
            self.unreadable += 1
            if self.unreadable <= SHOWN:
                self.errors.append(f"line {number}: {error}")
            first, second = "", ""
        return Example(str(number), first, self.language, second_text=second if self.pairs else None)

    def raise_errors(self) -> None:
        """Raises one error for all unreadable lines, if there were any."""
        if self.unreadable:
            more = self.unreadable - len(self.errors)
            raise UserError("\n".join([*self.errors, *([f"and {more} more lines"] if more else [])]))

    def _texts(self, line: str) -> tuple[str, str]:
        """Returns the text of a line, or both texts of a pair.

        Raises:
            ValueError: It is not UTF-8, or the dataset has pairs and it does not hold two texts.
        """
        try:
            line = text_of(line)
        except ValueError:
            raise ValueError("this is not UTF-8, and its answer is left blank") from None
        if is_blank(line):
            return "", ""
        if not self.pairs:
            return line.strip(), ""
        texts = [text.strip() for text in line.strip().split("\t")]
        if len(texts) != 2 or any(map(is_blank, texts)):
            found = sum(not is_blank(text) for text in texts)
            raise ValueError(f"this run labels pairs, two texts with one tab between them; found {found}")
        return texts[0], texts[1]


def _answer(module: TaskModule, batches: Iterable[dict[str, object]]) -> dict[str, tuple[str, float]]:
    """Returns answer and confidence for each text by its id; batches are sorted by length."""
    with torch.inference_mode():
        predictions = [module.predict_step(batch, number) for number, batch in enumerate(batches)]
    return {example: answer for (_, example), answer in most_confident(predictions).items()}


def _refuse_folder_of_runs(folder: Path) -> None:
    """Refuses a folder that holds runs, with the names of some."""
    if (folder / "run.json").exists():
        return
    runs = sorted(file.parent for file in folder.glob("*/run.json"))
    if runs:
        more = f" and {len(runs) - RUNS_SHOWN} more" if len(runs) > RUNS_SHOWN else ""
        named = ", ".join(map(str, runs[:RUNS_SHOWN]))
        raise UserError(f"{folder}: is not a run but a folder of runs; name one of them: {named}{more}")


def _stage(run: Path) -> tuple[TaskStage, Store]:
    """Rebuilds a run's task stage, with the language components of all languages of the run.

    It follows from the run's record and experiment, and from the passports of its components.
    """
    folder = RunFolder(run)
    _refuse_folder_of_runs(run)
    record = folder.record
    experiment, store = reopen(folder)
    refuse_edited_experiment(folder, experiment)
    if record.components and not store.folder.is_dir():
        raise UserError(
            f"{run}: its components are in the store {store.folder}, and there is no such folder; if the store was "
            f"moved, write its new path in {run / 'experiment.yaml'} (key store)"
        )
    passports = [store.passport(identity) for identity in record.components.values()]
    refuse_edited_record(folder, passports)
    trained = next((passport for passport in passports if passport.stage == "task"), None)
    needed = [passport.id for passport in passports] + (trained.needs if trained else [])
    pretrained_by = next((need for need in needed if store.passport(need).stage == "pretrain"), None)
    backbone = BackboneChoice.of(experiment.backbone, experiment.trainer.accelerator, pretrained_by)
    labels = tuple(record.labels) or experiment.dataset.labels
    refuse_missing_component(folder, passports, experiment, experiment.answer.parameters(labels, backbone.info))
    assert experiment.stages.task is not None
    stage = TaskStage(
        id=trained.id if trained else "",
        title=record.label,
        experiment=experiment,
        backbone=backbone,
        needs=(),
        settings=experiment.stages.task,
        seed=record.seed,
        language_components={
            code: tuple(one.id for one in passports if one.stage == "language" and code in one.languages)
            for code in experiment.component_languages
        },
        parameters=trained.parameters if trained else 0,
        labels=labels,
        data=[],
    )
    return stage, store
