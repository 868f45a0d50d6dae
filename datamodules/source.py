"""Where rows come from: what every source does, and the local folder in the hub's parquet layout.

Rows are streamed by `datasets`; nothing is copied into a cache of its own.
"""

from __future__ import annotations

import functools
import hashlib
import re
from pathlib import Path
from typing import Any, Protocol

import pyarrow
import pyarrow.parquet
from datasets import ClassLabel, IterableDataset

from datamodules.errors import DataError, first_line, nearest
from datamodules.row import Row, Rows

_ROWS_AT_A_TIME = 1000


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
        self.path = Path(path).expanduser()

    def rows(
        self, config: str, split: str, columns: tuple[str, ...], optional: tuple[str, ...]
    ) -> Rows:
        """See `Source.rows`."""
        files = self.files(config, split)
        for file in files:
            check_readable(file)
        # not load_dataset("parquet", ...): that reports each call to a server, with a wait without network
        stream = IterableDataset.from_parquet([str(file) for file in files])
        try:
            yield from stream_rows(stream, columns, optional, where=str(files[0]))
        except (pyarrow.ArrowException, OSError) as error:
            raise DataError(f"{files[0]} cannot be read as parquet: {first_line(error)}") from error

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
        return (self.path / config).is_dir()

    def files(self, config: str, split: str) -> list[Path]:
        """The parquet files of a split in order.

        Raises:
            DataError: If there is none; it says which part of the path is missing and what is there instead.
        """
        if not self.path.is_dir():
            raise DataError(f"folder {self.path} does not exist")
        folder = self.path / config
        if not folder.is_dir():
            found = sorted(entry.name for entry in self.path.iterdir() if entry.is_dir())
            raise DataError(f"folder {self.path} has no '{config}'{nearest(config, found)}")
        files = [folder / f"{split}.parquet"]
        if not files[0].is_file():
            files = sorted(folder.glob(f"{split}-*.parquet"))
        if not files:
            found = sorted({re.sub(r"-\d+-of-\d+$", "", file.stem) for file in folder.glob("*.parquet")})
            raise DataError(
                f"folder {folder} has no split '{split}'; found: {', '.join(found) or 'no parquet file'}"
            )
        return files


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
    missing = [column for column in columns if column not in found]
    if missing:
        raise DataError(f"{where} has no column '{missing[0]}'; found: {', '.join(found) or 'none'}")
    wanted = [*columns, *(column for column in optional if column in found)]
    kinds = {key: getattr(found[key], "feature", found[key]) for key in wanted}  # of a list, that of its entries
    names = {key: kind.names for key, kind in kinds.items() if isinstance(kind, ClassLabel)}
    # .iter() and not plain iteration: the latter would deal shards out to the workers of a DataLoader,
    # and each of ours reads the whole stream (see batches.py)
    tables = stream.select_columns(wanted).with_format("arrow").iter(_ROWS_AT_A_TIME)
    for number, cells in enumerate((cells for table in tables for cells in table.to_pylist()), start=1):
        for column, labels in names.items():
            cells[column] = _named(cells[column], labels)
        yield Row(cells, file=where, place=f"row {number}")


def _named(value: Any, labels: list[str]) -> Any:
    """Turns the number of a label, or a list of such numbers, into names."""
    if isinstance(value, list):
        return [_named(entry, labels) for entry in value]
    return labels[value] if value in range(len(labels)) else value


def check_readable(file: Path) -> None:
    """Opens a parquet file before `datasets` does, which would log the failure in several lines."""
    try:
        pyarrow.parquet.read_schema(file)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{file} cannot be read as parquet: {first_line(error)}") from error


def file_fingerprint(file: Path) -> str:
    """The sha256 of one file's content."""
    return f"sha256:{_sha256(file, *_size_and_time(file))}"


def _size_and_time(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_size, status.st_mtime_ns


@functools.cache
def _sha256(file: Path, size: int, modified: int) -> str:
    """Hashes a file once per process for as long as its size and time stay the same."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
