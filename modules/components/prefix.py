"""Trainable keys and values that each attention layer sees beside those of the text (Li and Liang, 2021)."""

from typing import Any

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from modules.backbone.info import BackboneInfo
from modules.components.in_library import LibraryComponent, plugged_in


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class PrefixConfig:
    """Settings of a prefix."""

    length: int = Field(default=30, ge=1, le=10_000)
    """Number of keys and values in each layer; they take none of the backbone's positions."""
    bottleneck_size: int | None = Field(default=512, ge=1, le=2**16)
    """Hidden width of the MLP that reparameterizes the prefix; null trains keys and values directly."""


class Prefix(LibraryComponent):
    """A prefix in every layer; several stand beside each other."""

    kind = "prefix"
    place = "in each layer, before keys and values"
    Config = PrefixConfig

    @classmethod
    def incompatibility(cls, config: PrefixConfig, info: BackboneInfo) -> str | None:
        """Returns why it cannot work on a backbone, or None when it can."""
        return plugged_in(cls.kind, info)

    @classmethod
    def library_config(cls, config: PrefixConfig) -> Any:
        """Returns the library's configuration object."""
        from adapters import PrefixTuningConfig

        if config.bottleneck_size is None:
            return PrefixTuningConfig(prefix_length=config.length, flat=True)
        return PrefixTuningConfig(prefix_length=config.length, bottleneck_size=config.bottleneck_size)
