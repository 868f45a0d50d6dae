"""Batches for training and testing a classifier."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch.utils.data import DataLoader
from transformers import PreTrainedTokenizerBase

from datamodules.batches import (
    Batch,
    ResumableData,
    evaluation_loader,
    global_batches,
    shuffled_epochs,
    training_loader,
)
from datamodules.dataset import TEST, TRAIN, VALIDATION, DatasetConfig, Example
from datamodules.errors import DataError
from datamodules.k_shot import choose_k_shot
from datamodules.registry import labelled_dataset
from datamodules.tokenization import PairTokens, padded, pair_tokens, token_ids


class ClassificationData(ResumableData):
    """Training and validation data of the source languages, test data of the target languages.

    Labelled data fits in memory: all examples are read and tokenised at once, and sorted by their exact
    lengths even batches of many languages need hardly any padding.

    Batches: `input_ids` and `attention_mask` [B, T] long, `labels` [B] long (left out where an example has
    none), `language` and `id` lists of B strings. Pairs whose tokenizer marks the second text have `token_type_ids`
    [B, T] long too, 0 at padding.
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
        """Checks languages and splits; reads nothing yet.

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
            DataError: If the dataset, a language or a split is missing.
        """
        super().__init__()
        self.config = config
        self.dataset = labelled_dataset(config)
        self.tokenizer = tokenizer
        self.sources = list(sources)
        self.targets = list(targets)
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size
        self.seed = seed
        self.k_shot = k_shot
        self.num_workers = num_workers
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
            examples = choose_k_shot(examples, self.k_shot, self.seed)
        for example in examples:
            if not all(text.strip() for text in example.texts):
                raise DataError(f"{self.dataset.name} {example.language}, row {example.id}: the text is empty")
        if not examples:
            raise DataError(f"{self.dataset.name}: no training example in {self.sources or 'no language'}")
        return examples

    def train_dataloader(self) -> DataLoader[Batch]:
        """Endless batches of the sources' training split; the number of steps ends them."""
        rows = self._tokenise(self.training_examples, self.config.train_max_length or self.config.max_length)
        stream = functools.partial(_training_stream, rows, self.batch_size, self.seed)
        return training_loader(stream, self._collate, self.batch_size, self.skip, self.num_workers)

    def val_dataloader(self) -> DataLoader[Batch]:
        """The sources' validation split, each row once."""
        return self.examples_dataloader(self._read(self.sources, VALIDATION))

    def predict_dataloader(self, languages: Sequence[str] | None = None) -> DataLoader[Batch]:
        """The test split of the targets or of the languages given, each row once; a batch mixes languages."""
        return self.examples_dataloader(self._read(self.targets if languages is None else languages, TEST))

    def examples_dataloader(self, examples: Iterable[Example]) -> DataLoader[Batch]:
        """Any examples, each once: texts without labels, for instance."""
        rows = self._tokenise(list(examples), self.config.max_length)
        return evaluation_loader(rows, self._collate, self.eval_batch_size, self.num_workers)

    def _read(self, languages: Iterable[str], split: str) -> list[Example]:
        return [example for language in languages for example in self.dataset.examples(language, split)]

    def _tokenise(self, examples: Sequence[Example], max_length: int) -> list[_Tokenised]:
        prefix = self.config.text_prefix
        if self.dataset.pairs:
            pairs = [(example.text, example.second_text or "") for example in examples]
            rows = pair_tokens(self.tokenizer, pairs, max_length, prefix)
        else:
            ids = token_ids(self.tokenizer, [example.text for example in examples], max_length, prefix)
            rows = [PairTokens(row, types=[]) for row in ids]
        return [_Tokenised(example, *row) for example, row in zip(examples, rows, strict=True)]

    @property
    def _collate(self) -> functools.partial[Batch]:
        return functools.partial(_collate, pad_id=self.tokenizer.pad_token_id)


@dataclasses.dataclass(frozen=True, slots=True)
class _Tokenised:
    example: Example
    ids: list[int]
    types: list[int]
    """As in `PairTokens`; empty for a single text."""

    @property
    def length(self) -> int:
        return len(self.ids)


def _training_stream(rows: list[_Tokenised], batch_size: int, seed: int) -> Iterator[list[_Tokenised]]:
    epochs = shuffled_epochs(lambda: rows, buffer=len(rows), seed=str(seed))
    return global_batches(epochs, batch_size, str(seed))


def _collate(rows: Sequence[_Tokenised], _numbers: Sequence[int], *, pad_id: int) -> Batch:
    batch: dict[str, Any] = padded([row.ids for row in rows], pad_id)
    if any(map(any, (row.types for row in rows))):
        batch["token_type_ids"] = padded([row.types for row in rows], pad_id=0)["input_ids"]
    labels = [row.example.label for row in rows]
    if None not in labels:
        batch["labels"] = torch.tensor(labels)
    batch["language"] = [row.example.language for row in rows]
    batch["id"] = [row.example.id for row in rows]
    return batch
