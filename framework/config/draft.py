"""An experiment that is being checked: sections with mistakes of their own are absent."""

import dataclasses
from functools import cached_property
from typing import Any

from datamodules import DataError, LabelledDataset
from framework.config.schema import Sections
from modules import BackboneInfo, ModulesError, special_tokens

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

    @cached_property
    def info(self) -> BackboneInfo:
        """What is known of the backbone, which can be used and has a tokenizer that can."""
        try:
            info = super().info
            special_tokens(info)
        except ModulesError as error:
            raise AbsentError from error
        return info

    @cached_property
    def dataset(self) -> LabelledDataset:
        """The labelled data; a check that needs it ends where there is none."""
        if self.data is None:
            raise AbsentError
        try:
            dataset = super().dataset
            dataset.verify()
        except DataError as error:
            raise AbsentError from error
        return dataset
