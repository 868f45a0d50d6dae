"""Objectives that a YAML leaves to the backbone, and rows of several documents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from datamodules.unlabelled.packing import Packing
from framework.planning.plan import LanguageStage, PretrainStage
from tests.framework.tiny import SOURCE, Workspace, tiny

FAMILIES = {"xlm-roberta": "masked", "gpt2": "causal", "t5": "span_corruption"}


def changes(workspace: Workspace, encoder: Path, objective: dict[str, Any]) -> dict[str, Any]:
    pretrain = {"languages": [SOURCE], "objective": objective, "training": {"steps": 1}}
    return {
        "backbone.name": str(encoder),
        "combination.language": {"adapter": {"reduction_factor": 8}},
        "stages.language.objective": objective,
        "stages.task.answer.classification_head.pooling": "mean",
        "pretrain": pretrain,
    }


@pytest.mark.parametrize(("model_type", "explicit"), FAMILIES.items())
def test_language_modelling_is_that_of_the_family(
    workspace: Workspace, tmp_path: Path, model_type: str, explicit: str
) -> None:
    encoder = tiny.build(tmp_path / model_type, model_type)
    left, named = (
        workspace.plan(changes(workspace, encoder, {name: workspace.text})) for name in ("language_modeling", explicit)
    )
    assert [stage.id for stage in left.stages] == [stage.id for stage in named.stages]
    for stage in left.of_type(PretrainStage) + left.of_type(LanguageStage):
        assert stage.settings.objective.name == explicit
        assert stage.settings.objective.text.max_length == 24


def test_packed_rows_are_learnt_from(workspace: Workspace, tmp_path: Path) -> None:
    encoder = tiny.build(tmp_path / "gpt2", "gpt2")
    packed = changes(workspace, encoder, {"causal": workspace.text | {"packed": True}})
    one, other, plain = (
        workspace.plan(changes(workspace, encoder, {"causal": workspace.text | more}))
        for more in ({"packed": True}, {"packed": False}, {})
    )
    assert [stage.id for stage in other.stages] == [stage.id for stage in plain.stages]
    assert {stage.id for stage in one.stages}.isdisjoint(stage.id for stage in other.stages)
    [pretraining, *_] = one.stages
    assert pretraining.settings.objective.identity_fields["causal"]["packed"] is True
    data = pretraining.settings.objective.data(
        None, languages=[SOURCE], batch_size=2, seed=0, num_workers=0
    )
    assert isinstance(data.batching, Packing)
    workspace.run(packed)
    assert workspace.plan(packed).todo == []


def test_settings_of_one_way_alone_are_refused_where_it_is_left_open(workspace: Workspace) -> None:
    from framework.errors import UserError

    text = {"text": workspace.text["text"] | {"mask_probability": 0.2}}
    with pytest.raises(UserError, match="unknown key"):
        workspace.plan({"stages.language.objective": {"language_modeling": text}})
