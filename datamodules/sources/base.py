"""Where rows come from: what every source does, and the local folder."""

import functools
import hashlib
import json
from abc import abstractmethod
from pathlib import Path
from typing import Protocol

from typing_extensions import override

from datamodules.sources.files import (
    is_file,
    is_folder,
    names_in,
    open_file,
    require_file,
    require_folder,
    shown,
    user_path,
)
from datamodules.sources.labels import named
from datamodules.sources.layout import README, Layout, card_of
from datamodules.sources.row import Row, Rows
from datamodules.sources.table_files import table_rows


class Source(Protocol):
    """A place that holds rows by config and split."""

    def rows(self, config: str, split: str, columns: tuple[str, ...], optional: tuple[str, ...]) -> Rows:
        """Streams the rows of one split in their order.

        Args:
            config: The dataset's own name of the language.
            split: The dataset's own name of the split.
            columns: Columns that must be there.
            optional: Columns that are read where they are there; all others are not read at all.

        Returns:
            Rows, and the errors of unusable ones in their places; ClassLabel columns, and lists of them, hold labels'
            names instead of their numbers.

        Raises:
            DataError: If the config, the split or a column is missing, or the file cannot be read.
        """

    def fingerprint(self, config: str, split: str) -> str:
        """What determines the rows of a split: the same everywhere for the same content. Reads no row."""

    def check(self, config: str, split: str) -> None:
        """Raises DataError if the split is missing, as far as that can be seen without the network."""


class FileSource(Source):
    """A source whose rows lie in files, which a `Layout` finds."""

    quotes: bool
    """Whether cells of TSV files may be quoted; see `table_rows`."""

    @property
    @abstractmethod
    def layout(self) -> Layout:
        """What finds the files of splits."""

    @abstractmethod
    def file(self, path: str) -> Path:
        """The file on this machine, by its path in the layout."""

    @override
    def rows(self, config: str, split: str, columns: tuple[str, ...], optional: tuple[str, ...]) -> Rows:
        for path in self.paths(config, split):
            names = self.label_names(config, path)
            for row in table_rows(self.file(path), columns, optional, quotes=self.quotes):
                if isinstance(row, Row):
                    row |= {column: named(row[column], labels) for column, labels in names.items() if column in row}
                yield row

    @override
    def check(self, config: str, split: str) -> None:
        self.paths(config, split)

    def paths(self, config: str, split: str) -> list[str]:
        """The paths of a split's files in the layout, in order.

        Raises:
            DataError: There is none, or not all of them; with what is missing, and what is there instead.
        """
        return self.layout.files(config, split)

    def label_names(self, config: str, path: str) -> dict[str, list[str]]:
        """The names that the README gives to numbers of labels, by column; a parquet file holds such names itself."""
        return {} if path.endswith(".parquet") else self.layout.label_names(config)


class Folder(FileSource):
    """A local folder, in any of the layouts that repositories on the hub have; see `datamodules.sources.layout`."""

    def __init__(self, path: str | Path, *, quotes: bool = True) -> None:
        self.path = user_path(path)
        self.quotes = quotes

    @functools.cached_property
    @override
    def layout(self) -> Layout:
        readme = self.path / README
        return Layout(f"folder {shown(self.path)}", _OnDisk(self.path), card_of(readme) if is_file(readme) else {})

    @override
    def file(self, path: str) -> Path:
        return self.path / path

    def fingerprint(self, config: str, split: str) -> str:
        """The sha256 of the split's file, or of its files' sha256 sums; with names of labels that the README has."""
        paths = self.paths(config, split)
        sums = [_sha256(self.file(path)) for path in paths]
        joined = sums[0] if len(sums) == 1 else hashlib.sha256("".join(sums).encode()).hexdigest()
        names = self.label_names(config, paths[0])
        return f"sha256:{joined} {json.dumps(names)}" if names else f"sha256:{joined}"

    def has_config(self, config: str) -> bool:
        """Whether there is a folder of that name."""
        return config in self.layout.configs

    @override
    def paths(self, config: str, split: str) -> list[str]:
        require_folder(self.path)
        found = super().paths(config, split)
        for path in found:
            require_file(self.file(path))
        return found


class _OnDisk:
    """The `Tree` of a folder; each folder in it is looked at once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._known: dict[str, tuple[list[str], list[str]]] = {}

    def files(self, folder: str) -> list[str]:
        return self._names(folder)[0]

    def folders(self, folder: str) -> list[str]:
        return self._names(folder)[1]

    def _names(self, folder: str) -> tuple[list[str], list[str]]:
        if folder not in self._known:
            path = self.root / folder
            names = names_in(path)
            folders = [name for name in names if is_folder(path / name)]
            self._known[folder] = sorted(set(names).difference(folders)), folders
        return self._known[folder]


def file_fingerprint(file: Path) -> str:
    """The sha256 of one file's content."""
    return f"sha256:{_sha256(file)}"


def _sha256(file: Path) -> str:
    require_file(file)
    status = file.stat()
    return _sha256_of(file, status.st_size, status.st_mtime_ns)


@functools.cache
def _sha256_of(file: Path, size: int, modified: int) -> str:
    """Hashes a file once per process for as long as its size and time stay the same."""
    with open_file(file) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
