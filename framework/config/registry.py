"""Classes that a YAML names: one of ours, or by its dotted path a class of the user's own."""

import dataclasses
import importlib
from collections.abc import Mapping
from typing import TypeVar

from framework.errors import UserError, did_you_mean

T = TypeVar("T")


def resolve_class(what: str, name: str, known: Mapping[str, type[T]]) -> type[T]:
    """Returns the class that a name means.

    Args:
        what: What the class is, for messages.
        name: A key of `known`, or a dotted path such as `my_package.MyClass`.
        known: Our classes by name.

    Raises:
        UserError: There is no such class.
    """
    if name in known:
        return known[name]
    module, _, class_name = name.rpartition(".")
    if not module:
        raise UserError(f"unknown {what} {name!r}{did_you_mean(name, known)} (known: {', '.join(known)})")
    try:
        found: type[T] = getattr(importlib.import_module(module), class_name)
    except (ImportError, AttributeError, TypeError, ValueError, RecursionError) as error:
        raise UserError(f"{what} {name!r} cannot be imported: {error}") from error
    if not (isinstance(found, type) and dataclasses.is_dataclass(found)):
        raise UserError(f"{what} {name!r} is not a dataclass of settings")
    return found
