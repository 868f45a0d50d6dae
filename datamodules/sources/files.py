"""Access to the files and folders that a user names. Data files are opened here and nowhere else.

The system's refusals (no permission, a name that is too long, a circle of links, ...) become a `DataError` with the
path, and only regular files are opened: opening a named pipe would wait for ever.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from datamodules.errors import DataError, nearest

_LONGEST_PATH = 200
"""Characters of a path that a message shows."""

HIDDEN = "._"
"""Begins the names of files that macOS writes beside others; they hold no data."""
_LFS_POINTER = b"version https://git-lfs"
"""Begins a file that Git writes in the place of a large one."""
_KINDS = {
    stat.S_IFREG: "a file",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def user_path(path: str | Path) -> Path:
    """Returns a path as the user means it: with the home folder for `~`, and unchanged where there is no such home."""
    return Path(os.path.expanduser(path))


def is_file(path: Path) -> bool:
    """Tells whether there is a regular file, or a link to one. Raises DataError if the system does not say."""
    return stat.S_ISREG(_mode(path))


def is_folder(path: Path) -> bool:
    """Tells whether there is a folder, or a link to one. Raises DataError if the system does not say."""
    return stat.S_ISDIR(_mode(path))


def names_in(folder: Path) -> list[str]:
    """Returns the sorted names of what a folder holds; none if there is no such folder.

    Raises:
        DataError: The folder cannot be read.
    """
    if not is_folder(folder):
        return []
    with _naming(folder):
        return sorted(os.listdir(folder))


def require_file(file: Path) -> None:
    """Raises DataError if there is no regular file, with the nearest name in the folder or what is there instead."""
    mode = _mode(file)
    if not mode:
        if file.is_symlink():
            raise DataError(f"{shown(file)} is a link to {shown(file.readlink())}, which does not exist")
        raise DataError(f"there is no file {shown(file)}{nearest(file.name, names_in(file.parent))}")
    if not stat.S_ISREG(mode):
        raise DataError(f"{shown(file)} is {_KINDS[stat.S_IFMT(mode)]}, not a file")


def require_folder(folder: Path) -> None:
    """Raises DataError if there is no folder, with what is there instead."""
    mode = _mode(folder)
    if not mode:
        raise DataError(f"folder {shown(folder)} does not exist")
    if not stat.S_ISDIR(mode):
        raise DataError(f"{shown(folder)} is {_KINDS[stat.S_IFMT(mode)]}, not a folder")


def open_file(file: Path) -> BufferedReader:
    """Opens a regular file for reading.

    Raises:
        DataError: There is no such file, it may not be read, or Git has not fetched it.
    """
    require_file(file)
    with _naming(file):
        stream = file.open("rb")
        begin = stream.peek(len(_LFS_POINTER))
    if begin.startswith(_LFS_POINTER):
        stream.close()
        way_out = "`git lfs pull` in its repository fetches the file"
        raise DataError(f"{shown(file)} is only a pointer of Git LFS; {way_out}")
    return stream


def shown(path: Path) -> str:
    """Returns a path for a message: shortened if it is very long."""
    text = str(path)
    return text if len(text) <= _LONGEST_PATH else f"{text[:_LONGEST_PATH]}… ({len(text)} characters)"


def _mode(path: Path) -> int:
    """Returns the mode of what a path leads to; 0 if there is nothing."""
    with _naming(path):
        try:
            return path.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            return 0


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Turns the system's refusals into a `DataError` with the path."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{shown(path)} cannot be read: {error.strerror}") from error
    except ValueError as error:  # a null character
        raise DataError(f"{shown(path)!r} is not a path: {error}") from error
