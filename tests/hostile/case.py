"""One hostile input."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

REFUSED = frozenset({2})
"""The input is a mistake of the user's."""
DONE = frozenset({0})
"""The input is odd, but has one clear meaning."""
EITHER = REFUSED | DONE
"""Both are right; for generated inputs whose meaning no table says."""


@dataclass(frozen=True)
class Case:
    """A command, the files that it finds, and what has to come of it."""

    name: str
    """Unique within its family."""
    command: Sequence[str]
    """Words after `modulingua`; paths are relative to the case's own folder, in which the command runs."""
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    """Content by path in that folder."""
    setup: Callable[[Path], object] | None = None
    """Makes in that folder what text cannot say, after `files`; runs in the case's own process, before the command."""
    stdin: bytes = b""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables on top of the harness's own."""
    unprivileged: bool = False
    """Where the tests run as root, for whom all files can be read: the command runs as a user with no rights."""
    codes: frozenset[int] = REFUSED
    """Exit codes that are right."""
    says: Sequence[str] = ()
    """What the output holds."""
    never: Sequence[str] = ()
    """What stands neither in the output nor in a file or a file's name."""
    writes: bool = False
    """Whether the command may write in the folder even if it then ends with exit code 2."""

    def prepare(self, folder: Path) -> None:
        """Makes the case's files in its folder."""
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        if self.setup is not None:
            self.setup(folder)
