"""Where rows come from: what every source does, and the local folder in the hub's parquet layout.

Rows are streamed by `datasets`; nothing is copied into a cache of its own.
"""

from __future__ import annotations

import functools
import hashlib
import re
from pathlib import Path
from typing import Any, Protocol

from datasets import ClassLabel, IterableDataset

from datamodules.errors import DataError, nearest
from datamodules.files import is_folder, names_in, open_file, require_file, shown, user_path
from datamodules.parquet import ROWS_AT_A_TIME, arrow_rows
from datamodules.row import Rows, wanted_columns_of
from datamodules.table_files import table_rows


class Source(Protocol):
    """A place that holds rows by config and split."""

    def rows(
        self, config: str, split: str, columns: tuple[str, ...], optional: tuple[str, ...]
    ) -> Rows:
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
        ...

    def fingerprint(self, config: str, split: str) -> str:
        """What determines the rows of a split: the same everywhere for the same content. Reads no row."""
        ...

    def check(self, config: str, split: str) -> None:
        """Raises DataError if the split is missing, as far as that can be seen without the network."""
        ...


class Folder:
    """A local folder `<path>/<config>/<split>.parquet` (or `<split>-00000-of-00002.parquet` and so on)."""

    def __init__(self, path: str | Path) -> None:
        """Takes the folder; it is looked at only when rows are asked for."""
        self.path = user_path(path)

    def rows(
        self, config: str, split: str, columns: tuple[str, ...], optional: tuple[str, ...]
    ) -> Rows:
        """See `Source.rows`."""
        for file in self.files(config, split):
            yield from table_rows(file, columns, optional)

    def fingerprint(self, config: str, split: str) -> str:
        """The sha256 of the split's file, or of its files' sha256 sums."""
        sums = [_sha256(file, *_size_and_time(file)) for file in self.files(config, split)]
        joined = sums[0] if len(sums) == 1 else hashlib.sha256("".join(sums).encode()).hexdigest()
        return f"sha256:{joined}"

    def check(self, config: str, split: str) -> None:
        """See `Source.check`."""
        self.files(config, split)

    def has_config(self, config: str) -> bool:
        """Whether there is a folder of that name."""
        return is_folder(self.path / config)

    def files(self, config: str, split: str) -> list[Path]:
        """The parquet files of a split in order.

        Raises:
            DataError: If there is none; it says which part of the path is missing and what is there instead.
        """
        if not is_folder(self.path):
            raise DataError(f"folder {shown(self.path)} does not exist")
        folder = self.path / config
        if not is_folder(folder):
            found = [name for name in names_in(self.path) if is_folder(self.path / name)]
            raise DataError(f"folder {self.path} has no '{config}'{nearest(config, found)}")
        names = [name for name in names_in(folder) if name.endswith(".parquet")]
        single, parts = f"{split}.parquet", re.compile(re.escape(split) + r"-.*\.parquet", re.DOTALL)
        files = [single] if single in names else [name for name in names if parts.fullmatch(name)]
        if not files:
            found = sorted({re.sub(r"-\d+-of-\d+$", "", name.removesuffix(".parquet")) for name in names})
            raise DataError(f"folder {folder} has no split '{split}'; found: {', '.join(found) or 'no parquet file'}")
        for name in files:
            require_file(folder / name)
        return [folder / name for name in files]


def stream_rows(
    stream: IterableDataset, columns: tuple[str, ...], optional: tuple[str, ...], where: str
) -> Rows:
    """Reads the wanted columns of a stream.

    Args:
        stream: Of `datasets`.
        columns: Columns that must be there.
        optional: Columns that are read where they are there.
        where: File or repository, for messages.

    Raises:
        DataError: If a column is missing.
    """
    # csv and json show their columns only in their rows
    found: dict[str, Any] = stream.features or next(stream.iter(batch_size=1), {})
    wanted = wanted_columns_of(where, found, columns, optional)
    kinds = {key: getattr(found[key], "feature", found[key]) for key in wanted}  # of a list, that of its entries
    names = {key: kind.names for key, kind in kinds.items() if isinstance(kind, ClassLabel)}
    # .iter() and not plain iteration: the latter would deal shards out to the workers of a DataLoader,
    # and each of ours reads the whole stream (see batches.py)
    tables = stream.select_columns(wanted).with_format("arrow").iter(ROWS_AT_A_TIME)
    yield from arrow_rows(tables, names, where)


def file_fingerprint(file: Path) -> str:
    """The sha256 of one file's content."""
    return f"sha256:{_sha256(file, *_size_and_time(file))}"


def _size_and_time(file: Path) -> tuple[int, int]:
    require_file(file)
    status = file.stat()
    return status.st_size, status.st_mtime_ns


@functools.cache
def _sha256(file: Path, size: int, modified: int) -> str:
    """Hashes a file once per process for as long as its size and time stay the same."""
    with open_file(file) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
