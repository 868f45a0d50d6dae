"""What the objectives on monolingual text have in common."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

import datamodules
from datamodules import MonolingualText, TextConfig
from framework.objectives.base import Objective, without_place
from modules import OptimizationConfig

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

    from datamodules import MonolingualData
    from modules import Combination, Component
    from modules.training import LanguageModeling


class MonolingualObjective(Objective):
    """Learns to predict tokens of a language's text with the backbone's own, trained head."""

    name: ClassVar[str]
    """Its key in a YAML."""
    needs_lm_head: ClassVar[bool] = True
    text: TextConfig

    @property
    @override
    def identity_fields(self) -> dict[str, Any]:
        return {self.name: without_place(self.text)}

    @property
    @abstractmethod
    def module_class(self) -> type[LanguageModeling]:
        """The stage module, with the loss."""

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
        return datamodules.seen_tokens(MonolingualText(self.text), tokenizer, languages)

    @override
    def data(
        self,
        tokenizer: PreTrainedTokenizerBase,
        languages: list[str],
        batch_size: int,
        seed: int,
        num_workers: int,
    ) -> MonolingualData:
        return datamodules.MonolingualData(
            self.batching_config,
            tokenizer,
            languages=languages,
            batch_size=batch_size,
            seed=seed,
            num_workers=num_workers,
        )

    @override
    def module(
        self, combination: Combination, components: list[Component], settings: OptimizationConfig, seed: int
    ) -> LanguageModeling:
        return self.module_class(combination, components, settings, seed=seed)
