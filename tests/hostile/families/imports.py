"""What `adapters` or PEFT saved, damaged or of a kind that is not known here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.hostile.case import EITHER, REFUSED, Case
from tests.hostile.damage import DAMAGES, VALUES, edited
from tests.hostile.world import World

PROMPT: dict[str, Any] = {"peft_type": "PROMPT_TUNING", "num_virtual_tokens": 3, "token_dim": 32}
LORA: dict[str, Any] = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "lora_dropout": 0.0, "use_rslora": False}
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


def cases(world: World) -> Iterator[Case]:
    """Yields the cases of the family."""

    def case(name: str, settings: dict[str, Any], change: Callable[[Path], object], **more: Any) -> Case:
        def setup(folder: Path) -> None:
            theirs = folder / "theirs"
            theirs.mkdir()
            (theirs / CONFIG).write_text(json.dumps(settings))
            write_weights(theirs / WEIGHTS, settings)
            change(theirs)

        role = ["--as", "language", "--language", "swh_Latn"]
        words = ["components", "import", "theirs", *role, "--backbone", str(world.encoder)]
        return Case(name, words, setup=setup, **({"codes": EITHER} | more))

    def config(text: str | bytes) -> Callable[[Path], object]:
        return lambda theirs: (theirs / CONFIG).write_bytes(text.encode() if isinstance(text, str) else text)

    for kind, settings in {"prompt": PROMPT, "LoRA": LORA}.items():
        yield case(f"{kind} as it was saved", settings, config(json.dumps(settings)), codes=frozenset({0}))
        for name, text in edited(settings):
            yield case(f"{kind} {name}", settings, config(text))
        for file in (CONFIG, WEIGHTS):
            for name, damage in DAMAGES.items():
                damaged = lambda theirs, file=file, damage=damage: damage(theirs / file)  # noqa: E731
                yield case(f"{kind}: {file} {name}", settings, damaged, unprivileged=name == "may not be read")
    for what, value in VALUES.items():
        refused = {"codes": REFUSED, "says": ["later_option"]} if value is not None else {"codes": frozenset({0})}
        text = json.dumps({**LORA, "later_option": value})
        yield case(f"a later option that is {what}", LORA, config(text), **refused)
        yield case(f"`adapters` whose config is {what}", LORA, config(json.dumps({"config": value})))
        inner = json.dumps({"config": {"architecture": value, "reduction_factor": value}})
        yield case(f"`adapters` of an architecture that is {what}", LORA, config(inner))
    for init in ("pissa", "olora", "corda", "loftq", "lora_ga", "PiSSA", "later", ["x"]):
        says = ["init_lora_weights"]
        text = json.dumps({**LORA, "init_lora_weights": init})
        yield case(f"first values {init}", LORA, config(text), codes=REFUSED, says=says)


def write_weights(file: Path, settings: dict[str, Any]) -> None:
    """Writes weights that fit the settings and the tiny encoder."""
    import torch
    from safetensors.torch import save_file

    if settings["peft_type"] == "PROMPT_TUNING":
        save_file({"prompt_embeddings": torch.ones(3, 32)}, file)
        return
    tensors = {
        f"base_model.model.encoder.layer.{layer}.attention.self.{name}.lora_{factor}.weight": torch.ones(
            (2, 32) if factor == "A" else (32, 2)
        )
        for layer in (0, 1)
        for name in ("query", "value")
        for factor in "AB"
    }
    save_file(tensors, file)
