"""Trainable factors on keys, values and the feed-forward layer's hidden units (Liu et al., 2022)."""

from typing import Any

from typing_extensions import override

from modules.components.adapters_component import LibraryComponent
from modules.components.configs import IA3Config


class IA3(LibraryComponent):
    """One factor for each unit; those of several are multiplied."""

    Config = IA3Config

    @classmethod
    @override
    def library_config(cls, config: IA3Config) -> Any:
        from adapters import IA3Config as LibraryConfig

        return LibraryConfig(leave_out=list(config.leave_out))
