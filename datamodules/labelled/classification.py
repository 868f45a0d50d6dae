"""Batches for training and testing a classifier."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import torch

from datamodules.batches import Batch, Collate
from datamodules.datasets.base import Example
from datamodules.labelled.base import TaskData
from datamodules.tokenization import PairTokens, padded, pair_tokens, token_ids


class ClassificationData(TaskData):
    """Texts, or pairs of texts, with a label each.

    Batches: `input_ids` and `attention_mask` [B, T] long, `labels` [B] long (left out where an example has
    none), `language` and `id` lists of B strings. Pairs whose tokenizer marks the second text have `token_type_ids`
    [B, T] long too, 0 at padding.
    """

    @property
    def labels(self) -> list[str]:
        """Names of the labels; `labels` in a batch are indices into them."""
        return list(self.dataset.labels)

    @property
    def collate(self) -> Collate:
        """See `TaskData.collate`."""
        return functools.partial(_collate, pad_id=self.tokenizer.pad_token_id)

    def rows(self, examples: Sequence[Example], max_length: int) -> list[_Tokenised]:
        """See `TaskData.rows`."""
        prefix = self.config.text_prefix
        if self.dataset.pairs:
            pairs = [(example.text, example.second_text or "") for example in examples]
            rows = pair_tokens(self.tokenizer, pairs, max_length, prefix)
        else:
            ids = token_ids(self.tokenizer, [example.text for example in examples], max_length, prefix)
            rows = [PairTokens(row, types=[]) for row in ids]
        return [_Tokenised(example, *row) for example, row in zip(examples, rows, strict=True)]


@dataclasses.dataclass(frozen=True, slots=True)
class _Tokenised:
    example: Example
    ids: list[int]
    types: list[int]
    """As in `PairTokens`; empty for a single text."""

    @property
    def length(self) -> int:
        return len(self.ids)


def _collate(rows: Sequence[_Tokenised], _numbers: Sequence[int], *, pad_id: int | None) -> Batch:
    batch: dict[str, Any] = padded([row.ids for row in rows], pad_id)
    if any(map(any, (row.types for row in rows))):
        batch["token_type_ids"] = padded([row.types for row in rows], pad_id=0)["input_ids"]
    labels = [row.example.label for row in rows]
    if None not in labels:
        batch["labels"] = torch.tensor(labels)
    batch["language"] = [row.example.language for row in rows]
    batch["id"] = [row.example.id for row in rows]
    return batch
