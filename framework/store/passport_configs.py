"""What a passport says of components, as their own configurations."""

from collections.abc import Iterator
from typing import Any

from framework.errors import UserError
from framework.store.store import Passport
from framework.validation import validate
from modules import BackboneConfig, component_config


def component_configs(passport: Passport) -> Iterator[tuple[str, str, Any]]:
    """Yields the components of a passport: the slot in the names of the weights, the kind and the configuration.

    Raises:
        UserError: A configuration is none that this version knows.
        ModulesError: A kind is unknown.
    """
    for key, settings in passport.components.items():
        role, _, kind = key.partition(".")
        config, problems = validate(component_config(kind), settings, (key,))
        if config is None:
            raise UserError(f"{passport.id}: its passport's {key}: {problems[0][1]}")
        yield f"{role}.{config.kind}", kind, config


def backbone_config(passport: Passport) -> BackboneConfig:
    """Returns the backbone that carried the components, as an experiment would name it."""
    name, revision = passport.backbone["name"], passport.backbone["revision"]
    return BackboneConfig(name=name, revision=None if revision == "local" else revision)
