"""Settings of text without labels: which text, and what batches are made of it. Nothing here needs torch."""

import itertools
import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from datamodules.datasets.base import TRAIN, refuse_test_split

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class TextConfig:
    """Which text, and how long its rows are; a subclass says what is made of them."""

    batching_class: ClassVar[str]
    """Dotted path of the `Batching` that a subclass's text is fed by: a subclass names its own."""

    dataset: str = "wikipedia"
    """Registered name (`texts` for any folder) or dotted path of a class; labels are not used."""
    path: str | None = None
    """Local folder such as `<language>/{train,validation}.parquet`; without it the texts come from the hub."""
    revision: str | None = None
    """Branch, tag or commit on the hub; without it the main branch as it is now."""
    split: str = TRAIN
    """Split to train on; never the test split."""
    validation_split: str | None = None
    """Split to validate on; without it there is no validation."""
    validation_blocks: int = Field(default=512, ge=1, le=10**6)
    """How many rows of each language's validation split are used."""
    max_length: int = Field(default=256, ge=8, le=2**17)
    """Longest row in tokens, special tokens included."""

    def __post_init__(self) -> None:
        refuse_test_split(self.split, "the language stage")
        if self.validation_split is not None:
            refuse_test_split(self.validation_split, "the language stage", "validation_split")

    def batching(self, tokenizer: "PreTrainedTokenizerBase", seed: int) -> Any:
        """Returns the `Batching` of the text; its module, which needs torch, is imported only here.

        Raises:
            DataError: If the tokenizer does not suit.
        """
        return pkgutil.resolve_name(self.batching_class)(self, tokenizer, seed)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class MaskingConfig(TextConfig):
    """Text for masked language modelling, and how it is masked."""

    batching_class: ClassVar[str] = "datamodules.unlabelled.masking.Masking"

    text_prefix: str = ""
    """Put in front of each block; `max_length` includes it."""
    mask_probability: float = Field(default=0.15, gt=0, lt=1)
    """Share of the tokens to predict."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class SpanCorruptionConfig(TextConfig):
    """Text for span corruption, and how it is corrupted; `max_length` counts the input with sentinels and EOS."""

    batching_class: ClassVar[str] = "datamodules.unlabelled.span_corruption.SpanCorruption"

    noise_density: float = Field(default=0.15, gt=0, lt=1)
    """Share of the tokens to predict."""
    mean_span_length: float = Field(default=3.0, ge=1)
    """Mean number of tokens that one sentinel stands for."""

    def counts(self, length: int) -> tuple[int, int]:
        """Numbers of noise tokens and of spans in `length` tokens, as in T5's `random_spans_noise_mask`.

        Two tokens and more have a span at least, and a token before each span; fewer have none.
        """
        if length < 2:
            return 0, 0
        noise = min(max(round(length * self.noise_density), 1), length - 1)
        return noise, min(max(round(noise / self.mean_span_length), 1), length - noise)

    def input_length(self, length: int) -> int:
        """Length of the input of `length` tokens, a sentinel for each span and EOS included."""
        noise, spans = self.counts(length)
        return length - noise + spans + 1

    @property
    def raw_length(self) -> int:
        """How many tokens make an input of exactly `max_length`, by the rule of T5's `random_spans_helper`.

        It is the greatest such number, without that function's exception for a density of one half. Where spans are
        so dense that they lack tokens between them, the input may have one token fewer.
        """
        longer = itertools.count(self.max_length)
        return next(length for length in longer if self.input_length(length) > self.max_length) - 1


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class CausalConfig(TextConfig):
    """Text for causal language modelling."""

    batching_class: ClassVar[str] = "datamodules.unlabelled.causal.Causal"


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class PrefixLMConfig(TextConfig):
    """Text for prefix language modelling: the end of each row is predicted."""

    batching_class: ClassVar[str] = "datamodules.unlabelled.prefix_lm.PrefixLM"


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class PackingConfig(TextConfig):
    """Text, whose documents are packed into rows of exactly `max_length` tokens; all of them are to be predicted."""

    batching_class: ClassVar[str] = "datamodules.unlabelled.packing.Packing"


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class ParallelConfig:
    """Parallel sentences: of a dataset whose rows are translations of each other, or of a file."""

    dataset: str | None = None
    """Registered name of a parallel dataset (`sib200`) or dotted path of a class; labels are not used."""
    path: str | None = None
    """The dataset's local folder; without it the rows come from the hub."""
    revision: str | None = None
    """Branch, tag or commit on the hub; without it the main branch as it is now."""
    split: str = TRAIN
    """The dataset's split to train on; never the test split."""
    file: str | None = None
    """Instead of a dataset, a file of pairs: tsv, csv, json, jsonl or parquet; `{language}` stands for any code
    of the language."""
    target_column: str = "target"
    """The file's column of the language; may hold `{language}`."""
    pivot_column: str = "pivot"
    """The file's column of the pivot."""
    pivot: str = "eng_Latn"
    """FLORES code of the language that all others are aligned with."""
    text_prefix: str = ""
    """Put in front of each text."""
    max_length: int = Field(default=128, ge=4, le=2**17)
    """Longest text in tokens, special tokens and prefix included."""

    def __post_init__(self) -> None:
        if (self.dataset is None) == (self.file is None):
            raise ValueError("parallel text needs either 'dataset' or 'file'")
        refuse_test_split(self.split, "the language stage")

    @property
    def source_name(self) -> str:
        """The dataset's name, or the file's."""
        return self.dataset or Path(self.file or "").name
