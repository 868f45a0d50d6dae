"""Texts to token ids and rows to tensors; `windows.py` cuts texts that are longer than a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from transformers import PreTrainedTokenizerBase

from datamodules.errors import DataError

_TEXTS_AT_A_TIME = 1000


def token_ids(
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    max_length: int | None = None,
    prefix: str = "",
    *,
    special_tokens: bool = True,
) -> list[list[int]]:
    """Tokenises texts.

    Args:
        tokenizer: Of the backbone.
        texts: Any number of them.
        max_length: Longest row in tokens, special tokens and prefix included; longer texts lose their end. None
            for no limit.
        prefix: Put in front of each text.
        special_tokens: Whether to add the special tokens that the tokenizer puts around a text.
    """
    rows: list[list[int]] = []
    for start in range(0, len(texts), _TEXTS_AT_A_TIME):
        some = [prefix + text for text in texts[start : start + _TEXTS_AT_A_TIME]]
        rows += tokenizer(
            some,
            add_special_tokens=special_tokens,
            truncation=max_length is not None,
            max_length=max_length,
            return_attention_mask=False,
            verbose=False,  # no warning about texts longer than the backbone can read
        )["input_ids"]
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
    check_pairs(tokenizer)
    rows: list[PairTokens] = []
    for start in range(0, len(pairs), _TEXTS_AT_A_TIME):
        some = [(prefix + first, second) for first, second in pairs[start : start + _TEXTS_AT_A_TIME]]
        made = tokenizer(
            some, truncation="longest_first", max_length=max_length, return_attention_mask=False, verbose=False
        )
        types = made.get("token_type_ids", [[0] * len(row) for row in made["input_ids"]])
        rows += map(PairTokens, made["input_ids"], types)
    return rows


def check_pairs(tokenizer: PreTrainedTokenizerBase) -> None:
    """Refuses a tokenizer that does not tell two texts apart.

    Raises:
        DataError: If it puts no special token between them.
    """
    if tokenizer.num_special_tokens_to_add(pair=True) <= tokenizer.num_special_tokens_to_add():
        raise DataError("the tokenizer of the backbone puts no special token between the two texts of a pair")


def padded(rows: Sequence[Sequence[int]], pad_id: int | None, length: int | None = None) -> dict[str, torch.Tensor]:
    """Pads rows of token ids on the right.

    Args:
        rows: Token ids; at least one row.
        pad_id: Of the tokenizer. Where it has none, as many a decoder's, 0 stands in: padding is never attended to.
        length: T; without it that of the longest row.

    Returns:
        `input_ids` and `attention_mask`, both [len(rows), T] long.
    """
    return {
        "input_ids": filled(rows, pad_id or 0, length),
        "attention_mask": filled([[1] * len(row) for row in rows], 0, length),
    }


def filled(rows: Sequence[Sequence[int]], value: int, length: int | None = None) -> torch.Tensor:
    """Puts rows into one tensor.

    Args:
        rows: At least one.
        value: Stands where a row has ended.
        length: T; without it that of the longest row.

    Returns:
        [len(rows), T] long.
    """
    tensor = torch.full((len(rows), length or max(map(len, rows))), value)
    for place, row in enumerate(rows):
        tensor[place, : len(row)] = torch.tensor(row, dtype=torch.long)
    return tensor
