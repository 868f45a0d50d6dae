"""What the objectives on monolingual text have in common."""

from typing import Any, ClassVar

from lightning import LightningDataModule
from torch import Tensor
from transformers import PreTrainedTokenizerBase
from typing_extensions import override

from datamodules import MonolingualData, MonolingualText, TextConfig, seen_tokens
from framework.objectives.base import Objective, without_place
from modules import Combination, Component, OptimizationConfig
from modules.training.language_modeling import LanguageModeling


class MonolingualObjective(Objective):
    """Learns to predict tokens of a language's text with the backbone's own, trained head."""

    name: ClassVar[str]
    """Its key in a YAML."""
    needs_lm_head: ClassVar[bool] = True
    module_class: ClassVar[type[LanguageModeling]]
    text: TextConfig

    @property
    @override
    def identity_fields(self) -> dict[str, Any]:
        return {self.name: without_place(self.text)}

    @property
    def batching_config(self) -> TextConfig:
        """The text and batching settings."""
        return self.text

    @override
    def fingerprints(self, languages: list[str]) -> list[str]:
        text = MonolingualText(self.text)
        return [text.fingerprint(language) for language in languages]

    def seen_tokens(self, tokenizer: PreTrainedTokenizerBase, languages: list[str]) -> Tensor:
        """Reads which tokens the text of these languages holds: their ids [number], ascending.

        Raises:
            DataError: There is none for a language.
        """
        return seen_tokens(MonolingualText(self.text), tokenizer, languages)

    @override
    def data(
        self,
        tokenizer: PreTrainedTokenizerBase,
        languages: list[str],
        batch_size: int,
        seed: int,
        num_workers: int,
    ) -> LightningDataModule:
        return MonolingualData(
            self.batching_config,
            tokenizer,
            languages=languages,
            batch_size=batch_size,
            seed=seed,
            num_workers=num_workers,
        )

    @override
    def module(
        self, combination: Combination, components: list[Component], training: OptimizationConfig, seed: int
    ) -> LanguageModeling:
        return self.module_class(combination, components, training, seed=seed)
