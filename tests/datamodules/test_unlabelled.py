from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from torch.utils.data import DataLoader
from transformers import PreTrainedTokenizerFast

from datamodules import (
    CausalConfig,
    DataError,
    MaskingConfig,
    MonolingualData,
    MonolingualText,
    PackingConfig,
    PrefixLMConfig,
    SpanCorruptionConfig,
    TextConfig,
)
from datamodules.batching.loaders import Batch, Batches
from datamodules.unlabelled.base import IGNORED
from tests.datamodules.conftest import Write, originals

WAYS = {
    MaskingConfig: "tokenizer",
    SpanCorruptionConfig: "t5_tokenizer",
    CausalConfig: "tokenizer",
    PrefixLMConfig: "tokenizer",
    PackingConfig: "tokenizer",
}
"""Every way to make batches, with the fixture of a tokenizer that suits it."""

every_way = pytest.mark.parametrize(("way", "fixture"), WAYS.items(), ids=[way.__name__ for way in WAYS])


def data(
    folder: Path, tokenizer: PreTrainedTokenizerFast, way: type[TextConfig] = MaskingConfig, **options: Any
) -> MonolingualData:
    keys = ("max_length", "validation_split", "validation_blocks")
    config = {"max_length": 16} | {key: options.pop(key) for key in keys if key in options}
    languages = options.pop("languages", ["swh_Latn"])
    return MonolingualData(
        way("texts", path=str(folder), **config),
        tokenizer,
        languages=languages,
        batch_size=options.pop("batch_size", 8),
        **options,
    )


def unpadded(batch: Batch) -> list[str]:
    """Each row of a batch, without the padding that depends on its neighbours."""
    shown = []
    for place, language in enumerate(batch["language"]):
        row = {key: value[place] for key, value in batch.items() if key != "language"}
        labels = row.pop("labels").tolist()
        while labels[-1] == IGNORED:
            labels.pop()
        inside = row["attention_mask"] == 1
        shown.append(f"{language} {labels} { {key: value[inside].tolist() for key, value in row.items()} }")
    return shown


@every_way
def test_ranks_and_workers_see_the_same_rows(
    way: type[TextConfig], fixture: str, folder: Path, request: pytest.FixtureRequest
) -> None:
    tokenizer = request.getfixturevalue(fixture)

    def rows(ranks: int, workers: int, skip: int = 0) -> list[list[str]]:
        parts = []
        for rank in range(ranks):
            one = data(folder, tokenizer, way, languages=["swh_Latn", "yor_Latn"]).train_dataloader().dataset
            assert isinstance(one, Batches)
            mine = Batches(one.stream, one.collate, rank=rank, ranks=ranks, skip=skip)
            loader = DataLoader(mine, batch_size=None, num_workers=workers, collate_fn=lambda batch: batch)
            parts.append(list(itertools.islice(loader, 12 - skip)))
        return [sorted(row for part in batch for row in unpadded(part)) for batch in zip(*parts, strict=True)]

    alone = rows(1, 0)
    assert rows(2, 0) == alone
    assert rows(4, 2) == alone
    assert rows(2, 2, skip=5) == alone[5:]


@every_way
def test_validation_is_small_and_always_the_same(
    way: type[TextConfig], fixture: str, folder: Path, request: pytest.FixtureRequest
) -> None:
    tokenizer = request.getfixturevalue(fixture)
    made = data(
        folder, tokenizer, way, validation_split="validation", validation_blocks=5, eval_batch_size=3
    )
    first, again = (list(made.val_dataloader()) for _ in range(2))
    assert [len(batch["language"]) for batch in first] == [3, 2]
    assert [unpadded(batch) for batch in first] == [unpadded(batch) for batch in again]
    assert data(folder, tokenizer, way).val_dataloader() == []


@every_way
def test_labels_are_tokens_or_ignored(
    way: type[TextConfig], fixture: str, folder: Path, request: pytest.FixtureRequest
) -> None:
    tokenizer = request.getfixturevalue(fixture)
    for batch in itertools.islice(data(folder, tokenizer, way).train_dataloader(), 10):
        assert batch["language"] == ["swh_Latn"] * 8
        assert batch["attention_mask"].shape == batch["input_ids"].shape
        assert batch["attention_mask"].sum(1).max() == batch["input_ids"].shape[1] <= 16
        assert (batch["input_ids"][batch["attention_mask"] == 0] == tokenizer.pad_token_id).all()
        assert len(batch["labels"]) == 8
        predicted = batch["labels"] != IGNORED
        assert predicted.any(1).all()
        assert ((batch["labels"] >= 0) & (batch["labels"] < len(tokenizer)))[predicted].all()


@every_way
def test_test_splits_are_refused(way: type[TextConfig], fixture: str) -> None:
    for split in ("split", "validation_split"):
        with pytest.raises(
            ValidationError, match="the language stage may not use a test split; use train or validation"
        ):
            way("sib200", **{split: "test"})


def test_every_block_comes_once_an_epoch_and_is_masked_anew(
    folder: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    made = data(folder, tokenizer, batch_size=1)
    count = len(list(made.batching.reader(made.text, "swh_Latn", "train")()))
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
    text = MonolingualText(MaskingConfig("texts", path=str(folder), split="validation"))
    assert text.fingerprint("swh_Latn") == text.dataset.fingerprint("swh_Latn", "validation")
    assert text.fingerprint("swh_Latn") != text.fingerprint("yor_Latn")
