from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from datamodules import DataError, MaskingConfig, MonolingualData
from datamodules.unlabelled.base import IGNORED
from datamodules.unlabelled.blocks import Block
from datamodules.unlabelled.masking import Masking
from tests.datamodules.conftest import SPECIAL, originals


def masking(
    tokenizer: PreTrainedTokenizerFast, max_length: int, mask_probability: float, seed: int = 0
) -> Masking:
    return MaskingConfig(max_length=max_length, mask_probability=mask_probability).batching(tokenizer, seed)


def test_a_batch(folder: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    config = MaskingConfig("texts", path=str(folder), max_length=16)
    made = MonolingualData(config, tokenizer, languages=["swh_Latn"], batch_size=8)
    for batch in itertools.islice(made.train_dataloader(), 10):
        assert set(batch) == {"input_ids", "attention_mask", "labels", "language"}
        assert batch["language"] == ["swh_Latn"] * 8
        assert batch["input_ids"].shape == batch["labels"].shape == batch["attention_mask"].shape
        assert batch["attention_mask"].sum(1).max() == batch["input_ids"].shape[1] <= 16
        before, padding = originals(batch), batch["attention_mask"] == 0
        assert (before[:, 0] == tokenizer.bos_token_id).all()
        assert (before == tokenizer.eos_token_id).sum(1).eq(1).all()
        assert (before[padding] == tokenizer.pad_token_id).all()
        predicted = batch["labels"] != IGNORED
        assert predicted.any(1).all()
        assert (batch["labels"][predicted] >= len(SPECIAL)).all()


def test_masks_follow_80_10_10(tokenizer: PreTrainedTokenizerFast) -> None:
    blocks = [Block(" ".join(f"w{(n + word) % 100}" for word in range(200)), "swh_Latn") for n in range(100)]
    batch = masking(tokenizer, 512, 0.15)(blocks, range(100))
    predicted = batch["labels"] != IGNORED
    assert predicted.sum() / 20_000 == pytest.approx(0.15, abs=0.01)
    shown, wanted = batch["input_ids"][predicted], batch["labels"][predicted]
    masked = shown == tokenizer.mask_token_id
    assert masked.float().mean() == pytest.approx(0.8, abs=0.03)
    assert (shown == wanted).float().mean() == pytest.approx(0.1 + 0.1 / 100, abs=0.02)
    replaced = shown[~masked & (shown != wanted)]
    assert (replaced >= len(SPECIAL)).all()
    assert len(replaced.unique()) > 80
    # a row that is not chosen is shown as it is
    assert (originals(batch)[~predicted] == batch["input_ids"][~predicted]).all()


def test_masks_depend_on_seed_and_number_only(tokenizer: PreTrainedTokenizerFast) -> None:
    row, longer = Block("w1 w2 w3 w4 w5 w6", "swh_Latn"), Block("w1 " * 20, "swh_Latn")
    collate = masking(tokenizer, 64, 0.3)
    alone = collate([row], [41])
    beside = collate([longer, row], [7, 41])
    assert torch.equal(alone["input_ids"][0], beside["input_ids"][1, :8])
    assert torch.equal(alone["labels"][0], beside["labels"][1, :8])
    several = [collate([row], [number])["labels"].tolist() for number in range(20)]
    assert len({str(labels) for labels in several}) > 5
    other = masking(tokenizer, 64, 0.3, seed=1)
    assert several != [other([row], [number])["labels"].tolist() for number in range(20)]


def test_a_tokenizer_without_a_mask_is_refused(tokenizer: PreTrainedTokenizerFast) -> None:
    without_mask = PreTrainedTokenizerFast(tokenizer_object=tokenizer.backend_tokenizer, pad_token="<pad>")
    with pytest.raises(DataError, match="the tokenizer has no mask token"):
        MaskingConfig().batching(without_mask, 0)
