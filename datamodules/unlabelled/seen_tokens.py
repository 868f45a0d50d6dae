"""The tokens that occur in the text of some languages."""

import itertools
from collections.abc import Iterator, Sequence

import torch
from transformers import PreTrainedTokenizerBase

from datamodules.batching.tokenization import encoded
from datamodules.unlabelled.span_corruption import sentinel_ids
from datamodules.unlabelled.text import MonolingualText

CHARACTERS = 30_000_000
"""Limit on the text read of each language: the largest Wikipedias then take a minute or two instead of hours."""


def seen_tokens(text: MonolingualText, tokenizer: PreTrainedTokenizerBase, languages: Sequence[str]) -> torch.Tensor:
    """Returns the tokens that the training split of some languages holds, in its first `CHARACTERS` characters each.

    Args:
        text: The text; what its settings put in front of it, and between its documents, counts too.
        tokenizer: Of the backbone; its sentinels count as seen.
        languages: FLORES codes.

    Returns:
        Ids [number] long, ascending.

    Raises:
        DataError: If there is no text.
    """
    seen = torch.zeros(1 + max(tokenizer.get_vocab().values()), dtype=torch.bool)
    seen[sentinel_ids(tokenizer)] = True
    around = iter(["\n", getattr(text.config, "text_prefix", "")])
    documents = itertools.chain(around, *(_beginning(text, language) for language in languages))
    for document in encoded(tokenizer, documents):
        seen[document["input_ids"]] = True
    return seen.nonzero().squeeze(1)


def _beginning(text: MonolingualText, language: str) -> Iterator[str]:
    left = CHARACTERS
    for document in text.texts(language, text.config.split):
        yield document[:left]
        left -= len(document)
        if left <= 0:
            return
