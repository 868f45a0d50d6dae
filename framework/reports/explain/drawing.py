"""A combination as a table: its components, where they act, and in which stages they are trained."""

from collections.abc import Iterator

from rich.table import Column, Table

from framework.config.schema import Experiment
from framework.planning.plan import EvaluateStage, LanguageStage, MergeStage, Plan, TaskStage, describe
from framework.store.backbone_choice import BackboneChoice
from modules import ROLES, count_parameters, trained_parameters

TRAINED, FROZEN, ABSENT = "trained", "frozen", "–"


def drawing(plan: Plan, experiment: Experiment) -> Table:
    """Makes the table of one combination: a line for each component, and for backbone and head."""
    kinds = kinds_of(plan)
    table = Table(
        "part", "place", Column("parameters", justify="right"), *kinds,
        box=None, header_style="bold", title=experiment.label, title_justify="left", title_style="bold",
    )
    backbone = BackboneChoice.of(experiment.backbone, experiment.trainer.accelerator)
    info = backbone.info
    tasks: list[TaskStage] = [stage.task for stage in plan.of_type(EvaluateStage) if stage.experiment is experiment]

    # A source language may have no components, for example the pivot of an alignment.
    under_task = ["task"] if any(any(task.language_components.values()) for task in tasks) else []

    def states(learns_in: str, present_in: tuple[str, ...]) -> list[str]:
        return [TRAINED if kind == learns_in else FROZEN if kind in present_in else ABSENT for kind in kinds]

    pretrained = "pretrain" if experiment.pretrain is not None else ""
    full = any(config.changes_backbone for config in experiment.combination["task"].values())
    table.add_row(
        f"backbone ({info.family}, {info.layers} layers × {info.hidden_size})",
        backbone.shown,
        f"{count_parameters(info):,}",
        *[TRAINED if kind == pretrained or (kind == "task" and full) else FROZEN for kind in kinds],
    )
    for role in ROLES:
        present = {"language": ("language", *under_task, "evaluate"), "task": ("task", "evaluate")}[role]
        for kind, config in experiment.combination[role].items():
            count = trained_parameters(kind, config, info)
            table.add_row(f"{role} {describe(kind, config)}", config.location, f"{count:,}", *states(role, present))
    for task in tasks[:1]:
        own = experiment.answer.parameters(task.labels, info)
        name = type(experiment.answer).__name__.removesuffix("Answer")
        what = "on the last hidden states" if own else "by the language model's own head"
        table.add_row(f"answer: {name}", what, f"{own:,}", *states("task" if own else "", ("evaluate",)))
    return table


def kinds_of(plan: Plan) -> list[str]:
    """Returns the kinds of the stages that train or test, in the order of the plan."""
    return list(dict.fromkeys(stage.kind for stage in plan.stages if not isinstance(stage, MergeStage)))


def optimizers(plan: Plan) -> Table:
    """Lists the groups of each training stage's optimiser; stages with equal groups share their rows."""
    columns = "stage", "group", "optimiser", "rate", "weight decay", "steps × batch", "warm-up, then", "clip"
    table = Table(*columns, box=None, header_style="bold")
    training = (stage for stage in plan.stages if isinstance(stage, LanguageStage | TaskStage))
    for groups in dict.fromkeys(tuple(_groups(stage)) for stage in training):
        for group in groups:
            table.add_row(*group)
    return table


def _groups(stage: LanguageStage | TaskStage) -> Iterator[tuple[str, ...]]:
    """Yields a row for each group of a stage's optimiser."""
    training, kinds = stage.settings.training, _trained(stage)
    assert training is not None
    for kind in kinds:
        rate, decay = training.rates_of(kind)
        yield (
            f"{stage.kind}: {' + '.join(kinds)}",
            kind,
            training.optimizer_of(kinds),
            f"{rate:g}",
            f"{decay:g}",
            f"{training.steps:,} × {stage.settings.batch_size}",
            f"{training.warmup_steps:,}, {training.decay}",
            "none" if training.gradient_clip is None else f"{training.gradient_clip:g}",
        )


def _trained(stage: LanguageStage | TaskStage) -> list[str]:
    if isinstance(stage, LanguageStage):
        return list(stage.components)
    experiment = stage.experiment
    head = ["head"] if experiment.answer.parameters(stage.labels, stage.backbone.info) else []
    return [*experiment.combination["task"], *head]
