"""Validation data held out of the split that is trained on, for datasets that lack a split."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from datamodules.datasets.base import TRAIN, VALIDATION, Example, LabelledDataset
from datamodules.datasets.wrapper import DatasetWrapper
from datamodules.errors import DataError, RowError


class HeldOut(DatasetWrapper):
    """A dataset whose training and validation data are two parts of one of its splits; its test data is its own.

    Groups of examples (see `LabelledDataset.group_of`) are held out by the rank of a hash of each. So the parts
    depend neither on a run's seed nor on the order of reading, and share no group.
    """

    def __init__(self, whole: LabelledDataset, split: str, share: float) -> None:
        """Says what is divided; nothing is read yet.

        Args:
            whole: The dataset.
            split: Its split that is divided.
            share: Of the split's groups that are held out, between 0 and 1.
        """
        super().__init__(whole)
        self.whole = whole
        self.split = split
        self.share = share

    @property
    def languages(self) -> tuple[str, ...]:
        """See `Dataset.languages`."""
        return self.whole.languages

    def labels_in(self, language: str) -> tuple[str, ...]:
        """See `LabelledDataset.labels_in`."""
        return self.whole.labels_in(language)

    def verify(self) -> None:
        """See `LabelledDataset.verify`."""
        self.whole.verify()

    def config_of(self, language: str) -> str:
        """See `Dataset.config_of`."""
        return self.whole.config_of(language)

    def check(self, language: str, split: str) -> None:
        """See `Dataset.check`."""
        self.whole.check(language, self._its_split(split))

    def fingerprint(self, language: str, split: str) -> str:
        """That of the divided split, with the part."""
        whole = self.whole.fingerprint(language, self._its_split(split))
        parts = {TRAIN: f"{whole} but {self.share:g} held out", VALIDATION: f"{whole} the {self.share:g} held out"}
        return parts.get(split, whole)

    def content(self, language: str, split: str) -> str:
        """See `Dataset.content`."""
        return self.whole.content(language, self._its_split(split))

    def read(self, language: str, split: str) -> Iterator[Example | RowError]:
        """See `Dataset.read`; the errors of the divided split are in both of its parts.

        Raises:
            DataError: Also if a part would be empty.
        """
        if split not in (TRAIN, VALIDATION):
            yield from self.whole.read(language, split)
            return
        examples: list[Example] = []
        for found in self.whole.read(language, self.split):
            if isinstance(found, RowError):
                yield found
            else:
                examples.append(found)
        held_out = self._held_out({self.whole.group_of(example) for example in examples}, language)
        for example in examples:
            if (self.whole.group_of(example) in held_out) == (split == VALIDATION):
                yield example

    def _held_out(self, groups: set[str], language: str) -> set[str]:
        count = round(self.share * len(groups))
        if not 0 < count < len(groups):
            raise DataError(
                f"{self.name} {language}: data.held_out: {self.share:g} of the {len(groups)} different texts of the "
                f"{self.split} split is {count}; some must be held out and some left to train on"
            )
        return set(sorted(groups, key=_draw)[:count])

    def _its_split(self, split: str) -> str:
        return self.split if split in (TRAIN, VALIDATION) else split


def _draw(group: str) -> str:
    return hashlib.sha256(f"held out/{group}".encode()).hexdigest()
