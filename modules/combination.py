"""A backbone and the components in its slots, as one encoder."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from modules.backbone import Backbone, seeded
from modules.components import Component, component_class
from modules.errors import ModulesError, did_you_mean

ROLES = ("language", "task")
"""The sides of the transfer, in the order in which their prompts stand and their adapters are applied."""


class Combination(nn.Module):
    """A backbone with components: those of a row's language act on it, and those without a language on every row."""

    def __init__(self, backbone: Backbone) -> None:
        """Starts without components."""
        super().__init__()
        self.backbone = backbone
        self._components = nn.ModuleDict()

    def add(
        self,
        role: str,
        kind: str,
        config: Any,
        *,
        language: str | None = None,
        language_name: str | None = None,
        seed: int,
    ) -> Component:
        """Adds an untrained component; nothing else draws from the seed.

        Args:
            role: `language` or `task`.
            kind: A key of `COMPONENTS`, or the dotted path of a class.
            config: An instance of that class's `Config`.
            language: FLORES code of the only language that it acts on; None acts on every row.
            language_name: English name that initial texts call the language by.
            seed: Draws its first values.

        Raises:
            ModulesError: If it cannot work on this backbone, or its place is taken.
        """
        if role not in ROLES:
            raise ModulesError(f"unknown role {role!r}{did_you_mean(role, ROLES)}; known: {', '.join(ROLES)}")
        class_ = component_class(kind)
        # Module names hold no dots, and the `adapters` library reserves some plain words.
        name = "-".join(("component", role, *([language] if language else []), class_.kind))
        if not isinstance(config, class_.Config):
            raise ModulesError(f"{name} needs a {class_.Config.__name__}, not a {type(config).__name__}")
        if name in self._components:
            raise ModulesError(f"there is a {class_.kind} in the {role} role of {language or 'every language'} already")
        if reason := class_.refuse(config, self.backbone.info):
            raise ModulesError(f"{role} {class_.kind}: {reason}")
        with seeded(seed):
            component = class_.create(config, self.backbone, name=name, language=language_name)
        component.name, component.role, component.language = name, role, language
        for parameter in component.own_parameters().values():
            parameter.requires_grad_(False)
        self._components[name] = component
        return component
