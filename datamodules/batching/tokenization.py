"""Texts to token ids and rows to tensors; `labelled/windows.py` cuts texts that are longer than a row."""

import bisect
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from transformers import PreTrainedTokenizerBase

from datamodules.errors import DataError

_TEXTS_AT_A_TIME = 100
"""Few enough for the memory, even if each of them is a long document."""


def encoded(tokenizer: PreTrainedTokenizerBase, texts: Iterable[Any], **options: Any) -> Iterator[dict[str, Any]]:
    """Tokenises texts, or pairs of them, as they are read; `options` are the tokenizer's.

    Yields:
        For each text what the tokenizer returns of it, such as its `input_ids`.
    """
    remaining = iter(texts)
    while some := list(itertools.islice(remaining, _TEXTS_AT_A_TIME)):
        # verbose: no warning about texts longer than the backbone can read
        found = tokenizer(some, return_attention_mask=False, verbose=False, **options)
        for values in zip(*found.values(), strict=True):
            yield dict(zip(found, values, strict=True))


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
    prefixed = (prefix + text for text in texts)
    truncation = max_length is not None
    rows = encoded(tokenizer, prefixed, add_special_tokens=special_tokens, truncation=truncation, max_length=max_length)
    return [row["input_ids"] for row in rows]


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
    prefixed = ((prefix + first, second) for first, second in pairs)
    rows = encoded(tokenizer, prefixed, truncation="longest_first", max_length=max_length)
    return [PairTokens(row["input_ids"], row.get("token_type_ids", [0] * len(row["input_ids"]))) for row in rows]


class WordTokens(NamedTuple):
    """A tokenised sentence of words."""

    ids: list[int]
    first: list[int]
    """For each word the place of its first token; -1 where it has none: cut off with the sentence's end, or blank."""
    last: list[int]
    """The same of its last token that was not cut off."""


def word_tokens(
    tokenizer: PreTrainedTokenizerBase, sentences: Sequence[Sequence[str]], max_length: int, prefix: str = ""
) -> list[WordTokens]:
    """Tokenises sentences, and finds their words among the tokens.

    The words are read as a text, with a blank between them, since that is what backbones were pretrained on: given one
    by one, byte-level tokenizers (GPT-2's, Llama 3's, Qwen's) would take them for pieces of one long word.

    Args:
        tokenizer: Of the backbone, a fast one.
        sentences: The words of each.
        max_length: Longest row in tokens, special tokens and prefix included; longer sentences lose their end.
        prefix: Put in front of each sentence.
    """
    found = encoded(
        tokenizer,
        (prefix + " ".join(words) for words in sentences),
        truncation=True,
        max_length=max_length,
        return_offsets_mapping=True,
        return_special_tokens_mask=True,
    )
    rows: list[WordTokens] = []
    for words, row in zip(sentences, found, strict=True):
        first, last = [-1] * len(words), [-1] * len(words)
        ends = _ends(words, prefix)
        for token, (place, _) in enumerate(row["offset_mapping"]):
            # Blanks before a word are its own: some tokenizers count them into its first token.
            word = bisect.bisect_right(ends, place) - 1
            if not row["special_tokens_mask"][token] and 0 <= word < len(words):
                first[word] = token if first[word] < 0 else first[word]
                last[word] = token
        rows.append(WordTokens(row["input_ids"], first, last))
    return rows


def _ends(words: Sequence[str], prefix: str) -> list[int]:
    """Returns where in the text the prefix and then each word end, in characters; a blank word where the last did."""
    ends, place = [len(prefix.rstrip())], len(prefix)
    for word in words:
        ends.append(place + len(word.rstrip()) if word.strip() else ends[-1])
        place += len(word) + 1
    return ends


def check_pairs(tokenizer: PreTrainedTokenizerBase) -> None:
    """Checks that a tokenizer separates two texts.

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
    """Puts rows, at least one, into a tensor [len(rows), T] long, with a value behind their ends.

    T is the length, without it that of the longest row.
    """
    tensor = torch.full((len(rows), length or max(map(len, rows))), value)
    for place, row in enumerate(rows):
        tensor[place, : len(row)] = torch.tensor(row, dtype=torch.long)
    return tensor
