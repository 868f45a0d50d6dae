from __future__ import annotations

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from torch import nn
from transformers.optimization import Adafactor

from modules import ModulesError, OptimizationConfig, OptimizerConfig
from modules.training.optimization import build, schedule


def parameters(*kinds: str) -> dict[str, list[nn.Parameter]]:
    return {kind: [nn.Parameter(torch.ones(3))] for kind in kinds}


def test_each_kind_has_its_learning_rate() -> None:
    config = OptimizationConfig(steps=4, optimizer=OptimizerConfig(lr=0.1), learning_rates={"prompt": 0.5})
    optimizer, _ = build(config, parameters("prompt", "adapter", "head"))
    assert isinstance(optimizer, torch.optim.AdamW)
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.1, 0.1]


def test_adafactor_takes_the_rate_as_it_is_written() -> None:
    config = OptimizationConfig(steps=400, optimizer=OptimizerConfig(name="adafactor", lr=0.5), decay="constant")
    own = parameters("prompt")
    [table] = own["prompt"]
    optimizer, _ = build(config, own)
    for _ in range(300):
        before = table.detach().clone()
        optimizer.zero_grad()
        table.sum().backward()
        optimizer.step()
        assert torch.allclose(before - table, torch.full_like(table, 0.5), atol=1e-3)


def test_adafactor_goes_on_where_it_was() -> None:
    config = OptimizationConfig(steps=9, optimizer=OptimizerConfig(name="adafactor", lr=0.5, weight_decay=0.01))

    def after(steps: int, saved_at: int | None) -> torch.Tensor:
        own = {"prompt": [nn.Parameter(torch.linspace(-1, 1, 6).reshape(2, 3))]}
        [table] = own["prompt"]
        optimizer, _ = build(config, own)
        for step in range(steps):
            if step == saved_at:
                state = optimizer.state_dict()
                optimizer, _ = build(config, own)
                optimizer.load_state_dict(state)
            optimizer.zero_grad()
            (table**3).sum().backward()
            optimizer.step()
        return table.detach()

    assert torch.equal(after(6, saved_at=3), after(6, saved_at=None))


def test_kinds_have_optimizers_of_their_own_where_one_stage_has_one() -> None:
    prompts = OptimizerConfig(name="adafactor", lr=0.5, weight_decay=1e-5)
    config = OptimizationConfig(steps=4, optimizers={"prompt": prompts})
    optimizer, _ = build(config, parameters("prompt"))
    assert isinstance(optimizer, Adafactor)
    assert [(group["lr"], group["weight_decay"]) for group in optimizer.param_groups] == [(0.5, 1e-5)]
    with pytest.raises(ModulesError, match="one optimiser, and is to train prompt by adafactor and adapter by adamw"):
        build(config, parameters("prompt", "adapter"))


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
