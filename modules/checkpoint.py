"""The files of a Hugging Face checkpoint: where they are, and whether what they say is safe.

Nothing here builds a model. `config.json` can make transformers run foreign code (by `auto_map`, and in 4.57
by the name of an attention implementation, CVE-2026-4372), so it is read as plain data and only known settings
pass.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import inspect
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import huggingface_hub
from safetensors import SafetensorError, safe_open

from modules.architectures import ARCHITECTURES
from modules.errors import ModulesError, did_you_mean
from modules.hub import hub_errors

CONFIG = "config.json"
TOKENIZER = "tokenizer.json"
VOCABULARY_FILES = (
    TOKENIZER,
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    "spm.model",
)
TOKENIZER_CONFIG = "tokenizer_config.json"
TOKENIZER_FILES = (*VOCABULARY_FILES, TOKENIZER_CONFIG, "special_tokens_map.json", "added_tokens.json")
WEIGHTS = re.compile(r"model(-\d+-of-(?P<files>\d+))?\.safetensors")
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack")

UNSAFE_SETTING = re.compile(r"auto_map|(attn|experts)_implementation|quantization_config")
HARMLESS_SETTING = "_attn_implementation_autoset"
"""A flag that some versions of transformers wrote into every `config.json`."""
COMMON_SETTINGS = ("tie_word_embeddings", "pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id")


@dataclass(frozen=True)
class Weights:
    """What the weight files of a checkpoint hold, without loading them."""

    names: frozenset[str]
    """Names of the tensors."""
    hashes: tuple[str, ...]
    """SHA-256 of each file, in the order of their names."""


def fetch(name: str, revision: str | None, *, weights: bool) -> tuple[Path, str]:
    """Returns the folder of a checkpoint and its revision, downloading what is not here.

    Args:
        name: A folder, or the name of a repository on the Hugging Face hub.
        revision: Branch, tag or commit on the hub; None is the main branch.
        weights: Whether the weights are needed too.

    Returns:
        The folder, and the commit on the hub or "local".

    Raises:
        ModulesError: If there is no such folder or repository, or it cannot be reached.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        if revision is not None:
            raise ModulesError(f"backbone {name!r} is a folder, which has no revision {revision!r}")
        return folder, "local"
    if name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise ModulesError(f"backbone {name!r}: there is no such folder")
    patterns = [CONFIG, *TOKENIZER_FILES]
    if weights:
        patterns += ["model.safetensors", "model-*-of-*.safetensors"]
    with _hub_errors(name, revision):
        snapshot = _snapshot(name, revision, tuple(patterns))
    return snapshot, snapshot.name


def read_settings(folder: Path, name: str) -> tuple[str, dict[str, Any]]:
    """Returns the model type and the settings that are known for it.

    Raises:
        ModulesError: If `config.json` is missing, asks for foreign code or is of an unknown model type.
    """
    settings = _read_json(folder / CONFIG, name)
    if (folder / TOKENIZER_CONFIG).is_file():
        _read_json(folder / TOKENIZER_CONFIG, name)
    model_type = settings.get("model_type")
    if model_type not in ARCHITECTURES:
        what = f"model type {model_type!r} is not supported{did_you_mean(str(model_type), ARCHITECTURES)}"
        raise ModulesError(f"backbone {name!r}: {what}; supported: {', '.join(ARCHITECTURES)}")

    from transformers import CONFIG_MAPPING

    architecture = ARCHITECTURES[model_type]
    parameters = inspect.signature(CONFIG_MAPPING[model_type].__init__).parameters
    known = {*parameters, *COMMON_SETTINGS, *architecture.unlisted_settings} - {"self", "kwargs"}
    return model_type, {key: settings[key] for key in settings if key in known} | architecture.fixed_settings


def read_weights(folder: Path, name: str, revision: str) -> Weights:
    """Returns what the weight files hold; those of a repository are asked of the hub unless they are here.

    Raises:
        ModulesError: If there are no safetensors files, or they cannot be read.
    """
    files = weight_files(folder)
    if files and len(files) == _number_of_files(files[0]):
        return Weights(
            names=frozenset(key for file in files for key in _tensor_names(file)),
            hashes=tuple(file_hash(file) for file in files),
        )
    if files and revision == "local":
        raise ModulesError(f"backbone {name!r} has {len(files)} of {_number_of_files(files[0])} weight files")
    if revision == "local":
        _refuse_pickles(name, [file.name for file in folder.iterdir()])
    with _hub_errors(name, revision):
        repository = huggingface_hub.HfApi().model_info(name, revision=revision, files_metadata=True)
        listed = {file.rfilename: file.lfs for file in repository.siblings or []}
        on_hub = {file: listed[file] for file in sorted(listed) if WEIGHTS.fullmatch(file)}
        if not on_hub:
            _refuse_pickles(name, list(listed))
        if not all(on_hub.values()):
            # The hub tells SHA-256 only of large files, so that small ones have to be looked at.
            return read_weights(fetch(name, revision, weights=True)[0], name, revision)
        metadata = huggingface_hub.get_safetensors_metadata(name, revision=revision)
    names = frozenset(key for file in metadata.files_metadata.values() for key in file.tensors)
    return Weights(names=names, hashes=tuple(stored.sha256 for stored in on_hub.values() if stored))


def weight_files(folder: Path) -> list[Path]:
    """Returns the safetensors files of a folder, in order."""
    return sorted(file for file in folder.iterdir() if WEIGHTS.fullmatch(file.name))


def tokenizer_hash(folder: Path, name: str) -> str:
    """Returns the SHA-256 of what decides the numbers of tokens.

    Raises:
        ModulesError: If there is no tokenizer.
    """
    files = [folder / file for file in VOCABULARY_FILES if (folder / file).is_file()]
    if not files:
        raise ModulesError(f"backbone {name!r} has no tokenizer (looked for {', '.join(VOCABULARY_FILES)})")
    # A fast tokenizer is whole in tokenizer.json; the other files are what it was once made of.
    files = files[:1] if files[0].name == TOKENIZER else files
    return combined_hash(*(file_hash(file) for file in files))


def file_hash(file: Path) -> str:
    """Returns the SHA-256 of a file; it is computed once a process unless the file changes."""
    status = os.stat(file)
    return _hash_of(file, status.st_size, status.st_mtime_ns)


def combined_hash(*parts: str) -> str:
    """Returns the SHA-256 of several texts."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _read_json(file: Path, name: str) -> dict[str, Any]:
    try:
        settings = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModulesError(f"backbone {name!r} has no {file.name}") from None
    except ValueError as error:
        raise ModulesError(f"backbone {name!r}: {file.name} is not JSON: {error}") from error
    if not isinstance(settings, dict):
        raise ModulesError(f"backbone {name!r}: {file.name} holds no mapping")
    _refuse_unsafe(settings, f"backbone {name!r}: {file.name}")
    return settings


def _refuse_unsafe(settings: Any, where: str) -> None:
    if isinstance(settings, list):
        settings = dict(enumerate(settings))
    if not isinstance(settings, dict):
        return
    for key, value in settings.items():
        if UNSAFE_SETTING.search(str(key)) and key != HARMLESS_SETTING and value is not None:
            raise ModulesError(f"{where} is refused: {key!r} can make transformers run foreign code")
        _refuse_unsafe(value, where)


def _refuse_pickles(name: str, files: list[str]) -> None:
    pickles = sorted(file for file in files if file.endswith(PICKLES))
    hint = f"; {pickles[0]} is refused, since it can run foreign code: look for a converted one" if pickles else ""
    raise ModulesError(f"backbone {name!r} has no model.safetensors{hint}")


def _number_of_files(file: Path) -> int:
    """Returns how many weight files there are where this is one of them."""
    name = WEIGHTS.fullmatch(file.name)
    assert name is not None
    return int(name["files"] or 1)


def _tensor_names(file: Path) -> list[str]:
    try:
        with safe_open(file, framework="pt") as tensors:
            return list(tensors.keys())
    except (SafetensorError, OSError) as error:
        raise ModulesError(f"{file} cannot be read as safetensors: {error}") from error


@functools.cache
def _snapshot(name: str, revision: str | None, patterns: tuple[str, ...]) -> Path:
    """Downloads some files of a repository; the hub is asked once a process, so that the commit stays the same."""
    return Path(huggingface_hub.snapshot_download(name, revision=revision, allow_patterns=list(patterns)))


@functools.lru_cache
def _hash_of(file: Path, size: int, modified: int) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _hub_errors(name: str, revision: str | None) -> contextlib.AbstractContextManager[None]:
    return hub_errors(f"backbone {name!r}" + (f" at revision {revision!r}" if revision else ""))
