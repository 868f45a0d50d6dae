from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from safetensors.torch import load_file, save_file
from torch import nn

from modules import (
    CONFIGS,
    BackboneConfig,
    Combination,
    Component,
    ComponentConfig,
    ModulesError,
    component_class,
    count_parameters,
    inspect_backbone,
    trained_parameters,
)
from modules.backbone.architectures import ARCHITECTURES as TABLE
from modules.components import (
    BottleneckConfig,
    FullConfig,
    Invertible,
    InvertibleConfig,
    LoRA,
    LoRAConfig,
    PrefixConfig,
    SoftPromptConfig,
)
from tests.modules import tiny
from tests.modules.slots import (
    KINDS,
    MIXED,
    SIXTEEN,
    fill,
    kind_and_config,
    models_that_take,
    name,
    perturb,
    possible,
)

ROOT = Path(__file__).parents[2]
EVERY_MODEL = pytest.mark.parametrize("model_type", tiny.MODELS)


def test_every_supported_encoder_is_tested() -> None:
    assert set(TABLE) == set(tiny.MODELS)


@EVERY_MODEL
@pytest.mark.parametrize("kind", KINDS)
def test_parameters_are_counted_without_weights(
    combination: Callable[..., Combination], folder: Callable[[str], Path], model_type: str, kind: str
) -> None:
    real_kind, config = kind_and_config(kind)
    info = inspect_backbone(BackboneConfig(name=str(folder(model_type))))
    if reason := config.incompatibility(info):
        if real_kind == "invertible":
            assert info.family != "encoder"
            assert f"not for {model_type}: use words" in reason
            return
        assert real_kind in ("prefix", "ia3")
        assert TABLE[model_type].plugged_in or TABLE[model_type].fused_qkv
        assert f"`adapters` does not support it for {model_type}" in reason or "share its one layer" in reason
        return
    counted = trained_parameters(real_kind, config, info, with_lm_head=True)
    component = combination(model_type).add("task", real_kind, config, seed=0)
    assert counted == sum(parameter.numel() for parameter in component.own_parameters().values())


def test_the_language_model_head_counts_only_where_it_is_used(folder: Callable[[str], Path]) -> None:
    info = inspect_backbone(BackboneConfig(name=str(folder("bert"))))
    whole = trained_parameters("full", FullConfig(), info, with_lm_head=True)
    assert trained_parameters("full", FullConfig(), info) == count_parameters(info)
    assert whole - count_parameters(info) == tiny.WIDTH**2 + 3 * tiny.WIDTH + tiny.VOCABULARY


@pytest.mark.parametrize(("model_type", "kind"), models_that_take(KINDS))
def test_names_of_parameters_depend_on_the_kind_alone(
    combination: Callable[..., Combination], model_type: str, kind: str
) -> None:
    whole = combination(model_type)
    real_kind, config = kind_and_config(kind)
    one = whole.add("task", real_kind, config, seed=0)
    names = list(one.own_parameters())
    whole.remove(one)
    other = whole.add("language", real_kind, config, language="swh_Latn", seed=0)
    assert names == list(other.own_parameters())
    assert not any("component" in name for name in names)


@pytest.mark.slow
def test_a_fresh_process_gives_the_same_hidden_states(
    combination: Callable[..., Combination], folder: Callable[[str], Path], tmp_path: Path
) -> None:
    ids, mask = tiny.batch()
    expected = {}
    for model_type in tiny.MODELS:
        whole = combination(model_type)
        for slots in [SIXTEEN[-1], *MIXED]:
            if not possible(slots, whole.backbone.info):
                continue
            fill(whole, slots, ["swh_Latn"])
            place = tmp_path / model_type / name(slots)
            place.mkdir(parents=True)
            with torch.no_grad():
                expected[f"{model_type}/{name(slots)}"] = whole.encode(ids, mask, ["swh_Latn"] * 4)
            for component in whole.components():
                save_file(component.own_state(), place / f"{component.name}.safetensors")
                whole.remove(component)
    script = Path(__file__).with_name("reload.py")
    command = [sys.executable, str(script), str(folder("bert").parent), str(tmp_path), *expected]
    subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    hidden = load_file(tmp_path / "hidden.safetensors")
    assert hidden.keys() == expected.keys()
    for key, tensor in expected.items():
        assert torch.equal(hidden[key], tensor), key


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_that_does_not_fit_is_refused(combination: Callable[..., Combination], kind: str) -> None:
    real_kind, config = kind_and_config(kind)
    component = combination().add("task", real_kind, config, seed=0)
    before = component.own_state()
    first = next(iter(before))
    short = {key: tensor for key, tensor in before.items() if key != first}
    wrong = {first: torch.zeros(1, 2, 3)}
    for state, message in [
        (short, f"missing {first}"),
        (before | {"more": torch.zeros(1)}, "unexpected more"),
        (before | wrong, rf"{first} has shape \[1, 2, 3\] instead of \["),
        (short | {"more": torch.zeros(1)}, f"missing {first}.*; unexpected more"),
    ]:
        with pytest.raises(ModulesError, match=f"^{component.name}: .*{message}"):
            component.load_own_state(state)
    after = component.own_state()
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_a_state_is_a_copy(combination: Callable[..., Combination]) -> None:
    component = combination().add("task", "adapter", BottleneckConfig(reduction_factor=4), seed=0)
    state = component.own_state()
    kept = {key: tensor.clone() for key, tensor in state.items()}
    perturb(component.own_parameters(), seed=1)
    assert all(torch.equal(state[key], kept[key]) for key in kept)
    component.load_own_state(state)
    assert all(torch.equal(tensor, kept[key]) for key, tensor in component.own_state().items())


def test_a_prompts_initial_text_is_repeated_without_special_tokens(combination: Callable[..., Combination]) -> None:
    whole = combination()
    config = SoftPromptConfig(length=7, init="w3 {language} w4")
    prompt = whole.add("language", "prompt", config, language="swh_Latn", language_name="w9", seed=0)
    words = whole.backbone.tokenizer.convert_tokens_to_ids(["w3", "w9", "w4"] * 3)[:7]
    assert torch.equal(prompt.prompt(), whole.backbone.embeddings.weight[words])


def test_a_prompts_initial_text_needs_its_language(combination: Callable[..., Combination]) -> None:
    with pytest.raises(ModulesError, match=r"'w3 \{language\}' names \{language\}"):
        combination().add("task", "prompt", SoftPromptConfig(init="w3 {language}"), seed=0)


def test_a_prompt_from_the_vocabulary_takes_ordinary_tokens(combination: Callable[..., Combination]) -> None:
    whole = combination()
    prompt = whole.add("task", "prompt", SoftPromptConfig(length=30), seed=0)
    ordinary = whole.backbone.embeddings.weight[5:]
    distances = torch.cdist(prompt.prompt(), ordinary)
    assert torch.equal(distances.min(dim=1).values.round(decimals=3), torch.zeros(30))
    assert len(distances.argmin(dim=1).unique()) > 10


def test_a_normal_prompt_draws_with_the_deviation(combination: Callable[..., Combination]) -> None:
    config = SoftPromptConfig(length=30, init="normal", std=3.0)
    prompt = combination().add("task", "prompt", config, seed=0)
    assert abs(float(prompt.prompt().std()) - 3) < 0.3


def test_only_prompts_take_positions() -> None:
    assert SoftPromptConfig(length=7).positions == 7
    assert PrefixConfig(length=7).positions == 0


@EVERY_MODEL
def test_several_loras_are_summed(combination: Callable[..., Combination], model_type: str) -> None:
    targets = ["query", "value", "attention_output", "feed_forward_in", "feed_forward_out"]
    ids, mask = tiny.batch()
    whole, merged = combination(model_type), combination(model_type)
    for role, rank in [("language", 2), ("task", 3)]:
        lora = whole.add(role, "lora", LoRAConfig(rank=rank, alpha=6, targets=targets), seed=0)
        assert isinstance(lora, LoRA)
        perturb(lora.own_parameters(), seed=rank)
        for number in range(merged.backbone.info.layers):
            for target in targets:
                weight = merged.backbone.linears(number)[target].weight.data
                product = lora.layers[str(number)][target]
                change = 6 / rank * product.up.weight.data @ product.down.weight.data
                units = weight.T if model_type == "gpt2" else weight  # one row for each unit of the output
                fused = TABLE[model_type].fused_qkv if target in ("query", "value") else None
                groups = units.unflatten(0, {"thirds": (1, 3, -1), "heads": (4, 3, -1), None: (1, 1, -1)}[fused])
                groups[:, {"query": 0, "value": 2}[target] if fused else 0] += change.unflatten(0, (len(groups), -1))
    with torch.no_grad():
        hidden = whole.encode(ids, mask)
        plain = combination(model_type).encode(ids, mask)
        expected = merged.encode(ids, mask)
    assert not torch.allclose(hidden, plain, atol=1e-2)
    torch.testing.assert_close(hidden, expected, atol=1e-5, rtol=1e-4)


def test_the_inverse_undoes_an_invertible_adapter(combination: Callable[..., Combination]) -> None:
    component = combination().add("task", "invertible", InvertibleConfig(), seed=0)
    perturb(component.own_parameters(), seed=0)
    vectors = torch.randn(5, tiny.WIDTH)
    changed = component.embed(vectors.unsqueeze(0)).squeeze(0)
    assert not torch.allclose(changed, vectors, atol=0.1)
    torch.testing.assert_close(component.unembed(changed), vectors)


@EVERY_MODEL
def test_an_invertible_adapter_sees_the_text_and_never_the_prompts(
    combination: Callable[..., Combination], model_type: str
) -> None:
    whole = combination(model_type)
    fill(whole, (("language", "prompt"), ("language", "invertible"), ("task", "prompt")), ["swh_Latn"])
    prompt, invertible, task_prompt = whole.components()
    ids, mask = tiny.batch()
    seen: dict[str, Any] = {}
    whole.backbone.model.register_forward_pre_hook(lambda module, args, kwargs: seen.update(kwargs), with_kwargs=True)
    whole.encode(ids, mask, ["swh_Latn"] * 4)
    changed = invertible.embed(whole.backbone.embeddings(ids))
    prompts = torch.cat([prompt.prompt(), task_prompt.prompt()]).expand(4, -1, -1)
    assert torch.equal(seen["inputs_embeds"], torch.cat([prompts, changed], dim=1))


@pytest.mark.parametrize("model_type", [name for name, known in TABLE.items() if known.family == "encoder"])
def test_an_invertible_adapter_behind_positions_sees_the_text_and_never_the_prompts(
    combination: Callable[..., Combination], model_type: str
) -> None:
    whole = combination(model_type)
    slots = (("language", "prompt"), ("language", "invertible behind positions"), ("task", "prompt after bos"))
    fill(whole, slots, ["swh_Latn"])
    invertible = next(component for component in whole.components() if isinstance(component, Invertible))
    ids, mask = tiny.batch()
    seen: list[torch.Tensor] = []
    embedder = whole.backbone.embedder
    assert embedder is not None
    embedder.register_forward_hook(lambda module, inputs, result: seen.append(result))  # in front of the component's
    first = whole.backbone.layers[0]
    first.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    embedded = whole.backbone.model.embeddings_project if model_type == "electra" else nn.Identity()
    whole.encode(ids, mask, ["swh_Latn"] * 4)
    before, read = seen
    text = [3, *range(7, 7 + ids.shape[1] - 1)]  # three vectors in front of the first token, three behind it
    expected = before.clone()
    expected[:, text] = invertible.embed(before[:, text])
    assert not torch.allclose(before, expected, atol=0.1)
    torch.testing.assert_close(read, embedded(expected))
    assert torch.equal(embedded(before)[:, [0, 1, 2, 4, 5, 6]], read[:, [0, 1, 2, 4, 5, 6]])


@pytest.mark.parametrize("language_place", ["invertible", "invertible behind positions"])
def test_two_invertible_adapters_are_undone_in_the_order_opposite_to_theirs(
    combination: Callable[..., Combination], language_place: str
) -> None:
    whole = combination()
    fill(whole, (("language", language_place), ("task", "invertible")), ["swh_Latn"])
    first, last = sorted(whole.components(), key=lambda component: component.after_embedding_layer)
    seen: list[torch.Tensor] = []
    output = whole.backbone.lm_head.output
    output.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))  # in front of the components'
    output.register_forward_hook(lambda module, inputs, result: seen.append(inputs[0]))
    whole.lm_logits(torch.randn(6, tiny.WIDTH), ["swh_Latn"] * 6)
    before, undone = seen
    torch.testing.assert_close(last.embed(first.embed(undone[None]))[0], before)


@pytest.mark.parametrize(
    ("model_type", "kind"), models_that_take(["invertible", "invertible behind positions"], role="language")
)
def test_an_invertible_adapter_is_undone_just_before_the_output_layer(
    combination: Callable[..., Combination], model_type: str, kind: str
) -> None:
    whole, plain = combination(model_type), combination(model_type)
    fill(whole, (("language", kind),), ["swh_Latn"])
    (invertible,) = whole.components()
    assert isinstance(invertible, Invertible)
    vectors = torch.randn(6, tiny.WIDTH)
    seen = []
    output = plain.backbone.lm_head._output[0]
    output.register_forward_hook(lambda module, inputs, result: seen.append((inputs[0], result)))
    expected = plain.lm_logits(vectors)
    before_output, _ = seen[0]
    logits = whole.lm_logits(vectors, ["swh_Latn"] * 6)
    plainly = output(invertible.unembed(before_output))
    if (cap := getattr(plain.backbone.model.config, "final_logit_softcapping", None)) is not None:
        plainly = torch.tanh(plainly / cap) * cap
    torch.testing.assert_close(logits, plainly)
    assert torch.equal(whole.lm_logits(vectors, ["hau_Latn"] * 6), expected)


@pytest.mark.parametrize(
    ("kind", "config", "message"),
    [
        ("adapter", BottleneckConfig(reduction_factor=64), "exceeds the hidden size 32"),
        ("adapter", BottleneckConfig(type="compacter", reduction_factor=16), "multiples of 4"),
        ("adapter", BottleneckConfig(leave_out=[0, 1]), "leaves out all 2 layers"),
        ("lora", LoRAConfig(leave_out=[0, 1]), "leaves out all 2 layers"),
        ("invertible", InvertibleConfig(reduction_factor=17), "exceeds half the embedding size 32"),
    ],
)
def test_components_refuse_what_cannot_work(
    folder: Callable[[str], Path], kind: str, config: Any, message: str
) -> None:
    info = inspect_backbone(BackboneConfig(name=str(folder("bert"))))
    assert message in config.incompatibility(info)


def test_an_invertible_adapter_cannot_stand_where_it_could_not_be_undone(tmp_path: Path) -> None:
    build = tiny.build(tmp_path, "deberta-v2", embedding_size=24)
    info = inspect_backbone(BackboneConfig(name=str(build)))
    assert InvertibleConfig().incompatibility(info) is None
    assert "32 wide and the output embeddings" in InvertibleConfig(place="embeddings").incompatibility(info)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("prompt", {"length": 0}),
        ("prompt", {"std": 0}),
        ("prompt", {"init": " "}),
        ("prompt", {"position": "behind"}),
        ("prompt", {"reparameterization": 0}),
        ("adapter", {"reduction_factor": 0}),
        ("adapter", {"type": "par_bn"}),
        ("invertible", {"reduction_factor": 0}),
        ("invertible", {"place": "layers"}),
        ("lora", {"rank": 0}),
        ("lora", {"dropout": 1.0}),
        ("lora", {"targets": []}),
        ("lora", {"targets": ["query", "query"]}),
        ("lora", {"targets": ["q"]}),
        ("prefix", {"length": 0}),
        ("prefix", {"bottleneck_size": 0}),
        ("ia3", {"rank": 1}),
        ("full", {"rank": 1}),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(kind: str, settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(CONFIGS[kind]).validate_python(settings)


@pytest.mark.parametrize("kind", CONFIGS)
def test_every_setting_has_a_default_and_passes_through_json(kind: str) -> None:
    config = CONFIGS[kind]()
    text = json.dumps(dataclasses.asdict(config))
    assert TypeAdapter(type(config)).validate_json(text, strict=True) == config


@dataclasses.dataclass(frozen=True)
class ShiftConfig(ComponentConfig):
    kind: ClassVar[str] = "shift"


class Shift(Component):
    """A component of a user's own."""

    Config = ShiftConfig

    def __init__(self, size: int) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.ones(size))

    @classmethod
    def create(cls, config: Any, backbone: Any, *, name: str, language: str | None) -> Shift:
        return cls(backbone.info.embedding_size)

    def embed(self, embeddings: torch.Tensor) -> torch.Tensor:
        return embeddings + self.shift


def test_a_class_of_ones_own_is_a_kind(combination: Callable[..., Combination]) -> None:
    path = f"{__name__}.Shift"
    whole = combination()
    ids, mask = tiny.batch()
    before = whole.encode(ids, mask)
    component = whole.add("task", path, ShiftConfig(), seed=0)
    assert trained_parameters(path, ShiftConfig(), whole.backbone.info) == tiny.WIDTH
    assert component.name == "component-task-shift"
    assert not torch.allclose(whole.encode(ids, mask), before)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("lorra", "unknown kind of component 'lorra' .did you mean 'lora'..; known: prompt, adapter, .* dotted path"),
        ("nowhere.Shift", "cannot be imported"),
        ("torch.nn.Nothing", "cannot be imported"),
        ("torch.nn.Linear", "is not a subclass"),
    ],
)
def test_unknown_kinds_are_said(kind: str, message: str) -> None:
    with pytest.raises(ModulesError, match=message):
        component_class(kind)
