from __future__ import annotations

from collections import Counter

import pytest
import torch
from tokenizers import processors
from transformers import PreTrainedTokenizerFast

from datamodules import CausalConfig, PrefixLMConfig, TextConfig
from datamodules.unlabelled.base import IGNORED
from datamodules.unlabelled.blocks import Block

ROWS = [Block("w0 w1 w2", "swh_Latn"), Block("w3", "yor_Latn"), Block("w4 " * 20, "swh_Latn")]


def test_labels_are_the_tokens_in_their_own_places(tokenizer: PreTrainedTokenizerFast) -> None:
    batch = CausalConfig(max_length=10).batching(tokenizer, seed=0)(ROWS, range(3))
    assert batch["input_ids"].tolist() == [
        [0, 5, 6, 7, 2, 1, 1, 1, 1, 1],
        [0, 8, 2, 1, 1, 1, 1, 1, 1, 1],
        [0, 9, 9, 9, 9, 9, 9, 9, 9, 2],
    ]
    assert batch["attention_mask"].sum(1).tolist() == [5, 3, 10]
    padding = batch["attention_mask"] == 0
    assert (batch["labels"][padding] == IGNORED).all()
    assert torch.equal(batch["labels"][~padding], batch["input_ids"][~padding])
    assert batch["language"] == ["swh_Latn", "yor_Latn", "swh_Latn"]


def test_special_tokens_are_the_tokenizers(tokenizer: PreTrainedTokenizerFast) -> None:
    """Decoders' tokenizers often add none, or BOS only, and often have no token to pad with."""
    words = tokenizer.backend_tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    words.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    decoders = PreTrainedTokenizerFast(tokenizer_object=words, bos_token="<s>", eos_token="</s>")
    batching = CausalConfig(max_length=8).batching(decoders, seed=0)
    assert batching.room == 7
    batch = batching(ROWS[:2], range(2))
    assert batch["input_ids"].tolist() == [[0, 5, 6, 7], [0, 8, 0, 0]]
    assert batch["labels"].tolist() == [[0, 5, 6, 7], [0, 8, IGNORED, IGNORED]]


def test_a_prefix_is_shown_and_the_rest_predicted(tokenizer: PreTrainedTokenizerFast) -> None:
    batching = PrefixLMConfig(max_length=10).batching(tokenizer, seed=0)
    whole = CausalConfig(max_length=10).batching(tokenizer, seed=0)(ROWS, range(3))
    prefixes: list[Counter[int]] = [Counter(), Counter(), Counter()]
    for first in range(0, 9000, 3):
        batch = batching(ROWS, range(first, first + 3))
        assert torch.equal(batch["input_ids"], whole["input_ids"])
        assert torch.equal(batch["attention_mask"], whole["attention_mask"])
        for place, counts in enumerate(prefixes):
            predicted = batch["labels"][place] != IGNORED
            prefix = int(predicted.int().argmax())
            assert torch.equal(batch["labels"][place, prefix:], whole["labels"][place, prefix:])
            counts[prefix] += 1
    # a row of n tokens can be cut in n - 1 places, all equally likely
    for counts, length in zip(prefixes, (5, 3, 10), strict=True):
        assert set(counts) == set(range(1, length))
        assert all(count == pytest.approx(3000 / (length - 1), rel=0.2) for count in counts.values())


def test_a_prefix_depends_on_seed_and_number_only(tokenizer: PreTrainedTokenizerFast) -> None:
    def prefix(seed: int, number: int, beside: list[Block]) -> torch.Tensor:
        batching = PrefixLMConfig(max_length=32).batching(tokenizer, seed)
        return batching([*beside, ROWS[2]], [*range(len(beside)), number])["labels"][-1]

    assert all(torch.equal(prefix(0, n, []), prefix(0, n, ROWS[:2])) for n in range(20))
    assert any(not torch.equal(prefix(0, n, []), prefix(1, n, [])) for n in range(20))


@pytest.mark.parametrize("way", [CausalConfig, PrefixLMConfig])
def test_a_row_of_one_token_is_no_accident(way: type[TextConfig], tokenizer: PreTrainedTokenizerFast) -> None:
    bare = tokenizer.backend_tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    bare.post_processor = processors.Sequence([])
    batch = way().batching(PreTrainedTokenizerFast(tokenizer_object=bare), 0)([Block("w1", "swh_Latn")], [0])
    assert batch["input_ids"].tolist() == [[6]]
    assert batch["labels"].shape == (1, 1)
