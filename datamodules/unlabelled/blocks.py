"""Blocks: monolingual text cut by characters, so that a row is known without a tokenizer.

Documents are joined and cut into blocks by a number of *characters*, estimated so that a block just fills the
tokens of a row. Each rank thus tokenises only the blocks that are its own, and a resumed run none of those before.
"""

import bisect
import dataclasses
import functools
import itertools
import unicodedata
from collections.abc import Iterable, Iterator

from transformers import PreTrainedTokenizerBase
from typing_extensions import override

from datamodules.batching.tokenization import token_ids
from datamodules.unlabelled.base import Batching, Reader
from datamodules.unlabelled.configs import TextConfig
from datamodules.unlabelled.text import MonolingualText

_CHARACTERS_TO_SAMPLE_FROM = 5_000_000
_SAMPLE_TEXTS = 300
_SAMPLE_CHARACTERS = 1000
_SHARE_THAT_FITS = 0.9
"""Blocks are made so short that this share of the text is not truncated: what is truncated is never seen."""


@dataclasses.dataclass(frozen=True, slots=True)
class Block:
    """A piece of text that just fills a row."""

    text: str
    language: str

    @property
    def length(self) -> int:
        """Size in bytes, which needs no tokenizer."""
        return len(self.text.encode())


class BlockBatching(Batching[Block]):
    """Batches whose rows are blocks; the subclasses say what is made of a block."""

    def __init__(self, config: TextConfig, tokenizer: PreTrainedTokenizerBase, seed: int) -> None:
        super().__init__(config, tokenizer, seed)
        self._sizes: dict[str, int] = {}

    @property
    def room(self) -> int:
        """How many tokens of a block's text a row can hold: by default all but the special ones."""
        return self.config.max_length - self.tokenizer.num_special_tokens_to_add()

    @override
    def reader(self, text: MonolingualText, language: str, split: str) -> Reader[Block]:
        return functools.partial(blocks, text, language, split, self.block_size(text, language))

    def block_size(self, text: MonolingualText, language: str) -> int:
        """How many characters of a language fill a row, judged by a sample of its training text."""
        if language not in self._sizes:
            sample = _sample(text, language)
            measured = sorted(zip(self.count_tokens(sample), map(len, sample), strict=True), key=_density)
            read = list(itertools.accumulate(characters for _, characters in measured))
            place = bisect.bisect_left(read, _SHARE_THAT_FITS * read[-1])
            self._sizes[language] = max(1, int(self.room / _density(measured[place])))
        return self._sizes[language]

    def count_tokens(self, texts: list[str]) -> list[int]:
        """How many tokens each text has, without special tokens."""
        return list(map(len, token_ids(self.tokenizer, texts, special_tokens=False)))


def blocks(text: MonolingualText, language: str, split: str, size: int) -> Iterator[Block]:
    """Streams the blocks of a language in the corpus's order; see `cut_into_blocks`."""
    for piece in cut_into_blocks(text.texts(language, split), size):
        yield Block(piece, language)


def _sample(text: MonolingualText, language: str) -> list[str]:
    """Beginnings of training texts, evenly spread over the first few million characters of them."""
    beginnings: list[str] = []
    read = 0
    for document in text.texts(language, text.config.split):
        beginnings.append(document[:_SAMPLE_CHARACTERS])
        read += len(document)
        if read > _CHARACTERS_TO_SAMPLE_FROM:
            break
    return beginnings[:: max(1, len(beginnings) // _SAMPLE_TEXTS)]


def _density(measured: tuple[int, int]) -> float:
    """Tokens per character; a text without any token counts as one."""
    tokens, characters = measured
    return max(1, tokens) / characters


def cut_into_blocks(texts: Iterable[str], size: int) -> Iterator[str]:
    """Joins texts with line breaks and cuts them into pieces.

    Args:
        texts: None of them blank.
        size: Most characters of a piece. A piece ends at white space in its second half where there is some,
            else (Chinese, Thai ...) between any two characters, but not before a combining mark.

    Yields:
        Pieces of `size` characters or, for the sake of white space, up to half as many; the last may be
        short.
    """
    held = ""
    for text in texts:
        held = f"{held}\n{text}" if held else text
        start = 0
        while len(held) - start > size:
            end = _cut(held, start, start + size)
            yield held[start:end].strip()
            start = end
        held = held[start:].lstrip()
    if held:
        yield held


def _cut(text: str, start: int, end: int) -> int:
    earliest = start + (end - start) // 2
    space = max(text.rfind(" ", earliest, end + 1), text.rfind("\n", earliest, end + 1))
    if space > start:
        return space
    while end > earliest + 1 and unicodedata.category(text[end]).startswith("M"):
        end -= 1
    return end
