"""Optimisers and the learning-rate schedule."""

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from torch import nn
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR
from transformers.optimization import Adafactor

from modules.errors import ModulesError, did_you_mean
from modules.training.configs import OptimizationConfig

OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "adamw": AdamW,
    # With the rate as it is written, as prompts are tuned with (Lester et al., 2021): torch's own caps it at
    # 1 / sqrt(step) and scales it by the parameters.
    "adafactor": functools.partial(Adafactor, scale_parameter=False, relative_step=False),
}


def build(config: OptimizationConfig, parameters: Mapping[str, Iterable[nn.Parameter]]) -> tuple[Optimizer, LambdaLR]:
    """Returns an optimiser with a group for each kind of component, or "head", and the schedule of its learning rates.

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
