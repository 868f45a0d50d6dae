"""Batches for generation: a question, and the tokens that should be written after it."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

from datamodules.asking import AskingData
from datamodules.batches import Batch, Collate
from datamodules.dataset import Example
from datamodules.tokenization import padded


class GenerationData(AskingData):
    """Questions with written answers.

    Batches: `input_ids` and `attention_mask` [B, T] long, `answers` for each row the token ids of the right answer, its
    end included (left out where an example has none), `text` the (first) texts as they are, `language` and `id`; the
    last three are lists of B strings.
    """

    @property
    def collate(self) -> Collate:
        """See `TaskData.collate`."""
        return functools.partial(_collate, pad_id=self.tokenizer.pad_token_id)

    def rows(self, examples: Sequence[Example], max_length: int, spoken: str | None = None) -> list[_Row]:
        """See `AskingData.rows`."""
        asker = self.asker(dict.fromkeys(spoken or example.language for example in examples))
        prefix = self.config.text_prefix
        return [
            _Row(
                example,
                asker.ids(example, spoken or example.language, max_length, prefix),
                asker.answer_ids(self.answer(example), ends=True) if self.dataset.has_gold(example) else [],
            )
            for example in examples
        ]


@dataclasses.dataclass(frozen=True, slots=True)
class _Row:
    example: Example
    ids: list[int]
    answer: list[int]

    @property
    def length(self) -> int:
        return len(self.ids)


def _collate(rows: Sequence[_Row], _numbers: Sequence[int], *, pad_id: int | None) -> Batch:
    batch: dict[str, Any] = padded([row.ids for row in rows], pad_id)
    if all(row.answer for row in rows):
        batch["answers"] = [row.answer for row in rows]
    batch["text"] = [row.example.text for row in rows]
    batch["language"] = [row.example.language for row in rows]
    batch["id"] = [row.example.id for row in rows]
    return batch
