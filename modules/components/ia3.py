"""Trainable factors on keys, values and the feed-forward layer's hidden units (Liu et al., 2022)."""

from typing import Any

import pydantic
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from modules.backbone.info import BackboneInfo
from modules.components.base import layers_out_of_range
from modules.components.in_library import LibraryComponent, plugged_in


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class IA3Config:
    """Settings of IA3."""

    leave_out: list[int] = pydantic.Field(default_factory=list)
    """Layers without scaling vectors, numbered from 0."""


class IA3(LibraryComponent):
    """One factor for each unit; those of several are multiplied."""

    kind = "ia3"
    place = "in each layer, on keys, values and feed-forward units"
    Config = IA3Config

    @classmethod
    def incompatibility(cls, config: IA3Config, info: BackboneInfo) -> str | None:
        """Returns why it cannot work on a backbone, or None when it can."""
        if info.fused_qkv:
            return f"ia3 is not possible on {info.name}: several cannot share its one layer of queries, keys and values"
        return plugged_in(cls.kind, info) or layers_out_of_range(config.leave_out, info)

    @classmethod
    def library_config(cls, config: IA3Config) -> Any:
        """Returns the library's configuration object."""
        from adapters import IA3Config as LibraryConfig

        return LibraryConfig(leave_out=list(config.leave_out))
