from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig

from modules import (
    Accelerator,
    Backbone,
    BackboneConfig,
    Combination,
    ModulesError,
    count_parameters,
    inspect_backbone,
    load_backbone,
    resolve_precision,
    save_backbone,
)
from modules.backbone import devices
from modules.backbone.architectures import ARCHITECTURES as TABLE
from modules.backbone.backbone import seeded
from modules.backbone.construction import UNLIMITED
from modules.backbone.info import Precision
from modules.components import BottleneckConfig
from tests.modules import tiny

Folder = Callable[[str], Path]
EVERY_MODEL = pytest.mark.parametrize("model_type", tiny.MODELS)


@pytest.fixture
def copy(folder: Folder, tmp_path: Path) -> Path:
    """Returns a folder with an encoder of its own, to be spoilt."""
    shutil.copytree(folder("xlm-roberta"), tmp_path / "copy")
    return tmp_path / "copy"


def plain_model(folder: Path, model_type: str) -> Any:
    """Loads a language model as transformers does."""
    settings = {"attn_implementation": TABLE[model_type].attention}
    config = AutoConfig.from_pretrained(folder)
    return tiny.LANGUAGE_MODELS[TABLE[model_type].family][type(config)].from_pretrained(folder, **settings).eval()


def read_again(backbone: Backbone, ids: torch.Tensor) -> dict[str, torch.Tensor]:
    """Returns what has the decoder of an encoder-decoder read a text a second time."""
    return {"decoder_input_ids": backbone.shifted(ids)} if backbone.info.family == "encoder-decoder" else {}


def change(folder: Path, file: str = "config.json", **settings: Any) -> None:
    path = folder / file
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))


@EVERY_MODEL
def test_preparing_for_components_changes_no_logit(
    folder: Folder, backbone: Callable[..., Backbone], model_type: str
) -> None:
    # In float64, where rounding cannot hide or feign a difference; XGLM's mask has no such numbers.
    dtype, tolerance = (torch.float32, 1e-6) if model_type == "xglm" else (torch.float64, 1e-10)
    plain = plain_model(folder(model_type), model_type).to(dtype)
    whole = Combination(backbone(model_type)).to(dtype)
    ids, mask = tiny.batch()
    with torch.no_grad():
        expected = plain(ids, attention_mask=mask, **read_again(whole.backbone, ids)).logits[mask.bool()]
        logits = whole.lm_logits(whole.encode(ids, mask)[mask.bool()])
    torch.testing.assert_close(logits, expected, atol=tolerance, rtol=tolerance)


@EVERY_MODEL
def test_what_is_known_before_loading(folder: Folder, backbone: Callable[..., Backbone], model_type: str) -> None:
    info = inspect_backbone(BackboneConfig(name=str(folder(model_type))))
    loaded = backbone(model_type)
    assert info == loaded.info
    assert info.family == TABLE[model_type].family
    assert info.revision == "local"
    assert info.hidden_size == tiny.WIDTH
    assert info.embedding_size == loaded.embeddings.embedding_dim
    assert info.vocabulary_size == loaded.embeddings.num_embeddings
    stacks = 2 if info.family == "encoder-decoder" else 1
    assert info.layers == len(loaded.layers) == stacks * tiny.LAYERS
    assert count_parameters(info) == sum(parameter.numel() for parameter in loaded.model.parameters())
    assert info.max_positions == (UNLIMITED if model_type in ("bloom", "t5", "mt5") else tiny.POSITIONS)
    assert bool(info.architecture.fused_qkv) == (model_type in ("bloom", "gpt2", "modernbert"))
    assert info.has_lm_head


@EVERY_MODEL
def test_a_backbone_comes_frozen_in_float32_and_in_evaluation_mode(
    folder: Folder, tmp_path: Path, model_type: str
) -> None:
    shutil.copytree(folder(model_type), tmp_path / "half")
    state = {key: tensor.half() for key, tensor in load_file(tmp_path / "half" / "model.safetensors").items()}
    save_file(state, tmp_path / "half" / "model.safetensors", metadata={"format": "pt"})
    loaded = load_backbone(BackboneConfig(name=str(tmp_path / "half")))
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    assert not any(module.training for module in loaded.modules())
    assert loaded.lm_head is None
    assert loaded.tokenizer.padding_side == "right"


@EVERY_MODEL
def test_saving_and_loading_give_the_same_logits(
    folder: Folder, backbone: Callable[..., Backbone], model_type: str, tmp_path: Path
) -> None:
    whole = Combination(backbone(model_type))
    whole.add("task", "adapter", BottleneckConfig(reduction_factor=4), seed=0)
    generator = torch.Generator().manual_seed(0)
    for parameter in whole.backbone.own_parameters().values():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    # A tokenizer remembers how it was last used, which must not change what is saved.
    whole.backbone.tokenizer(["w1 w2 w3"], truncation=True, max_length=4)
    whole.remove(whole.components()[0])
    save_backbone(whole.backbone, tmp_path / "saved")
    saved = Combination(load_backbone(BackboneConfig(name=str(tmp_path / "saved")), with_lm_head=True))
    plain = plain_model(tmp_path / "saved", model_type)
    ids, mask = tiny.batch()
    text = mask.bool()
    with torch.no_grad():
        expected = whole.lm_logits(whole.encode(ids, mask)[text])
        assert torch.equal(saved.lm_logits(saved.encode(ids, mask)[text]), expected)
        again = read_again(whole.backbone, ids)
        logits = plain(ids, attention_mask=mask, **again).logits[text]
        torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)
    original = inspect_backbone(BackboneConfig(name=str(folder(model_type))))
    assert saved.backbone.info.tokenizer_hash == original.tokenizer_hash
    assert saved.backbone.info.weights_hash != original.weights_hash


@EVERY_MODEL
def test_random_weights_depend_on_their_seed_alone(folder: Folder, tmp_path: Path, model_type: str) -> None:
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(folder(model_type) / name, tmp_path)

    def draw(seed: int, with_lm_head: bool) -> Backbone:
        config = BackboneConfig(name=str(tmp_path), random_init_seed=seed)
        return load_backbone(config, with_lm_head=with_lm_head)

    random = torch.get_rng_state()
    first, again, other = draw(0, True), draw(0, False), draw(1, True)
    assert torch.equal(torch.get_rng_state(), random)
    states = [backbone.model.state_dict() for backbone in (first, again, other)]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert any(not torch.equal(states[0][key], states[2][key]) for key in states[0])
    assert first.info.weights_hash == again.info.weights_hash != other.info.weights_hash
    assert inspect_backbone(BackboneConfig(name=str(tmp_path), random_init_seed=0)) == first.info


def test_the_hash_follows_the_files(folder: Folder, copy: Path) -> None:
    original = inspect_backbone(BackboneConfig(name=str(folder("xlm-roberta"))))
    same = inspect_backbone(BackboneConfig(name=str(copy)))
    assert (same.weights_hash, same.tokenizer_hash) == (original.weights_hash, original.tokenizer_hash)
    state = load_file(copy / "model.safetensors")
    state["lm_head.bias"] += 1
    save_file(state, copy / "model.safetensors", metadata={"format": "pt"})
    changed = inspect_backbone(BackboneConfig(name=str(copy)))
    assert changed.weights_hash != original.weights_hash
    assert changed.tokenizer_hash == original.tokenizer_hash
    (copy / "tokenizer.json").write_text((copy / "tokenizer.json").read_text().replace("w7", "w007"))
    assert inspect_backbone(BackboneConfig(name=str(copy))).tokenizer_hash != original.tokenizer_hash


def test_weights_may_be_in_several_files(folder: Folder, copy: Path) -> None:
    state = load_file(copy / "model.safetensors")
    (copy / "model.safetensors").unlink()
    names = sorted(state)
    for number, part in enumerate([names[:10], names[10:]], start=1):
        file = copy / f"model-0000{number}-of-00002.safetensors"
        save_file({key: state[key] for key in part}, file, metadata={"format": "pt"})
    ids, mask = tiny.batch()
    whole = load_backbone(BackboneConfig(name=str(folder("xlm-roberta"))))
    parts = load_backbone(BackboneConfig(name=str(copy)))
    assert torch.equal(Combination(parts).encode(ids, mask), Combination(whole).encode(ids, mask))
    file.unlink()
    with pytest.raises(ModulesError, match="has 1 of 2 weight files"):
        inspect_backbone(BackboneConfig(name=str(copy)))


@pytest.mark.parametrize(
    "settings",
    [
        {"auto_map": {"AutoModel": "evil.Model"}},
        {"_attn_implementation_internal": "evil/kernel"},
        {"_attn_implementation": "evil/kernel"},
        {"attn_implementation": "evil/kernel"},
        {"experts_implementation": "evil/kernel"},
        {"quantization_config": {"quant_method": "evil"}},
        {"text_config": {"_attn_implementation_internal": "evil/kernel"}},
        {"some": [{"auto_map": {}}]},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_what_could_run_foreign_code_is_refused(copy: Path, settings: dict[str, Any]) -> None:
    change(copy, **settings)
    for function in (inspect_backbone, load_backbone):
        with pytest.raises(ModulesError, match=r"config.json is refused: '\w+' can make transformers run foreign code"):
            function(BackboneConfig(name=str(copy)))


def test_a_tokenizer_with_foreign_code_is_refused(copy: Path) -> None:
    change(copy, "tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.Tokenizer", None]})
    with pytest.raises(ModulesError, match="tokenizer_config.json is refused: 'auto_map'"):
        load_backbone(BackboneConfig(name=str(copy)))


def test_harmless_and_unknown_settings_do_not_matter(folder: Folder, copy: Path) -> None:
    change(copy, _attn_implementation_autoset=True, quantization_config=None, is_decoder=True, torch_dtype="float16")
    loaded = load_backbone(BackboneConfig(name=str(copy)))
    ids, mask = tiny.batch()
    expected = Combination(load_backbone(BackboneConfig(name=str(folder("xlm-roberta"))))).encode(ids, mask)
    assert torch.equal(Combination(loaded).encode(ids, mask), expected)
    assert not loaded.model.config.is_decoder


def test_a_peft_file_beside_the_weights_leads_nowhere(folder: Folder, copy: Path) -> None:
    (copy / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "evil/model"}))
    assert load_backbone(BackboneConfig(name=str(copy))).info.name == str(copy)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model_type": "xlm-robert"}, "'xlm-robert' is not supported .did you mean 'xlm-roberta'"),
        ({"model_type": "XLM-Roberta"}, "'XLM-Roberta' is not supported .did you mean 'xlm-roberta'"),
        ({"model_type": "vit"}, "model type 'vit' is not supported; supported: bert, "),
        ({"hidden_size": 48}, r"model.safetensors does not fit config.json: \S+ has the shape \[64, 32\], and"),
        ({"num_hidden_layers": 3}, r"model.safetensors lacks 16 tensors: .*layer\.2\."),
        ({"num_hidden_layers": 1}, r"model.safetensors has more layers than config.json's num_hidden_layers 1: "),
    ],
)
def test_settings_that_do_not_describe_the_weights(copy: Path, settings: dict[str, Any], message: str) -> None:
    change(copy, **settings)
    with pytest.raises(ModulesError, match=message):
        load_backbone(BackboneConfig(name=str(copy)))


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(ModulesError, match="there is no such folder"):
        inspect_backbone(BackboneConfig(name=str(tmp_path / "nothing")))


def test_a_folder_has_no_revision(copy: Path) -> None:
    with pytest.raises(ModulesError, match="is a folder, which has no revision 'main'"):
        inspect_backbone(BackboneConfig(name=str(copy), revision="main"))


def test_a_folder_without_config(tmp_path: Path) -> None:
    with pytest.raises(ModulesError, match="has no config.json"):
        inspect_backbone(BackboneConfig(name=str(tmp_path)))


def test_a_broken_config(copy: Path) -> None:
    (copy / "config.json").write_text("{")
    with pytest.raises(ModulesError, match="config.json is not JSON"):
        inspect_backbone(BackboneConfig(name=str(copy)))


def test_broken_weights(copy: Path) -> None:
    (copy / "model.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(ModulesError, match="cannot be read as safetensors"):
        inspect_backbone(BackboneConfig(name=str(copy)))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_named(copy: Path, value: float) -> None:
    file = copy / "model.safetensors"
    tensors = load_file(file)
    name = next(name for name in tensors if "layer.1" in name and name.endswith("query.weight"))
    tensors[name][3, 4] = value
    save_file(tensors, file, metadata={"format": "pt"})
    with pytest.raises(ModulesError, match=rf"^{file}: {name} holds numbers that are not finite$"):
        load_backbone(BackboneConfig(name=str(copy)))
    load_backbone(BackboneConfig(name=str(copy), random_init_seed=0))


def test_a_folder_without_tokenizer(copy: Path) -> None:
    (copy / "tokenizer.json").unlink()
    with pytest.raises(ModulesError, match="has no tokenizer"):
        inspect_backbone(BackboneConfig(name=str(copy)))


@EVERY_MODEL
def test_an_untrained_language_model_head_is_refused(folder: Folder, tmp_path: Path, model_type: str) -> None:
    shutil.copytree(folder(model_type), tmp_path / "bare")
    state = load_file(tmp_path / "bare" / "model.safetensors")
    heads = TABLE[model_type].lm_head
    state = {key: tensor for key, tensor in state.items() if key.split(".")[0] not in heads}
    save_file(state, tmp_path / "bare" / "model.safetensors", metadata={"format": "pt"})
    config = BackboneConfig(name=str(tmp_path / "bare"))
    if TABLE[model_type].family != "encoder" and plain_model(folder(model_type), model_type).config.tie_word_embeddings:
        assert load_backbone(config, with_lm_head=True).lm_head is not None  # its embeddings are its head
        return
    assert not inspect_backbone(config).has_lm_head
    assert load_backbone(config).lm_head is None
    with pytest.raises(ModulesError, match="has no trained language model head"):
        load_backbone(config, with_lm_head=True)


def test_logits_need_the_head(folder: Folder) -> None:
    whole = Combination(load_backbone(BackboneConfig(name=str(folder("bert")))))
    with pytest.raises(ModulesError, match="was loaded without its language model head"):
        whole.lm_logits(torch.zeros(1, tiny.WIDTH))


def test_precision(folder: Folder) -> None:
    def precision(name: Any) -> str:
        return load_backbone(BackboneConfig(name=str(folder("bert")), precision=name)).precision

    assert precision("32") == "32-true"
    assert precision("bf16") == "bf16-mixed"
    chosen = resolve_precision(BackboneConfig(name="any")).precision
    assert precision("auto") == precision(chosen)


@pytest.mark.parametrize(
    ("gpu", "processor", "accelerator", "chosen"),
    [
        (None, {}, "auto", "32"),
        (None, {"avx512_bf16": True}, "auto", "bf16"),
        (None, {"amx_bf16": True}, "cpu", "bf16"),
        (True, {}, "auto", "bf16"),
        (True, {}, "cpu", "32"),  # the GPU does not compute
        (False, {"avx512_bf16": True}, "gpu", "32"),
    ],
)
def test_auto_precision_is_chosen_by_the_device_that_computes(
    gpu: bool | None,
    processor: dict[str, bool],
    accelerator: Accelerator,
    chosen: Precision,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`gpu` says whether the GPU has bfloat16; None for no GPU."""
    monkeypatch.setenv("MODULINGUA_CACHE", str(tmp_path))
    monkeypatch.setattr(devices, "GPU_FILES", [] if gpu is None else ["null"])
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu is not None)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: gpu)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: processor)
    assert resolve_precision(BackboneConfig(name="any"), accelerator).precision == chosen
    named = BackboneConfig(name="any", precision="fp16")
    assert resolve_precision(named, accelerator) is named


@EVERY_MODEL
def test_bfloat16_is_close(combination: Callable[..., Combination], model_type: str) -> None:
    whole = combination(model_type)
    ids, mask = tiny.batch()
    with torch.no_grad():
        exact = whole.encode(ids, mask)[mask.bool()]
        with torch.autocast("cpu", torch.bfloat16):
            fast = whole.encode(ids, mask)[mask.bool()]
    similarity = torch.nn.functional.cosine_similarity(exact, fast.float(), dim=-1)
    assert similarity.min() > 0.999


def test_seeded_puts_the_state_back() -> None:
    before = torch.get_rng_state()
    with seeded(3):
        first = torch.rand(2)
    with seeded(3):
        again = torch.rand(2)
    assert torch.equal(first, again)
    assert torch.equal(torch.get_rng_state(), before)


def test_loading_and_encoding_say_nothing(
    folder: Folder, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.WARNING):
        whole = Combination(load_backbone(BackboneConfig(name=str(folder("xlm-roberta")))))
        whole.add("task", "adapter", BottleneckConfig(reduction_factor=4), seed=0)
        whole.encode_backbone(*tiny.batch())
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")
