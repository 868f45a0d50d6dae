"""Calls of transformers, which is imported in them, and what its errors mean."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any


def build_config(model_type: str, settings: dict[str, Any]) -> Any:
    """Returns the configuration of transformers for settings."""
    from transformers import CONFIG_MAPPING

    with quiet():
        return CONFIG_MAPPING[model_type](**settings)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps back what transformers says of heads and tokenizers; we check both ourselves."""
    from transformers.utils import logging as transformers_logging

    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)


def reason_of(error: BaseException) -> str:
    """Returns the first line of what a library says of a value that it cannot use."""
    if isinstance(error, KeyError):
        return f"{error} is not known"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def shown(key: str, value: Any) -> str:
    """Returns a setting and its value as a message shows them."""
    text = json.dumps(value)
    return f"{key} {text if len(text) <= 80 else f'{text[:77]}…'}"
