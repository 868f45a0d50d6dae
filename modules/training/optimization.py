"""How parameters are changed: optimisers, learning rates and their schedule."""

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import pydantic
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import nn
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR
from transformers.optimization import Adafactor

from modules.errors import ModulesError, did_you_mean

OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "adamw": AdamW,
    # With the rate as it is written, as prompts are tuned with (Lester et al., 2021): torch's own caps it at
    # 1 / sqrt(step) and scales it by the parameters.
    "adafactor": functools.partial(Adafactor, scale_parameter=False, relative_step=False),
}


LARGEST_RATE = 1e30
"""Products of larger numbers leave the range of float32, and torch refuses to compute with them."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class OptimizerConfig:
    """Which optimiser changes the parameters."""

    name: Literal["adamw", "adafactor"] = "adamw"
    """`adafactor` keeps less state, and limits each step's root mean square to the rate (Shazeer and Stern, 2018)."""
    lr: float = pydantic.Field(default=1e-3, gt=0, le=LARGEST_RATE)
    """Highest learning rate."""
    weight_decay: float = pydantic.Field(default=0.0, ge=0, le=1000)
    """Decoupled weight decay of all trained parameters."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class OptimizationConfig:
    """How long and how fast a stage trains."""

    steps: int = pydantic.Field(ge=1, le=10**9)
    """Optimiser steps."""
    warmup_steps: int = 0
    """Steps over which the learning rate rises to its highest."""
    decay: Literal["linear", "constant"] = "linear"
    """What it does then: fall towards zero at the last step, or stay."""
    optimizer: OptimizerConfig = OptimizerConfig()
    """The optimiser."""
    optimizers: dict[str, OptimizerConfig] = pydantic.Field(default_factory=dict)
    """Optimisers of single kinds of component, such as `prompt`, or of `head`; those that a stage trains share one
    name."""
    learning_rates: dict[str, float] = pydantic.Field(default_factory=dict)
    """Highest learning rates that differ from the optimiser's, by kind of component, such as `prompt`, or `head`."""
    gradient_clip: float | None = pydantic.Field(default=1.0, gt=0, le=LARGEST_RATE)
    """Longest gradient, as the norm over all trained parameters; null leaves gradients as they are."""

    def __post_init__(self) -> None:
        """Checks the warm-up against the steps, and the learning rates."""
        if not 0 <= self.warmup_steps < self.steps:
            raise ValueError(f"warmup_steps must be at least 0 and below steps ({self.steps})")
        for kind, rate in self.learning_rates.items():
            if rate <= 0:
                raise ValueError(f"the learning rate of {kind} must be positive")
            if rate > LARGEST_RATE:
                raise ValueError(f"the learning rate of {kind} must be at most {LARGEST_RATE:g}")

    def optimizer_of(self, kinds: Iterable[str]) -> str:
        """Returns the name of the optimiser that trains these kinds of components.

        Raises:
            ModulesError: If they are to have different ones.
        """
        names = {kind: self.optimizers.get(kind, self.optimizer).name for kind in kinds}
        if len(set(names.values())) > 1:
            said = " and ".join(f"{kind} by {name}" for kind, name in names.items())
            raise ModulesError(f"a stage has one optimiser, and is to train {said}")
        return next(iter(names.values()), self.optimizer.name)

    def rates_of(self, kind: str) -> tuple[float, float]:
        """Returns the highest learning rate and the weight decay of a kind of component, or of `head`."""
        chosen = self.optimizers.get(kind, self.optimizer)
        return self.learning_rates.get(kind, chosen.lr), chosen.weight_decay


def build(config: OptimizationConfig, parameters: Mapping[str, Iterable[nn.Parameter]]) -> tuple[Optimizer, LambdaLR]:
    """Returns an optimiser with a group for each kind of parameters, and the schedule of its learning rates.

    Args:
        config: How to train.
        parameters: Kind of component, or "head" -> what is trained of it.

    Raises:
        ModulesError: If something is set for a kind that is not trained, or kinds have different optimisers.
    """
    for field, kinds in (("learning_rates", config.learning_rates), ("optimizers", config.optimizers)):
        for kind in kinds:
            if kind not in parameters:
                near, trained = did_you_mean(kind, parameters), ", ".join(parameters)
                raise ModulesError(f"{field}: {kind!r} is not trained in this stage{near}; trained: {trained}")
    groups: list[dict[str, Any]] = []
    for kind, own in parameters.items():
        rate, decay = config.rates_of(kind)
        groups.append({"params": list(own), "lr": rate, "weight_decay": decay})
    optimizer = OPTIMIZERS[config.optimizer_of(parameters)](groups, lr=config.optimizer.lr)
    return optimizer, LambdaLR(optimizer, lambda step: schedule(config, step))


def schedule(config: OptimizationConfig, step: int) -> float:
    """Returns the learning-rate multiplier of a (0-based) step."""
    if step < config.warmup_steps:
        return (step + 1) / (config.warmup_steps + 1)
    if config.decay == "constant":
        return 1.0
    return max(0.0, (config.steps - step) / (config.steps - config.warmup_steps))
