"""Low-rank changes of linear layers (Hu et al., 2022)."""

import functools
from typing import Self

from torch import Tensor, nn
from torch.nn import functional
from torch.utils.hooks import RemovableHandle
from transformers.pytorch_utils import Conv1D
from typing_extensions import override

from modules.backbone.architectures import QKV
from modules.backbone.backbone import Backbone
from modules.components.base import Component
from modules.components.configs import LoRAConfig


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
        units = outputs if third is None else outputs // len(QKV)
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
        return functional.pad(own, (0, 0, self.third, len(QKV) - 1 - self.third)).flatten(-3)


def _widths(linear: nn.Module) -> tuple[int, int]:
    """Returns the numbers of inputs and outputs of a linear layer; GPT-2 has some of a class that does not say."""
    if isinstance(linear, Conv1D):
        return linear.nx, linear.nf
    return int(linear.in_features), int(linear.out_features)  # type: ignore[arg-type]


class LoRA(Component):
    """Low-rank products beside linear layers; those of several LoRAs are summed.

    They are forward hooks of our own, since the `adapters` library chains several LoRAs instead of summing them.

    >>> from modules import BackboneConfig, Combination, load_backbone
    >>> from modules.components import LoRAConfig
    >>> backbone = BackboneConfig("experiments/quickstart/backbone", precision="32", random_init_seed=0)
    >>> combination = Combination(load_backbone(backbone))
    >>> lora = combination.add("task", "lora", LoRAConfig(rank=2, targets=["query"]), seed=0)
    >>> lora.own_parameters()["layers.0.query.down.weight"].shape
    torch.Size([2, 64])
    """

    Config = LoRAConfig
    note_on_sums = "The two factors of LoRAs were summed each by itself, which is not the sum of their products."

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleDict()
        self._hooks: list[RemovableHandle] = []

    @classmethod
    @override
    def create(cls, config: LoRAConfig, backbone: Backbone, *, name: str, language: str | None) -> Self:
        """Makes one whose products are zero, and hooks it to the backbone's linear layers."""
        component = cls()
        fused = backbone.info.architecture.fused_qkv
        groups = backbone.model.config.num_attention_heads if fused == "heads" else 1
        for number in range(backbone.info.layers):
            if number in config.leave_out:
                continue
            linears = backbone.linears(number)
            products = component.layers[str(number)] = nn.ModuleDict()
            for target in config.targets:
                third = QKV.index(target) if fused and target in QKV else None
                product = products[target] = LowRank(linears[target], config, third=third, groups=groups)
                hook = functools.partial(component._add, product)
                component._hooks.append(linears[target].register_forward_hook(hook))
        return component

    @override
    def detach(self) -> None:
        for hook in self._hooks:
            hook.remove()

    def _add(self, product: LowRank, linear: nn.Module, inputs: tuple[Tensor], output: Tensor) -> Tensor:
        return output + product(inputs[0]) if self.enabled else output
