"""Soft prompts and LoRAs as PEFT saves them: `adapter_config.json` and `adapter_model.safetensors`.

PEFT has many variants of a LoRA, and adds to them with each version. Each setting of a file is therefore either
honoured, or changes nothing of what trained weights compute, or is refused by its name and value.

Prefixes and IA3 are not exchanged: PEFT gives prefixes to a cache that encoders do not read, and its IA3 scales the
feed-forward units behind their activation, that of `adapters` in front of it.
"""

import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import ConfigDict, FiniteFloat
from pydantic.dataclasses import dataclass
from safetensors.torch import save_file
from torch import Tensor

from modules.backbone.architectures import QKV
from modules.backbone.backbone import Backbone
from modules.components import LoRAConfig, SoftPrompt, SoftPromptConfig
from modules.components.configs import Target
from modules.errors import ModulesError
from modules.formats.base import CONFIG, Part, Parts, checked, read_config, read_tensors, refuse_unknown

SAFE, PICKLED = "adapter_model.safetensors", "adapter_model.bin"
PROMPT = "prompt_embeddings"
TASKS = {"encoder": "FEATURE_EXTRACTION", "decoder": "CAUSAL_LM", "encoder-decoder": "SEQ_2_SEQ_LM"}
"""PEFT's name of what a backbone of a family is loaded as: AutoModel, AutoModelForCausalLM, AutoModelForSeq2SeqLM."""
OF_ALL = (
    "peft_type", "task_type", "auto_mapping", "peft_version",
    "base_model_name_or_path", "revision", "inference_mode",
)
"""Settings of every configuration of PEFT that say where it came from."""
OF_PROMPTS = (
    *OF_ALL,
    "num_virtual_tokens", "token_dim", "num_transformer_submodules", "num_attention_heads", "num_layers",
    "prompt_tuning_init", "prompt_tuning_init_text", "tokenizer_name_or_path", "tokenizer_kwargs",
)
"""Settings of a prompt that are read here, or only give its first values."""
OF_LORAS = (
    *OF_ALL,
    "r", "lora_alpha", "lora_dropout", "use_rslora",  # honoured
    # Where it acts, which the names of the weights say.
    "target_modules", "exclude_modules", "layers_to_transform", "layers_pattern",
    # How the weights of the backbone lie in memory, and where computations of the first values are done.
    "fan_in_fan_out", "megatron_core", "runtime_config",
    # Settings of first values, and of a variant; `init_lora_weights` and `use_qalora` say whether they apply.
    "init_lora_weights", "loftq_config", "eva_config", "corda_config", "lora_ga_config", "qalora_group_size",
)
"""Settings of a LoRA that are honoured, or change nothing of what trained weights compute."""
KEEPS_BACKBONE = (None, True, False, "gaussian", "eva", "orthogonal", "mica")
"""Values of `init_lora_weights` that leave the backbone's weights as they are."""


@dataclass(frozen=True, config=ConfigDict(strict=True))
class _LoRASettings:
    """What is read of a LoRA's configuration, with PEFT's defaults for what an older version did not write."""

    r: int = 8
    lora_alpha: FiniteFloat = 8
    lora_dropout: FiniteFloat = 0.0
    use_rslora: bool = False


@dataclass(frozen=True, config=ConfigDict(strict=True))
class _PromptSettings:
    """What is read of a prompt's configuration."""

    num_virtual_tokens: int


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
        kind = str(settings["peft_type"])
        if kind not in READERS:
            raise ModulesError(f"{folder}: a {kind} of PEFT; known: {', '.join(READERS)}")
        return READERS[kind](backbone, settings, read_tensors(folder, SAFE, PICKLED), folder)


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


def _refuse_changed_backbone(settings: dict[str, Any], folder: Path) -> None:
    """Refuses a LoRA that was trained on a backbone whose weights PEFT had changed: on others it means nothing.

    Raises:
        ModulesError: Its first values were taken out of the backbone (PiSSA, OLoRA, CorDA, LoftQ and their like).
    """
    init = settings.get("init_lora_weights")
    if (init.lower() if isinstance(init, str) else init) not in KEEPS_BACKBONE:
        raise ModulesError(
            f"{folder / CONFIG}: init_lora_weights is {json.dumps(init)}, with which PEFT changed the backbone's "
            "weights before training; let PEFT convert it, by `save_pretrained(..., "
            "path_initial_model_for_weight_conversion=...)` with the adapter as it was before its training"
        )


def _read_prompt(backbone: Backbone, settings: dict[str, Any], tensors: dict[str, Tensor], folder: Path) -> Parts:
    refuse_unknown(settings, OF_PROMPTS, folder, "PEFT")
    length = checked(_PromptSettings, settings, folder).num_virtual_tokens
    if PROMPT not in tensors:
        raise ModulesError(f"{folder}: its weights lack {PROMPT}")
    # For an encoder-decoder PEFT may keep as many again for the decoder, which it then does not use.
    rows = tensors[PROMPT].shape[0] if tensors[PROMPT].dim() == 2 else 0
    if not 0 < length <= rows:
        raise ModulesError(f"{folder}: num_virtual_tokens is {length}, and its weights hold {rows} vectors")
    table = tensors[PROMPT][:length].float()
    if table.shape[1] != backbone.info.embedding_size:
        raise ModulesError(
            f"{folder}: its prompt is {table.shape[1]} wide; {backbone.info.name} has embeddings of "
            f"{backbone.info.embedding_size}"
        )
    return {"prompt": Part(SoftPromptConfig(length=len(table)), {"table": table.clone()})}


def _lora(backbone: Backbone, part: Part) -> tuple[dict[str, Any], dict[str, Tensor]]:
    config: LoRAConfig = part.config
    if backbone.info.architecture.fused_qkv and set(config.targets) & set(QKV):
        raise ModulesError(f"{backbone.info.name} has one layer of queries, keys and values, which PEFT changes whole")
    place = backbone.info.architecture.base_model
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
    _refuse_changed_backbone(settings, folder)
    refuse_unknown(settings, OF_LORAS, folder, "PEFT")
    given = checked(_LoRASettings, settings, folder)
    state: dict[str, Tensor] = {}
    changed: dict[int, list[str]] = defaultdict(list)  # by layer, its targets
    used: set[str] = set()
    fused = QKV if backbone.info.architecture.fused_qkv else ()
    for number, target, path in _linears(backbone, [target for target in get_args(Target) if target not in fused]):
        for theirs, ours in (("lora_A", "down"), ("lora_B", "up")):
            # Whatever model class was wrapped: `base_model.model.` and the path of the base model in it stand before.
            names = [name for name in tensors if f".{name}".endswith(f".{path}.{theirs}.weight")]
            if len(names) > 1:
                raise ModulesError(f"{folder}: {names[0]} and {names[1]} are of one linear layer")
            for name in names:
                state[f"layers.{number}.{target}.{ours}.weight"] = tensors[name].float()
                used.add(name)
                if target not in changed[number]:
                    changed[number].append(target)
    if left := sorted(tensors.keys() - used):
        raise ModulesError(f"{folder}: {left[0]} is no LoRA of a linear layer that {backbone.info.name} has for one")
    targets = next(iter(changed.values()), [])
    if not targets or any(others != targets for others in changed.values()):
        raise ModulesError(f"{folder}: a LoRA must change the same linear layers in each layer that it changes")
    ranks = {len(tensor) for name, tensor in state.items() if name.endswith(".down.weight")}
    if unlike := ranks - {given.r}:
        default = "" if "r" in settings else " (PEFT's default, for the file does not say)"
        raise ModulesError(f"{folder}: r is {given.r}{default}, and its weights have the rank {min(unlike)}")
    values = {
        "rank": given.r,
        "alpha": given.lora_alpha * (math.sqrt(given.r) if given.use_rslora else 1.0),
        "dropout": given.lora_dropout,
        "targets": targets,
        "leave_out": [number for number in range(backbone.info.layers) if number not in changed],
    }
    return {"lora": Part(checked(LoRAConfig, values, folder), state)}


def _linears(backbone: Backbone, targets: Iterable[str]) -> Iterator[tuple[int, str, str]]:
    """Yields the number of a layer, a target and the path of its linear layer in the base model."""
    paths = {id(module): path for path, module in backbone.model.named_modules()}
    for number in range(backbone.info.layers):
        linears = backbone.linears(number)
        yield from ((number, target, paths[id(linears[target])]) for target in targets)


Reader = Callable[[Backbone, dict[str, Any], dict[str, Tensor], Path], Parts]
READERS: dict[str, Reader] = {"PROMPT_TUNING": _read_prompt, "LORA": _read_lora}
"""By PEFT's type, what reads it: from the backbone, the settings, the weights and the folder that they lie in."""
