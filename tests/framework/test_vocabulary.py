"""A pretraining that reduces the vocabulary, and all that stands on it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file

from datamodules import MaskingConfig, MonolingualText, seen_tokens
from framework.execution.execute import load_stage_backbone
from framework.execution.predict import predict_lines
from framework.execution.prefetch import prefetch_experiment
from framework.planning.plan import Plan, PretrainStage
from framework.reports.plan_table import print_plan
from framework.store.store import KEPT_TOKENS, WEIGHTS
from modules import load_backbone, load_tokenizer
from tests.framework.tiny import SOURCE, TARGETS, Workspace, execute_one_stage, outcome, read_rows, runs


def changes(workspace: Workspace, languages: list[str] | None = None, **more: Any) -> dict[str, Any]:
    pretrain = {
        "languages": languages or [SOURCE],
        "objective": {"masked": workspace.text},
        "training": {"steps": 3, "optimizer": {"lr": 0.01}},
        "batch_size": 4,
        "reduce_vocabulary": True,
    }
    return workspace.masked | {"pretrain": pretrain | more}


def shown(plan: Plan) -> str:
    printed = io.StringIO()
    print_plan(plan, Console(file=printed, width=200), verbose=False)
    return printed.getvalue()


def test_all_that_stands_on_it_has_the_reduced_weights(workspace: Workspace) -> None:
    asked = changes(workspace) | {"combination.language": {"prompt": {"length": 3}, "adapter": {"reduction_factor": 8}}}
    plan = workspace.plan(asked)
    [pretraining, *others] = plan.stages
    before = shown(plan)
    assert f"≤ {pretraining.parameters / 1e3:.0f}k (100.00%)" in before
    assert "note: The vocabulary of 64 tokens will be reduced to those that the text in eng_Latn holds." in before
    assert "was not made for swh_Latn, hau_Latn" in before
    workspace.run(asked)
    assert workspace.plan(asked).todo == []

    trained = load_file(workspace.store.path(pretraining.id) / WEIGHTS)
    kept = trained.pop(KEPT_TOKENS)
    text = " ".join(row["text"] for row in read_rows(workspace.corpus / SOURCE / "train.parquet"))
    original = load_backbone(pretraining.backbone.config, with_lm_head=True)
    ids = original.tokenizer(text)["input_ids"]
    assert kept.tolist() == sorted({*ids, *original.tokenizer.all_special_ids})
    assert len(kept) < 64

    passport = workspace.store.passport(pretraining.id)
    assert passport.parameters == sum(map(torch.numel, trained.values())) < pretraining.parameters
    saved = (pretraining.parameters - passport.parameters) * 4 / 1e6
    [note] = passport.notes
    assert note.startswith(f"The vocabulary was reduced to the {len(kept)} of 64 tokens that the text in eng_Latn")
    assert f"{passport.parameters:,} of {pretraining.parameters:,} parameters are left, {saved:.1f} MB fewer" in note
    after = shown(workspace.plan(asked))
    assert note in after
    assert "will be reduced" not in after
    [run] = runs(workspace.plan(asked))
    assert note in run.record.notes

    for stage in others:
        backbone = load_stage_backbone(stage.backbone, workspace.store)
        assert backbone.vocabulary is not None
        assert torch.equal(backbone.vocabulary.kept, kept)
        own = backbone.own_parameters()
        assert all(torch.equal(tensor, trained[f"language.full/{name}"]) for name, tensor in own.items())
    predictions = [row for _, rows in outcome(run).values() for row in rows]
    assert predictions


def test_it_predicts_as_it_was_tested(workspace: Workspace) -> None:
    asked = changes(workspace, [SOURCE, *TARGETS])
    workspace.run(asked)
    [run] = runs(workspace.plan(asked))
    expected = {row[0]: row[2:] for row in outcome(run)["own", "swh_Latn"][1]}
    rows = read_rows(workspace.texts / "swh_Latn" / "test.parquet")
    found = list(predict_lines(run.path, "swh_Latn", [row["text"] for row in rows]))
    assert [answer for answer in found if answer] == [
        (label, pytest.approx(confidence)) for label, confidence in (expected[str(row["index_id"])] for row in rows)
    ]


def test_the_whole_reduced_backbone_can_learn_the_task(workspace: Workspace) -> None:
    asked = changes(workspace) | {"combination": {"task": {"full": {}}}}
    workspace.run(asked)
    [_, task, _] = workspace.plan(asked).stages
    state = load_file(workspace.store.path(task.id) / WEIGHTS)
    assert KEPT_TOKENS not in state
    passport = workspace.store.passport(task.id)
    assert passport.parameters == sum(map(torch.numel, state.values())) < task.parameters


def test_it_is_another_stage_and_without_it_nothing_changes(workspace: Workspace) -> None:
    reduced, whole = (workspace.plan(changes(workspace, reduce_vocabulary=choice)) for choice in (True, False))
    implied = changes(workspace)
    del implied["pretrain"]["reduce_vocabulary"]
    assert {stage.id for stage in reduced.stages}.isdisjoint(stage.id for stage in whole.stages)
    assert [stage.id for stage in whole.stages] == [stage.id for stage in workspace.plan(implied).stages]
    assert "≤" not in shown(whole)
    assert "ocabulary" not in shown(whole)


def test_a_plan_reads_no_text(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_: Any) -> None:
        raise AssertionError("the text is read")

    monkeypatch.setattr(MonolingualText, "texts", read)
    assert workspace.plan(changes(workspace)).todo


def test_prefetch_reads_the_text_for_its_tokens(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(
        "datamodules.seen_tokens", lambda text, tokenizer, languages: asked.append(languages)
    )
    prefetch_experiment(workspace.write(changes(workspace)), [], Console(file=io.StringIO()))
    assert asked == [[SOURCE]]


def test_tokens_are_those_of_the_text_and_of_what_stands_before_it(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = load_tokenizer(workspace.plan(changes(workspace)).stages[0].backbone.info)
    text = MonolingualText(MaskingConfig("texts", path=str(workspace.corpus), text_prefix="w58 "))
    every = [row["text"] for row in read_rows(workspace.corpus / SOURCE / "train.parquet")]

    def tokens(texts: list[str]) -> set[int]:
        return {token for ids in tokenizer(["w58", *texts])["input_ids"] for token in ids}

    assert set(seen_tokens(text, tokenizer, [SOURCE]).tolist()) == tokens(every)
    monkeypatch.setattr("datamodules.unlabelled.seen_tokens.CHARACTERS", len(every[0]))
    assert set(seen_tokens(text, tokenizer, [SOURCE]).tolist()) == tokens(every[:1]) < tokens(every)


@pytest.mark.slow
def test_two_processes_come_to_what_one_does(workspace: Workspace, tmp_path: Path) -> None:
    # Each stage takes seconds to start its processes: this one alone.
    [pretraining] = workspace.plan(changes(workspace)).of_type(PretrainStage)
    two = Workspace(tmp_path / "two", workspace.encoder, workspace.texts, workspace.corpus)
    two.folder.mkdir()
    for place, devices in ((workspace, 1), (two, 2)):
        execute_one_stage(place.write(changes(place) | {"trainer.devices": devices}), pretraining.id)
    states = [load_file(place.store.path(pretraining.id) / WEIGHTS) for place in (workspace, two)]
    assert states[0].keys() == states[1].keys()
    for name, tensor in states[0].items():
        # Adam makes much of what rounding leaves of a gradient that is zero.
        torch.testing.assert_close(states[1][name], tensor, rtol=1e-3, atol=1e-3)


def test_real_text_and_a_real_tokenizer(e5: Path, real_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from modules import BackboneConfig, inspect_backbone

    monkeypatch.setattr("datamodules.unlabelled.seen_tokens.CHARACTERS", 300_000)
    tokenizer = load_tokenizer(inspect_backbone(BackboneConfig(name=str(e5))))
    text = MonolingualText(MaskingConfig("texts", path=str(real_data / "mono")))
    seen = seen_tokens(text, tokenizer, ["swh_Latn", "amh_Ethi"])
    assert 3_000 < len(seen) < 20_000
    for language in ("swh_Latn", "amh_Ethi"):
        first = next(text.texts(language, "train"))
        assert set(tokenizer(first)["input_ids"]) <= set(seen.tolist())
