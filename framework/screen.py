"""Where commands print."""

import os
import sys

from rich.console import Console


def console() -> Console:
    """Returns the terminal; a pipe has no width of its own, and tables there should not be folded at 80 columns.

    What is printed is shown as it stands: people write `[/INST]` and `:key:` into templates and scripts, and mean that.
    """
    width = None if sys.stdout.isatty() else int(os.environ.get("COLUMNS", "160"))
    return Console(width=width, markup=False, emoji=False)
