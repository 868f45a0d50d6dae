"""What users' disks have in the place of a file or a folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Obstacle:
    """Something that takes the place of a file or a folder."""

    make: Callable[[Path], object]
    """Puts it at a path; what is there is removed before."""
    says: str = ""
    """A part of the message."""
    unprivileged: bool = False
    """Whether it is one only for a user without rights."""

    def replace(self, path: Path) -> None:
        """Puts it in the place of what is at a path."""
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        self.make(path)


def _close(path: Path) -> None:
    path.chmod(0)


AT_A_FILE = {
    "a folder": Obstacle(Path.mkdir, "is a folder, not a file"),
    "a pipe": Obstacle(os.mkfifo, "is a named pipe, not a file"),
    "a link to nowhere": Obstacle(lambda path: path.symlink_to("nowhere"), "which does not exist"),
    "a link to itself": Obstacle(lambda path: path.symlink_to(path.name), "Too many levels of symbolic links"),
    "a device without an end": Obstacle(lambda path: path.symlink_to("/dev/zero"), "is a device, not a file"),
    "nothing": Obstacle(lambda path: None),
}
"""By name, what cannot be read as a file."""

AT_A_FOLDER = {
    "a file": Obstacle(Path.touch),
    "a pipe": Obstacle(os.mkfifo),
    "a link to nowhere": Obstacle(lambda path: path.symlink_to("nowhere")),
    "a link to itself": Obstacle(lambda path: path.symlink_to(path.name), "Too many levels of symbolic links"),
    "nothing": Obstacle(lambda path: None),
}
"""By name, what cannot be read as a folder."""

CLOSED = Obstacle(_close, "Permission denied", unprivileged=True)
"""A file or a folder without permissions. Its content stays: `make` is to be called, not `replace`."""

NAMES = {
    "of 300 letters": "x" * 300,
    "of 5000 letters": "/".join(["x" * 100] * 50),
    "with a null character": "a\0b",
    "of a user that is not there": "~nobody-of-that-name/data",
    "of a device": "/dev/null/data",
}
"""By name, paths at which nothing can be."""
