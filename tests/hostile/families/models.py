"""Models whose settings, tokenizer or weights are broken, huge, of another type or made to do harm."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from tests.hostile.case import DONE, EITHER, Case
from tests.hostile.world import World
from tests.modules import tiny
from tests.modules.test_weights import Evil

Edit = Callable[[Path], object]
"""Breaks a model in its folder."""

DEEP = "[" * 100_000 + "]" * 100_000
NUMBERS = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "max_position_embeddings",
    "pad_token_id",
    "layer_norm_eps",
    "hidden_dropout_prob",
)
NO_NUMBERS = {"a text": "x", "a list": [1], "a mapping": {"a": 1}, "yes": True, "10^30": 10**30, "NaN": float("nan")}
ODD_NUMBERS = {"null": None, "zero": 0, "-1": -1, "one": 1, "a fraction": 2.5, "10^9": 10**9}
OTHER_TYPES: dict[str, list[dict[str, Any]]] = {
    "bloom": [{"n_head": 0}, {"n_head": 5}, {"n_layer": 10**6}, {"hidden_size": 10**8}],
    "gpt2": [{"n_head": 0}, {"n_inner": -1}, {"n_positions": 10**6}, {"activation_function": "evil"}, {"n_embd": None}],
    "llama": [
        {"hidden_act": "evil"},
        {"rope_scaling": {"rope_type": "evil"}},
        {"rope_scaling": {"rope_type": "linear", "factor": "x"}},
        {"rope_scaling": 5},
        {"rope_theta": "x"},
        {"num_key_value_heads": 3},
        {"num_key_value_heads": 0},
        {"head_dim": 10**8},
        {"tie_word_embeddings": "x"},
    ],
    "t5": [
        {"d_kv": 0},
        {"feed_forward_proj": "evil"},
        {"feed_forward_proj": "gated-evil"},
        {"num_decoder_layers": 10**5},
        {"num_layers": -1},
        {"decoder_start_token_id": 10**6},
        {"relative_attention_num_buckets": 0},
    ],
    "bart": [{"decoder_layers": "x"}, {"encoder_attention_heads": 5}, {"decoder_start_token_id": -3}],
    "xglm": [{"max_position_embeddings": 10**9}, {"attention_heads": 0}, {"num_layers": 10**9}],
    "gemma3_text": [{"layer_types": ["evil", "evil"]}, {"layer_types": 5}, {"query_pre_attn_scalar": 0}],
    "modernbert": [{"global_attn_every_n_layers": 0}, {"local_attention": -8}, {"hidden_activation": "evil"}],
    "deberta-v2": [{"norm_rel_ebd": 5}, {"conv_kernel_size": 3}, {"position_buckets": 0}, {"conv_kernel_size": "x"}],
    "distilbert": [{"n_heads": 5}, {"activation": "evil"}, {"dim": 0}],
    "electra": [{"embedding_size": None}, {"embedding_size": 0}],
    "opt": [{"word_embed_proj_dim": 10}, {"activation_function": None}],
}
FILES = ("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
CONTENTS = {"empty": "", "null": "null", "a list": "[]", "a text": '"x"', "NaN": "NaN", "deep": DEEP, "cut": '{"a":'}
ODD_FILES: dict[str, Edit] = {
    "a pipe": os.mkfifo,
    "a folder": Path.mkdir,
    "a link to itself": lambda file: file.symlink_to(file.name),
    "a link to nowhere": lambda file: file.symlink_to("nowhere"),
    "binary": lambda file: file.write_bytes(b"\xff\xfe\x00\x01" * 1000),
}


def cases(world: World) -> Iterator[Case]:
    """Yields the cases of the family."""
    make = partial(_case, world)
    yield make("as it should be", lambda folder: None, codes=DONE)
    for setting in NUMBERS:
        for name, value in NO_NUMBERS.items():
            yield make(f"{setting} is {name}", _settings(**{setting: value}), says=(f"{setting} ", "cannot be used"))
        for name, value in ODD_NUMBERS.items():
            yield make(f"{setting} is {name}", _settings(**{setting: value}), codes=EITHER)
        yield make(f"{setting} is missing", _settings(**{setting: ...}), codes=EITHER)
    for value in ("evil", "__import__('os')", 3, [], ""):
        yield make(f"hidden_act is {value!r}", _settings(hidden_act=value), says=("hidden_act ", "cannot be used"))
    for model_type, settings in OTHER_TYPES.items():
        for changes in settings:
            name = f"{model_type}: {json.dumps(changes)}"
            yield make(name, _settings(**changes), model_type, says=("backbone.name",))
    for value in (["bert"], {"a": 1}, None, 5, "evil"):
        yield make(f"model_type is {value!r}", _settings(model_type=value), says=("is not supported",))
    for file in FILES:
        for name, content in CONTENTS.items():
            # transformers reads some of what is empty as nothing
            yield make(f"{file} is {name}", _file(file, content), codes=EITHER)
    for file in (*FILES, "model.safetensors"):
        for name, edit in ODD_FILES.items():
            yield make(f"{file} is {name}", _instead(file, edit), codes=EITHER)
        secret = partial(_without_permission, file)
        yield make(f"{file} may not be read", secret, codes=EITHER, unprivileged=True)
    for name, change in TOKENIZERS.items():
        yield make(f"tokenizer: {name}", partial(_change_json, "tokenizer.json", change), says=("the tokenizer (",))
    for name, change in TOKENIZER_SETTINGS.items():
        yield make(f"tokenizer: {name}", _tokenizer_settings(change), says=("the tokenizer (",))
    for vocabulary in ("spiece.model", "sentencepiece.bpe.model", "spm.model", "tokenizer.model", "vocab.txt"):
        yield make(f"{vocabulary} is none", partial(_other_vocabulary, vocabulary), says=(f"({vocabulary}",))
    for name, edit in WEIGHTS.items():
        yield make(f"weights: {name}", edit, says=("model",))


def _case(world: World, name: str, edit: Edit, model_type: str = "", **more: Any) -> Case:
    """A plan on a model that `edit` has broken: a copy of the encoder of all cases, or a new one of a type."""
    setup = partial(_set_up, world, model_type, edit)
    text = world.experiment({"backbone.name": "./backbone"})
    return Case(name, ["plan", "e.yaml"], {"e.yaml": text}, setup, **more)


def _set_up(world: World, model_type: str, edit: Edit, folder: Path) -> None:
    if model_type:
        tiny.build(folder / "backbone", model_type)
    else:
        shutil.copytree(world.encoder, folder / "backbone")
    edit(folder / "backbone")


def _settings(**changes: Any) -> Edit:
    """Sets settings of `config.json`, or takes them out where the value is an ellipsis."""

    def edit(settings: dict[str, Any]) -> None:
        for name, value in changes.items():
            if value is ...:
                settings.pop(name, None)
            else:
                settings[name] = value

    return partial(_change_json, "config.json", edit)


def _change_json(name: str, change: Callable[[dict[str, Any]], object], folder: Path) -> None:
    content = json.loads((folder / name).read_text())
    change(content)
    (folder / name).write_text(json.dumps(content))


def _tokenizer_settings(change: Callable[[dict[str, Any]], object]) -> Edit:
    return partial(_change_json, "tokenizer_config.json", change)


def _file(name: str, content: str) -> Edit:
    return lambda folder: (folder / name).write_text(content)


def _instead(name: str, make: Edit) -> Edit:
    def edit(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        make(folder / name)

    return edit


def _without_permission(name: str, folder: Path) -> None:
    (folder / name).touch()
    (folder / name).chmod(0)


def _other_vocabulary(name: str, folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").write_text("{}")
    (folder / name).write_bytes(b"nothing of the kind")


def _added(**settings: Any) -> Callable[[dict[str, Any]], object]:
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized", "special"), False)
    return lambda file: file["added_tokens"].append({"content": "<new>", **flags, **settings})


TOKENIZERS: dict[str, Callable[[dict[str, Any]], object]] = {
    "a template with an unknown token": lambda file: file["post_processor"]["single"].insert(
        0, {"SpecialToken": {"id": "<evil>", "type_id": 0}}
    ),
    "an unknown token that is unknown": lambda file: file["model"].update(unk_token="<no>"),
    "an id below zero": lambda file: file["model"]["vocab"].update(w1=-1),
    "an id beyond the embeddings": lambda file: file["model"]["vocab"].update(w1=10**6),
    "an added token beyond the embeddings": _added(id=tiny.VOCABULARY),
    "added tokens of another kind": lambda file: file.update(added_tokens=[{"id": 1}]),
    "an empty vocabulary": lambda file: file["model"].update(vocab={}),
    "a vocabulary that is a list": lambda file: file["model"].update(vocab=[1, 2]),
    "a model of another type": lambda file: file["model"].update(type="Evil"),
    "no model": lambda file: file.update(model=None),
    "a normalizer of another type": lambda file: file.update(normalizer={"type": "Evil"}),
    "another version": lambda file: file.update(version="9.9"),
    "nothing": lambda file: file.clear(),
}
TOKENIZER_SETTINGS: dict[str, Callable[[dict[str, Any]], object]] = {
    "an unknown padding token": lambda file: file.update(pad_token="<evil>"),
    "a padding token that is a list": lambda file: file.update(pad_token=["<pad>"]),
    "an unknown token that is a number": lambda file: file.update(unk_token=5),
    "no padding and no end": lambda file: file.update(pad_token=None, eos_token=None),
    "a class that is a list": lambda file: file.update(tokenizer_class=["x"]),
    "a class that is not there": lambda file: file.update(tokenizer_class="Evil"),
}


def _tensors(change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> Edit:
    def edit(folder: Path) -> None:
        file = folder / "model.safetensors"
        save_file(change(load_file(file)), file)

    return edit


def _typed(dtype: torch.dtype) -> Edit:
    return _tensors(lambda tensors: {name: tensor.to(dtype) for name, tensor in tensors.items()})


def _bytes(change: Callable[[bytes], bytes]) -> Edit:
    return lambda folder: (folder / "model.safetensors").write_bytes(
        change((folder / "model.safetensors").read_bytes())
    )


def _pickle(content: Callable[[Path], object], **options: Any) -> Edit:
    def edit(folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        torch.save(content(folder / "mark"), folder / "pytorch_model.bin", **options)

    return edit


WEIGHTS: dict[str, Edit] = {
    "complex numbers": _typed(torch.complex64),
    "8-bit floats": _typed(torch.float8_e4m3fn),
    "whole numbers": _typed(torch.int8),
    "of nothing": _tensors(lambda tensors: {"a": torch.zeros(1)}),
    "no tensor": _tensors(lambda tensors: {}),
    "one is missing": _tensors(lambda tensors: dict(sorted(tensors.items())[:-1])),
    "one has another shape": _tensors(lambda tensors: tensors | {min(tensors): torch.zeros(3, 3)}),
    "empty": _bytes(lambda content: b""),
    "cut in the header": _bytes(lambda content: content[:100]),
    "cut in a tensor": _bytes(lambda content: content[:-100]),
    "a header of 2^64 bytes": _bytes(lambda content: b"\xff" * 8 + b"{}"),
    "a header that is no JSON": _bytes(lambda content: (10).to_bytes(8, "little") + b"x" * 10),
    "a pointer of Git": _bytes(lambda content: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
    "one of three parts": lambda folder: (folder / "model.safetensors").rename(
        folder / "model-00001-of-00003.safetensors"
    ),
    "a pickle that runs code": _pickle(lambda mark: {"a": Evil(mark)}),
    "an old pickle that runs code": _pickle(lambda mark: {"a": Evil(mark)}, _use_new_zipfile_serialization=False),
    "a pickle of a module": _pickle(lambda mark: torch.nn.Linear(2, 2)),
    "a pickle of a list": _pickle(lambda mark: [torch.ones(1)]),
    "a pickle of a checkpoint": _pickle(lambda mark: {"state_dict": {"a": torch.ones(1)}, "epoch": 3}),
    "a pickle of text": lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin"),
}
