"""What `build_smollm2` builds is the model that was published, as far as quantisation left it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from torch.nn import functional

from modules import Backbone, BackboneConfig, Combination, count_parameters, load_backbone


@pytest.fixture(scope="module")
def backbone(smollm2: Path) -> Backbone:
    return load_backbone(BackboneConfig(name=str(smollm2), precision="32"), with_lm_head=True)


def perplexity(backbone: Backbone, texts: Sequence[str]) -> float:
    combination = Combination(backbone)
    batch = backbone.tokenizer(list(texts), padding=True, return_tensors="pt")
    ids, mask = batch["input_ids"], batch["attention_mask"]
    predicted = mask[:, 1:].bool()
    with torch.no_grad():
        logits = combination.lm_logits(combination.encode(ids, mask)[:, :-1][predicted])
    return math.exp(functional.cross_entropy(logits, ids[:, 1:][predicted]))


def texts_of(folder: Path, split: str) -> list[str]:
    return pq.read_table(folder / f"{split}.parquet", columns=["text"])["text"].to_pylist()


def test_it_is_a_decoder_with_a_language_model_head(backbone: Backbone) -> None:
    info = backbone.info
    assert (info.family, info.has_lm_head, info.max_positions) == ("decoder", True, 8192)
    assert count_parameters(info) == 134_515_008  # as published


def test_it_knows_its_language(backbone: Backbone, real_data: Path) -> None:
    english = texts_of(real_data / "sib200" / "eng_Latn", "validation")[:8]
    found = perplexity(backbone, english)
    assert found == pytest.approx(35.7, rel=0.02)  # 95 where the rows of queries and keys stand in GGUF's order
    backwards = [" ".join(reversed(text.split())) for text in english]
    assert perplexity(backbone, backwards) > 10 * found


def test_it_knows_the_capital_of_france(backbone: Backbone) -> None:
    combination = Combination(backbone)
    ids = backbone.tokenizer("The capital of France is", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        logits = combination.lm_logits(combination.encode(ids, torch.ones_like(ids))[:, -1])
    assert backbone.tokenizer.decode(logits.argmax(-1)) == " Paris"


def test_no_text_is_changed_by_its_tokenizer(backbone: Backbone, real_data: Path) -> None:
    tokenizer = backbone.tokenizer
    for folder in sorted((real_data / "sib200").iterdir()):
        texts = texts_of(folder, "validation")[:25]
        assert tokenizer.batch_decode(tokenizer(texts)["input_ids"]) == texts, folder.name


def test_its_tokenizer_splits_as_the_published_one(backbone: Backbone) -> None:
    tokenizer = backbone.tokenizer
    assert tokenizer.tokenize("In 2024, it didn't") == ["In", "Ġ", *"2024", ",", "Ġit", "Ġdidn", "'t"]
    assert tokenizer.tokenize("a  1") == ["a", "ĠĠ", "1"]  # GPT-2 would give the number the second space
    assert tokenizer("<|im_start|>user")["input_ids"] == [1, 4093]  # nothing is put in front
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id) == (1, 2, 2)
