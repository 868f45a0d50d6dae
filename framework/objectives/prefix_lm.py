"""Prefix language modelling on monolingual text."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from typing_extensions import override

from datamodules import PrefixLMConfig
from framework.objectives.monolingual import MonolingualObjective
from modules import Family, training

if TYPE_CHECKING:
    from modules.training import CausalLanguageModeling


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class PrefixLMObjective(MonolingualObjective):
    """Prefix language modelling, for decoders: predicts the tokens after a random position."""

    name = "prefix_lm"
    families: ClassVar[tuple[Family, ...]] = ("decoder",)

    text: PrefixLMConfig = PrefixLMConfig()
    """The text."""

    @property
    @override
    def module_class(self) -> type[CausalLanguageModeling]:
        return training.CausalLanguageModeling
