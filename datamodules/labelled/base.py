"""Base data module of labelled tasks."""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch.utils.data import DataLoader
from transformers import PreTrainedTokenizerBase

from datamodules.batching.loaders import (
    Batch,
    Collate,
    HasLength,
    ResumableData,
    evaluation_loader,
    global_batches,
    shuffled_epochs,
    training_loader,
)
from datamodules.batching.tokenization import filled, padded
from datamodules.datasets.base import TEST, TRAIN, VALIDATION, DatasetConfig, Example, LabelledDataset
from datamodules.datasets.k_shot import choose_k_shot
from datamodules.datasets.registry import labelled_dataset
from datamodules.errors import DataError


@dataclasses.dataclass(frozen=True, slots=True)
class TaskRow:
    """A tokenised example; a task adds fields of its own."""

    example: Example
    ids: list[int]

    @property
    def length(self) -> int:
        """Number of tokens."""
        return len(self.ids)


class TaskData(ResumableData):
    """Training and validation data of the source languages, test data of the target languages.

    Labelled data fits in memory: all examples are read and tokenised at once, and sorted by their exact lengths even
    batches of many languages need hardly any padding. A subclass says how examples become rows, and rows a batch;
    every batch has `language` and `id`, lists of one string a row.
    """

    def __init__(
        self,
        config: DatasetConfig,
        tokenizer: PreTrainedTokenizerBase,
        *,
        sources: Sequence[str] = (),
        targets: Sequence[str] = (),
        batch_size: int = 16,
        eval_batch_size: int = 64,
        seed: int = 0,
        k_shot: int | None = None,
        num_workers: int = 0,
    ) -> None:
        """Checks the targets; reads nothing yet.

        Args:
            config: Which labelled texts, and how long they may be.
            tokenizer: Of the backbone.
            sources: FLORES codes of the languages to train on; their rows are mixed.
            targets: FLORES codes of the languages to test on.
            batch_size: Rows of a training batch, over all ranks.
            eval_batch_size: The same in validation and test.
            seed: Determines the order of the rows and the k-shot choice.
            k_shot: Train on so many examples per language and class; None for all.
            num_workers: Processes that put batches together.

        Raises:
            DataError: If the dataset, a target language or its test split is missing.
        """
        super().__init__()
        self.config = config
        self.dataset: LabelledDataset = labelled_dataset(config)
        self.tokenizer = tokenizer
        self.sources = list(sources)
        self.targets = list(targets)
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size
        self.seed = seed
        self.k_shot = k_shot
        self.num_workers = num_workers
        for language in self.targets:
            self.dataset.check(language, TEST)

    @functools.cached_property
    def training_examples(self) -> list[Example]:
        """What is trained on, after the k-shot choice.

        Raises:
            DataError: If there is none, or a row cannot be used.
        """
        examples = self._read(self.sources, TRAIN)
        if self.k_shot is not None:
            examples = choose_k_shot(examples, self.k_shot, self.seed)
        if not examples:
            raise DataError(f"{self.dataset.name}: no training example in {self.sources or 'no language'}")
        return examples

    def train_dataloader(self) -> DataLoader[Batch]:
        """Endless batches of the sources' training split; the number of steps ends them."""
        rows = self.training_rows(self.training_examples)
        stream = functools.partial(_training_stream, rows, self.batch_size, self.seed)
        return training_loader(stream, self.collate, self.batch_size, self.skip, self.num_workers)

    def val_dataloader(self) -> DataLoader[Batch]:
        """The sources' validation split, each row once."""
        return self.examples_dataloader(self._read(self.sources, VALIDATION))

    def predict_dataloader(self, languages: Sequence[str] | None = None) -> DataLoader[Batch]:
        """The test split of the targets or of the languages given, each row once; a batch mixes languages."""
        return self.each_once(self.test_rows(self._read(self.targets if languages is None else languages, TEST)))

    def examples_dataloader(self, examples: Iterable[Example]) -> DataLoader[Batch]:
        """Batches of any examples, such as texts without labels, each of them once."""
        return self.each_once(self.rows(list(examples), self.config.max_length))

    def each_once(self, rows: Sequence[HasLength]) -> DataLoader[Batch]:
        """Makes batches of rows, each of them once."""
        return evaluation_loader(rows, self.collate, self.eval_batch_size, self.num_workers)

    def training_rows(self, examples: Sequence[Example]) -> Sequence[HasLength]:
        """Tokenises training examples."""
        return self.rows(examples, self.config.train_max_length or self.config.max_length)

    def test_rows(self, examples: Sequence[Example]) -> Sequence[HasLength]:
        """Tokenises test examples."""
        return self.rows(examples, self.config.max_length)

    def rows(self, examples: Sequence[Example], max_length: int) -> Sequence[HasLength]:
        """Tokenises examples to rows of at most so many tokens; one example may give several rows, all with its id."""
        raise NotImplementedError

    @staticmethod
    def add_columns(batch: Batch, rows: Sequence[Any]) -> None:
        """Adds to a batch what the task needs beside `input_ids`, `attention_mask`, `language` and `id`."""
        raise NotImplementedError

    @property
    def collate(self) -> Collate:
        """Makes a batch of rows; it is picklable, for worker processes get it."""
        return functools.partial(_collate, add_columns=self.add_columns, pad_id=self.tokenizer.pad_token_id)

    def _read(self, languages: Iterable[str], split: str) -> list[Example]:
        return [example for language in languages for example in self.dataset.examples(language, split)]


def add_labels(batch: Batch, rows: Sequence[TaskRow]) -> None:
    """Adds `labels` [B] long, unless an example has none."""
    labels = [row.example.label for row in rows]
    if None not in labels:
        batch["labels"] = torch.tensor(labels)


def add_token_types(batch: Batch, types: Sequence[Sequence[int]]) -> None:
    """Adds `token_type_ids` [B, T] long, 0 at padding, where the tokenizer marks the second text of a pair."""
    if any(map(any, types)):
        batch["token_type_ids"] = filled(types, 0)


def _collate(
    rows: Sequence[TaskRow], _numbers: Sequence[int], *, add_columns: Callable[..., None], pad_id: int | None
) -> Batch:
    batch: Batch = padded([row.ids for row in rows], pad_id)
    add_columns(batch, rows)
    batch["language"] = [row.example.language for row in rows]
    batch["id"] = [row.example.id for row in rows]
    return batch


def _training_stream(rows: Sequence[Any], batch_size: int, seed: int) -> Iterator[list[Any]]:
    epochs = shuffled_epochs(lambda: rows, buffer=len(rows), seed=str(seed))
    return global_batches(epochs, batch_size, str(seed))
