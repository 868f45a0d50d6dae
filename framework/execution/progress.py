"""Shows progress: the stage, its steps, the time left.

A terminal shows a progress bar; a pipe or a log file gets a plain line every few seconds.
"""

import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

PLAIN_EVERY = 15.0
"""Seconds between lines without a terminal."""


class StageProgress:
    """Context that shows the progress of one stage."""

    def __init__(self, console: Console, title: str, total: int, left_after: Callable[[], str]) -> None:
        """Takes number and title of the stage as one text (`[ 7/39] task · adapter`), and the number of its steps.

        `left_after` returns the time of the stages after this one; empty while that is unknown.
        """
        self.console = console
        self.title = title
        self.total = total
        self.left_after = left_after
        self.started = self.printed = time.monotonic()
        self.first: tuple[float, int] | None = None
        """Time and number of the first reported step: loading is over then, and earlier steps were resumed."""
        self.bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[detail]}", markup=False),
            console=console,
            transient=True,
            auto_refresh=False,
        )
        self.task = self.bar.add_task(title, total=total, detail="")

    def __enter__(self) -> "StageProgress":
        if self.console.is_terminal:
            self.bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if self.console.is_terminal:
            self.bar.stop()
        if kind is None:
            self.console.print(f"{self.title} · {duration(time.monotonic() - self.started)}")

    def print(self, text: str) -> None:
        """Prints a permanent line."""
        self.console.print(f"{self.title}: {text}", soft_wrap=True)

    def update(self, done: int, detail: str = "") -> None:
        """Shows the number of steps that are done, with the latest metrics."""
        now = time.monotonic()
        began, before = self.first = self.first or (now, done)
        if done > before or done == self.total:
            left = (now - began) / max(done - before, 1) * (self.total - done)
            detail = f"{detail}  {duration(left)} left{self.left_after()}"
        if self.console.is_terminal:
            self.bar.update(self.task, completed=done, detail=detail, refresh=True)
        elif now - self.printed > PLAIN_EVERY:
            self.printed = now
            self.console.print(f"{self.title}  {done}/{self.total}  {detail}")


def duration(seconds: float) -> str:
    """Formats seconds: `0:31`, `22 min`, `3 h 05 min`."""
    if seconds < 600:
        return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"
