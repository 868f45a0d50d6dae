"""What an experiment's data means: types, defaults, names of combinations."""

from typing import Any

import pytest

from framework.config.load import read_experiment
from framework.config.schema import Experiment, combination_name
from framework.errors import ExperimentError
from tests.framework.tiny import Workspace


def experiments(workspace: Workspace, **changes: Any) -> list[Experiment]:
    return read_experiment(workspace.write({key.replace("__", "."): value for key, value in changes.items()}))


def experiment(workspace: Workspace, **changes: Any) -> Experiment:
    [found] = experiments(workspace, **changes)
    return found


def test_a_file_becomes_typed_settings_with_defaults(workspace: Workspace) -> None:
    found = experiment(workspace)
    assert found.combination["language"]["prompt"].length == 3
    assert found.combination["language"]["prompt"].init == "vocabulary"
    assert found.combination["task"]["adapter"].reduction_factor == 8
    assert found.targets == ["swh_Latn", "hau_Latn"]
    assert found.stages.language is not None
    assert found.stages.language.objective.parallel.path == str(workspace.texts)
    assert found.stages.evaluate.controls == ["none", "wrong"]
    assert (found.trainer.devices, found.pretrain, found.tracking.mode) == (1, None, "off")


def test_whole_numbers_pass_for_numbers_and_nothing_else_is_converted(workspace: Workspace) -> None:
    task = experiment(workspace, stages__task__training__optimizer__lr=1).stages.task
    assert task is not None
    assert task.training.optimizer.lr == 1.0
    for wrong in ("1", True, [1]):
        with pytest.raises(ExperimentError, match="is not a number"):
            experiments(workspace, stages__task__training__optimizer__lr=wrong)
    for wrong in (4.5, "4", True):
        with pytest.raises(ExperimentError, match="is not a whole number"):
            experiments(workspace, stages__task__batch_size=wrong)


def test_all_is_every_language_of_the_dataset(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    from datamodules.datasets.sib200 import Sib200

    here = {code: code for code in ("hau_Latn", "eng_Latn", "swh_Latn")}
    monkeypatch.setattr(Sib200, "configs", here)
    assert experiment(workspace, languages__targets=["all"]).targets == list(here)


@pytest.mark.parametrize("nothing", [None, {}])
def test_null_takes_a_component_away(workspace: Workspace, nothing: Any) -> None:
    found = experiment(workspace, combination__language={"prompt": None}, combination__task=nothing)
    assert found.combination == {"language": {}, "task": {}}
    assert (
        experiment(workspace, combination__task={"adapter": {}}).combination["task"]["adapter"].reduction_factor == 16
    )


def test_the_components_of_a_class_of_the_users_own(workspace: Workspace) -> None:
    dotted = "modules.components.LoRA"
    [found] = experiments(workspace, combination__task={dotted: {"rank": 3}})
    assert found.combination["task"][dotted].rank == 3
    assert found.label == "language prompt + task LoRA"


def test_an_objective_of_a_class_of_the_users_own(workspace: Workspace) -> None:
    dotted = "framework.objectives.AlignmentObjective"
    settings = {"parallel": {"dataset": "sib200", "path": str(workspace.texts)}}
    stage = experiment(workspace, stages__language__objective={dotted: settings}).stages.language
    assert stage is not None
    assert stage.objective.parallel.dataset == "sib200"


def test_combinations_are_named_by_their_components() -> None:
    assert combination_name({"language": {}, "task": {}}) == "head only"
    assert (
        combination_name({"language": {"prompt": 1, "adapter": 1}, "task": {"lora": 1}})
        == "language prompt + language adapter + task lora"
    )


def test_cells_are_told_apart_by_what_the_grid_varies(workspace: Workspace) -> None:
    grid = {"combination.task": [{}, {"adapter": {}}], "stages.task.training.steps": [3, 4]}
    found = experiments(workspace, grid=grid)
    assert [one.label for one in found] == [
        "language prompt · steps=3",
        "language prompt · steps=4",
        "language prompt + task adapter · steps=3",
        "language prompt + task adapter · steps=4",
    ]
    assert found[1].grid_values == {"stages.task.training.steps": 4}
    assert found[1].stages.task.training.steps == 4
    # What is saved with a run is the cell, so that the run can be made again from it alone.
    assert found[1].document["stages"]["task"]["training"]["steps"] == 4
    assert "grid" not in found[1].document


def test_a_grid_may_set_what_is_outside_identities_along_with_what_is_inside(workspace: Workspace) -> None:
    stages = workspace.experiment["stages"]
    others = {**stages, "task": {"training": {"steps": 3}}, "evaluate": {"batch_size": 2}}
    grid = {"stages": [stages, others]}
    assert [one.stages.evaluate.batch_size for one in experiments(workspace, grid=grid)] == [64, 2]
    assert len(experiments(workspace, grid={"stages.evaluate.batch_size": [2]})) == 1
    precision = {"backbone.precision": "auto", "grid": {"trainer.accelerator": ["auto", "cpu"]}}
    assert len(experiments(workspace, **precision)) == 2  # a GPU and a processor may compute in different precisions


def test_components_alone_name_the_cells_of_a_grid_of_components(workspace: Workspace) -> None:
    grid = {"combination.language": [{}, {"prompt": {"length": 2}}], "combination.task": [{}, {"adapter": {}}]}
    assert [one.label for one in experiments(workspace, grid=grid)] == [
        "head only",
        "task adapter",
        "language prompt",
        "language prompt + task adapter",
    ]


def test_settings_of_components_name_cells_of_the_same_components(workspace: Workspace) -> None:
    grid = {"combination.language.prompt.length": [2, 4]}
    assert [one.label for one in experiments(workspace, grid=grid)] == [
        "language prompt + task adapter · length=2",
        "language prompt + task adapter · length=4",
    ]
