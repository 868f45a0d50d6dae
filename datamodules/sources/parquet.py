"""Rows of parquet files.

They are read with pyarrow and not with `datasets`, which refuses a file for types that it does not know
(UUID) even in columns that nobody reads, and takes brackets and stars in a path for a pattern.
"""

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from datamodules.errors import DataError, RowError, first_line
from datamodules.sources.files import open_file
from datamodules.sources.labels import named
from datamodules.sources.row import Row, Rows, wanted_columns

ROWS_AT_A_TIME = 1000


def parquet_rows(file: Path, columns: tuple[str, ...], optional: tuple[str, ...] = ()) -> Rows:
    """Reads the wanted columns of a parquet file; see `datamodules.sources.base.Source.rows`.

    Raises:
        DataError: The file cannot be read, or a column is missing or there twice.
    """
    with open_file(file) as stream:
        with _reading(file):
            parquet = pyarrow.parquet.ParquetFile(stream)
            schema = parquet.schema_arrow
        wanted = wanted_columns(schema.names, columns, optional, lambda reason: DataError(f"{file}: {reason}"))
        names = _label_names(schema, wanted, file)
        for number, cells in enumerate(_cells(parquet, wanted, file), start=1):
            cells |= {column: named(cells[column], labels) for column, labels in names.items()}
            yield _row(Row(cells, file=str(file), place=f"row {number}"))


def _row(row: Row) -> Row | RowError:
    unreadable = next((column for column, cell in row.items() if isinstance(cell, _Unreadable)), None)
    return row if unreadable is None else row.error(f"cannot be read: {row[unreadable].reason}", unreadable)


def _cells(parquet: pyarrow.parquet.ParquetFile, columns: list[str], file: Path) -> Iterator[dict[str, Any]]:
    """Yields the cells of each row by column."""
    with _reading(file):
        for batch in parquet.iter_batches(ROWS_AT_A_TIME, columns=columns, use_threads=False):
            values = {column: _values(batch.column(column)) for column in batch.schema.names}
            for cells in zip(*values.values(), strict=True):
                yield dict(zip(values, cells, strict=True))


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    """Turns pyarrow's errors about a damaged file into a `DataError`."""
    try:
        yield
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise DataError(f"{file} cannot be read as parquet: {first_line(error)}") from error


@dataclasses.dataclass(frozen=True)
class _Unreadable:
    """Takes the place of a cell that Python cannot represent."""

    reason: str


_CELL_ERRORS = (ValueError, OverflowError, pyarrow.ArrowException)
"""Raised for text that is not UTF-8, and for times out of Python's range."""


def _values(column: pyarrow.Array) -> list[Any]:
    try:
        return list(column.to_pylist())
    except _CELL_ERRORS:
        return [_value(cell) for cell in column]


def _value(cell: pyarrow.Scalar) -> Any:
    try:
        return cell.as_py()
    except UnicodeDecodeError:
        return _Unreadable("this is not UTF-8")
    except _CELL_ERRORS as error:
        return _Unreadable(first_line(error))


def _label_names(schema: pyarrow.Schema, columns: list[str], file: Path) -> dict[str, list[str]]:
    """Reads the names of labels from the metadata that `datasets` writes; all else in there is not needed.

    Raises:
        DataError: The metadata is not JSON: labels would silently stay numbers.
    """
    metadata = (schema.metadata or {}).get(b"huggingface")
    if metadata is None:
        return {}
    try:
        info = json.loads(metadata)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file}: its metadata of `datasets` is not JSON: {first_line(error)}") from error
    features = _entry(_entry(info, "info"), "features")
    found = {column: _class_labels(_entry(features, column)) for column in columns}
    return {column: names for column, names in found.items() if names}


def _entry(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None


def _class_labels(feature: Any) -> list[str] | None:
    """Returns the names in a feature that is a ClassLabel or a list of them; the form is that of `Features.to_dict`."""
    while isinstance(feature, list) and len(feature) == 1 or isinstance(feature, dict) and "feature" in feature:
        feature = feature[0] if isinstance(feature, list) else feature["feature"]
    if _entry(feature, "_type") != "ClassLabel":
        return None
    names = _entry(feature, "names")
    return names if isinstance(names, list) and all(isinstance(name, str) for name in names) else None
