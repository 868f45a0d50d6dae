"""Batches for masked language modelling on monolingual text.

A corpus may be as large as a Wikipedia, so documents are streamed. They are joined and cut into blocks by a
number of *characters*, estimated so that a block just fills `max_length` tokens. A block is thus known
without a tokenizer, and each rank tokenises only the blocks that are its own.
"""

# no `from __future__ import annotations` here: pydantic reads the annotations of the config

import bisect
import dataclasses
import functools
import hashlib
import itertools
import random
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch.utils.data import DataLoader
from transformers import PreTrainedTokenizerBase

from datamodules.batches import (
    Batch,
    ResumableData,
    evaluation_loader,
    global_batches,
    shuffled_epochs,
    training_loader,
)
from datamodules.dataset import TRAIN, refuse_test_split
from datamodules.errors import DataError
from datamodules.registry import dataset
from datamodules.tokenization import padded, token_ids

IGNORED = -100
"""Label of a position that is not to be predicted."""

_SHUFFLE_BUFFER = 10_000
_CHARACTERS_TO_SAMPLE_FROM = 5_000_000
_SAMPLE_TEXTS = 300
_SAMPLE_CHARACTERS = 1000
_SHARE_THAT_FITS = 0.9
"""Blocks are made so short that this share of the text is not truncated: what is truncated is never seen."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class MonolingualConfig:
    """Text, and how it is masked."""

    dataset: str = "wikipedia"
    """Registered name (`texts` for any folder) or dotted path of a class; labels are not used."""
    path: str | None = None
    """Local folder `<language>/{train,validation}.parquet`; without it the texts come from the hub."""
    revision: str | None = None
    """Branch, tag or commit on the hub; without it the main branch as it is now."""
    split: str = TRAIN
    """Split to train on; never the test split."""
    validation_split: str | None = None
    """Split to validate on; without it there is no validation."""
    validation_blocks: int = Field(default=512, ge=1)
    """How many blocks of the validation split are used."""
    text_prefix: str = ""
    """Put in front of each block."""
    max_length: int = Field(default=256, ge=8)
    """Longest block in tokens, special tokens and prefix included."""
    mask_probability: float = Field(default=0.15, gt=0, lt=1)
    """Share of the tokens to predict."""

    def __post_init__(self) -> None:
        """Refuses test splits."""
        refuse_test_split(self.split, "the language stage")
        if self.validation_split is not None:
            refuse_test_split(self.validation_split, "the language stage", "validation_split")


@dataclasses.dataclass(frozen=True, slots=True)
class Block:
    """A piece of text that just fills a row."""

    text: str
    language: str

    @property
    def length(self) -> int:
        """Size in bytes, which needs no tokenizer."""
        return len(self.text.encode())


class MonolingualText:
    """The texts that a config names."""

    def __init__(self, config: MonolingualConfig) -> None:
        """Takes the config; nothing is read yet."""
        self.config = config
        self.dataset = dataset(config.dataset, config.path, config.revision)

    def check(self, language: str) -> None:
        """Raises DataError if a language or split is known to be missing."""
        self.dataset.check(language, self.config.split)
        if self.config.validation_split is not None:
            self.dataset.check(language, self.config.validation_split)

    def fingerprint(self, language: str) -> str:
        """What determines the training texts of a language; reads no row."""
        return self.dataset.fingerprint(language, self.config.split)

    def texts(self, language: str, split: str) -> Iterator[str]:
        """Streams the documents of a language, blank ones left out.

        Raises:
            DataError: If there is no text at all.
        """
        empty = True
        for example in self.dataset.examples(language, split):
            if text := example.text.strip():
                empty = False
                yield text
        if empty:
            raise DataError(f"{self.dataset.name} {language}: the {split} split holds no text")

    def sample(self, language: str) -> list[str]:
        """Beginnings of training texts, evenly spread over the first few million characters of them."""
        beginnings: list[str] = []
        read = 0
        for text in self.texts(language, self.config.split):
            beginnings.append(text[:_SAMPLE_CHARACTERS])
            read += len(text)
            if read > _CHARACTERS_TO_SAMPLE_FROM:
                break
        return beginnings[:: max(1, len(beginnings) // _SAMPLE_TEXTS)]

    def blocks(self, language: str, split: str, size: int) -> Iterator[Block]:
        """Streams the blocks of a language in the corpus's order; see `cut_into_blocks`."""
        for text in cut_into_blocks(self.texts(language, split), size):
            yield Block(text, language)


class MonolingualData(ResumableData):
    """Masked blocks of one or several languages; several are mixed in equal parts.

    Batches: `input_ids` and `attention_mask` [B, T] long, `labels` [B, T] long with the original token where
    one is to be predicted and -100 elsewhere, `language` a list of B strings. The masks depend on the seed
    and on a row's number in the stream of global batches, not on ranks or workers; each epoch has its own.
    """

    def __init__(
        self,
        config: MonolingualConfig,
        tokenizer: PreTrainedTokenizerBase,
        *,
        languages: Sequence[str],
        batch_size: int = 32,
        eval_batch_size: int = 64,
        seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        """Checks languages and splits; reads nothing yet.

        Args:
            config: Which text.
            tokenizer: Of the backbone; it must have a mask token.
            languages: FLORES codes.
            batch_size: Rows of a training batch, over all ranks.
            eval_batch_size: The same in validation.
            seed: Determines the order of the rows and the masks.
            num_workers: Processes that tokenise.

        Raises:
            DataError: If a language or split is missing, or the tokenizer has no mask token.
        """
        super().__init__()
        self.config = config
        self.text = MonolingualText(config)
        self.tokenizer = tokenizer
        self.languages = list(languages)
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size
        self.seed = seed
        self.num_workers = num_workers
        self._block_sizes: dict[str, int] = {}
        if tokenizer.mask_token_id is None:
            raise DataError(
                "the tokenizer has no mask token: this backbone cannot be trained with masked text"
            )
        for language in self.languages:
            self.text.check(language)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Endless masked batches; stop by the number of steps."""
        sizes = {language: self.block_size(language) for language in self.languages}
        stream = functools.partial(_training_stream, self.text, sizes, self.batch_size, self.seed)
        return training_loader(stream, self._collate(), self.batch_size, self.skip, self.num_workers)

    def val_dataloader(self) -> DataLoader[Batch] | list[DataLoader[Batch]]:
        """The first blocks of the validation split, always masked alike; without such a split, no loader."""
        split = self.config.validation_split
        if split is None:
            return []
        blocks: list[Block] = []
        for language in self.languages:
            some = self.text.blocks(language, split, self.block_size(language))
            blocks += itertools.islice(some, self.config.validation_blocks)
        return evaluation_loader(blocks, self._collate(), self.eval_batch_size, self.num_workers)

    def block_size(self, language: str) -> int:
        """How many characters of a language fill a row, judged by a sample of its training text."""
        if language not in self._block_sizes:
            sample = self.text.sample(language)
            measured = sorted(zip(self._count_tokens(sample), map(len, sample), strict=True), key=_density)
            read = list(itertools.accumulate(characters for _, characters in measured))
            place = bisect.bisect_left(read, _SHARE_THAT_FITS * read[-1])
            [prefix] = self._count_tokens([self.config.text_prefix])
            room = self.config.max_length - self.tokenizer.num_special_tokens_to_add() - prefix
            self._block_sizes[language] = max(1, int(room / _density(measured[place])))
        return self._block_sizes[language]

    def _count_tokens(self, texts: list[str]) -> list[int]:
        # verbose=False: no warning about texts longer than the backbone can read
        encoded = self.tokenizer(texts, add_special_tokens=False, verbose=False)
        return [len(ids) for ids in encoded["input_ids"]]

    def _collate(self) -> "MaskedCollate":
        config = self.config
        return MaskedCollate(
            self.tokenizer, config.max_length, config.text_prefix, config.mask_probability, self.seed
        )


class MaskedCollate:
    """Tokenises blocks and masks some of their tokens."""

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        max_length: int,
        prefix: str,
        mask_probability: float,
        seed: int,
    ) -> None:
        """See `MonolingualConfig`."""
        self.tokenizer = tokenizer
        self.max_length = max_length
        self.prefix = prefix
        self.mask_probability = mask_probability
        self.seed = seed
        self._special = torch.zeros(len(tokenizer), dtype=torch.bool)
        self._special[tokenizer.all_special_ids] = True
        self._ordinary = torch.nonzero(~self._special).squeeze(1)

    def __call__(self, blocks: Sequence[Block], numbers: Sequence[int]) -> Batch:
        """Makes a batch; see `MonolingualData` for its keys.

        Args:
            blocks: The rows.
            numbers: Number of each row in the stream: with the seed, it determines the row's masks.
        """
        rows = token_ids(self.tokenizer, [block.text for block in blocks], self.max_length, self.prefix)
        batch: dict[str, Any] = padded(rows, self.tokenizer.pad_token_id)
        batch["labels"] = torch.full_like(batch["input_ids"], IGNORED)
        for ids, labels, number in zip(batch["input_ids"], batch["labels"], numbers, strict=True):
            self._mask_row(ids, labels, number)
        batch["language"] = [block.language for block in blocks]
        return batch

    def _mask_row(self, ids: torch.Tensor, labels: torch.Tensor, number: int) -> None:
        """Masks a row in place: of the chosen tokens 80 % become the mask, 10 % any token, 10 % stay."""
        # only the row's own number and tokens draw from the generator: neither padding nor other rows matter
        places = torch.nonzero(~self._special[ids]).squeeze(1)
        if not len(places):
            return
        generator = torch.Generator().manual_seed(_mixed_seed(self.seed, number))
        chance, action = torch.rand(2, len(places), generator=generator)
        substitutes = self._ordinary[torch.randint(len(self._ordinary), (len(places),), generator=generator)]
        chosen = chance < self.mask_probability
        chosen[chance.argmin()] = True  # lest a batch of short rows has nothing to learn from
        labels[places[chosen]] = ids[places[chosen]]
        masked, replaced = chosen & (action < 0.8), chosen & (action >= 0.8) & (action < 0.9)
        ids[places[masked]] = self.tokenizer.mask_token_id
        ids[places[replaced]] = substitutes[replaced]


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


def _training_stream(
    text: MonolingualText, block_sizes: dict[str, int], batch_size: int, seed: int
) -> Iterator[list[Block]]:
    epochs = [
        shuffled_epochs(
            functools.partial(text.blocks, language, text.config.split, size),
            _SHUFFLE_BUFFER,
            f"{seed}/{language}",
        )
        for language, size in block_sizes.items()
    ]
    if len(epochs) > 1:
        epochs = [iter([_mixture([itertools.chain.from_iterable(each) for each in epochs], seed)])]
    # blocks are of about the same length, nothing is gained by sorting them: hence window=1
    return global_batches(epochs[0], batch_size, str(seed), window=1)


def _mixture(streams: list[Iterator[Block]], seed: int) -> Iterator[Block]:
    """Takes each next block from a stream chosen at random, all equally likely."""
    generator = random.Random(f"{seed}/mixture")
    while True:
        yield next(generator.choice(streams))


def _mixed_seed(seed: int, number: int) -> int:
    """One seed of two numbers."""
    digest = hashlib.sha256(f"{seed}/{number}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
