"""Builds a model on the meta device to check its config and the shapes of its weights.

First the values are compared with the defaults of the configuration class, so that no number is large enough to take
long. Then the model is built on the meta device, where tensors have shapes but no values, and transformers loads the
names and shapes of the weight files into it. What fails there would fail in a run.
"""

import contextlib
import inspect
import math
import time
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn

from modules.backbone.architectures import ARCHITECTURES, Architecture
from modules.backbone.info import Construction
from modules.backbone.transformers_calls import build_config, quiet, reason_of, shown
from modules.backbone.weights import Weights
from modules.errors import ModulesError

UNLIMITED = 2**31 - 1
"""Positions of a model whose attention knows distances only; and the largest number that a setting can be."""
MOST_LAYERS = 1000
"""More layers are a mistake, and building them would take minutes."""
LARGEST_TABLES = 2**32
"""Most bytes of what a model computes for itself, such as sinusoidal positions and causal masks."""
SECONDS_TO_BLAME = 3
"""How long to look for the setting that a failure comes from."""


def examine(name: str, model_type: str, settings: dict[str, Any], weights: Weights | None) -> Construction:
    """Builds a model on the meta device and returns what is known of it; `weights` is None where all are drawn.

    Raises:
        ModulesError: If a setting cannot be used, or the weights do not fit the settings.
    """
    if mistakes := [*_mistakes(model_type, settings)]:
        raise ModulesError(f"config.json of {name} cannot be used: {'; '.join(mistakes)}")
    try:
        model = _build_without_memory(model_type, settings)
    except Exception as error:  # A wrong value fails in as many ways as there are settings.
        where, reason = _blame(model_type, settings, error)
        raise ModulesError(f"config.json of {name} cannot be used: {where}{reason}") from error
    architecture, config = ARCHITECTURES[model_type], model.config
    if weights is not None:
        _check_shapes(name, model, weights)
    return Construction(
        hidden_size=config.hidden_size,
        embedding_size=getattr(config, "embedding_size", config.hidden_size),
        layers=sum(_layer_counts(config, architecture).values()),
        max_positions=_max_positions(config, architecture),
        vocabulary_size=config.vocab_size,
        has_lm_head=weights is None or _has_head(name, model_type, settings, weights),
    )


def model_class(model_type: str, with_lm_head: bool) -> Any:
    """Returns the model class of transformers, with or without a language model head."""
    import transformers

    language_models = {
        "encoder": transformers.MODEL_FOR_MASKED_LM_MAPPING,
        "decoder": transformers.MODEL_FOR_CAUSAL_LM_MAPPING,
        "encoder-decoder": transformers.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING,
    }
    mapping = language_models[ARCHITECTURES[model_type].family] if with_lm_head else transformers.MODEL_MAPPING
    return mapping[transformers.CONFIG_MAPPING[model_type]]


def build_model(model_type: str, settings: dict[str, Any], with_lm_head: bool) -> Any:
    """Returns a model with weights drawn from torch's generator."""
    class_ = model_class(model_type, with_lm_head)
    return class_(**_arguments(model_type, settings, class_))


def load_model(
    model_type: str, settings: dict[str, Any], tensors: Mapping[str, torch.Tensor], with_lm_head: bool, **options: Any
) -> tuple[nn.Module, dict[str, Any]]:
    """Returns a model with the given weights, in float32, and what transformers reports of loading them."""
    class_ = model_class(model_type, with_lm_head)
    if (prefix := ARCHITECTURES[model_type].base_model) and not with_lm_head:
        tensors = {name.removeprefix(f"{prefix}."): tensor for name, tensor in tensors.items()}
    # Given the tensors, transformers looks into no file: adapter_config.json, say, would lead it elsewhere.
    model, report = class_.from_pretrained(
        None,
        **_arguments(model_type, settings, class_),
        state_dict=dict(tensors),
        dtype=torch.float32,
        output_loading_info=True,
        **options,
    )
    return model, report


def _arguments(model_type: str, settings: dict[str, Any], class_: Any) -> dict[str, Any]:
    config = build_config(model_type, settings)
    config._attn_implementation = ARCHITECTURES[model_type].attention
    config.use_cache = False  # a text is read once; what generates asks for the cache itself
    # Nothing would train a pooler, and plain data-parallel training of the whole backbone would fail over it.
    takes_pooler = "add_pooling_layer" in inspect.signature(class_.__init__).parameters
    return {"config": config} | ({"add_pooling_layer": False} if takes_pooler else {})


def _defaults(model_type: str) -> dict[str, Any]:
    from transformers import CONFIG_MAPPING

    parameters = inspect.signature(CONFIG_MAPPING[model_type].__init__).parameters
    return {name: one.default for name, one in parameters.items() if one.default is not inspect.Parameter.empty}


def _mistakes(model_type: str, settings: dict[str, Any]) -> Iterator[str]:
    """Yields the settings whose value is of another kind than the default, or out of every range."""
    defaults = _defaults(model_type)
    for key, value in settings.items():
        if reason := _refuse_value(key, value, defaults.get(key)):
            yield f"{shown(key, value)}, {reason}"


def _refuse_value(key: str, value: Any, default: Any) -> str | None:
    """Returns why a setting cannot have a value, as far as its default tells; null is left to the model."""
    if isinstance(value, float) and not math.isfinite(value):
        return "which is not finite"
    if _is_number(value) and abs(value) > UNLIMITED:
        return f"which is more than {UNLIMITED:,}"
    if "layer" in key and isinstance(value, int) and value > MOST_LAYERS:
        return f"which is more than {MOST_LAYERS:,} layers"
    if value is None or default is None or isinstance(default, list | tuple | dict):
        return None
    # A model may end a text with any of several tokens.
    several = value if isinstance(value, list) and key.endswith("_token_id") else [value]
    if isinstance(value, bool) and _is_number(default):
        return "which should be a number"
    kind, described = _kind(default)
    if not several or not all(isinstance(one, kind) for one in several):
        return f"which should be {described}"
    if _is_number(value) and value < 0 <= default and not key.endswith("_token_id"):
        return "which is negative"
    return None


KINDS: tuple[tuple[type, Any, str], ...] = (
    (bool, (bool, int), "true or false"),
    (int, int, "a whole number"),
    (float, (int, float), "a number"),
    (str, str, "a text"),
    (object, object, "something else"),
)
"""The type of a default, the types of value that it allows, and what they are called."""


def _kind(default: Any) -> tuple[Any, str]:
    """Returns the types of value that a default allows, and what they are called."""
    return next((kind, what) for type_, kind, what in KINDS if isinstance(default, type_))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _build_without_memory(model_type: str, settings: dict[str, Any]) -> Any:
    """Returns a model with its language model head on the meta device; a wrong setting may raise any exception."""
    config = build_config(model_type, settings)
    architecture = ARCHITECTURES[model_type]
    sizes = {"hidden_size": config.hidden_size, "vocab_size": config.vocab_size, **_layer_counts(config, architecture)}
    for size, value in sizes.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{size} must be a whole number of at least 1")
    if _max_positions(config, architecture) < 1:
        raise ValueError("no position is left for a token")
    if architecture.family == "encoder-decoder":
        start = config.eos_token_id if config.decoder_start_token_id is None else config.decoder_start_token_id
        if not 0 <= start < config.vocab_size:
            raise ValueError(f"the decoder starts with the token {start}, which is none of {config.vocab_size}")
    with torch.device("meta"), quiet(), warnings.catch_warnings(action="ignore"):
        model = build_model(model_type, settings, with_lm_head=True)
    tables = sum(buffer.nbytes for buffer in model.buffers())
    if tables > LARGEST_TABLES:
        raise ValueError(f"tables of positions and masks would take {tables / 2**30:.3g} GiB")
    return model


def _layer_counts(config: Any, architecture: Architecture) -> dict[str, int]:
    """Returns the number of layers in each stack, by the setting that says it."""
    counts = {"num_hidden_layers": config.num_hidden_layers}
    if architecture.decoder_layers is not None:
        name = "num_decoder_layers" if hasattr(config, "num_decoder_layers") else "decoder_layers"
        counts[name] = getattr(config, name)
    return counts


def _max_positions(config: Any, architecture: Architecture) -> int:
    positions: int = getattr(config, "max_position_embeddings", UNLIMITED)
    return positions - (config.pad_token_id + 1 if architecture.positions_after_padding else 0)


def _blame(model_type: str, settings: dict[str, Any], error: Exception) -> tuple[str, str]:
    """Returns `"SETTING VALUE, "` and why a model cannot be built with it; an empty text where no setting is to blame.

    What Python says of null tells nothing of the setting, so its default does.
    """
    key = _setting_to_blame(model_type, settings)
    if key is None:
        return "", reason_of(error)
    default = _defaults(model_type).get(key)
    if key in settings and settings[key] is None:
        return f"{shown(key, None)}, ", f"which should be {_kind(default)[1]}"
    return f"{shown(key, settings.get(key, default))}{'' if key in settings else ' (its default)'}, ", reason_of(error)


def _setting_to_blame(model_type: str, settings: dict[str, Any]) -> str | None:
    """Returns a setting with another value of which the model can be built.

    The sizes that other settings are measured against stand first in a configuration class, so they are tried last.
    """
    defaults = _defaults(model_type)
    end = time.monotonic() + SECONDS_TO_BLAME
    for key in reversed([*defaults, *(key for key in settings if key not in defaults)]):
        without = {name: one for name, one in settings.items() if name != key}
        for other in (without, without | {key: 1}) if isinstance(defaults.get(key), int) else (without,):
            if other == settings or time.monotonic() > end:
                continue
            with contextlib.suppress(Exception):
                _build_without_memory(model_type, other)
                return key
    return None


def _check_shapes(name: str, model: nn.Module, weights: Weights) -> None:
    """Refuses weight files in which a tensor has another shape or is no weight, or more is missing than there is.

    Transformers would allocate what is missing or has another shape, so this bounds memory by the size of the files.
    """
    tensors = weights.tensors
    prefix = str(getattr(model, "base_model_prefix", ""))
    missing: dict[str, int] = {}
    for parameter_name, parameter in model.named_parameters():
        names = (parameter_name, f"{prefix}.{parameter_name}", parameter_name.removeprefix(f"{prefix}."))
        key = next((one for one in names if one in tensors), None)
        if key is None:
            missing[parameter_name] = parameter.nbytes
        elif tensors[key].shape != parameter.shape:
            shapes = f"the shape {list(tensors[key].shape)}, and config.json describes {list(parameter.shape)}"
            raise ModulesError(f"backbone {name!r}: {weights} does not fit config.json: {key} has {shapes}")
        elif not tensors[key].is_floating_point():
            raise ModulesError(f"backbone {name!r}: {weights}: {key} has type {tensors[key].dtype}, not a float type")
    if sum(missing.values()) > sum(4 * tensor.numel() for tensor in tensors.values()):
        raise _missing(name, weights, list(missing))


def _missing(name: str, weights: Weights, tensors: list[str]) -> ModulesError:
    what = f"the tensor {tensors[0]}" if len(tensors) == 1 else f"{len(tensors)} tensors: {min(tensors)}, …"
    return ModulesError(f"backbone {name!r}: {weights} lacks {what}")


def _has_head(name: str, model_type: str, settings: dict[str, Any], weights: Weights) -> bool:
    """Says whether weights have a whole language model head; refuses them if others are missing, or layers surplus."""
    model, report = _load_without_memory(name, model_type, settings, weights, with_lm_head=True)
    if not (has_head := not report["missing_keys"]):
        model, report = _load_without_memory(name, model_type, settings, weights, with_lm_head=False)
    if missing := sorted(report["missing_keys"]):
        raise _missing(name, weights, missing)
    architecture = ARCHITECTURES[model_type]
    stacks = filter(None, (architecture.layers, architecture.decoder_layers))
    counts = _layer_counts(model.config, architecture)
    for path, (setting, count) in zip(stacks, counts.items(), strict=True):
        if further := [key for key in report["unexpected_keys"] if f".{path}.{count}." in f".{key}"]:
            raise ModulesError(
                f"backbone {name!r}: {weights} has more layers than config.json's {setting} {count}: {further[0]}"
            )
    return has_head


def _load_without_memory(
    name: str, model_type: str, settings: dict[str, Any], weights: Weights, *, with_lm_head: bool
) -> tuple[nn.Module, dict[str, Any]]:
    try:
        with quiet():
            return load_model(model_type, settings, weights.tensors, with_lm_head, device_map={"": "meta"})
    except Exception as error:  # Tensors of any names, shapes and types may stand in a file.
        raise ModulesError(f"backbone {name!r}: {weights} does not fit config.json: {reason_of(error)}") from error
