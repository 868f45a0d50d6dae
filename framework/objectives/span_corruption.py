"""Span corruption on monolingual text."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from typing_extensions import override

from datamodules import SpanCorruptionConfig
from framework.objectives.monolingual import MonolingualObjective
from modules import Family, training

if TYPE_CHECKING:
    from modules.training import SpanCorruption


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class SpanCorruptionObjective(MonolingualObjective):
    """Span corruption, for encoder-decoders with sentinel tokens."""

    name = "span_corruption"
    families: ClassVar[tuple[Family, ...]] = ("encoder-decoder",)

    text: SpanCorruptionConfig = SpanCorruptionConfig()
    """The text and how it is corrupted."""

    @property
    @override
    def module_class(self) -> type[SpanCorruption]:
        return training.SpanCorruption
