"""What slow libraries found out of files, kept for the next process.

To import torch and transformers and to build a model without values takes about ten seconds. What a plan needs of it is
a few numbers, which depend on the files of the backbone and on the versions of the libraries alone.
"""

import contextlib
import functools
import hashlib
import importlib.metadata
import importlib.util
import os
import time
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

T = TypeVar("T")

LIBRARIES = ("adapters", "sentencepiece", "tokenizers", "torch", "transformers")
"""The libraries whose versions decide what is found."""
PACKAGES = ("modules", "datamodules", "framework")
"""The packages whose code finds it."""
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
    try:
        entry = _entry(files, key)
    except (ImportError, OSError, RuntimeError, ValueError):  # no home, a library without metadata, an odd file name
        entry = None
    if entry is None:
        return find()
    if entry not in _FOUND:
        _FOUND[entry] = _read_or_find(entry, _adapter(cast(Hashable, type_)), find)
    found: T = _FOUND[entry]
    return found


def folder() -> Path:
    """Returns where results are kept: `MODULINGUA_CACHE`, else in the user's cache folder. It can be deleted."""
    own = os.environ.get("MODULINGUA_CACHE")
    return Path(own or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "modulingua").expanduser()


_FOUND: dict[Path, Any] = {}
"""What this process has found or read."""


@functools.cache
def _adapter(type_: Any) -> TypeAdapter[Any]:
    return TypeAdapter(type_)


def _entry(files: Sequence[Path], key: dict[str, Any]) -> Path | None:
    """Returns the file of a key; None if one of the files that it depends on has just been changed."""
    states = [_state(file) for file in files]
    if any(changed > time.time() - SETTLED for *_, changed in filter(None, states)):
        return None
    described = _adapter(dict[str, Any]).dump_json({"code": _code(), "files": states, "key": key})
    return folder() / f"{hashlib.sha256(described).hexdigest()}.json"


def _read_or_find(entry: Path, adapter: TypeAdapter[T], find: Callable[[], T]) -> T:
    with contextlib.suppress(OSError, ValidationError):
        return adapter.validate_json(entry.read_bytes())
    found = find()
    with contextlib.suppress(OSError, ValueError):
        _write(entry, adapter.dump_json(found))
    return found


def _state(file: Path) -> tuple[str, int, int, float, float] | None:
    """Returns what changes with a file's content, the time of the last change at its end; None of an absent file."""
    try:
        status = os.stat(file)
    except OSError:
        return None
    return os.fsencode(file).hex(), status.st_ino, status.st_size, status.st_mtime, status.st_ctime


@functools.cache
def _code() -> list[str]:
    """Returns the versions of the libraries, and a hash of our own code, which changes while it keeps its version."""
    own = hashlib.sha256()
    for package in PACKAGES:
        found = importlib.util.find_spec(package)
        for location in (found and found.submodule_search_locations) or ():
            for file in sorted(Path(location).rglob("[!.]*.py")):
                own.update(file.read_bytes())
    return [own.hexdigest(), *(importlib.metadata.version(library) for library in LIBRARIES)]


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        unfinished.write_bytes(content)
        os.replace(unfinished, file)
    finally:
        unfinished.unlink(missing_ok=True)
