"""Causal language modelling on monolingual text."""

from typing import ClassVar

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from datamodules import CausalConfig
from framework.objectives.monolingual import MonolingualObjective
from modules import Family
from modules.language_modeling import CausalLanguageModeling


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class CausalObjective(MonolingualObjective):
    """Learns to predict every token from those before it, on a decoder."""

    name = "causal"
    families: ClassVar[tuple[Family, ...]] = ("decoder",)
    learns = CausalLanguageModeling

    text: CausalConfig = CausalConfig()
    """The text."""
