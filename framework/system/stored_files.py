"""Reads and validates small files that earlier commands wrote; they may be edited, truncated or foreign."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from framework.errors import UserError, file_error
from framework.system.yaml_documents import DocumentError, parse

T = TypeVar("T")

LARGEST = 256 * 2**20
"""Bytes of the largest file that is read whole. Records of all 205 languages take less than one of its MiB."""


class Damaged(UserError):
    """A file does not have the content that was written; its stage can write it again."""


class Unreadable(UserError):
    """The file system refuses to read a file, for example for lack of permission."""


def disagreement(one: object, other: object, difference: str) -> str:
    """Returns the message that two files contradict each other."""
    return f"{one} and {other} do not agree, so one of them was edited: {difference}"


def stored_bytes(path: Path) -> bytes:
    """Reads a regular file of bounded size.

    Raises:
        UserError: There is none, or it is a folder, a device or a pipe.
        Unreadable: Reading is refused.
        Damaged: It is far too large.
    """
    try:
        if path.exists() and not path.is_file():  # reading a pipe would block
            raise UserError(f"{path}: is not a file")
        if path.stat().st_size > LARGEST:
            raise Damaged(f"{path} is damaged: it is larger than {LARGEST // 2**20} MiB")
        return path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except OSError as error:
        raise Unreadable(file_error(error)) from None


def read_stored(path: Path, adapter: TypeAdapter[T], what: str) -> T:
    """Reads a JSON file of a type, which messages call `what`: `a run's record`.

    Raises:
        UserError: It cannot be read.
        Damaged: It is not of this type.
    """
    content = stored_bytes(path)
    return _checked(path, what, lambda: adapter.validate_json(content, strict=True))


def read_stored_lines(path: Path, adapter: TypeAdapter[T], what: str) -> list[T]:
    """Reads a file with a JSON value on each line; see `read_stored`."""
    lines = stored_bytes(path).splitlines()
    return _checked(path, what, lambda: [adapter.validate_json(line, strict=True) for line in lines])


def read_stored_yaml(path: Path) -> dict[str, Any]:
    """Reads a YAML mapping without resolving its references.

    Raises:
        UserError: It cannot be read.
        Damaged: It is not YAML within the bounds of `framework.system.yaml_documents`, or no mapping.
    """
    try:
        found = parse(stored_bytes(path)).data
    except DocumentError as error:
        raise Damaged(f"{path} is damaged: line {error.line}: {error}") from None
    if not isinstance(found, dict):
        raise Damaged(f"{path} is damaged: no mapping of keys to values")
    return found


def first_line(error: BaseException) -> str:
    """Returns the first line of an error's message."""
    return str(error).strip().partition("\n")[0]


def first_reason(error: ValidationError) -> str:
    """Returns where the first wrong value is, and why: `training.steps: Input should be a valid integer`."""
    first = error.errors(include_url=False)[0]
    return ": ".join(filter(None, [".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")]))


def _checked(path: Path, what: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except ValidationError as error:
        raise Damaged(f"{path} is damaged: not {what} ({first_reason(error)})") from None
