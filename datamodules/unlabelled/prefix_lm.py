"""Prefix language modelling (Raffel et al. 2020, arXiv:1910.10683, section 3.2.1): the end from the beginning."""

# no `from __future__ import annotations` here: pydantic reads the annotations of the config

from collections.abc import Sequence

import torch
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from transformers import PreTrainedTokenizerBase

from datamodules.batches import Batch, row_generator
from datamodules.unlabelled.base import IGNORED, TextConfig
from datamodules.unlabelled.blocks import Block
from datamodules.unlabelled.causal import Causal


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class PrefixLMConfig(TextConfig):
    """Text, the end of which is to be predicted."""

    def batching(self, tokenizer: PreTrainedTokenizerBase, seed: int) -> "PrefixLM":
        """See `TextConfig`."""
        return PrefixLM(self.max_length, tokenizer, seed)


class PrefixLM(Causal):
    """Cuts each row in two at random and predicts the second part.

    Batches are those of `Causal`, with labels of -100 in the first part too. As in T5's `random_prefix_noise_mask`,
    the first part of a row of n tokens, special tokens included, has 1 to n - 1 of them, all equally likely.
    """

    def __init__(self, max_length: int, tokenizer: PreTrainedTokenizerBase, seed: int) -> None:
        """See `TextConfig.batching`."""
        super().__init__(max_length, tokenizer)
        self.seed = seed

    def __call__(self, rows: Sequence[Block], numbers: Sequence[int]) -> Batch:
        """See `Batching`."""
        batch = super().__call__(rows, numbers)
        lengths = batch["attention_mask"].sum(1).tolist()
        for labels, length, number in zip(batch["labels"], lengths, numbers, strict=True):
            # a row of one token has nothing to predict, wherever it is cut
            prefix = torch.randint(1, max(length, 2), (), generator=row_generator(self.seed, number))
            labels[:prefix] = IGNORED
        return batch
