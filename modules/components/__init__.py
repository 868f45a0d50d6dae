"""The kinds of components. A new kind is a file here and a line in `COMPONENTS`, or a class of the user's own."""

from __future__ import annotations

import importlib

from modules.components.base import Component
from modules.components.bottleneck import Bottleneck, BottleneckConfig
from modules.components.full import Full, FullConfig
from modules.components.ia3 import IA3, IA3Config
from modules.components.invertible import Invertible, InvertibleConfig
from modules.components.lora import LoRA, LoRAConfig
from modules.components.prefix import Prefix, PrefixConfig
from modules.components.soft_prompt import SoftPrompt, SoftPromptConfig
from modules.errors import ModulesError, did_you_mean

COMPONENTS: dict[str, type[Component]] = {
    component.kind: component for component in (SoftPrompt, Bottleneck, Invertible, LoRA, Prefix, IA3, Full)
}

__all__ = [
    "COMPONENTS",
    "IA3",
    "Bottleneck",
    "BottleneckConfig",
    "Component",
    "Full",
    "FullConfig",
    "IA3Config",
    "Invertible",
    "InvertibleConfig",
    "LoRA",
    "LoRAConfig",
    "Prefix",
    "PrefixConfig",
    "SoftPrompt",
    "SoftPromptConfig",
    "component_class",
]


def component_class(kind: str) -> type[Component]:
    """Returns the class of a kind of component.

    Args:
        kind: One of `COMPONENTS`, or the dotted path of a subclass of `Component`, such as `my_package.MyComponent`.

    Raises:
        ModulesError: If there is no such class; the message names the nearest kind and all known ones.
    """
    if kind in COMPONENTS:
        return COMPONENTS[kind]
    if "." not in kind:
        known = f"{', '.join(COMPONENTS)}, or the dotted path of your own class"
        raise ModulesError(f"unknown kind of component {kind!r}{did_you_mean(kind, COMPONENTS)}; known: {known}")
    path, _, name = kind.rpartition(".")
    try:
        found = getattr(importlib.import_module(path), name)
    except (ImportError, AttributeError, TypeError, ValueError, RecursionError) as error:
        raise ModulesError(f"component {kind!r} cannot be imported: {error}") from error
    if not (isinstance(found, type) and issubclass(found, Component)):
        raise ModulesError(f"component {kind!r} is not a subclass of modules.components.Component")
    return found
