"""What slow libraries found out of files, kept for the next process.

To import torch and transformers and to build a model without values takes about ten seconds. What a plan needs of it is
a few numbers, which depend on the files of the backbone and on the versions of the libraries alone.
"""

import contextlib
import functools
import hashlib
import importlib.metadata
import os
import tempfile
import time
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

T = TypeVar("T")

LIBRARIES = ("adapters", "tokenizers", "torch", "transformers")
"""The libraries whose versions decide what is found."""
SETTLED = 2.0
"""Seconds for which a file must have been unchanged: two changes within one tick of the clock look like one."""


def cached(type_: type[T], find: Callable[[], T], *, files: Sequence[Path] = (), **key: Any) -> T:
    """Returns what `find` returns, or returned in an earlier process with the same key and unchanged files.

    Nothing is kept of a call that raises, and a cache that cannot be read or written is none.

    Args:
        type_: The type of what is found, by which its JSON is validated.
        find: Finds it out.
        files: The files that it depends on; those that are absent may appear later.
        **key: All else that it depends on, beside our code and the libraries: plain data and dataclasses.
    """
    states = [_state(file) for file in files]
    if any(changed > time.time() - SETTLED for *_, changed in filter(None, states)):
        return find()
    described = _adapter(dict[str, Any]).dump_json({"code": _code(), "files": states, "key": key})
    entry = folder() / f"{hashlib.sha256(described).hexdigest()}.json"
    if entry not in _FOUND:
        _FOUND[entry] = _read_or_find(entry, _adapter(cast(Hashable, type_)), find)
    found: T = _FOUND[entry]
    return found


def folder() -> Path:
    """Returns where results are kept: `MODULINGUA_CACHE`, else in the user's cache folder. It can be deleted."""
    own = os.environ.get("MODULINGUA_CACHE")
    return Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "modulingua"


_FOUND: dict[Path, Any] = {}
"""What this process has found or read."""


@functools.cache
def _adapter(type_: Any) -> TypeAdapter[Any]:
    return TypeAdapter(type_)


def _read_or_find(entry: Path, adapter: TypeAdapter[T], find: Callable[[], T]) -> T:
    with contextlib.suppress(OSError, ValidationError):
        return adapter.validate_json(entry.read_bytes())
    found = find()
    with contextlib.suppress(OSError):
        _write(entry, adapter.dump_json(found))
    return found


def _state(file: Path) -> tuple[str, int, int, float, float] | None:
    """Returns what changes with a file's content, the time of the last change at its end; None of an absent file."""
    try:
        status = os.stat(file)
    except OSError:
        return None
    return str(file), status.st_ino, status.st_size, status.st_mtime, status.st_ctime


@functools.cache
def _code() -> list[str]:
    """Returns the versions of the libraries, and a hash of our own code, which changes while it keeps its version."""
    own = hashlib.sha256()
    for file in sorted(Path(__file__).parent.rglob("*.py")):
        own.update(file.read_bytes())
    return [own.hexdigest(), *(importlib.metadata.version(library) for library in LIBRARIES)]


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    number, name = tempfile.mkstemp(dir=file.parent)
    with os.fdopen(number, "wb") as stream:
        stream.write(content)
    os.replace(name, file)
