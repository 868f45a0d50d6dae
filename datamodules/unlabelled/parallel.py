"""Batches of sentences and their translations, for aligning a language with a pivot."""

# no `from __future__ import annotations` here: pydantic reads the annotations of the config

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch.utils.data import DataLoader
from transformers import PreTrainedTokenizerBase

from datamodules.batches import Batch, ResumableData, global_batches, shuffled_epochs, training_loader
from datamodules.datasets.base import TRAIN, Example, refuse_test_split
from datamodules.datasets.registry import DATASETS, dataset
from datamodules.errors import DataError, RowError
from datamodules.languages.table import language as look_up
from datamodules.sources.base import file_fingerprint
from datamodules.sources.file_patterns import PLACEHOLDER, language_files, not_taken
from datamodules.sources.files import is_file, user_path
from datamodules.sources.table_files import require_table, table_rows
from datamodules.tokenization import padded, token_ids

_SHUFFLE_BUFFER = 100_000

@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class ParallelConfig:
    """Translations: of a dataset whose rows are translations of each other, or of a file of one's own."""

    dataset: str | None = None
    """Registered name of a parallel dataset (`sib200`) or dotted path of a class; labels are not used."""
    path: str | None = None
    """The dataset's local folder; without it the rows come from the hub."""
    revision: str | None = None
    """Branch, tag or commit on the hub; without it the main branch as it is now."""
    split: str = TRAIN
    """The dataset's split to train on; never the test split."""
    file: str | None = None
    """Instead of a dataset, a file of pairs: tsv, csv, json, jsonl or parquet; `{language}` stands for any code
    of the language."""
    target_column: str = "target"
    """The file's column of the language; may hold `{language}`."""
    pivot_column: str = "pivot"
    """The file's column of the pivot."""
    pivot: str = "eng_Latn"
    """FLORES code of the language that all others are aligned with."""
    text_prefix: str = ""
    """Put in front of each text."""
    max_length: int = Field(default=128, ge=4, le=2**17)
    """Longest text in tokens, special tokens and prefix included."""

    def __post_init__(self) -> None:
        """Wants exactly one source, and no test split."""
        if (self.dataset is None) == (self.file is None):
            raise ValueError("parallel text needs either 'dataset' or 'file'")
        refuse_test_split(self.split, "the language stage")

    @property
    def source_name(self) -> str:
        """The dataset's name, or the file's."""
        return self.dataset or Path(self.file or "").name


@dataclasses.dataclass(frozen=True, slots=True)
class Pair:
    """A text and its translation."""

    id: str
    target: str
    pivot: str
    language: str
    """FLORES code of the target."""

    @property
    def length(self) -> int:
        """Size in bytes of the longer text."""
        return max(len(self.target.encode()), len(self.pivot.encode()))


class ParallelText:
    """The translations that a config names."""

    def __init__(self, config: ParallelConfig) -> None:
        """Takes the config; nothing is read yet.

        Raises:
            DataError: If there is no such dataset or its rows are not translations of each other.
        """
        self.config = config
        self.dataset = None
        if config.dataset is not None:
            self.dataset = dataset(config.dataset, config.path, config.revision)
            if not self.dataset.parallel:
                known = ", ".join(name for name, known in DATASETS.items() if known.parallel)
                raise DataError(
                    f"rows of dataset '{config.dataset}' are no translations of each other; parallel: {known}"
                )

    def check(self, language: str) -> None:
        """Raises DataError if a language, split or file is known to be missing."""
        if self.dataset is None:
            self._file(language)
        else:
            self.dataset.check(language, self.config.split)
            self.dataset.check(self.config.pivot, self.config.split)

    def fingerprint(self, language: str) -> str:
        """What determines the pairs of a language; reads no row."""
        if self.dataset is None:
            columns = f"{self._target_column(language)}/{self.config.pivot_column}"
            return f"{file_fingerprint(self._file(language))}/{columns}"
        both = (self.dataset.fingerprint(code, self.config.split) for code in (language, self.config.pivot))
        return " ".join(both)

    def pairs(self, language: str) -> Iterator[Pair]:
        """Streams the pairs of a language; those with a blank side are left out.

        Raises:
            DataError: If there is none.
            RowError: At the first row that cannot be used.
        """
        for pair in self.read(language):
            if isinstance(pair, RowError):
                raise pair
            yield pair

    def read(self, language: str) -> Iterator[Pair | RowError]:
        """Streams the same as `pairs`, but yields the error of each unusable row in its place.

        Raises:
            DataError: If there is neither a pair nor an error, or a file cannot be read any further.
        """
        empty = True
        for pair in self._file_pairs(language) if self.dataset is None else self._dataset_pairs(language):
            if isinstance(pair, RowError) or (pair.target.strip() and pair.pivot.strip()):
                empty = False
                yield pair
        if empty:
            where = self._file(language) if self.dataset is None else self.dataset.name
            raise DataError(f"{where}: no pair of {language} and {self.config.pivot} holds text on both sides")

    def _dataset_pairs(self, language: str) -> Iterator[Pair | RowError]:
        pivots = {}
        for pivot in self._examples(self.config.pivot):
            if isinstance(pivot, RowError):
                yield pivot
            else:
                pivots[pivot.id] = pivot.text
        for example in self._examples(language):
            if isinstance(example, RowError):
                yield example
            elif example.id in pivots:
                yield Pair(example.id, example.text, pivots[example.id], language)

    def _examples(self, language: str) -> Iterator[Example | RowError]:
        """Reads the dataset without the checks of labelled examples: a blank text is left out here, not refused."""
        assert self.dataset is not None
        split = self.config.split
        for number, row in enumerate(self.dataset.rows(language, split)):
            try:
                if isinstance(row, RowError):
                    raise row
                yield self.dataset.to_example(row, f"{split}-{number:05d}", language)
            except RowError as error:
                yield error

    def _file_pairs(self, language: str) -> Iterator[Pair | RowError]:
        file, target, pivot = self._file(language), self._target_column(language), self.config.pivot_column
        rows = table_rows(file, (target, pivot), quotes=False)
        for number, row in enumerate(rows):
            try:
                if isinstance(row, RowError):
                    raise row
                yield Pair(f"{file.stem}-{number:05d}", row.text(target), row.text(pivot), language)
            except RowError as error:
                yield error

    def _file(self, language: str) -> Path:
        assert self.config.file is not None
        look_up(language)
        pattern = user_path(self.config.file)
        file = Path(str(pattern).replace(PLACEHOLDER, language))
        if PLACEHOLDER in str(pattern):
            found = language_files(Path(), str(pattern))
            file = found.by_language.get(language, file)
            if not is_file(file) and (others := not_taken(found)):
                raise DataError(f"there is no file {file}{others}")
        require_table(file)
        return file

    def _target_column(self, language: str) -> str:
        return self.config.target_column.replace("{language}", language)


class ParallelData(ResumableData):
    """Pairs of one or several languages with the pivot; several are mixed.

    Batches: `input_ids` and `attention_mask` [B, T] long of the languages, `pivot_input_ids` and
    `pivot_attention_mask` [B, S] long of the pivot, `language` and `id` lists of B strings.
    """

    def __init__(
        self,
        config: ParallelConfig,
        tokenizer: PreTrainedTokenizerBase,
        *,
        languages: Sequence[str],
        batch_size: int = 32,
        seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        """Checks languages and splits; reads nothing yet.

        Args:
            config: Which translations.
            tokenizer: Of the backbone.
            languages: FLORES codes of the languages to align.
            batch_size: Rows of a batch, over all ranks.
            seed: Determines the order of the rows.
            num_workers: Processes that tokenise.

        Raises:
            DataError: If the dataset, a language, a split or a file is missing.
        """
        super().__init__()
        self.config = config
        self.text = ParallelText(config)
        self.tokenizer = tokenizer
        self.languages = list(languages)
        self.batch_size = batch_size
        self.seed = seed
        self.num_workers = num_workers
        for language in self.languages:
            self.text.check(language)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Endless batches of pairs; stop by the number of steps."""
        stream = functools.partial(_training_stream, self.text, self.languages, self.batch_size, self.seed)
        collate_pairs = functools.partial(
            collate,
            tokenizer=self.tokenizer,
            max_length=self.config.max_length,
            prefix=self.config.text_prefix,
        )
        return training_loader(stream, collate_pairs, self.batch_size, self.skip, self.num_workers)


def collate(
    pairs: Sequence[Pair],
    _numbers: Sequence[int],
    *,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    prefix: str,
) -> Batch:
    """Makes a batch of pairs; see `ParallelData` for its keys."""

    def encoded(texts: list[str]) -> dict[str, Any]:
        return padded(token_ids(tokenizer, texts, max_length, prefix), tokenizer.pad_token_id)

    batch = encoded([pair.target for pair in pairs])
    batch |= {f"pivot_{key}": value for key, value in encoded([pair.pivot for pair in pairs]).items()}
    batch["language"] = [pair.language for pair in pairs]
    batch["id"] = [pair.id for pair in pairs]
    return batch


def _training_stream(
    text: ParallelText, languages: list[str], batch_size: int, seed: int
) -> Iterator[list[Pair]]:
    def read() -> Iterable[Pair]:
        for language in languages:
            yield from text.pairs(language)

    return global_batches(shuffled_epochs(read, _SHUFFLE_BUFFER, str(seed)), batch_size, str(seed))
