"""Training on one dataset and testing on another."""

import dataclasses
from collections.abc import Iterator

from typing_extensions import override

from datamodules.datasets.base import TEST, Example, LabelledDataset
from datamodules.datasets.wrapper import DatasetWrapper
from datamodules.errors import DataError, RowError


class Transfer(DatasetWrapper):
    """A dataset whose test split is its own, and whose other splits are another dataset's of the same task.

    A benchmark with nothing to train on, such as XQuAD, is trained on another one, such as SQuAD.
    """

    def __init__(self, tested: LabelledDataset, learnt: LabelledDataset) -> None:
        """Checks that both datasets fit together.

        Raises:
            DataError: If one task or its labels are not the other's.
        """
        super().__init__(tested)
        self.learnt = learnt
        for what, theirs, ours in (
            ("task", learnt.task, tested.task),
            ("labels", ", ".join(_labels(learnt)), ", ".join(_labels(tested))),
            ("texts", _texts(learnt), _texts(tested)),
        ):
            if theirs != ours:
                raise DataError(
                    f"train_on: {learnt.name} cannot be trained on for {tested.name}: the {what} of the one: {theirs}; "
                    f"of the other: {ours}"
                )

    @override
    def split_of(self, split: str) -> tuple[LabelledDataset, str]:
        return (self.asked if split == TEST else self.learnt), split

    @override
    def labels_in(self, language: str) -> tuple[str, ...]:
        """The labels that occur in a language's training texts, where it has some."""
        return (self.learnt if language in self.learnt.languages else self.asked).labels_in(language)

    @override
    def verify(self) -> None:
        self.learnt.verify()
        self.asked.verify()

    @override
    def group_of(self, example: Example) -> str:
        """Only what is trained on is divided into groups."""
        return self.learnt.group_of(example)

    @override
    def config_of(self, language: str) -> str:
        return (self.learnt if language in self.learnt.languages else self.asked).config_of(language)

    @override
    def read(self, language: str, split: str) -> Iterator[Example | RowError]:
        """Labels are indices into `labels`."""
        dataset, _ = self.split_of(split)
        labels, its_labels = self.labels, dataset.labels
        for found in dataset.read(language, split):
            if isinstance(found, RowError) or found.label is None or its_labels == labels:
                yield found
            else:
                yield dataclasses.replace(found, label=labels.index(its_labels[found.label]))


def _texts(dataset: LabelledDataset) -> str:
    return "pairs" if dataset.pairs else "single ones"


def _labels(dataset: LabelledDataset) -> list[str]:
    """The labels in an order of no meaning; tags in theirs, for each example holds many numbers of them."""
    return list(dataset.labels) if dataset.task == "tagging" else sorted(dataset.labels)
