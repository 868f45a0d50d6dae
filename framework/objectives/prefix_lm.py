"""Prefix language modelling on monolingual text."""

from typing import ClassVar

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from datamodules import PrefixLMConfig
from framework.objectives.monolingual import MonolingualObjective
from modules import Family
from modules.training.language_modeling import CausalLanguageModeling


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class PrefixLMObjective(MonolingualObjective):
    """Learns to continue texts: predicts the tokens behind a random place, on a decoder."""

    name = "prefix_lm"
    families: ClassVar[tuple[Family, ...]] = ("decoder",)
    module_class = CausalLanguageModeling

    text: PrefixLMConfig = PrefixLMConfig()
    """The text."""
