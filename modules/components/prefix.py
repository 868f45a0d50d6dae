"""Trainable keys and values that each attention layer sees beside those of the text (Li and Liang, 2021)."""

from typing import Any

from typing_extensions import override

from modules.components.adapters_component import LibraryComponent
from modules.components.configs import PrefixConfig


class Prefix(LibraryComponent):
    """A prefix in every layer; several stand beside each other."""

    Config = PrefixConfig

    @classmethod
    @override
    def library_config(cls, config: PrefixConfig) -> Any:
        from adapters import PrefixTuningConfig

        if config.bottleneck_size is None:
            return PrefixTuningConfig(prefix_length=config.length, flat=True)
        return PrefixTuningConfig(prefix_length=config.length, bottleneck_size=config.bottleneck_size)
