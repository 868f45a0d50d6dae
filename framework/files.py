"""Writes files and folders whole or not at all."""

import hashlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from framework.errors import UserError


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Gives a temporary folder beside `folder` that takes its place when the block ends without an error.

    A process killed inside the block leaves a folder whose name begins with a dot, which nothing reads.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        yield temporary
        for file in filter(Path.is_file, temporary.rglob("*")):
            with file.open("rb") as written:
                os.fsync(written.fileno())  # else, after a crash, the folder may be there and the content not
        temporary.chmod(0o755)  # mkdtemp makes it private; a shared store is read by colleagues
        if folder.exists():  # moved aside first: a folder cannot take the place of one with files in it
            old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
            os.replace(folder, old)
            shutil.rmtree(old)
        os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_whole(path: Path, *parts: bytes | memoryview) -> None:
    """Makes a file appear whole or not at all: written beside its place, then moved there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not `tempfile`: its files can be read by their owner only, and colleagues read the results.
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("xb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())  # else, after a crash, the name may be there and the content not
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_changed(path: Path, content: bytes) -> None:
    """Writes a file whole, unless it says the same already: its time then tells when its content last changed."""
    if not path.is_file() or path.read_bytes() != content:
        write_whole(path, content)


def sha256(file: Path) -> str:
    """Returns the file's SHA-256 in hexadecimal digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sweep(folder: Path) -> None:
    """Removes the files that processes killed while writing left in a folder, at any depth."""
    for file in folder.rglob(".*.tmp"):
        file.unlink(missing_ok=True)


def require_writable(folder: Path, key: str) -> None:
    """Checks that files can be made in a folder, before hours of work end in it.

    Args:
        folder: The folder; made when it is not there.
        key: The experiment's key that names it.

    Raises:
        UserError: The folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(f"{key}: cannot write in the folder {folder}: {error.strerror}") from error
