"""Alignment on parallel sentences."""

from typing import Any, ClassVar, get_args

from lightning import LightningDataModule
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from transformers import PreTrainedTokenizerBase

from datamodules import ParallelConfig, ParallelData, ParallelText
from framework.objectives.base import without_place
from modules import Combination, Component, Family, OptimizationConfig
from modules.training.alignment import Alignment, AlignmentConfig


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class AlignmentObjective:
    """Learns to bring a sentence's vector to the frozen backbone's vector of its translation in the pivot language."""

    families: ClassVar[tuple[Family, ...]] = get_args(Family)
    """See `Objective`."""
    parallel: ParallelConfig
    """The sentences and their translations."""
    loss: AlignmentConfig = AlignmentConfig()
    """How the parts of the loss are weighed."""

    @property
    def needs_lm_head(self) -> bool:
        """See `Objective`."""
        return False

    @property
    def needs_bare_backbone(self) -> bool:
        """See `Objective`."""
        return True

    @property
    def languages_without_components(self) -> tuple[str, ...]:
        """See `Objective`: the pivot's vectors are the goal already."""
        return (self.parallel.pivot,)

    @property
    def identity_fields(self) -> dict[str, Any]:
        """See `Objective`."""
        return {"alignment": {**without_place(self.parallel), "loss": self.loss}}

    @property
    def note(self) -> str:
        """See `Objective`."""
        return (
            f"Language components were aligned on parallel sentences ({self.parallel.source_name}, "
            f"{self.parallel.split} split, pivot {self.parallel.pivot}); their labels were not used."
        )

    def fingerprints(self, languages: list[str]) -> list[str]:
        """See `Objective`."""
        text = ParallelText(self.parallel)
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
        return ParallelData(
            self.parallel,
            tokenizer,
            languages=languages,
            batch_size=batch_size,
            seed=seed,
            num_workers=num_workers,
        )

    def module(
        self, combination: Combination, components: list[Component], training: OptimizationConfig, seed: int
    ) -> Alignment:
        """See `Objective`."""
        return Alignment(combination, components, training, config=self.loss, seed=seed)
