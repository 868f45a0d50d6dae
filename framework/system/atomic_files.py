"""Writes files and folders atomically, with the permissions that the user's umask and folders give."""

import errno
import hashlib
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from safetensors import SafetensorError

from framework.errors import UserError


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Yields a temporary folder beside `folder` that replaces it when the block ends without an error.

    A process killed inside the block leaves a folder whose name begins with a dot, which is never read.
    """
    with _named(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = _unused(folder)
        temporary.mkdir()
        try:
            yield temporary
            usual_permissions(temporary)
            for file in filter(Path.is_file, temporary.rglob("*")):
                with file.open("rb") as written:
                    os.fsync(written.fileno())  # otherwise, after a crash, the folder may exist without the content
            if folder.exists():  # moved aside first, because a folder cannot replace one with content
                old = _unused(folder)
                os.replace(folder, old)
                shutil.rmtree(old, ignore_errors=True)
            os.replace(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def filled_folder(folder: Path) -> Iterator[Path]:
    """Yields a temporary folder whose content is moved into `folder` when the block ends without an error.

    Unlike with `whole_folder`, an existing folder is kept, with its other content: it may be the working directory, a
    link, the root of a disk, or in a folder without write permission.

    Raises:
        UserError: The folder is a broken link.
    """
    if not folder.exists():
        if folder.is_symlink():
            raise UserError(f"{folder}: is a link to {folder.readlink()}, which is not there")
        with whole_folder(folder) as temporary:
            yield temporary
        return
    inside = _unused(folder / "new")
    try:
        with whole_folder(inside) as temporary:
            yield temporary
        for entry in inside.iterdir():
            target = folder / entry.name
            if entry.is_dir() and target.is_dir() and not target.is_symlink():
                shutil.rmtree(target)
            os.replace(entry, target)
    finally:
        shutil.rmtree(inside, ignore_errors=True)


def write_whole(path: Path, *parts: bytes | memoryview) -> None:
    """Writes a file atomically: a temporary file beside it, which is then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not `tempfile`: only the owner can read its files, and colleagues read the results.
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with _named(path), temporary.open("xb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())  # otherwise, after a crash, the name may exist without the content
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_changed(path: Path, content: bytes) -> None:
    """Writes a file atomically, unless it has this content already: its time is that of the last change."""
    if not path.is_file() or path.read_bytes() != content:
        write_whole(path, content)


def sha256(file: Path) -> str:
    """Returns the file's SHA-256 in hexadecimal digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sweep(folder: Path) -> None:
    """Removes the temporary files of killed processes below a folder; those of other users may stay."""
    for file in folder.rglob(".*.tmp"):
        with suppress(PermissionError):
            file.unlink(missing_ok=True)


def remove_folder(folder: Path) -> None:
    """Removes a folder with its content, or leaves it unchanged; of a link to one, removes only the link."""
    if folder.is_symlink():
        folder.unlink()
        return
    aside = _unused(folder)
    os.replace(folder, aside)  # the step that may be refused comes first
    try:
        shutil.rmtree(aside)
    except OSError as error:
        os.replace(aside, folder)
        error.filename = str(folder)  # `rmtree` names files without their folder
        raise


def names_in(folder: Path) -> list[str]:
    """Returns the sorted names in a folder; none if it does not exist.

    Raises:
        OSError: The folder is not readable; `Path.glob` would treat it as empty.
    """
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []


def is_folder(path: str | Path) -> bool:
    """Says whether there is a folder; an invalid path (too long, with a null character) is none."""
    return os.path.isdir(Path(path))


def require_folder(folder: Path, key: str) -> None:
    """Checks, without writing, that the folder of an experiment's key exists or can be made.

    Raises:
        UserError: It, or a folder above it, is a file.
    """
    if not next(path for path in (folder, *folder.absolute().parents) if path.exists()).is_dir():
        raise UserError(f"{key}: cannot write in the folder {folder}: {os.strerror(errno.ENOTDIR)}")


def require_writable(folder: Path, key: str) -> None:
    """Makes the folder of an experiment's key if necessary, and checks that files can be written in it.

    Raises:
        UserError: It cannot be made or written; the message names its owner if permissions are the reason.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = f"{error.strerror}{_of_another_user(folder, error)}"
        raise UserError(f"{key}: cannot write in the folder {folder}: {reason}") from None


def owner(path: Path) -> str:
    """Names the user that a file or folder belongs to."""
    try:
        return path.owner()
    except KeyError:  # without a name on this machine
        return f"user {path.stat().st_uid}"


def _of_another_user(folder: Path, error: OSError) -> str:
    """Returns how to open a colleague's folder to the group."""
    if error.errno not in (errno.EACCES, errno.EPERM):
        return ""
    with suppress(OSError):
        refusing = next(path for path in (folder, *folder.parents) if path.exists())
        if refusing.stat().st_uid != os.geteuid():
            return f"; {refusing} belongs to {owner(refusing)}, who can open it to the group: `chmod -R g+w {refusing}`"
    return ""


def _unused(path: Path) -> Path:
    """Returns an unused hidden name beside a path."""
    return path.with_name(f".{path.name}-{uuid.uuid4().hex}")


def usual_permissions(folder: Path) -> None:
    """Gives the files in a folder of this user the permissions of new files; some libraries make private ones."""
    mode = folder.stat().st_mode & 0o666
    for file in filter(Path.is_file, folder.rglob("*")):
        with suppress(PermissionError):  # another user's
            file.chmod(mode)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Adds the file to errors without one: those of `write`, and of safetensors, on a full disk."""
    try:
        yield
    except SafetensorError as error:
        number = re.search(r"\(os error (\d+)\)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise
