"""Shows a row of a batch in tokens, as the model sees it."""

from collections.abc import Callable, Iterator
from typing import Any

from transformers import PreTrainedTokenizerBase

from datamodules.batching.loaders import Batch
from datamodules.unlabelled.base import IGNORED

LONGEST = 120
"""Tokens that are shown of a row; its middle is left out."""

Description = tuple[str, str]
"""A heading and a text."""
Prompts = tuple[list[str], list[str]]
"""Soft prompts before the first token of a row, and those right after it."""


def describe_row(
    batch: Batch, tokenizer: PreTrainedTokenizerBase, labels: tuple[str, ...], prompts: Prompts
) -> Iterator[Description]:
    """Yields the tokens of the first row of a batch, and the targets of its prediction; `labels` are by class."""
    row = _FirstRow(batch, tokenizer, labels)
    yield "tokens", row.with_prompts(prompts)
    for key, describe in TARGETS.items():
        if key in batch:
            yield from describe(row)


class _FirstRow:
    def __init__(self, batch: Batch, tokenizer: PreTrainedTokenizerBase, labels: tuple[str, ...]) -> None:
        self.batch, self.tokenizer, self.labels = batch, tokenizer, labels
        self.ids: list[int] = batch["input_ids"][0][batch["attention_mask"][0].bool()].tolist()

    def of(self, key: str) -> Any:
        return self.batch[key][0]

    def token(self, number: int) -> str:
        """Returns a token; special ones in angle brackets."""
        text = str(self.tokenizer.convert_ids_to_tokens(number))
        special = number in self.tokenizer.all_special_ids and not text.startswith(("<", "["))
        return f"<{text}>" if special else text

    def tokens(self, ids: list[int]) -> str:
        words = [self.token(number) for number in ids]
        if len(words) > LONGEST:
            left_out = f"… {len(words) - LONGEST} more …"
            words = [*words[: LONGEST // 2], left_out, *words[-LONGEST // 2 :]]
        return " ".join(words)

    def with_prompts(self, prompts: Prompts) -> str:
        front, behind = prompts
        if not behind:
            return " ".join([*front, self.tokens(self.ids)])
        return " ".join([*front, self.tokens(self.ids[:1]), *behind, self.tokens(self.ids[1:])])

    def at(self, index: int) -> str:
        return f"{index} {self.token(self.ids[index])}"


def _labels(row: _FirstRow) -> Iterator[Description]:
    labels = row.of("labels")
    if not labels.dim():
        yield "label", row.labels[int(labels)]
    elif "first_tokens" in row.batch:
        firsts = row.of("first_tokens").tolist()
        tagged = [(index, label) for index, label in zip(firsts, labels.tolist(), strict=True) if index >= 0]
        yield "tags", "  ".join(f"{row.at(index)} {row.labels[label]}" for index, label in tagged)
    elif labels.shape == row.of("input_ids").shape:
        targets = [(index, label) for index, label in enumerate(labels.tolist()) if label != IGNORED]
        if all(row.ids[index] == label for index, label in targets) and len(targets) > len(row.ids) // 2:
            yield "to predict", f"{len(targets)} of {len(row.ids)} tokens, each from those before it"
        else:
            yield "to predict", "  ".join(f"{row.at(index)} → {row.token(label)}" for index, label in targets)
    else:
        yield "to write", row.tokens([label for label in labels.tolist() if label != IGNORED])


def _answers(row: _FirstRow) -> Iterator[Description]:
    answers = row.of("answers")
    if answers and isinstance(answers[0], list):
        for label, ids in zip(row.labels, answers, strict=True):
            yield f"if {label}", row.tokens(ids)
    else:
        yield "to write", row.tokens(answers)


def _span(row: _FirstRow) -> Iterator[Description]:
    yield "answer", f"{row.at(int(row.of('start')))} to {row.at(int(row.of('end')))}"


def _pivot(row: _FirstRow) -> Iterator[Description]:
    ids = row.of("pivot_input_ids")[row.of("pivot_attention_mask").bool()].tolist()
    yield "its pivot", f"{row.tokens(ids)}  (read by the bare backbone)"


TARGETS: dict[str, Callable[[_FirstRow], Iterator[Description]]] = {
    "pivot_input_ids": _pivot,
    "answers": _answers,
    "labels": _labels,
    "start": _span,
}
"""Descriptions of the targets, by their key in a batch."""
