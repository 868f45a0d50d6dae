"""A `config.json` that cannot be used is refused by the setting, before memory is allocated for it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modules import BackboneConfig, ModulesError, inspect_backbone, load_backbone
from modules.backbone import construction

Folder = Callable[[str], Path]

REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("bert", {"hidden_act": "evil"}, 'hidden_act "evil", .evil. is not known'),
    ("bert", {"hidden_act": 3}, "hidden_act 3, which should be a text"),
    ("bert", {"hidden_dropout_prob": 5}, "hidden_dropout_prob 5, dropout probability has to be between 0 and 1"),
    ("bert", {"layer_norm_eps": "x"}, 'layer_norm_eps "x", which should be a number'),
    ("bert", {"layer_norm_eps": float("nan")}, "layer_norm_eps NaN, which is not finite"),
    ("bert", {"num_attention_heads": -4}, "num_attention_heads -4, which is negative"),
    ("bert", {"num_attention_heads": 0}, "num_attention_heads 0, integer modulo by zero"),
    ("bert", {"num_attention_heads": 5}, r"num_attention_heads 5, The hidden size \(32\) is not a multiple"),
    ("bert", {"num_attention_heads": ...}, r"num_attention_heads 12 \(its default\), The hidden size"),
    ("bert", {"num_attention_heads": None}, "num_attention_heads null, which should be a whole number$"),
    ("bert", {"hidden_size": "wide", "vocab_size": 2.5}, "hidden_size .*, which .*; vocab_size 2.5, which should be a"),
    ("bert", {"hidden_size": 10**30}, "hidden_size 10{30}, which is more than 2,147,483,647"),
    ("bert", {"num_hidden_layers": 10**9}, "num_hidden_layers 1000000000, which is more than 1,000 layers"),
    ("bert", {"num_hidden_layers": 0}, "num_hidden_layers 0, "),
    ("bert", {"vocab_size": True}, "vocab_size true, which should be a number"),
    ("xlm-roberta", {"pad_token_id": 70}, "pad_token_id 70, no position is left for a token"),
    ("xlm-roberta", {"pad_token_id": None}, "pad_token_id null, which should be a whole number$"),
    ("gpt2", {"n_positions": 10**6}, "n_positions 1000000, tables of positions and masks would take"),
    ("llama", {"rope_scaling": {"rope_type": "evil"}}, 'rope_scaling {"rope_type": "evil"}, .evil. is not known'),
    ("t5", {"num_decoder_layers": 10**5}, "num_decoder_layers 100000, which is more"),
    ("t5", {"decoder_start_token_id": 10**6}, "decoder_start_token_id 1000000, the decoder starts with"),
]


@pytest.mark.parametrize(("model_type", "settings", "reason"), REFUSED, ids=lambda value: str(value)[:40])
def test_a_setting_that_cannot_be_used(
    folder: Folder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    model_type: str,
    settings: dict[str, Any],
    reason: str,
) -> None:
    monkeypatch.setattr(construction, "SECONDS_TO_BLAME", 60)  # whatever else this machine does
    config = changed(folder(model_type), tmp_path / "copy", settings)
    with pytest.raises(ModulesError, match=rf"config.json of \S+ cannot be used: .*{reason}"):
        inspect_backbone(config)


@pytest.mark.parametrize("settings", [{"vocab_size": 10**9}, {"intermediate_size": 10**9}, {"hidden_size": 36}])
def test_sizes_are_compared_with_the_weights_before_memory_is_taken(
    folder: Folder, tmp_path: Path, settings: dict[str, Any]
) -> None:
    config = changed(folder("xlm-roberta"), tmp_path / "copy", settings)
    with pytest.raises(ModulesError, match=r"model\.safetensors does not fit config.json: \S+ has the shape \["):
        inspect_backbone(config)


def test_settings_that_only_computing_shows(folder: Folder, tmp_path: Path) -> None:
    config = changed(folder("deberta-v2"), tmp_path / "copy", {"layer_norm_eps": 1e300, "pos_att_type": ["p2c", 5]})
    with pytest.raises(ModulesError, match="config.json of .* cannot be used: "):
        load_backbone(config)


def test_weights_that_no_memory_could_hold_are_not_drawn(folder: Folder, tmp_path: Path) -> None:
    config = changed(folder("bert"), tmp_path / "copy", {"vocab_size": 2**30}, random_init_seed=0)
    assert inspect_backbone(config).vocabulary_size == 2**30
    with pytest.raises(ModulesError, match="cannot be drawn: its weights take .* GiB, and this machine has"):
        load_backbone(config)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (os.mkfifo, "is no regular file"),
        (Path.mkdir, "is no regular file"),
        (lambda file: file.write_text("[" * 100_000), "is nested too deeply"),
        (lambda file: file.write_text("[]"), "holds no mapping"),
        (lambda file: file.write_bytes(b"\xff\xfe"), "is not JSON"),
    ],
)
def test_a_config_that_is_none(folder: Folder, tmp_path: Path, make: Callable[[Path], object], reason: str) -> None:
    config = changed(folder("bert"), tmp_path / "copy", {})
    (tmp_path / "copy" / "config.json").unlink()
    make(tmp_path / "copy" / "config.json")
    with pytest.raises(ModulesError, match=f"config.json {reason}"):
        inspect_backbone(config)


def changed(model: Path, folder: Path, settings: dict[str, Any], **more: Any) -> BackboneConfig:
    """Copies a model and sets settings, or takes out those whose value is an ellipsis."""
    shutil.copytree(model, folder)
    content = json.loads((folder / "config.json").read_text()) | settings
    content = {name: value for name, value in content.items() if value is not ...}
    (folder / "config.json").write_text(json.dumps(content))
    return BackboneConfig(name=str(folder), **more)
