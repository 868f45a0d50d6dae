"""The datasets on their published data, and what they say when something is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from datasets import ClassLabel, Dataset, Features, Value

from datamodules import (
    DATASETS,
    ClassificationDataset,
    DataError,
    DatasetConfig,
    Example,
    LabelledDataset,
    dataset,
    labelled_dataset,
)
from datamodules.sources.row import Row
from tests.conftest import FOLDERS
from tests.datamodules.conftest import Write

EMPTY = {("americas_nli", "nah_Latn"): 3}
"""Test examples that lack a text, as published."""
SPLITS = ("train", "validation", "test")


def labelled(name: str, real_data: Path) -> LabelledDataset:
    return labelled_dataset(DatasetConfig(name, str(real_data / FOLDERS[name])))


@pytest.mark.parametrize("name", FOLDERS)
def test_every_row_of_every_language_is_an_example(name: str, real_data: Path) -> None:
    found = labelled(name, real_data)
    folders = {folder.name for folder in (real_data / FOLDERS[name]).iterdir()}
    assert folders == set(found.configs.values())
    languages = found.languages if name != "sib200" else ("eng_Latn", "swh_Latn", "nqo_Nkoo", "zho_Hant")
    for language in languages:
        for split in SPLITS:
            lacking = {"train"} if name == "xnli" else set(found.absent.get(language, ()))
            if split not in found.splits or split in lacking:
                continue  # the local XNLI lacks its training split
            examples = list(found.examples(language, split))
            assert examples
            assert len({example.id for example in examples}) == len(examples)
            assert all(len(example.texts) == 1 + found.pairs and example.language == language for example in examples)
            empty = sum(not text.strip() for example in examples for text in example.texts)
            assert empty == (EMPTY.get((name, language), 0) if split == "test" else 0)


@pytest.mark.parametrize(
    ("name", "language", "rows"),
    [
        ("sib200", "eng_Latn", (701, 99, 204)),
        ("masakhanews", "gaz_Latn", (1128, 162, 325)),
        ("afrisenti", "twi_Latn", (3481, 388, 949)),
        ("nusax", "jav_Latn", (500, 100, 400)),
    ],
)
def test_split_sizes(name: str, language: str, rows: tuple[int, ...], real_data: Path) -> None:
    found = labelled(name, real_data)
    assert tuple(sum(1 for _ in found.examples(language, split)) for split in SPLITS) == rows


@pytest.mark.parametrize("language", ["eng_Latn", "urd_Arab"])
def test_a_premise_of_xnli_stands_in_one_pair_of_each_label(language: str, real_data: Path) -> None:
    found = labelled("xnli", real_data)
    premises: dict[str, list[Example]] = {}
    for example in found.examples(language, "validation"):
        premises.setdefault(found.group_of(example), []).append(example)
    assert len(premises) == 830
    for examples in premises.values():
        assert len({example.text for example in examples}) == 1
        assert {example.label for example in examples} == {0, 1, 2}


def test_labels_of_sib200_are_the_published_ones(real_data: Path) -> None:
    found = labelled("sib200", real_data)
    counts = [0] * 7
    for example in found.examples("eng_Latn", "train"):
        assert example.label is not None
        counts[example.label] += 1
    assert dict(zip(found.labels, counts, strict=True)) == {
        "science/technology": 176,
        "travel": 138,
        "politics": 102,
        "sports": 85,
        "health": 77,
        "entertainment": 65,
        "geography": 58,
    }


@pytest.mark.parametrize("name", ["masakhanews", "afrisenti", "nusax"])
def test_labels_in_a_language_are_those_of_its_data(name: str, real_data: Path) -> None:
    found = labelled(name, real_data)
    for language in found.languages:
        present = {
            example.label for split in ("validation", "test") for example in found.examples(language, split)
        }
        assert {found.labels[label] for label in present if label is not None} == set(
            found.labels_in(language)
        )


@pytest.mark.parametrize("name", ["sib200", "nusax"])
def test_parallel_datasets_say_the_same_in_every_language(name: str, real_data: Path) -> None:
    found = labelled(name, real_data)
    assert found.parallel
    for split in SPLITS:
        pivot = {example.id: example.label for example in found.examples("eng_Latn", split)}
        for language in found.languages[:12]:
            assert {example.id: example.label for example in found.examples(language, split)} == pivot


def test_a_sentence_and_its_label(real_data: Path) -> None:
    [example] = [e for e in labelled("sib200", real_data).examples("eng_Latn", "test") if e.id == "1523"]
    assert example.text.startswith("Mutation adds new genetic variation")
    assert example.label == 0


def test_a_headline_stands_before_its_text(real_data: Path) -> None:
    first = next(labelled("masakhanews", real_data).examples("swh_Latn", "validation"))
    raw = next(labelled("masakhanews", real_data).rows("swh_Latn", "validation"))
    assert isinstance(raw, Row)
    assert first.text == f"{raw['headline']} {raw['text']}".strip()
    assert first.id == "validation-00000"


@pytest.mark.parametrize("label", [{"label": 5}, {"category": "sports"}], ids=["number", "name"])
def test_both_schemas_of_masakhanews_are_read(label: dict[str, int | str], write: Write) -> None:
    folder = write("swa/test", [{"headline": "H", "text": "T", "url": "u", **label}])
    [example] = labelled_dataset(DatasetConfig("masakhanews", str(folder))).examples("swh_Latn", "test")
    assert example == Example("test-00000", "H T", "swh_Latn", 5)


def test_numbered_labels_follow_their_own_order(tmp_path: Path) -> None:
    features = Features(
        {"tweet": Value("string"), "label": ClassLabel(names=["negative", "neutral", "positive"])}
    )
    (tmp_path / "hau").mkdir()
    Dataset.from_dict({"tweet": ["a", "b"], "label": [0, 2]}, features).to_parquet(
        tmp_path / "hau" / "test.parquet"
    )
    found = labelled_dataset(DatasetConfig("afrisenti", str(tmp_path)))
    assert [found.labels[e.label or 0] for e in found.examples("hau_Latn", "test")] == [
        "negative",
        "positive",
    ]


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        ("positif", "holds the unknown label 'positif'; did you mean 'positive'?; known: positive, neutral, negative"),
        (1, "holds the unknown label 1; known: positive, neutral, negative"),
        (None, "is empty"),
    ],
    ids=["name", "number", "none"],
)
def test_an_unknown_label_is_refused(label: object, reason: str, write: Write) -> None:
    folder = write("hau/test", [{"tweet": "a", "label": label}])
    with pytest.raises(DataError) as error:
        list(labelled_dataset(DatasetConfig("afrisenti", str(folder))).examples("hau_Latn", "test"))
    assert str(error.value) == f"{folder}/hau/test.parquet, row 1: the column 'label' {reason}"


def test_quotes_are_text_in_the_tsv_files_of_datasets_that_say_so(tmp_path: Path) -> None:
    tweets = ['"he said', 'w"2', 'three" times', '"all of it"']
    afrisenti, sib200 = tmp_path / "hau" / "test.tsv", tmp_path / "hau_Latn" / "test.tsv"
    for file in (afrisenti, sib200):
        file.parent.mkdir()
    afrisenti.write_text("tweet\tlabel\n" + "".join(f"{tweet}\tneutral\n" for tweet in tweets))
    sib200.write_text('text\tcategory\tindex_id\n"say ""yes"""\ttravel\t1\n')
    assert [one.text for one in dataset("afrisenti", str(tmp_path)).examples("hau_Latn", "test")] == tweets
    assert [one.text for one in dataset("sib200", str(tmp_path)).examples("hau_Latn", "test")] == ['say "yes"']


def test_texts_that_two_splits_share_are_found(write: Write) -> None:
    write("hau/train", [{"tweet": text, "label": "neutral"} for text in ("a", "b ", "c")])
    folder = write("hau/test", [{"tweet": text, "label": "neutral"} for text in ("x", "b", "c", "c")])
    found = labelled_dataset(DatasetConfig("afrisenti", str(folder)))
    assert found.overlap("hau_Latn", "train", "test") == ["test-00001", "test-00002", "test-00003"]


def test_unknown_datasets() -> None:
    with pytest.raises(
        DataError, match=r"^unknown dataset 'sib20'; did you mean 'sib200'\?; known: afrisenti, "
    ):
        dataset("sib20")
    with pytest.raises(DataError, match=r"^dataset 'no.such.Thing' cannot be imported: No module named 'no'"):
        dataset("no.such.Thing")
    with pytest.raises(DataError, match=r"^dataset 'pathlib.Path' is not a subclass of datamodules.Dataset"):
        dataset("pathlib.Path")
    with pytest.raises(
        DataError, match=r"^dataset 'wikipedia' has no labels; labelled datasets: afrisenti, "
    ):
        labelled_dataset(DatasetConfig("wikipedia"))


class MyDataset(ClassificationDataset):
    name = "mine"
    hub_id = "me/mine"
    configs = {"swh_Latn": "sw"}
    columns = ("sentence", "good")
    labels = ("bad", "good")

    def to_example(self, row: Row, row_id: str, language: str) -> Example:
        return Example(row_id, row["sentence"], language, int(row["good"]))


def test_a_class_of_ones_own_is_named_by_its_dotted_path(write: Write) -> None:
    folder = write("sw/test", [{"sentence": "a", "good": True}])
    found = labelled_dataset(DatasetConfig(f"{__name__}.MyDataset", str(folder)))
    assert list(found.examples("swh_Latn", "test")) == [Example("test-00000", "a", "swh_Latn", 1)]


def test_missing_languages_and_splits(real_data: Path) -> None:
    news = labelled("masakhanews", real_data)
    with pytest.raises(
        DataError, match=r"^'swa_Latn' is not a language of masakhanews; nearest: swh_Latn \(Swahili\)$"
    ):
        news.check("swa_Latn", "test")
    with pytest.raises(DataError, match=r"^'zul_Latn' is not a language of masakhanews"):
        news.labels_in("zul_Latn")
    with pytest.raises(
        DataError, match=r"^masakhanews has no dev split for eng_Latn, only train and validation and test"
    ):
        news.check("eng_Latn", "dev")
    tweets = DATASETS["afrisenti"]()
    with pytest.raises(
        DataError, match=r"^afrisenti has no train split for tir_Ethi, only validation and test; languages"
    ):
        tweets.check("tir_Ethi", "train")


def test_wikipedia_and_flores_know_their_configs() -> None:
    assert DATASETS["wikipedia"]().config_of("swh_Latn") == "20231101.sw"
    assert DATASETS["flores"]().config_of("zho_Hans") == "cmn_Hans"
    with pytest.raises(DataError, match="flores has no train split for swh_Latn, only validation and test"):
        DATASETS["flores"]().check("swh_Latn", "train")


def test_a_folder_of_texts_may_use_any_code(write: Write) -> None:
    write("swa/train", [{"text": "a"}])
    folder = write("hau_Latn/train", [{"text": "b"}])
    texts = dataset("texts", str(folder))
    assert set(texts.languages) == {"swh_Latn", "hau_Latn"}
    assert [example.text for example in texts.examples("swh_Latn", "train")] == ["a"]
    with pytest.raises(DataError, match="has no 'swc_Latn'|unknown language 'swc_Latn'"):
        texts.check("swc_Latn", "train")
    with pytest.raises(DataError, match=r"has no 'yor_Latn'"):
        texts.check("yor_Latn", "train")
    with pytest.raises(DataError, match="needs a path"):
        dataset("texts")


def test_a_folder_of_texts_has_one_folder_per_language(write: Write) -> None:
    for code in ("swa", "sw", "zh", "eng"):
        folder = write(f"{code}/train", [{"text": code}])
    texts = dataset("texts", str(folder))
    with pytest.raises(DataError, match=f"^the folders swa and sw of {folder} are both of swh_Latn: rename one"):
        texts.check("swh_Latn", "train")
    for code in ("zho_Hans", "zho_Hant"):
        with pytest.raises(DataError, match=f"^the folder zh of {folder} may be of zho_Hans or zho_Hant: give it"):
            texts.check(code, "train")
    write("zho_Hant/train", [{"text": "own"}])
    found = dataset("texts", str(folder)).examples("zho_Hant", "train")  # a dataset lists its folder once
    assert [example.text for example in found] == ["own"]


@pytest.mark.parametrize("text", [["a"], 7, {"a": 1}])
def test_texts_that_are_none_are_refused_with_their_row(text: object, write: Write) -> None:
    folder = write("eng/train", [{"text": text}])
    with pytest.raises(DataError, match="^.*/eng/train.parquet, row 1: the column 'text' holds a .*, not a text$"):
        list(dataset("texts", str(folder)).examples("eng_Latn", "train"))
