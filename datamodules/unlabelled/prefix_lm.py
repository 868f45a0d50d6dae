"""Prefix language modelling (Raffel et al. 2020, arXiv:1910.10683, section 3.2.1): the end from the beginning."""

from collections.abc import Sequence

import torch
from typing_extensions import override

from datamodules.batching.loaders import Batch, row_generator
from datamodules.unlabelled.base import IGNORED
from datamodules.unlabelled.blocks import Block
from datamodules.unlabelled.causal import Causal


class PrefixLM(Causal):
    """Cuts each row in two at random and predicts the second part.

    Batches are those of `Causal`, with labels of -100 in the first part too. As in T5's `random_prefix_noise_mask`,
    the first part of a row of n tokens, special tokens included, has 1 to n - 1 of them, all equally likely.
    """

    @override
    def __call__(self, rows: Sequence[Block], numbers: Sequence[int]) -> Batch:
        batch = super().__call__(rows, numbers)
        lengths = batch["attention_mask"].sum(1).tolist()
        for labels, length, number in zip(batch["labels"], lengths, numbers, strict=True):
            # a row of one token has nothing to predict, wherever it is cut
            prefix = torch.randint(1, max(length, 2), (), generator=row_generator(self.seed, number))
            labels[:prefix] = IGNORED
        return batch
