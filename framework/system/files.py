"""Writes files and folders whole or not at all, with the permissions that the user's umask and folders give."""

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
    """Gives a temporary folder beside `folder` that takes its place when the block ends without an error.

    A process killed inside the block leaves a folder whose name begins with a dot, which nothing reads.
    """
    with _named(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = _unused(folder)
        temporary.mkdir()
        try:
            yield temporary
            _finish(temporary)
            if folder.exists():  # moved aside first: a folder cannot take the place of one with files in it
                old = _unused(folder)
                os.replace(folder, old)
                shutil.rmtree(old, ignore_errors=True)
            os.replace(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def filled_folder(folder: Path) -> Iterator[Path]:
    """Gives a temporary folder whose content is in `folder` when the block ends without an error.

    Other than with `whole_folder`, a folder that is there stays in its place, with whatever else it holds: it may be
    the working directory, a link, the root of a disk, or in a folder that may not be written.

    Raises:
        UserError: The folder is a link to nowhere.
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
    """Makes a file appear whole or not at all: written beside its place, then moved there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not `tempfile`: its files can be read by their owner only, and colleagues read the results.
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with _named(path), temporary.open("xb") as file:
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
    """Removes the files that processes killed while writing left in a folder, at any depth.

    Those of another user, in a folder that only that user may write, stay: nothing reads them.
    """
    for file in folder.rglob(".*.tmp"):
        with suppress(PermissionError):
            file.unlink(missing_ok=True)


def remove_folder(folder: Path) -> None:
    """Removes a folder with all in it, or leaves it where it is; of a link to one, removes only the link."""
    if folder.is_symlink():
        folder.unlink()
        return
    aside = _unused(folder)
    os.replace(folder, aside)  # first what may be refused
    try:
        shutil.rmtree(aside)
    except OSError as error:
        os.replace(aside, folder)
        error.filename = str(folder)  # `rmtree` names files without their folder
        raise


def names_in(folder: Path) -> list[str]:
    """Returns the names in a folder, in order; none where there is no such folder.

    Raises:
        OSError: The folder may not be read, which `Path.glob` does not tell from an empty one.
    """
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []


def is_folder(path: str | Path) -> bool:
    """Says whether there is a folder; what cannot be a path (too long, with a null character) is none."""
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):
        return False


def require_folder(folder: Path, key: str) -> None:
    """Checks, without writing, that a folder is there or that it can be made below one that is.

    Args:
        folder: The folder.
        key: The experiment's key that names it.

    Raises:
        UserError: A file stands in its place, or in that of a folder above it.
    """
    if not next(place for place in (folder, *folder.absolute().parents) if place.exists()).is_dir():
        raise UserError(f"{key}: cannot write in the folder {folder}: {os.strerror(errno.ENOTDIR)}")


def require_writable(folder: Path, key: str) -> None:
    """Checks that files can be made in a folder, before hours of work end in it.

    Args:
        folder: The folder; made when it is not there.
        key: The experiment's key that names it.

    Raises:
        UserError: The folder cannot be made or written; the message names its owner where permissions are the reason.
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
    """Says what opens a colleague's folder to the group."""
    if error.errno not in (errno.EACCES, errno.EPERM):
        return ""
    with suppress(OSError):
        refusing = next(place for place in (folder, *folder.parents) if place.exists())
        if refusing.stat().st_uid != os.geteuid():
            return f"; {refusing} belongs to {owner(refusing)}, who can open it to the group: `chmod -R g+w {refusing}`"
    return ""


def _unused(path: Path) -> Path:
    """Returns a name beside a path that nothing has and that nothing reads."""
    return path.with_name(f".{path.name}-{uuid.uuid4().hex}")


def usual_permissions(folder: Path) -> None:
    """Gives the files in a folder of this user's the permissions of new files: some libraries make private ones."""
    mode = folder.stat().st_mode & 0o666
    for file in filter(Path.is_file, folder.rglob("*")):
        with suppress(PermissionError):  # another user's
            file.chmod(mode)


def _finish(folder: Path) -> None:
    """Makes what was written readable like any new file, and safe against a crash."""
    usual_permissions(folder)
    for file in filter(Path.is_file, folder.rglob("*")):
        with file.open("rb") as written:
            os.fsync(written.fileno())  # else, after a crash, the folder may be there and the content not


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Names the file in errors that lack it: those of `write`, and of safetensors, on a full disk."""
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
