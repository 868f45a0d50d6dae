"""The interface of an objective: what a language stage learns from, and how."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from framework.identity import class_name, plain
from modules import Family, OptimizationConfig

if TYPE_CHECKING:
    from lightning import LightningDataModule
    from transformers import PreTrainedTokenizerBase

    from modules import Combination, Component
    from modules.training import StageModule


class Objective(ABC):
    """The settings of an objective; they build its data module and its stage module."""

    families: ClassVar[tuple[Family, ...]]
    """The backbone families that it works on."""
    needs_lm_head: ClassVar[bool] = False
    """Whether the backbone must have a trained language-modelling head."""
    needs_bare_backbone: ClassVar[bool] = False
    """Whether it compares with the backbone without components, so that it cannot train the backbone itself."""

    @property
    def languages_without_components(self) -> tuple[str, ...]:
        """Languages that need no component of their own."""
        return ()

    @property
    def note(self) -> str:
        """What a reader of the results must know of the text, or nothing."""
        return ""

    @property
    @abstractmethod
    def identity_fields(self) -> dict[str, Any]:
        """The settings that determine the result; where the files lie does not."""

    @property
    def recipe(self) -> dict[str, Any]:
        """What determines the result: `identity_fields`, those of a class from outside under its dotted path."""
        name = class_name(type(self))
        return {name: self.identity_fields} if "." in name else self.identity_fields

    @abstractmethod
    def fingerprints(self, languages: list[str]) -> list[str]:
        """Names the content of the text of these languages.

        Raises:
            DataError: There is none for a language.
        """

    @abstractmethod
    def data(
        self, tokenizer: PreTrainedTokenizerBase, languages: list[str], *, batch_size: int, seed: int, num_workers: int
    ) -> LightningDataModule:
        """Builds the data module, which streams the text in batches."""

    @abstractmethod
    def module(
        self, combination: Combination, components: list[Component], settings: OptimizationConfig, seed: int
    ) -> StageModule:
        """Builds the stage module, which trains the components on such batches."""


def without_place(settings: Any) -> dict[str, Any]:
    """Returns settings as plain data without the keys that say where files lie; fingerprints name their content."""
    return {key: value for key, value in plain(settings).items() if key not in ("path", "revision", "file")}
