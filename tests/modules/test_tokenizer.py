"""Tokenizers that cannot be used are refused, with the reason and the files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modules import BackboneConfig, ModulesError, inspect_backbone, load_backbone, load_tokenizer
from tests.modules import tiny
from tests.modules.layouts import sentencepiece_model

Folder = Callable[[str], Path]
Change = Callable[[dict[str, Any]], Any]


@pytest.fixture
def copy(folder: Folder, tmp_path: Path) -> Path:
    shutil.copytree(folder("xlm-roberta"), tmp_path / "copy")
    return tmp_path / "copy"


def tokenizer_in(folder: Path) -> Any:
    return load_tokenizer(inspect_backbone(BackboneConfig(name=str(folder))))


def change(file: Path, edit: Change) -> None:
    content = json.loads(file.read_text())
    edit(content)
    file.write_text(json.dumps(content))


def add_token(number: int, **settings: Any) -> Change:
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized", "special"), False)
    token = {"id": number, "content": "<new>", **flags, **settings}
    return lambda content: content["added_tokens"].append(token)


DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda file: file["post_processor"]["single"].insert(0, {"SpecialToken": {"id": "<e>", "type_id": 0}}), "key"),
        (lambda file: file["model"].update(unk_token="<no>"), "Missing .UNK. token"),
        (lambda file: file["model"]["vocab"].update(w1=-1), "expected u32"),
        (lambda file: file["model"].update(type="Evil"), "data did not match"),
        (lambda file: file.update(version="9.9"), "Unknown tokenizer version"),
        (lambda file: file.clear(), "'added_tokens' is not known"),
        (lambda file: file["model"]["vocab"].update(w1=1000), "'w1' has the number 1000, which is no row"),
        (add_token(tiny.VOCABULARY), "it has 65 tokens and the model's embeddings 64 rows; '<new>' has the number 64"),
        (add_token(tiny.VOCABULARY, special=True), "'<new>' has the number 64"),
    ],
)
def test_a_tokenizer_file_that_cannot_be_used(
    copy: Path, edit: Change, reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    change(copy / "tokenizer.json", edit)
    with pytest.raises(ModulesError, match=rf"the tokenizer \(tokenizer.json, .*\) cannot be used: .*{reason}"):
        tokenizer_in(copy)
    assert capfd.readouterr().err == ""  # the first makes code in Rust panic, which prints where


@pytest.mark.parametrize("name", ["tokenizer.json", "special_tokens_map.json", "added_tokens.json"])
@pytest.mark.parametrize("content", ["null", "[]", '"text"', DEEP, "{"])
def test_a_file_of_another_form(copy: Path, name: str, content: str) -> None:
    (copy / name).write_text(content)
    with pytest.raises(ModulesError, match=rf"the tokenizer \(.*{name}.*\) cannot be used: "):
        tokenizer_in(copy)


@pytest.mark.parametrize("name", ["spiece.model", "tokenizer.model", "sentencepiece.bpe.model", "spm.model"])
def test_a_sentencepiece_model_that_is_none(copy: Path, name: str) -> None:
    (copy / "tokenizer.json").unlink()
    (copy / "tokenizer_config.json").write_text("{}")
    whole = sentencepiece_model()
    for content in (b"nothing of the kind", whole[: len(whole) // 2], b""):
        (copy / name).write_bytes(content)
        reason = f"{name} is damaged, or no SentencePiece model$"
        with pytest.raises(ModulesError, match=rf"the tokenizer \({name}.*\) cannot be used: {reason}"):
            tokenizer_in(copy)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"pad_token": "<gone>"}, "'<gone>' has the number 64, which is no row"),
        ({"pad_token": ["<pad>"]}, r'_config.json: pad_token \["<pad>"\], which should be a text or a mapping'),
        ({"tokenizer_class": ["x"]}, r'tokenizer_config.json: tokenizer_class \["x"\], which should be a text'),
        ({"model_max_length": "many"}, 'tokenizer_config.json: model_max_length "many", which should be a number'),
        ({"model_input_names": 5}, "tokenizer_config.json: model_input_names 5, which should be a list"),
        ({"extra_special_tokens": 5}, "tokenizer_config.json: extra_special_tokens 5, which should be a mapping"),
        ({"added_tokens_decoder": [1]}, r"_config.json: added_tokens_decoder \[1\], which should be a mapping"),
        ({"tokenizer_class": "Evil"}, "Tokenizer class Evil does not exist"),
        ({"pad_token": None, "eos_token": None}, "neither a padding token nor one that ends a text"),
    ],
)
def test_settings_that_cannot_be_used(copy: Path, settings: dict[str, Any], reason: str) -> None:
    change(copy / "tokenizer_config.json", lambda content: content.update(settings))
    with pytest.raises(ModulesError, match=f"the tokenizer .* cannot be used: .*{reason}"):
        tokenizer_in(copy)


def test_tokens_for_pictures_without_embeddings_are_plain_text(folder: Folder, copy: Path) -> None:
    """As Gemma 3's text models have one, which its larger siblings use."""
    text = "w1 <new> w2"
    as_text = tokenizer_in(folder("xlm-roberta"))(text)["input_ids"]
    change(copy / "tokenizer.json", add_token(tiny.VOCABULARY, special=True))
    change(copy / "tokenizer_config.json", lambda file: file.update(extra_special_tokens={"image_token": "<new>"}))
    backbone = load_backbone(BackboneConfig(name=str(copy)))
    assert backbone.tokenizer(text)["input_ids"] == as_text
    assert len(backbone.tokenizer) == len(backbone.tokens) == tiny.VOCABULARY
