from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from datamodules import DataError, MonolingualData, SpanCorruptionConfig
from datamodules.batching.loaders import row_generator
from datamodules.unlabelled.base import IGNORED
from datamodules.unlabelled.blocks import Block
from datamodules.unlabelled.span_corruption import corrupted, noise_mask, sentinel_ids
from tests.datamodules.conftest import T5_SPECIAL, like_t5

EOS = 1


def merged(shown: list[int], wanted: list[int], sentinels: list[int]) -> list[int]:
    """Puts each span of a target in the place of its sentinel in the input; both without EOS."""
    assert wanted[-1] == sentinels[sum(token in sentinels for token in shown)], "a final sentinel ends the target"
    spans: dict[int, list[int]] = {}
    for token in wanted:
        if token in sentinels:
            spans[token] = span = []
        else:
            span.append(token)
    return [token for place in shown for token in spans.get(place, [place])]


@pytest.mark.parametrize(
    ("noise", "shown", "wanted"),
    [
        # the example of the paper, figure 2: "Thank you for inviting me to your party last week"
        ("..##...#..", [10, 11, -1, 14, 15, 16, -2, 18, 19], [-1, 12, 13, -2, 17, -3]),
        (".........#", [10, 11, 12, 13, 14, 15, 16, 17, 18, -1], [-1, 19, -2]),
        ("##########", [-1], [-1, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, -2]),
        ("#.#.#.....", [-1, 11, -2, 13, -3, 15, 16, 17, 18, 19], [-1, 10, -2, 12, -3, 14, -4]),
        ("..........", [10, 11, 12, 13, 14, 15, 16, 17, 18, 19], [-1]),
    ],
)
def test_sentinels_stand_for_the_spans_in_order(noise: str, shown: list[int], wanted: list[int]) -> None:
    assert corrupted(range(10, 20), [place == "#" for place in noise], [-1, -2, -3, -4]) == (shown, wanted)


@pytest.mark.parametrize(
    ("max_length", "density", "mean", "raw", "noise", "spans"),
    [
        # worked out by hand from raw - noise + spans + 1 = max_length, halves rounded to even; for example
        # 568 * 0.15 = 85.2 -> 85 noise, 85 / 3 = 28.3 -> 28 spans, and 568 - 85 + 28 + 1 = 512
        (512, 0.15, 3.0, 568, 85, 28),
        (256, 0.15, 3.0, 284, 43, 14),  # 42.6, 14.3
        (1024, 0.15, 3.0, 1137, 171, 57),  # 170.55, 57
        (512, 0.5, 3.0, 767, 384, 128),  # 383.5, 128
        (8, 0.15, 3.0, 7, 1, 1),  # 1.05, 0.33: one at least
    ],
)
def test_the_published_length_rule(
    max_length: int, density: float, mean: float, raw: int, noise: int, spans: int
) -> None:
    config = SpanCorruptionConfig(max_length=max_length, noise_density=density, mean_span_length=mean)
    assert config.counts(raw) == (noise, spans)
    assert config.raw_length == raw
    assert config.input_length(raw) == max_length
    assert config.input_length(raw + 1) > max_length


@pytest.mark.parametrize("density", [0.05, 0.15, 0.5, 0.8])
@pytest.mark.parametrize("mean", [1.0, 3.0, 7.5])
def test_every_length_of_an_input_is_reached_exactly(density: float, mean: float) -> None:
    crowded = density / mean >= 1 - density  # as many spans as tokens to stand between them, or more
    for max_length in range(8, 300):
        config = SpanCorruptionConfig(max_length=max_length, noise_density=density, mean_span_length=mean)
        length = config.input_length(config.raw_length)
        assert length == max_length or (crowded and length == max_length - 1)


@pytest.mark.parametrize("length", [0, 1, 2, 3, 7, 20, 284])
def test_input_and_target_give_back_the_tokens_for_every_seed(length: int) -> None:
    config, sentinels = SpanCorruptionConfig(), list(range(-1, -101, -1))
    tokens = list(range(1000, 1000 + length))
    for seed in range(200):
        noise_tokens, spans = config.counts(length)
        noise = noise_mask(length, noise_tokens, spans, row_generator(seed, 7)).tolist()
        shown, wanted = corrupted(tokens, noise, sentinels)
        assert len(shown) + 1 == config.input_length(length)
        assert len(wanted) == noise_tokens + spans + 1
        assert sum(noise) == noise_tokens
        assert merged(shown, wanted, sentinels) == tokens


def test_every_way_to_place_the_spans_is_equally_likely() -> None:
    drawn = Counter(str(noise_mask(7, 3, 2, row_generator(0, number)).int().tolist()) for number in range(12_000))
    # 4 tokens before 2 spans can be parted in 3 ways, the 3 tokens of the spans in 2
    assert len(drawn) == 6
    assert all(count == pytest.approx(2000, rel=0.1) for count in drawn.values())
    assert all(mask[1] == "0" and mask[-2] == "1" for mask in drawn)


def test_a_batch(t5_tokenizer: PreTrainedTokenizerFast) -> None:
    batching = SpanCorruptionConfig(max_length=64).batching(t5_tokenizer, seed=0)
    assert batching.room == 70
    sentinels = [len(t5_tokenizer) - 1 - number for number in range(100)]
    assert batching.sentinels == sentinels == t5_tokenizer.convert_tokens_to_ids(
        [f"<extra_id_{number}>" for number in range(100)]
    )
    blocks = [Block(" ".join(f"w{(n + word) % 100}" for word in range(n)), "swh_Latn") for n in (70, 100, 20, 1)]
    batch = batching(blocks, [5, 6, 7, 8])
    assert batch["language"] == ["swh_Latn"] * 4
    assert batch["input_ids"].shape == batch["attention_mask"].shape == (4, 64)
    assert batch["attention_mask"].sum(1).tolist() == [64, 64, batching.config.input_length(20), 2]
    # 70 * 0.15 = 10.5 -> 10 tokens, 3.3 -> 3 spans, a final sentinel and EOS
    assert batch["labels"].shape == (4, 15)
    assert (batch["labels"] != IGNORED).sum(1).tolist() == [15, 15, 3 + 1 + 1 + 1, 2]
    for block, shown, mask, wanted in zip(
        blocks, batch["input_ids"], batch["attention_mask"], batch["labels"], strict=True
    ):
        *shown, shown_end = shown[mask == 1].tolist()
        *wanted, wanted_end = wanted[wanted != IGNORED].tolist()
        assert shown_end == wanted_end == EOS
        assert merged(shown, wanted, sentinels) == t5_tokenizer.encode(block.text)[:-1][:70]


def test_spans_depend_on_seed_and_number_only(t5_tokenizer: PreTrainedTokenizerFast) -> None:
    row, longer = Block("w1 w2 w3 w4 w5 w6 w7 w8 w9 w10", "swh_Latn"), Block("w1 " * 40, "swh_Latn")
    batching = SpanCorruptionConfig().batching(t5_tokenizer, seed=0)
    alone, beside = batching([row], [41]), batching([longer, row], [7, 41])
    assert torch.equal(alone["input_ids"][0], beside["input_ids"][1, : alone["input_ids"].shape[1]])
    assert torch.equal(alone["labels"][0], beside["labels"][1, : alone["labels"].shape[1]])
    several = [batching([longer], [number])["input_ids"].tolist() for number in range(20)]
    assert len({str(ids) for ids in several}) > 10
    other = SpanCorruptionConfig().batching(t5_tokenizer, seed=1)
    assert several != [other([longer], [number])["input_ids"].tolist() for number in range(20)]


def test_sentinels_are_found_by_the_names_of_t5_and_of_mt5(t5_tokenizer: PreTrainedTokenizerFast) -> None:
    pieces = [*T5_SPECIAL, "▁w1", "▁<extra_id_1>", "▁<extra_id_0>"]
    mt5 = Tokenizer(models.Unigram([(piece, 0.0) for piece in pieces], unk_id=2))
    assert sentinel_ids(PreTrainedTokenizerFast(tokenizer_object=mt5)) == [5, 4]
    # a hundred more under T5's names, as a library may add to mT5's, lie beyond the backbone's embeddings
    assert sentinel_ids(like_t5(mt5)) == [5, 4]
    assert sentinel_ids(t5_tokenizer)[:2] == [202, 201]


def test_a_tokenizer_without_enough_sentinels_is_refused(tokenizer: PreTrainedTokenizerFast) -> None:
    with pytest.raises(DataError, match="^the tokenizer has no sentinels <extra_id_0>, <extra_id_1> …"):
        SpanCorruptionConfig().batching(tokenizer, 0)
    few = like_t5(Tokenizer(models.Unigram([(piece, 0.0) for piece in T5_SPECIAL], unk_id=2)), sentinels=14)
    SpanCorruptionConfig(max_length=200).batching(few, 0)
    with pytest.raises(
        DataError, match="^span corruption of 256 tokens needs 15 sentinels, and the tokenizer has 14: lower "
    ):
        SpanCorruptionConfig(max_length=256).batching(few, 0)


def test_real_text_fills_inputs_and_targets(real_data: Path) -> None:
    config = SpanCorruptionConfig("texts", path=str(real_data / "mono"), max_length=128)
    pieces = Tokenizer(models.Unigram())
    pieces.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=2000, special_tokens=T5_SPECIAL, unk_token="<unk>")
    untrained = like_t5(Tokenizer(models.Unigram([(piece, 0.0) for piece in T5_SPECIAL], unk_id=2)))
    text = MonolingualData(config, untrained, languages=["hau_Latn"]).text
    pieces.train_from_iterator(itertools.islice(text.texts("hau_Latn", "train"), 300), trainer)
    tokenizer = like_t5(pieces)
    made = MonolingualData(config, tokenizer, languages=["hau_Latn"])
    batches = list(itertools.islice(made.train_dataloader(), 10))
    shown = sum(int(batch["attention_mask"].sum()) for batch in batches)
    wanted = sum(int((batch["labels"] != IGNORED).sum()) for batch in batches)
    rows = 10 * 32
    assert shown / (rows * 128) > 0.75
    assert wanted / (rows * (sum(config.counts(config.raw_length)) + 2)) > 0.75
    sentinels = sentinel_ids(tokenizer)
    for batch in batches:
        for shown_ids, target in zip(batch["input_ids"].tolist(), batch["labels"].tolist(), strict=True):
            in_input = [token for token in shown_ids if token in sentinels]
            assert in_input == sentinels[: len(in_input)]
            assert [token for token in target if token in sentinels] == sentinels[: len(in_input) + 1]
