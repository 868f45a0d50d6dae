from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch.utils.data import DataLoader
from transformers import PreTrainedTokenizerFast

from datamodules import DataError, MonolingualConfig, MonolingualData, MonolingualText
from datamodules.batches import Batch, Batches
from datamodules.monolingual import IGNORED, Block, MaskedCollate, cut_into_blocks
from tests.datamodules.conftest import SPECIAL, Write


@pytest.fixture
def folder(write: Write) -> Path:
    """Swahili of words w0 to w49, Yoruba of words w50 to w99, in documents of 1 to 30 words."""
    for code, first in (("swh_Latn", 0), ("yor_Latn", 50)):
        for split, count in (("train", 90), ("validation", 30)):
            made = write(
                f"{code}/{split}",
                [
                    {"text": " ".join(f"w{first + (n + word) % 50}" for word in range(1 + n * 7 % 30))}
                    for n in range(count)
                ],
            )
    return made


def data(folder: Path, tokenizer: PreTrainedTokenizerFast, **options: Any) -> MonolingualData:
    keys = ("max_length", "mask_probability", "validation_split", "validation_blocks", "text_prefix")
    config = {"max_length": 16} | {key: options.pop(key) for key in keys if key in options}
    languages = options.pop("languages", ["swh_Latn"])
    return MonolingualData(
        MonolingualConfig("texts", path=str(folder), **config),
        tokenizer,
        languages=languages,
        batch_size=options.pop("batch_size", 8),
        **options,
    )


def originals(batch: Batch) -> torch.Tensor:
    """The tokens before they were masked."""
    return torch.where(batch["labels"] == IGNORED, batch["input_ids"], batch["labels"])


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
    text = MonolingualText(MonolingualConfig("texts", path=str(folder)))
    words = [word for block in text.blocks("swh_Latn", "train", 40) for word in block.text.split()]
    assert words == [word for document in text.texts("swh_Latn", "train") for word in document.split()]
    sizes = [len(block.text) for block in text.blocks("swh_Latn", "train", 40)]
    assert max(sizes) <= 40
    assert min(sizes[:-1]) >= 30


def test_a_batch(folder: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    made = data(folder, tokenizer)
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
    batch = MaskedCollate(tokenizer, 512, "", 0.15, seed=0)(blocks, range(100))
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
    collate = MaskedCollate(tokenizer, 64, "", 0.3, seed=0)
    alone = collate([row], [41])
    beside = collate([longer, row], [7, 41])
    assert torch.equal(alone["input_ids"][0], beside["input_ids"][1, :8])
    assert torch.equal(alone["labels"][0], beside["labels"][1, :8])
    several = [collate([row], [number])["labels"].tolist() for number in range(20)]
    assert len({str(labels) for labels in several}) > 5
    other = MaskedCollate(tokenizer, 64, "", 0.3, seed=1)
    assert several != [other([row], [number])["labels"].tolist() for number in range(20)]


def test_ranks_and_workers_see_the_same_masked_rows(folder: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    def rows(ranks: int, workers: int, skip: int = 0) -> list[list[list[int]]]:
        parts = []
        for rank in range(ranks):
            one = data(folder, tokenizer, languages=["swh_Latn", "yor_Latn"]).train_dataloader().dataset
            assert isinstance(one, Batches)
            mine = Batches(one.stream, one.collate, rank=rank, ranks=ranks, skip=skip)
            loader = DataLoader(mine, batch_size=None, num_workers=workers, collate_fn=lambda batch: batch)
            parts.append(list(itertools.islice(loader, 12 - skip)))
        return [
            sorted(
                (ids[mask.bool()].tolist() + labels[mask.bool()].tolist())
                for part in together
                for ids, mask, labels in zip(
                    part["input_ids"], part["attention_mask"], part["labels"], strict=True
                )
            )
            for together in zip(*parts, strict=True)
        ]

    alone = rows(1, 0)
    assert rows(2, 0) == alone
    assert rows(4, 2) == alone
    assert rows(2, 2, skip=5) == alone[5:]


def test_every_block_comes_once_an_epoch_and_is_masked_anew(
    folder: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    made = data(folder, tokenizer, batch_size=1)
    count = len(list(made.text.blocks("swh_Latn", "train", made.block_size("swh_Latn"))))
    batches = list(itertools.islice(made.train_dataloader(), 2 * count))
    texts = [tuple(originals(batch)[0].tolist()) for batch in batches]
    assert Counter(texts[:count]) == Counter(texts[count:])
    assert texts[:count] != texts[count:]
    masks = {
        text: batch["labels"].tolist() for text, batch in zip(texts[:count], batches[:count], strict=True)
    }
    again = {
        text: batch["labels"].tolist() for text, batch in zip(texts[count:], batches[count:], strict=True)
    }
    assert masks != again


def test_several_languages_are_mixed_in_equal_parts(folder: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    made = data(folder, tokenizer, languages=["swh_Latn", "yor_Latn"])
    languages = Counter(
        name for batch in itertools.islice(made.train_dataloader(), 50) for name in batch["language"]
    )
    assert languages["swh_Latn"] / 400 == pytest.approx(0.5, abs=0.07)


def test_blocks_fill_their_rows(real_data: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    config = MonolingualConfig("texts", path=str(real_data / "mono"), max_length=64)
    made = MonolingualData(config, tokenizer, languages=["hau_Latn"], batch_size=32)
    rows = list(itertools.islice(made.train_dataloader(), 20))
    assert sum(int(batch["attention_mask"].sum()) for batch in rows) / (20 * 32 * 64) > 0.85


def test_validation_is_small_and_always_the_same(folder: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    made = data(folder, tokenizer, validation_split="validation", validation_blocks=5, eval_batch_size=3)
    first, again = (list(made.val_dataloader()) for _ in range(2))
    assert [len(batch["language"]) for batch in first] == [3, 2]
    assert all(torch.equal(a["labels"], b["labels"]) for a, b in zip(first, again, strict=True))
    assert data(folder, tokenizer).val_dataloader() == []


def test_test_splits_are_refused() -> None:
    for split in ("split", "validation_split"):
        with pytest.raises(
            ValidationError, match="the language stage may not use a test split; use train or validation"
        ):
            MonolingualConfig("sib200", **{split: "test"})


def test_texts_that_are_all_blank_are_refused(write: Write, tokenizer: PreTrainedTokenizerFast) -> None:
    folder = write("swh_Latn/train", [{"text": " "}, {"text": None}])
    with pytest.raises(DataError, match="^texts swh_Latn: the train split holds no text$"):
        data(folder, tokenizer).train_dataloader()


def test_blank_texts_among_others_are_left_out(write: Write, tokenizer: PreTrainedTokenizerFast) -> None:
    folder = write("swh_Latn/train", [{"text": " "}, {"text": "w1 w2"}])
    batch = next(iter(data(folder, tokenizer).train_dataloader()))
    assert originals(batch).tolist() == [[0, 6, 7, 2]] * 8


def test_mistakes_are_said_before_anything_is_read(folder: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    with pytest.raises(DataError, match="has no 'hau_Latn'"):
        data(folder, tokenizer, languages=["hau_Latn"])
    without_mask = PreTrainedTokenizerFast(tokenizer_object=tokenizer.backend_tokenizer, pad_token="<pad>")
    with pytest.raises(DataError, match="the tokenizer has no mask token"):
        data(folder, without_mask)


def test_the_fingerprint_is_that_of_the_training_file(folder: Path) -> None:
    text = MonolingualText(MonolingualConfig("texts", path=str(folder), split="validation"))
    assert text.fingerprint("swh_Latn") == text.dataset.fingerprint("swh_Latn", "validation")
    assert text.fingerprint("swh_Latn") != text.fingerprint("yor_Latn")
