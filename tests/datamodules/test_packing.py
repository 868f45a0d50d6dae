from __future__ import annotations

import itertools
import random
from array import array
from collections import Counter
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from datamodules import MonolingualData, PackingConfig
from datamodules.batching.loaders import Batch
from datamodules.unlabelled.base import IGNORED
from datamodules.unlabelled.packing import PackedRow, packed


def documents(*lengths: int) -> list[array[int]]:
    """Documents of these lengths, of tokens that number them through."""
    first = itertools.accumulate(lengths, initial=10)
    return [array("i", range(start, start + length)) for start, length in zip(first, lengths, strict=False)]


def data(folder: Path, tokenizer: PreTrainedTokenizerFast, **options: int) -> MonolingualData:
    config = PackingConfig("texts", path=str(folder), max_length=options.pop("max_length", 16))
    return MonolingualData(config, tokenizer, languages=["swh_Latn"], **options)


def tokens(batch: Batch) -> list[list[int]]:
    """The rows of a batch without padding."""
    return [ids[mask == 1].tolist() for ids, mask in zip(batch["input_ids"], batch["attention_mask"], strict=True)]


def test_documents_are_packed_in_order_and_cut_where_a_row_is_full() -> None:
    rows = [[list(piece) for piece in row] for row in packed(documents(3, 2, 4, 9), 4)]
    assert rows == [
        [[10, 11, 12], [13]],
        [[14], [15, 16, 17]],
        [[18], [19, 20, 21]],
        [[22, 23, 24, 25]],
        [[26, 27]],
    ]
    assert list(packed(documents(4, 0, 4), 4)) == [[piece] for piece in documents(4, 4)]
    assert list(packed([], 4)) == []


def test_nothing_is_lost_or_repeated_and_all_rows_but_the_last_are_full() -> None:
    for seed in range(100):
        generator = random.Random(seed)
        some = documents(*(generator.randrange(0, 50) for _ in range(30)))
        rows = list(packed(some, 16))
        flat = [token for row in rows for piece in row for token in piece]
        assert flat == [token for ids in some for token in ids]
        sizes = [sum(map(len, row)) for row in rows]
        assert set(sizes[:-1]) == {16}
        assert 0 < sizes[-1] <= 16


def test_a_batch(tokenizer: PreTrainedTokenizerFast) -> None:
    row = PackedRow(documents(3, 1, 2), "swh_Latn")
    full = PackedRow(documents(8), "yor_Latn")
    batch = PackingConfig(max_length=8).batching(tokenizer, seed=0)([row, full], [0, 1])
    pad = tokenizer.pad_token_id
    assert {key: value.tolist() for key, value in batch.items() if key != "language"} == {
        "input_ids": [[10, 11, 12, 13, 14, 15, pad, pad], [10, 11, 12, 13, 14, 15, 16, 17]],
        "attention_mask": [[1, 1, 1, 1, 1, 1, 0, 0], [1] * 8],
        "labels": [
            [IGNORED, 11, 12, IGNORED, IGNORED, 15, IGNORED, IGNORED],
            [IGNORED, 11, 12, 13, 14, 15, 16, 17],
        ],
        "document": [[1, 1, 1, 2, 3, 3, 0, 0], [1] * 8],
        "position_ids": [[0, 1, 2, 0, 0, 1, 0, 0], [0, 1, 2, 3, 4, 5, 6, 7]],
    }
    assert batch["language"] == ["swh_Latn", "yor_Latn"]


def test_an_epoch_holds_every_token_of_every_document_once(
    folder: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    made = data(folder, tokenizer, batch_size=1)
    texts = tokenizer(list(made.text.texts("swh_Latn", "train")))["input_ids"]
    count = -(-sum(map(len, texts)) // 16)
    batches = list(itertools.islice(made.train_dataloader(), 2 * count))
    first, second = ([tokens(batch)[0] for batch in some] for some in (batches[:count], batches[count:]))
    assert first != second
    for epoch in (first, second):
        assert Counter(token for row in epoch for token in row) == Counter(itertools.chain.from_iterable(texts))
        assert Counter(map(len, epoch))[16] == count - 1
    assert all(batch["input_ids"].shape == (1, 16) for batch in batches)


def test_special_tokens_stand_around_documents_only(folder: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    made = data(folder, tokenizer, batch_size=1)
    bos, eos = tokenizer.bos_token_id, tokenizer.eos_token_id
    whole = list(made.text.texts("swh_Latn", "train"))
    count = -(-sum(len(text.split()) + 2 for text in whole) // 16)
    epoch = list(itertools.islice(made.train_dataloader(), count))
    assert sum(int((batch["input_ids"] == bos).sum()) for batch in epoch) == len(whole)
    assert sum(int((batch["input_ids"] == eos).sum()) for batch in epoch) == len(whole)
    for batch in epoch:
        begins = batch["position_ids"].eq(0) & batch["document"].ne(0)
        # a document begins with BOS, but for one that goes on from the row before
        assert (batch["input_ids"][begins][1:] == bos).all()
        assert (batch["input_ids"][~begins] != bos).all()


def test_a_corpus_is_tokenised_once_for_all_epochs(
    folder: Path, tokenizer: PreTrainedTokenizerFast, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, reads = data(folder, tokenizer), []
    texts = made.text.texts
    monkeypatch.setattr(made.text, "texts", lambda *which: reads.append(which) or texts(*which))
    made.skip = 200
    list(itertools.islice(made.train_dataloader(), 100))
    assert reads == [("swh_Latn", "train")]


def test_real_text_wastes_nothing(real_data: Path, e5: Path) -> None:
    path, tokenizer = str(real_data / "mono"), AutoTokenizer.from_pretrained(e5)
    config = PackingConfig("texts", path=path, max_length=512, validation_split="validation")
    made = MonolingualData(config, tokenizer, languages=["hau_Latn"])
    batches = list(itertools.islice(made.train_dataloader(), 5))
    assert all(batch["input_ids"].shape == (32, 512) for batch in batches)
    assert torch.cat([batch["attention_mask"] for batch in batches]).float().mean() > 0.99
    # documents with others on both sides are whole: what the tokenizer makes of a text, with BOS and EOS
    texts = tokenizer(list(made.text.texts("hau_Latn", "validation")), verbose=False)["input_ids"]
    known, whole = set(map(tuple, texts)), 0
    for batch in made.val_dataloader():
        for ids, document in zip(batch["input_ids"], batch["document"], strict=True):
            for number in range(2, int(document.max())):
                assert tuple(ids[document == number].tolist()) in known
                whole += 1
    assert whole > 10
