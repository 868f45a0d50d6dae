"""Classes that a YAML names: one of ours, or by its dotted path a class of the user's own."""

import dataclasses
from collections.abc import Mapping
from typing import TypeVar

from framework.errors import UserError, did_you_mean
from framework.system.imports import imported_class

T = TypeVar("T")


def resolve_class(what: str, name: str, known: Mapping[str, type[T]], base: type[T]) -> type[T]:
    """Returns the class that a name means.

    Args:
        what: What the class is, for messages.
        name: A key of `known`, or a dotted path such as `my_package.MyClass`.
        known: Our classes by name.
        base: What all of them are subclasses of.

    Raises:
        UserError: There is no such class.
    """
    if name in known:
        return known[name]
    if "." not in name:
        raise UserError(f"unknown {what} {name!r}{did_you_mean(name, known)} (known: {', '.join(known)})")
    found: type[T] = imported_class(what, name, base)
    if not dataclasses.is_dataclass(found):
        raise UserError(f"{what} {name!r} is not a dataclass of settings")
    return found
