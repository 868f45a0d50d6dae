"""Soft prompts and LoRAs as PEFT saves them: `adapter_config.json` and `adapter_model.safetensors`.

Prefixes and IA3 are not exchanged: PEFT gives prefixes to a cache that encoders do not read, and its IA3 scales the
feed-forward units behind their activation, that of `adapters` in front of it.
"""

import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

from safetensors.torch import save_file
from torch import Tensor

from modules.architectures import ARCHITECTURES
from modules.backbone import Backbone
from modules.components import LoRAConfig, SoftPrompt, SoftPromptConfig
from modules.components.lora import FUSED, Target
from modules.errors import ModulesError
from modules.formats.base import CONFIG, Part, Parts, read_config, read_tensors

SAFE, PICKLED = "adapter_model.safetensors", "adapter_model.bin"
PROMPT = "prompt_embeddings"
TASKS = {"encoder": "FEATURE_EXTRACTION", "decoder": "CAUSAL_LM", "encoder-decoder": "SEQ_2_SEQ_LM"}
"""PEFT's name of what a backbone of a family is loaded as: AutoModel, AutoModelForCausalLM, AutoModelForSeq2SeqLM."""
UNKNOWN_TO_US = ("use_dora", "rank_pattern", "alpha_pattern", "modules_to_save", "layer_replication", "lora_bias")
"""Settings of a LoRA that must be empty."""


class PeftFormat:
    """See `Format`."""

    def write(self, backbone: Backbone, parts: Parts, folder: Path, name: str) -> None:
        """See `Format`."""
        if len(parts) != 1 or next(iter(parts)) not in ("prompt", "lora"):
            raise ModulesError(f"PEFT saves one prompt or one LoRA here, not {' and '.join(sorted(parts))}")
        [(kind, part)] = parts.items()
        settings, tensors = _prompt(backbone, part) if kind == "prompt" else _lora(backbone, part)
        settings |= {
            "base_model_name_or_path": backbone.info.name,
            "task_type": TASKS[backbone.info.family],
            "inference_mode": True,
        }
        (folder / CONFIG).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
        tensors = {path: tensor.detach().cpu().contiguous() for path, tensor in tensors.items()}
        save_file(tensors, folder / SAFE, metadata={"format": "pt"})

    def reads(self, settings: dict[str, Any]) -> bool:
        """See `Format`."""
        return "peft_type" in settings

    def read(self, backbone: Backbone, folder: Path) -> Parts:
        """See `Format`."""
        settings = read_config(folder)
        readers = {"PROMPT_TUNING": _read_prompt, "LORA": _read_lora}
        if settings["peft_type"] not in readers:
            raise ModulesError(f"{folder}: a {settings['peft_type']} of PEFT; known: {', '.join(readers)}")
        tensors = read_tensors(folder, SAFE, PICKLED)
        return readers[settings["peft_type"]](backbone, settings, tensors, folder)


def _prompt(backbone: Backbone, part: Part) -> tuple[dict[str, Any], dict[str, Tensor]]:
    config: SoftPromptConfig = part.config
    if config.position != "before_bos":
        raise ModulesError(f"PEFT puts prompts in front of the text, not {config.position}")
    component = SoftPrompt(config, backbone.info.embedding_size)
    component.load_own_state(part.state)
    table = component.prompt()  # PEFT knows no perceptron between table and prompt
    settings = {
        "peft_type": "PROMPT_TUNING",
        "num_virtual_tokens": len(table),
        "token_dim": table.shape[1],
        "num_transformer_submodules": 1,
        "num_attention_heads": backbone.model.config.num_attention_heads,
        "num_layers": backbone.info.layers,
        "prompt_tuning_init": "RANDOM",
    }
    return settings, {PROMPT: table}


def _read_prompt(backbone: Backbone, settings: dict[str, Any], tensors: dict[str, Tensor], folder: Path) -> Parts:
    if PROMPT not in tensors:
        raise ModulesError(f"{folder}: its weights lack {PROMPT}")
    # For an encoder-decoder PEFT may keep as many again for the decoder, which it then does not use.
    table = tensors[PROMPT][: settings["num_virtual_tokens"]].float()
    if table.shape[1] != backbone.info.embedding_size:
        raise ModulesError(
            f"{folder}: its prompt is {table.shape[1]} wide; {backbone.info.name} has embeddings of "
            f"{backbone.info.embedding_size}"
        )
    return {"prompt": Part(SoftPromptConfig(length=len(table)), {"table": table.clone()})}


def _lora(backbone: Backbone, part: Part) -> tuple[dict[str, Any], dict[str, Tensor]]:
    config: LoRAConfig = part.config
    if backbone.info.fused_qkv and set(config.targets) & set(FUSED):
        raise ModulesError(f"{backbone.info.name} has one layer of queries, keys and values, which PEFT changes whole")
    place = ARCHITECTURES[backbone.info.model_type].base_model
    inside = "" if backbone.info.family == "encoder" else backbone.model.base_model_prefix if place is None else place
    tensors: dict[str, Tensor] = {}
    paths = []
    for number, target, path in _linears(backbone, config.targets):
        if number not in config.leave_out:
            paths.append(f"{inside}.{path}".lstrip("."))
            for theirs, ours in (("lora_A", "down"), ("lora_B", "up")):
                tensor = part.state[f"layers.{number}.{target}.{ours}.weight"]
                tensors[f"base_model.model.{paths[-1]}.{theirs}.weight"] = tensor
    settings = {
        "peft_type": "LORA",
        "r": config.rank,
        "lora_alpha": int(config.alpha) if config.alpha == int(config.alpha) else config.alpha,
        "lora_dropout": config.dropout,
        "target_modules": paths,
        "bias": "none",
    }
    return settings, tensors


def _read_lora(backbone: Backbone, settings: dict[str, Any], tensors: dict[str, Tensor], folder: Path) -> Parts:
    if unknown := [name for name in UNKNOWN_TO_US if settings.get(name)]:
        raise ModulesError(f"{folder}: a LoRA with {unknown[0]}, which this version does not compute")
    if settings.get("bias", "none") != "none":
        raise ModulesError(f"{folder}: a LoRA that changes biases, which this version does not compute")
    found: dict[int, dict[str, dict[str, Tensor]]] = {}
    used: set[str] = set()
    fused = FUSED if backbone.info.fused_qkv else ()
    for number, target, path in _linears(backbone, [target for target in get_args(Target) if target not in fused]):
        for theirs, ours in (("lora_A", "down"), ("lora_B", "up")):
            # Whatever model class was wrapped: `base_model.model.` and the path of the base model in it stand before.
            names = [name for name in tensors if f".{name}".endswith(f".{path}.{theirs}.weight")]
            for name in names:
                found.setdefault(number, {}).setdefault(target, {})[ours] = tensors[name].float()
                used.add(name)
    if left := sorted(tensors.keys() - used):
        raise ModulesError(f"{folder}: {left[0]} is no LoRA of a linear layer that {backbone.info.name} has for one")
    targets = list(next(iter(found.values()), {}))
    if not targets or any(list(of_layer) != targets for of_layer in found.values()):
        raise ModulesError(f"{folder}: a LoRA must change the same linear layers in each layer that it changes")
    rank = settings["r"]
    config = LoRAConfig(
        rank=rank,
        alpha=settings["lora_alpha"] * (math.sqrt(rank) if settings.get("use_rslora") else 1.0),
        dropout=settings.get("lora_dropout", 0.0),
        targets=targets,  # type: ignore[arg-type]
        leave_out=[number for number in range(backbone.info.layers) if number not in found],
    )
    state = {
        f"layers.{number}.{target}.{ours}.weight": tensor
        for number, of_layer in found.items()
        for target, factors in of_layer.items()
        for ours, tensor in factors.items()
    }
    return {"lora": Part(config, state)}


def _linears(backbone: Backbone, targets: Iterable[str]) -> Iterator[tuple[int, str, str]]:
    """Yields the number of a layer, a target and the path of its linear layer in the base model."""
    paths = {id(module): path for path, module in backbone.model.named_modules()}
    for number in range(backbone.info.layers):
        linears = backbone.linears(number)
        yield from ((number, target, paths[id(linears[target])]) for target in targets)
