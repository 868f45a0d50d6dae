from __future__ import annotations

import pytest
from transformers import PreTrainedTokenizerFast

from datamodules import DatasetConfig, labelled_dataset, tokenization_report
from datamodules.batching.tokenization import padded, token_ids
from tests.datamodules.conftest import Write


def test_rows_are_cut_at_their_end_and_padded_to_the_longest(tokenizer: PreTrainedTokenizerFast) -> None:
    rows = token_ids(tokenizer, ["w1 w2 w3 w4 w5", "w1", ""], max_length=5, prefix="w0 ")
    assert rows == [[0, 5, 6, 7, 2], [0, 5, 6, 2], [0, 5, 2]]
    tensors = padded(rows, pad_id=1)
    assert tensors["input_ids"].tolist() == [[0, 5, 6, 7, 2], [0, 5, 6, 2, 1], [0, 5, 2, 1, 1]]
    assert tensors["attention_mask"].tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 1, 0], [1, 1, 1, 0, 0]]


def test_many_texts_keep_their_order(tokenizer: PreTrainedTokenizerFast) -> None:
    rows = token_ids(tokenizer, [f"w{n % 100}" for n in range(2500)], max_length=8)
    assert [row[1] for row in rows] == [5 + n % 100 for n in range(2500)]


def test_the_report_counts_right(write: Write, tokenizer: PreTrainedTokenizerFast) -> None:
    texts = {"hau": ["w1 w2 w3", "w1 strange words w4 w5", "w1"], "yor": ["unknown"]}
    for code, lines in texts.items():
        folder = write(f"{code}/test", [{"tweet": text, "label": "neutral"} for text in lines])
    dataset = labelled_dataset(DatasetConfig("afrisenti", str(folder)))
    hausa, yoruba = tokenization_report(
        dataset, tokenizer, ["hau_Latn", "yor_Latn"], max_length=6, text_prefix="w0 "
    )
    # with <s>, </s> and the prefix, the rows have 6, 8 and 4 tokens
    assert (hausa.language, hausa.sentences, hausa.tokens_per_word) == ("hau_Latn", 3, 1.0)
    assert hausa.truncated_share == pytest.approx(1 / 3)
    assert hausa.unknown_share == pytest.approx(2 / 9)
    assert (yoruba.sentences, yoruba.truncated_share, yoruba.unknown_share) == (1, 0.0, 1.0)
    [without_prefix, _] = tokenization_report(dataset, tokenizer, ["hau_Latn", "yor_Latn"], max_length=4)
    assert without_prefix.truncated_share == pytest.approx(2 / 3)
