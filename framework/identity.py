"""Identity: a hash of what determines a result, never of where or how it was made."""

import dataclasses
import hashlib
import json
from typing import Any

LENGTH = 16
"""Hex digits of an identity; 64 bits tell apart any number of stages that a laboratory will ever train."""


def identity(**identity_fields: Any) -> str:
    """Returns the hash of everything that determines a result.

    Args:
        **identity_fields: Plain data and dataclasses. The order of keys does not matter; the order of lists does.

    Returns:
        `LENGTH` hexadecimal digits.
    """
    text = json.dumps(plain(identity_fields), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]


def class_name(type_: type) -> str:
    """Names a class in an identity: ours by its own name, a class from outside by its dotted path.

    Two classes of one name, or one that inherits the settings of ours, are thus told apart.
    """
    module, name = type_.__module__, type_.__qualname__
    return name if module.startswith("framework.") else f"{module}.{name}"


def plain(value: Any) -> Any:
    """Returns dataclasses, tuples and paths inside the value as dictionaries, lists and text."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)
