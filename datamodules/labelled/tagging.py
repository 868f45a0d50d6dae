"""Batches for training and testing a tagger of words."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import torch

from datamodules.batches import Batch, Collate
from datamodules.datasets.base import Example
from datamodules.datasets.tagged import TaggedSentence
from datamodules.labelled.base import TaskData
from datamodules.tokenization import WordTokens, filled, padded, word_tokens

NO_TOKEN = -1
"""Stands in a batch where a word has no token, and behind a sentence's last word."""
NO_TAG = -100
"""Stands in `labels` behind a sentence's last word."""


class TaggingData(TaskData):
    """Sentences whose words have a tag each; of an example without them, a new text, the words stand between blanks.

    Batches: `input_ids` and `attention_mask` [B, T] long; `words` [B] long, the number of words of each sentence, those
    cut off by `max_length` included; `first_tokens` and `last_tokens` [B, W] long, the place of each word's first and
    last token, -1 where it has none (it was cut off, or is blank) and behind a sentence's last word; `labels` [B, W]
    long, -100 behind the last word (left out where an example has no tags); `language` and `id`, lists of B strings.
    `text_prefix` stands before the first word and has no tag. With `k_shot`, that many sentences of each language are
    trained on, whatever entities are in them (as Lauscher et al. 2020 do).
    """

    @property
    def collate(self) -> Collate:
        """See `TaskData.collate`."""
        return functools.partial(_collate, pad_id=self.tokenizer.pad_token_id)

    def rows(self, examples: Sequence[Example], max_length: int) -> list[_Tokenised]:
        """See `TaskData.rows`."""
        rows = word_tokens(self.tokenizer, [_words(each) for each in examples], max_length, self.config.text_prefix)
        return [_Tokenised(example, row) for example, row in zip(examples, rows, strict=True)]


def _words(example: Example) -> Sequence[str]:
    return example.words if isinstance(example, TaggedSentence) else example.text.split()


@dataclasses.dataclass(frozen=True, slots=True)
class _Tokenised:
    example: Example
    tokens: WordTokens

    @property
    def length(self) -> int:
        return len(self.tokens.ids)


def _collate(rows: Sequence[_Tokenised], _numbers: Sequence[int], *, pad_id: int | None) -> Batch:
    batch: dict[str, Any] = padded([row.tokens.ids for row in rows], pad_id)
    batch["words"] = torch.tensor([len(row.tokens.first) for row in rows])
    batch["first_tokens"] = filled([row.tokens.first for row in rows], NO_TOKEN)
    batch["last_tokens"] = filled([row.tokens.last for row in rows], NO_TOKEN)
    tags = [row.example.tags for row in rows if isinstance(row.example, TaggedSentence)]
    if len(tags) == len(rows):
        batch["labels"] = filled(tags, NO_TAG)
    batch["language"] = [row.example.language for row in rows]
    batch["id"] = [row.example.id for row in rows]
    return batch
