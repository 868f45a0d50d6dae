"""Batches for label words: a question, and for each label the words that would answer it."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import torch

from datamodules.batches import Batch, Collate
from datamodules.datasets.base import Example
from datamodules.labelled.prompted import PromptedData
from datamodules.tokenization import padded


class LabelWordData(PromptedData):
    """Questions whose answers are the words of labels.

    Batches: `input_ids` and `attention_mask` [B, T] long, `answers` for each row a list of each label's token ids,
    `labels` [B] long (left out where an example has none), `language` and `id` lists of B strings.
    """

    @property
    def collate(self) -> Collate:
        """See `TaskData.collate`."""
        return functools.partial(_collate, pad_id=self.tokenizer.pad_token_id)

    def rows(self, examples: Sequence[Example], max_length: int, prompt_language: str | None = None) -> list[_Row]:
        """See `PromptedData.rows`."""
        languages = dict.fromkeys(prompt_language or example.language for example in examples)
        prompt_builder = self.prompt_builder(languages)
        answers = {
            # A sequence-to-sequence model has learnt to end its answers; a decoder goes on with anything.
            language: [prompt_builder.answer_ids(words, ends=not self.is_decoder) for words in self.words(language)]
            for language in languages
        }
        prefix = self.config.text_prefix
        return [
            _Row(
                example,
                prompt_builder.ids(example, prompt_language or example.language, max_length, prefix),
                answers[prompt_language or example.language],
            )
            for example in examples
        ]


@dataclasses.dataclass(frozen=True, slots=True)
class _Row:
    example: Example
    ids: list[int]
    answers: list[list[int]]

    @property
    def length(self) -> int:
        return len(self.ids)


def _collate(rows: Sequence[_Row], _numbers: Sequence[int], *, pad_id: int | None) -> Batch:
    batch: dict[str, Any] = padded([row.ids for row in rows], pad_id)
    labels = [row.example.label for row in rows]
    if None not in labels:
        batch["labels"] = torch.tensor(labels)
    batch["answers"] = [row.answers for row in rows]
    batch["language"] = [row.example.language for row in rows]
    batch["id"] = [row.example.id for row in rows]
    return batch
