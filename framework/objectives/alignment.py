"""Alignment on parallel sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, get_args

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from typing_extensions import override

import datamodules
from datamodules import ParallelConfig, ParallelText
from framework.objectives.base import Objective, without_place
from modules import AlignmentConfig, Family, OptimizationConfig, training

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from datamodules import ParallelData
    from modules import Combination, Component
    from modules.training import Alignment


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class AlignmentObjective(Objective):
    """Aligns sentence embeddings with the frozen backbone's embeddings of their translations in the pivot language."""

    families: ClassVar[tuple[Family, ...]] = get_args(Family)
    needs_bare_backbone: ClassVar[bool] = True
    parallel: ParallelConfig
    """The sentences and their translations."""
    loss: AlignmentConfig = AlignmentConfig()
    """Weights of the terms of the loss."""

    @property
    @override
    def languages_without_components(self) -> tuple[str, ...]:
        return (self.parallel.pivot,)  # its own vectors are the goal already

    @property
    @override
    def identity_fields(self) -> dict[str, Any]:
        return {"alignment": {**without_place(self.parallel), "loss": self.loss}}

    @property
    @override
    def note(self) -> str:
        return (
            f"Language components were aligned on parallel sentences ({self.parallel.source_name}, "
            f"{self.parallel.split} split, pivot {self.parallel.pivot}); their labels were not used."
        )

    @override
    def fingerprints(self, languages: list[str]) -> list[str]:
        text = ParallelText(self.parallel)
        return [text.fingerprint(language) for language in languages]

    @override
    def data(self, tokenizer: PreTrainedTokenizerBase, languages: list[str], **options: int) -> ParallelData:
        return datamodules.ParallelData(self.parallel, tokenizer, languages=languages, **options)

    @override
    def module(
        self, combination: Combination, components: list[Component], settings: OptimizationConfig, seed: int
    ) -> Alignment:
        return training.Alignment(combination, components, settings, config=self.loss, seed=seed)
