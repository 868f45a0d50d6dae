from __future__ import annotations

import itertools
from pathlib import Path

from transformers import PreTrainedTokenizerFast

from datamodules import MaskingConfig, MonolingualData, MonolingualText
from datamodules.unlabelled.blocks import blocks, cut_into_blocks


def test_texts_are_joined_and_cut_at_white_space() -> None:
    pieces = list(cut_into_blocks(["one two three", "four", "five six seven eight"], 12))
    assert pieces == ["one two", "three\nfour", "five six", "seven eight"]
    assert " ".join(pieces).split() == ["one", "two", "three", "four", "five", "six", "seven", "eight"]


def test_text_without_white_space_is_cut_anywhere_but_before_a_combining_mark() -> None:
    assert list(cut_into_blocks(["漢字" * 5], 4)) == ["漢字漢字", "漢字漢字", "漢字"]
    accented = "e\u0301" * 6
    pieces = list(cut_into_blocks([accented], 5))
    assert "".join(pieces) == accented
    assert not any(piece.startswith("\u0301") for piece in pieces)


def test_blocks_hold_all_of_the_text_in_its_order(folder: Path) -> None:
    text = MonolingualText(MaskingConfig("texts", path=str(folder)))
    words = [word for block in blocks(text, "swh_Latn", "train", 40) for word in block.text.split()]
    assert words == [word for document in text.texts("swh_Latn", "train") for word in document.split()]
    sizes = [len(block.text) for block in blocks(text, "swh_Latn", "train", 40)]
    assert max(sizes) <= 40
    assert min(sizes[:-1]) >= 30


def test_blocks_fill_their_rows(real_data: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    config = MaskingConfig("texts", path=str(real_data / "mono"), max_length=64)
    made = MonolingualData(config, tokenizer, languages=["hau_Latn"], batch_size=32)
    rows = list(itertools.islice(made.train_dataloader(), 20))
    assert sum(int(batch["attention_mask"].sum()) for batch in rows) / (20 * 32 * 64) > 0.85
