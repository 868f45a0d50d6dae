"""Settings of training: optimisation, heads and the alignment loss. Nothing here needs torch."""

from collections.abc import Iterable
from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from modules.errors import ModulesError

LARGEST_RATE = 1e30
"""Products of larger numbers leave the range of float32, and torch refuses to compute with them."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class OptimizerConfig:
    """The optimiser and its settings."""

    name: Literal["adamw", "adafactor"] = "adamw"
    """`adafactor` keeps less state, and limits each step's root mean square to the rate (Shazeer and Stern, 2018)."""
    lr: float = Field(default=1e-3, gt=0, le=LARGEST_RATE)
    """Highest learning rate."""
    weight_decay: float = Field(default=0.0, ge=0, le=1000)
    """Decoupled weight decay of all trained parameters."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class OptimizationConfig:
    """Optimisation of a stage: steps, learning rates, schedule."""

    steps: int = Field(ge=1, le=10**9)
    """Optimiser steps."""
    warmup_steps: int = 0
    """Steps over which the learning rate rises to its highest."""
    decay: Literal["linear", "constant"] = "linear"
    """What it does then: fall towards zero at the last step, or stay."""
    optimizer: OptimizerConfig = OptimizerConfig()
    """The optimiser."""
    optimizers: dict[str, OptimizerConfig] = Field(default_factory=dict)
    """Optimisers of single kinds of component, such as `prompt`, or of `head`; those that a stage trains share one
    name."""
    learning_rates: dict[str, float] = Field(default_factory=dict)
    """Highest learning rates that differ from the optimiser's, by kind of component, such as `prompt`, or `head`."""
    gradient_clip: float | None = Field(default=1.0, gt=0, le=LARGEST_RATE)
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


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class ClassificationHeadConfig:
    """Settings of a classification head."""

    pooling: Literal["mean", "cls", "last"] = "mean"
    """`mean` of the text's hidden states, that of the first token (`cls`), or that of the `last`."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Dropout probability of the pooled vector."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class TaggingHeadConfig:
    """Settings of a tagging head."""

    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Dropout probability of each word's vector."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class SpanHeadConfig:
    """Settings of a head that finds answers."""

    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Dropout probability of each hidden state."""
    max_answer_length: int = Field(default=30, ge=1)
    """Longest predicted answer in tokens; longer ones still count in training."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class AlignmentConfig:
    """Settings of the loss."""

    cosine_weight: float = Field(default=10.0, le=1e6)
    """Weight of the cosine distance between a sentence and its translation."""
    contrastive_weight: float = Field(default=1.0, le=1e6)
    """Weight of the InfoNCE loss with in-batch negatives."""
    temperature: float = Field(default=0.05, gt=0, le=1e6)
    """Softmax temperature of the InfoNCE loss."""

    def __post_init__(self) -> None:
        """Checks the weights together."""
        weights = (self.cosine_weight, self.contrastive_weight)
        if min(weights) < 0 or max(weights) == 0:
            raise ValueError("cosine_weight and contrastive_weight must not be negative, nor both be zero")
