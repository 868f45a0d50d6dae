"""Batches for training and testing a classifier."""

import dataclasses
from collections.abc import Sequence

from typing_extensions import override

from datamodules.batching.loaders import Batch
from datamodules.batching.tokenization import PairTokens, pair_tokens, token_ids
from datamodules.datasets.base import Example
from datamodules.labelled.base import TaskData, TaskRow, add_labels, add_token_types


@dataclasses.dataclass(frozen=True, slots=True)
class _Row(TaskRow):
    types: list[int]
    """As in `PairTokens`; empty for a single text."""


class ClassificationData(TaskData):
    """Texts, or pairs of texts, with a label each.

    Batches: `input_ids` and `attention_mask` [B, T] long, `labels` [B] long (left out where an example has
    none), `language` and `id` lists of B strings. Pairs whose tokenizer marks the second text have `token_type_ids`
    [B, T] long too, 0 at padding.

    >>> from transformers import AutoTokenizer
    >>> from datamodules import ClassificationData, DatasetConfig
    >>> tokenizer = AutoTokenizer.from_pretrained("experiments/quickstart/backbone")
    >>> languages = {"sources": ["qaa_Latn"], "targets": ["qae_Latn"]}
    >>> data = ClassificationData(DatasetConfig("synthetic"), tokenizer, **languages, batch_size=4)
    >>> batch = next(iter(data.train_dataloader()))
    >>> batch["input_ids"].shape, [data.labels[label] for label in batch["labels"]]
    (torch.Size([4, 7]), ['science', 'travel', 'health', 'health'])
    """

    @property
    def labels(self) -> list[str]:
        """Names of the labels; `labels` in a batch are indices into them."""
        return list(self.dataset.labels)

    @override
    def rows(self, examples: Sequence[Example], max_length: int) -> list[_Row]:
        prefix = self.config.text_prefix
        if self.dataset.pairs:
            pairs = [(example.text, example.second_text or "") for example in examples]
            rows = pair_tokens(self.tokenizer, pairs, max_length, prefix)
        else:
            ids = token_ids(self.tokenizer, [example.text for example in examples], max_length, prefix)
            rows = [PairTokens(row, types=[]) for row in ids]
        return [_Row(example, *row) for example, row in zip(examples, rows, strict=True)]

    @staticmethod
    @override
    def add_columns(batch: Batch, rows: Sequence[_Row]) -> None:
        add_token_types(batch, [row.types for row in rows])
        add_labels(batch, rows)
