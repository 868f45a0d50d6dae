"""Trainable factors on keys, values and the feed-forward layer's hidden units (Liu et al., 2022)."""

from typing import Any

from typing_extensions import override

from modules.components.adapters_component import LibraryComponent
from modules.components.configs import IA3Config


class IA3(LibraryComponent):
    """One factor for each unit; those of several are multiplied.

    >>> from modules import BackboneConfig, Combination, load_backbone
    >>> from modules.components import IA3Config
    >>> backbone = BackboneConfig("experiments/quickstart/backbone", precision="32", random_init_seed=0)
    >>> combination = Combination(load_backbone(backbone))
    >>> scales = combination.add("task", "ia3", IA3Config(), seed=0)
    >>> sum(parameter.numel() for parameter in scales.own_parameters().values())
    512
    """

    Config = IA3Config

    @classmethod
    @override
    def library_config(cls, config: IA3Config) -> Any:
        from adapters import IA3Config as LibraryConfig

        return LibraryConfig(leave_out=list(config.leave_out))
