"""Makes the tokenizer of the quickstart's backbone.

    python -m datamodules.datasets.synthetic_tokenizer experiments/quickstart/backbone

Its vocabulary holds all syllables and the commonest words of the languages that the backbone is pretrained on. So the
words of other languages are cut finer, as multilingual tokenizers do with languages that they have seen little of.
"""

import itertools
import sys
from collections import Counter

from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from datamodules.datasets.base import TRAIN
from datamodules.datasets.synthetic import SyntheticText

LANGUAGES = ("qaa_Latn", "qab_Latn", "qac_Latn", "qad_Latn")
WORDS = 200

_SPECIAL = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
_SYLLABLES = tuple(map("".join, itertools.product("bdfghjklmnprstvz", "aeiou")))
_DOCUMENTS_OF_LANGUAGE = 200


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Makes a tokenizer with `[CLS] text [SEP]`; the same one each time."""
    pieces = dict.fromkeys((*_SPECIAL.values(), *_SYLLABLES, *(f"##{syllable}" for syllable in _SYLLABLES)))
    pieces |= dict.fromkeys(_commonest_words())
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    # not learnt by a trainer of `tokenizers`: those break ties at random
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token=_SPECIAL["unk"]))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    first, last = _SPECIAL["cls"], _SPECIAL["sep"]
    tokenizer.post_processor = TemplateProcessing(
        single=f"{first} $A {last}", special_tokens=[(token, vocabulary[token]) for token in (first, last)]
    )
    names = {f"{kind}_token": token for kind, token in _SPECIAL.items()}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)


def _commonest_words() -> list[str]:
    counts: Counter[str] = Counter()
    for language in LANGUAGES:
        for example in itertools.islice(SyntheticText().examples(language, TRAIN), _DOCUMENTS_OF_LANGUAGE):
            counts.update(example.text.split())
    return sorted(counts, key=lambda word: (-counts[word], word))[:WORDS]


if __name__ == "__main__":
    make_tokenizer().save_pretrained(sys.argv[1])
