"""Base of datasets that recombine the splits of other datasets and keep their labels and answers."""

from typing_extensions import override

from datamodules.datasets.base import LabelledDataset

_TAKEN_OVER = (
    "name", "task", "pairs", "positive", "parallel", "bad_rows", "notes", "gold", "has_gold", "answer", "read_answer",
)
"""Attributes and methods of a dataset that are its wrapper's too."""


class DatasetWrapper(LabelledDataset):
    """Has the task, labels and answers of another dataset; a subclass names the dataset of each split."""

    def __init__(self, asked: LabelledDataset) -> None:
        self.asked = asked
        for name in _TAKEN_OVER:
            setattr(self, name, getattr(asked, name))

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
