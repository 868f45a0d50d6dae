"""Components that are carried out by the `adapters` library, inside the backbone's layers."""

from typing import Any, Self

from torch import nn
from typing_extensions import override

from modules.backbone.backbone import Backbone
from modules.components.base import Component
from modules.components.configs import BottleneckConfig, IA3Config, PrefixConfig


class LibraryComponent(Component):
    """A component whose parameters live in the backbone, under its name, and are found there.

    The library applies the active ones in the order in which the combination names them. That is right only for the
    methods that have a subclass of this one; others of the library silently drop or chain all but one of them.

    >>> from modules import BackboneConfig, Combination, load_backbone
    >>> backbone = BackboneConfig("experiments/quickstart/backbone", precision="32", random_init_seed=0)
    >>> combination = Combination(load_backbone(backbone))
    >>> adapter = combination.add("task", "adapter", BottleneckConfig(reduction_factor=2), seed=0)
    >>> prefix = combination.add("task", "prefix", PrefixConfig(length=3, bottleneck_size=None), seed=0)
    >>> scales = combination.add("task", "ia3", IA3Config(), seed=0)
    >>> [sum(one.numel() for one in made.own_parameters().values()) for made in (adapter, prefix, scales)]
    [8384, 768, 512]
    """

    def __init__(self, backbone: Backbone, name: str) -> None:
        """Refers to the backbone without holding it as a submodule, which would list its parameters twice."""
        super().__init__()
        self.stack_name = name
        self._model = (backbone.model,)

    @classmethod
    def library_config(cls, config: Any) -> Any:
        """Returns the library's configuration object."""
        raise NotImplementedError

    @classmethod
    @override
    def create(cls, config: Any, backbone: Backbone, *, name: str, language: str | None) -> Self:
        backbone.model.add_adapter(name, config=cls.library_config(config))
        return cls(backbone, name)

    @override
    def detach(self) -> None:
        self._model[0].delete_adapter(self.stack_name)

    @override
    def own_parameters(self) -> dict[str, nn.Parameter]:
        """Returns its parameters by their paths in the backbone, less its own name."""
        own = {}
        for path, parameter in self._model[0].named_parameters():
            parts = path.split(".")
            if self.stack_name in parts:
                own[".".join(part for part in parts if part != self.stack_name)] = parameter
        return own


class Bottleneck(LibraryComponent):
    """Adapters behind the sublayers; a task's reads the output of a language's, as in MAD-X (Pfeiffer et al., 2020)."""

    Config = BottleneckConfig

    @classmethod
    @override
    def library_config(cls, config: BottleneckConfig) -> Any:
        from adapters import CompacterConfig, DoubleSeqBnConfig, SeqBnConfig

        types = {"seq_bn": SeqBnConfig, "double_seq_bn": DoubleSeqBnConfig, "compacter": CompacterConfig}
        return types[config.type](reduction_factor=config.reduction_factor, leave_out=list(config.leave_out))


class Prefix(LibraryComponent):
    """Trainable keys and values in every layer, beside those of the text and of other prefixes (Li and Liang, 2021)."""

    Config = PrefixConfig

    @classmethod
    @override
    def library_config(cls, config: PrefixConfig) -> Any:
        from adapters import PrefixTuningConfig

        if config.bottleneck_size is None:
            return PrefixTuningConfig(prefix_length=config.length, flat=True)
        return PrefixTuningConfig(prefix_length=config.length, bottleneck_size=config.bottleneck_size)


class IA3(LibraryComponent):
    """Factors on keys, values and feed-forward units (Liu et al., 2022); those of several are multiplied."""

    Config = IA3Config

    @classmethod
    @override
    def library_config(cls, config: IA3Config) -> Any:
        from adapters import IA3Config as LibraryConfig

        return LibraryConfig(leave_out=list(config.leave_out))
