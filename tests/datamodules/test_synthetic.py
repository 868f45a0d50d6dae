"""The synthetic languages: the same on every machine, related as documented, and no test sentence is learnt from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from datamodules import (
    ClassificationDataset,
    DataError,
    DatasetConfig,
    MaskingConfig,
    MonolingualData,
    ParallelConfig,
    ParallelText,
    dataset,
    labelled_dataset,
    language,
)
from datamodules.datasets.synthetic import SYNTHETIC_LANGUAGES, VERSION, Synthetic, SyntheticText
from datamodules.datasets.synthetic_tokenizer import LANGUAGES as PRETRAINING_LANGUAGES
from datamodules.datasets.synthetic_tokenizer import make_tokenizer

ROOT = Path(__file__).parents[2]
SPLITS = ("train", "validation", "test")
TARGETS = [code for code in SYNTHETIC_LANGUAGES if code not in PRETRAINING_LANGUAGES]


def texts(found: Synthetic | SyntheticText, code: str, split: str) -> list[str]:
    return [example.text for example in found.examples(code, split)]


def words(code: str) -> set[str]:
    return {word for text in texts(Synthetic(), code, "train") for word in text.split()}


def share(part: Iterable[str], whole: Iterable[str]) -> float:
    part, whole = set(part), set(whole)
    return len(part & whole) / len(part)


PRINT_DIGEST = """
import hashlib
from datamodules.datasets.synthetic import SYNTHETIC_LANGUAGES, Synthetic, SyntheticText

digest = hashlib.sha256()
for code in SYNTHETIC_LANGUAGES:
    for found, split in (Synthetic(), "train"), (Synthetic(), "test"), (SyntheticText(), "train"):
        for example in found.examples(code, split):
            digest.update(f"{example.id} {example.label} {example.text}\\n".encode())
print(digest.hexdigest())
"""

DIGEST = "fcfc0930d793293467bcf7d0a1bf6077c79121e1724c9c2408ac70570405b349"


def test_every_process_draws_the_same() -> None:
    command = [sys.executable, "-c", PRINT_DIGEST]
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        printed = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
        assert printed.strip() == DIGEST, "the texts have changed: raise VERSION and note the new digest here"


def test_the_fingerprint_tells_version_language_and_split_apart() -> None:
    assert Synthetic().fingerprint("qae_Latn", "train") == f"synthetic {VERSION}/qae_Latn/train"
    assert SyntheticText().fingerprint("qae_Latn", "train") == f"synthetic-text {VERSION}/qae_Latn/train"


def test_it_goes_by_its_name_like_any_dataset() -> None:
    assert isinstance(labelled_dataset(DatasetConfig("synthetic")), ClassificationDataset)
    assert isinstance(dataset("synthetic-text"), SyntheticText)
    assert [language(code).name for code in Synthetic().languages] == [f"Synthetic {letter}" for letter in "ABCDEFG"]


@pytest.mark.parametrize("name", ["synthetic", "synthetic-text"])
def test_there_is_nothing_to_read(name: str) -> None:
    with pytest.raises(DataError, match=f"dataset '{name}' is drawn, not read: leave out its path and revision"):
        dataset(name, path="somewhere")


def test_an_unknown_split_is_said_with_the_known_ones() -> None:
    with pytest.raises(DataError, match="synthetic-text has no test split for qaa_Latn, only train and validation"):
        SyntheticText().check("qaa_Latn", "test")


@pytest.mark.parametrize("code", SYNTHETIC_LANGUAGES)
def test_no_test_sentence_is_in_any_text_to_learn_from(code: str) -> None:
    sentences = {split: texts(Synthetic(), code, split) for split in SPLITS}
    assert [len(sentences[split]) for split in SPLITS] == [1200, 300, 600]
    learnt = [line for split in ("train", "validation") for line in sentences[split]]
    for split in ("train", "validation"):
        learnt += [line for document in texts(SyntheticText(), code, split) for line in document.splitlines()]
    assert not set(sentences["test"]) & set(learnt)
    assert not set(sentences["train"]) & set(sentences["validation"])


def test_translations_of_a_test_sentence_are_in_no_parallel_text() -> None:
    test = set(texts(Synthetic(), "qae_Latn", "test")) | set(texts(Synthetic(), "qaa_Latn", "test"))
    pairs = list(ParallelText(ParallelConfig(dataset="synthetic", pivot="qaa_Latn")).pairs("qae_Latn"))
    assert len(pairs) == 1200
    assert not test & {text for pair in pairs for text in (pair.target, pair.pivot)}
    with pytest.raises(ValueError, match="may not use a test split"):
        ParallelConfig(dataset="synthetic", pivot="qaa_Latn", split="test")


@pytest.mark.parametrize("split", SPLITS)
def test_labels_are_balanced_and_ids_do_not_tell_them(split: str) -> None:
    labels = [example.label for example in Synthetic().examples("qaa_Latn", split)]
    counts = Counter(labels)
    assert set(counts) == set(range(len(Synthetic.labels)))
    assert max(counts.values()) < 1.5 * min(counts.values())
    # no period in them: neighbours at any distance agree about as often as chance has it
    for distance in range(1, 13):
        agreeing = sum(one == other for one, other in zip(labels, labels[distance:], strict=False)) / len(labels)
        assert abs(agreeing - 1 / len(counts)) < 0.08


def test_rows_with_the_same_id_have_the_same_label_and_length_in_all_languages() -> None:
    for rows in zip(*(Synthetic().examples(code, "test") for code in SYNTHETIC_LANGUAGES), strict=True):
        assert len({(row.id, row.label, len(row.text.split())) for row in rows}) == 1


def test_different_words_stay_different_in_every_language() -> None:
    assert len({len(words(code)) for code in SYNTHETIC_LANGUAGES}) == 1
    assert len({len(set(texts(Synthetic(), code, "test"))) for code in SYNTHETIC_LANGUAGES}) == 1


@pytest.mark.parametrize("target", TARGETS)
def test_targets_are_related_to_the_languages_of_pretraining_but_not_the_same(target: str) -> None:
    seen = set().union(*map(words, PRETRAINING_LANGUAGES))
    assert 0.3 < share(words(target), words("qaa_Latn")) < 0.7
    assert 0.5 < share(words(target), seen) < 0.9


def test_sound_changes_are_regular() -> None:
    # B turns each p into f and each k into h, so neither is left but in the names and numerals that all share
    shared = set.intersection(*map(words, SYNTHETIC_LANGUAGES))
    assert shared
    assert not {word for word in words("qab_Latn") - shared if set(word) & set("pk")}
    inherited = {word.translate(str.maketrans("pk", "fh")) for word in words("qaa_Latn") - shared}
    assert share(words("qab_Latn") - shared, inherited) > 0.8


def test_order_differs() -> None:
    # A puts a particle before the subject that begins the sentence, E puts it behind
    first_words = {code: {text.split()[0] for text in texts(Synthetic(), code, "test")} for code in SYNTHETIC_LANGUAGES}
    assert len(first_words["qaa_Latn"]) == 1
    assert len(first_words["qae_Latn"]) > 20


def test_the_tokenizer_of_the_quickstart_is_the_one_that_the_code_makes(tmp_path: Path) -> None:
    folder = ROOT / "experiments" / "quickstart" / "backbone"
    make_tokenizer().save_pretrained(tmp_path)
    for file in tmp_path.iterdir():
        assert file.read_text() == (folder / file.name).read_text(), file.name
    vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    assert json.loads((folder / "config.json").read_text())["vocab_size"] == len(vocabulary)


def test_the_tokenizer_knows_every_syllable_and_cuts_unseen_languages_finer() -> None:
    tokenizer = make_tokenizer()
    fertility = {}
    for code in SYNTHETIC_LANGUAGES:
        some = texts(Synthetic(), code, "train")
        tokens = [token for text in some for token in tokenizer.tokenize(text)]
        assert tokenizer.unk_token not in tokens
        fertility[code] = len(tokens) / sum(len(text.split()) for text in some)
    assert max(fertility[code] for code in PRETRAINING_LANGUAGES) < min(fertility[code] for code in TARGETS)


def test_documents_become_masked_batches() -> None:
    config = MaskingConfig(dataset="synthetic-text", max_length=40)
    data = MonolingualData(config, make_tokenizer(), languages=["qaa_Latn", "qab_Latn"], batch_size=8)
    batch = next(iter(data.train_dataloader()))
    assert batch["input_ids"].shape[0] == 8
    assert 30 <= batch["input_ids"].shape[1] <= 40
    assert (batch["labels"] != -100).any(1).all()
