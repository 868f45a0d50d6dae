"""Masked language modelling on monolingual text."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from typing_extensions import override

from datamodules import MaskingConfig
from framework.objectives.monolingual import MonolingualObjective
from modules import Family, training

if TYPE_CHECKING:
    from modules.training import MaskedLanguageModeling


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class MaskedObjective(MonolingualObjective):
    """Masked language modelling, for encoders."""

    name = "masked"
    families: ClassVar[tuple[Family, ...]] = ("encoder",)

    text: MaskingConfig = MaskingConfig()
    """The text and how it is masked."""

    @property
    @override
    def module_class(self) -> type[MaskedLanguageModeling]:
        return training.MaskedLanguageModeling
