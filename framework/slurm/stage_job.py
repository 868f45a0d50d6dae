"""The job of a stage: an element of a job array, with its log and its end."""

import re
from pathlib import Path

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from framework.slurm.jobs import Element, part_of

PROGRESS = re.compile(r"(\d+)\t(.*)")
"""A step and its metrics, as the first process of a stage prints them."""
TAIL = 64 * 1024
"""Bytes at the end of a log that are read."""
CANCELLED = "– CANCELLED"
"""The end of an element that never started."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class StageJob:
    """A stage in an element of a job array, and the folder of its launch."""

    folder: str
    name: str
    """The array's script, without its suffix."""
    job: str
    """The array's job id."""
    index: int
    turn: int = 0
    """Its number among the stages of the element, which run one after the other."""

    @property
    def part(self) -> str:
        """The suffix of the names of its files."""
        return part_of(self.index, self.turn)

    @property
    def element(self) -> Element:
        """The element alone."""
        return Element(self.job, self.index)

    @property
    def shown(self) -> str:
        """The element as Slurm writes it: `1234_5`."""
        return f"{self.job}_{self.index}"

    @property
    def log(self) -> Path:
        """The file of its output."""
        return Path(self.folder) / "logs" / f"{self.name}-{self.part}.log"

    @property
    def end(self) -> Path:
        """The file in which its script records how it ended."""
        return Path(self.folder) / "ends" / f"{self.name}-{self.part}"

    def ended(self) -> str:
        """Returns its exit code and Slurm's state of the job at that time; empty while it has not ended."""
        return self.end.read_text(encoding="utf-8", errors="replace").strip() if self.end.is_file() else ""

    def progress(self) -> tuple[str, str]:
        """Returns the last step and its metrics; both are empty before the first."""
        found = [line for line in map(PROGRESS.fullmatch, self._tail()) if line]
        return (found[-1][1], found[-1][2]) if found else ("", "")

    def log_tail(self, count: int) -> list[str]:
        """Returns the last lines of its log without progress."""
        return [line for line in self._tail() if line.strip() and not PROGRESS.fullmatch(line)][-count:]

    def _tail(self) -> list[str]:
        if not self.log.is_file():
            return []
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - TAIL))
            return file.read().decode(errors="replace").splitlines()
