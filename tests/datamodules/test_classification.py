from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import LightningModule, Trainer
from transformers import PreTrainedTokenizerFast

from datamodules import ClassificationData, DataError, DatasetConfig, Example
from datamodules.datasets.k_shot import choose_k_shot
from tests.datamodules.conftest import Write

EXAMPLES = [
    Example(str(n), f"w{n}", language, n % 3) for language in ("eng_Latn", "swh_Latn") for n in range(60)
]


def test_k_shot_takes_k_of_each_class_and_language() -> None:
    chosen = choose_k_shot(EXAMPLES, 5, seed=0)
    assert Counter((example.language, example.label) for example in chosen) == Counter(
        {(language, label): 5 for language in ("eng_Latn", "swh_Latn") for label in range(3)}
    )
    assert chosen == [example for example in EXAMPLES if example in chosen]


def test_k_shot_depends_on_the_seed_and_not_on_the_order() -> None:
    chosen = choose_k_shot(EXAMPLES, 5, seed=0)
    assert set(choose_k_shot(reversed(EXAMPLES), 5, seed=0)) == set(chosen)
    assert set(choose_k_shot(EXAMPLES, 5, seed=1)) != set(chosen)
    assert set(choose_k_shot(EXAMPLES[:60], 5, seed=0)) == {e for e in chosen if e.language == "eng_Latn"}


def test_k_shot_takes_the_same_sentences_in_each_language() -> None:
    chosen = choose_k_shot(EXAMPLES, 5, seed=0)
    english, swahili = ([e.id for e in chosen if e.language == code] for code in ("eng_Latn", "swh_Latn"))
    assert english == swahili


def test_k_shot_takes_all_of_a_class_that_has_fewer() -> None:
    assert choose_k_shot(EXAMPLES, 1000, seed=0) == EXAMPLES


@pytest.fixture
def folder(write: Write) -> Path:
    """A small AfriSenti in two languages whose texts are of unequal length."""
    for code, first in (("hau", 0), ("yor", 50)):
        for split, count in (("train", 21), ("validation", 7), ("test", 11)):
            rows = [
                {
                    "tweet": " ".join(f"w{first + word}" for word in range(1 + n * 5 % 13)),
                    "label": ("positive", "neutral", "negative")[n % 3],
                }
                for n in range(count)
            ]
            made = write(f"{code}/{split}", rows)
    return made


def data(folder: Path, tokenizer: PreTrainedTokenizerFast, **options: Any) -> ClassificationData:
    config = {
        key: options.pop(key) for key in ("text_prefix", "max_length", "train_max_length") if key in options
    }
    sources = options.pop("sources", ["hau_Latn"])
    return ClassificationData(
        DatasetConfig("afrisenti", path=str(folder), **config), tokenizer, sources=sources, **options
    )


def test_a_training_batch(folder: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    made = data(folder, tokenizer, batch_size=4)
    assert made.labels == ["positive", "neutral", "negative"]
    examples = {example.id: example for example in made.dataset.examples("hau_Latn", "train")}
    for batch in itertools.islice(made.train_dataloader(), 20):
        assert set(batch) == {"input_ids", "attention_mask", "labels", "language", "id"}
        assert batch["language"] == ["hau_Latn"] * 4
        for ids, mask, label, name in zip(
            batch["input_ids"], batch["attention_mask"], batch["labels"], batch["id"], strict=True
        ):
            example = examples[name]
            words = example.text.split()
            assert tokenizer.convert_ids_to_tokens(ids[mask.bool()]) == ["<s>", *words, "</s>"]
            assert label == example.label
            assert (ids[~mask.bool()] == tokenizer.pad_token_id).all()
        assert batch["attention_mask"].sum(1).max() == batch["input_ids"].shape[1]
        assert (
            batch["input_ids"].dtype == batch["attention_mask"].dtype == batch["labels"].dtype == torch.long
        )


def test_lengths_and_prefix(folder: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    made = data(folder, tokenizer, max_length=9, train_max_length=5, text_prefix="w99 ")
    longest = max(batch["input_ids"].shape[1] for batch in itertools.islice(made.train_dataloader(), 10))
    assert longest == 5
    [batch] = made.val_dataloader()
    assert batch["input_ids"].shape[1] == 9
    assert (batch["input_ids"][:, 1] == tokenizer.convert_tokens_to_ids("w99")).all()
    assert (batch["input_ids"] == tokenizer.eos_token_id).sum(1).eq(1).all()


def test_several_sources_are_mixed(folder: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    made = data(folder, tokenizer, sources=["hau_Latn", "yor_Latn"], batch_size=6)
    batches = list(itertools.islice(made.train_dataloader(), 7))
    assert any(len(set(batch["language"])) == 2 for batch in batches)
    seen = Counter(pair for batch in batches for pair in zip(batch["language"], batch["id"], strict=True))
    assert len(seen) == 42
    assert set(seen.values()) == {1}


def test_the_test_splits_of_many_languages_share_batches(
    folder: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    made = data(folder, tokenizer, targets=["hau_Latn", "yor_Latn"], eval_batch_size=4)
    batches = list(made.predict_dataloader())
    seen = Counter(pair for batch in batches for pair in zip(batch["language"], batch["id"], strict=True))
    assert len(seen) == 22
    assert set(seen.values()) == {1}
    assert any(len(set(batch["language"])) == 2 for batch in batches)
    assert {name for batch in made.predict_dataloader(["yor_Latn"]) for name in batch["language"]} == {
        "yor_Latn"
    }


def test_texts_without_labels_make_batches_without_labels(
    folder: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    [batch] = data(folder, tokenizer).examples_dataloader([Example("a", "w1 w2", "yor_Latn")])
    assert set(batch) == {"input_ids", "attention_mask", "language", "id"}
    assert batch["input_ids"].tolist() == [[0, 6, 7, 2]]


def test_k_shot_of_the_data_module(folder: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    made = data(folder, tokenizer, k_shot=2, seed=3)
    assert Counter(example.label for example in made.training_examples) == {0: 2, 1: 2, 2: 2}
    assert data(folder, tokenizer, k_shot=2, seed=3).training_examples == made.training_examples


def test_languages_and_splits_that_are_not_there(folder: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    with pytest.raises(DataError, match="'swa_Latn' is not a language of afrisenti; nearest: swh_Latn"):
        data(folder, tokenizer, sources=["swa_Latn"]).train_dataloader()
    with pytest.raises(DataError, match="no train split for tir_Ethi"):
        data(folder, tokenizer, sources=["tir_Ethi"]).train_dataloader()
    with pytest.raises(DataError, match="has no 'ibo'"):
        data(folder, tokenizer, targets=["ibo_Latn"])


def test_an_empty_training_text_is_refused(write: Write, tokenizer: PreTrainedTokenizerFast) -> None:
    folder = write("hau/train", [{"tweet": text, "label": "neutral"} for text in ("a", " \n")])
    with pytest.raises(DataError, match="hau/train.parquet, row 2: the tweet is empty$"):
        data(folder, tokenizer).train_dataloader()


def test_no_training_examples_are_refused(folder: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    with pytest.raises(DataError, match="no training example in no language"):
        data(folder, tokenizer, sources=[]).train_dataloader()


class Recorder(LightningModule):
    """Notes which rows it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.trained: list[list[str]] = []
        self.validated: list[str] = []

    def training_step(self, batch: Any, _index: int) -> torch.Tensor:
        self.trained.append(batch["id"])
        return self.weight * batch["labels"].float().mean()

    def validation_step(self, batch: Any, _index: int) -> None:
        self.validated += batch["id"]

    def predict_step(self, batch: Any, _index: int) -> list[str]:
        return list(batch["id"])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.filterwarnings("ignore")
def test_lightning_takes_the_loaders_as_they_are(
    folder: Path, tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    def trainer(steps: int) -> Trainer:
        return Trainer(
            accelerator="cpu",
            max_steps=steps,
            val_check_interval=10,
            check_val_every_n_epoch=None,
            num_sanity_val_steps=0,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=tmp_path,
        )

    module = Recorder()
    trainer(20).fit(module, data(folder, tokenizer, batch_size=4))
    assert len(module.trained) == 20
    assert Counter(module.validated) == {f"validation-{n:05d}": 2 for n in range(7)}

    resumed, rest = Recorder(), data(folder, tokenizer, batch_size=4)
    rest.skip = 12
    trainer(8).fit(resumed, rest)
    assert resumed.trained == module.trained[12:]

    predicted = trainer(1).predict(
        module, datamodule=data(folder, tokenizer, targets=["hau_Latn"], eval_batch_size=4)
    )
    assert sorted(name for batch in predicted or [] for name in batch) == [f"test-{n:05d}" for n in range(11)]
