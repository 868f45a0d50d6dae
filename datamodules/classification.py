"""Batches for training and testing a classifier."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from lightning import LightningDataModule
from torch.utils.data import DataLoader
from transformers import PreTrainedTokenizerBase

from datamodules.batches import Batch, evaluation_loader, global_batches, shuffled_epochs, training_loader
from datamodules.dataset import TEST, TRAIN, VALIDATION, DatasetConfig, Example
from datamodules.errors import DataError
from datamodules.k_shot import k_shot as choose
from datamodules.registry import classification_dataset
from datamodules.tokenization import encode


class ClassificationData(LightningDataModule):
    """Trains on the source languages' training split, validates on their validation split, tests on the targets'.

    The examples are read into memory as text when they are first needed, and tokenised batch by batch.

    Batches: `input_ids` and `attention_mask` [B, T] long, `labels` [B] long (left out where an example has none),
    `language` and `id` lists of B strings.
    """

    def __init__(
        self,
        config: DatasetConfig,
        tokenizer: PreTrainedTokenizerBase,
        *,
        sources: Sequence[str],
        targets: Sequence[str] = (),
        batch_size: int = 16,
        eval_batch_size: int = 64,
        seed: int = 0,
        k_shot: int | None = None,
        num_workers: int = 0,
    ) -> None:
        """Checks languages and splits; reads nothing yet.

        Args:
            config: Which labelled texts, and how long they may be.
            tokenizer: Of the backbone.
            sources: FLORES codes of the languages to train on; their rows are mixed.
            targets: FLORES codes of the languages to test on.
            batch_size: Rows of a training batch, over all ranks.
            eval_batch_size: The same in validation and test.
            seed: Determines the order of the rows and the k-shot choice.
            k_shot: Train on so many examples per class and language; None for all.
            num_workers: Processes that tokenise.

        Raises:
            DataError: If the dataset, a language or a split is missing.
        """
        super().__init__()
        self.config = config
        self.dataset = classification_dataset(config.name, config.path, config.revision)
        self.tokenizer = tokenizer
        self.sources = list(sources)
        self.targets = list(targets)
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size
        self.seed = seed
        self.k_shot = k_shot
        self.num_workers = num_workers
        self.skip = 0
        """Training batches to leave out: set it to the number already trained on to resume a run."""
        for language in self.sources:
            self.dataset.check(language, TRAIN)
        for language in self.targets:
            self.dataset.check(language, TEST)

    @property
    def labels(self) -> list[str]:
        """Names of the labels; `labels` in a batch are indices into them."""
        return list(self.dataset.labels)

    @functools.cached_property
    def training_examples(self) -> list[Example]:
        """What is trained on, after the k-shot choice.

        Raises:
            DataError: If there is none, or a text is empty.
        """
        examples = self._read(self.sources, TRAIN)
        if self.k_shot is not None:
            examples = choose(examples, self.k_shot, self.seed)
        for example in examples:
            if not example.text.strip():
                raise DataError(f"{self.dataset.name} {example.language}, row {example.id}: the text is empty")
        if not examples:
            raise DataError(f"{self.dataset.name} has no training example in {', '.join(self.sources) or 'no language'}")
        return examples

    def train_dataloader(self) -> DataLoader[Batch]:
        """Endless batches of the sources' training split; stop by the number of steps."""
        examples = self.training_examples
        stream = functools.partial(_training_stream, examples, self.batch_size, self.seed)
        return training_loader(
            stream, self._collate(self.config.train_max_length or self.config.max_length), self.batch_size, self.skip, self.num_workers
        )

    def val_dataloader(self) -> DataLoader[Batch]:
        """The sources' validation split, each row once."""
        return self.examples_dataloader(self._read(self.sources, VALIDATION))

    def predict_dataloader(self, languages: Sequence[str] | None = None) -> DataLoader[Batch]:
        """The test split of the targets, or of other languages, each row once; languages are mixed in a batch."""
        return self.examples_dataloader(self._read(self.targets if languages is None else languages, TEST))

    def examples_dataloader(self, examples: Iterable[Example]) -> DataLoader[Batch]:
        """Any examples, each once: such as texts without labels to predict."""
        rows = list(examples)
        return evaluation_loader(rows, self._collate(self.config.max_length), self.eval_batch_size, self.num_workers)

    def _read(self, languages: Iterable[str], split: str) -> list[Example]:
        return [example for language in languages for example in self.dataset.examples(language, split)]

    def _collate(self, max_length: int) -> functools.partial[Batch]:
        return functools.partial(collate, tokenizer=self.tokenizer, max_length=max_length, prefix=self.config.text_prefix)


def collate(
    examples: Sequence[Example],
    _numbers: Sequence[int],
    *,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    prefix: str,
) -> Batch:
    """Makes a batch of examples; see `ClassificationData` for its keys."""
    batch: dict[str, Any] = encode(tokenizer, [example.text for example in examples], max_length, prefix)
    labels = [example.label for example in examples if example.label is not None]
    if len(labels) == len(examples):
        batch["labels"] = torch.tensor(labels)
    batch["language"] = [example.language for example in examples]
    batch["id"] = [example.id for example in examples]
    return batch


def _training_stream(examples: list[Example], batch_size: int, seed: int) -> Iterable[list[Example]]:
    epochs = shuffled_epochs(lambda: examples, buffer=len(examples), seed=str(seed))
    return global_batches(epochs, batch_size, str(seed))
