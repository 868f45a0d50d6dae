"""Span corruption on monolingual text."""

from typing import ClassVar

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from datamodules import SpanCorruptionConfig
from framework.objectives.monolingual import MonolingualObjective
from modules import Family
from modules.training.language_modeling import SpanCorruption


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class SpanCorruptionObjective(MonolingualObjective):
    """Learns to restore the spans that a text was stripped of, on an encoder-decoder with sentinels."""

    name = "span_corruption"
    families: ClassVar[tuple[Family, ...]] = ("encoder-decoder",)
    module_class = SpanCorruption

    text: SpanCorruptionConfig = SpanCorruptionConfig()
    """The text and how it is corrupted."""
