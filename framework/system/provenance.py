"""When, by what and from which commit a result was made."""

import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

COMMAND = "MODULINGUA_COMMAND"
"""The environment variable through which a process tells those that it starts what was typed."""

LIBRARIES = ("modulingua", "torch", "lightning", "transformers", "adapters", "datasets")


@cache
def versions() -> dict[str, str]:
    """Returns the versions of Python and of the libraries that compute results."""
    found = {"python": platform.python_version()}
    for library in LIBRARIES:
        try:
            found[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            found[library] = "not installed"
    return found


@cache
def commit() -> str:
    """Returns the commit of this code, with "+" when files differ from it; "unknown" outside a checkout."""
    describe = ["git", "describe", "--always", "--exclude=*", "--abbrev=12", "--dirty=+"]
    try:
        done = subprocess.run(describe, cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


def command() -> str:
    """Returns the command line that a person typed, as it can be typed again.

    A process that works for another finds it in the environment.
    """
    return os.environ.get(COMMAND, shlex.join(["modulingua", *sys.argv[1:]]))


def made() -> dict[str, str]:
    """Returns all of it, with the time."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"time": now, "commit": commit(), "command": command(), **versions()}
