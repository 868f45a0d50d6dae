"""Base of datasets that recombine the splits of other datasets and keep their labels and answers."""

from collections.abc import Sequence

from typing_extensions import override

from datamodules.datasets.base import Example, LabelledDataset


class DatasetWrapper(LabelledDataset):
    """Has the task, labels and answers of another dataset; a subclass names the dataset of each split."""

    def __init__(self, asked: LabelledDataset) -> None:
        self.asked = asked
        self.name = asked.name
        self.task = asked.task
        self.pairs = asked.pairs
        self.positive = asked.positive
        self.parallel = asked.parallel
        self.bad_rows = asked.bad_rows

    def split_of(self, split: str) -> tuple[LabelledDataset, str]:
        """Returns the dataset and the split of it that a split is read from."""
        raise NotImplementedError

    @property
    @override
    def languages(self) -> tuple[str, ...]:
        return self.asked.languages

    @override
    def config_of(self, language: str) -> str:
        return self.asked.config_of(language)

    @override
    def check(self, language: str, split: str) -> None:
        dataset, its_split = self.split_of(split)
        dataset.check(language, its_split)

    @override
    def fingerprint(self, language: str, split: str) -> str:
        dataset, its_split = self.split_of(split)
        return dataset.fingerprint(language, its_split)

    @override
    def content(self, language: str, split: str) -> str:
        dataset, its_split = self.split_of(split)
        return dataset.content(language, its_split)

    @override
    def verify(self) -> None:
        self.asked.verify()

    @override
    def labels_in(self, language: str) -> tuple[str, ...]:
        return self.asked.labels_in(language)

    @property
    @override
    def labels(self) -> tuple[str, ...]:
        return self.asked.labels

    @override
    def notes(self) -> list[str]:
        return self.asked.notes()

    @override
    def gold(self, example: Example) -> str:
        return self.asked.gold(example)

    @override
    def has_gold(self, example: Example) -> bool:
        return self.asked.has_gold(example)

    @override
    def answer(self, example: Example, words: Sequence[str]) -> str:
        return self.asked.answer(example, words)

    @override
    def read_answer(self, written: str, text: str, words: Sequence[str]) -> str | None:
        return self.asked.read_answer(written, text, words)
