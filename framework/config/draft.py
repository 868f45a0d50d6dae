"""An experiment that is being checked: sections with mistakes of their own are absent."""

import dataclasses
from functools import cached_property
from typing import Any, TypeVar

from typing_extensions import override

from datamodules import DataError, LabelledDataset, labelled_dataset
from framework.config.schema import Sections
from modules import BackboneInfo, ModulesError, inspect_backbone, special_tokens

T = TypeVar("T")

NAMES = frozenset(field.name for field in dataclasses.fields(Sections))


class AbsentError(Exception):
    """A check needs what has mistakes of its own, which come first."""


class Draft(Sections):
    """An experiment of which some sections are absent, and the backbone or the dataset may be unusable.

    Reading such a thing raises `AbsentError`, which ends the check that needs it: another check has said why.
    """

    def __init__(self, sections: dict[str, Any]) -> None:
        self.__dict__.update(sections)

    def __getattribute__(self, name: str) -> Any:
        # A section with a default is an attribute of the class, which would be taken for it.
        if name in NAMES and name not in super().__getattribute__("__dict__"):
            raise AbsentError(name)
        return super().__getattribute__(name)

    @property
    @override
    def info(self) -> BackboneInfo:
        return _present(self._info)

    @property
    @override
    def dataset(self) -> LabelledDataset:
        return _present(self._dataset)

    @cached_property
    def _info(self) -> BackboneInfo | None:
        """The backbone, if it can be used and has a tokenizer that can."""
        try:
            info = inspect_backbone(self.backbone)
            special_tokens(info)
        except ModulesError:
            return None
        return info

    @cached_property
    def _dataset(self) -> LabelledDataset | None:
        """The labelled data, if there is some that can be used."""
        if self.data is None:
            return None
        try:
            dataset = labelled_dataset(self.data)
            dataset.verify()
        except DataError:
            return None
        return dataset


def _present(found: T | None) -> T:
    if found is None:
        raise AbsentError
    return found
