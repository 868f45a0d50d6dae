"""Tagged sentences, from the published rows to the batch."""

from __future__ import annotations

import itertools
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from datasets import ClassLabel, Dataset, Features, List, Value
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from datamodules import (
    DATASETS,
    DataError,
    DatasetConfig,
    Example,
    TaggedSentence,
    TaggingData,
    TaggingDataset,
    labelled_dataset,
)
from datamodules.batching.tokenization import word_tokens
from tests.conftest import FOLDERS
from tests.datamodules.conftest import Write


@pytest.fixture
def folder(write: Write) -> Path:
    """A small WikiANN in two languages, in the hub's columns; sentences of 1 to 9 words."""
    for code, first in (("sw", 0), ("yo", 50)):
        for split, count in (("train", 24), ("validation", 8), ("test", 12)):
            rows = []
            for n in range(count):
                length = 1 + n * 5 % 9
                words = [f"w{first + (3 * n + word) % 50}" for word in range(length)]
                tags = [(n + word) % 7 for word in range(length)]
                rows.append({"tokens": words, "ner_tags": tags, "langs": [code] * length, "spans": ["PER: w1"]})
            made = write(f"{code}/{split}", rows)
    return made


def tagging(folder: Path, tokenizer: PreTrainedTokenizerBase, **options: Any) -> TaggingData:
    config = {key: options.pop(key) for key in ("text_prefix", "max_length", "held_out") if key in options}
    sources = options.pop("sources", ["swh_Latn"])
    return TaggingData(DatasetConfig("wikiann", str(folder), **config), tokenizer, sources=sources, **options)


def published(real_data: Path) -> DatasetConfig:
    return DatasetConfig("masakhaner2", str(real_data / FOLDERS["masakhaner2"]))


def test_a_published_sentence_and_its_tags(real_data: Path) -> None:
    found = labelled_dataset(published(real_data))
    example = next(found.examples("bbj_Latn", "test"))
    assert isinstance(example, TaggedSentence)
    assert found.task == "tagging"
    assert example.text == " ".join(example.words)
    assert unicodedata.normalize("NFC", example.text) == "Brɛ́ndá Biya mú yə mjwǐ Fo gúŋ Ləpʉə Kaməlûm ."
    assert found.gold(example) == "B-PER I-PER O O O O O O B-LOC O"
    assert (example.id, example.label) == ("test-00000", None)


def test_wikiann_has_the_codes_of_wikipedia() -> None:
    configs = DATASETS["wikiann"].configs
    assert len(configs) == len(set(configs.values())) == 122
    # als is Alemannic there, and Albanian here
    assert {code: configs[code] for code in ("swh_Latn", "zho_Hans", "als_Latn", "nob_Latn", "yue_Hant")} == {
        "swh_Latn": "sw",
        "zho_Hans": "zh",
        "als_Latn": "sq",
        "nob_Latn": "no",
        "yue_Hant": "zh-yue",
    }
    assert "hau_Latn" not in configs


@pytest.mark.parametrize("tags", [[1, 2, 0], ["B-PER", "I-PER", "O"]], ids=["numbers", "names"])
def test_tags_are_names_or_numbers(tags: list[object], write: Write) -> None:
    folder = write("swa/test", [{"tokens": ["w1", "w2", "w3"], "ner_tags": tags}])
    found = labelled_dataset(DatasetConfig("masakhaner2", str(folder)))
    [example] = found.examples("swh_Latn", "test")
    assert example == TaggedSentence("test-00000", "w1 w2 w3", "swh_Latn", words=("w1", "w2", "w3"), tags=(1, 2, 0))


def test_numbered_tags_follow_the_order_that_their_file_gives(tmp_path: Path) -> None:
    features = Features({"tokens": List(Value("string")), "ner_tags": List(ClassLabel(names=["B-LOC", "O"]))})
    (tmp_path / "sw").mkdir()
    rows = Dataset.from_dict({"tokens": [["a", "b"]], "ner_tags": [[0, 1]]}, features)
    rows.to_parquet(tmp_path / "sw" / "test.parquet")
    found = labelled_dataset(DatasetConfig("wikiann", str(tmp_path)))
    assert [found.gold(example) for example in found.examples("swh_Latn", "test")] == ["B-LOC O"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"tokens": ["a", "b"], "ner_tags": [0]}, ": there are 2 words, but 1 tags"),
        ({"tokens": ["a", "b"], "ner_tags": [0, 7]}, ", word 2: the column 'ner_tags' holds the unknown label 7;"),
        ({"tokens": ["a"], "ner_tags": ["B-DATE"]}, ", word 1: the column 'ner_tags' holds the unknown label 'B-DATE'"),
    ],
    ids=["unequal", "number", "name"],
)
def test_what_is_wrong_with_a_row_is_said(row: dict[str, Any], message: str, write: Write) -> None:
    folder = write("sw/test", [row])
    with pytest.raises(DataError, match=f"sw/test.parquet, row 1{message}"):
        list(labelled_dataset(DatasetConfig("wikiann", str(folder))).examples("swh_Latn", "test"))


class MyTags(TaggingDataset):
    name = "mine"
    hub_id = "me/mine"
    configs = {"swh_Latn": "sw"}
    columns = ("forms", "upos")
    labels = ("NOUN", "VERB")


def test_a_class_of_ones_own_names_its_columns_and_tags(write: Write) -> None:
    folder = write("sw/test", [{"forms": ["w1", "w2"], "upos": ["VERB", "NOUN"]}])
    found = labelled_dataset(DatasetConfig(f"{__name__}.MyTags", str(folder)))
    assert [found.gold(example) for example in found.examples("swh_Latn", "test")] == ["VERB NOUN"]


@pytest.fixture(scope="module")
def byte_level() -> PreTrainedTokenizerFast:
    """A tokenizer in the manner of GPT-2 and Llama 3: bytes, and a word's piece begins with its blank."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=320, initial_alphabet=alphabet, special_tokens=["<s>"], show_progress=False
    )
    tokenizer.train_from_iterator(["Habari ya dunia", "dunia yote", "habari za leo", "ya leo"] * 5, trainer)
    tokenizer.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)]),
        ]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>")


@pytest.fixture(scope="module")
def real_tokenizer(e5: Path) -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(e5)


def check_alignment(
    tokenizer: PreTrainedTokenizerBase, sentences: list[tuple[str, ...]], prefix: str, squeezed: Any
) -> None:
    """Words have tokens of their own, in order, without a gap, and those tokens say the word."""
    for words, row in zip(sentences, word_tokens(tokenizer, sentences, 512, prefix), strict=True):
        assert len(row.first) == len(row.last) == len(words)
        for before, after in itertools.pairwise(zip(row.first, row.last, strict=True)):
            assert before[0] <= before[1] == after[0] - 1
        for word, first, last in zip(words, row.first, row.last, strict=True):
            assert squeezed(tokenizer.decode(row.ids[first : last + 1])) == squeezed(word)


@pytest.mark.parametrize("prefix", ["", "query: "])
def test_words_among_the_tokens_of_a_byte_level_tokenizer(byte_level: PreTrainedTokenizerFast, prefix: str) -> None:
    sentences = [("Habari", "ya", "dunia", "!"), ("ʉə", "Kaməlûm", "2023", ","), ("leo",), ("日本", "語")]
    check_alignment(byte_level, sentences, prefix, str.strip)


@pytest.mark.parametrize("prefix", ["", "query: "])
@pytest.mark.parametrize("language", ["bbj_Latn", "swh_Latn", "yor_Latn", "xho_Latn"])
def test_words_among_the_tokens_of_a_real_tokenizer(
    real_tokenizer: PreTrainedTokenizerBase, real_data: Path, language: str, prefix: str
) -> None:
    tokenizer = real_tokenizer
    examples = labelled_dataset(published(real_data)).examples(language, "validation")
    sentences = [example.words for example in examples if isinstance(example, TaggedSentence)]
    known = [
        words for words in sentences if tokenizer.unk_token_id not in tokenizer(" ".join(words)).input_ids
    ]
    assert len(known) > 400
    normalise = tokenizer.backend_tokenizer.normalizer.normalize_str
    check_alignment(tokenizer, known, prefix, lambda text: normalise(text).replace(" ", "").replace("▁", ""))


def test_the_tokens_are_those_of_split_words_where_the_tokenizer_takes_them(
    real_tokenizer: PreTrainedTokenizerBase, real_data: Path
) -> None:
    examples = labelled_dataset(published(real_data)).examples("wol_Latn", "test")
    sentences = [list(example.words) for example in examples if isinstance(example, TaggedSentence)]
    rows = word_tokens(real_tokenizer, sentences, 24)
    split = real_tokenizer(sentences, is_split_into_words=True, truncation=True, max_length=24)
    assert any(-1 in row.first for row in rows)
    for number, (words, row) in enumerate(zip(sentences, rows, strict=True)):
        numbers = split.word_ids(number)
        assert row.ids == split["input_ids"][number]
        assert row.first == [numbers.index(word) if word in numbers else -1 for word in range(len(words))]


def test_words_without_a_token(tokenizer: PreTrainedTokenizerFast) -> None:
    sentences = [("w1", " ", "w2"), ("", "w1"), ("w1", ""), ("w1", "w2", "w3", "w4"), ()]
    rows = word_tokens(tokenizer, sentences, max_length=5, prefix="w9 ")
    assert [row.first for row in rows] == [[2, -1, 3], [-1, 2], [2, -1], [2, 3, -1, -1], []]
    assert [row.last for row in rows] == [row.first for row in rows]
    assert rows[3].ids == [0, 14, 6, 7, 2]


def test_a_blank_word_takes_no_token_from_the_next(byte_level: PreTrainedTokenizerFast) -> None:
    [row] = word_tokens(byte_level, [("ya", " ", "leo")], max_length=20)
    assert row.first[1] == row.last[1] == -1
    # the blanks are the next word's, as a single one would be
    assert byte_level.decode(row.ids[row.first[2] : row.last[2] + 1]) == "   leo"


def test_batches_give_back_gold(folder: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    data = tagging(folder, tokenizer, text_prefix="w99 ", targets=["swh_Latn", "yor_Latn"], eval_batch_size=5)
    gold = {(e.language, e.id): e for code in data.targets for e in data.dataset.examples(code, "test")}
    batches = list(data.predict_dataloader())
    seen = Counter(pair for batch in batches for pair in zip(batch["language"], batch["id"], strict=True))
    assert seen.keys() == gold.keys()
    assert set(seen.values()) == {1}
    for batch in batches:
        assert set(batch) == {
            *("input_ids", "attention_mask", "words", "first_tokens", "last_tokens", "labels", "language", "id")
        }
        for number, key in enumerate(zip(batch["language"], batch["id"], strict=True)):
            example = gold[key]
            count = batch["words"][number]
            labels = batch["labels"][number]
            assert " ".join(data.dataset.labels[tag] for tag in labels[:count]) == data.dataset.gold(example)
            assert (labels[count:] == -100).all()
            assert (batch["first_tokens"][number][count:] == -1).all()
            tokens = batch["input_ids"][number][batch["first_tokens"][number][:count]]
            assert tokenizer.convert_ids_to_tokens(tokens) == example.text.split()
            assert batch["input_ids"][number][1] == tokenizer.convert_tokens_to_ids("w99")


def test_words_that_are_cut_off_keep_their_gold(folder: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    [batch] = tagging(folder, tokenizer, max_length=5, eval_batch_size=8).val_dataloader()
    assert batch["input_ids"].shape == (8, 5)
    assert batch["words"].tolist() == [len(row[row >= 0]) for row in batch["labels"]]
    assert batch["words"].max() == 9
    assert ((batch["first_tokens"] >= 0).sum(1) == batch["words"].clamp(max=3)).all()


def test_new_texts_make_batches_without_labels(folder: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    texts = [
        Example("a", " w1  w2 w3", "yor_Latn"),
        TaggedSentence("b", "w4", "yor_Latn", words=("w4",), tags=(0,)),
    ]
    [batch] = tagging(folder, tokenizer).examples_dataloader(texts)
    assert "labels" not in batch
    rows = zip(batch["id"], batch["words"].tolist(), batch["first_tokens"].tolist(), strict=True)
    assert sorted(rows) == [("a", 3, [1, 2, 3]), ("b", 1, [1, -1, -1])]


def test_training_batches_and_k_shot(folder: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    data = tagging(folder, tokenizer, sources=["swh_Latn", "yor_Latn"], k_shot=5, batch_size=10)
    assert Counter(example.language for example in data.training_examples) == {"swh_Latn": 5, "yor_Latn": 5}
    batch = next(iter(data.train_dataloader()))
    assert sorted(batch["language"]) == ["swh_Latn"] * 5 + ["yor_Latn"] * 5
    assert batch["labels"].shape == batch["first_tokens"].shape == batch["last_tokens"].shape


def test_held_out_sentences_keep_their_tags(folder: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    data = tagging(folder, tokenizer, held_out=0.25)
    whole = labelled_dataset(DatasetConfig("wikiann", str(folder)))
    parts = {split: list(data.dataset.examples("swh_Latn", split)) for split in ("train", "validation")}
    assert {split: len(part) for split, part in parts.items()} == {"train": 18, "validation": 6}
    everything = {example.id: whole.gold(example) for example in whole.examples("swh_Latn", "train")}
    assert {e.id: data.dataset.gold(e) for part in parts.values() for e in part} == everything
    assert data.dataset.task == "tagging"
    [batch] = data.val_dataloader()
    assert sorted(batch["id"]) == sorted(example.id for example in parts["validation"])


def test_an_empty_training_sentence_is_refused(write: Write, tokenizer: PreTrainedTokenizerFast) -> None:
    folder = write("sw/train", [{"tokens": ["w1"], "ner_tags": [0]}, {"tokens": [], "ner_tags": []}])
    with pytest.raises(DataError, match="sw/train.parquet, row 2: the sentence is empty$"):
        tagging(folder, tokenizer).train_dataloader()
