"""Masked language modelling on monolingual text."""

from typing import Any

from lightning import LightningDataModule
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from transformers import PreTrainedTokenizerBase

from datamodules import MonolingualConfig, MonolingualData, MonolingualText
from framework.objectives.base import without_place
from modules import Combination, Component, OptimizationConfig
from modules.masked import MaskedLanguageModeling


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class MaskedObjective:
    """Learns to predict masked tokens with the backbone's own, trained head."""

    text: MonolingualConfig = MonolingualConfig()
    """The text and how it is masked."""

    @property
    def needs_lm_head(self) -> bool:
        """See `Objective`."""
        return True

    @property
    def needs_bare_backbone(self) -> bool:
        """See `Objective`."""
        return False

    @property
    def without_components(self) -> tuple[str, ...]:
        """See `Objective`: every language has text of its own to learn from."""
        return ()

    @property
    def determinants(self) -> dict[str, Any]:
        """See `Objective`."""
        return {"masked": without_place(self.text)}

    @property
    def note(self) -> str:
        """See `Objective`."""
        return ""

    def fingerprints(self, languages: list[str]) -> list[str]:
        """See `Objective`."""
        text = MonolingualText(self.text)
        return [text.fingerprint(language) for language in languages]

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
            self.text,
            tokenizer,
            languages=languages,
            batch_size=batch_size,
            seed=seed,
            num_workers=num_workers,
        )

    def module(
        self, combination: Combination, components: list[Component], training: OptimizationConfig, seed: int
    ) -> MaskedLanguageModeling:
        """See `Objective`."""
        return MaskedLanguageModeling(combination, components, training, seed=seed)
