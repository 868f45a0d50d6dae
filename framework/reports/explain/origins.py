"""Each value of an experiment with its origin in the YAML."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from framework.config.schema import Experiment, Sections
from framework.config.yaml_file import ExperimentSource
from framework.identity import plain
from framework.system.yaml_documents import Key

Line = tuple[Key, Any, str]
"""A key, its value, and where it was written; "default" if it was not."""


def origins(source: ExperimentSource, experiment: Experiment) -> Iterator[Line]:
    """Yields every value of an experiment's first cell, as written and as checked, in the schema's order."""
    cell = source.cells[0].data
    for field in dataclasses.fields(Sections):
        value = getattr(experiment, field.name)
        yield from _below((field.name,), value, cell.get(field.name, _MISSING), source)


_MISSING = object()


def _below(key: Key, value: Any, written: Any, source: ExperimentSource) -> Iterator[Line]:
    """Yields the values at and below a key.

    `value` is plain data, or dataclasses with their defaults; `written` is the value in the YAML, or `_MISSING`.
    """
    parts = _parts(value)
    if written is _MISSING and _is_empty(value):
        parts = None  # for example the resources of a kind of job that the YAML does not name
    # The settings of an objective and of an answer are below a key with its name.
    if parts is not None and isinstance(written, dict) and len(written) == 1 and not written.keys() & parts.keys():
        [(name, settings)] = written.items()
        key, written = (*key, name), {} if settings is None else settings
    if not parts:
        place = "default" if written is _MISSING else source.place(key) or "default"
        yield key, None if _is_empty(value) else plain(value), place
        return
    for name, part in parts.items():
        below = written.get(name, _MISSING) if isinstance(written, dict) else _MISSING
        yield from _below((*key, name), part, below, source)


def _parts(value: Any) -> dict[str, Any] | None:
    """Returns the items of a mapping or a dataclass; None for any other value."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return value if isinstance(value, dict) else None


def _is_empty(value: Any) -> bool:
    """Says whether all values of a dataclass are null."""
    if not dataclasses.is_dataclass(value):
        return False
    parts = _parts(value) or {}
    return bool(parts) and all(part is None or _is_empty(part) for part in parts.values())
