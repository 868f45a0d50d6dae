"""What is known of a backbone before it is loaded; found out once, and then read from the cache."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from modules.backbone import pretrained_files
from modules.backbone.architectures import ARCHITECTURES
from modules.backbone.info import BackboneConfig, BackboneInfo
from modules.backbone.tokenizer import tokenizer_of
from modules.disk_cache import cached

T = TypeVar("T")


def inspect_backbone(config: BackboneConfig, *, weights: bool = False) -> BackboneInfo:
    """Returns what is known of a backbone without loading it.

    From the hub only small files are downloaded, and the weights where they are asked for.

    Raises:
        ModulesError: If it cannot be had, is not safe to load or is not supported.
    """
    loaded = config.random_init_seed is None
    folder, revision = pretrained_files.fetch(config.name, config.revision, weights=weights and loaded)
    with pretrained_files.readable(config.name):
        files = pretrained_files.files_of(folder)
    # The precision does not matter here.
    key = [config.name, config.random_init_seed, os.fsencode(folder).hex(), revision]
    return cached(BackboneInfo, lambda: _examined(config, folder, revision), files=files, backbone=key)


def special_tokens(info: BackboneInfo) -> int:
    """Returns how many special tokens the tokenizer adds to a text.

    Raises:
        ModulesError: If the tokenizer cannot be used.
    """
    return of_tokenizer(int, lambda: int(tokenizer_of(info).num_special_tokens_to_add()), info, "special tokens")


def text_tokens(info: BackboneInfo, text: str) -> int:
    """Returns the number of tokens of a text, without special ones.

    Raises:
        ModulesError: If the tokenizer cannot be used.
    """

    def find() -> int:
        return len(tokenizer_of(info)(text, add_special_tokens=False, verbose=False)["input_ids"])

    return of_tokenizer(int, find, info, "tokens of a text", text)


def of_tokenizer(type_: type[T], find: Callable[[], T], info: BackboneInfo, *key: object) -> T:
    """Returns what `find` finds out with a backbone's tokenizer; `key` is what else it depends on. See `cached`."""
    return cached(type_, find, files=pretrained_files.files_of(info.folder), tokenizer=info.name, of=key)


def _examined(config: BackboneConfig, folder: Path, revision: str) -> BackboneInfo:
    from modules.backbone.construction import examine

    loaded = config.random_init_seed is None
    with pretrained_files.readable(config.name):
        model_type, settings = pretrained_files.read_settings(folder, config.name)
        described = pretrained_files.file_hash(folder / pretrained_files.CONFIG)
        found = pretrained_files.read_weights(folder, config.name, revision) if loaded else None
        tokenizer_hash = pretrained_files.tokenizer_hash(folder, config.name)
    model = examine(config.name, model_type, settings, found)
    weights = [f"random {config.random_init_seed}"] if found is None else found.hashes
    return BackboneInfo(
        name=config.name,
        folder=folder,
        revision=revision,
        family=ARCHITECTURES[model_type].family,
        model_type=model_type,
        settings=settings,
        tokenizer_hash=tokenizer_hash,
        weights_hash=pretrained_files.combined_hash(described, *weights),
        **vars(model),
    )
