"""The backbone's own weights, for full fine-tuning and for pretraining."""

from typing import Self

from torch import nn
from typing_extensions import override

from modules.backbone.backbone import Backbone
from modules.components.base import Component
from modules.components.configs import FullConfig


class Full(Component):
    """All weights of the backbone and, where the backbone was loaded with it, of the language model head.

    It copies nothing: training it changes the backbone, and its state is a whole checkpoint's worth.

    >>> from modules import BackboneConfig, Combination, load_backbone
    >>> from modules.components import FullConfig
    >>> backbone = BackboneConfig("experiments/quickstart/backbone", precision="32", random_init_seed=0)
    >>> combination = Combination(load_backbone(backbone))
    >>> full = combination.add("task", "full", FullConfig(), seed=0)
    >>> full.own_parameters().keys() == combination.backbone.own_parameters().keys()
    True
    """

    Config = FullConfig

    def __init__(self, backbone: Backbone) -> None:
        """Refers to the backbone without holding it as a submodule, which would list its parameters twice."""
        super().__init__()
        self._backbone = (backbone,)

    @classmethod
    @override
    def create(cls, config: FullConfig, backbone: Backbone, *, name: str, language: str | None) -> Self:
        return cls(backbone)

    @override
    def own_parameters(self) -> dict[str, nn.Parameter]:
        return self._backbone[0].own_parameters()
