"""Masked language modelling (Devlin et al. 2019, arXiv:1810.04805)."""

from collections.abc import Sequence

import torch
from transformers import PreTrainedTokenizerBase
from typing_extensions import override

from datamodules.batching.loaders import Batch, row_generator
from datamodules.batching.tokenization import padded, token_ids
from datamodules.errors import DataError
from datamodules.unlabelled.base import IGNORED
from datamodules.unlabelled.blocks import Block, BlockBatching
from datamodules.unlabelled.configs import MaskingConfig


class Masking(BlockBatching):
    """Masks some tokens of each block.

    Batches: `input_ids` and `attention_mask` [B, T] long, `labels` [B, T] long with the original token where
    one is to be predicted and -100 elsewhere, `language` a list of B strings.
    """

    config: MaskingConfig

    def __init__(self, config: MaskingConfig, tokenizer: PreTrainedTokenizerBase, seed: int) -> None:
        """Raises DataError if the tokenizer has no mask token."""
        super().__init__(config, tokenizer, seed)
        if tokenizer.mask_token_id is None:
            raise DataError("the tokenizer has no mask token: this backbone cannot be trained with masked text")
        self._special = torch.zeros(len(tokenizer), dtype=torch.bool)
        self._special[tokenizer.all_special_ids] = True
        self._ordinary = torch.nonzero(~self._special).squeeze(1)

    @property
    @override
    def room(self) -> int:
        [prefix] = self.count_tokens([self.config.text_prefix])
        return super().room - prefix

    @override
    def __call__(self, rows: Sequence[Block], numbers: Sequence[int]) -> Batch:
        texts = [block.text for block in rows]
        ids = token_ids(self.tokenizer, texts, self.config.max_length, self.config.text_prefix)
        batch: Batch = padded(ids, self.tokenizer.pad_token_id)
        batch["labels"] = torch.full_like(batch["input_ids"], IGNORED)
        for ids, labels, number in zip(batch["input_ids"], batch["labels"], numbers, strict=True):
            self._mask_row(ids, labels, number)
        batch["language"] = [block.language for block in rows]
        return batch

    def _mask_row(self, ids: torch.Tensor, labels: torch.Tensor, number: int) -> None:
        """Masks a row in place: of the chosen tokens 80 % become the mask, 10 % any token, 10 % stay."""
        # only the row's own number and tokens draw from the generator: neither padding nor other rows matter
        places = torch.nonzero(~self._special[ids]).squeeze(1)
        if not len(places):
            return
        generator = row_generator(self.seed, number)
        chance, action = torch.rand(2, len(places), generator=generator)
        substitutes = self._ordinary[torch.randint(len(self._ordinary), (len(places),), generator=generator)]
        chosen = chance < self.config.mask_probability
        chosen[chance.argmin()] = True  # at least one, or a batch of short rows might have no labels
        labels[places[chosen]] = ids[places[chosen]]
        masked, replaced = chosen & (action < 0.8), chosen & (action >= 0.8) & (action < 0.9)
        ids[places[masked]] = self.tokenizer.mask_token_id
        ids[places[replaced]] = substitutes[replaced]
