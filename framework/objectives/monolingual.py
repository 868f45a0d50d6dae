"""What the objectives on monolingual text have in common."""

from typing import Any, ClassVar

from lightning import LightningDataModule
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from datamodules import MonolingualData, MonolingualText, TextConfig, seen_tokens
from framework.objectives.base import without_place
from modules import Combination, Component, Family, OptimizationConfig
from modules.training.language_modeling import LanguageModeling


class MonolingualObjective:
    """Learns to predict tokens of a language's text with the backbone's own, trained head."""

    name: ClassVar[str]
    """Its key in a YAML."""
    families: ClassVar[tuple[Family, ...]]
    """See `Objective`."""
    learns: ClassVar[type[LanguageModeling]]
    text: TextConfig

    @property
    def needs_lm_head(self) -> bool:
        """See `Objective`."""
        return True

    @property
    def needs_bare_backbone(self) -> bool:
        """See `Objective`."""
        return False

    @property
    def languages_without_components(self) -> tuple[str, ...]:
        """See `Objective`: every language has text of its own to learn from."""
        return ()

    @property
    def identity_fields(self) -> dict[str, Any]:
        """See `Objective`."""
        return {self.name: without_place(self.text)}

    @property
    def note(self) -> str:
        """See `Objective`."""
        return ""

    @property
    def fed(self) -> TextConfig:
        """The text with how batches are made of it."""
        return self.text

    def fingerprints(self, languages: list[str]) -> list[str]:
        """See `Objective`."""
        text = MonolingualText(self.text)
        return [text.fingerprint(language) for language in languages]

    def seen_tokens(self, tokenizer: PreTrainedTokenizerBase, languages: list[str]) -> Tensor:
        """Reads which tokens the text of these languages holds: their ids [number], ascending.

        Raises:
            DataError: There is none for a language.
        """
        return seen_tokens(MonolingualText(self.text), tokenizer, languages)

    def data(
        self,
        tokenizer: PreTrainedTokenizerBase,
        languages: list[str],
        batch_size: int,
        seed: int,
        num_workers: int,
    ) -> LightningDataModule:
        """See `Objective`."""
        return MonolingualData(
            self.fed,
            tokenizer,
            languages=languages,
            batch_size=batch_size,
            seed=seed,
            num_workers=num_workers,
        )

    def module(
        self, combination: Combination, components: list[Component], training: OptimizationConfig, seed: int
    ) -> LanguageModeling:
        """See `Objective`."""
        return self.learns(combination, components, training, seed=seed)
