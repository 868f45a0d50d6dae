"""Bottleneck and invertible adapters and IA3 as the `adapters` library saves them, and as AdapterHub has them.

Two of its methods are not exchanged: it cannot save a prefix as safetensors, since layers share its tensors, and of a
Compacter on a model without heads it leaves out the part that layers share.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from modules.backbone.backbone import Backbone
from modules.components import IA3, Bottleneck, BottleneckConfig, IA3Config, InvertibleConfig
from modules.components.adapters_component import LibraryComponent
from modules.errors import ModulesError
from modules.formats.base import Part, Parts, read_config, read_tensors, refuse_unknown

SAFE, PICKLED = "adapter.safetensors", "pytorch_adapter.bin"
INVERTIBLE = "invertible_adapters."
NAME = "component-in-format"
OF_TRAINING = (
    "init_weights", "init_weights_seed", "dropout", "stochastic_depth", "phm_c_init", "phm_init_range",
    "hypercomplex_nonlinearity", "inv_adapter", "inv_adapter_reduction_factor",
)
"""Settings that change nothing of what trained weights compute; the invertible adapter is a component of its own."""
OF_V1 = ("attention_type", "new_attention_norm", "invertible_adapter")
"""Settings of AdapterHub's first version that the library has no more: two of AdapterFusion, and one that it reads as
`inv_adapter`."""

TYPES: tuple[Literal["seq_bn", "double_seq_bn"], ...] = ("seq_bn", "double_seq_bn")
CLASSES: dict[str, type[LibraryComponent]] = {"adapter": Bottleneck, "ia3": IA3}
SAVED = (["adapter"], ["adapter", "invertible"], ["ia3"])
"""The components that one folder may hold."""


class AdaptersFormat:
    """See `Format`. The library itself names the parameters: an adapter is added to the backbone, and taken out."""

    def write(self, backbone: Backbone, parts: Parts, folder: Path, name: str) -> None:
        """See `Format`."""
        from adapters.loading import AdapterLoader

        kinds = sorted(parts)
        kind = kinds[0]
        if kinds not in SAVED or getattr(parts[kind].config, "type", "") == "compacter":
            what = " and ".join(kinds) if kinds not in SAVED else "a Compacter"
            raise ModulesError(f"of `adapters` are known: {', '.join(map(' with '.join, SAVED))}; this is {what}")
        config = CLASSES[kind].library_config(parts[kind].config)
        if "invertible" in parts:
            if (place := _place(backbone)) != parts["invertible"].config.place:
                raise ModulesError(
                    f"`adapters` has the invertible adapter of {backbone.info.name} in place {place}, "
                    f"not {parts['invertible'].config.place}: it would not compute the same"
                )
            factor = parts["invertible"].config.reduction_factor
            config = config.replace(inv_adapter="nice", inv_adapter_reduction_factor=factor)
        try:
            try:
                backbone.model.add_adapter(name, config=config)
            except (ValueError, KeyError, AttributeError) as error:
                raise ModulesError(f"`adapters` cannot put this on {backbone.info.name}: {error}") from error
            for other, parameters in _parts(backbone, name, kind).items():
                state = parts[other].state
                with torch.no_grad():
                    for path, parameter in parameters.items():
                        parameter.copy_(state[path])
            AdapterLoader(backbone.model, use_safetensors=True).save(str(folder), name)
        finally:
            _remove(backbone, name)

    def reads(self, settings: dict[str, Any]) -> bool:
        """See `Format`."""
        return isinstance(settings.get("config"), dict)

    def read(self, backbone: Backbone, folder: Path) -> Parts:
        """See `Format`."""
        from adapters.loading import AdapterLoader

        settings = read_config(folder)
        if (width := settings.get("hidden_size", backbone.info.hidden_size)) != backbone.info.hidden_size:
            raise ModulesError(
                f"{folder}: made for a hidden size of {width}; {backbone.info.name} has {backbone.info.hidden_size}"
            )
        expected = backbone.model.config.model_type
        if (model_type := settings.get("model_type", expected)) != expected:
            raise ModulesError(f"{folder}: model_type is {model_type!r}; {backbone.info.name} is a {expected}")
        configs = _our_configs(backbone, settings["config"], folder)
        tensors = read_tensors(folder, SAFE, PICKLED)  # refuses what the library would only call unreadable
        told: dict[str, Any] = {}
        try:
            loader = AdapterLoader(backbone.model, use_safetensors=(folder / SAFE).is_file())
            try:
                loader.load(str(folder), load_as=NAME, loading_info=told)
            except (RuntimeError, OSError, ValueError, AssertionError, KeyError, AttributeError) as error:
                reason = _first_reason(error).replace(NAME, str(settings.get("name")))
                raise ModulesError(f"{folder}: does not fit {backbone.info.name}: {reason}") from error
            if missing := told.get("missing_keys"):
                lacking = missing[0].replace(NAME, settings["name"])
                raise ModulesError(f"{folder}: its weights lack {lacking}, which {backbone.info.name} has")
            if unused := _unused(backbone, loader, tensors, settings["name"]):
                raise ModulesError(
                    f"{folder}: its weights hold {unused[0]}, for which its configuration has no place on "
                    f"{backbone.info.name}"
                )
            return {
                kind: Part(configs[kind], {path: tensor.detach().clone() for path, tensor in parameters.items()})
                for kind, parameters in _parts(backbone, NAME, next(iter(configs))).items()
            }
        finally:
            _remove(backbone, NAME)


def _parts(backbone: Backbone, name: str, kind: str) -> dict[str, dict[str, nn.Parameter]]:
    """Returns the parameters of an adapter of the library by the kinds that they are to us, under our names.

    `kind` is what it is to us beside an invertible adapter.
    """
    own = LibraryComponent(backbone, name).own_parameters()
    inner = {path.partition(INVERTIBLE)[2]: one for path, one in own.items() if INVERTIBLE in path}
    found = {kind: {path: one for path, one in own.items() if INVERTIBLE not in path}}
    if inner:
        found["invertible"] = {f"coupling.{path}": one for path, one in inner.items()}
    return found


def _unused(backbone: Backbone, loader: Any, tensors: dict[str, Tensor], name: str) -> list[str]:
    """Returns the tensors of a file that are none of the adapter which the library's loader made of it."""
    now = loader.rename_func(name, NAME)
    prefix = f"{backbone.model.base_model_prefix}."
    inside = prefix if any(path.startswith(prefix) for path in tensors) else ""  # saved under a model with heads
    places = {f"{inside}{path}" for path in backbone.model.state_dict() if f".{NAME}." in path}
    return [path for path in tensors if now(path) not in places]


def _first_reason(error: Exception) -> str:
    """Returns what an error of loading says first; torch lists what does not fit behind a line that says only that."""
    first, *others = str(error).strip().splitlines() or [type(error).__name__]
    return (others[0] if others and first.startswith("Error(s) in loading") else first).strip()


def _remove(backbone: Backbone, name: str) -> None:
    if name in backbone.model.adapters_config.adapters:
        backbone.model.delete_adapter(name)


def _place(backbone: Backbone) -> Literal["words", "embeddings"]:
    """Returns what the library's invertible adapter changes, as a setting of ours.

    Raises:
        ModulesError: Nothing that ours can change: the embeddings of GPT-2 with their positions, say, or in BART those
            of the encoder alone.
    """
    model_type = backbone.info.model_type
    if model_type in WORDS:
        return "words"
    architecture = backbone.info.architecture
    if architecture.embeddings and not architecture.plugged_in:
        return "embeddings"
    raise ModulesError(
        f"the invertible adapter of `adapters` stands where ours cannot on {backbone.info.name} ({model_type})"
    )


WORDS = ("llama", "mistral")
"""Model types without a table of positions, on which the library changes the words' own embeddings."""


def _library_config(settings: dict[str, Any], folder: Path) -> Any:
    from adapters import AdapterConfig

    try:
        found = AdapterConfig.load(settings)
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise ModulesError(f"{folder}: `adapters` cannot read its configuration: {error}") from error
    if found is None:
        raise ModulesError(f"{folder}: its configuration is empty")
    return found


def _our_configs(backbone: Backbone, settings: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Returns our configurations of what the library describes, or refuses it by the settings that are not ours."""
    theirs = _library_config(settings, folder)
    nearest: list[str] | None = None
    for kind, config in _candidates(theirs):
        mine = CLASSES[kind].library_config(config)
        unlike = [
            f"{name} {theirs.get(name)!r} instead of {value!r}"
            for name, value in mine.to_dict().items()
            if name not in OF_TRAINING and theirs.get(name, value) != value
        ]
        if not unlike:
            refuse_unknown(settings, [*mine.to_dict(), "architecture", *OF_V1], folder, "`adapters`")
            return {kind: config, **_invertible(backbone, theirs, folder)}
        nearest = min(filter(None, (nearest, unlike)), key=len)
    said = ", ".join(nearest) if nearest else f"architecture {theirs.architecture!r}"
    raise ModulesError(f"{folder}: no component of this version computes the same: it has {said}")


def _candidates(theirs: Any) -> Iterator[tuple[str, Any]]:
    """Yields our kinds and configurations that may be one of the library."""
    leave_out = list(theirs.get("leave_out") or [])
    if theirs.architecture == "lora":
        yield "ia3", IA3Config(leave_out=leave_out)
    elif theirs.architecture is None:
        factor = theirs["reduction_factor"]
        if isinstance(factor, int | float) and factor == int(factor) >= 1:
            for type_ in TYPES:
                yield "adapter", BottleneckConfig(type=type_, reduction_factor=int(factor), leave_out=leave_out)


def _invertible(backbone: Backbone, theirs: Any, folder: Path) -> dict[str, InvertibleConfig]:
    block = theirs.get("inv_adapter")
    if block is None:
        return {}
    if block != "nice":
        raise ModulesError(f"{folder}: its invertible adapter is of {block!r}, and only 'nice' is known here")
    factor = int(theirs["inv_adapter_reduction_factor"])
    return {"invertible": InvertibleConfig(reduction_factor=factor, place=_place(backbone))}
