"""Causal language modelling: every token is predicted from those before it."""

from collections.abc import Sequence

from typing_extensions import override

from datamodules.batching.loaders import Batch
from datamodules.batching.tokenization import filled, padded, token_ids
from datamodules.unlabelled.base import IGNORED
from datamodules.unlabelled.blocks import Block, BlockBatching


class Causal(BlockBatching):
    """Predicts the tokens of each block.

    Batches: `input_ids`, `attention_mask` and `labels` [B, T] long, `language` a list of B strings. The labels are
    the tokens themselves in their own places, -100 where padded: whoever takes the loss shifts them. BOS and EOS
    are those that the tokenizer puts around a text.
    """

    @override
    def __call__(self, rows: Sequence[Block], numbers: Sequence[int]) -> Batch:
        ids = token_ids(self.tokenizer, [block.text for block in rows], self.config.max_length)
        batch: Batch = padded(ids, self.tokenizer.pad_token_id)
        batch["labels"] = filled(ids, IGNORED)
        batch["language"] = [block.language for block in rows]
        return batch
