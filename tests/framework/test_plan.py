"""Plans: how many stages an experiment needs, what they share, and what a person is told."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from framework.planning.plan import EvaluateStage, LanguageStage, Plan, TaskStage, plan_experiment
from tests.framework.conftest import Answer, Modulingua
from tests.framework.tiny import LABELS, TARGETS, Workspace

SIXTEEN = """\
combination: {}
grid:
  combination.language:
    - {}
    - {prompt: {length: 2}}
    - {adapter: {reduction_factor: 4}}
    - {prompt: {length: 2}, adapter: {reduction_factor: 4}}
  combination.task: [{}, {prompt: {length: 3}}, {adapter: {reduction_factor: 8}},
                     {prompt: {length: 3}, adapter: {reduction_factor: 8}}]
seeds: [0, 1]
"""
"""All combinations of {language, task} × {prompt, adapter}, in ten lines."""


def sixteen(workspace: Workspace, changes: dict[str, Any] | None = None) -> Plan:
    return workspace.plan(yaml.safe_load(SIXTEEN) | (changes or {}))


def counts(plan: Plan) -> dict[str, int]:
    return dict(Counter(stage.kind for stage in plan.stages))


class TestSixteenCombinations:
    """Two targets, two seeds. Each number is worked out by hand."""

    def test_with_a_pivot_as_the_source(self, workspace: Workspace) -> None:
        # 2 language kinds × 2 targets: English is the pivot and needs none. So no task stage stands on language
        # components, and the 4 choices of task components are trained once for all 4 choices of language components:
        # 4 × 2 seeds. Every combination is tested with every seed: 16 × 2.
        plan = sixteen(workspace)
        assert counts(plan) == {"language": 4, "task": 8, "evaluate": 32}
        assert [stage.kind for stage in plan.stages] == ["language"] * 4 + ["task"] * 8 + ["evaluate"] * 32
        assert {len(stage.needs) for stage in plan.of_type(TaskStage)} == {0}

    def test_with_components_of_the_source(self, workspace: Workspace) -> None:
        # 2 kinds × 3 languages, and a task stage for each of the 4 × 4 combinations and 2 seeds.
        plan = sixteen(workspace, workspace.masked)
        assert counts(plan) == {"language": 6, "task": 32, "evaluate": 32}
        assert Counter(len(stage.needs) for stage in plan.of_type(TaskStage)) == {0: 8, 1: 16, 2: 8}

    def test_with_a_second_source_that_is_not_the_pivot(self, workspace: Workspace) -> None:
        plan = sixteen(workspace, {"languages.source": ["eng_Latn", "swh_Latn"]})
        assert counts(plan) == {"language": 4, "task": 32, "evaluate": 32}

    def test_with_components_of_a_language_trained_jointly(self, workspace: Workspace) -> None:
        # 3 groups of language components × 2 targets, of which those of one component are as trained alone.
        jointly = sixteen(workspace, {"stages.language.jointly": True})
        assert counts(jointly) == {"language": 6, "task": 8, "evaluate": 32}
        alone = {stage.id for stage in sixteen(workspace).of_type(LanguageStage)}
        assert len(alone & {stage.id for stage in jointly.of_type(LanguageStage)}) == 4
        assert sorted({len(stage.components) for stage in jointly.of_type(LanguageStage)}) == [1, 2]

    def test_with_pretraining(self, workspace: Workspace) -> None:
        pretrain = {"languages": list(TARGETS), "objective": {"masked": workspace.text}, "training": {"steps": 1}}
        plan = sixteen(workspace, {"pretrain": pretrain})
        assert counts(plan) == {"pretrain": 1, "language": 4, "task": 8, "evaluate": 32}
        pretraining, *others = plan.stages
        assert pretraining.needs == ()
        trained = [stage for stage in others if stage.kind != "evaluate"]
        assert {stage.needs for stage in trained} == {(pretraining.id,)}

    def test_without_data_it_ends_with_the_language_stage(self, workspace: Workspace) -> None:
        parallel = "stages.language.objective.alignment.parallel.path"
        changes = {"data": None, "combination.task": {}, parallel: str(workspace.texts)}
        assert counts(workspace.plan(changes)) == {"language": 2}


def test_each_stage_comes_after_what_it_needs(workspace: Workspace) -> None:
    pretrain = {"languages": list(TARGETS), "objective": {"masked": workspace.text}, "training": {"steps": 1}}
    plan = sixteen(workspace, workspace.masked | {"pretrain": pretrain})
    seen: set[str] = set()
    for stage in plan.stages:
        assert set(stage.needs) <= seen
        seen.add(stage.id)


def test_every_run_has_a_folder_of_its_own(workspace: Workspace) -> None:
    grid = {"stages.task.training.steps": [3, 4], "combination.language": [{}, {"prompt": {"length": 2}}]}
    folders = [stage.folder.path for stage in workspace.plan({"grid": grid, "seeds": [0, 1]}).of_type(EvaluateStage)]
    assert len(set(folders)) == 8
    assert all(folder.parent == workspace.folder / "runs" / "tiny" for folder in folders)
    assert folders[0].name.startswith("task-adapter-steps=3-seed0-")
    assert folders[-1].name.startswith("language-prompt-task-adapter-steps=4-seed1-")


class TestTests:
    def planned(self, workspace: Workspace, **changes: Any) -> list[tuple[str, str, str]]:
        [stage] = workspace.plan(changes).of_type(EvaluateStage)
        return [(test.language, test.control, test.component_language) for test in stage.tests]

    def test_each_target_comes_with_its_controls(self, workspace: Workspace) -> None:
        assert self.planned(
            workspace, languages={"source": ["eng_Latn"], "targets": ["swh_Latn", "eng_Latn", "hau_Latn"]}
        ) == [
            ("swh_Latn", "own", "swh_Latn"),
            ("swh_Latn", "none", ""),
            ("swh_Latn", "wrong", "hau_Latn"),
            ("eng_Latn", "own", ""),
            ("hau_Latn", "own", "hau_Latn"),
            ("hau_Latn", "none", ""),
            ("hau_Latn", "wrong", "swh_Latn"),
        ]

    def test_without_language_components_there_are_none(self, workspace: Workspace) -> None:
        found = self.planned(workspace, combination={"task": {"lora": {}}})
        assert found == [("swh_Latn", "own", ""), ("hau_Latn", "own", "")]

    def test_a_single_language_borrows_nothing(self, workspace: Workspace) -> None:
        found = self.planned(workspace, languages={"source": ["eng_Latn"], "targets": ["swh_Latn"]})
        assert found == [("swh_Latn", "own", "swh_Latn"), ("swh_Latn", "none", "")]

    def test_controls_can_be_left_out(self, workspace: Workspace) -> None:
        stages = workspace.experiment["stages"] | {"evaluate": {"controls": []}}
        assert [control for _, control, _ in self.planned(workspace, stages=stages)] == ["own", "own"]


class TestWhatIsDone:
    def test_of_a_finished_experiment(self, finished_run: Workspace) -> None:
        plan = finished_run.plan()
        assert len(plan.done) == len(plan.stages) == 4
        assert plan.todo == []

    def test_stages_and_single_tests_are_looked_for(self, workspace: Workspace, finished_run: Workspace) -> None:
        for part in ("store", "runs"):
            workspace.copy_of(finished_run.folder / part, part)
        plan = workspace.plan()
        [run] = plan.of_type(EvaluateStage)
        (run.folder.path / "results" / "none" / "swh_Latn.json").unlink()
        assert [(test.control, test.language) for test in run.missing] == [("none", "swh_Latn")]
        workspace.store.remove(plan.of_type(LanguageStage)[0].id)
        again = workspace.plan()
        assert [stage.kind for stage in again.todo] == ["language", "evaluate"]
        assert again.todo[0].id == plan.of_type(LanguageStage)[0].id


def rows_of(answer: Answer) -> list[str]:
    """The lines of a table without the blanks that align its columns."""
    return [" ".join(line.split()) for line in answer.out.splitlines()]


class TestOverview:
    def test_it_is_complete(self, workspace: Workspace, modulingua: Modulingua) -> None:
        answer = modulingua("plan", workspace.write(yaml.safe_load(SIXTEEN)))
        assert (answer.code, answer.err) == (0, "")
        lines = answer.out.splitlines()
        assert lines[0] == "tiny · encoder · 16 combinations × 2 seeds · eng_Latn → swh_Latn, hau_Latn"
        rows = rows_of(answer)
        assert "stage what runs cached trains steps" in rows
        # A prompt has 2 × 32 numbers; the encoder with its head has 19,712.
        assert "language prompt length=2 · swh_Latn, hau_Latn 2 0 64 (0.32%) 2" in rows
        # 2 layers × (32 × 8 + 8 + 8 × 32 + 32), as 32 / 4 is 8.
        assert "language adapter reduction_factor=4 · swh_Latn, hau_Latn 2 0 1104 (5.60%) 2" in rows
        # The head has (32 + 1) × 7 numbers, the prompt 3 × 32, the adapter 2 × (32 × 4 + 4 + 4 × 32 + 32).
        assert "task head only · 2 seeds 2 0 231 (1.17%) 4" in rows
        assert "task task prompt · 2 seeds 2 0 327 (1.66%) 4" in rows
        assert "task task adapter · 2 seeds 2 0 815 (4.13%) 4" in rows
        assert "task task prompt + task adapter · 2 seeds 2 0 911 (4.62%) 4" in rows
        assert sum(row.startswith("evaluate ") and row.endswith(" 2 0 – –") for row in rows) == 16
        assert "evaluate head only · 2 languages 2 0 – –" in rows
        assert "evaluate language prompt + task adapter · 2 languages + controls 2 0 – –" in rows
        assert lines[-2] == f" 7 labels: {', '.join(LABELS)}"
        assert lines[-1] == (
            f" to do: 44 stages · components in {workspace.folder}/store/ · results in {workspace.folder}/runs/tiny/"
        )
        assert workspace.files() == {}

    def test_it_can_list_every_stage(self, workspace: Workspace, modulingua: Modulingua) -> None:
        answer = modulingua("plan", "-v", workspace.write())
        for stage in workspace.plan().stages:
            [line] = [line for line in answer.out.splitlines() if line.rstrip().endswith(stage.id)]
            assert stage.kind in line
            assert stage.title in line

    def test_it_says_what_is_done(self, workspace: Workspace, finished_run: Workspace, modulingua: Modulingua) -> None:
        answer = modulingua("plan", finished_run.folder / "experiment.yaml")
        assert "nothing to do: every run is there" in answer.out
        workspace.copy_of(finished_run.folder / "store", "store")
        rows = rows_of(modulingua("plan", workspace.write()))
        assert "language prompt length=3 · swh_Latn, hau_Latn 2 2 96 (0.49%) 2" in rows
        assert "evaluate language prompt + task adapter · 2 languages + controls 1 0 – –" in rows

    def test_it_is_quick(self, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object, **__: object) -> None:
            raise AssertionError("a plan needs no weights")

        monkeypatch.setattr("modules.backbone.backbone._load_weights", fail)
        monkeypatch.setattr("modules.load_backbone", fail)
        sixteen(workspace)


def test_an_experiment_of_ten_lines_is_enough(workspace: Workspace, tmp_path: Path) -> None:
    base = workspace.write(name="base.yaml")
    file = tmp_path / "sixteen.yaml"
    file.write_text(
        f"extends: [{base.name}]\n" + SIXTEEN.replace("combination: {}\n", "combination: {language: null}\n")
    )
    assert len(file.read_text().splitlines()) == 11
    assert len(plan_experiment(file, []).experiments) == 16
