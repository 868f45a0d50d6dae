"""Documents packed into one row are read as each alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from modules import BackboneConfig, Combination, ModulesError, OptimizationConfig, component_config, load_backbone
from modules.backbone.architectures import ARCHITECTURES
from modules.training.language_modeling import CausalLanguageModeling
from tests.modules import tiny

DECODERS = [name for name, known in ARCHITECTURES.items() if known.family == "decoder"]
PACKING = [name for name in DECODERS if ARCHITECTURES[name].packed_mask]
WINDOW = {"sliding_window": 4}
SETTINGS: dict[str, dict[str, Any]] = {name: {} for name in PACKING} | {
    "mistral": WINDOW,
    "qwen2": WINDOW | {"use_sliding_window": True, "max_window_layers": 1},
    "qwen3": WINDOW | {"use_sliding_window": True, "max_window_layers": 1},
    "gemma2": WINDOW,
    "gemma3_text": WINDOW | {"layer_types": ["sliding_attention", "full_attention"]},
}
"""Narrow windows, so that they cut within documents."""
LENGTHS = [[7, 3, 1, 6], [9, 8], [5]]
"""Tokens of the documents of each row."""
COMPONENTS: dict[str, dict[str, Any]] = {
    "prompt": {"length": 3},
    "adapter": {"reduction_factor": 4},
    "lora": {"rank": 2},
    "invertible": {},
}


def made(folder: Path, model_type: str, components: dict[str, dict[str, Any]], **settings: Any) -> Combination:
    """A combination in float64, where rounding cannot hide or feign a difference, unless the model cannot."""
    tiny.build(folder / model_type, model_type, dropout=0.0, **settings)
    config = BackboneConfig(name=str(folder / model_type), precision="32")
    whole = Combination(load_backbone(config, with_lm_head=True))
    for kind, values in components.items():
        for language in ("swh_Latn", "hau_Latn"):
            component = whole.add(
                "language", kind, component_config(kind)(**values), language=language, seed=len(language)
            )
            for parameter in component.own_parameters().values():
                parameter.data += 0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1))
    return whole if model_type == "xglm" else whole.double()


def batch() -> dict[str, Any]:
    """Packed rows in two languages, padded at the end."""
    time = max(map(sum, LENGTHS))
    ids, _ = tiny.batch(len(LENGTHS), time)
    document = torch.zeros_like(ids)
    labels = ids.clone()
    for row, lengths in enumerate(LENGTHS):
        numbers = torch.arange(1, len(lengths) + 1).repeat_interleave(torch.tensor(lengths))
        document[row, : len(numbers)] = numbers
        labels[row, : len(numbers)][numbers.diff(prepend=torch.tensor([0])) != 0] = -100
    labels[document == 0] = -100
    return {
        "input_ids": ids,
        "attention_mask": (document > 0).long(),
        "document": document,
        "labels": labels,
        "language": ["swh_Latn", "hau_Latn", "swh_Latn"],
    }


def alone(whole: Combination, rows: dict[str, Any]) -> torch.Tensor:
    """The hidden states [tokens, size] of each document by itself."""
    hidden = []
    for ids, document, language in zip(rows["input_ids"], rows["document"], rows["language"], strict=True):
        for number in range(1, int(document.max()) + 1):
            own = ids[document == number][None]
            hidden.append(whole.encode(own, torch.ones_like(own), [language])[0])
    return torch.cat(hidden)


@pytest.mark.parametrize("components", [{}, {"prompt": {"length": 3}}, COMPONENTS], ids=["bare", "prompt", "all"])
@pytest.mark.parametrize("model_type", PACKING)
def test_each_document_is_as_if_it_were_alone(
    tmp_path: Path, model_type: str, components: dict[str, dict[str, Any]]
) -> None:
    whole = made(tmp_path, model_type, components, **SETTINGS[model_type])
    rows = batch()
    # Transformers' eager attention takes the softmax in float32, XGLM has everything in it.
    close = 1e-5 if ARCHITECTURES[model_type].attention == "eager" else 1e-10
    tolerance = {"atol": close, "rtol": close}
    stage = CausalLanguageModeling(whole, whole.components() or [full(whole)], OptimizationConfig(steps=1))
    with torch.no_grad():
        expected = alone(whole, rows)
        packed = stage.encode(rows)[rows["document"] > 0]
        torch.testing.assert_close(packed, expected, **tolerance)
        # The same tokens as one document are something else: the test can tell.
        joined = stage.encode(rows | {"document": rows["attention_mask"]})[rows["document"] > 0]
        assert (joined - expected).abs().max() > 1e-3
        loss = functional.cross_entropy(*stage(rows))
        languages = [rows["language"][row] for row in (rows["document"] > 0).nonzero()[:, 0].tolist()]
        logits = whole.lm_logits(expected, languages)
    documents = [length for lengths in LENGTHS for length in lengths]
    ids = rows["input_ids"][rows["document"] > 0]
    losses = [
        functional.cross_entropy(theirs[:-1], own[1:], reduction="sum")
        for theirs, own in zip(logits.split(documents), ids.split(documents), strict=True)
    ]
    torch.testing.assert_close(loss, sum(losses) / (len(ids) - len(documents)), **tolerance)


@pytest.mark.parametrize("model_type", ["llama", "mistral"])
def test_prefixes_are_seen_by_every_document(tmp_path: Path, model_type: str) -> None:
    components = {"prompt": {"length": 2}, "prefix": {"length": 3}, "ia3": {}}
    whole, rows = made(tmp_path, model_type, components, **SETTINGS[model_type]), batch()
    with torch.no_grad():
        found = whole.encode(rows["input_ids"], rows["attention_mask"], rows["language"], documents=rows["document"])
        torch.testing.assert_close(found[rows["document"] > 0], alone(whole, rows), atol=1e-5, rtol=1e-5)


def full(whole: Combination) -> Any:
    return whole.add("language", "full", component_config("full")(), seed=0)


@pytest.mark.parametrize("model_type", PACKING)
def test_in_bfloat16_and_with_its_own_settings(tmp_path: Path, model_type: str) -> None:
    whole = made(tmp_path, model_type, {}).float()
    rows = batch()
    with torch.no_grad():
        expected = alone(whole, rows)
        with torch.autocast("cpu", torch.bfloat16):
            found = whole.encode(rows["input_ids"], rows["attention_mask"], documents=rows["document"])
    assert found.isfinite().all()
    similarity = functional.cosine_similarity(found[rows["document"] > 0].float(), expected, dim=-1)
    assert similarity.min() > 0.999


@pytest.mark.parametrize(
    ("model_type", "reason"), [("bloom", "ALiBi"), ("bert", "only the attention of decoders"), ("t5", "only the")]
)
def test_models_that_cannot_say_why(combination: Callable[..., Combination], model_type: str, reason: str) -> None:
    rows = batch()
    with pytest.raises(ModulesError, match=f"cannot read packed rows: .*{reason}"):
        combination(model_type).encode(rows["input_ids"], rows["attention_mask"], documents=rows["document"])


def test_every_other_decoder_can() -> None:
    assert set(DECODERS) - set(PACKING) == {"bloom"}


def test_a_prompt_behind_bos_is_refused(combination: Callable[..., Combination]) -> None:
    whole = combination("llama")
    config = component_config("prompt")(length=2, position="after_bos")
    whole.add("language", "prompt", config, seed=0)
    rows = batch()
    with pytest.raises(ModulesError, match="a prompt behind BOS cannot be shared"):
        whole.encode(rows["input_ids"], rows["attention_mask"], documents=rows["document"])
