"""Causal language modelling: every token is predicted from those before it."""

# no `from __future__ import annotations` here: pydantic reads the annotations of the config

from collections.abc import Sequence

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from transformers import PreTrainedTokenizerBase

from datamodules.batches import Batch
from datamodules.tokenization import filled, padded, token_ids
from datamodules.unlabelled.base import IGNORED, TextConfig
from datamodules.unlabelled.blocks import Block, BlockBatching


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class CausalConfig(TextConfig):
    """Text, all of whose tokens are to be predicted."""

    def batching(self, tokenizer: PreTrainedTokenizerBase, seed: int) -> "Causal":
        """See `TextConfig`; nothing is drawn."""
        return Causal(self.max_length, tokenizer)


class Causal(BlockBatching):
    """Predicts the tokens of each block.

    Batches: `input_ids`, `attention_mask` and `labels` [B, T] long, `language` a list of B strings. The labels are
    the tokens themselves in their own places, -100 where padded: whoever takes the loss shifts them. BOS and EOS
    are those that the tokenizer puts around a text.
    """

    def __init__(self, max_length: int, tokenizer: PreTrainedTokenizerBase) -> None:
        """See `TextConfig.batching`."""
        super().__init__(tokenizer)
        self.max_length = max_length

    @property
    def room(self) -> int:
        """See `BlockBatching`."""
        return self.max_length - self.tokenizer.num_special_tokens_to_add()

    def __call__(self, rows: Sequence[Block], numbers: Sequence[int]) -> Batch:
        """See `Batching`."""
        ids = token_ids(self.tokenizer, [block.text for block in rows], self.max_length)
        batch: Batch = padded(ids, self.tokenizer.pad_token_id)
        batch["labels"] = filled(ids, IGNORED)
        batch["language"] = [block.language for block in rows]
        return batch
