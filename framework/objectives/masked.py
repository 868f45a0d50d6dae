"""Masked language modelling on monolingual text."""

from typing import ClassVar

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from datamodules import MaskingConfig
from framework.objectives.monolingual import MonolingualObjective
from modules import Family
from modules.training.language_modeling import MaskedLanguageModeling


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class MaskedObjective(MonolingualObjective):
    """Learns to predict masked tokens, on an encoder."""

    name = "masked"
    families: ClassVar[tuple[Family, ...]] = ("encoder",)
    module_class = MaskedLanguageModeling

    text: MaskingConfig = MaskingConfig()
    """The text and how it is masked."""
