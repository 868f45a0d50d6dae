"""Labels new texts with a run's trained combination."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import torch

from datamodules import Example, language
from framework.config import read_experiment
from framework.errors import UserError, did_you_mean
from framework.plan import EvaluateStage, make_plan
from framework.results import RunFolder
from framework.stages import add_language, load_classifier, load_stage_backbone, stage_data
from framework.store import Store
from modules.classification import TextClassification

TEXTS_AT_ONCE = 64


def predict_lines(run: Path, code: str, lines: Iterable[str]) -> Iterator[tuple[str, float]]:
    """Labels texts in one language.

    Args:
        run: The run's folder.
        code: FLORES code of the texts' language, one that the run knows.
        lines: One text each; blank ones are passed over.

    Yields:
        The label of each text and its probability.

    Raises:
        UserError: The folder holds no run, or the run was not made for the language.
    """
    stage, store = _stage(run)
    language(code)
    known = list(stage.language_components)
    if any(stage.language_components.values()) and code not in known:
        near = did_you_mean(code, known)
        raise UserError(f"{run}: this run has no language components for {code}{near} (it has {', '.join(known)})")
    backbone = load_stage_backbone(stage.backbone, store)
    classifier = load_classifier(stage, backbone, store)
    if stage.language_components.get(code):
        add_language(stage, classifier.combination, code, store)
    data = stage_data(stage.task, backbone)
    texts = (line.strip() for line in lines)
    examples = (Example(str(number), text, code) for number, text in enumerate(texts) if text)
    while some := list(islice(examples, TEXTS_AT_ONCE)):
        yield from _label(classifier.eval(), data.examples_dataloader(some), some)


def _label(
    classifier: TextClassification, batches: Iterable[dict[str, object]], examples: list[Example]
) -> Iterator[tuple[str, float]]:
    labelled: dict[str, tuple[str, float]] = {}
    with torch.inference_mode():
        for number, batch in enumerate(batches):
            prediction = classifier.predict_step(batch, number)
            probabilities, labels = prediction["probabilities"].max(dim=-1)
            for example, label, probability in zip(
                prediction["id"], labels.tolist(), probabilities.tolist(), strict=True
            ):
                labelled[example] = classifier.head.labels[label], probability
    # Batches are sorted by length; the answers come in the order of the texts.
    yield from (labelled[example.id] for example in examples)


def _stage(run: Path) -> tuple[EvaluateStage, Store]:
    """Finds the evaluation that made a run, from the experiment that was saved with it."""
    record = RunFolder(run).record
    plan = make_plan(read_experiment(run / "experiment.yaml"))
    stages = [stage for stage in plan.of_kind("evaluate") if stage.id == record.id]
    if not stages:
        raise UserError(f"{run}: its data or its backbone is no longer what it was when the run was made")
    return stages[0], plan.store
