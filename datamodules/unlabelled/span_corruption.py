"""Span corruption, the objective of T5 (Raffel et al. 2020, arXiv:1910.10683, section 3.1.4) and mT5."""

# no `from __future__ import annotations` here: pydantic reads the annotations of the config

import itertools
from collections.abc import Sequence

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from transformers import PreTrainedTokenizerBase

from datamodules.batches import Batch, row_generator
from datamodules.errors import DataError
from datamodules.tokenization import filled, padded, token_ids
from datamodules.unlabelled.base import IGNORED, TextConfig
from datamodules.unlabelled.blocks import Block, BlockBatching

_SENTINELS = ("▁<extra_id_{}>", "<extra_id_{}>")
"""Names of the sentinels: mT5's are pieces of its SentencePiece model; T5's were added to its vocabulary."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class SpanCorruptionConfig(TextConfig):
    """Text, and how its spans are corrupted; `max_length` is that of the input, sentinels and EOS included."""

    noise_density: float = Field(default=0.15, gt=0, lt=1)
    """Share of the tokens to predict."""
    mean_span_length: float = Field(default=3.0, ge=1)
    """Mean number of tokens that one sentinel stands for."""

    def batching(self, tokenizer: PreTrainedTokenizerBase, seed: int) -> "SpanCorruption":
        """See `TextConfig`."""
        return SpanCorruption(self, tokenizer, seed)

    def counts(self, length: int) -> tuple[int, int]:
        """Numbers of noise tokens and of spans in `length` tokens, as in T5's `random_spans_noise_mask`.

        Two tokens and more have a span at least, and a token before each span; fewer have none.
        """
        if length < 2:
            return 0, 0
        noise = min(max(round(length * self.noise_density), 1), length - 1)
        return noise, min(max(round(noise / self.mean_span_length), 1), length - noise)

    def lengths(self, length: int) -> tuple[int, int]:
        """Lengths of input and target of `length` tokens, EOS included.

        The target is one longer than T5's `random_spans_helper` says: it ends with a final sentinel, as the paper
        has it, which T5's code leaves out of rows that end with a span, as all of its rows do.
        """
        noise, spans = self.counts(length)
        return length - noise + spans + 1, noise + spans + 2

    @property
    def raw_length(self) -> int:
        """How many tokens make an input of exactly `max_length`, by the rule of T5's `random_spans_helper`.

        It is the greatest such number, without that function's exception for a density of one half. Where spans are
        so dense that they lack tokens between them, the input may have one token fewer.
        """
        longer = itertools.count(self.max_length)
        return next(length for length in longer if self.lengths(length)[0] > self.max_length) - 1


class SpanCorruption(BlockBatching):
    """Takes spans out of each block and predicts them.

    Batches: `input_ids` and `attention_mask` [B, T] long, in which a sentinel stands for each span; `labels` [B, T']
    long, the target: each sentinel with its span, a final sentinel and EOS, padded with -100; `language` a list of
    B strings. A block of `raw_length` tokens fills the input and the target exactly.
    """

    def __init__(self, config: SpanCorruptionConfig, tokenizer: PreTrainedTokenizerBase, seed: int) -> None:
        """See `TextConfig.batching`.

        Raises:
            DataError: If the tokenizer has no sentinels, or too few, or no EOS.
        """
        super().__init__(tokenizer)
        self.config = config
        self.seed = seed
        self._room = config.raw_length
        self.sentinels = sentinel_ids(tokenizer)
        if not self.sentinels or tokenizer.eos_token_id is None:
            raise DataError(
                "the tokenizer has no sentinels <extra_id_0>, <extra_id_1> … or no end-of-sequence token: span "
                "corruption needs a backbone such as T5 or mT5"
            )
        needed = config.counts(self._room)[1] + 1
        if needed > len(self.sentinels):
            raise DataError(
                f"span corruption of {config.max_length} tokens needs {needed} sentinels, and the tokenizer has "
                f"{len(self.sentinels)}: lower max_length or noise_density, or raise mean_span_length"
            )

    @property
    def room(self) -> int:
        """See `BlockBatching`."""
        return self._room

    def __call__(self, rows: Sequence[Block], numbers: Sequence[int]) -> Batch:
        """See `Batching`."""
        texts = [block.text for block in rows]
        inputs, targets = [], []
        for ids, number in zip(
            token_ids(self.tokenizer, texts, self._room, special_tokens=False), numbers, strict=True
        ):
            noise = noise_mask(len(ids), *self.config.counts(len(ids)), row_generator(self.seed, number))
            shown, wanted = corrupted(ids, noise.tolist(), self.sentinels)
            inputs.append([*shown, self.tokenizer.eos_token_id])
            targets.append([*wanted, self.tokenizer.eos_token_id])
        batch: Batch = padded(inputs, self.tokenizer.pad_token_id)
        batch["labels"] = filled(targets, IGNORED)
        batch["language"] = [block.language for block in rows]
        return batch


def sentinel_ids(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Ids of the sentinels by their number; none where the tokenizer has none."""
    vocabulary = tokenizer.get_vocab()
    for name in _SENTINELS:
        ids: list[int] = []
        while (sentinel := name.format(len(ids))) in vocabulary:
            ids.append(vocabulary[sentinel])
        if ids:
            return ids
    return []


def noise_mask(length: int, noise: int, spans: int, generator: torch.Generator) -> torch.Tensor:
    """Draws which tokens are noise; all ways to place the spans are equally likely.

    As in T5's `random_spans_noise_mask`, a row begins with a token that is kept and ends with a span.

    Args:
        length: Number of tokens.
        noise: How many of them are noise.
        spans: In how many spans; none only where there is no noise.
        generator: Of the row.

    Returns:
        [length] bool.
    """
    if not spans:
        return torch.zeros(length, dtype=torch.bool)
    kept_lengths = _segmentation(length - noise, spans, generator)
    span_lengths = _segmentation(noise, spans, generator)
    lengths = torch.stack([kept_lengths, span_lengths], dim=1).flatten()
    return (torch.arange(2 * spans) % 2 == 1).repeat_interleave(lengths)


def corrupted(ids: Sequence[int], noise: Sequence[bool], sentinels: Sequence[int]) -> tuple[list[int], list[int]]:
    """Puts a sentinel in the place of each span of noise.

    Args:
        ids: A row's tokens.
        noise: For each of them, whether it is noise.
        sentinels: In order of appearance; one more than there are spans.

    Returns:
        The input, and the target: each sentinel with its span, then a final sentinel. Both are without EOS.
    """
    inputs: list[int] = []
    targets: list[int] = []
    remaining = iter(sentinels)
    for is_noise, span in itertools.groupby(zip(ids, noise, strict=True), key=lambda pair: pair[1]):
        tokens = [token for token, _ in span]
        if is_noise:
            sentinel = next(remaining)
            inputs.append(sentinel)
            targets += [sentinel, *tokens]
        else:
            inputs += tokens
    return inputs, [*targets, next(remaining)]


def _segmentation(items: int, parts: int, generator: torch.Generator) -> torch.Tensor:
    """Cuts a number of items into nonempty parts, all ways equally likely; gives their sizes, [parts] long."""
    cuts = torch.randperm(items - 1, generator=generator)[: parts - 1].sort().values + 1
    return torch.cat([torch.tensor([0]), cuts, torch.tensor([items])]).diff()
