"""Small stages of training, each by its name; run as a script, one rank of several trains them all."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import lightning
import torch
from safetensors.torch import save_file
from torch.distributed.tensor import DTensor
from torch.utils.data import DataLoader, IterableDataset

from modules import (
    AlignmentConfig,
    BackboneConfig,
    ClassificationHead,
    ClassificationHeadConfig,
    Combination,
    OptimizationConfig,
    OptimizerConfig,
    SpanHead,
    SpanHeadConfig,
    TaggingHead,
    TaggingHeadConfig,
    load_backbone,
)
from modules.backbone.backbone import seeded
from modules.training.alignment import Alignment
from modules.training.base import StageModule
from modules.training.classification import TextClassification
from modules.training.language_modeling import (
    CausalLanguageModeling,
    LanguageModeling,
    MaskedLanguageModeling,
    SpanCorruption,
)
from modules.training.question_answering import QuestionAnswering
from modules.training.sharding import ShardedBackbone
from modules.training.tagging import Tagging
from tests.modules import tiny
from tests.modules.slots import ALONE, MIXED, PAIRWISE, Slots, fill
from tests.modules.slots import name as name_of

LABELS = ["geography", "health", "sports"]
TAGS = ["O", "B-PER", "I-PER"]
ROWS = 4

Make = Callable[[Combination, OptimizationConfig], StageModule]


def classification(combination: Combination, optimization: OptimizationConfig) -> StageModule:
    with seeded(0):
        head = ClassificationHead(tiny.WIDTH, LABELS, ClassificationHeadConfig(dropout=0.0))
    return TextClassification(combination, combination.components("task"), optimization, head=head)


def tagging(combination: Combination, optimization: OptimizationConfig) -> StageModule:
    with seeded(0):
        head = TaggingHead(tiny.WIDTH, TAGS, TaggingHeadConfig(dropout=0.0))
    return Tagging(combination, combination.components("task"), optimization, head=head)


def answering(combination: Combination, optimization: OptimizationConfig) -> StageModule:
    with seeded(0):
        head = SpanHead(tiny.WIDTH, SpanHeadConfig(dropout=0.0, max_answer_length=3))
    return QuestionAnswering(combination, combination.components("task"), optimization, head=head)


def masked(combination: Combination, optimization: OptimizationConfig) -> StageModule:
    return MaskedLanguageModeling(combination, combination.components("language"), optimization)


def causal(combination: Combination, optimization: OptimizationConfig) -> StageModule:
    return CausalLanguageModeling(combination, combination.components("language"), optimization)


def corrupted(combination: Combination, optimization: OptimizationConfig) -> StageModule:
    return SpanCorruption(combination, combination.components("language"), optimization)


def alignment(combination: Combination, optimization: OptimizationConfig) -> StageModule:
    components = combination.components("language")
    return Alignment(combination, components, optimization, config=AlignmentConfig())


STAGES: dict[str, tuple[Make, str, Slots]] = {
    "head alone": (classification, "xlm-roberta", ()),
    "language prompt, task adapter": (
        classification,
        "bert",
        (("language", "prompt"), ("task", "adapter")),
    ),
    "task prompt and lora": (classification, "modernbert", (("task", "prompt"), ("task", "lora"))),
    "tagging prompt and adapter": (tagging, "bert", (("task", "prompt"), ("task", "adapter"))),
    "full fine-tuning": (classification, "xlm-roberta", (("task", "full"),)),
    "masked prompt and adapter": (
        masked,
        "xlm-roberta",
        (("language", "prompt"), ("language", "adapter")),
    ),
    "masked invertible": (masked, "modernbert", (("language", "invertible"), ("language", "lora"))),
    "masked pretraining": (masked, "bert", (("language", "full"),)),
    "aligned prompt and adapter": (
        alignment,
        "bert",
        (("language", "prompt"), ("language", "adapter")),
    ),
    "answers found by adapters": (answering, "bert", (("language", "prompt"), ("task", "adapter"))),
    "aligned prefix": (alignment, "xlm-roberta", (("language", "prefix"),)),
}

"""Stages of each kind, on several models."""

FAMILIES = {
    "encoder": ("xlm-roberta", masked),
    "decoder": ("llama", causal),
    "encoder-decoder": ("mt5", corrupted),
}
"""A model of each family of backbones, and how it learns text."""


def _every_combination() -> Iterator[tuple[str, tuple[Make, str, Slots]]]:
    """Yields stages for the four main slots, pair by pair, on each family; for each kind and mixture on the encoder.

    What ranks do with a kind depends on no family. A kind is trained alone in each stage: in the task role by the task
    stage, in the language role by the two others; what a task stage only holds it does in the mixtures.
    """
    for family, (model_type, learn) in FAMILIES.items():
        tasks = PAIRWISE
        if family == "encoder":
            tasks = [*PAIRWISE, *(slots for slots in ALONE if slots[0][0] == "task"), *MIXED]
        for slots in tasks:
            yield f"{family}, task: {name_of(slots)}", (classification, model_type, slots)
        languages = [tuple(slot for slot in slots if slot[0] == "language") for slots in tasks]
        if family == "encoder":
            languages += [slots for slots in ALONE if slots[0][0] == "language"]
        for slots in filter(None, dict.fromkeys(languages)):
            yield f"{family}, {learn.__name__}: {name_of(slots)}", (learn, model_type, slots)
            yield f"{family}, aligned: {name_of(slots)}", (alignment, model_type, slots)


EVERY_STAGE = STAGES | dict(_every_combination())

SHARED = [name for name, (_, _, slots) in STAGES.items() if not any(kind == "full" for _, kind in slots)]
SHARED += [f"{family}, task: {name_of(slots)}" for family in FAMILIES for slots in PAIRWISE]
"""Stages that are trained on a backbone that ranks share, too."""


def make(name: str, encoders: Path, **optimization: Any) -> StageModule:
    """Builds a stage whose components come from fixed seeds."""
    build, model_type, slots = EVERY_STAGE[name]
    config, with_lm_head = BackboneConfig(name=str(encoders / model_type)), build in (masked, causal, corrupted)
    whole = Combination(load_backbone(config, with_lm_head=with_lm_head))
    fill(whole, [slot for slot in slots if slot[1] != "full"], ["swh_Latn"], perturbed=False)
    fill(whole, [slot for slot in slots if slot[1] == "full"], [None], perturbed=False)
    settings = {"steps": 4, "optimizer": OptimizerConfig(lr=0.01, weight_decay=0.01)} | optimization
    return build(whole, OptimizationConfig(**settings))


def batches(number: int, rank: int = 0, ranks: int = 1) -> list[dict[str, Any]]:
    """Returns one rank's rows of global batches, with the keys that any stage reads."""
    found = []
    for seed in range(number):
        ids, mask = tiny.batch(ROWS, 10, seed=seed)
        pivot_ids, pivot_mask = tiny.batch(ROWS, 8, seed=100 + seed)
        # Rows differ in how many tokens are masked, so ranks do too.
        chosen = (torch.arange(10) % 4 == 1) & (torch.arange(10) <= torch.tensor([2, 9, 6, 9])[:, None])
        chosen &= mask.bool()
        everything = {
            "attention_mask": mask,
            "pivot_input_ids": pivot_ids,
            "pivot_attention_mask": pivot_mask,
            "input_ids": ids,
            "tokens": torch.where(chosen, ids, -100),
            "labels": torch.arange(ROWS) % len(LABELS),
            # A question of two tokens; the answer is in each window but the last.
            "in_context": mask.bool() & (torch.arange(10) > 3),
            "nowhere": torch.full((ROWS,), 3),
            "start": torch.tensor([4, 5, 4, 3]),
            "end": torch.tensor([4, 7, 5, 3]),
            "language": ["swh_Latn"] * ROWS,
            "id": [f"{seed}-{row}" for row in range(ROWS)],
        }
        found.append({key: value[rank::ranks] for key, value in everything.items()})
    return found


def for_stage(stage: StageModule, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Gives language modelling and tagging their own labels."""
    if isinstance(stage, Tagging):
        return [batch | words_of(batch) for batch in rows]
    if not isinstance(stage, LanguageModeling):
        return rows
    return [batch | {"labels": batch["tokens"]} for batch in rows]


def words_of(batch: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Makes every token but the first a word, and those past the fifth ones that are cut off."""
    mask = batch["attention_mask"][:, 1:]
    numbers = torch.arange(1, mask.shape[1] + 1)
    tokens = torch.where((mask > 0) & (numbers <= 5), numbers, -1)
    labels = torch.where(mask > 0, batch["input_ids"][:, 1:] % len(TAGS), -100)
    return {"words": mask.sum(1), "first_tokens": tokens, "last_tokens": tokens, "labels": labels}


class Stream(IterableDataset):
    """Gives batches without saying how many, as the streams of real data do."""

    def __init__(self, rows: Sequence[dict[str, Any]]) -> None:
        self.rows = rows

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows)


def train(
    stage: StageModule,
    rows: Sequence[dict[str, Any]],
    validation: Sequence[dict[str, Any]] = (),
    checkpoint: Path | None = None,
    **options: Any,
) -> lightning.Trainer:
    """Trains on the CPU, in float64 unless told otherwise: there rounding cannot hide or feign a difference."""
    warnings.filterwarnings("ignore", module="lightning")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    settings = {
        "max_steps": stage.optimization.steps,
        "precision": "64-true",
        "accelerator": "cpu",
        "devices": 1,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "logger": False,
        "num_sanity_val_steps": 0,
        "use_distributed_sampler": False,
    }
    trainer = lightning.Trainer(**(settings | options))
    loaders = [DataLoader(Stream(part), batch_size=None) for part in (rows, validation)]
    trainer.fit(stage, loaders[0], loaders[1] if validation else None, ckpt_path=checkpoint)
    return trainer


def held(stage: StageModule) -> int:
    """Returns how many of the weights of the backbone's layers this rank holds."""
    backbone = stage.combination.backbone
    layers = {id(weights) for weights in backbone.layers.parameters()}
    own = [weights for weights in backbone.own_parameters().values() if id(weights) in layers]
    return sum((weights.to_local() if isinstance(weights, DTensor) else weights).numel() for weights in own)


def main(encoders: str, output: str, names: Sequence[str]) -> None:
    rank, ranks = int(os.environ["LOCAL_RANK"]), int(os.environ["WORLD_SIZE"])
    for name in names:
        stage = make(name, Path(encoders))
        rows = for_stage(stage, batches(4, rank, ranks))
        trainer = train(stage, rows, rows[:2], strategy="ddp", devices=ranks)
        metrics = {f"metric {key}": value for key, value in trainer.callback_metrics.items()}
        save_file(stage.trained_state() | metrics, Path(output) / f"{name}.{rank}.safetensors")
        if name in SHARED:
            shared = make(name, Path(encoders))
            train(shared, rows, rows[:2], strategy=ShardedBackbone(), devices=ranks)
            kept = shared.trained_state() | {"held": torch.tensor(held(shared))}
            save_file(kept, Path(output) / f"{name}.{rank}.shared.safetensors")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
