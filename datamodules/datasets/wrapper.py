"""What a dataset takes over from another whose texts it puts together anew: what is asked, and how it is answered."""

from __future__ import annotations

from collections.abc import Sequence

from datamodules.datasets.base import Example, LabelledDataset


class DatasetWrapper(LabelledDataset):
    """Asks and answers as another dataset does."""

    def __init__(self, asked: LabelledDataset) -> None:
        """Takes over what is asked.

        Args:
            asked: The other dataset.
        """
        self.asked = asked
        self.name = asked.name
        self.task = asked.task
        self.pairs = asked.pairs
        self.positive = asked.positive
        self.parallel = asked.parallel
        self.bad_rows = asked.bad_rows

    @property
    def labels(self) -> tuple[str, ...]:
        """See `LabelledDataset.labels`."""
        return self.asked.labels

    def notes(self) -> list[str]:
        """See `LabelledDataset.notes`."""
        return self.asked.notes()

    def gold(self, example: Example) -> str:
        """See `LabelledDataset.gold`."""
        return self.asked.gold(example)

    def has_gold(self, example: Example) -> bool:
        """See `LabelledDataset.has_gold`."""
        return self.asked.has_gold(example)

    def answer(self, example: Example, words: Sequence[str]) -> str:
        """See `LabelledDataset.answer`."""
        return self.asked.answer(example, words)

    def read_answer(self, written: str, text: str, words: Sequence[str]) -> str | None:
        """See `LabelledDataset.read_answer`."""
        return self.asked.read_answer(written, text, words)
