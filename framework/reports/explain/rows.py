"""A row of a batch as the model sees it, in tokens."""

from collections.abc import Callable, Iterator
from typing import Any

from transformers import PreTrainedTokenizerBase

from datamodules.batches import Batch
from datamodules.unlabelled.base import IGNORED

LONGEST = 120
"""Tokens that are shown of a row; its middle is left out."""

Part = tuple[str, str]
"""What it is, and the text."""


def shown_row(
    batch: Batch, row: int, tokenizer: PreTrainedTokenizerBase, labels: tuple[str, ...], prompts: "Prompts"
) -> Iterator[Part]:
    """Yields the tokens of one row of a batch and what is to be predicted there.

    Args:
        batch: As a data module makes it.
        row: Which row of it.
        tokenizer: Of the backbone.
        labels: What a class's number means.
        prompts: What stands before and behind the first token, in the order of the positions.
    """
    view = _Row(batch, row, tokenizer, labels)
    yield "tokens", view.written(prompts)
    for key, tell in TARGETS.items():
        if key in batch:
            yield from tell(view)


Prompts = tuple[list[str], list[str]]
"""Soft prompts in front of a row, and those right behind its first token."""


class _Row:
    def __init__(
        self, batch: Batch, row: int, tokenizer: PreTrainedTokenizerBase, labels: tuple[str, ...]
    ) -> None:
        self.batch, self.row, self.tokenizer, self.labels = batch, row, tokenizer, labels
        self.ids: list[int] = batch["input_ids"][row][batch["attention_mask"][row].bool()].tolist()

    def of(self, key: str) -> Any:
        return self.batch[key][self.row]

    def token(self, number: int) -> str:
        """Writes a token; special ones stand in angle brackets already, or get some."""
        text = str(self.tokenizer.convert_ids_to_tokens(number))
        special = number in self.tokenizer.all_special_ids and not text.startswith(("<", "["))
        return f"<{text}>" if special else text

    def tokens(self, ids: list[int]) -> str:
        words = [self.token(number) for number in ids]
        if len(words) > LONGEST:
            left_out = f"… {len(words) - LONGEST} more …"
            words = [*words[: LONGEST // 2], left_out, *words[-LONGEST // 2 :]]
        return " ".join(words)

    def written(self, prompts: Prompts) -> str:
        front, behind = prompts
        if not behind:
            return " ".join([*front, self.tokens(self.ids)])
        return " ".join([*front, self.tokens(self.ids[:1]), *behind, self.tokens(self.ids[1:])])

    def at(self, place: int) -> str:
        return f"{place} {self.token(self.ids[place])}"


def _labels(row: _Row) -> Iterator[Part]:
    labels = row.of("labels")
    if not labels.dim():
        yield "label", row.labels[int(labels)]
    elif "first_tokens" in row.batch:
        firsts = row.of("first_tokens").tolist()
        tagged = [(place, label) for place, label in zip(firsts, labels.tolist(), strict=True) if place >= 0]
        yield "tags", "  ".join(f"{row.at(place)} {row.labels[label]}" for place, label in tagged)
    elif labels.shape == row.of("input_ids").shape:
        placed = [(place, label) for place, label in enumerate(labels.tolist()) if label != IGNORED]
        if all(row.ids[place] == label for place, label in placed) and len(placed) > len(row.ids) // 2:
            yield "to predict", f"{len(placed)} of {len(row.ids)} tokens, each from those before it"
        else:
            yield "to predict", "  ".join(f"{row.at(place)} → {row.token(label)}" for place, label in placed)
    else:
        yield "to write", row.tokens([label for label in labels.tolist() if label != IGNORED])


def _answers(row: _Row) -> Iterator[Part]:
    answers = row.of("answers")
    if answers and isinstance(answers[0], list):
        for label, ids in zip(row.labels, answers, strict=True):
            yield f"if {label}", row.tokens(ids)
    else:
        yield "to write", row.tokens(answers)


def _span(row: _Row) -> Iterator[Part]:
    yield "answer", f"{row.at(int(row.of('start')))} to {row.at(int(row.of('end')))}"


def _pivot(row: _Row) -> Iterator[Part]:
    ids = row.of("pivot_input_ids")[row.of("pivot_attention_mask").bool()].tolist()
    yield "its pivot", f"{row.tokens(ids)}  (read by the bare backbone)"


TARGETS: dict[str, Callable[[_Row], Iterator[Part]]] = {
    "pivot_input_ids": _pivot,
    "answers": _answers,
    "labels": _labels,
    "start": _span,
}
"""What is to be predicted, by the key of a batch that holds it."""
