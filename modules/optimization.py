"""How parameters are changed: optimisers, learning rates and their schedule."""

from collections.abc import Iterable, Mapping
from typing import Literal

import pydantic
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import nn
from torch.optim import Adafactor, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from modules.errors import ModulesError, did_you_mean

OPTIMIZERS: dict[str, type[AdamW] | type[Adafactor]] = {"adamw": AdamW, "adafactor": Adafactor}


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class OptimizerConfig:
    """Which optimiser changes the parameters."""

    name: Literal["adamw", "adafactor"] = "adamw"
    """`adafactor` scales each step by the parameter's own magnitude and caps the rate at 1 / sqrt(step)."""
    lr: float = 1e-3
    """Highest learning rate."""
    weight_decay: float = 0.0
    """Decoupled weight decay of all trained parameters."""

    def __post_init__(self) -> None:
        """Checks that the numbers can be meant."""
        if self.lr <= 0:
            raise ValueError("lr must be positive")
        if self.weight_decay < 0:
            raise ValueError("weight_decay must not be negative")


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class OptimizationConfig:
    """How long and how fast a stage trains."""

    steps: int
    """Optimiser steps."""
    warmup_steps: int = 0
    """Steps over which the learning rate rises to its highest."""
    decay: Literal["linear", "constant"] = "linear"
    """What it does then: fall towards zero at the last step, or stay."""
    optimizer: OptimizerConfig = OptimizerConfig()
    """The optimiser."""
    learning_rates: dict[str, float] = pydantic.Field(default_factory=dict)
    """Highest learning rates that differ from the optimiser's, by kind of component, such as `prompt`, or `head`."""
    gradient_clip: float | None = 1.0
    """Longest gradient, as the norm over all trained parameters; null leaves gradients as they are."""

    def __post_init__(self) -> None:
        """Checks that the numbers can be meant."""
        if self.steps < 1:
            raise ValueError("steps must be at least 1")
        if not 0 <= self.warmup_steps < self.steps:
            raise ValueError(f"warmup_steps must be at least 0 and below steps ({self.steps})")
        if self.gradient_clip is not None and self.gradient_clip <= 0:
            raise ValueError("gradient_clip must be positive, or null for none")
        for kind, rate in self.learning_rates.items():
            if rate <= 0:
                raise ValueError(f"the learning rate of {kind} must be positive")


def build(config: OptimizationConfig, parameters: Mapping[str, Iterable[nn.Parameter]]) -> tuple[Optimizer, LambdaLR]:
    """Returns an optimiser with a group for each kind of parameters, and the schedule of its learning rates.

    Args:
        config: How to train.
        parameters: Kind of component, or "head" -> what is trained of it.

    Raises:
        ModulesError: If a learning rate is set for a kind that is not trained.
    """
    for kind in config.learning_rates:
        if kind not in parameters:
            near = did_you_mean(kind, parameters)
            raise ModulesError(
                f"learning_rates: {kind!r} is not trained in this stage{near}; trained: {', '.join(parameters)}"
            )
    groups = [
        {"params": list(own), "lr": config.learning_rates.get(kind, config.optimizer.lr)}
        for kind, own in parameters.items()
    ]
    optimizer = OPTIMIZERS[config.optimizer.name](
        groups, lr=config.optimizer.lr, weight_decay=config.optimizer.weight_decay
    )
    return optimizer, LambdaLR(optimizer, lambda step: schedule(config, step))


def schedule(config: OptimizationConfig, step: int) -> float:
    """Returns the share of the highest learning rate that a step, counted from 0, is done with."""
    if step < config.warmup_steps:
        return (step + 1) / (config.warmup_steps + 1)
    if config.decay == "constant":
        return 1.0
    return max(0.0, (config.steps - step) / (config.steps - config.warmup_steps))
