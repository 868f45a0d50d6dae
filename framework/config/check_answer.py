"""Refuses answers that the task, the backbone or the labels do not allow, and texts that leave them no room."""

import contextlib
import itertools
from collections.abc import Iterator

from datamodules import DataError, Example
from framework.answers import ANSWERS, Answer, AnswerContext
from framework.config.draft import AbsentError, Draft
from framework.errors import UserError
from framework.results.metrics.own import own_metrics
from framework.validation import Problem
from modules import special_tokens, text_tokens, tokenizer_of


def check_answer(draft: Draft) -> Iterator[Problem]:
    """The task can be answered so, on this backbone, with these labels."""
    info, dataset, answer, pretrain = draft.info, draft.dataset, draft.answer, draft.pretrain
    if draft.stages.task is None:
        return
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
    if draft.trains and draft.stages.task.training is None and draft.reuse.task is None:
        yield ("stages", "task", "training"), "is required: the task stage has something to train"
    yield from (((*key, *place), reason) for place, reason in answer.problems(dataset, info, draft.trains))
    if draft.trainer.shard_backbone and answer.max_new_tokens:
        yield ("trainer", "shard_backbone"), "a backbone that is shared out cannot write; use label_words or a head"


def check_demonstrations(draft: Draft) -> Iterator[Problem]:
    """There are as many demonstrations as are asked for, and they leave room for the text."""
    info, dataset, answer, source = draft.info, draft.dataset, draft.answer, draft.languages.source
    if draft.stages.task is None or info.family not in answer.families or draft.trains:
        return
    for code in draft.targets:
        # A language or a split that is missing is said elsewhere.
        with contextlib.suppress(DataError):
            if not answer.demonstration_splits(source, code):
                return
            tested = list(itertools.islice(dataset.examples(code, "test"), 1))
            for shown, split in answer.demonstration_splits(source, code):
                dataset.fingerprint(shown, split)
            yield from _check_demonstrations(draft, tested)


def _check_demonstrations(draft: Draft, tested: list[Example]) -> Iterator[Problem]:
    assert draft.data is not None
    context, tokenizer = AnswerContext(draft.data, draft.dataset.labels, draft.info), tokenizer_of(draft.info)
    for seed in draft.seeds:
        try:
            draft.answer.data(context, tokenizer, sources=draft.languages.source, seed=seed).test_rows(tested)
        except DataError as error:
            yield ("stages", "task", "answer", _name_of(draft.answer), "examples"), str(error)
            return  # other seeds show others, and as many


def check_lengths(draft: Draft) -> Iterator[Problem]:
    """Text, prompts and what is written behind them fit the backbone's positions; the prefix leaves room for text."""
    data, info = draft.data, draft.info
    if data is None:
        return
    prompts = sum(config.positions for components in draft.combination.values() for config in components.values())
    written = 0
    if info.family == "decoder":  # an encoder-decoder's answer has positions of its own
        with contextlib.suppress(AbsentError):
            written = draft.answer.max_new_tokens
    # A space at its end may become a part of the text's first token.
    prefix, special = text_tokens(info, data.text_prefix.rstrip()), special_tokens(info)
    for key, length in (("max_length", data.max_length), ("train_max_length", data.train_max_length)):
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


def check_metrics(draft: Draft) -> Iterator[Problem]:
    """Metrics of the user's own can be imported, and have names of their own."""
    try:
        own_metrics(draft.stages.evaluate.metrics)
    except UserError as error:
        yield ("stages", "evaluate", "metrics"), str(error)


def _name_of(answer: Answer) -> str:
    return next((name for name, known in ANSWERS.items() if known is type(answer)), type(answer).__name__)
