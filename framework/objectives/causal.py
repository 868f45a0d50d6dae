"""Causal language modelling on monolingual text."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from typing_extensions import override

from datamodules import CausalConfig, PackingConfig, TextConfig
from framework.objectives.monolingual import MonolingualObjective
from modules import Family, training

if TYPE_CHECKING:
    from modules.training import CausalLanguageModeling


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class CausalObjective(MonolingualObjective):
    """Causal language modelling, for decoders."""

    name = "causal"
    families: ClassVar[tuple[Family, ...]] = ("decoder",)

    text: CausalConfig = CausalConfig()
    """The text."""
    packed: bool = False
    """Pack documents into rows, with attention restricted to each document; else documents are joined and cut."""

    @property
    @override
    def identity_fields(self) -> dict[str, Any]:
        [settings] = super().identity_fields.values()
        return {self.name: settings | ({"packed": True} if self.packed else {})}

    @property
    @override
    def batching_config(self) -> TextConfig:
        return PackingConfig(**dataclasses.asdict(self.text)) if self.packed else self.text

    @property
    @override
    def module_class(self) -> type[CausalLanguageModeling]:
        return training.CausalLanguageModeling
