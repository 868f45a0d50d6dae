"""What every format has in common."""

import json
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from modules.backbone import Backbone
from modules.errors import ModulesError

CONFIG = "adapter_config.json"


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
        """Writes components into a folder.

        Args:
            backbone: What carries them.
            parts: The components.
            folder: A folder that is there.
            name: What the other library is to call them.

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
        ModulesError: There is none, or it is no JSON mapping.
    """
    try:
        settings = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModulesError(f"{folder}: no {CONFIG} here") from None
    except ValueError as error:
        raise ModulesError(f"{folder / CONFIG}: not JSON: {error}") from error
    if not isinstance(settings, dict):
        raise ModulesError(f"{folder / CONFIG}: holds no mapping")
    return settings


def read_tensors(folder: Path, safe: str, pickled: str) -> dict[str, Tensor]:
    """Reads the tensors of a folder: safetensors if there are some, else torch's own file without its code.

    Raises:
        ModulesError: There is neither, or it cannot be read.
    """
    try:
        if (folder / safe).is_file():
            return load_file(folder / safe)
        found: dict[str, Tensor] = torch.load(folder / pickled, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ModulesError(f"{folder}: neither {safe} nor {pickled} here") from None
    except (SafetensorError, OSError, RuntimeError, ValueError, EOFError) as error:
        raise ModulesError(f"{folder}: the weights cannot be read: {error}") from error
    except Exception as error:  # UnpicklingError, which nothing else of ours needs: it may hold code
        raise ModulesError(f"{folder / pickled} is refused: it holds more than tensors") from error
    if not isinstance(found, dict) or not all(isinstance(tensor, Tensor) for tensor in found.values()):
        raise ModulesError(f"{folder / pickled} is refused: it holds more than tensors")
    return found
