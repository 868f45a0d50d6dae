"""One example of each kind of stage, read and tokenised as the stage would."""

import itertools
from collections.abc import Iterator
from functools import singledispatch
from typing import Any

from transformers import PreTrainedTokenizerBase

from datamodules import TaskData
from framework.execution.execute import stage_data
from framework.planning.plan import EvaluateStage, LanguageStage, Plan, PretrainStage, Stage, TaskStage, make_plan
from framework.reports.explain.rows import Part, Prompts, shown_row
from modules import ROLES, tokenizer_of


def examples(plan: Plan) -> Iterator[tuple[str, list[Part]]]:
    """Yields of each kind of stage one with its title and an example as its model sees it.

    They are of the combination with the most components, so that all prompts are seen.

    Raises:
        DataError: The data cannot be read.
    """
    fullest = max(plan.variants, key=lambda variant: sum(map(len, variant.experiment.combination.values())))
    alone = make_plan([fullest])  # a stage that cells share is planned for the first of them
    types: tuple[type[Stage], ...] = (PretrainStage, LanguageStage, TaskStage, EvaluateStage)
    for type_ in types:
        for stage in alone.of_type(type_)[:1]:
            yield f"{stage.kind} · {stage.title}", list(example_of(stage))


@singledispatch
def example_of(stage: Stage) -> Iterator[Part]:
    """Yields an example of a stage, part by part."""
    raise NotImplementedError(type(stage).__name__)


@example_of.register
def _(stage: LanguageStage) -> Iterator[Part]:
    tokenizer, settings = tokenizer_of(stage.backbone.info), stage.settings
    data = settings.objective.data(
        tokenizer, languages=stage.languages, batch_size=settings.batch_size, seed=settings.seed, num_workers=0
    )
    batch = next(iter(data.train_dataloader()))
    yield "language", batch["language"][0]
    yield from shown_row(batch, 0, tokenizer, (), prompts_of({"language": stage.components}))


@example_of.register
def _(stage: TaskStage) -> Iterator[Part]:
    tokenizer = tokenizer_of(stage.backbone.info)
    data = stage_data(stage, tokenizer)
    example = data.training_examples[0]
    yield "example", f"{example.language}, {example.id}, of the training split"
    yield from _of_rows(data, data.training_rows([example]), stage, bool(stage.language_components[example.language]))


@example_of.register
def _(stage: EvaluateStage) -> Iterator[Part]:
    test = next((test for test in stage.tests if test.component_language), stage.tests[0])
    data = stage_data(stage.task, tokenizer_of(stage.backbone.info))
    [example] = itertools.islice(data.dataset.examples(test.language, "test"), 1)
    yield "example", f"{example.language}, {example.id}, of the test split"
    yield from _of_rows(data, data.test_rows([example]), stage, bool(test.component_language))


def _of_rows(data: TaskData, rows: Any, stage: TaskStage | EvaluateStage, own: bool) -> Iterator[Part]:
    """Yields the first row and, where a language model is asked, the text that it is asked with."""
    tokenizer: PreTrainedTokenizerBase = data.tokenizer
    batch = next(iter(data.each_once(rows)))
    combination = stage.experiment.combination
    prompts = prompts_of(combination if own else {"task": combination["task"]})
    yield from shown_row(batch, 0, tokenizer, stage.experiment.dataset.labels, prompts)
    if stage.experiment.answer.needs_lm_head:
        yield "as a text", tokenizer.decode(batch["input_ids"][0], skip_special_tokens=True)


def prompts_of(combination: dict[str, dict[str, Any]]) -> Prompts:
    """Names the soft prompts of some components by how many positions they take, in the order in which they stand."""
    front: list[str] = []
    behind: list[str] = []
    for role in ROLES:
        for kind, config in combination.get(role, {}).items():
            if config.positions:
                (behind if config.after_bos else front).append(f"[{role} {kind} × {config.positions}]")
    return front, behind
