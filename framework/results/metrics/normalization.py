"""Answers as words, free of what does not matter: case, punctuation, articles and white space.

English follows SQuAD's evaluation (Rajpurkar et al., 2016), so that figures can be laid beside the literature's. The
others follow MLQA's (Lewis et al., 2020), which knows Arabic, Chinese, German, Hindi, Spanish and Vietnamese. Of
languages that neither knows, no article is taken away; in scripts that put no space between words, each letter is a
word, as MLQA has it for Chinese.
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
"""What is taken away, by language. Arabic's article is a prefix; MLQA takes its two letters away within words too, and
counts the Vietnamese word for "of" and classifiers among the articles."""

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
"""What is a word by itself, in scripts without spaces between words; digits and foreign letters stay together."""


@functools.lru_cache(maxsize=2**16)  # the same gold is met again with each seed and metric
def normalized(text: str, language: str) -> Words:
    """Returns the words of an answer.

    Args:
        text: The answer.
        language: FLORES code.
    """
    text = "".join(letter for letter in text.lower() if not _is_punctuation(letter, language))
    if language in ARTICLES:
        text = re.sub(ARTICLES[language], " ", text)
    _, _, script = language.partition("_")
    if script in LETTERS:
        text = re.sub(LETTERS[script], r" \g<0> ", text)
    return tuple(text.split())


def _is_punctuation(letter: str, language: str) -> bool:
    # SQuAD knows ASCII's signs alone; MLQA adds all that Unicode calls punctuation, which some of those are not.
    return letter in string.punctuation or (language != "eng_Latn" and unicodedata.category(letter).startswith("P"))
