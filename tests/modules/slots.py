"""The combinations of components that the tests go through."""

from __future__ import annotations

import functools
import itertools
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from modules import BackboneConfig, BackboneInfo, Combination, inspect_backbone
from modules.components import (
    BottleneckConfig,
    FullConfig,
    IA3Config,
    InvertibleConfig,
    LoRAConfig,
    PrefixConfig,
    SoftPromptConfig,
)
from tests.modules import tiny

Slots = tuple[tuple[str, str], ...]
"""Roles with a component each: pairs of role and kind."""

CONFIGS: dict[str, Any] = {
    "prompt": SoftPromptConfig(length=3),
    "adapter": BottleneckConfig(reduction_factor=4),
    "invertible": InvertibleConfig(),
    "lora": LoRAConfig(rank=2),
    "prefix": PrefixConfig(length=3, bottleneck_size=8),
    "ia3": IA3Config(),
    "full": FullConfig(),
}
VARIANTS: dict[str, tuple[str, Any]] = {
    "prompt with perceptron": ("prompt", SoftPromptConfig(length=3, reparameterization=16)),
    "prompt after bos": ("prompt", SoftPromptConfig(length=3, position="after_bos")),
    "double adapter": ("adapter", BottleneckConfig(type="double_seq_bn", reduction_factor=4)),
    "compacter": ("adapter", BottleneckConfig(type="compacter", reduction_factor=4)),
    "adapter without layer 0": ("adapter", BottleneckConfig(reduction_factor=4, leave_out=[0])),
    "invertible behind positions": ("invertible", InvertibleConfig(place="embeddings")),
    "lora everywhere": (
        "lora",
        LoRAConfig(
            rank=2,
            targets=[
                "query",
                "key",
                "value",
                "attention_output",
                "feed_forward_in",
                "feed_forward_out",
            ],
        ),
    ),
    "lora without layer 1": ("lora", LoRAConfig(rank=2, leave_out=[1])),
    "direct prefix": ("prefix", PrefixConfig(length=3, bottleneck_size=None)),
    "ia3 without layer 1": ("ia3", IA3Config(leave_out=[1])),
}
"""Other settings of the kinds, which the tests treat as kinds of their own."""
KINDS = [*CONFIGS, *VARIANTS]

MAIN: Slots = (("language", "prompt"), ("language", "adapter"), ("task", "prompt"), ("task", "adapter"))
SIXTEEN: list[Slots] = [
    tuple(itertools.compress(MAIN, chosen)) for chosen in itertools.product([False, True], repeat=len(MAIN))
]
PAIRWISE = [slots for slots in SIXTEEN if len(slots) in (0, 3, 4)]
"""Of the sixteen, so many that any two slots are seen on together, off together, and each on without the other."""
ALONE: list[Slots] = [((role, kind),) for role in ("language", "task") for kind in KINDS if kind != "full"]
MIXED: list[Slots] = [
    (("language", "lora"), ("task", "adapter")),
    (("language", "adapter"), ("task", "lora")),
    (("language", "lora"), ("task", "lora")),
    (("language", "lora everywhere"), ("task", "ia3")),
    (("language", "prefix"), ("task", "ia3")),
    (("language", "prefix"), ("task", "prefix")),
    (("language", "ia3"), ("task", "ia3")),
    (("language", "compacter"), ("task", "compacter")),
    (("language", "double adapter"), ("task", "compacter")),
    (("language", "prompt after bos"), ("task", "prompt")),
    (("language", "prompt"), ("task", "prompt with perceptron")),
    (("language", "invertible"), ("language", "adapter"), ("task", "prompt"), ("task", "adapter")),
    (("language", "invertible"), ("language", "prompt"), ("language", "lora"), ("task", "prefix")),
    (("language", "invertible behind positions"), ("language", "prompt after bos"), ("task", "prompt")),
    (("language", "prompt"), ("language", "adapter"), ("language", "lora"), ("language", "prefix")),
]
COMBINATIONS = list(dict.fromkeys([*SIXTEEN, *ALONE, *MIXED]))  # four of the sixteen are of one component


def name(slots: Slots) -> str:
    return " + ".join(f"{role} {kind}" for role, kind in slots) or "nothing"


def kind_and_config(kind: str) -> tuple[str, Any]:
    return VARIANTS[kind] if kind in VARIANTS else (kind, CONFIGS[kind])


def possible(slots: Slots, info: BackboneInfo) -> bool:
    """Whether a backbone takes all these kinds."""
    return not any(kind_and_config(kind)[1].incompatibility(info) for _, kind in slots)


@functools.cache
def info_of(model_type: str) -> BackboneInfo:
    """What is known of a tiny model before it is loaded: tests are collected for the kinds that it takes."""
    with tempfile.TemporaryDirectory() as folder:
        tiny.write_config(Path(folder), model_type)
        return inspect_backbone(BackboneConfig(name=folder, random_init_seed=0))


def models_that_take(kinds: Iterable[str], role: str = "task") -> list[tuple[str, str]]:
    """Returns each model type with each of the kinds that it takes in a role."""
    pairs = itertools.product(tiny.MODELS, kinds)
    return [(model_type, kind) for model_type, kind in pairs if possible(((role, kind),), info_of(model_type))]


def fill(combination: Combination, slots: Slots, languages: list[str], *, perturbed: bool = True) -> None:
    """Adds the components, those of the language role for each language.

    Perturbed, no parameter is zero and no two components are equal, so that each shows in the hidden states.
    """
    for number, (role, kind) in enumerate(slots):
        for place, language in enumerate(languages if role == "language" else [None]):
            real_kind, config = kind_and_config(kind)
            component = combination.add(role, real_kind, config, language=language, seed=10 * number + place)
            if perturbed:
                perturb(component.own_parameters(), seed=1000 + 10 * number + place)


def perturb(parameters: dict[str, torch.nn.Parameter], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in parameters.values():
            parameter += 0.2 * torch.randn(parameter.shape, generator=generator)
