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
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import huggingface_hub

from modules.backbone.architectures import ARCHITECTURES
from modules.backbone.hub import hub_errors
from modules.errors import ModulesError, did_you_mean

if TYPE_CHECKING:
    from modules.backbone.weights import Tensors, Weights

CONFIG = "config.json"
TOKENIZER = "tokenizer.json"
VOCABULARY_FILES = (
    TOKENIZER, "vocab.txt", "vocab.json", "merges.txt",
    "sentencepiece.bpe.model", "spm.model", "spiece.model", "tokenizer.model",
)
TOKENIZER_CONFIG = "tokenizer_config.json"
TOKENIZER_SETTINGS = (TOKENIZER_CONFIG, "special_tokens_map.json", "added_tokens.json")
TOKENIZER_FILES = (*VOCABULARY_FILES, *TOKENIZER_SETTINGS)
SUFFIXES = (".json", ".txt", ".model", ".safetensors", ".bin")
"""Endings of the names of all files that are read."""
BYTE_TOKENIZERS = ("ByT5Tokenizer",)
"""Classes whose tokens are the bytes, so that they have no vocabulary file."""

UNSAFE_SETTING = re.compile(r"auto_map|(attn|experts)_implementation|quantization_config")
HARMLESS_SETTING = "_attn_implementation_autoset"
"""A flag that some versions of transformers wrote into every `config.json`."""
COMMON_SETTINGS = ("tie_word_embeddings", "pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id")
IGNORED_SETTINGS = {"self", "kwargs", "num_labels"}  # labels are those of a head, which no backbone has


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
    folder = Path(os.path.expanduser(name))  # unlike Path's, it leaves `~` of an unknown user as it is
    if folder.is_dir():
        if revision is not None:
            raise ModulesError(f"backbone {name!r} is a folder, which has no revision {revision!r}")
        return folder, "local"
    if name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise ModulesError(f"backbone {name!r}: there is no such folder")
    small = (CONFIG, *TOKENIZER_FILES)
    with _hub_errors(name, revision):
        snapshot = _snapshot(name, revision, small)
        if weights:
            _fetch_weights(name, snapshot.name, small)
    return snapshot, snapshot.name


def files_of(folder: Path) -> list[Path]:
    """Returns the files of a checkpoint's folder that may decide what is known of it, in order."""
    return sorted(file for file in folder.iterdir() if file.suffix in SUFFIXES)


def read_settings(folder: Path, name: str) -> tuple[str, dict[str, Any]]:
    """Returns the model type and the settings that are known for it.

    Raises:
        ModulesError: If `config.json` is missing, asks for foreign code or is of an unknown model type.
    """
    settings = _read_json(folder / CONFIG, name)
    if (folder / TOKENIZER_CONFIG).is_file():
        _read_json(folder / TOKENIZER_CONFIG, name)
    model_type = settings.get("model_type")
    if not isinstance(model_type, str) or model_type not in ARCHITECTURES:
        what = f"model type {model_type!r} is not supported{did_you_mean(str(model_type), ARCHITECTURES)}"
        raise ModulesError(f"backbone {name!r}: {what}; supported: {', '.join(ARCHITECTURES)}")

    from transformers import CONFIG_MAPPING

    architecture = ARCHITECTURES[model_type]
    parameters = inspect.signature(CONFIG_MAPPING[model_type].__init__).parameters
    known = {*parameters, *COMMON_SETTINGS, *architecture.unlisted_settings} - IGNORED_SETTINGS
    return model_type, {key: settings[key] for key in settings if key in known} | architecture.fixed_settings


def read_weights(folder: Path, name: str, revision: str) -> Weights:
    """Returns what the weight files hold; those of a repository are asked of the hub unless they are here.

    Raises:
        ModulesError: If there are no weights, or they cannot be read.
    """
    from modules.backbone.weights import Weights, describe_weights, missing_weights, weight_files

    format_, files = weight_files(folder)
    if files and len(files) == format_.total(files[0].name):
        names = tuple(file.name for file in files)
        return Weights(names, describe_weights(folder), tuple(file_hash(file) for file in files))
    if revision != "local":
        return _weights_on_hub(name, revision)
    if files:
        raise ModulesError(f"backbone {name!r} has {len(files)} of {format_.total(files[0].name)} weight files")
    raise missing_weights(name, [file.name for file in folder.iterdir()])


def _fetch_weights(name: str, commit: str, small: tuple[str, ...]) -> None:
    """Downloads one copy of each weight, in the format that is preferred."""
    from modules.backbone.weights import FORMATS, weight_files

    for format_ in FORMATS:
        if weight_files(_snapshot(name, commit, (*small, *format_.patterns)))[1]:
            return


@functools.cache
def _weights_on_hub(name: str, commit: str) -> Weights:
    from modules.backbone.weights import Weights, choose_format, missing_weights

    with _hub_errors(name, commit):
        repository = huggingface_hub.HfApi().model_info(name, revision=commit, files_metadata=True)
        listed = {file.rfilename: file.lfs for file in repository.siblings or []}
        format_, files = choose_format(list(listed))
        if not files:
            raise missing_weights(name, list(listed))
        stored = [listed[file] for file in files]
        if not all(stored):
            # The hub tells SHA-256 only of large files, so that small ones have to be looked at.
            return read_weights(fetch(name, commit, weights=True)[0], name, "local")
        tensors: Tensors = {}
        for file in files:
            tensors |= format_.describe_on_hub(name, commit, file)
    return Weights(tuple(files), tensors, tuple(lfs.sha256 for lfs in stored if lfs))


def tokenizer_hash(folder: Path, name: str) -> str:
    """Returns the SHA-256 of what decides the numbers of tokens.

    Raises:
        ModulesError: If there is no tokenizer.
    """
    files = [folder / file for file in VOCABULARY_FILES if (folder / file).is_file()]
    if not files and _has_byte_tokenizer(folder, name):
        # Nothing but its settings decides the numbers of its tokens.
        files = [folder / file for file in TOKENIZER_SETTINGS if (folder / file).is_file()]
    if not files:
        raise ModulesError(f"backbone {name!r} has no tokenizer (looked for {', '.join(VOCABULARY_FILES)})")
    # A fast tokenizer is whole in tokenizer.json; the other files are what it was once made of.
    files = files[:1] if files[0].name == TOKENIZER else files
    return combined_hash(*(file_hash(file) for file in files))


def file_hash(file: Path) -> str:
    """Returns the SHA-256 of a file; it is computed once a process unless the file changes."""
    status = os.stat(file)
    return _hash_of(file, status.st_size, status.st_mtime_ns)


@contextlib.contextmanager
def readable(name: str) -> Iterator[None]:
    """Turns the system's refusal of a file into a `ModulesError` that names it."""
    try:
        yield
    except OSError as error:
        raise ModulesError(f"backbone {name!r}: {error.filename} cannot be read: {error.strerror}") from error


def combined_hash(*parts: str) -> str:
    """Returns the SHA-256 of several texts."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _read_json(file: Path, name: str) -> dict[str, Any]:
    if not file.exists():
        raise ModulesError(f"backbone {name!r} has no {file.name}")
    if not file.is_file():  # a pipe, say, would be read for ever
        raise ModulesError(f"backbone {name!r}: {file.name} is no regular file")
    try:
        settings = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(settings, dict):
            raise ModulesError(f"backbone {name!r}: {file.name} holds no mapping")
        _refuse_unsafe(settings, f"backbone {name!r}: {file.name}")
    except RecursionError:
        raise ModulesError(f"backbone {name!r}: {file.name} is nested too deeply") from None
    except ModulesError:
        raise
    except ValueError as error:
        raise ModulesError(f"backbone {name!r}: {file.name} is not JSON: {error}") from error
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


def _has_byte_tokenizer(folder: Path, name: str) -> bool:
    file = folder / TOKENIZER_CONFIG
    return file.is_file() and _read_json(file, name).get("tokenizer_class") in BYTE_TOKENIZERS


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
