"""One example of each kind of stage, read and tokenised as in the stage."""

import itertools
from collections.abc import Iterator
from functools import singledispatch
from typing import Any

from transformers import PreTrainedTokenizerBase

from datamodules import TaskData
from framework.execution.execute import stage_data, text_data
from framework.planning.plan import EvaluateStage, LanguageStage, Plan, Stage, TaskStage, make_plan
from framework.reports.explain.drawing import kinds_of
from framework.reports.explain.token_view import Description, Prompts, describe_row
from modules import ROLES, tokenizer_of


def examples(plan: Plan) -> Iterator[tuple[str, list[Description]]]:
    """Yields for one stage of each kind its title and an example as its model sees it.

    They are of the combination with the most components, so that all prompts are shown.

    Raises:
        DataError: The data cannot be read.
    """
    fullest = max(plan.experiments, key=lambda experiment: sum(map(len, experiment.combination.values())))
    alone = make_plan([fullest])  # a plan of all would keep a shared stage for the first combination only
    for kind in kinds_of(alone):
        stage = next(stage for stage in alone.stages if stage.kind == kind)
        yield f"{kind} · {stage.title}", list(example_of(stage))


@singledispatch
def example_of(stage: Stage) -> Iterator[Description]:
    """Yields the descriptions of a stage's example."""
    raise NotImplementedError(type(stage).__name__)


@example_of.register
def _(stage: LanguageStage) -> Iterator[Description]:
    tokenizer = tokenizer_of(stage.backbone.info)
    batch = next(iter(text_data(stage, tokenizer, num_workers=0).train_dataloader()))
    yield "language", batch["language"][0]
    yield from describe_row(batch, tokenizer, (), prompts_of({"language": stage.components}))


@example_of.register
def _(stage: TaskStage) -> Iterator[Description]:
    data = stage_data(stage, tokenizer_of(stage.backbone.info))
    example = data.training_examples[0]
    yield "example", f"{example.language}, {example.id}, of the training split"
    yield from _of_rows(data, data.training_rows([example]), stage, bool(stage.language_components[example.language]))


@example_of.register
def _(stage: EvaluateStage) -> Iterator[Description]:
    test = next((test for test in stage.tests if test.component_language), stage.tests[0])
    data = stage_data(stage.task, tokenizer_of(stage.backbone.info))
    [example] = itertools.islice(data.dataset.examples(test.language, "test"), 1)
    yield "example", f"{example.language}, {example.id}, of the test split"
    yield from _of_rows(data, data.test_rows([example]), stage, bool(test.component_language))


def _of_rows(data: TaskData, rows: Any, stage: TaskStage | EvaluateStage, own: bool) -> Iterator[Description]:
    """Yields the first row and, with a language model's head, its text."""
    tokenizer: PreTrainedTokenizerBase = data.tokenizer
    batch = next(iter(data.each_once(rows)))
    combination = stage.experiment.combination
    prompts = prompts_of(combination if own else {"task": combination["task"]})
    yield from describe_row(batch, tokenizer, stage.experiment.dataset.labels, prompts)
    if stage.experiment.answer.needs_lm_head:
        yield "as a text", tokenizer.decode(batch["input_ids"][0], skip_special_tokens=True)


def prompts_of(combination: dict[str, dict[str, Any]]) -> Prompts:
    """Names the soft prompts of some components with their lengths, in their order."""
    front: list[str] = []
    behind: list[str] = []
    for role in ROLES:
        for kind, config in combination.get(role, {}).items():
            if config.positions:
                (behind if config.after_bos else front).append(f"[{role} {kind} × {config.positions}]")
    return front, behind
