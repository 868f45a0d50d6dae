"""The kinds of components, by name; a kind of the user's own is named by its dotted path."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from modules.backbone.info import BackboneInfo
from modules.components import configs
from modules.components.base_config import ComponentConfig
from modules.disk_cache import cached
from modules.errors import ModulesError, did_you_mean

if TYPE_CHECKING:
    from modules.components.base import Component

COMPONENTS: dict[type[ComponentConfig], str] = {
    configs.SoftPromptConfig: "modules.components.soft_prompt.SoftPrompt",
    configs.BottleneckConfig: "modules.components.bottleneck.Bottleneck",
    configs.InvertibleConfig: "modules.components.invertible.Invertible",
    configs.LoRAConfig: "modules.components.lora.LoRA",
    configs.PrefixConfig: "modules.components.prefix.Prefix",
    configs.IA3Config: "modules.components.ia3.IA3",
    configs.FullConfig: "modules.components.full.Full",
}
"""The settings of each kind, and its class, which is imported when it is first used."""
CONFIGS: dict[str, type[ComponentConfig]] = {config.kind: config for config in COMPONENTS}
"""The same settings by the names of their kinds."""


def component_config(kind: str) -> type[ComponentConfig]:
    """Returns the settings of a kind: one of `CONFIGS`, or the dotted path of a subclass of `Component`.

    Raises:
        ModulesError: If there is no such class; the message names the nearest kind and all known ones.
    """
    return CONFIGS[kind] if kind in CONFIGS else component_class(kind).Config


def component_class(kind: str) -> type[Component]:
    """Returns the class of a kind of component; see `component_config`."""
    if kind not in CONFIGS and "." not in kind:
        known = f"{', '.join(CONFIGS)}, or the dotted path of your own class"
        raise ModulesError(f"unknown kind of component {kind!r}{did_you_mean(kind, CONFIGS)}; known: {known}")
    path, _, name = (COMPONENTS[CONFIGS[kind]] if kind in CONFIGS else kind).rpartition(".")
    try:
        found = getattr(importlib.import_module(path), name)
    except (ImportError, AttributeError, TypeError, ValueError, RecursionError) as error:
        raise ModulesError(f"component {kind!r} cannot be imported: {error}") from error

    from modules.components.base import Component

    if not (isinstance(found, type) and issubclass(found, Component)):
        raise ModulesError(f"component {kind!r} is not a subclass of modules.Component")
    settings = getattr(found, "Config", None)
    if not (isinstance(settings, type) and issubclass(settings, ComponentConfig) and hasattr(settings, "kind")):
        raise ModulesError(f"component {kind!r}: its Config is not a subclass of modules.ComponentConfig with a kind")
    if not any("create" in vars(class_) for class_ in found.__mro__[: found.__mro__.index(Component)]):
        raise ModulesError(f"component {kind!r} lacks create")
    return found


def trained_parameters(kind: str, config: ComponentConfig, info: BackboneInfo, *, with_lm_head: bool = False) -> int:
    """Returns the number of parameters that a component would train on a backbone; no weights are loaded.

    `with_lm_head` says whether the stage uses the language model head, which only the whole backbone trains.
    """

    def find() -> int:
        outline = component_class(kind).outline(config, info, with_lm_head=with_lm_head)
        return sum(tensor.numel() for tensor in outline.values() if tensor.is_floating_point())

    if kind not in CONFIGS:
        return find()  # the user may be writing it
    return cached(int, find, trained=kind, config=config, backbone=info.weights_hash, with_lm_head=with_lm_head)


def count_parameters(info: BackboneInfo, with_lm_head: bool = False) -> int:
    """Returns the number of a backbone's weights, without those of a language model head unless it is asked for."""
    return trained_parameters(configs.FullConfig.kind, configs.FullConfig(), info, with_lm_head=with_lm_head)
