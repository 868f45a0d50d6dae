"""Answers new texts with a run's trained combination."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import torch

from datamodules import Example, language
from framework.config import read_experiment
from framework.errors import UserError, did_you_mean
from framework.plan import BackboneChoice, EvaluateStage, TaskStage
from framework.results import RunFolder
from framework.stages import add_language, load_task, most_confident, stage_data
from framework.store import Store
from modules.task import TaskModule

TEXTS_AT_ONCE = 64


def predict_lines(run: Path, code: str, lines: Iterable[str]) -> Iterator[tuple[str, float] | None]:
    """Answers texts in one language.

    Only the run's folder, the component store and the backbone are needed, not the data.

    Args:
        run: The run's folder.
        code: FLORES code of the texts' language, one that the run knows.
        lines: One text each; for a dataset of pairs two with a tab between them.

    Yields:
        For each line the answer and how sure it is; None for a blank one.

    Raises:
        UserError: The folder holds no run, the run was not made for the language, or a line is no pair.
    """
    stage, store = _stage(run)
    language(code)
    known = list(stage.language_components)
    if any(stage.language_components.values()) and code not in known:
        near = did_you_mean(code, known)
        raise UserError(f"{run}: this run has no language components for {code}{near} (it has {', '.join(known)})")
    module = load_task(stage, store)
    if stage.language_components.get(code):
        add_language(stage, module.combination, code, store)
    data = stage_data(stage.task, module.combination.backbone.tokenizer)
    read = _pair if data.dataset.pairs else _text
    examples = (read(line, number, code) for number, line in enumerate(lines, start=1))
    while some := list(islice(examples, TEXTS_AT_ONCE)):
        spoken = [example for example in some if example.text]
        answers = _answer(module.eval(), data.examples_dataloader(spoken)) if spoken else {}
        yield from (answers.get(example.id) for example in some)


def _text(line: str, number: int, code: str) -> Example:
    return Example(str(number), line.strip(), code)


def _pair(line: str, number: int, code: str) -> Example:
    """Reads the two texts of a pair; of a blank line both are empty.

    Raises:
        UserError: It holds only one text, or more than two.
    """
    texts = [text.strip() for text in line.split("\t")] if line.strip() else ["", ""]
    if len(texts) != 2 or bool(texts[0]) != bool(texts[1]):
        filled = sum(map(bool, texts))
        raise UserError(f"line {number}: this run labels pairs, two texts with one tab between them; found {filled}")
    return Example(str(number), texts[0], code, second_text=texts[1])


def _answer(module: TaskModule, batches: Iterable[dict[str, object]]) -> dict[str, tuple[str, float]]:
    """Returns answer and confidence for each text by its id; batches are sorted by length."""
    with torch.inference_mode():
        predictions = [module.predict_step(batch, number) for number, batch in enumerate(batches)]
    return {example: answer for (_, example), answer in most_confident(predictions).items()}


def _stage(run: Path) -> tuple[EvaluateStage, Store]:
    """Puts the evaluation that made a run together again, from what the run and its components say of themselves."""
    folder = RunFolder(run)
    record = folder.record
    [variant] = read_experiment(run / "experiment.yaml", check=False)
    experiment = variant.experiment
    store = Store(Path(experiment.store))
    passports = [store.passport(identity) for identity in record.components.values()]
    trained = next((passport for passport in passports if passport.stage == "task"), None)
    needed = [passport.id for passport in passports] + (trained.needs if trained else [])
    pretrained_by = next((need for need in needed if store.passport(need).stage == "pretrain"), None)
    backbone = BackboneChoice.of(experiment, pretrained_by)
    of_languages = [passport for passport in passports if passport.stage == "language"]
    language_components = {
        code: tuple(passport.id for passport in of_languages if code in passport.languages)
        for code in experiment.spoken
    }
    assert experiment.stages.task is not None
    task = TaskStage(
        id=trained.id if trained else "",
        title=trained.title if trained else record.label,
        experiment=experiment,
        backbone=backbone,
        needs=(),
        settings=experiment.stages.task,
        seed=record.seed,
        language_components={code: language_components[code] for code in experiment.languages.source},
        parameters=trained.parameters if trained else 0,
        labels=tuple(record.labels) or experiment.dataset.labels,
        data=[],
    )
    stage = EvaluateStage(
        id=record.id,
        title=record.label,
        experiment=experiment,
        backbone=backbone,
        needs=tuple(record.components.values()),
        variant=variant,
        seed=record.seed,
        task=task,
        language_components=language_components,
        tests=(),
        recipe=record.recipe,
        folder=folder,
    )
    return stage, store
