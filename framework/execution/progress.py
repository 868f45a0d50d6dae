"""Tells a person how far the work is: which stage of how many, which language, time left.

On a terminal one line moves; in a pipe or a log file plain lines appear every few seconds.
"""

import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

PLAIN_EVERY = 15.0
"""Seconds between lines where there is no terminal."""


class StageProgress:
    """The progress of one stage among all; use it as a context."""

    def __init__(self, console: Console, position: str, title: str, total: int, left_after: Callable[[], str]) -> None:
        """Announces a stage.

        Args:
            console: Where to write.
            position: Which stage of how many: `[ 7/39]`.
            title: What the stage does.
            total: Steps of the stage.
            left_after: Says how long the stages after this one will take, or nothing while that is unknown.
        """
        self.console = console
        self.heading = f"{position} {title}"
        self.total = total
        self.left_after = left_after
        self.started = self.printed = time.monotonic()
        self.first: tuple[float, int] | None = None
        """When the first step was reported, and its number: loading is over then, and earlier steps were resumed."""
        self.bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[news]}", markup=False),
            console=console,
            transient=True,
            auto_refresh=False,
        )
        self.task = self.bar.add_task(self.heading, total=total, news="")

    def __enter__(self) -> "StageProgress":
        """Starts the clock."""
        if self.console.is_terminal:
            self.bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        """Leaves one plain line behind when the stage is finished."""
        if self.console.is_terminal:
            self.bar.stop()
        if kind is None:
            self.console.print(f"{self.heading} · {duration(time.monotonic() - self.started)}")

    def say(self, news: str) -> None:
        """Prints a line that stays."""
        self.console.print(f"{self.heading}: {news}", soft_wrap=True)

    def update(self, done: int, news: str = "") -> None:
        """Shows that `done` steps are done, with the latest figures."""
        now = time.monotonic()
        began, before = self.first = self.first or (now, done)
        if done > before or done == self.total:
            left = (now - began) / max(done - before, 1) * (self.total - done)
            news = f"{news}  {duration(left)} left{self.left_after()}"
        if self.console.is_terminal:
            self.bar.update(self.task, completed=done, news=news, refresh=True)
        elif now - self.printed > PLAIN_EVERY:
            self.printed = now
            self.console.print(f"{self.heading}  {done}/{self.total}  {news}")


def duration(seconds: float) -> str:
    """Writes seconds as a person does: `0:31`, `22 min`, `3 h 05 min`."""
    if seconds < 600:
        return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"
