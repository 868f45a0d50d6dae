"""Runs side by side, ready to be printed and written."""

import csv
import io
import json
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.text import Text

from framework.compare.layout import Grid, prefers_wide, tall, wide
from framework.compare.rendering import LABEL_WIDTH, blocks, column_width, escape, markdown_table, rich_table
from framework.compare.rows import Row
from framework.files import write_whole
from framework.results import RunFolder


@dataclass(frozen=True)
class Comparison:
    """Runs side by side; `compare` makes it."""

    metric: str
    """The name of the metric that the table shows."""
    metrics: list[str]
    """The names of all metrics of the task."""
    title: str
    languages: list[str]
    """FLORES codes, training sources first, else sorted."""
    macro_languages: list[str]
    """The languages that the macro averages are over: the same for each row."""
    rows: list[Row]
    """Each combination, followed by its controls."""
    baseline: str | None
    """The label of the combination that the others are compared to."""
    legend: list[str]
    """What must be said under the table, a sentence or a list each."""
    runs: list[tuple[str, RunFolder]] = field(repr=False)
    """Each run with its combination's label."""

    def print(self, console: Console) -> None:
        """Prints the table and its legend; languages are columns where they are few and there is room."""
        console.print(Text(self.title, style="bold"), soft_wrap=True)
        console.print()
        for grid in self._grids(console.width):
            for block in blocks(grid, console.width):
                console.print(rich_table(block))
                console.print()
        for line in self.legend:
            console.print(Text(line, style="dim"))

    def markdown(self) -> str:
        """Returns the table and its legend as Markdown."""
        legend = "\n".join(f"- {escape(line)}" for line in self.legend)
        return "\n\n".join([f"**{escape(self.title)}**", *map(markdown_table, self._grids()), legend]) + "\n"

    def csv(self) -> str:
        """Returns every result of every run, complete or not, one a line, with all metrics."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        about = ("control", "language", "component_language", "source", "examples")
        rates = ("foreign_rate", "unparsed_rate")
        writer.writerow(["experiment", "combination", "settings", "seed", "run", *about, *self.metrics, *rates])
        for label, run in self.runs:
            record = run.record
            of_run = [record.experiment, label, json.dumps(record.settings), record.seed, record.id]
            for result in run.results():
                columns = vars(result) | result.scores
                writer.writerow([*of_run, *(columns[name] for name in (*about, *self.metrics, *rates))])
        return out.getvalue()

    def write(self, folder: str | Path) -> list[Path]:
        """Writes the table as Markdown and all results as CSV.

        Args:
            folder: Where to; it is made when it is not there.

        Returns:
            The files: `table-<metric>.md` and `results.csv`. One that says the same already is left as it is.
        """
        texts = {f"table-{self.metric}.md": self.markdown(), "results.csv": self.csv()}
        files = {Path(folder) / name: text.encode() for name, text in texts.items()}
        for file, content in files.items():
            if not file.is_file() or file.read_bytes() != content:
                write_whole(file, content)
        return list(files)

    def _grids(self, width: int | None = None) -> list[Grid]:
        """Lays the figures out for a page of so many letters a line, or of any width."""
        shown = self.rows, self.languages, self.baseline
        as_columns = wide(*shown)
        fits = width is None or sum(column_width(column) + 2 for column in as_columns[1:]) + LABEL_WIDTH <= width
        return [as_columns] if prefers_wide(self.rows, self.languages) and fits else tall(*shown)
