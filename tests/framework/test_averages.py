"""The mean of the weights at several steps of one training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from framework.errors import Interrupted
from framework.execution import checkpoint
from framework.planning.plan import TaskStage
from framework.store.store import WEIGHTS
from tests.framework.conftest import Modulingua
from tests.framework.test_reuse import is_mean
from tests.framework.tiny import Workspace

TRAINING = {"steps": 7, "optimizer": {"lr": 0.05}, "decay": "constant"}
CHANGES: dict[str, Any] = {
    "combination": {"task": {"adapter": {"reduction_factor": 8}}},
    "languages.targets": ["swh_Latn"],
    "stages.task.training": TRAINING,
    "stages.task.validate_every": 2,
    "stages.task.choose": "average",
    "trainer.checkpoint_every": 1e9,
    "seeds": [0, 1],
}
"""Steps 2, 4 and 6 are validated."""


def kept(workspace: Workspace, changes: dict[str, Any]) -> list[dict[str, torch.Tensor]]:
    """The weights that each seed's task stage keeps."""
    workspace.run(changes)
    stages = workspace.plan(changes).of_type(TaskStage)
    return [load_file(workspace.store.path(stage.id) / WEIGHTS) for stage in stages]


@pytest.mark.parametrize(("last", "steps"), [(None, [2, 4, 6]), (2, [4, 6]), (1, [6])])
def test_the_mean_is_that_of_the_weights_at_the_validated_steps(
    workspace: Workspace, last: int | None, steps: list[int]
) -> None:
    average = kept(workspace, CHANGES | {"stages.task.average_last": last})
    # Were training to end at a step, with a constant rate, the last weights would be that step's.
    ends = [
        kept(workspace, CHANGES | {"stages.task.choose": "last", "stages.task.training": TRAINING | {"steps": step}})
        for step in steps
    ]
    for seed, mean in enumerate(average):
        assert is_mean(mean, *(of_seeds[seed] for of_seeds in ends))
        assert all(name.startswith(("head/", "task.adapter/")) for name in mean)
    assert not is_mean(average[0], *(of_seeds[1] for of_seeds in ends))


@pytest.mark.parametrize("stop", [3, 4, 5])
def test_an_interrupted_mean_is_the_uninterrupted_one(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    asked: list[int] = []

    def after_some_steps() -> bool:
        asked.append(1)
        return len(asked) == stop

    monkeypatch.setattr(checkpoint, "stop_requested", after_some_steps)
    with pytest.raises(Interrupted, match=f"after step {stop} of 7"):
        workspace.run(CHANGES)
    undisturbed = Workspace(tmp_path / "whole", workspace.encoder, workspace.texts, workspace.corpus)
    undisturbed.folder.mkdir()
    for place in (workspace, undisturbed):
        place.run(CHANGES)
    stages = workspace.plan(CHANGES).of_type(TaskStage)
    assert len(stages) == 2
    for stage in stages:
        assert isinstance(stage, TaskStage)
        one, two = ((place.store.path(stage.id) / WEIGHTS).read_bytes() for place in (workspace, undisturbed))
        assert one == two


@pytest.mark.parametrize(
    ("changes", "key", "said"),
    [
        ({"validate_every": None}, "validate_every", "must be set: choose: average takes the mean"),
        ({"average_last": 4}, "average_last", "must be at most 3: no more steps are validated"),
        ({"average_last": 0}, "average_last", "must be at least 1"),
        ({"average_last": 2, "choose": "best"}, "average_last", "has no use with choose: best"),
    ],
)
def test_what_cannot_be_meant(
    workspace: Workspace, modulingua: Modulingua, changes: dict[str, Any], key: str, said: str
) -> None:
    file = workspace.write(CHANGES | {f"stages.task.{name}": value for name, value in changes.items()})
    answer = modulingua("plan", file)
    assert answer.code == 2
    assert f"stages.task.{key}" in answer.err
    assert said in " ".join(answer.err.split())
