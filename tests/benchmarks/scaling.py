"""How a stage scales over ranks: measured steps and sizes, and from them, on paper, times up to 64 ranks.

    python -m tests.benchmarks.scaling BACKBONE_FOLDER

It prints the tables of docs/scaling.md. Each rank takes ROWS rows a step, so N ranks do a stage in an Nth of the steps.
A step on N ranks is the measured step of one rank, and then a ring all-reduce of the trained parameters' gradients:
2 (N - 1) messages of an Nth of the gradient, each with the network's latency. Where ranks share the backbone
(`trainer.shard_backbone`), each layer's weights are gathered twice before that, forward and backward: N - 1 messages of
an Nth of them. None of it is taken to overlap with computing.
"""

from __future__ import annotations

import statistics
import sys
import time
from dataclasses import dataclass
from typing import Any

import torch

from modules import (
    BackboneConfig,
    ClassificationHead,
    ClassificationHeadConfig,
    Combination,
    OptimizationConfig,
    load_backbone,
)
from modules.components import BottleneckConfig, FullConfig, LoRAConfig, SoftPromptConfig
from modules.training.classification import TextClassification

RANKS = (1, 2, 4, 8, 16, 32, 64)
ROWS, TOKENS = 16, 64
EXAMPLES = 102_400
"""Rows of a stage: with 16 a step, 6,400 steps on one rank."""
FASTER = 30
"""How much faster than a thread of this CPU a GPU is taken to be; assumed, not measured."""
COMPONENTS: dict[str, tuple[str, Any]] = {
    "prompt of 50": ("prompt", SoftPromptConfig(length=50)),
    "LoRA, rank 8": ("lora", LoRAConfig(rank=8)),
    "adapter, reduction 16": ("adapter", BottleneckConfig(reduction_factor=16)),
    "adapter, reduction 2": ("adapter", BottleneckConfig(reduction_factor=2)),
    "whole backbone": ("full", FullConfig()),
}
SHARED = ("adapter, reduction 16",)
"""Those that are shown on a shared backbone too."""


@dataclass(frozen=True)
class Network:
    """What connects ranks; assumed, not measured."""

    name: str
    bytes_per_second: float
    latency: float
    """Seconds for an empty message."""

    def all_reduce(self, size: float, ranks: int) -> float:
        """Returns the seconds of a ring all-reduce of `size` bytes."""
        return 2 * self.all_gather(size, ranks)

    def all_gather(self, size: float, ranks: int) -> float:
        """Returns the seconds until every rank has `size` bytes, of which each had its share."""
        return (ranks - 1) * (self.latency + size / ranks / self.bytes_per_second)


NETWORKS = (Network("10 Gbit/s Ethernet", 1.25e9, 50e-6), Network("200 Gbit/s InfiniBand", 25e9, 5e-6))


@dataclass(frozen=True)
class Measured:
    """One component's step on one rank."""

    seconds: float
    parameters: int
    layer: int
    """Bytes of the backbone's weights in one transformer layer, in float32."""
    layers: int

    @property
    def gradient(self) -> int:
        """Bytes of the gradient, in float32."""
        return 4 * self.parameters


def measure(folder: str, kind: str, config: Any, steps: int = 5) -> Measured:
    """Measures a training step (forward, backward, AdamW) in CPU seconds of one thread; the median of several."""
    combination = Combination(load_backbone(BackboneConfig(name=folder, precision="bf16")))
    component = combination.add("task", kind, config, seed=0)
    head = ClassificationHead(combination.backbone.info.hidden_size, list("abcdefg"), ClassificationHeadConfig())
    stage = TextClassification(combination, [component], OptimizationConfig(steps=steps + 1), head=head)
    trained = [parameter for parameter in stage.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3)
    stage.train()
    ids = torch.randint(10, combination.backbone.info.vocabulary_size - 1000, (ROWS, TOKENS))
    labels = torch.arange(ROWS) % 7
    seconds = []
    for _ in range(steps + 1):
        started = time.process_time()
        with torch.autocast("cpu", torch.bfloat16):
            hidden = combination.encode(ids, torch.ones_like(ids))
            loss = torch.nn.functional.cross_entropy(head(hidden, torch.ones_like(ids)), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        seconds.append(time.process_time() - started)
    layers = combination.backbone.layers
    own = {id(weights) for weights in combination.backbone.own_parameters().values()}
    layer = 4 * sum(weights.numel() for weights in layers[0].parameters() if id(weights) in own)
    parameters = sum(parameter.numel() for parameter in trained)
    return Measured(statistics.median(seconds[1:]), parameters, layer, len(layers))


def table(component: str, measured: Measured, *, shared: bool) -> list[str]:
    """Returns the lines of one component's table, on backbones of its own or on one that the ranks share."""
    ways = [(network, faster) for faster in (1, FASTER) for network in NETWORKS]
    head = [f"{network.name}{f', {faster} × as fast' if faster > 1 else ''}" for network, faster in ways]
    name = f"{component}, shared backbone" if shared else component
    lines = [
        f"**{name}**: {measured.parameters:,} trained parameters with the head, "
        f"{measured.gradient / 1e6:,.2f} MB of gradient, {measured.seconds:.2f} s a step on one rank",
        "",
        "| ranks | steps | sent by a rank, a step | " + " | ".join(head) + " |",
        "|---:|---:|---:|" + "---:|" * len(ways),
    ]
    for ranks in RANKS:
        steps = EXAMPLES // (ROWS * ranks)
        gathers = 2 * measured.layers if shared else 0
        sent = (ranks - 1) / ranks * (2 * measured.gradient + gathers * measured.layer)
        cells = []
        for network, faster in ways:
            alone = measured.seconds / faster
            step = alone + network.all_reduce(measured.gradient, ranks)
            step += gathers * network.all_gather(measured.layer, ranks)
            cells.append(f"{steps * step / 60:,.2f} min ({alone / step:.0%})")
        lines.append(f"| {ranks} | {steps:,} | {sent / 1e6:,.2f} MB | " + " | ".join(cells) + " |")
    return [*lines, ""]


def main() -> None:
    """Measures every component and prints its table."""
    torch.set_num_threads(1)
    for component, (kind, config) in COMPONENTS.items():
        measured = measure(sys.argv[1], kind, config)
        print("\n".join(table(component, measured, shared=False)), flush=True)
        if component in SHARED:
            print("\n".join(table(component, measured, shared=True)), flush=True)


if __name__ == "__main__":
    main()
