"""Pairs of texts, from the tokenizer to the batch, and validation data that is held out."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerFast

from datamodules import (
    ClassificationData,
    DataError,
    DatasetConfig,
    Example,
    TrainOnConfig,
    labelled_dataset,
    tokenization_report,
)
from datamodules.batching.tokenization import pair_tokens
from tests.datamodules.conftest import Write


def words(first: int, count: int) -> str:
    return " ".join(f"w{first + number}" for number in range(count))


def test_the_longer_text_is_cut_first(joining: PreTrainedTokenizerFast) -> None:
    rows = pair_tokens(joining, [(words(0, 6), words(10, 2)), (words(0, 2), words(10, 6)), ("w0", "w1")], 8, "w9 ")
    # the prefix stands once, and is the first text's
    assert rows[0].ids == [0, 14, 5, 6, 2, 15, 16, 2]
    assert rows[0].types == [0, 0, 0, 0, 0, 1, 1, 1]
    assert [len(row.ids) for row in rows] == [8, 8, 6]
    assert rows[1].ids == [0, 14, 5, 2, 15, 16, 17, 2]
    assert rows[2].ids == [0, 14, 5, 2, 6, 2]


def test_a_tokenizer_that_cannot_tell_two_texts_apart_is_refused(tokenizer: PreTrainedTokenizerFast) -> None:
    with pytest.raises(DataError, match="puts no special token between the two texts of a pair"):
        pair_tokens(tokenizer, [("w1", "w2")], 8)


@pytest.fixture
def folder(write: Write) -> Path:
    """A small XNLI in two languages: 20 premises in three pairs each."""
    for place, code in enumerate(("en", "fr")):
        for split, start in (("validation", 0), ("test", 20)):
            rows = [
                {"premise": words(start + n // 3, 1 + n // 3 % 4), "hypothesis": words(40 * place + n % 40, 1 + n % 5)}
                for n in range(60)
            ]
            made = write(f"{code}/{split}", [row | {"label": n % 3} for n, row in enumerate(rows)])
    return made


def config(folder: Path) -> DatasetConfig:
    return DatasetConfig("xnli", path=str(folder), max_length=12, train_split="validation", held_out=0.25)


def test_batches_of_pairs(folder: Path, joining: PreTrainedTokenizerFast) -> None:
    data = ClassificationData(config(folder), joining, sources=["eng_Latn"], targets=["fra_Latn"], batch_size=8)
    batch = next(iter(data.train_dataloader()))
    examples = {example.id: example for example in data.training_examples}
    for number, row_id in enumerate(batch["id"]):
        example = examples[row_id]
        second = batch["input_ids"][number][batch["token_type_ids"][number] == 1].tolist()
        assert second == [*(5 + int(word[1:]) for word in (example.second_text or "").split()), 2]
        assert batch["labels"][number] == int(row_id[-2:]) % 3
    assert batch["token_type_ids"].shape == batch["input_ids"].shape
    assert not batch["token_type_ids"][batch["attention_mask"] == 0].any()
    tested = [row for batch in data.predict_dataloader() for row in batch["id"]]
    assert sorted(tested) == [f"test-{n:05d}" for n in range(60)]


def test_types_are_left_out_where_the_tokenizer_has_none(folder: Path, joining: PreTrainedTokenizerFast) -> None:
    joining.model_input_names = ["input_ids", "attention_mask"]
    data = ClassificationData(config(folder), joining, sources=["eng_Latn"])
    assert "token_type_ids" not in next(iter(data.train_dataloader()))


def test_held_out_texts_are_never_trained_on(folder: Path) -> None:
    found = labelled_dataset(config(folder))
    parts = {split: list(found.examples("eng_Latn", split)) for split in ("train", "validation")}
    whole = list(labelled_dataset(DatasetConfig("xnli", str(folder))).examples("eng_Latn", "validation"))
    assert sorted(example.id for part in parts.values() for example in part) == [example.id for example in whole]
    assert {split: len(part) for split, part in parts.items()} == {"train": 45, "validation": 15}
    premises = {split: {int(example.id[-5:]) // 3 for example in part} for split, part in parts.items()}
    assert not premises["train"] & premises["validation"]
    # Translations of what chooses in one language are not trained on in another.
    french = [example.id for example in found.examples("fra_Latn", "validation")]
    assert french == [example.id for example in parts["validation"]]
    assert found.overlap("eng_Latn", "train", "validation") == []
    assert len(list(found.examples("eng_Latn", "test"))) == 60


def test_parts_have_fingerprints_of_their_own(folder: Path) -> None:
    whole = labelled_dataset(DatasetConfig("xnli", str(folder)))
    found = labelled_dataset(config(folder))
    fingerprints = {split: found.fingerprint("eng_Latn", split) for split in ("train", "validation", "test")}
    assert fingerprints["test"] == whole.fingerprint("eng_Latn", "test")
    assert len({*fingerprints.values(), whole.fingerprint("eng_Latn", "validation")}) == 4


def test_texts_of_other_datasets_are_held_out_with_all_their_rows(write: Write) -> None:
    rows = [{"tweet": f"w{n % 10} ", "label": "neutral"} for n in range(40)]
    folder = write("hau/train", rows)
    found = labelled_dataset(DatasetConfig("afrisenti", path=str(folder), held_out=0.3))
    parts = {split: Counter(e.text for e in found.examples("hau_Latn", split)) for split in ("train", "validation")}
    assert [len(part) for part in parts.values()] == [7, 3]
    assert not parts["train"].keys() & parts["validation"].keys()
    assert set((parts["train"] + parts["validation"]).values()) == {4}


def test_a_part_may_not_be_empty(write: Write) -> None:
    folder = write("hau/train", [{"tweet": f"w{n}", "label": "neutral"} for n in range(4)])
    found = labelled_dataset(DatasetConfig("afrisenti", path=str(folder), held_out=0.1))
    with pytest.raises(DataError, match=r"0\.1 of the 4 different texts of the train split is 0; some must be held"):
        list(found.examples("hau_Latn", "train"))


def test_the_validation_split_is_trained_on_only_with_a_part_held_out() -> None:
    with pytest.raises(ValueError, match="held_out must say which share of the validation split is not trained on"):
        DatasetConfig("xnli", train_split="validation")
    with pytest.raises(ValueError, match="train_split"):
        DatasetConfig("xnli", train_split="test", held_out=0.2)  # type: ignore[arg-type]


def test_pairs_overlap_only_as_pairs(write: Write) -> None:
    def rows(*pairs: tuple[str, str]) -> list[dict[str, object]]:
        return [{"premise": first, "hypothesis": second, "label": 0} for first, second in pairs]

    write("en/validation", rows(("w1", "w2"), ("w3", "w4")))
    folder = write("en/test", rows(("w1", "w4"), (" w3", "w4 "), ("w2", "w1")))
    found = labelled_dataset(DatasetConfig("xnli", str(folder)))
    assert found.overlap("eng_Latn", "validation", "test") == ["test-00001"]


def test_the_report_counts_both_texts(write: Write, joining: PreTrainedTokenizerFast) -> None:
    pairs = [("w1 w2", "w3"), ("w1 w2", "odd w4"), ("w1", "w2")]
    folder = write("en/test", [{"premise": a, "hypothesis": b, "label": 0} for a, b in pairs])
    found = labelled_dataset(DatasetConfig("xnli", str(folder)))
    [row] = tokenization_report(found, joining, ["eng_Latn"], max_length=7, text_prefix="w9 ")
    # with <s>, two </s> and the prefix, the pairs have 7, 8 and 6 tokens
    assert (row.sentences, row.tokens_per_word) == (3, 1.0)
    assert row.truncated_share == pytest.approx(1 / 3)
    assert row.unknown_share == pytest.approx(1 / 9)


def test_an_empty_second_text_is_refused_in_training(write: Write, joining: PreTrainedTokenizerFast) -> None:
    rows = [{"premise": f"w{n}", "hypothesis": " " if n == 5 else "w1", "label": 0} for n in range(9)]
    folder = write("en/train", rows)
    data = ClassificationData(DatasetConfig("xnli", path=str(folder)), joining, sources=["eng_Latn"])
    with pytest.raises(DataError, match="en/train.parquet, row 6: the hypothesis is empty$"):
        data.train_dataloader()


@pytest.mark.parametrize("label", [2, "contradiction"])
def test_labels_are_names_or_numbers(label: int | str, write: Write) -> None:
    folder = write("yor/test", [{"premise": "w1", "hypothesis": "w2", "label": label}])
    [example] = labelled_dataset(DatasetConfig("afrixnli", str(folder))).examples("yor_Latn", "test")
    assert example == Example("test-00000", "w1", "yor_Latn", 2, second_text="w2")


def test_tags_are_learnt_in_their_own_order_only(write: Write) -> None:
    write("hau/test", [{"tokens": ["w1"], "ner_tags": [0]}])
    folder = write("sw/train", [{"tokens": ["w1"], "ner_tags": [0]}])
    learnt = TrainOnConfig("wikiann", path=str(folder))
    with pytest.raises(DataError, match="wikiann cannot be trained on for masakhaner2: the labels"):
        labelled_dataset(DatasetConfig("masakhaner2", path=str(folder), train_on=learnt))


def test_what_stands_before_a_dataset_asks_and_answers_as_it_does(folder: Path) -> None:
    whole = labelled_dataset(DatasetConfig("xnli", path=str(folder)))
    other = TrainOnConfig("xnli", path=str(folder))
    before = labelled_dataset(DatasetConfig("xnli", path=str(folder), held_out=0.2, train_on=other))
    for name in ("task", "pairs", "labels", "positive", "parallel", "languages"):
        assert getattr(before, name) == getattr(whole, name), name
    [example, *_] = whole.examples("eng_Latn", "test")
    words = ["Yes", "Maybe", "No"]
    assert before.gold(example) == whole.gold(example)
    assert before.answer(example, words) == whole.answer(example, words)
    assert before.read_answer("maybe", example.text, words) == "neutral"
    assert before.has_gold(example)
