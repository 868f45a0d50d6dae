"""Validation data held out of the split that is trained on, for datasets that lack a split."""

from collections.abc import Iterator

from typing_extensions import override

from datamodules.datasets.base import TRAIN, VALIDATION, Example, LabelledDataset
from datamodules.datasets.k_shot import draw
from datamodules.datasets.wrapper import DatasetWrapper
from datamodules.errors import DataError, RowError


class HeldOut(DatasetWrapper):
    """A dataset whose training and validation data are two parts of one of its splits; its test data is its own.

    A share, between 0 and 1, of the groups of examples (see `LabelledDataset.group_of`) is held out, by the rank of a
    hash of each. So the parts depend neither on a run's seed nor on the order of reading, and share no group.
    """

    def __init__(self, whole: LabelledDataset, split: str, share: float) -> None:
        super().__init__(whole)
        self.split = split
        self.share = share

    @override
    def split_of(self, split: str) -> tuple[LabelledDataset, str]:
        return self.asked, self.split if split in (TRAIN, VALIDATION) else split

    @override
    def fingerprint(self, language: str, split: str) -> str:
        """That of the divided split, with the part."""
        whole = super().fingerprint(language, split)
        parts = {TRAIN: f"{whole} but {self.share:g} held out", VALIDATION: f"{whole} the {self.share:g} held out"}
        return parts.get(split, whole)

    @override
    def read(self, language: str, split: str) -> Iterator[Example | RowError]:
        """The errors of the divided split are in both of its parts.

        Raises:
            DataError: Also if a part would be empty.
        """
        if split not in (TRAIN, VALIDATION):
            yield from self.asked.read(language, split)
            return
        examples: list[Example] = []
        for found in self.asked.read(language, self.split):
            if isinstance(found, RowError):
                yield found
            else:
                examples.append(found)
        held_out = self._held_out({self.asked.group_of(example) for example in examples}, language)
        for example in examples:
            if (self.asked.group_of(example) in held_out) == (split == VALIDATION):
                yield example

    def _held_out(self, groups: set[str], language: str) -> set[str]:
        count = round(self.share * len(groups))
        if not 0 < count < len(groups):
            raise DataError(
                f"{self.name} {language}: data.held_out: {self.share:g} of the {len(groups)} different texts of the "
                f"{self.split} split is {count}; some must be held out and some left to train on"
            )
        return set(sorted(groups, key=lambda group: draw("held out", group))[:count])
