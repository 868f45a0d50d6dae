"""What every format has in common."""

import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from pydantic import ValidationError
from torch import Tensor

from modules.backbone.backbone import Backbone
from modules.backbone.weights import load_pickle, load_safetensors
from modules.errors import ModulesError

CONFIG = "adapter_config.json"
LARGEST_CONFIG = 16 * 2**20
"""Bytes of the largest configuration that is read."""
NEUTRAL: tuple[Any, ...] = (None, False, "", "none", [], {})
"""Values at which a setting that is not known here does nothing."""
T = TypeVar("T")


class Part(NamedTuple):
    """One component."""

    config: Any
    """An instance of its kind's `Config`."""
    state: dict[str, Tensor]
    """Its parameters, by their names in `Component.own_parameters`."""


Parts = dict[str, Part]
"""Components by their kinds."""


class Format(Protocol):
    """How another library keeps components."""

    def write(self, backbone: Backbone, parts: Parts, folder: Path, name: str) -> None:
        """Writes components into a folder that is there, under the name that the other library is to call them by.

        Raises:
            ModulesError: The other library has no such components.
        """

    def reads(self, settings: dict[str, Any]) -> bool:
        """Says whether an `adapter_config.json` is of this format."""

    def read(self, backbone: Backbone, folder: Path) -> Parts:
        """Reads the components of a folder.

        Raises:
            ModulesError: They are no components that this version has, or not of this backbone.
        """


def read_config(folder: Path) -> dict[str, Any]:
    """Reads `adapter_config.json` as plain data.

    Raises:
        ModulesError: There is none, it cannot be read, or it is no JSON mapping.
    """
    file = folder / CONFIG
    try:
        if file.exists() and not file.is_file():  # reading a pipe would wait for its writer
            raise ModulesError(f"{file}: is not a file")
        if file.stat().st_size > LARGEST_CONFIG:
            raise ModulesError(f"{file}: is larger than {LARGEST_CONFIG // 2**20} MiB")
        settings = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModulesError(f"{folder}: no {CONFIG} here") from None
    except OSError as error:
        raise ModulesError(f"{file}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ModulesError(f"{file}: not JSON: {error}") from error
    if not isinstance(settings, dict):
        raise ModulesError(f"{file}: holds no mapping")
    return settings


def refuse_unknown(settings: dict[str, Any], known: Collection[str], folder: Path, library: str) -> None:
    """Refuses settings of a library that this version does not know, except at values at which they do nothing.

    Known are those that are honoured, or change nothing of what trained weights compute.

    Raises:
        ModulesError: There is one; the message names it.
    """
    others = {name: value for name, value in settings.items() if name not in known and value not in NEUTRAL}
    if others:
        name, value = next(iter(others.items()))
        shown = json.dumps(value)
        raise ModulesError(
            f"{folder / CONFIG}: {name} is {shown if len(shown) <= 80 else shown[:80] + '…'}, "
            f"with which {library} computes something that this version does not"
        )


def checked(kind: Callable[..., T], values: dict[str, Any], folder: Path) -> T:
    """Makes a configuration of what a folder's `adapter_config.json` holds.

    Raises:
        ModulesError: A value is of another type, or cannot be meant.
    """
    try:
        return kind(**values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        reason = first["msg"].removeprefix("Value error, ")
        raise ModulesError(f"{folder / CONFIG}: {where + ': ' if where else ''}{reason}") from None


def read_tensors(folder: Path, safe: str, pickled: str) -> dict[str, Tensor]:
    """Reads the tensors of a folder: safetensors if there are some, else torch's own file without its code.

    Raises:
        ModulesError: There is neither, or it cannot be read.
    """
    for file, load in ((folder / safe, load_safetensors), (folder / pickled, load_pickle)):
        if file.exists():
            if not file.is_file():
                raise ModulesError(f"{file}: is not a file")
            return load(file)
    raise ModulesError(f"{folder}: neither {safe} nor {pickled} here")
