"""Span corruption, the objective of T5 (Raffel et al. 2020, arXiv:1910.10683, section 3.1.4) and mT5."""

import itertools
from collections.abc import Sequence

import torch
from transformers import PreTrainedTokenizerBase
from typing_extensions import override

from datamodules.batching.loaders import Batch, row_generator
from datamodules.batching.tokenization import filled, padded, token_ids
from datamodules.errors import DataError
from datamodules.unlabelled.base import IGNORED
from datamodules.unlabelled.blocks import Block, BlockBatching
from datamodules.unlabelled.configs import SpanCorruptionConfig

_SENTINELS = ("▁<extra_id_{}>", "<extra_id_{}>")
"""Names of the sentinels: mT5's are pieces of its SentencePiece model; T5's were added to its vocabulary."""


class SpanCorruption(BlockBatching):
    """Takes spans out of each block and predicts them.

    Batches: `input_ids` and `attention_mask` [B, T] long, in which a sentinel stands for each span; `labels` [B, T']
    long, the target: each sentinel with its span, a final sentinel and EOS, padded with -100; `language` a list of
    B strings. A block of `raw_length` tokens fills the input and the target exactly.
    """

    config: SpanCorruptionConfig

    def __init__(self, config: SpanCorruptionConfig, tokenizer: PreTrainedTokenizerBase, seed: int) -> None:
        """Raises DataError if the tokenizer has no sentinels, or too few, or no EOS."""
        super().__init__(config, tokenizer, seed)
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
    @override
    def room(self) -> int:
        return self._room

    @override
    def __call__(self, rows: Sequence[Block], numbers: Sequence[int]) -> Batch:
        texts = token_ids(self.tokenizer, [block.text for block in rows], self._room, special_tokens=False)
        inputs, targets = [], []
        for ids, number in zip(texts, numbers, strict=True):
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
        The input, and the target: each sentinel with its span, then a final sentinel. Both are without EOS. The paper
        has this final sentinel; T5's code leaves it out of rows that end with a span, as all of its rows do.
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
