"""What every objective of a language stage says of itself."""

from typing import Any, ClassVar, Protocol

from lightning import LightningDataModule
from transformers import PreTrainedTokenizerBase

from framework.identity import plain
from modules import Combination, Component, Family, OptimizationConfig
from modules.training.base import StageModule


class Objective(Protocol):
    """The settings of an objective, and how to feed and train with it."""

    families: ClassVar[tuple[Family, ...]]
    """The backbones that can learn so."""

    @property
    def needs_lm_head(self) -> bool:
        """Whether the backbone must have a trained language-modelling head."""

    @property
    def needs_bare_backbone(self) -> bool:
        """Whether it compares with the backbone without components, so that it cannot train the backbone itself."""

    @property
    def languages_without_components(self) -> tuple[str, ...]:
        """Languages that need no component of their own."""

    @property
    def identity_fields(self) -> dict[str, Any]:
        """What of the settings determines the result; where the files lie does not."""

    @property
    def note(self) -> str:
        """What a reader of the results must know of the text, or nothing."""

    def fingerprints(self, languages: list[str]) -> list[str]:
        """Names the content of the text of these languages.

        Raises:
            DataError: There is none for a language.
        """

    def data(
        self,
        tokenizer: PreTrainedTokenizerBase,
        languages: list[str],
        batch_size: int,
        seed: int,
        num_workers: int,
    ) -> LightningDataModule:
        """Streams the text in batches."""

    def module(
        self, combination: Combination, components: list[Component], training: OptimizationConfig, seed: int
    ) -> StageModule:
        """Trains the components on such batches."""


def without_place(settings: Any) -> dict[str, Any]:
    """Returns settings as plain data without the keys that say where files lie; fingerprints name their content."""
    return {key: value for key, value in plain(settings).items() if key not in ("path", "revision", "file")}
