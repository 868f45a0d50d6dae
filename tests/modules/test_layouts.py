"""Models that people use load as they lie on the hub: pickled weights, SentencePiece and byte tokenizers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    ByT5Tokenizer,
    DebertaV2Tokenizer,
    LlamaTokenizer,
    T5Tokenizer,
    XGLMTokenizer,
    XLMRobertaTokenizer,
)

from modules import BackboneConfig, Combination, inspect_backbone, load_backbone, save_backbone, tokenizer_of
from tests.modules.layouts import LAYOUTS, TEXT, write_layout

SLOW = {
    "BAAI/bge-m3": XLMRobertaTokenizer,
    "castorini/afriberta_base": XLMRobertaTokenizer,
    "cis-lmu/glot500-base": XLMRobertaTokenizer,
    "microsoft/mdeberta-v3-base": DebertaV2Tokenizer,
    "google/mt5-base": T5Tokenizer,
    "facebook/xglm-564M": XGLMTokenizer,
    "google/byt5-small": ByT5Tokenizer,
    "NousResearch/Llama-2-7b-hf": LlamaTokenizer,
}
"""The tokenizers that the models were trained with, in transformers' own implementation."""


@pytest.fixture
def repository(name: str, tmp_path: Path) -> Path:
    return write_layout(name, tmp_path / "repository")


@pytest.mark.parametrize("name", LAYOUTS)
def test_it_loads(name: str, repository: Path, tmp_path: Path) -> None:
    info = inspect_backbone(BackboneConfig(name=str(repository)))
    assert info.has_lm_head == LAYOUTS[name].has_lm_head
    backbone = load_backbone(BackboneConfig(name=str(repository)), with_lm_head=info.has_lm_head)
    batch = backbone.tokenizer(TEXT, padding=True, truncation=True, max_length=20, return_tensors="pt")
    hidden = Combination(backbone).encode(batch["input_ids"], batch["attention_mask"])
    assert hidden.isfinite().all()
    save_backbone(backbone, tmp_path / "saved")
    again = load_backbone(BackboneConfig(name=str(tmp_path / "saved")))
    assert again.info.tokenizer_hash == info.tokenizer_hash
    assert torch.equal(Combination(again).encode(batch["input_ids"], batch["attention_mask"]), hidden)


@pytest.mark.parametrize("name", SLOW)
def test_the_tokenizer_gives_the_ids_of_the_slow_one(name: str, repository: Path) -> None:
    slow: Any = SLOW[name].from_pretrained(repository)
    fast = tokenizer_of(inspect_backbone(BackboneConfig(name=str(repository))))
    assert fast.is_fast
    texts = [*TEXT, "Ein Satz,  mit   Lücken! 123", "", "x" * 300]
    for text in texts:
        assert fast(text)["input_ids"] == slow(text)["input_ids"], text
    assert fast(*TEXT[:2])["input_ids"] == slow(*TEXT[:2])["input_ids"]
    assert fast.all_special_tokens == slow.all_special_tokens


def test_a_byte_tokenizer_knows_places_in_the_text(tmp_path: Path) -> None:
    tokenizer = tokenizer_of(inspect_backbone(BackboneConfig(name=str(write_layout("google/byt5-small", tmp_path)))))
    text = "aé字😀</s><extra_id_0> b"
    made = tokenizer(text, return_offsets_mapping=True, add_special_tokens=False)
    slow = ByT5Tokenizer.from_pretrained(tmp_path)
    assert made["input_ids"] == slow(text, add_special_tokens=False)["input_ids"]
    assert [text[first:last] for first, last in made["offset_mapping"]][:10] == ["a", *"éé", *"字字字", *"😀😀😀😀"]
    assert tokenizer.decode(tokenizer("aé字😀 b")["input_ids"], skip_special_tokens=True) == "aé字😀 b"
