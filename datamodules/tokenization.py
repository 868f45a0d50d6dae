"""Texts to token ids and rows to tensors: the one place that calls the tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from transformers import PreTrainedTokenizerBase

from datamodules.errors import DataError

_TEXTS_AT_A_TIME = 1000


def token_ids(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], max_length: int, prefix: str = ""
) -> list[list[int]]:
    """Tokenises texts, with special tokens.

    Args:
        tokenizer: Of the backbone.
        texts: Any number of them.
        max_length: Longest row in tokens, special tokens and prefix included; longer texts lose their end.
        prefix: Put in front of each text.
    """
    rows: list[list[int]] = []
    for start in range(0, len(texts), _TEXTS_AT_A_TIME):
        some = [prefix + text for text in texts[start : start + _TEXTS_AT_A_TIME]]
        rows += tokenizer(some, truncation=True, max_length=max_length, return_attention_mask=False)[
            "input_ids"
        ]
    return rows


class PairTokens(NamedTuple):
    """A tokenised pair of texts."""

    ids: list[int]
    types: list[int]
    """For each token 0 in the first text and 1 in the second, by BERT's tokenizers; 0 throughout by others."""


def pair_tokens(
    tokenizer: PreTrainedTokenizerBase, pairs: Sequence[tuple[str, str]], max_length: int, prefix: str = ""
) -> list[PairTokens]:
    """Tokenises pairs of texts, with the special tokens that the tokenizer puts around and between them.

    Args:
        tokenizer: Of the backbone.
        pairs: Any number of them.
        max_length: Longest row in tokens, special tokens and prefix included; of a longer pair the longer text loses
            its end first, until both are about as long.
        prefix: Put in front of the first text of each pair.

    Raises:
        DataError: If the tokenizer puts nothing between two texts, so that a model could not tell them apart.
    """
    if tokenizer.num_special_tokens_to_add(pair=True) <= tokenizer.num_special_tokens_to_add():
        raise DataError("the tokenizer of the backbone puts no special token between the two texts of a pair")
    rows: list[PairTokens] = []
    for start in range(0, len(pairs), _TEXTS_AT_A_TIME):
        some = [(prefix + first, second) for first, second in pairs[start : start + _TEXTS_AT_A_TIME]]
        made = tokenizer(
            some, truncation="longest_first", max_length=max_length, return_attention_mask=False, verbose=False
        )
        types = made.get("token_type_ids", [[0] * len(row) for row in made["input_ids"]])
        rows += map(PairTokens, made["input_ids"], types)
    return rows


def padded(rows: Sequence[Sequence[int]], pad_id: int) -> dict[str, torch.Tensor]:
    """Pads rows on the right to the longest of them.

    Args:
        rows: Token ids; at least one row.
        pad_id: Of the tokenizer.

    Returns:
        `input_ids` and `attention_mask`, both [len(rows), T] long.
    """
    shape = len(rows), max(map(len, rows))
    input_ids = torch.full(shape, pad_id)
    attention_mask = torch.zeros(shape, dtype=torch.long)
    for place, row in enumerate(rows):
        input_ids[place, : len(row)] = torch.tensor(row)
        attention_mask[place, : len(row)] = 1
    return {"input_ids": input_ids, "attention_mask": attention_mask}
