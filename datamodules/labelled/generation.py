"""Batches for generation: a question, and the tokens that should be written after it."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

from datamodules.batches import Batch, Collate
from datamodules.datasets.base import Example
from datamodules.labelled.prompted import PromptedData
from datamodules.tokenization import padded


class GenerationData(PromptedData):
    """Questions with written answers.

    Batches: `input_ids` and `attention_mask` [B, T] long, `answers` for each row the token ids of the right answer, its
    end included (left out where an example has none), `text` the (first) texts as they are, `prompt_language` the
    languages of their prompts, `language` and `id`; the last four are lists of B strings.
    """

    @property
    def collate(self) -> Collate:
        """See `TaskData.collate`."""
        return functools.partial(_collate, pad_id=self.tokenizer.pad_token_id)

    def rows(self, examples: Sequence[Example], max_length: int, prompt_language: str | None = None) -> list[_Row]:
        """See `PromptedData.rows`."""
        prompt_builder = self.prompt_builder(dict.fromkeys(prompt_language or example.language for example in examples))
        prefix = self.config.text_prefix
        rows = []
        for example in examples:
            asked_in = prompt_language or example.language
            ids = prompt_builder.ids(example, asked_in, max_length, prefix)
            known = self.dataset.has_gold(example)
            answer = prompt_builder.answer_ids(self.answer(example, asked_in), ends=True) if known else []
            rows.append(_Row(example, asked_in, ids, answer))
        return rows


@dataclasses.dataclass(frozen=True, slots=True)
class _Row:
    example: Example
    prompt_language: str
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
    batch["prompt_language"] = [row.prompt_language for row in rows]
    batch["language"] = [row.example.language for row in rows]
    batch["id"] = [row.example.id for row in rows]
    return batch
