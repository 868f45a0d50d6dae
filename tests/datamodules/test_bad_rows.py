"""Rows of datasets that cannot be used: what is said of each, and that skipping them leaves out nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from datasets import ClassLabel, Features, Value

from datamodules import (
    ClassificationDataset,
    DatasetConfig,
    Example,
    QuestionsConfig,
    Row,
    RowError,
    TrainOnConfig,
    labelled_dataset,
)
from datamodules.sources.labels import first_pair_alike, named
from tests.datamodules.conftest import Write

NEWS = {"headline": "h", "text": "t", "label": 0}
PAIR = {"premise": "a", "hypothesis": "b", "label": 0}
SENTENCE = {"tokens": ["a", "b"], "ner_tags": [0, 1]}
QUESTION = {"id": "1", "context": "in Qunu", "question": "where?", "answers": {"text": ["Qunu"], "answer_start": [3]}}


def read(name: str, language: str, folder: Path, split: str = "test", **settings: Any) -> list[str]:
    """Returns the ids of the examples of a split, and the errors of the others without their file."""
    dataset = labelled_dataset(DatasetConfig(name, str(folder), **settings))
    found = dataset.read(language, split)
    return [str(one).partition(".parquet, ")[2] if isinstance(one, RowError) else one.id for one in found]


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"headline": None}, ""),
        ({"text": None}, ""),
        ({"label": 6}, ""),
        ({"label": None, "category": "sports"}, ""),
        ({"headline": None, "text": " "}, "the article is empty"),
        ({"label": None}, "there is neither a label nor a category"),
        ({"label": -1}, "the column 'label' holds -1, which marks a label that is not published"),
        ({"label": 7}, "the column 'label' holds the unknown label 7; known: business, "),
        ({"label": True}, "the column 'label' holds the unknown label True; known: "),
        ({"label": "1"}, "the column 'label' holds '1', which is a text, not the number of a label"),
        ({"label": 1.0}, "the column 'label' holds 1.0, which is a fraction (whole numbers in a column with gaps "),
        ({"label": "Sports"}, "the column 'label' holds the unknown label 'Sports'; 'sports' differs only in case; kn"),
        ({"label": ["sports"]}, "the column 'label' holds ['sports'], but an example has one label"),
        ({"headline": 3}, "the column 'headline' holds a number, not a text"),
    ],
)
def test_news(cells: dict[str, Any], reason: str, write: Write) -> None:
    [found] = read("masakhanews", "hau_Latn", write("hau/test", [NEWS | cells]))
    assert found.startswith(f"row 1: {reason}" if reason else "test-00000")


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"premise": ""}, "the premise is empty"),
        ({"hypothesis": None}, "the hypothesis is empty"),
        ({"label": "-"}, "the column 'label' holds '-', which marks an example without a gold label"),
        ({"label": "Neutral"}, "the column 'label' holds the unknown label 'Neutral'; 'neutral' differs only in case"),
    ],
)
def test_pairs(cells: dict[str, Any], reason: str, write: Write) -> None:
    [found] = read("xnli", "eng_Latn", write("en/test", [PAIR | cells]))
    assert found.startswith(f"row 1: {reason}")


def test_texts_that_are_published_blank_are_tested_and_not_trained_on(write: Write) -> None:
    rows = [PAIR, PAIR | {"premise": ""}]
    write("nah/validation", rows)
    folder = write("nah/test", rows)
    assert read("americas_nli", "nah_Latn", folder) == ["test-00000", "test-00001"]
    assert read("americas_nli", "nah_Latn", folder, "validation")[1] == "row 2: the premise is empty"


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"tokens": [None, "b"]}, "row 1, word 1: the column 'tokens' holds None, not a word; tools that read 'null' "),
        ({"tokens": [], "ner_tags": []}, "row 1: the sentence is empty"),
        ({"tokens": None, "ner_tags": None}, "row 1: the sentence is empty"),
        ({"tokens": ["a", " "]}, "test-00000"),
        ({"tokens": ["a"]}, "row 1: there are 1 words, but 2 tags"),
        ({"tokens": "a b"}, "row 1: the column 'tokens' holds 'a b', not a list"),
        ({"ner_tags": [0.0, 1.0]}, "row 1, word 1: the column 'ner_tags' holds 0.0, which is a fraction"),
        ({"ner_tags": ["O", "B_PER"]}, "row 1, word 2: the column 'ner_tags' holds the unknown label 'B_PER'; did you"),
    ],
)
def test_sentences(cells: dict[str, Any], reason: str, write: Write) -> None:
    [found] = read("wikiann", "swh_Latn", write("sw/test", [SENTENCE | cells]))
    assert found.startswith(reason)


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([{"text": "Qunu", "answer_start": 3}], ""),
        ([], "the question has no answer; questions without one, as in SQuAD 2.0, are not supported"),
        (None, "the question has no answer"),
        ({"text": ["Qunu"]}, "the column 'answers' holds {'text': ['Qunu']}; answers look like {"),
        ({"text": ["Qunu"], "answer_start": [3, 4]}, "the column 'answers' holds {'text': ['Qunu'], 'answer_start': ["),
        ("Qunu", "the column 'answers' holds 'Qunu'; answers look like "),
        (["Qunu"], "the column 'answers' holds ['Qunu']; answers look like "),
        ({"text": [None], "answer_start": [3]}, "the column 'answers' holds the answer None at the offset 3; answ"),
        ({"text": ["Qunu"], "answer_start": [None]}, "the column 'answers' holds the answer 'Qunu' at the offset "),
    ],
)
def test_questions(answers: Any, reason: str, write: Write) -> None:
    [found] = read("squad", "eng_Latn", write("plain_text/validation", [QUESTION | {"answers": answers}]))
    assert found.startswith(f"row 1: {reason}" if reason else "1")


def test_an_id_that_occurs_twice_in_a_test_split_is_an_error(write: Write) -> None:
    rows = [QUESTION, QUESTION, QUESTION | {"id": "2"}]
    write("plain_text/train", rows)
    folder = write("plain_text/validation", rows)
    first = f"{folder}/plain_text/validation.parquet, row 1"
    assert read("squad", "eng_Latn", folder) == ["1", f"row 2: the id '1' is that of {first} too", "2"]
    assert read("squad", "eng_Latn", folder, "train") == ["1", "1", "2"]


class Careless(ClassificationDataset):
    """A class of a user's own that checks nothing."""

    name = "careless"
    hub_id = "me/careless"
    configs = {"swh_Latn": "sw"}
    columns = ("text", "label")
    labels = ("no", "yes")

    def to_example(self, row: Row, row_id: str, language: str) -> Example:
        return Example(row_id, row["text"], language, row["label"])


def test_classes_of_the_users_own_are_checked_too(write: Write) -> None:
    texts: list[str | None] = ["a", None, " ", "b"]
    rows = [{"text": text, "label": None if text == "b" else 1} for text in texts]
    assert read(f"{__name__}.Careless", "swh_Latn", write("sw/test", rows)) == [
        *("test-00000", "row 2: the text is None, not a text", "row 3: the text is empty", "row 4: there is no label"),
    ]


@pytest.mark.parametrize("held_out", [None, 0.5])
def test_skipping_leaves_out_what_refusing_refuses(held_out: float | None, write: Write) -> None:
    rows = [PAIR | {"premise": f"p{n}", "label": -1 if n in (2, 5) else n % 3} for n in range(12)]
    for split in ("train", "validation", "test"):
        folder = write(f"en/{split}", rows)
    for split in ("train", "validation", "test"):
        refusing, skipping = (
            labelled_dataset(DatasetConfig("xnli", str(folder), held_out=held_out, bad_rows=bad_rows))
            for bad_rows in ("refuse", "skip")  # type: ignore[arg-type]
        )
        with pytest.raises(RowError, match=r"row 3: the column 'label' holds -1"):
            list(refusing.examples("eng_Latn", split))
        found = list(refusing.read("eng_Latn", split))
        assert sum(isinstance(one, RowError) for one in found) == 2
        assert list(skipping.examples("eng_Latn", split)) == [one for one in found if isinstance(one, Example)]


def test_rows_of_another_training_set_are_skipped_too(write: Write) -> None:
    folder = write("en/train", [PAIR, PAIR | {"label": -1}])
    write("quy/test", [PAIR])
    settings = DatasetConfig(
        "americas_nli", str(folder), bad_rows="skip", train_on=TrainOnConfig("xnli", str(folder))
    )
    assert [example.id for example in labelled_dataset(settings).examples("eng_Latn", "train")] == ["train-00000"]


def test_labels_that_may_be_one_in_two_spellings() -> None:
    assert first_pair_alike(["health", "Sport", "sport"]) == ("Sport", "sport", "case")
    assert first_pair_alike(["0", "0.0"]) == ("0", "0.0", "how the number is written")
    assert first_pair_alike(["no", "not", "nono"]) is None


@pytest.mark.parametrize(
    ("value", "name"),
    [
        *((1, "pos"), ("1", "pos"), ([0, 1, [1]], ["neg", "pos", ["pos"]])),
        *((value, value) for value in (1.0, 1.5, "1.0", "1.5", True, 2, -1, "2", "-1", "9" * 5000, "¹", "pos", None)),
        ([1.0, 1], [1.0, "pos"]),
    ],
    ids=lambda value: repr(value)[:9],
)
def test_only_the_number_of_a_label_becomes_its_name(value: Any, name: Any) -> None:
    found = named(value, ["neg", "pos"])
    assert found == name
    assert type(found) is type(name)


def test_fractions_in_a_column_of_labels_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "en" / "test.parquet"
    file.parent.mkdir()
    label = ClassLabel(names=["entailment", "neutral", "contradiction"])
    features = Features({"premise": Value("string"), "hypothesis": Value("string"), "label": label})
    rows = pyarrow.Table.from_pylist([PAIR | {"label": value} for value in (0.0, 1.0, 1.5, None)])
    pyarrow.parquet.write_table(rows.replace_schema_metadata(features.arrow_schema.metadata), file)
    assert [error.partition(" (")[0].partition(";")[0] for error in read("xnli", "eng_Latn", tmp_path)] == [
        "row 1: the column 'label' holds 0.0, which is a fraction",
        "row 2: the column 'label' holds 1.0, which is a fraction",
        "row 3: the column 'label' holds the unknown label 1.5",
        "row 4: the column 'label' is empty",
    ]


def test_questions_are_read_with_their_config(write: Write) -> None:
    rows = [QUESTION, QUESTION | {"id": "2", "answers": {"text": [], "answer_start": []}}]
    folder = write("plain_text/validation", rows)
    dataset = labelled_dataset(QuestionsConfig("squad", str(folder), bad_rows="skip"))
    assert [dataset.gold(example) for example in dataset.examples("eng_Latn", "test")] == ['["Qunu"]']
