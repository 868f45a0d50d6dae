"""Where commands print."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from framework.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console


def console() -> Console:
    """Returns the terminal; a pipe has no width of its own, and tables there should not be folded at 80 columns.

    What is printed is shown as it stands: people write `[/INST]` and `:key:` into templates and scripts, and mean that.
    """
    from rich.console import Console  # not above: `--help` prints without it

    width = None if sys.stdout.isatty() else int(os.environ.get("COLUMNS", "160"))
    return Console(width=width, markup=False, emoji=False, highlight=False)


@contextmanager
def flushed_output() -> Iterator[None]:
    """Writes out what the block printed, so that a failure is reported as an error and not by the interpreter's exit.

    Raises:
        UserError: Standard output cannot be written, for instance because the disk is full.
        SystemExit: The process that reads standard output has ended, as `head` does.
    """
    if sys.stdout is None:  # closed by the caller
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    try:
        yield
    finally:
        try:
            sys.stdout.flush()
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the interpreter flushes again when it exits
            if error.errno == errno.EPIPE:
                raise SystemExit(1) from None
            raise UserError(f"standard output cannot be written: {error.strerror}") from None
