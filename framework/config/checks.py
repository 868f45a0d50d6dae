"""Refuses what cannot work before anything is trained: each check looks at some sections of an experiment.

A section with mistakes of its own is absent, and the checks that need it wait until it is mended.
"""

import contextlib
import itertools
import os
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from datamodules import LANGUAGES, DataError, Example, LabelledDataset, labelled_dataset, language
from datamodules.datasets.base import TEST
from datamodules.datasets.overlap import find_leak, training_contents
from datamodules.errors import RowErrors, listed
from framework.answers import ANSWERS, Answer, AnswerContext
from framework.config.check_given import check_given, trained_languages
from framework.config.check_slurm import check_slurm
from framework.errors import UserError
from framework.objectives import OBJECTIVES, CausalObjective
from framework.objectives.monolingual import MonolingualObjective
from framework.results.metrics.own import own_metrics
from framework.system.documents import Key
from framework.validation import Problem
from framework.wording import shortened
from modules import (
    BackboneConfig,
    BackboneInfo,
    ModulesError,
    component_class,
    inspect_backbone,
    precision_incompatibility,
    tokenizer_of,
)
from modules.backbone.packed_masks import packing_incompatibility
from modules.backbone.vocabulary import incompatibility

MOST = 50
"""How many mistakes of one kind are looked for; each may take a search for what was meant."""

LONGEST_NAME = 100
"""Bytes of an experiment's name; file systems know 255, and other names are made of this one."""

SEEDS = 2**32
"""How many seeds every random generator knows."""


def check(sections: dict[str, Any], *, here: bool) -> list[Problem]:
    """Returns what is wrong with the sections of an experiment taken together; a reason that several keys share once.

    Args:
        sections: The sections that have no mistakes of their own.
        here: Whether the experiment is to be carried out on this machine.
    """
    _info.cache_clear()  # its files may have changed
    keys: dict[str, Key] = {}
    for needed, function in CHECKS + (CHECKS_HERE if here else []):
        if all(name in sections for name in needed):
            problems = function(*(sections[name] for name in needed))
            for key, reason in itertools.islice(problems, MOST):
                keys.setdefault(reason, key)
            for key, _ in itertools.islice(problems, 1):
                keys.setdefault(f"{MOST} mistakes are listed, and there are more of their kind", key[:1])
    return [(key, reason) for reason, key in keys.items()]


def check_backbone(backbone: BackboneConfig) -> Iterator[Problem]:
    """The backbone exists, is safe to load, of a family that this version runs, and fit for its precision."""
    try:
        info = inspect_backbone(backbone)
    except ModulesError as error:
        yield ("backbone", "name"), str(error)
        return
    try:
        tokenizer_of(info)
    except ModulesError as error:
        yield ("backbone", "name"), str(error)
    if reason := precision_incompatibility(backbone.precision, info):
        yield ("backbone", "precision"), reason


def check_name(name: str) -> Iterator[Problem]:
    """The name can be that of a folder."""
    if not re.fullmatch(r"[^\W_][\w.+=-]*", name):
        rule = "begin with a letter or digit, then also . _ + = -"
        yield ("name",), f"{shortened(name)!r} names the folder of the runs: {rule}"
    elif len(name.encode()) > LONGEST_NAME:
        yield ("name",), f"{len(name.encode())} bytes are too many for the folder of the runs: at most {LONGEST_NAME}"


def check_data(data: Any) -> Iterator[Problem]:
    """The dataset has labels, and files of the user's own can be read."""
    if data is None:
        return
    try:
        dataset = labelled_dataset(data)
    except DataError as error:
        yield ("data", "name"), str(error)
        return
    try:
        dataset.verify()
    except RowErrors as error:
        for line in listed(error.errors):
            yield ("data",), line
    except DataError as error:
        yield ("data",), str(error)


def check_language_codes(languages: Any) -> Iterator[Problem]:
    """Every code names a language, once."""
    for field in ("source", "targets"):
        codes = getattr(languages, field)
        for number, code in enumerate(codes):
            if code == "all" and field == "targets" and len(codes) == 1:
                continue
            try:
                language(code)
            except DataError as error:
                yield ("languages", field, number), str(error)
            if code in codes[:number]:
                yield ("languages", field, number), f"{code} is given twice"
    if not languages.targets:
        yield ("languages", "targets"), "names no language to test on"


def check_languages_of_data(
    backbone: BackboneConfig, combination: dict[str, dict[str, Any]], data: Any, languages: Any, stages: Any
) -> Iterator[Problem]:
    """The dataset has the splits that are needed of every language."""
    if data is None and languages.targets == ["all"]:
        yield ("languages", "targets"), "[all] means the languages of the dataset, and there is no data"
    if data is None or not (dataset := _dataset(data)):
        return
    answer, info = stages.answer_to(dataset.task), _info(backbone)
    trains = info is None or _trains(answer, combination, dataset, info)
    if trains and not languages.source:
        yield ("languages", "source"), "names no language to learn the task in"
    if data.translated and not languages.source:
        yield ("languages", "source"), "names no language that the test texts are translated into"
    for field, splits in (("source", ("train", "validation") if trains else ()), ("targets", ("test",))):
        codes = getattr(languages, field)
        for number, code in enumerate(dataset.languages if codes == ["all"] else codes):
            key = ("languages", field) if codes == ["all"] else ("languages", field, number)
            if code not in LANGUAGES:
                continue
            try:
                for split in splits:
                    dataset.fingerprint(code, split)
                if field == "targets" and data.translated:
                    next(dataset.examples(code, "test"), None)  # the column may be missing
                if field == "targets" and not trains:
                    for shown, split in answer.demonstration_splits(languages.source, code):
                        dataset.fingerprint(shown, split)
            except DataError as error:
                yield key, f"{error}{_way_out(data, dataset, code) if field == 'source' else ''}"


def _way_out(data: Any, dataset: LabelledDataset, code: str) -> str:
    """Says what to write where a dataset has only one of the splits that train and choose."""
    if data.held_out is not None:
        return ""
    there = []
    for split in ("train", "validation"):
        with contextlib.suppress(DataError):
            dataset.fingerprint(code, split)
            there.append(split)
    if len(there) != 1:
        return ""
    setting = "data: {train_split: validation, held_out: 0.2}" if there == ["validation"] else "data: {held_out: 0.2}"
    return f"; {setting} trains on a part of the {there[0]} split and validates on the rest"


def check_leaks(data: Any, languages: Any) -> Iterator[Problem]:
    """Hardly any of a source language's test texts are among those that train or choose the task components."""
    if data is None or not (dataset := _dataset(data)):
        return
    targets = dataset.languages if languages.targets == ["all"] else languages.targets
    for number, code in enumerate(languages.source):
        if code not in targets or code not in LANGUAGES:
            continue
        try:
            leak = find_leak(dataset, code)
        except DataError:
            continue  # said elsewhere: the language lacks a split (here), or a row cannot be used (data_check.py)
        if leak and not leak.is_tolerable:
            yield (
                ("languages", "source", number),
                f"{leak}: as a target its score would be leaked; remove it from languages.targets or correct the data",
            )


def check_reuse(data: Any, languages: Any) -> Iterator[Problem]:
    """No language is tested on what another language is trained on."""
    if data is None or not (dataset := _dataset(data)):
        return
    every = languages.targets == ["all"]
    known = set(dataset.languages)
    learnt = training_contents(dataset, [code for code in languages.source if code in LANGUAGES])
    for number, code in enumerate(dataset.languages if every else languages.targets):
        if code not in known:
            continue  # said elsewhere, as it is where a language lacks a split
        with contextlib.suppress(DataError):
            source, split = learnt.get(dataset.content(code, TEST), (code, ""))
            if source != code:
                key = ("languages", "targets") if every else ("languages", "targets", number)
                yield key, f"the test split of {code} is the {split} split of {source}: its score would be leaked"


def check_components(backbone: BackboneConfig, combination: dict[str, dict[str, Any]]) -> Iterator[Problem]:
    """Each component works on this backbone and has something to train."""
    info = _info(backbone)
    if info is None:
        return
    for role, components in combination.items():
        for kind, config in components.items():
            component = component_class(kind)
            if reason := component.incompatibility(config, info):
                yield ("combination", role, kind), reason
            elif component.count_parameters(config, info) == 0:
                yield ("combination", role, kind), "has nothing to train with these settings"
    if "full" in combination["language"]:
        yield (
            ("combination", "language", "full"),
            "the whole backbone cannot be a language component that is swapped per target; "
            "`pretrain` trains it on the text of several languages",
        )


def check_optimizers(combination: dict[str, dict[str, Any]], data: Any, stages: Any) -> Iterator[Problem]:
    """What is trained together has one optimiser."""
    dataset = _dataset(data) if data is not None else None
    language, task = stages.language, stages.task
    head = ["head"] if dataset is not None and not stages.answer_to(dataset.task).needs_lm_head else []
    together = {
        "language": (language, [*combination["language"]] if language is not None and language.jointly else []),
        "task": (task, [*combination["task"], *head]),
    }
    for name, (stage, kinds) in together.items():
        if stage is not None and stage.training is not None:
            try:
                stage.training.optimizer_of(kinds)
            except ModulesError as error:
                yield ("stages", name, "training", "optimizers"), str(error)


def check_stages(
    combination: dict[str, dict[str, Any]], data: Any, languages: Any, stages: Any, pretrain: Any, given: Any
) -> Iterator[Problem]:
    """Every stage that the combination asks for has settings, and there is something to train."""
    trained = trained_languages([*languages.source, *languages.targets], given)
    if combination["language"] and stages.language is None and trained:
        yield ("stages", "language"), "is required: the combination has language components"
    if data is not None and stages.task is None:
        yield ("stages", "task"), "is required: there is labelled data to learn from"
    if data is None and not combination["language"] and pretrain is None:
        yield (
            ("combination",),
            "nothing to train: no data for a task stage, and no language component for a language stage",
        )
    if data is None and combination["task"]:
        yield ("combination", "task"), "task components need labelled data (the section data)"


def check_text(
    backbone: BackboneConfig,
    combination: dict[str, dict[str, Any]],
    data: Any,
    languages: Any,
    stages: Any,
    pretrain: Any,
    given: Any,
) -> Iterator[Problem]:
    """Each objective suits the backbone and finds its text in every language that it trains."""
    info = _info(backbone)
    if stages.language is not None and combination["language"]:
        dataset = _dataset(data) if data is not None else None
        targets = list(dataset.languages) if dataset and languages.targets == ["all"] else languages.targets
        targets = [] if data is not None and data.translated else targets
        objective = stages.language.objective
        spoken = trained_languages([*languages.source, *targets], given)
        wanted = [code for code in spoken if code in LANGUAGES]
        trained = [code for code in wanted if code not in objective.languages_without_components]
        yield from _check_objective(objective, trained, info, ("stages", "language", "objective"))
        if isinstance(objective, CausalObjective) and objective.packed:
            for kind, config in combination["language"].items():
                if reason := component_class(kind).packing_incompatibility(config):
                    yield ("combination", "language", kind), reason
    if pretrain is not None:
        yield from _check_objective(pretrain.objective, pretrain.languages, info, ("pretrain", "objective"))


def _check_objective(objective: Any, languages: list[str], info: BackboneInfo | None, key: Any) -> Iterator[Problem]:
    if info is not None and info.family not in objective.families:
        suited = [name for name, known in OBJECTIVES.items() if info.family in known.families]
        only = ", ".join(objective.families)
        yield key, f"not for the {info.family} {info.name}, only for {only}; use {' or '.join(suited)}"
        return
    packed = isinstance(objective, CausalObjective) and objective.packed
    if info is not None and packed and (reason := packing_incompatibility(info)):
        yield (*key, objective.name, "packed"), reason
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


def check_pretraining(pretrain: Any) -> Iterator[Problem]:
    """Pretraining has languages, and an objective that the whole backbone can learn by."""
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


def check_vocabulary(backbone: BackboneConfig, pretrain: Any) -> Iterator[Problem]:
    """A vocabulary that is to be reduced can be."""
    info = _info(backbone)
    if info is None or pretrain is None or not pretrain.reduce_vocabulary:
        return
    if not isinstance(pretrain.objective, MonolingualObjective):
        yield ("pretrain", "reduce_vocabulary"), "only an objective on monolingual text says which tokens it reads"
    if reason := incompatibility(tokenizer_of(info)):
        yield ("pretrain", "reduce_vocabulary"), f"{info.name}: {reason}"


def check_lengths(
    backbone: BackboneConfig, combination: dict[str, dict[str, Any]], data: Any, stages: Any
) -> Iterator[Problem]:
    """Text, prompts and what is written behind them fit the backbone's positions; the prefix leaves room for text."""
    info = _info(backbone)
    if info is None or data is None:
        return
    prompts = sum(
        component_class(kind).positions(config)
        for components in combination.values()
        for kind, config in components.items()
    )
    dataset = _dataset(data)
    # An encoder-decoder's answer has positions of its own.
    written = stages.answer_to(dataset.task).max_new_tokens if dataset is not None and info.family == "decoder" else 0
    tokenizer = tokenizer_of(info)
    # A space at its end may become a part of the text's first token.
    prefix = len(tokenizer(data.text_prefix.rstrip(), add_special_tokens=False, verbose=False)["input_ids"])
    special = tokenizer.num_special_tokens_to_add()
    for key in ("max_length", "train_max_length"):
        length = getattr(data, key)
        if length is None:
            continue
        if prefix and prefix + special >= length:
            yield (
                ("data", key),
                f"data.text_prefix takes {prefix} of {length} tokens and special tokens {special}, which leaves no "
                "room for the text",
            )
        if length + prompts + written > info.max_positions:
            answers = f", {prompts} of prompts and {written} of answers" if written else f" and {prompts} of prompts"
            yield (
                ("data", key),
                f"{length} tokens of text{answers} exceed the {info.max_positions} positions of {info.name}",
            )


def check_training(stages: Any, trainer: Any, pretrain: Any, seeds: list[int]) -> Iterator[Problem]:
    """Batches divide over the devices, and learning rates name kinds of components."""
    named = {
        ("stages", "language"): stages.language,
        ("stages", "task"): stages.task,
        ("pretrain",): pretrain,
    }
    for key, stage in named.items():
        if stage is None:
            continue
        if hasattr(stage, "seed"):
            yield from _check_seed((*key, "seed"), stage.seed)
        if stage.batch_size % trainer.processes:
            yield (
                (*key, "batch_size"),
                f"{stage.batch_size} rows do not divide over {trainer.processes} devices",
            )
        for field in ("learning_rates", "optimizers") if stage.training is not None else ():
            for kind in getattr(stage.training, field):
                if kind == "head":
                    continue
                try:
                    component_class(kind)
                except ModulesError as error:
                    yield (*key, "training", field, kind), str(error)
    if not seeds:
        yield ("seeds",), "names no seed"
    if len(set(seeds)) < len(seeds):
        yield ("seeds",), "a seed is given twice"
    for number, seed in enumerate(seeds):
        yield from _check_seed(("seeds", number), seed)


def check_sharding(trainer: Any, combination: Any, pretrain: Any) -> Iterator[Problem]:
    """A backbone that is shared out among devices stays as it is."""
    if not trainer.shard_backbone:
        return
    slots = [(role, kind) for role, kinds in combination.items() for kind in kinds]
    changing = [f"{role} {kind}" for role, kind in slots if component_class(kind).changes_backbone]
    if pretrain is not None:
        changing.append("pretrain")
    if changing:
        yield ("trainer", "shard_backbone"), f"only a frozen backbone can be shared out, and {changing[0]} trains it"


def _check_seed(key: Any, seed: int) -> Iterator[Problem]:
    if not 0 <= seed < SEEDS:
        yield key, f"{seed} is not a seed: 0 to {SEEDS - 1}"


def check_devices(trainer: Any, backbone: BackboneConfig) -> Iterator[Problem]:
    """The machine has the devices, and they compute in the precision."""
    import torch

    if trainer.accelerator == "gpu" or (trainer.accelerator == "auto" and torch.cuda.is_available()):
        here, what = torch.cuda.device_count(), "GPUs"
    else:
        here, what = os.cpu_count() or 1, "processor cores"
        if backbone.precision == "fp16":
            yield ("backbone", "precision"), "float16 is for GPUs, and this is to run on a processor; use bf16 or 32"
    if trainer.devices > here:
        yield (
            ("trainer", "devices"),
            f"{trainer.devices} devices are required; this machine has {here} {what}",
        )


def check_answer(
    backbone: BackboneConfig,
    combination: dict[str, dict[str, Any]],
    data: Any,
    stages: Any,
    trainer: Any,
    pretrain: Any,
    given: Any,
) -> Iterator[Problem]:
    """The task can be answered so, on this backbone, with these labels."""
    info, dataset = _info(backbone), _dataset(data) if data is not None else None
    if info is None or dataset is None or stages.task is None:
        return
    answer = stages.answer_to(dataset.task)
    name = _name_of(answer)
    key = ("stages", "task", "answer", name)
    if dataset.task not in answer.tasks or info.family not in answer.families:
        suited = [
            name for name, known in ANSWERS.items() if dataset.task in known.tasks and info.family in known.families
        ]
        what = f"the {info.family} {info.name}" if dataset.task in answer.tasks else f"{dataset.task} ({dataset.name})"
        yield key, f"not for {what}; use {' or '.join(suited)}"
        return
    if answer.needs_lm_head and not info.has_lm_head:
        yield key, f"{info.name} has no trained language-modelling head to answer with; use a head of our own"
    if answer.needs_lm_head and pretrain is not None and pretrain.reduce_vocabulary:
        yield ("pretrain", "reduce_vocabulary"), f"{name} needs the whole vocabulary to answer from; use a head"
    trains = _trains(answer, combination, dataset, info)
    if trains and stages.task.training is None and given.task is None:
        yield ("stages", "task", "training"), "is required: the task stage has something to train"
    yield from (((*key, *place), reason) for place, reason in answer.problems(dataset, info, trains))
    if trainer.shard_backbone and answer.max_new_tokens:
        yield ("trainer", "shard_backbone"), "a backbone that is shared out cannot write; use label_words or a head"


def check_shown(
    backbone: BackboneConfig,
    combination: dict[str, dict[str, Any]],
    data: Any,
    languages: Any,
    stages: Any,
    seeds: list[int],
) -> Iterator[Problem]:
    """There are as many examples as are to stand before a text, and they leave room for it."""
    info, dataset = _info(backbone), _dataset(data) if data is not None else None
    if info is None or dataset is None or stages.task is None or stages.task.answer is None:
        return
    answer = stages.task.answer
    if info.family not in answer.families or _trains(answer, combination, dataset, info):
        return
    for code in dataset.languages if languages.targets == ["all"] else languages.targets:
        # A language or a split that is missing is said elsewhere.
        with contextlib.suppress(DataError):
            if not answer.demonstration_splits(languages.source, code):
                return
            tested = list(itertools.islice(dataset.examples(code, "test"), 1))
            for shown, split in answer.demonstration_splits(languages.source, code):
                dataset.fingerprint(shown, split)
            yield from _check_shown(answer, data, dataset, info, languages.source, seeds, tested)


def _check_shown(
    answer: Answer,
    data: Any,
    dataset: LabelledDataset,
    info: BackboneInfo,
    sources: list[str],
    seeds: list[int],
    tested: list[Example],
) -> Iterator[Problem]:
    context = AnswerContext(data, dataset.labels, info)
    for seed in seeds:
        try:
            answer.data(context, tokenizer_of(info), sources=sources, seed=seed).test_rows(tested)
        except DataError as error:
            yield ("stages", "task", "answer", _name_of(answer), "examples"), str(error)
            return  # other seeds show others, and as many


def check_metrics(stages: Any) -> Iterator[Problem]:
    """Metrics of the user's own can be imported, and have names of their own."""
    try:
        own_metrics(stages.evaluate.metrics)
    except UserError as error:
        yield ("stages", "evaluate", "metrics"), str(error)


CHECKS: list[tuple[tuple[str, ...], Callable[..., Iterator[Problem]]]] = [
    (("name",), check_name),
    (("backbone",), check_backbone),
    (("data",), check_data),
    (("languages",), check_language_codes),
    (("backbone", "combination", "data", "languages", "stages"), check_languages_of_data),
    (("data", "languages"), check_leaks),
    (("data", "languages"), check_reuse),
    (("backbone", "combination"), check_components),
    (("combination", "data", "languages", "stages", "pretrain", "given"), check_stages),
    (("backbone", "combination", "data", "languages", "stages", "pretrain", "given"), check_text),
    (("backbone", "combination", "data", "stages", "trainer", "pretrain", "given"), check_answer),
    (("backbone", "combination", "data", "languages", "stages", "seeds"), check_shown),
    (("backbone", "combination", "languages", "data", "stages", "pretrain", "given", "store"), check_given),
    (("combination", "data", "stages"), check_optimizers),
    (("stages",), check_metrics),
    (("pretrain",), check_pretraining),
    (("backbone", "pretrain"), check_vocabulary),
    (("backbone", "combination", "data", "stages"), check_lengths),
    (("stages", "trainer", "pretrain", "seeds"), check_training),
    (("trainer", "combination", "pretrain"), check_sharding),
    (("trainer", "slurm"), check_slurm),
]
"""The sections that a check needs, and the check."""

CHECKS_HERE: list[tuple[tuple[str, ...], Callable[..., Iterator[Problem]]]] = [(("trainer", "backbone"), check_devices)]
"""Those that ask whether this very machine can do the work."""


def _name_of(answer: Answer) -> str:
    return next((name for name, known in ANSWERS.items() if known is type(answer)), type(answer).__name__)


def _trains(
    answer: Answer, combination: dict[str, dict[str, Any]], dataset: LabelledDataset, info: BackboneInfo
) -> bool:
    """Says whether a task stage has something to train."""
    return bool(combination["task"]) or answer.parameters(dataset.labels, info) > 0


@cache
def _info(backbone: BackboneConfig) -> BackboneInfo | None:
    """Returns what is known of a backbone that can be used, with a tokenizer that can; `check` forgets it."""
    try:
        info = inspect_backbone(backbone)
        tokenizer_of(info)
        return info
    except ModulesError:
        return None


def _dataset(data: Any) -> LabelledDataset | None:
    try:
        dataset = labelled_dataset(data)
        dataset.verify()
    except DataError:
        return None
    return dataset
