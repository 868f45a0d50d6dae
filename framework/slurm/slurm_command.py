"""Runs one of Slurm's commands with limits on time and output."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import IO

from framework.errors import UserError

SECONDS = 30.0
"""Time limit of a command; a controller that is not overloaded answers within ten seconds."""
MOST_BYTES = 64 * 2**20
"""Longest output; `squeue` prints about 200 bytes for each job."""
POLL = 0.05
"""Seconds between two checks of the length of the output."""
MOST_SHOWN = 2000
"""Letters of an output that a message quotes."""
MOST_LINES = 20
"""Lines of an output that a message quotes."""


def call(*command: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Runs a command without a terminal and waits for its end; output bytes that are not UTF-8 are replaced.

    Raises:
        UserError: It cannot be started, does not end in time, or prints without end.
    """
    # Files and not pipes: a pipe stays open while any child of a wrapper script holds it.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,  # to end a wrapper script together with its children
            )
        except (OSError, ValueError) as error:  # ValueError: an argument holds NUL
            raise UserError(f"{command[0]} cannot be run: {error}") from error
        try:
            _wait(command[0], process, out, err)
        except UserError as error:
            printed = shown(_read(err))
            raise UserError(f"{error}: {printed}" if printed else str(error)) from None
        finally:
            if process.poll() is None:  # also after Ctrl-C
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return subprocess.CompletedProcess(command, process.returncode, _read(out), _read(err))


def shown(text: str) -> str:
    """Shortens an output for a message, and replaces control characters."""
    lines = text[:MOST_SHOWN].strip().split("\n")
    clean = ["".join(letter if letter.isprintable() else "\ufffd" for letter in line) for line in lines[:MOST_LINES]]
    is_whole = len(text) <= MOST_SHOWN and len(lines) <= MOST_LINES
    return "\n".join(clean) + ("" if is_whole else " …")


def _wait(name: str, process: subprocess.Popen[bytes], out: IO[bytes], err: IO[bytes]) -> None:
    end = time.monotonic() + SECONDS
    while True:
        with suppress(subprocess.TimeoutExpired):
            process.wait(POLL)
            return
        if time.monotonic() > end:
            raise UserError(f"{name} did not end within {SECONDS:g} seconds")
        if any(os.fstat(file.fileno()).st_size > MOST_BYTES for file in (out, err)):
            raise UserError(f"{name} printed more than {MOST_BYTES // 2**20} MiB")


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(MOST_BYTES).decode(errors="replace")
