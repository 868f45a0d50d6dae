"""How well a tokenizer suits a language, counted before anything is trained."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING

from datamodules.datasets.base import TEST, Dataset

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclasses.dataclass(frozen=True)
class LanguageTokens:
    """A tokenizer on the texts of one language."""

    language: str
    """FLORES code."""
    sentences: int
    """Texts, or pairs of them, that were counted."""
    tokens_per_word: float
    """Tokens, special ones left out, for each word between white space."""
    truncated_share: float
    """Share of the texts (or pairs) that are longer than `max_length` tokens, special ones and prefix included."""
    unknown_share: float
    """Share of the tokens that stand for something that the tokenizer does not know."""


def tokenization_report(
    dataset: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    languages: Iterable[str],
    *,
    split: str = TEST,
    max_length: int = 256,
    text_prefix: str = "",
) -> list[LanguageTokens]:
    """Counts words and tokens.

    Args:
        dataset: Any texts.
        tokenizer: Of the backbone.
        languages: FLORES codes.
        split: Which texts.
        max_length: Longest row in tokens, special tokens and prefix included.
        text_prefix: Put in front of each text (or pair) when rows are measured; not counted in the other figures.

    Returns:
        One row per language, in their order.

    Raises:
        DataError: If a language or split is missing.
    """
    prefix = len(tokenizer(text_prefix, add_special_tokens=False)["input_ids"])
    report = []
    for language in languages:
        examples = list(dataset.examples(language, split))
        texts = [text for example in examples for text in example.texts]
        # verbose=False: no warning about texts longer than the backbone can read
        rows = tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"] if texts else []
        tokens = sum(map(len, rows))
        lengths = map(len, rows)
        truncated = 0
        for example in examples:
            room = max_length - prefix - tokenizer.num_special_tokens_to_add(pair=len(example.texts) > 1)
            truncated += sum(next(lengths) for _ in example.texts) > room
        report.append(
            LanguageTokens(
                language,
                sentences=len(examples),
                tokens_per_word=_share(tokens, sum(len(text.split()) for text in texts)),
                truncated_share=_share(truncated, len(examples)),
                unknown_share=_share(sum(row.count(tokenizer.unk_token_id) for row in rows), tokens),
            )
        )
    return report


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
