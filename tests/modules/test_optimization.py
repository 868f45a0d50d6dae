from __future__ import annotations

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from torch import nn

from modules import ModulesError, OptimizationConfig, OptimizerConfig
from modules.optimization import build, schedule


def parameters(*kinds: str) -> dict[str, list[nn.Parameter]]:
    return {kind: [nn.Parameter(torch.ones(3))] for kind in kinds}


def test_each_kind_has_its_learning_rate() -> None:
    config = OptimizationConfig(steps=4, optimizer=OptimizerConfig(lr=0.1), learning_rates={"prompt": 0.5})
    optimizer, _ = build(config, parameters("prompt", "adapter", "head"))
    assert isinstance(optimizer, torch.optim.AdamW)
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.1, 0.1]


def test_adafactor() -> None:
    config = OptimizationConfig(steps=4, optimizer=OptimizerConfig(name="adafactor", lr=0.1, weight_decay=0.01))
    own = parameters("prompt")
    optimizer, _ = build(config, own)
    assert isinstance(optimizer, torch.optim.Adafactor)
    own["prompt"][0].sum().backward()
    optimizer.step()
    assert (own["prompt"][0] < 1).all()


def test_the_schedule_rises_and_falls() -> None:
    config = OptimizationConfig(steps=8, warmup_steps=3)
    assert [schedule(config, step) for step in range(9)] == pytest.approx([0.25, 0.5, 0.75, 1, 0.8, 0.6, 0.4, 0.2, 0])
    constant = OptimizationConfig(steps=8, warmup_steps=1, decay="constant")
    assert [schedule(constant, step) for step in range(4)] == [0.5, 1, 1, 1]


def test_the_schedule_moves_every_group() -> None:
    config = OptimizationConfig(steps=2, optimizer=OptimizerConfig(lr=0.1), learning_rates={"prompt": 0.5})
    optimizer, learning_rates = build(config, parameters("prompt", "head"))
    optimizer.step()
    learning_rates.step()
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.25, 0.05])


def test_a_learning_rate_for_nothing_is_refused() -> None:
    config = OptimizationConfig(steps=2, learning_rates={"adaptor": 0.1})
    with pytest.raises(ModulesError, match="'adaptor' is not trained .* .did you mean 'adapter'.*: adapter, head"):
        build(config, parameters("adapter", "head"))


@pytest.mark.parametrize(
    "settings",
    [
        {"steps": 0},
        {"steps": 2, "warmup_steps": 2},
        {"steps": 2, "warmup_steps": -1},
        {"steps": 2, "gradient_clip": 0},
        {"steps": 2, "learning_rates": {"prompt": 0}},
        {"steps": 2, "optimizer": {"lr": 0}},
        {"steps": 2, "optimizer": {"weight_decay": -1}},
        {"steps": 2, "optimizer": {"name": "sgd"}},
        {"steps": 2, "epochs": 3},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings: dict) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(OptimizationConfig).validate_python(settings)
