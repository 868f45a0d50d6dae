"""The translations that settings name, read and fingerprinted without torch."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from datamodules.datasets.base import Example
from datamodules.datasets.registry import DATASETS, dataset
from datamodules.errors import DataError, RowError
from datamodules.languages.table import language as look_up
from datamodules.sources.base import file_fingerprint
from datamodules.sources.file_patterns import PLACEHOLDER, language_files, not_taken
from datamodules.sources.files import is_file, user_path
from datamodules.sources.row import Row, Rows
from datamodules.sources.table_files import require_table, table_rows
from datamodules.unlabelled.configs import ParallelConfig

T = TypeVar("T")


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
        """Resolves the dataset; reads nothing yet.

        Raises:
            DataError: If there is no such dataset or its rows are not translations of each other.
        """
        self.config = config
        self.dataset = None
        if config.dataset is not None:
            self.dataset = dataset(config.dataset, config.path, config.revision)
        if self.dataset is not None and not self.dataset.parallel:
            known = ", ".join(name for name, known in DATASETS.items() if known.parallel)
            raise DataError(f"rows of dataset '{config.dataset}' are no translations of each other; parallel: {known}")

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
        return " ".join(self.dataset.fingerprint(code, self.config.split) for code in (language, self.config.pivot))

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
        make, split = self.dataset.to_example, self.config.split
        return _made(self.dataset.rows(language, split), split, lambda row, row_id: make(row, row_id, language))

    def _file_pairs(self, language: str) -> Iterator[Pair | RowError]:
        file, target, pivot = self._file(language), self._target_column(language), self.config.pivot_column
        rows = table_rows(file, (target, pivot), quotes=False)
        return _made(rows, file.stem, lambda row, row_id: Pair(row_id, row.text(target), row.text(pivot), language))

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
        return self.config.target_column.replace(PLACEHOLDER, language)


def _made(rows: Rows, name: str, make: Callable[[Row, str], T]) -> Iterator[T | RowError]:
    """Makes something of each row, with an id of the name and the row's number; of an unusable row its error."""
    for number, row in enumerate(rows):
        try:
            if isinstance(row, RowError):
                raise row
            yield make(row, f"{name}-{number:05d}")
        except RowError as error:
            yield error
