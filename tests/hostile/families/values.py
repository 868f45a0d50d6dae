"""Values of the schema that are absurd: huge, tiny, negative, or of another type."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

from tests.hostile.case import EITHER, Case
from tests.hostile.world import World

PROMPT = "combination.language.prompt"
TRAINING = "stages.task.training"
ALIGNMENT = "stages.language.objective.alignment"

COUNTS = (
    f"{PROMPT}.length",
    f"{PROMPT}.reparameterization",
    "combination.task.adapter.reduction_factor",
    "combination.task.lora.rank",
    "combination.task.prefix.length",
    "combination.task.prefix.bottleneck_size",
    "data.max_length",
    f"{ALIGNMENT}.parallel.max_length",
    "stages.language.batch_size",
    "stages.task.batch_size",
    "stages.evaluate.batch_size",
    "stages.task.validate_every",
    "stages.task.k_shot",
    f"{TRAINING}.steps",
    f"{TRAINING}.warmup_steps",
    "trainer.devices",
    "trainer.num_nodes",
    "trainer.num_workers",
)
"""Keys of whole numbers."""
ABSURD_COUNTS = (10**9, -1, 0, 0.5, True, "many")

MEASURES = (
    f"{PROMPT}.std",
    "combination.task.lora.alpha",
    "combination.task.lora.dropout",
    f"{TRAINING}.optimizer.lr",
    f"{TRAINING}.optimizer.weight_decay",
    f"{TRAINING}.learning_rates.adapter",
    f"{TRAINING}.gradient_clip",
    f"{ALIGNMENT}.cosine_weight",
    f"{ALIGNMENT}.temperature",
    "trainer.checkpoint_every",
    "stages.task.answer.classification_head.dropout",
)
"""Keys of numbers with fractions."""
ABSURD_MEASURES = (1e308, -1.0, "much")

TEMPLATES = {
    "with a bad format": "{text:d}",
    "with a bad conversion": "{text!z}",
    "with a wide format": "{text:1000000000}",
    "with a format of a format": "{text:{second_text}}",
    "of an attribute": "{text.__class__}",
    "of an item": "{text[0]}",
    "of a number": "{0}",
    "without a name": "{}",
    "without an end": "{text",
    "without text": "what?",
    "of nothing": "",
}

TASK_ALONE: dict[str, Any] = {"combination.language": {}, "stages.language": None}
RUNS: dict[str, dict[str, Any]] = {
    "a learning rate of 1e308": {f"{TRAINING}.optimizer.lr": 1e308},
    "a batch of 10^9": {"stages.task.batch_size": 10**9},
    "a prompt of 10^9": {"combination.task.prompt.length": 10**9},
    "a reparameterization of 10^9": {"combination.task.prompt.reparameterization": 10**9},
    "50 languages that are not there": {"languages.targets": [f"x{number}_Latn" for number in range(50)]},
    "all as a source": {"languages.source": ["all"]},
    "a target of 1 MB": {"languages.targets": ["x" * 1_000_000]},
    "a target of 10,000 letters": {"languages.targets": ["swh_Latn" * 1250]},
    "a dataset of 10,000 letters": {"data.name": "sib200" * 1700},
    "a kind of 10,000 letters": {"combination.task": {"adapter" * 1500: {}}},
    "a class of 10,000 letters": {"combination.task": {"adapter." * 1250 + "x": {}}},
    "a revision of 10,000 letters": {"backbone.revision": "main" * 2500},
    "10,000 targets": {"languages.targets": [f"x{number}" for number in range(10_000)]},
    "beams of 10^9": {"stages.task.answer": {"generation": {"template": "{text}", "beams": 10**9}}},
    "answers of 10^9": {"stages.task.answer": {"generation": {"template": "{text}", "max_new_tokens": 10**9}}},
}
"""Changes of an experiment that trains the task alone, by what they are."""


def cases(world: World) -> Iterator[Case]:
    """Yields the cases of the family."""

    def case(name: str, command: str, changes: dict[str, Any], **more: Any) -> Case:
        return Case(name, [command, "e.yaml"], {"e.yaml": world.experiment(changes)}, **more)

    for key, value in (*product(COUNTS, ABSURD_COUNTS), *product(MEASURES, ABSURD_MEASURES)):
        yield case(f"{key} of {value!r}", "plan", {key: value}, codes=EITHER)
    for name, template in TEMPLATES.items():
        answer = {"label_words": {"template": template}}
        yield case(f"a template {name}", "plan", {"stages.task.answer": answer}, says=("template",))
        answer = {"label_words": {"template": "{text}", "templates": {"swh_Latn": template}}}
        yield case(f"a template of a language {name}", "plan", {"stages.task.answer": answer}, says=("templates",))
    for name, changes in RUNS.items():
        yield case(f"{name}: run", "run", TASK_ALONE | changes)
