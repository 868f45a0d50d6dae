"""Refuses backbones, components and stages that cannot be trained together, or not on this machine."""

import contextlib
import os
from collections.abc import Iterator

from datamodules import LANGUAGES, DataError
from framework.config.check_reused import trained_languages
from framework.config.draft import AbsentError, Draft
from framework.objectives import OBJECTIVES, CausalObjective, MonolingualObjective, Objective
from framework.system.yaml_documents import Key
from framework.validation import Problem
from modules import (
    BackboneInfo,
    ModulesError,
    OptimizationConfig,
    component_config,
    gpu_count,
    inspect_backbone,
    special_tokens,
    tokenizer_of,
    trained_parameters,
)

SEEDS = 2**32
"""How many seeds every random generator knows."""


def check_backbone(draft: Draft) -> Iterator[Problem]:
    """The backbone exists, is safe to load, of a family that this version runs, and fit for its precision."""
    try:
        info = inspect_backbone(draft.backbone)
    except ModulesError as error:
        yield ("backbone", "name"), str(error)
        return
    try:
        special_tokens(info)
    except ModulesError as error:
        yield ("backbone", "name"), str(error)
    if reason := info.precision_incompatibility(draft.backbone.precision):
        yield ("backbone", "precision"), reason


def check_components(draft: Draft) -> Iterator[Problem]:
    """Each component works on this backbone and has something to train."""
    info = draft.info
    for role, components in draft.combination.items():
        for kind, config in components.items():
            if reason := config.incompatibility(info):
                yield ("combination", role, kind), reason
            elif trained_parameters(kind, config, info) == 0:
                yield ("combination", role, kind), "has nothing to train with these settings"
    for kind, config in draft.combination["language"].items():
        if config.changes_backbone:
            yield (
                ("combination", "language", kind),
                "the whole backbone cannot be a language component that is swapped per target; "
                "`pretrain` trains it on the text of several languages",
            )


def check_optimizers(draft: Draft) -> Iterator[Problem]:
    """What is trained together has one optimiser."""
    language, task = draft.stages.language, draft.stages.task
    if language is not None and language.jointly:
        yield from _check_one_optimizer(language.training, [*draft.combination["language"]], "language")
    if task is not None and task.training is not None:
        head: list[str] = []
        with contextlib.suppress(AbsentError):
            head = [] if draft.answer.needs_lm_head else ["head"]
        yield from _check_one_optimizer(task.training, [*draft.combination["task"], *head], "task")


def _check_one_optimizer(training: OptimizationConfig, kinds: list[str], stage: str) -> Iterator[Problem]:
    try:
        training.optimizer_of(kinds)
    except ModulesError as error:
        yield ("stages", stage, "training", "optimizers"), str(error)


def check_stages(draft: Draft) -> Iterator[Problem]:
    """Every stage that the combination asks for has settings, and there is something to train."""
    combination, languages, data = draft.combination, draft.languages, draft.data
    trained = trained_languages([*languages.source, *languages.targets], draft.reuse)
    if combination["language"] and draft.stages.language is None and trained:
        yield ("stages", "language"), "is required: the combination has language components"
    if data is not None and draft.stages.task is None:
        yield ("stages", "task"), "is required: there is labelled data to learn from"
    if data is None and not combination["language"] and draft.pretrain is None:
        yield (
            ("combination",),
            "nothing to train: no data for a task stage, and no language component for a language stage",
        )
    if data is None and combination["task"]:
        yield ("combination", "task"), "task components need labelled data (the section data)"


def check_text(draft: Draft) -> Iterator[Problem]:
    """Each objective suits the backbone and finds its text in every language that it trains."""
    try:
        info = draft.info
    except AbsentError:
        info = None
    pretrain, stage, components = draft.pretrain, draft.stages.language, draft.combination["language"]
    if pretrain is not None:
        yield from _check_objective(pretrain.objective, pretrain.languages, info, ("pretrain", "objective"))
    if stage is None or not components:
        return
    objective = stage.objective
    if isinstance(objective, CausalObjective) and objective.packed:
        for kind, config in components.items():
            if reason := config.packing_incompatibility():
                yield ("combination", "language", kind), reason
    languages = draft.languages.source
    with contextlib.suppress(AbsentError):  # the targets may be those of a dataset that cannot be used
        languages = draft.component_languages
    trained = [code for code in trained_languages(languages, draft.reuse) if code in LANGUAGES]
    trained = [code for code in trained if code not in objective.languages_without_components]
    yield from _check_objective(objective, trained, info, ("stages", "language", "objective"))


def _check_objective(
    objective: Objective, languages: list[str], info: BackboneInfo | None, key: Key
) -> Iterator[Problem]:
    if info is not None and info.family not in objective.families:
        suited = [name for name, known in OBJECTIVES.items() if info.family in known.families]
        only = ", ".join(objective.families)
        yield key, f"not for the {info.family} {info.name}, only for {only}; use {' or '.join(suited)}"
        return
    packed = isinstance(objective, CausalObjective) and objective.packed
    if info is not None and packed and (reason := info.packing_incompatibility()):
        yield (*key, CausalObjective.name, "packed"), reason
    if objective.needs_lm_head and info is not None and not info.has_lm_head:
        yield (
            key,
            f"{info.name} has no trained language-modelling head, so language modelling cannot train on it; "
            "use `alignment` on parallel text",
        )
    for code in languages:
        try:
            objective.fingerprints([code])
        except DataError as error:
            yield key, str(error)


def check_pretraining(draft: Draft) -> Iterator[Problem]:
    """Pretraining has languages, and an objective that the whole backbone can learn by."""
    pretrain = draft.pretrain
    if pretrain is None:
        return
    if not pretrain.languages:
        yield ("pretrain", "languages"), "names no language to learn"
    for number, code in enumerate(pretrain.languages):
        if code in pretrain.languages[:number]:
            yield ("pretrain", "languages", number), f"{code} is given twice"
    if pretrain.objective.needs_bare_backbone:
        yield (
            ("pretrain", "objective"),
            "compares with the backbone as it was, so it cannot train the backbone itself; use `masked`",
        )


def check_vocabulary(draft: Draft) -> Iterator[Problem]:
    """A vocabulary that is to be reduced can be."""
    pretrain = draft.pretrain
    if pretrain is None or not pretrain.reduce_vocabulary:
        return
    from modules.backbone.vocabulary import incompatibility

    if not isinstance(pretrain.objective, MonolingualObjective):
        yield ("pretrain", "reduce_vocabulary"), "only an objective on monolingual text says which tokens it reads"
    if reason := incompatibility(tokenizer_of(draft.info)):
        yield ("pretrain", "reduce_vocabulary"), f"{draft.info.name}: {reason}"


def check_training(draft: Draft) -> Iterator[Problem]:
    """Batches divide over the devices, and learning rates name kinds of components."""
    language, task, pretrain = draft.stages.language, draft.stages.task, draft.pretrain
    processes = draft.trainer.processes
    stages = {("stages", "language"): language, ("stages", "task"): task, ("pretrain",): pretrain}
    for key, stage in stages.items():
        if stage is None:
            continue
        if stage.batch_size % processes:
            yield (*key, "batch_size"), f"{stage.batch_size} rows do not divide over {processes} devices"
        for field in ("learning_rates", "optimizers") if stage.training is not None else ():
            for kind in getattr(stage.training, field):
                if kind == "head":
                    continue
                try:
                    component_config(kind)
                except ModulesError as error:
                    yield (*key, "training", field, kind), str(error)
    seeds: list[tuple[Key, int]] = [(("seeds", number), seed) for number, seed in enumerate(draft.seeds)]
    seeds += [(("stages", "language", "seed"), language.seed)] if language is not None else []
    seeds += [(("pretrain", "seed"), pretrain.seed)] if pretrain is not None else []
    for of_seed, seed in seeds:
        if not 0 <= seed < SEEDS:
            yield of_seed, f"{seed} is not a seed: 0 to {SEEDS - 1}"
    if not draft.seeds:
        yield ("seeds",), "names no seed"
    if len(set(draft.seeds)) < len(draft.seeds):
        yield ("seeds",), "a seed is given twice"


def check_sharding(draft: Draft) -> Iterator[Problem]:
    """A backbone that is shared out among devices stays as it is."""
    if not draft.trainer.shard_backbone:
        return
    slots = [(role, kind, config) for role, kinds in draft.combination.items() for kind, config in kinds.items()]
    changing = [f"{role} {kind}" for role, kind, config in slots if config.changes_backbone]
    changing += ["pretrain"] if draft.pretrain is not None else []
    if changing:
        yield ("trainer", "shard_backbone"), f"only a frozen backbone can be shared out, and {changing[0]} trains it"


def check_devices(draft: Draft) -> Iterator[Problem]:
    """This machine has the devices, and they compute in the precision."""
    trainer = draft.trainer
    if trainer.accelerator == "gpu" or (trainer.accelerator == "auto" and gpu_count()):
        here, what = gpu_count(), "GPUs"
    else:
        here, what = os.cpu_count() or 1, "processor cores"
        if draft.backbone.precision == "fp16":
            yield ("backbone", "precision"), "float16 is for GPUs, and this is to run on a processor; use bf16 or 32"
    if trainer.devices > here:
        yield ("trainer", "devices"), f"{trainer.devices} devices are required; this machine has {here} {what}"
