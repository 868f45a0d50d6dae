"""Fetches what `adapters` (AdapterHub) or PEFT saved from the hub: of each repository only the files that are read."""

import os
from pathlib import Path

from huggingface_hub import HfApi, constants, snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError, OfflineModeIsEnabled
from requests import ConnectionError, Timeout

from framework.errors import UserError
from framework.system.atomic_files import is_folder
from framework.system.network import TIMEOUT
from modules.backbone.hub import HUB_ERRORS, hub_errors
from modules.formats import WEIGHT_FILES
from modules.formats.base import CONFIG

REASONS: tuple[tuple[type[Exception], str], ...] = (
    (HFValidationError, "this is neither a folder nor a repository's name; a folder begins with ./ or /"),
    (OfflineModeIsEnabled, "HF_HUB_OFFLINE forbids requests to the hub"),
    (ConnectionError, "there is no such folder here, and the hub cannot be reached"),
    (Timeout, "there is no such folder here, and the hub cannot be reached"),
    (LocalEntryNotFoundError, "there is no such folder here, it is not in the cache, and the hub cannot be reached"),
    *HUB_ERRORS,
)
"""What the hub's errors mean; the first are those that mean something else here than for a backbone."""


def folder_at(place: str) -> Path | None:
    """Returns the folder that a place means, which need not exist; None for a repository on the hub."""
    is_meant = place.startswith((".", "/", "~")) or is_folder(place)
    return Path(os.path.expanduser(place)) if is_meant else None  # a home that is not there stays as it was typed


def fetch_saved(place: str) -> tuple[Path, str]:
    """Returns the folder that holds what another library saved, and what to call it.

    Args:
        place: A folder, or `OWNER/NAME[@REVISION]` on the hub.

    Raises:
        UserError: The repository holds nothing of the kind.
        ModulesError: There is no such repository or revision, or the hub refuses.
        NetworkError: The hub cannot be asked.
    """
    if (folder := folder_at(place)) is not None:
        return folder, folder.resolve().name
    name, _, revision = place.partition("@")
    with hub_errors(place, REASONS):
        if constants.HF_HUB_OFFLINE:
            wanted = [CONFIG, *(file for files in WEIGHT_FILES for file in files)]
        else:
            found = HfApi().model_info(name, revision=revision or None, timeout=TIMEOUT)
            revision = found.sha or revision
            wanted = _wanted(place, [file.rfilename for file in found.siblings or []])
        folder = Path(snapshot_download(name, revision=revision or None, allow_patterns=wanted))
    return folder, f"{name}@{folder.name[:7]}"


def _wanted(place: str, files: list[str]) -> list[str]:
    """Chooses the configuration and the weights, safetensors where there are some."""
    if CONFIG not in files:
        elsewhere = [file.removesuffix(f"/{CONFIG}") for file in files if file.endswith(f"/{CONFIG}")]
        hint = f"; it is in {', '.join(elsewhere)}: download one of them, and name the folder" if elsewhere else ""
        raise UserError(f"{place}: there is no {CONFIG}, so `adapters` or PEFT saved nothing here{hint}")
    weights = [next((file for file in names if file in files), None) for names in WEIGHT_FILES]
    return [CONFIG, *filter(None, weights)]
