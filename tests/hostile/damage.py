"""What may happen to a file: generated for every family that reads files of our own."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

NO_JSON: dict[str, str] = {
    "empty": "",
    "half of it": '{"id": "f0c8',
    "HTML": "<!doctype html><title>502 Bad Gateway</title>",
    "deep": "[" * 100_000 + "]" * 100_000,
    "a lone surrogate": '{"id": "\\ud800"}',
}
CONTENTS: dict[str, str | bytes] = {
    **NO_JSON,
    "binary": bytes(range(256)),
    "UTF-16": '{"id": "a"}'.encode("utf-16"),
    "null": "null",
    "a list": "[]",
    "a number of 5,000 digits": "9" * 5000,
    "a text": '"words"',
    "an empty mapping": "{}",
}
"""What stands in a file instead of a JSON mapping."""

VALUES: dict[str, Any] = {
    "null": None,
    "a number": 7,
    "a text": "words",
    "a NUL": "a\0b",
    "a list": ["x"],
    "a mapping": {"x": 1},
    "true": True,
    "huge": 10**30,
    "300 letters": "x" * 300,
    "a path upwards": "../../x",
}
"""What stands where a value of another type should."""


def edited(mapping: Mapping[str, Any]) -> Iterator[tuple[str, str | bytes]]:
    """Yields contents of a JSON file in which one thing is not as it was, by what it is.

    Args:
        mapping: What the file held.
    """
    yield from CONTENTS.items()
    yield "with a key of another version", json.dumps({**mapping, "later": 1})
    for name, value in variants(mapping):
        yield name, json.dumps(value)


def variants(mapping: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields mappings without one key, or with a wrong value of it: each key takes every fifth value, in turn."""
    for number, key in enumerate(mapping):
        yield f"without {key}", {name: value for name, value in mapping.items() if name != key}
        for place, (what, value) in enumerate(VALUES.items()):
            if place % 5 == number % 5:
                yield f"with {key} that is {what}", {**mapping, key: value}


def cut(path: Path) -> None:
    """Leaves the first half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    """Changes one byte in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def as_folder(path: Path) -> None:
    """Puts a folder in a file's place."""
    path.unlink()
    path.mkdir()


def as_link(target: str) -> Callable[[Path], None]:
    """Returns what puts a link in a file's place."""

    def change(path: Path) -> None:
        path.unlink()
        path.symlink_to(target)

    return change


def as_pipe(path: Path) -> None:
    """Puts a pipe, whose reader waits for a writer, in a file's place."""
    path.unlink()
    os.mkfifo(path)


def huge(path: Path) -> None:
    """Makes a file larger than memory; it takes no room on the disk."""
    with path.open("r+b") as file:
        file.truncate(2**40)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "is missing": Path.unlink,
    "is empty": lambda path: path.write_bytes(b""),
    "is cut short": cut,
    "has another byte": flip,
    "is a folder": as_folder,
    "is a link to nowhere": as_link("nowhere"),
    "is a link to itself": as_link("passport.json"),
    "is a pipe": as_pipe,
    "is huge": huge,
    "may not be read": lambda path: path.chmod(0),
}
"""What happens to a file, by what it then is."""
