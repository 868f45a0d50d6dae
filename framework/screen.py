"""Where commands print."""

import os
import sys

from rich.console import Console


def console() -> Console:
    """Returns the terminal; a pipe has no width of its own, and tables there should not be folded at 80 columns."""
    return Console() if sys.stdout.isatty() else Console(width=int(os.environ.get("COLUMNS", "160")))
