"""Bottleneck adapters behind the sublayers of each transformer layer."""

from typing import Any

from typing_extensions import override

from modules.components.adapters_component import LibraryComponent
from modules.components.configs import BottleneckConfig


class Bottleneck(LibraryComponent):
    """A bottleneck adapter; a task's is applied to the output of a language's, as in MAD-X (Pfeiffer et al., 2020).

    >>> from modules import BackboneConfig, Combination, load_backbone
    >>> from modules.components import BottleneckConfig
    >>> backbone = BackboneConfig("experiments/quickstart/backbone", precision="32", random_init_seed=0)
    >>> combination = Combination(load_backbone(backbone))
    >>> adapter = combination.add("task", "adapter", BottleneckConfig(reduction_factor=2), seed=0)
    >>> sum(parameter.numel() for parameter in adapter.own_parameters().values())
    8384
    """

    Config = BottleneckConfig

    @classmethod
    @override
    def library_config(cls, config: BottleneckConfig) -> Any:
        from adapters import CompacterConfig, DoubleSeqBnConfig, SeqBnConfig

        types = {"seq_bn": SeqBnConfig, "double_seq_bn": DoubleSeqBnConfig, "compacter": CompacterConfig}
        return types[config.type](reduction_factor=config.reduction_factor, leave_out=list(config.leave_out))
