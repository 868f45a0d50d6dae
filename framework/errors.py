"""What goes wrong through no fault of the code: a mistake that its maker can mend."""

import difflib
import errno
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from framework.wording import bounded, shortened

INTERRUPTED = 75
"""Exit code of a process that was asked to stop and can go on later (EX_TEMPFAIL)."""

UNAVAILABLE = 69
"""Exit code where the network failed, or the hub: the same command may succeed later (EX_UNAVAILABLE)."""

LONGEST_PATH = 200
"""Characters of a path that a message shows."""

FILE_ERRORS = frozenset(
    {
        *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.ESTALE),
        *(errno.EACCES, errno.EPERM, errno.EBUSY, errno.EXDEV),
        *(errno.ENOENT, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENOTEMPTY, errno.ELOOP, errno.ENAMETOOLONG),
    }
)
"""What a file system refuses that its user can mend: a full disk, permissions, a folder where a file should be."""
PRESENCE = frozenset({errno.ENOENT, errno.EEXIST})
"""Those of them that a mistake in the code leads to just as well."""
PACKAGES = tuple(Path(__file__).parents[1] / name for name in ("framework", "modules", "datamodules"))
"""Folders of the program itself, in which no file is the user's."""

LONGEST_WORD = 100
"""Characters of a misspelt word that are compared with the right ones, which takes time by their product."""


class Interrupted(Exception):
    """The process was asked to stop, and what it did so far is kept.

    The command line prints the message alone and leaves with the exit code `INTERRUPTED`.
    """


class Unavailable(Exception):
    """The network failed in another process, or the hub: no mistake of the user's, and it may work later.

    The command line prints the message alone and leaves with the exit code `UNAVAILABLE`.
    """


class UserError(Exception):
    """A mistake of the user's, in words that say where, what and the nearest right spelling.

    The command line prints the message alone and leaves with exit code 2.
    """


@dataclass(frozen=True)
class Mistake:
    """One thing wrong with an experiment."""

    key: str
    """The dotted key, as the user would write it: `combination.task.adapter.type`."""
    reason: str
    """What is wrong, and the nearest right spelling where there is one."""
    place: str = ""
    """File and line, or the command line's `key=value`; empty when nothing was written."""


class ExperimentError(UserError):
    """All mistakes of one experiment together, of which the message shows the first."""

    SHOWN = 25

    def __init__(self, experiment: str, mistakes: list[Mistake]) -> None:
        """Collects the mistakes, at least one, of a file that the user named."""
        self.mistakes = mistakes
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes):,} mistakes"
        shown = [(mistake.place, shortened(mistake.key), mistake.reason) for mistake in mistakes[: self.SHOWN]]
        places, keys = (max(len(row[column]) for row in shown) for column in (0, 1))
        lines = [f"  {place:<{places}}  {key:<{keys}}  {reason}".rstrip() for place, key, reason in shown]
        if left := len(mistakes) - len(shown):
            lines.append(f"  … and {left:,} more")
        super().__init__("\n".join([f"{experiment} has {count}:", *lines]))


@contextmanager
def exit_on_user_error() -> Iterator[None]:
    """Prints mistakes of the user's and failures of the network without a traceback, and ends with their exit codes."""
    try:
        yield
    except Interrupted as error:
        _exit(INTERRUPTED, error)
    except Exception as error:
        # Imported late: a command that works may need neither package.
        from datamodules import errors as of_data
        from modules import errors as of_modules

        if isinstance(error, Unavailable | of_data.NetworkError | of_modules.NetworkError):
            _exit(UNAVAILABLE, error)
        if _is_out_of_memory(error):
            reason = shortened(str(error).partition("\n")[0], 200)
            advice = "lower the batch_size of the stage, max_length or the components' sizes"
            _exit(2, f"out of memory: {advice} ({reason})")
        if isinstance(error, UserError | of_data.DataError | of_modules.ModulesError):
            _exit(2, error)
        if isinstance(error, OSError) and _is_of_users_files(error):
            _exit(2, file_error(error))
        raise


def _is_out_of_memory(error: Exception) -> bool:
    """Says whether memory ran out: Python's, a GPU's, or the processor's, of which torch raises no type of its own."""
    names = (MemoryError.__name__, "OutOfMemoryError")
    return type(error).__name__ in names or "DefaultCPUAllocator" in str(error)


def _is_of_users_files(error: OSError) -> bool:
    """Says whether the user can mend an error of the file system.

    A file that is missing, or there already, must be named, and not be one of the program's own.
    """
    if error.errno not in PRESENCE:
        return error.errno in FILE_ERRORS
    path = _path(error)
    return bool(path) and not any(Path(path).absolute().is_relative_to(package) for package in PACKAGES)


def file_error(error: OSError) -> str:
    """Returns the path and what the file system said of it: `store/7f3a: Permission denied`."""
    return ": ".join(filter(None, [shortened(_path(error), LONGEST_PATH), error.strerror or str(error)]))


def _path(error: OSError) -> str:
    return os.fsdecode(error.filename) if isinstance(error.filename, str | bytes | os.PathLike) else ""


def _exit(code: int, message: object) -> NoReturn:
    """Writes a message in one piece, because ranks may have one at the same moment, and ends with an exit code."""
    sys.stderr.write(f"{bounded(str(message))}\n")
    sys.stderr.flush()
    raise SystemExit(code) from None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Returns "; did you mean 'x'?" for the known word nearest to `word`, or an empty string."""
    known = list(known)
    alike = [one for one in known if one.casefold() == word.casefold()]
    near = alike or difflib.get_close_matches(word[:LONGEST_WORD], known, n=1, cutoff=0.5)
    return f"; did you mean '{near[0]}'?" if near else ""
