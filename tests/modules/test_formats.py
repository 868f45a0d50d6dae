"""Components in the formats of `adapters` and PEFT, held against what these libraries compute with them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import adapters
import pytest
import torch
from adapters import AdapterConfig, ParBnConfig, SeqBnConfig, SeqBnInvConfig
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModel, AutoModelForCausalLM, AutoModelForSeq2SeqLM

from modules import Backbone, Combination, ModulesError
from modules.components import (
    BottleneckConfig,
    IA3Config,
    InvertibleConfig,
    LoRAConfig,
    SoftPromptConfig,
)
from modules.formats import FORMATS, Part, Parts
from tests.modules import tiny

Folder = Callable[[str], Path]
MODELS = ["xlm-roberta", "bert", "gpt2", "llama", "mt5"]
WRAPPED = {"gpt2": AutoModelForCausalLM, "llama": AutoModelForCausalLM, "mt5": AutoModelForSeq2SeqLM}


def filled(combination: Combination, configs: dict[str, Any]) -> Parts:
    """Puts components with random weights on a combination; returns what they are."""
    generator = torch.Generator().manual_seed(3)
    parts: Parts = {}
    for kind, config in configs.items():
        component = combination.add("language", kind, config, language="swh_Latn", seed=0)
        state = {
            name: 0.3 * torch.randn(tensor.shape, generator=generator) for name, tensor in component.own_state().items()
        }
        component.load_own_state(state)
        parts[kind] = Part(config, state)
    return parts


def hidden(combination: Combination) -> Tensor:
    ids, mask = tiny.batch()
    with torch.no_grad():
        return combination.eval().encode(ids, mask, ["swh_Latn"] * len(ids))


def put_on(combination: Combination, parts: Parts) -> None:
    for kind, part in parts.items():
        combination.add("language", kind, part.config, language="swh_Latn", seed=1).load_own_state(part.state)


def theirs(model: Any, model_type: str, *, prompt: int = 0) -> Tensor:
    """What a model of another library gives for the batch, without the positions of its prompts."""
    ids, mask = tiny.batch()
    more: dict[str, Any] = {}
    if model_type == "mt5":
        start = model.config.decoder_start_token_id
        more["decoder_input_ids"] = torch.cat([torch.full_like(ids[:, :1], start), ids[:, :-1]], dim=1)
    with torch.no_grad():
        answer = model.eval()(input_ids=ids, attention_mask=mask, output_hidden_states=True, **more)
    states = getattr(answer, "decoder_hidden_states", None) or answer.hidden_states
    return states[-1] if model_type == "mt5" else states[-1][:, prompt:]


def same(left: Tensor, right: Tensor) -> bool:
    _, mask = tiny.batch()
    return torch.allclose(left[mask.bool()], right[mask.bool()], atol=1e-4)


class TestAdapters:
    @pytest.mark.parametrize(
        ("model_type", "configs"),
        [
            pytest.param(model_type, configs, id=f"{model_type}-{name}")
            for model_type in MODELS
            for name, configs in {
                "seq": {"adapter": BottleneckConfig(reduction_factor=4)},
                "double": {"adapter": BottleneckConfig(type="double_seq_bn", reduction_factor=8, leave_out=[1])},
                "mad-x": {"adapter": BottleneckConfig(reduction_factor=2), "invertible": InvertibleConfig()},
                "ia3": {"ia3": IA3Config()},
            }.items()
            if (model_type, name) != ("gpt2", "ia3")  # `adapters` has no IA3 for GPT-2
        ],
    )
    def test_there_and_back(
        self, combination: Callable[..., Combination], folder: Folder, tmp_path: Path, model_type: str, configs: Any
    ) -> None:
        ours = combination(model_type)
        if "invertible" in configs and model_type in ("gpt2", "mt5"):
            with pytest.raises(ModulesError, match="stands where ours cannot"):
                FORMATS["adapters"].write(ours.backbone, filled(ours, configs), tmp_path, "x")
            return
        if "invertible" in configs and model_type != "llama":
            with pytest.raises(ModulesError, match="in place embeddings, not words"):
                FORMATS["adapters"].write(ours.backbone, filled(ours, configs), tmp_path, "x")
            configs = configs | {"invertible": InvertibleConfig(place="embeddings")}
            ours = combination(model_type)
        bare = hidden(ours)
        parts = filled(ours, configs)
        expected = hidden(ours)
        assert not same(expected, bare)
        other = combination(model_type)
        FORMATS["adapters"].write(other.backbone, parts, tmp_path, "swahili")
        assert same(hidden(other), bare)  # nothing is left of it
        assert not list(tmp_path.glob("*.bin"))

        model = AutoModel.from_pretrained(folder(model_type))
        adapters.init(model)
        name = model.load_adapter(str(tmp_path), set_active=True, use_safetensors=True)
        assert name == "swahili"
        assert same(theirs(model, model_type), expected)

        read = FORMATS["adapters"].read(other.backbone, tmp_path)
        assert {kind: part.config for kind, part in read.items()} == configs
        put_on(other, read)
        assert torch.equal(hidden(other), expected)

    @pytest.mark.parametrize("legacy", [False, True])
    @pytest.mark.parametrize("invertible", [False, True])
    def test_what_the_library_saved(
        self, combination: Callable[..., Combination], folder: Folder, tmp_path: Path, legacy: bool, invertible: bool
    ) -> None:
        model = adapters.AutoAdapterModel.from_pretrained(folder("xlm-roberta"))
        config_class = SeqBnInvConfig if invertible else SeqBnConfig
        model.add_adapter("sw", config=config_class(reduction_factor=4))
        for name, parameter in model.named_parameters():
            if ".sw." in name:
                parameter.data.normal_(std=0.3)
        model.set_active_adapters("sw")
        model.save_adapter(str(tmp_path), "sw", with_head=False)
        assert (tmp_path / "pytorch_adapter.bin").is_file()
        if legacy:  # as AdapterHub's MAD-X adapters of 2020 are
            state = torch.load(tmp_path / "pytorch_adapter.bin", weights_only=True)
            old = {
                "output.adapters.": "output.layer_text_lang_adapters.",
                "invertible_adapters.": "invertible_lang_adapters.",
            }
            for new, then in old.items():
                state = {name.replace(new, then): tensor for name, tensor in state.items()}
            torch.save(state, tmp_path / "pytorch_adapter.bin")
            config = json.loads((tmp_path / "adapter_config.json").read_text())
            kept = (
                *("adapter_residual_before_ln", "ln_after", "ln_before", "mh_adapter", "non_linearity"),
                *("original_ln_after", "original_ln_before", "output_adapter", "reduction_factor"),
                "residual_before_ln",
            )
            settings = {name: config["config"][name] for name in kept}
            block = {"block_type": "nice", "non_linearity": "relu", "reduction_factor": 2} if invertible else None
            more = {"attention_type": "sent-lvl-dynamic", "new_attention_norm": False, "invertible_adapter": block}
            config |= {"config": settings | more, "type": "text_lang"}
            del config["version"]
            (tmp_path / "adapter_config.json").write_text(json.dumps(config))
        ours = combination("xlm-roberta")
        read = FORMATS["adapters"].read(ours.backbone, tmp_path)
        expected: dict[str, Any] = {"adapter": BottleneckConfig(reduction_factor=4)}
        expected |= {"invertible": InvertibleConfig(place="embeddings")} if invertible else {}
        assert {kind: part.config for kind, part in read.items()} == expected
        put_on(ours, read)
        assert same(hidden(ours), theirs(model.base_model, "xlm-roberta"))

    @pytest.mark.parametrize("model_type", ["xlm-roberta", "bert", "roberta", "distilbert", "electra", "deberta-v2"])
    @pytest.mark.parametrize("config", ["seq_bn_inv", "pfeiffer+inv"])
    def test_mad_x_of_the_library(
        self, combination: Callable[..., Combination], folder: Folder, tmp_path: Path, model_type: str, config: str
    ) -> None:
        """Language adapters of MAD-X, under the masked language model that they were trained with."""
        model = adapters.AutoAdapterModel.from_pretrained(folder(model_type))
        model.add_adapter("sw", config=AdapterConfig.load(config, reduction_factor=4))
        generator = torch.Generator().manual_seed(5)
        for name, parameter in model.named_parameters():
            if ".sw." in name:
                parameter.data = 0.3 * torch.randn(parameter.shape, generator=generator)
        model.set_active_adapters("sw")
        model.save_adapter(str(tmp_path / "theirs"), "sw", with_head=False)
        ids, mask = tiny.batch()
        with torch.no_grad():
            states = model.eval().base_model(input_ids=ids, attention_mask=mask).last_hidden_state
            logits = model(input_ids=ids, attention_mask=mask, head="default").logits
            bare = hidden(ours := combination(model_type))

        read = FORMATS["adapters"].read(ours.backbone, tmp_path / "theirs")
        assert read["invertible"].config == InvertibleConfig(place="embeddings")
        put_on(ours, read)
        assert same(hidden(ours), states)
        assert not same(hidden(ours), bare)
        with torch.no_grad():
            mine = ours.lm_logits(hidden(ours)[mask.bool()], ["swh_Latn"] * int(mask.sum()))
            not_undone = ours.lm_logits(hidden(ours)[mask.bool()])
        torch.testing.assert_close(mine, logits[mask.bool()], atol=1e-4, rtol=1e-4)
        assert not torch.allclose(not_undone, mine, atol=0.1)

        (tmp_path / "ours").mkdir()
        FORMATS["adapters"].write(combination(model_type).backbone, read, tmp_path / "ours", "swahili")
        back = adapters.AutoAdapterModel.from_pretrained(folder(model_type))
        back.load_adapter(str(tmp_path / "ours"), set_active=True, use_safetensors=True, with_head=False)
        with torch.no_grad():
            again = back.eval().base_model(input_ids=ids, attention_mask=mask).last_hidden_state
        assert torch.equal(again, states)

    @pytest.mark.parametrize(
        ("config", "said"),
        [
            (ParBnConfig(), "is_parallel True instead of False"),
            (SeqBnConfig(non_linearity="gelu"), "non_linearity 'gelu' instead of 'relu'"),
            (SeqBnInvConfig(inv_adapter="glow"), "its invertible adapter is of 'glow'"),
            (adapters.LoRAConfig(), "no component of this version computes the same"),
            (adapters.PromptTuningConfig(prompt_length=3), "architecture 'prompt_tuning'"),
        ],
    )
    def test_what_is_not_ours(
        self, backbone: Callable[..., Backbone], tmp_path: Path, config: AdapterConfig, said: str
    ) -> None:
        (tmp_path / "adapter_config.json").write_text(json.dumps({"config": config.to_dict(), "name": "x"}))
        with pytest.raises(ModulesError, match=said):
            FORMATS["adapters"].read(backbone("bert"), tmp_path)

    def test_what_does_not_fit(self, combination: Callable[..., Combination], tmp_path: Path) -> None:
        ours = combination("bert")
        parts = filled(ours, {"adapter": BottleneckConfig(reduction_factor=4)})
        FORMATS["adapters"].write(ours.backbone, parts, tmp_path, "x")
        file = tmp_path / "adapter.safetensors"
        save_file({name: tensor for name, tensor in load_file(file).items() if "layer.1" not in name}, file)
        with pytest.raises(ModulesError, match=r"its weights lack encoder\.layer\.1"):
            FORMATS["adapters"].read(ours.backbone, tmp_path)
        config = json.loads((tmp_path / "adapter_config.json").read_text())
        (tmp_path / "adapter_config.json").write_text(json.dumps(config | {"hidden_size": 768}))
        with pytest.raises(ModulesError, match="hidden size of 768"):
            FORMATS["adapters"].read(ours.backbone, tmp_path)

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"config.leave_out": [1]}, r"weights hold encoder\.layer\.1\.output\.adapters\.sw\.\S+, for which its"),
            ({"config.later": "gelu"}, 'adapter_config.json: later is "gelu", with which `adapters` computes'),
            ({"config.reduction_factor": 2}, r"fit \S+: size mismatch for encoder\.layer\.0\.output\.adapters\.sw\."),
            ({"model_type": "roberta"}, r"model_type is 'roberta'; \S+ is a bert"),
            ({"name": "other"}, r"its weights lack encoder\.layer\.0\.output\.adapters\.other\."),
            ({"config.later": None, "config.new_attention_norm": True, "trained_on": "Wikipedia"}, None),
        ],
        ids=str,
    )
    def test_settings_that_are_not_those_of_the_weights(
        self, combination: Callable[..., Combination], tmp_path: Path, change: dict[str, Any], said: str | None
    ) -> None:
        ours = combination("bert")
        parts = filled(ours, {"adapter": BottleneckConfig(reduction_factor=4)})
        FORMATS["adapters"].write(ours.backbone, parts, tmp_path, "sw")
        file = tmp_path / "adapter_config.json"
        settings = json.loads(file.read_text())
        for key, value in change.items():
            *inside, name = key.split(".")
            (settings["config"] if inside else settings)[name] = value
        file.write_text(json.dumps(settings))
        if said is None:
            assert FORMATS["adapters"].read(ours.backbone, tmp_path).keys() == parts.keys()
            return
        with pytest.raises(ModulesError, match=said):
            FORMATS["adapters"].read(ours.backbone, tmp_path)

    @pytest.mark.parametrize("inside", ["", "bert."])
    @pytest.mark.parametrize(
        "surplus",
        [
            "encoder.layer.0.attention.output.adapters.sw.adapter_up.weight",
            "encoder.layer.0.attention.self.query.weight",
            "encoder.layer.0.output.adapters.other.adapter_up.weight",
            "heads.default.1.weight",
        ],
    )
    def test_a_tensor_without_a_place_is_refused(
        self, combination: Callable[..., Combination], tmp_path: Path, surplus: str, inside: str
    ) -> None:
        ours = combination("bert")
        parts = filled(ours, {"adapter": BottleneckConfig(reduction_factor=4)})
        FORMATS["adapters"].write(ours.backbone, parts, tmp_path, "sw")
        file = tmp_path / "adapter.safetensors"
        tensors = {f"{inside}{name}": tensor for name, tensor in load_file(file).items()}
        save_file(tensors, file)
        assert FORMATS["adapters"].read(ours.backbone, tmp_path).keys() == parts.keys()
        save_file(tensors | {f"{inside}{surplus}": torch.ones(32, 32)}, file)
        with pytest.raises(ModulesError, match=f"its weights hold {inside}{surplus}, for which"):
            FORMATS["adapters"].read(ours.backbone, tmp_path)

    def test_code_in_a_file_is_not_run(self, backbone: Callable[..., Backbone], tmp_path: Path) -> None:
        class Evil:
            def __reduce__(self) -> Any:
                return os.mkdir, (str(tmp_path / "ran"),)

        settings = {"config": SeqBnConfig(reduction_factor=4).to_dict(), "name": "x"}
        (tmp_path / "adapter_config.json").write_text(json.dumps(settings))
        torch.save({"x": Evil()}, tmp_path / "pytorch_adapter.bin")
        with pytest.raises(ModulesError, match=r"pytorch_adapter\.bin is refused: it asks to run \w+\.mkdir"):
            FORMATS["adapters"].read(backbone("bert"), tmp_path)
        assert not (tmp_path / "ran").exists()

    def test_what_the_library_does_not_save(self, combination: Callable[..., Combination], tmp_path: Path) -> None:
        ours = combination("bert")
        parts = filled(ours, {"prompt": SoftPromptConfig(length=2), "adapter": BottleneckConfig(reduction_factor=4)})
        compacter = {"adapter": Part(BottleneckConfig(type="compacter"), {})}
        for some in ({"prompt": parts["prompt"]}, parts, compacter):
            with pytest.raises(ModulesError, match="of `adapters` are known"):
                FORMATS["adapters"].write(ours.backbone, some, tmp_path, "x")


class TestPeft:
    @pytest.mark.parametrize("model_type", MODELS)
    @pytest.mark.parametrize(
        "configs",
        [
            {"prompt": SoftPromptConfig(length=4)},
            {"prompt": SoftPromptConfig(length=4, reparameterization=8)},
            {"lora": LoRAConfig(rank=2, alpha=3)},
            {"lora": LoRAConfig(rank=2, targets=["feed_forward_out", "attention_output"], leave_out=[0])},
        ],
        ids=["prompt", "perceptron", "lora", "other-lora"],
    )
    def test_there_and_back(
        self, combination: Callable[..., Combination], folder: Folder, tmp_path: Path, model_type: str, configs: Any
    ) -> None:
        peft = pytest.importorskip("peft", reason="no package peft, which is a dependency of the tests")
        ours = combination(model_type)
        if model_type == "gpt2" and configs == {"lora": LoRAConfig(rank=2, alpha=3)}:
            with pytest.raises(ModulesError, match="one layer of queries"):
                FORMATS["peft"].write(ours.backbone, filled(ours, configs), tmp_path, "x")
            return
        parts = filled(ours, configs)
        expected = hidden(ours)
        FORMATS["peft"].write(ours.backbone, parts, tmp_path, "x")

        model = WRAPPED.get(model_type, AutoModel).from_pretrained(folder(model_type))
        model = peft.PeftModel.from_pretrained(model, str(tmp_path))
        length = getattr(configs.get("prompt"), "length", 0)
        assert same(theirs(model, model_type, prompt=length), expected)

        other = combination(model_type)
        read = FORMATS["peft"].read(other.backbone, tmp_path)
        put_on(other, read)
        assert torch.allclose(hidden(other), expected, atol=1e-6)

    @pytest.mark.parametrize("model_type", ["xlm-roberta", "llama", "mt5"])
    def test_what_peft_saved(
        self, combination: Callable[..., Combination], folder: Folder, tmp_path: Path, model_type: str
    ) -> None:
        peft = pytest.importorskip("peft", reason="no package peft, which is a dependency of the tests")
        task = {"llama": "CAUSAL_LM", "mt5": "SEQ_2_SEQ_LM"}.get(model_type, "FEATURE_EXTRACTION")
        modules = ["query", "value"] if model_type == "xlm-roberta" else ["q_proj", "v_proj"]
        configs = [peft.PromptTuningConfig(task_type=task, num_virtual_tokens=3)]
        if model_type != "mt5":
            configs.append(peft.LoraConfig(task_type=task, r=4, target_modules=modules, use_rslora=True))
        for number, config in enumerate(configs):
            model = WRAPPED.get(model_type, AutoModel).from_pretrained(folder(model_type))
            model = peft.get_peft_model(model, config)
            for parameter in model.parameters():
                if parameter.requires_grad:
                    parameter.data.normal_(std=0.3)
            model.save_pretrained(str(tmp_path / str(number)))
            ours = combination(model_type)
            put_on(ours, FORMATS["peft"].read(ours.backbone, tmp_path / str(number)))
            assert same(theirs(model, model_type, prompt=0 if number else 3), hidden(ours))

    @pytest.mark.parametrize(
        ("settings", "tensors", "said"),
        [
            ({"peft_type": "IA3"}, {}, "a IA3 of PEFT; known: PROMPT_TUNING, LORA"),
            ({"peft_type": ["LORA"]}, {}, r"of PEFT; known"),
            ({"peft_type": "LORA", "bias": "all"}, {}, 'bias is "all", with which PEFT computes something'),
            ({"peft_type": "LORA", "new_option": {"a": 1}}, {}, 'new_option is {"a": 1}, with which PEFT computes'),
            ({"peft_type": "LORA", "new_option": False, "r": "4"}, {}, "r: Input should be a valid integer"),
            ({"peft_type": "LORA", "lora_alpha": None}, {}, "lora_alpha: Input should be a valid number"),
            ({"peft_type": "LORA", "r": 2, "lora_alpha": 2}, {"base_model.model.pooler.lora_A.weight": 2}, "pooler"),
            ({"peft_type": "PROMPT_TUNING", "num_virtual_tokens": 2}, {"prompt_embeddings": 7}, "is 7 wide"),
            ({"peft_type": "PROMPT_TUNING", "num_virtual_tokens": 2}, {"prompt": 7}, "lack prompt_embeddings"),
            ({"peft_type": "PROMPT_TUNING"}, {"prompt_embeddings": 7}, "num_virtual_tokens: Field required"),
            ({"peft_type": "PROMPT_TUNING", "num_virtual_tokens": 0}, {"prompt_embeddings": 7}, "is 0, and its"),
            ({"peft_type": "PROMPT_TUNING", "num_virtual_tokens": 9}, {"prompt_embeddings": 7}, "is 9, and its"),
        ],
    )
    def test_what_is_not_ours(
        self, backbone: Callable[..., Backbone], tmp_path: Path, settings: Any, tensors: dict[str, int], said: str
    ) -> None:
        (tmp_path / "adapter_config.json").write_text(json.dumps(settings))
        state = {name: torch.ones(2, width) for name, width in tensors.items()}
        save_file(state, tmp_path / "adapter_model.safetensors")
        with pytest.raises(ModulesError, match=said):
            FORMATS["peft"].read(backbone("bert"), tmp_path)

    @pytest.mark.parametrize(
        "settings",
        [
            {},
            {"use_rslora": True},
            {"init_lora_weights": "gaussian"},
            {"init_lora_weights": "orthogonal"},
            {"init_lora_weights": "mica"},
            {"lora_dropout": 0.1},
            {"target_modules": r".*layer\.\d+\.attention\.self\.(query|value)"},
            {"layers_to_transform": [1]},
            {"half": True},
            {"init_lora_weights": "pissa", "converted": True},
            {"init_lora_weights": "olora", "converted": True, "use_rslora": True},
        ],
        ids=str,
    )
    def test_a_variant_that_is_read_computes_what_peft_computes(
        self, combination: Callable[..., Combination], folder: Folder, tmp_path: Path, settings: dict[str, Any]
    ) -> None:
        bare = hidden(combination("xlm-roberta"))
        save_variant(folder("xlm-roberta"), tmp_path, settings)
        ours = combination("xlm-roberta")
        put_on(ours, FORMATS["peft"].read(ours.backbone, tmp_path / "saved"))
        expected = loaded_by_peft(folder("xlm-roberta"), tmp_path / "saved")
        _, mask = tiny.batch()
        assert float((hidden(ours) - expected)[mask.bool()].abs().max()) < 1e-5
        assert float((bare - expected)[mask.bool()].abs().max()) > 0.01

    @pytest.mark.parametrize(
        ("settings", "said"),
        [
            ({"init_lora_weights": "pissa"}, 'init_lora_weights is "pissa", with which PEFT changed the backbone'),
            ({"init_lora_weights": "pissa_niter_4"}, 'init_lora_weights is "pissa_niter_4"'),
            ({"init_lora_weights": "olora"}, 'init_lora_weights is "olora"'),
            ({"use_dora": True}, "use_dora is true"),
            ({"bias": "lora_only"}, 'bias is "lora_only"'),
            ({"lora_bias": True}, "lora_bias is true"),
            ({"modules_to_save": ["intermediate.dense"]}, r'modules_to_save is \["intermediate.dense"\]'),
            ({"rank_pattern": {"layer.0.attention.self.query": 2}}, "rank_pattern is"),
            ({"alpha_pattern": {"layer.0.attention.self.query": 2}}, "alpha_pattern is"),
            ({"trainable_token_indices": [3, 4]}, r"trainable_token_indices is"),
        ],
        ids=str,
    )
    def test_another_variant_is_refused_by_name(
        self, backbone: Callable[..., Backbone], folder: Folder, tmp_path: Path, settings: dict[str, Any], said: str
    ) -> None:
        save_variant(folder("xlm-roberta"), tmp_path, settings)
        with pytest.raises(ModulesError, match=said):
            FORMATS["peft"].read(backbone("xlm-roberta"), tmp_path / "saved")

    def test_a_rank_that_the_file_does_not_name_is_that_of_peft(
        self, backbone: Callable[..., Backbone], folder: Folder, tmp_path: Path
    ) -> None:
        for rank in (4, 8):
            save_variant(folder("xlm-roberta"), tmp_path, {"r": rank})
            file = tmp_path / "saved" / "adapter_config.json"
            settings = json.loads(file.read_text())
            del settings["r"]
            file.write_text(json.dumps(settings))
            if rank == 8:
                assert FORMATS["peft"].read(backbone("xlm-roberta"), file.parent)["lora"].config.rank == 8
            else:
                with pytest.raises(ModulesError, match="r is 8 .PEFT's default, .* weights have the rank 4"):
                    FORMATS["peft"].read(backbone("xlm-roberta"), file.parent)


def save_variant(model: Path, folder: Path, settings: dict[str, Any]) -> None:
    """Saves a LoRA of PEFT with weights as after a training in `folder/saved`."""
    peft = pytest.importorskip("peft", reason="no package peft, which is a dependency of the tests")
    torch.manual_seed(1)
    options = {"r": 4, "lora_alpha": 8, "target_modules": ["query", "value"], "task_type": "FEATURE_EXTRACTION"}
    options |= {name: value for name, value in settings.items() if name not in ("half", "converted")}
    wrapped = peft.get_peft_model(AutoModel.from_pretrained(model), peft.LoraConfig(**options))
    more: dict[str, Any] = {}
    if settings.get("converted"):
        wrapped.peft_config["default"].init_lora_weights = True  # as PEFT's documentation saves the untrained one
        wrapped.save_pretrained(str(folder / "untrained"))
        wrapped.peft_config["default"].init_lora_weights = settings["init_lora_weights"]
        more = {"path_initial_model_for_weight_conversion": str(folder / "untrained")}
    with torch.no_grad():
        for name, parameter in wrapped.named_parameters():
            if "lora_" in name:
                parameter.add_(0.2 * torch.randn_like(parameter))
    wrapped.save_pretrained(str(folder / "saved"), **more)
    if settings.get("half"):
        file = folder / "saved" / "adapter_model.safetensors"
        save_file({name: tensor.half() for name, tensor in load_file(file).items()}, file, metadata={"format": "pt"})


def loaded_by_peft(model: Path, folder: Path) -> Tensor:
    """What PEFT computes with what lies in a folder."""
    import peft

    return theirs(peft.PeftModel.from_pretrained(AutoModel.from_pretrained(model), str(folder)), "xlm-roberta")
