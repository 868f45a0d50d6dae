"""Tables of a plan and of tokenization."""

import contextlib
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from datamodules import DataError
from datamodules.datasets.base import TEST, TRAIN
from framework.config.schema import Experiment
from framework.planning.notes import notes_on_data
from framework.planning.plan import EvaluateStage, LanguageStage, MergeStage, Plan, Stage, TaskStage
from framework.planning.vocabulary import notes_on_vocabulary
from framework.wording import count
from modules import count_parameters

SHOWN_LABELS = 10
"""Maximal number of labels that a plan shows."""


def print_plan(plan: Plan, console: Console, *, verbose: bool) -> None:
    """Prints the stages of a plan: their numbers, how many are done, what they train and for how long.

    Unless `verbose`, stages that differ only by language or seed share a line.
    """
    first = plan.shared
    console.print(
        f"{plan.name} · {plan.stages[0].backbone.shown} · "
        f"{count(len(plan.experiments), 'combination')} × {count(len(first.seeds), 'seed')} · "
        f"{', '.join(first.languages.source) or '–'} → {_some(first.targets)}\n"
    )
    numbers = (Column(name, justify="right") for name in ("runs", "cached", "trains", "steps"))
    table = Table("stage", "what", *numbers, *(["id"] if verbose else []), box=None, header_style="bold")
    for group in _groups(plan.stages, verbose):
        table.add_row(*_row(plan, group, verbose))
    console.print(table)
    total = f"to do: {count(len(plan.todo), 'stage')}" if plan.todo else "nothing to do: every run is there"
    places = f"components in {plan.store.folder}/ · results in {plan.folder}/"
    console.print()
    if first.data is not None and (labels := first.dataset.labels):
        shown = ", ".join(labels[:SHOWN_LABELS]) + " …" * (len(labels) > SHOWN_LABELS)
        console.print(f" {count(len(labels), 'label')}: {shown}", soft_wrap=True)
    console.print(f" {total} · {places}", soft_wrap=True)
    on_data = (note for experiment in plan.experiments for note in notes_on_data(experiment))
    notes = [*_notes_on_precision(plan), *notes_on_vocabulary(plan), *on_data, *_notes_on_runs(plan)]
    for note in dict.fromkeys(notes):
        console.print(f" note: {note}", soft_wrap=True)


def _notes_on_precision(plan: Plan) -> Iterator[str]:
    """Says what `auto` is on this machine."""
    for stage in plan.stages:
        if stage.experiment.backbone.precision == "auto":
            yield f"backbone.precision: auto is {stage.backbone.config.precision} on this machine"


def _notes_on_runs(plan: Plan) -> Iterator[str]:
    """Says which seeds have no run, and which components were pulled."""
    for label, seeds in plan.idle_seeds.items():
        left_out = f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"
        yield f"{label}: one run, without {left_out}: nothing is trained or drawn there, so that all are the same."
    for repository, identities in plan.pulled.items():
        yield f"pulled from {repository}, whose publisher states how they were trained: {', '.join(identities)}"


def _groups(stages: list[Stage], verbose: bool) -> list[list[Any]]:
    groups: dict[Any, list[Stage]] = defaultdict(list)
    for stage in stages:
        groups[stage.id if verbose else _what(stage)].append(stage)
    return list(groups.values())


def _what(stage: Stage) -> tuple[str, str]:
    """Names a stage without its language or seed, to group stages."""
    if isinstance(stage, EvaluateStage):
        return stage.kind, stage.experiment.label
    return stage.kind, stage.title if isinstance(stage, MergeStage) else stage.title.rpartition(" · ")[0]


def _row(plan: Plan, group: list[Any], verbose: bool) -> list[str]:
    stage = group[0]
    cached = sum(member.id in plan.done for member in group)
    cells = [stage.kind, _title(group, verbose), str(len(group)), str(cached), "–", "–"]
    if isinstance(stage, LanguageStage | TaskStage):
        info = stage.backbone.info
        share = stage.parameters / count_parameters(info, with_lm_head=info.has_lm_head)
        most = "≤ " if _trains_reduced_vocabulary(stage) else ""
        cells[4:] = [f"{most}{_short(stage.parameters)} ({share:.2%})", f"{stage.steps:,}"]
    return [*cells, stage.id] if verbose else cells


def _trains_reduced_vocabulary(stage: LanguageStage | TaskStage) -> bool:
    """Says whether a stage trains the whole backbone with a vocabulary that depends on the training text."""
    pretrain = stage.experiment.pretrain
    components = stage.components if isinstance(stage, LanguageStage) else stage.experiment.combination["task"]
    changes = any(config.changes_backbone for config in components.values())
    return changes and pretrain is not None and pretrain.reduce_vocabulary


def _title(group: list[Any], verbose: bool) -> str:
    stage = group[0]
    if verbose or isinstance(stage, MergeStage):
        return str(stage.title)
    if isinstance(stage, LanguageStage):
        languages = dict.fromkeys(code for member in group for code in member.languages)
        return f"{_what(stage)[1]} · {_some(list(languages))}"
    if isinstance(stage, EvaluateStage):
        tested = {test.language for test in stage.tests}
        controls = any(test.control != "own" for member in group for test in member.tests)
        return f"{stage.experiment.label} · {count(len(tested), 'language')}{' + controls' if controls else ''}"
    return f"{_what(stage)[1]} · {count(len(group), 'seed')}"


def print_tokenization(plan: Plan, console: Console) -> None:
    """Prints tokens per word, share truncated and unknown tokens for each language of the experiment.

    The texts are the test split of a target, and the training split of a language that is only a source.
    """
    from datamodules import language, tokenization_report
    from framework.errors import UserError
    from modules import load_tokenizer

    experiment = plan.shared
    if experiment.data is None:
        raise UserError(f"{experiment.name}: there is no data whose tokens could be counted")
    codes = list(dict.fromkeys([*experiment.languages.source, *experiment.targets]))
    tokenizer = load_tokenizer(plan.stages[0].backbone.info)
    counts = ("texts", "tokens per word", f"longer than {experiment.data.max_length}", "unknown tokens")
    numbers = (Column(name, justify="right") for name in counts)
    table = Table("language", "", "split", *numbers, box=None, header_style="bold")
    for code in codes:
        split, data = _counted_split(experiment, code), experiment.data
        [row] = tokenization_report(
            experiment.dataset, tokenizer, [code], split=split, max_length=data.max_length, text_prefix=data.text_prefix
        )
        shares = f"{row.tokens_per_word:.2f}", f"{row.truncated_share:.1%}", f"{row.unknown_share:.2%}"
        table.add_row(code, language(code).name, split, f"{row.sentences:,}", *shares)
    console.print(table)


def _counted_split(experiment: Experiment, code: str) -> str:
    """Returns a split of a language that the experiment reads; a language that is only a source may lack others."""
    if code not in experiment.targets:
        with contextlib.suppress(DataError):
            experiment.dataset.check(code, TRAIN)
            return TRAIN
    return TEST


def _some(codes: list[str]) -> str:
    return ", ".join(codes) if len(codes) <= 6 else f"{', '.join(codes[:4])} … ({len(codes)} languages)"


def _short(number: int) -> str:
    """Formats a number of parameters: `38k`, `7.1M`."""
    if number >= 1_000_000:
        return f"{number / 1e6:.1f}M"
    return f"{number / 1e3:.0f}k" if number >= 10_000 else str(number)
