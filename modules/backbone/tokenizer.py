"""The tokenizer of a backbone, loaded, tried, and held against the embeddings that it names rows of."""

import contextlib
import functools
import json
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from modules.backbone.info import BackboneInfo
from modules.backbone.pretrained_files import TOKENIZER, TOKENIZER_CONFIG, TOKENIZER_FILES, VOCABULARY_FILES
from modules.backbone.transformers_calls import build_config, quiet, reason_of, shown
from modules.errors import ModulesError

TRIAL = "Abc 12, абв 字 ́\U0010ffff"
"""A text with letters of several scripts and characters that no vocabulary has."""
TOKEN = ((str, dict), "a text or a mapping")
SETTINGS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "model_max_length": ((int, float), "a number"),
    "tokenizer_class": (str, "a text"),
    "tokenizer_file": (str, "a text"),
    "model_input_names": (list, "a list"),
    "additional_special_tokens": (list, "a list"),
    "extra_special_tokens": (dict, "a mapping"),
    "added_tokens_decoder": (dict, "a mapping"),
    **{f"{name}_token": TOKEN for name in ("bos", "eos", "unk", "sep", "pad", "cls", "mask")},
}
"""Types of settings of `tokenizer_config.json`, and what they are called; on others transformers fails."""


def load_tokenizer(info: BackboneInfo) -> Any:
    """Returns the tokenizer of an inspected backbone, which pads at the end.

    A tokenizer that exists only as a SentencePiece model is converted to a fast one.

    Raises:
        ModulesError: If there is no fast one, it cannot tokenize a text, or it names more tokens than the backbone has.
    """
    # Read at its first use; tokenizing in threads would only make data workers warn when they fork.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    files = ", ".join(name for name in TOKENIZER_FILES if (info.folder / name).is_file())
    where = f"backbone {info.name!r}: the tokenizer ({files}) cannot be used"
    try:
        tokenizer = _load(info)
        with _panics_hidden():
            tried = tokenizer(TRIAL, verbose=False)["input_ids"] if tokenizer.is_fast else []
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # Its files can be wrong in any way; a panic in Rust is no Exception.
        raise ModulesError(f"{where}: {_damage(info.folder) or reason_of(error)}") from error
    if not tokenizer.is_fast:
        raise ModulesError(f"backbone {info.name!r} has no fast tokenizer")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token  # decoders were pretrained without padding; the mask hides it
    if not tried:
        raise ModulesError(f"{where}: it makes no tokens of {TRIAL!r}")
    if tokenizer.pad_token_id is None:
        raise ModulesError(f"{where}: it has neither a padding token nor one that ends a text")
    return _within(tokenizer, info.vocabulary_size, where)


@functools.lru_cache(maxsize=4)
def tokenizer_of(info: BackboneInfo) -> Any:
    """Returns the tokenizer to look things up in, one for all who ask: nobody may change it, as training does.

    Raises:
        ModulesError: As `load_tokenizer`.
    """
    return load_tokenizer(info)


def _damage(folder: Path) -> str:
    """Says what is wrong with the files of a tokenizer that cannot be used; an empty text where that is not known.

    Transformers tries other ways to read a damaged SentencePiece model, and fails in the last of them.
    """
    from sentencepiece import SentencePieceProcessor

    models = (folder / name for name in VOCABULARY_FILES if name.endswith(".model"))
    for file in () if (folder / TOKENIZER).is_file() else filter(Path.is_file, models):
        try:
            with _panics_hidden():
                SentencePieceProcessor(model_file=str(file))
        except RuntimeError:
            return f"{file.name} is damaged, or no SentencePiece model"
    config = folder / TOKENIZER_CONFIG
    settings = json.loads(config.read_text(encoding="utf-8")) if config.is_file() else {}
    wrong = (
        f"{config.name}: {shown(key, settings[key])}, which should be {described}"
        for key, (kind, described) in SETTINGS.items()
        if settings.get(key) is not None and not isinstance(settings[key], kind)
    )
    return next(wrong, "")


@contextlib.contextmanager
def _panics_hidden() -> Iterator[None]:
    """Keeps back what code in Rust writes to standard error where it panics, before Python can catch that."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _load(info: BackboneInfo) -> Any:
    from transformers import AutoTokenizer, ByT5Tokenizer

    with quiet(), warnings.catch_warnings():
        # Said of each conversion of a SentencePiece model with byte fallback, whatever the user does.
        warnings.filterwarnings("ignore", message=".*byte fallback option.*")
        tokenizer = AutoTokenizer.from_pretrained(
            str(info.folder),
            config=build_config(info.model_type, info.settings),
            trust_remote_code=False,
            padding_side="right",
        )
    return _fast_bytes(tokenizer) if isinstance(tokenizer, ByT5Tokenizer) else tokenizer


def _fast_bytes(slow: Any) -> Any:
    """Returns a fast tokenizer with the ids of ByT5's: it makes each byte of UTF-8 one token.

    Transformers has only a slow one, which cannot say where in the text a token stands.
    """
    from tokenizers import Tokenizer, decoders, pre_tokenizers, processors
    from tokenizers.models import BPE
    from transformers import PreTrainedTokenizerFast
    from transformers.models.gpt2.tokenization_gpt2 import bytes_to_unicode

    added = slow.added_tokens_decoder
    # The letters that stand for bytes in byte-level tokenizers.
    letters = {letter: slow.convert_tokens_to_ids(chr(byte)) for byte, letter in bytes_to_unicode().items()}
    fast = Tokenizer(BPE(letters | {str(token): number for number, token in added.items()}, merges=[]))
    fast.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    fast.decoder = decoders.ByteLevel()
    end = slow.eos_token
    fast.post_processor = processors.TemplateProcessing(
        single=f"$A {end}", pair=f"$A {end} $B {end}", special_tokens=[(end, slow.eos_token_id)]
    )
    fast.add_special_tokens([token for _, token in sorted(added.items())])
    return PreTrainedTokenizerFast(
        tokenizer_object=fast,
        pad_token=slow.pad_token,
        eos_token=end,
        unk_token=slow.unk_token,
        additional_special_tokens=slow.additional_special_tokens,
        model_max_length=slow.model_max_length,
        padding_side="right",
    )


def _within(tokenizer: Any, rows: int, where: str) -> Any:
    """Returns a tokenizer whose tokens all have a row among the embeddings.

    Tokens for pictures and sounds are read as plain text where the embeddings lack them, as in text models of Gemma 3.

    Raises:
        ModulesError: If another token has no row.
    """
    from tokenizers import Tokenizer

    beyond = {token: number for token, number in tokenizer.get_vocab().items() if number >= rows}
    if not beyond:
        return tokenizer
    media = {str(token) for token in getattr(tokenizer, "extra_special_tokens", {}).values()}
    if further := sorted(beyond.keys() - media, key=lambda token: beyond[token]):
        first = f"{further[0]!r} has the number {beyond[further[0]]}"
        raise ModulesError(
            f"{where}: it has {len(tokenizer)} tokens and the model's embeddings {rows} rows; {first}, which is no row"
        )
    described = json.loads(tokenizer.backend_tokenizer.to_str())
    described["added_tokens"] = [one for one in described["added_tokens"] if one["content"] not in beyond]
    tokenizer._tokenizer = Tokenizer.from_str(json.dumps(described))
    return tokenizer
