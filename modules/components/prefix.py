"""Trainable keys and values that each attention layer sees beside those of the text (Li and Liang, 2021)."""

from typing import Any

from typing_extensions import override

from modules.components.adapters_component import LibraryComponent
from modules.components.configs import PrefixConfig


class Prefix(LibraryComponent):
    """A prefix in every layer; several stand beside each other.

    >>> from modules import BackboneConfig, Combination, load_backbone
    >>> from modules.components import PrefixConfig
    >>> backbone = BackboneConfig("experiments/quickstart/backbone", precision="32", random_init_seed=0)
    >>> combination = Combination(load_backbone(backbone))
    >>> prefix = combination.add("task", "prefix", PrefixConfig(length=3, bottleneck_size=None), seed=0)
    >>> sum(parameter.numel() for parameter in prefix.own_parameters().values())
    768
    """

    Config = PrefixConfig

    @classmethod
    @override
    def library_config(cls, config: PrefixConfig) -> Any:
        from adapters import PrefixTuningConfig

        if config.bottleneck_size is None:
            return PrefixTuningConfig(prefix_length=config.length, flat=True)
        return PrefixTuningConfig(prefix_length=config.length, bottleneck_size=config.bottleneck_size)
