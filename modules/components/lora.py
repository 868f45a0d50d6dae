"""Low-rank changes of linear layers (Hu et al., 2022)."""

import functools
from typing import Literal, Self

import pydantic
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.hooks import RemovableHandle
from transformers.pytorch_utils import Conv1D

from modules.backbone.architectures import ARCHITECTURES
from modules.backbone.backbone import Backbone
from modules.backbone.info import BackboneInfo
from modules.components.base import Component, layers_out_of_range

Target = Literal["query", "key", "value", "attention_output", "feed_forward_in", "feed_forward_out"]
DEFAULT_TARGETS: tuple[Target, ...] = ("query", "value")
FUSED = ("query", "key", "value")
"""The order of the thirds of a fused linear layer's output, or of each head's part of it."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class LoRAConfig:
    """Settings of a LoRA."""

    rank: int = pydantic.Field(default=8, ge=1, le=2**13)
    """Rank of each low-rank update."""
    alpha: float = pydantic.Field(default=16.0, ge=-1e6, le=1e6)
    """The update is scaled by alpha / rank."""
    dropout: float = pydantic.Field(default=0.0, ge=0, lt=1)
    """Dropout probability of the inputs of the updates."""
    targets: list[Target] = pydantic.Field(default_factory=lambda: list(DEFAULT_TARGETS))
    """Linear layers of each transformer layer that are updated."""
    leave_out: list[int] = pydantic.Field(default_factory=list)
    """Layers without an update, numbered from 0."""

    def __post_init__(self) -> None:
        """Checks the targets."""
        if not self.targets or len(set(self.targets)) < len(self.targets):
            raise ValueError("targets must name at least one linear layer, and each once")


class LowRank(nn.Module):
    """One low-rank product, added to a linear layer's output or to one of three parts of it."""

    def __init__(self, linear: nn.Module, config: LoRAConfig, *, third: int | None, groups: int = 1) -> None:
        """Makes the factors; the product is zero at first.

        Args:
            linear: The layer that is changed.
            config: Settings.
            third: Which third of its output; None changes all of it.
            groups: In how many equal groups of units, one after the other, the output has thirds.
        """
        super().__init__()
        self.dropout = nn.Dropout(config.dropout)
        inputs, outputs = _widths(linear)
        self.down = nn.Linear(inputs, config.rank, bias=False)
        units = outputs if third is None else outputs // len(FUSED)
        self.up = nn.Linear(config.rank, units, bias=False)
        nn.init.zeros_(self.up.weight)
        self.scale = config.alpha / config.rank
        self.third = third
        self.groups = groups

    def forward(self, inputs: Tensor) -> Tensor:
        """Returns what is added to the linear layer's whole output, for its inputs."""
        change: Tensor = self.up(self.down(self.dropout(inputs))) * self.scale
        if self.third is None:
            return change
        own = change.unflatten(-1, (self.groups, 1, -1))
        return functional.pad(own, (0, 0, self.third, len(FUSED) - 1 - self.third)).flatten(-3)


def _widths(linear: nn.Module) -> tuple[int, int]:
    """Returns the numbers of inputs and outputs of a linear layer; GPT-2 has some of a class that does not say."""
    if isinstance(linear, Conv1D):
        return linear.nx, linear.nf
    return int(linear.in_features), int(linear.out_features)  # type: ignore[arg-type]


class LoRA(Component):
    """Low-rank products beside linear layers; those of several LoRAs are summed.

    They are forward hooks of our own, since the `adapters` library chains several LoRAs instead of summing them.
    """

    kind = "lora"
    place = "in each layer, beside linear maps"
    Config = LoRAConfig

    def __init__(self) -> None:
        """Starts without any product."""
        super().__init__()
        self.layers = nn.ModuleDict()
        self._hooks: list[RemovableHandle] = []

    @classmethod
    def incompatibility(cls, config: LoRAConfig, info: BackboneInfo) -> str | None:
        """Returns why it cannot work on a backbone, or None when it can."""
        return layers_out_of_range(config.leave_out, info)

    @classmethod
    def create(cls, config: LoRAConfig, backbone: Backbone, *, name: str, language: str | None) -> Self:
        """Makes one whose products are zero, and hooks it to the backbone's linear layers."""
        component = cls()
        architecture = ARCHITECTURES[backbone.info.model_type]
        for number in range(backbone.info.layers):
            if number in config.leave_out:
                continue
            linears = backbone.linears(number)
            products = component.layers[str(number)] = nn.ModuleDict()
            for target in config.targets:
                linear = linears[target]
                fused = architecture.fused_qkv is not None and target in FUSED
                product = products[target] = LowRank(
                    linear,
                    config,
                    third=FUSED.index(target) if fused else None,
                    groups=backbone.model.config.num_attention_heads if architecture.fused_qkv == "heads" else 1,
                )
                hook = functools.partial(component._add, product)
                component._hooks.append(linear.register_forward_hook(hook))
        return component

    def detach(self) -> None:
        """Takes its hooks off the backbone's linear layers."""
        for hook in self._hooks:
            hook.remove()

    def _add(self, product: LowRank, linear: nn.Module, inputs: tuple[Tensor], output: Tensor) -> Tensor:
        return output + product(inputs[0]) if self.enabled else output
