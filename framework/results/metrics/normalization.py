"""Normalises answers: their words without case, punctuation, articles and white space.

English follows SQuAD's evaluation (Rajpurkar et al., 2016), so that scores are comparable with published ones. The
others follow MLQA's (Lewis et al., 2020), which covers Arabic, Chinese, German, Hindi, Spanish and Vietnamese. In
further languages no article is removed; in scripts without spaces between words each letter is a word, as in MLQA's
Chinese.
"""

from __future__ import annotations

import functools
import re
import string
import unicodedata

Words = tuple[str, ...]

ARTICLES = {
    "eng_Latn": r"\b(?:a|an|the)\b",
    "spa_Latn": r"\b(?:un|una|unos|unas|el|la|los|las)\b",
    "deu_Latn": r"\b(?:ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b",
    "vie_Latn": r"\b(?:của|là|cái|chiếc|những)\b",
    "arb_Arab": "ال",
}
"""Removed, by language. The Arabic article is a prefix; MLQA also removes its two letters within words, and counts the
Vietnamese word for "of" and classifiers as articles."""

LETTERS = {
    "Hans": "[\u4e00-\u9fa5]",
    "Hant": "[\u4e00-\u9fa5]",
    "Jpan": "[\u3040-\u30ff\u4e00-\u9fa5]",
    "Khmr": "[\u1780-\u17ff]",
    "Laoo": "[\u0e80-\u0eff]",
    "Mymr": "[\u1000-\u109f]",
    "Thai": "[\u0e00-\u0e7f]",
    "Tibt": "[\u0f00-\u0fff]",
}
"""A word each, in scripts without spaces between words; digits and foreign letters stay together."""


@functools.lru_cache(maxsize=2**16)  # the same gold occurs again with each seed and metric
def normalized(text: str, language: str) -> Words:
    """Returns the words of an answer in a language (FLORES code)."""
    text = "".join(letter for letter in text.lower() if not _is_punctuation(letter, language))
    if language in ARTICLES:
        text = re.sub(ARTICLES[language], " ", text)
    _, _, script = language.partition("_")
    if script in LETTERS:
        text = re.sub(LETTERS[script], r" \g<0> ", text)
    return tuple(text.split())


def _is_punctuation(letter: str, language: str) -> bool:
    # SQuAD removes ASCII's signs only; MLQA also Unicode's punctuation, which does not include all of those.
    return letter in string.punctuation or (language != "eng_Latn" and unicodedata.category(letter).startswith("P"))
