"""A reduced vocabulary changes nothing for the tokens that it keeps, and has nothing of the others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from modules import Backbone, BackboneConfig, Combination, ModulesError, OptimizationConfig, load_backbone
from modules.backbone.backbone import save_backbone
from modules.backbone.vocabulary import reduce_vocabulary, tokens_to_keep
from modules.components import FullConfig, SoftPromptConfig
from tests.modules import tiny
from tests.modules.stages import FAMILIES

Load = Callable[..., Backbone]
UNTIED = {"xlm-roberta": False, "bert": False, "llama": False, "gpt2": False, "t5": False, "qwen2": True, "mt5": True}
"""Models of each family, with the other way to tie the output layer to the embeddings than in `tiny`."""
SEEN = torch.arange(7, 40, 3)


@pytest.fixture(params=[*tiny.MODELS, *(f"{name} tied otherwise" for name in UNTIED)])
def model(request: pytest.FixtureRequest, tmp_path: Path, folder: Callable[[str], Path]) -> Path:
    """A folder with a model of each type."""
    name, *otherwise = request.param.split(" ", 1)
    if not otherwise:
        return folder(name)
    return tiny.build(tmp_path / "model", name, dropout=0.0, tie_word_embeddings=UNTIED[name])


def loaded(folder: Path) -> Combination:
    backbone = load_backbone(BackboneConfig(name=str(folder), precision="32"), with_lm_head=True)
    assert backbone.lm_head is not None
    if isinstance(backbone.lm_head.bias, torch.Tensor):  # BART's, which is zero in a fresh model
        backbone.lm_head.bias.copy_(torch.linspace(-1, 1, tiny.VOCABULARY))
    return Combination(backbone)


def reduced(folder: Path) -> Combination:
    whole = loaded(folder)
    reduce_vocabulary(whole.backbone, tokens_to_keep(whole.backbone, SEEN))
    return whole


def text(kept: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A batch of kept tokens."""
    ids, mask = tiny.batch()
    return kept[ids % len(kept)], mask


def test_what_is_computed_of_kept_tokens_stays_bit_for_bit(model: Path) -> None:
    before, after = loaded(model), reduced(model)
    assert after.backbone.vocabulary is not None
    kept = after.backbone.vocabulary.kept
    assert set(SEEN.tolist()) < set(kept.tolist())
    assert len(kept) < tiny.VOCABULARY / 2
    ids, mask = text(kept)
    with torch.no_grad():
        assert torch.equal(after.backbone.embeddings(ids), before.backbone.embeddings(ids))
        hidden = before.encode(ids, mask)[mask.bool()]
        assert torch.equal(after.encode(ids, mask)[mask.bool()], hidden)
        expected, found = before.lm_logits(hidden), after.lm_logits(hidden)
        assert torch.equal(after.kept_logits(hidden), found[:, kept])
    assert torch.equal(found[:, kept], expected[:, kept])
    dropped = torch.ones(tiny.VOCABULARY, dtype=torch.bool).index_fill(0, kept, False)
    assert (found[:, dropped] == -torch.inf).all()
    assert torch.equal(after.backbone.rows(kept), torch.arange(len(kept)))


def test_dropped_tokens_are_the_unknown_one(model: Path) -> None:
    after = reduced(model)
    assert after.backbone.vocabulary is not None
    ids, mask = tiny.batch()
    lost = ~torch.isin(ids, after.backbone.vocabulary.kept)
    assert lost.any()
    unknown = ids.masked_fill(lost, after.backbone.tokenizer.unk_token_id)
    with torch.no_grad():
        assert torch.equal(after.encode(ids, mask), after.encode(unknown, mask))
    assert torch.equal(after.backbone.rows(ids), after.backbone.rows(unknown))


def test_no_weight_of_dropped_tokens_is_left(model: Path) -> None:
    before, after = loaded(model).backbone, reduced(model).backbone
    assert after.vocabulary is not None
    rows = len(after.vocabulary.kept)
    old, new = before.own_parameters(), after.own_parameters()
    assert old.keys() == new.keys()  # what was tied still is
    for name, weights in old.items():
        whole = weights.shape[0] == tiny.VOCABULARY
        assert new[name].shape[0] == (rows if whole else weights.shape[0])
        assert torch.equal(new[name], weights[after.vocabulary.kept] if whole else weights)
        assert not new[name].requires_grad
    changed = [weights for weights in old.values() if weights.shape[0] == tiny.VOCABULARY]
    assert sum(map(torch.numel, old.values())) - sum(map(torch.numel, new.values())) == sum(
        (tiny.VOCABULARY - rows) * weights[0].numel() for weights in changed
    )
    assert sum(buffer.numel() for name, buffer in after.named_buffers() if name.endswith("lm_head.bias")) in (0, rows)


def labelled(family: str, kept: torch.Tensor) -> dict[str, Any]:
    """A batch that holds, and asks for, kept tokens only."""
    ids, mask = text(kept)
    labels = ids.masked_fill(mask == 0, -100)
    if family == "encoder":
        labels[:, ::2] = -100
    return {"input_ids": ids, "attention_mask": mask, "labels": labels, "language": [""] * len(ids)}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_loss_is_over_the_tokens_that_are_left(folder: Callable[[str], Path], family: str) -> None:
    model_type, make = FAMILIES[family]
    stages = []
    for whole in (loaded(folder(model_type)), reduced(folder(model_type))):
        whole.add("language", "full", FullConfig(), seed=0)
        stages.append(make(whole, OptimizationConfig(steps=1)))
    before, after = stages
    vocabulary = after.combination.backbone.vocabulary
    assert vocabulary is not None
    batch = labelled(family, vocabulary.kept)
    logits, tokens = before(batch)
    expected = functional.cross_entropy(logits[:, vocabulary.kept], vocabulary.rows[tokens])
    assert vocabulary.kept[vocabulary.rows[tokens]].tolist() == tokens.tolist()
    loss = functional.cross_entropy(*after(batch))
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert all(weights.grad is not None for weights in after.combination.backbone.own_parameters().values())


def test_prompts_begin_as_kept_tokens(folder: Callable[[str], Path]) -> None:
    before, after = loaded(folder("gemma")), reduced(folder("gemma"))
    assert after.backbone.vocabulary is not None
    config = SoftPromptConfig(length=4, init=tiny.WORDS[7 - 5] + " " + tiny.WORDS[10 - 5])
    tables = [whole.add("language", "prompt", config, seed=0).own_state()["table"] for whole in (before, after)]
    assert torch.equal(*tables)
    drawn = after.add("task", "prompt", SoftPromptConfig(length=200), seed=0).own_state()["table"]
    ordinary = [token for token in after.backbone.vocabulary.kept.tolist() if token > 4]
    possible = before.backbone.embeddings(torch.tensor(ordinary))
    assert (drawn[:, None] == possible).all(-1).any(1).all()
    assert len(drawn.unique(dim=0)) == len(ordinary)


def test_what_no_text_need_hold_is_kept(folder: Callable[[str], Path]) -> None:
    whole = loaded(folder("mbart")).backbone
    kept = set(tokens_to_keep(whole, SEEN).tolist())
    assert kept == {*SEEN.tolist(), *whole.tokenizer.all_special_ids, whole.model.config.decoder_start_token_id}
    assert {whole.tokenizer.mask_token_id, whole.tokenizer.unk_token_id} <= kept


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        ([], "ascending ids of its 64 tokens"),
        ([3, 7, 7], "ascending"),
        ([-1, 3], "ascending"),
        ([3, 64], "ascending"),
        ([0, 7], "the unknown token of .* must be kept"),
    ],
)
def test_what_cannot_be_kept_is_said(folder: Callable[[str], Path], kept: list[int], message: str) -> None:
    with pytest.raises(ModulesError, match=message):
        reduce_vocabulary(loaded(folder("bert")).backbone, torch.tensor(kept, dtype=torch.long))


def test_once_is_enough(folder: Callable[[str], Path], tmp_path: Path) -> None:
    whole = reduced(folder("bert"))
    with pytest.raises(ModulesError, match="is reduced already"):
        reduce_vocabulary(whole.backbone, torch.arange(5))
    with pytest.raises(ModulesError, match="was reduced: its tokenizer is not that of a folder"):
        save_backbone(whole.backbone, tmp_path / "saved")


def test_a_tokenizer_without_an_unknown_token_is_refused(folder: Callable[[str], Path]) -> None:
    whole = loaded(folder("gpt2"))
    whole.backbone.tokenizer.unk_token = None
    with pytest.raises(ModulesError, match="has no unknown token"):
        reduce_vocabulary(whole.backbone, torch.arange(5))
