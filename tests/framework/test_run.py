"""Whole runs: what they leave, that they are carried on rather than done again, and what each stage stands on."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from datamodules.datasets import overlap
from framework.execution import execute
from framework.execution.execute import load_stage_backbone
from framework.planning.plan import EvaluateStage, LanguageStage, TaskStage
from framework.store.store import WEIGHTS
from modules import load_backbone
from tests.framework.conftest import Modulingua
from tests.framework.tiny import (
    LABELS,
    ROWS,
    SOURCE,
    TARGETS,
    Workspace,
    build_encoder,
    command_line,
    outcome,
    read_rows,
    runs,
    write_rows,
)
from tests.modules import tiny

KINDS: dict[str, dict[str, Any]] = {
    "prompt": {"length": 2},
    "adapter": {"reduction_factor": 8},
    "invertible": {},
    "lora": {"rank": 2},
    "prefix": {"length": 2, "bottleneck_size": 4},
    "ia3": {},
}


EVERY_KIND: dict[str, Any] = {
    "combination.language": KINDS,
    "grid.combination.task": [{}, *({kind: settings} for kind, settings in KINDS.items()), {"full": {}}],
    "languages.targets": ["swh_Latn"],
}
"""All kinds as language components of each run, and each kind as its task component."""


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory, finished_run: Workspace) -> Workspace:
    """A folder in which language components learnt from masked text, those of the source language too."""
    workspace = Workspace(
        tmp_path_factory.mktemp("masked"), finished_run.encoder, finished_run.texts, finished_run.corpus
    )
    workspace.run(workspace.masked)
    return workspace


@pytest.fixture(scope="module")
def all_kinds(tmp_path_factory: pytest.TempPathFactory, finished_run: Workspace) -> Workspace:
    """A folder in which every kind served as a language component and as a task component."""
    workspace = Workspace(
        tmp_path_factory.mktemp("kinds"), finished_run.encoder, finished_run.texts, finished_run.corpus
    )
    workspace.run(EVERY_KIND)
    return workspace


def weights(workspace: Workspace, identity: str) -> dict[str, Tensor]:
    return load_file(workspace.store.path(identity) / WEIGHTS)


def equal(left: Mapping[str, Tensor], right: Mapping[str, Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


class TestARun:
    """The finished tiny experiment: a language prompt, aligned, under a task adapter."""

    def test_it_leaves_results_of_every_language_with_its_controls(self, finished_run: Workspace) -> None:
        [run] = runs(finished_run.plan())
        found = outcome(run)
        assert set(found) == {(control, code) for control in ("own", "none", "wrong") for code in TARGETS}
        for (control, code), (result, predictions) in found.items():
            gold = {row["index_id"]: row["category"] for row in read_rows(finished_run.texts / code / "test.parquet")}
            assert {int(name): label for name, label, _, _ in predictions} == gold
            assert {label for _, _, label, _ in predictions} <= set(LABELS)
            assert all(1 / len(LABELS) <= probability <= 1 for _, _, _, probability in predictions)
            right = sum(label == guess for _, label, guess, _ in predictions)
            assert result.scores["accuracy"] == pytest.approx(right / ROWS["test"])
            other = {"own": code, "none": "", "wrong": next(target for target in TARGETS if target != code)}
            assert result.component_language == other[control]
            assert not result.source

    def test_components_act_and_those_of_another_language_act_otherwise(self, finished_run: Workspace) -> None:
        [run] = runs(finished_run.plan())
        found = outcome(run)
        for code in TARGETS:
            seen = {str(found[control, code][1]) for control in ("own", "none", "wrong")}
            assert len(seen) == 3

    def test_it_says_what_it_is(self, finished_run: Workspace) -> None:
        plan = finished_run.plan()
        [stage], [task] = plan.of_type(EvaluateStage), plan.of_type(TaskStage)
        record = stage.folder.record
        assert (record.id, record.recipe, record.seed) == (stage.id, stage.recipe, 0)
        assert (record.experiment, record.label) == ("tiny", "language prompt + task adapter")
        assert record.precision == "32"
        assert record.combination["language"]["prompt"]["length"] == 3
        assert set(record.components.values()) == {stage.id for stage in plan.stages if stage.kind != "evaluate"}
        assert record.components[f"task {task.title}"] == task.id
        assert record.notes == [
            "Language components were aligned on parallel sentences (sib200, train split, pivot eng_Latn); "
            "their labels were not used."
        ]
        assert {path.name for path in stage.folder.path.iterdir()} == {
            "README.md",
            "experiment.yaml",
            "predictions",
            "results",
            "run.json",
        }
        assert {"results.csv", "table-accuracy.md"} <= {path.name for path in plan.folder.iterdir()}

    def test_its_passports_say_what_was_trained(self, finished_run: Workspace) -> None:
        plan = finished_run.plan()
        assert {passport.id for passport in finished_run.store.readable()} == {
            stage.id for stage in plan.stages if stage.kind != "evaluate"
        }
        for stage in (*plan.of_type(LanguageStage), *plan.of_type(TaskStage)):
            passport = finished_run.store.passport(stage.id)
            assert passport.stage == stage.kind
            assert passport.backbone["weights"] == stage.backbone.info.weights_hash
            assert passport.parameters == sum(tensor.numel() for tensor in weights(finished_run, stage.id).values())
            assert passport.training["training"]["steps"] == stage.steps
            assert passport.training["precision"] == "32"
            assert passport.data == stage.data
            assert passport.made["torch"] == importlib.metadata.version("torch")
        language, task = plan.of_type(LanguageStage)[0], plan.of_type(TaskStage)[0]
        assert finished_run.store.passport(language.id).components["language.prompt"]["length"] == 3
        assert finished_run.store.passport(language.id).languages == ["swh_Latn"]
        assert finished_run.store.passport(task.id).languages == [SOURCE]
        assert set(finished_run.store.passport(task.id).metrics) >= {
            "loss",
            "validation/accuracy",
            "validation/macro_f1",
        }
        assert [row["step"] for row in finished_run.store.history(task.id)] == [2, 4]

    def test_run_again_it_does_nothing_and_says_so(self, finished_run: Workspace, modulingua: Modulingua) -> None:
        before = finished_run.files()
        answer = modulingua("run", finished_run.folder / "experiment.yaml")
        assert (answer.code, answer.err) == (0, "")
        assert answer.out.splitlines()[0] == "nothing to do: 1 of 1 runs are there"
        assert "language prompt + task adapter" in answer.out
        assert finished_run.files() == before

    def test_the_same_experiment_elsewhere_gives_the_same(self, workspace: Workspace, finished_run: Workspace) -> None:
        workspace.run()
        for stage in workspace.plan().stages[:3]:
            assert equal(weights(workspace, stage.id), weights(finished_run, stage.id))
        assert outcome(runs(workspace.plan())[0]) == outcome(runs(finished_run.plan())[0])

    def test_another_seed_gives_another_task_stage(self, workspace: Workspace, finished_run: Workspace) -> None:
        workspace.copy_of(finished_run.folder / "store", "store")
        workspace.run({"seeds": [0, 1]})
        first, second = workspace.plan({"seeds": [0, 1]}).of_type(TaskStage)
        assert not equal(weights(workspace, first.id), weights(workspace, second.id))


class TestCarryingOn:
    def test_a_killed_run_is_carried_on(self, workspace: Workspace, finished_run: Workspace) -> None:
        """Killed while the second component is written, and again between two tests."""
        kill_at = """
import os, signal, sys
from framework.system import atomic_files
from framework.results import run_folder
from framework.cli import main

what, after = sys.argv.pop(1), int(sys.argv.pop(1))
calls = 0

def killing(function):
    def call(*arguments, **words):
        global calls
        calls += 1
        if calls > after:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **words)
    return call

if what == "training":
    atomic_files.os.replace = killing(atomic_files.os.replace)
else:
    run_folder.RunFolder.write = killing(run_folder.RunFolder.write)
main()
"""
        file = workspace.write()
        plan = workspace.plan()
        killed = command_line("training", "1", "run", file, code=kill_at)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert [stage.id for stage in plan.stages if workspace.store.has(stage.id)] == [plan.stages[0].id]
        first = {name: written for name, written in workspace.files().items() if "/." not in name}
        assert set(first) < set(workspace.files())  # what the killed process was at

        killed = command_line("evaluation", "2", "run", file, code=kill_at)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert [stage.kind for stage in plan.stages if workspace.store.has(stage.id)] == [
            "language",
            "language",
            "task",
        ]
        assert "[1/3] language" in killed.stdout
        assert killed.stderr == ""
        second = workspace.files()
        assert {name: second[name] for name in first} == first
        [run] = plan.of_type(EvaluateStage)
        assert len(run.folder.results()) == 2
        assert [stage.kind for stage in workspace.plan().todo] == ["evaluate"]

        printed = workspace.run()
        assert printed.startswith("[1/1] evaluate")
        third = workspace.files()
        assert {name: third[name] for name in second} == second
        assert not [name for name in third if "/." in name]
        assert outcome(run.folder) == outcome(runs(finished_run.plan())[0])
        for stage in plan.stages[:3]:
            assert equal(weights(workspace, stage.id), weights(finished_run, stage.id))

    def test_killed_before_its_record_is_written(self, workspace: Workspace, finished_run: Workspace) -> None:
        for part in ("store", "runs"):
            workspace.copy_of(finished_run.folder / part, part)
        [run] = runs(workspace.plan())
        (run.path / "run.json").unlink()
        before = workspace.files()
        assert workspace.run().startswith("[1/1] evaluate")
        after = workspace.files()
        assert (run.path / "run.json").is_file()
        kept = [name for name in before if "/results/" in name or "/predictions/" in name or name.startswith("store")]
        assert {name: after[name] for name in kept} == {name: before[name] for name in kept}

    def test_another_target_is_all_that_is_tested(self, workspace: Workspace, finished_run: Workspace) -> None:
        for part in ("store", "runs"):
            workspace.copy_of(finished_run.folder / part, part)
        before = workspace.files()
        changes = {"languages.targets": [*TARGETS, SOURCE]}
        printed = workspace.run(changes)
        assert printed.startswith("[1/1] evaluate")
        after = workspace.files()
        [run] = runs(workspace.plan(changes))
        new = set(after) - set(before)
        place = run.path.relative_to(workspace.folder)
        assert new == {f"{place}/results/own/{SOURCE}.json", f"{place}/predictions/own/{SOURCE}.parquet"}
        changed = {Path(name).name for name in before if before[name] != after[name]}
        tables = {"results.csv", "table-accuracy.md", "table-accuracy.tex"}
        assert changed == {"run.json", "README.md", "experiment.yaml", *tables}
        assert [result.language for result in run.results() if result.source] == [SOURCE]

    def test_a_target_whose_components_are_new_is_trained_and_tested(self, workspace: Workspace) -> None:
        workspace.run({"languages.targets": ["swh_Latn"]})
        before = workspace.files()
        printed = workspace.run()
        heads = [line.split(" · ")[0] for line in printed.splitlines() if line.startswith("[")]
        assert heads == ["[1/2] language", "[2/2] evaluate"]
        after = workspace.files()
        assert {name: after[name] for name in before if name.startswith("store")} == {
            name: before[name] for name in before if name.startswith("store")
        }
        [run] = runs(workspace.plan())
        # Only now is there another language to borrow from.
        kept = {f"{control}/swh_Latn" for control in ("own", "none")}
        tested = {
            str(Path(name).relative_to(run.path.relative_to(workspace.folder) / "results").with_suffix(""))
            for name in after
            if "/results/" in name and after[name] != before.get(name)
        }
        assert tested == {f"{control}/{code}" for control in ("own", "none", "wrong") for code in TARGETS} - kept

    def test_a_component_serves_every_experiment_that_needs_it(
        self, workspace: Workspace, finished_run: Workspace
    ) -> None:
        workspace.copy_of(finished_run.folder / "store", "store")
        before = workspace.files()
        printed = workspace.run({"name": "another", "combination.task": {"lora": {"rank": 2}}})
        heads = [line.split(" · ")[0] for line in printed.splitlines() if line.startswith("[")]
        assert heads == ["[1/2] task", "[2/2] evaluate"]
        assert before.items() <= workspace.files().items()

    def test_a_removed_component_is_trained_again_to_the_same(
        self, workspace: Workspace, finished_run: Workspace
    ) -> None:
        workspace.copy_of(finished_run.folder / "store", "store")
        victim = workspace.plan().of_type(LanguageStage)[1]
        workspace.store.remove(victim.id)
        workspace.run()
        assert equal(weights(workspace, victim.id), weights(finished_run, victim.id))


class TestControls:
    def test_without_language_components_a_run_is_what_none_says(self, workspace: Workspace) -> None:
        grid = {"combination.language": [{}, {"prompt": {"length": 3}}]}
        workspace.run({"grid": grid})
        plan = workspace.plan({"grid": grid})
        assert len(plan.of_type(TaskStage)) == 1
        without, with_prompt = (outcome(run) for run in runs(plan))
        for code in TARGETS:
            assert with_prompt["none", code][1] == without["own", code][1]
            assert with_prompt["own", code][1] != without["own", code][1]
        assert set(without) == {("own", code) for code in TARGETS}

    def test_wrong_components_are_those_of_the_other_language(
        self, workspace: Workspace, finished_run: Workspace
    ) -> None:
        """Were swh_Latn's components put in hau_Latn's place, `own` would give what `wrong` did."""
        workspace.copy_of(finished_run.folder / "store", "store")
        swahili, hausa = workspace.plan().of_type(LanguageStage)
        passport, curve = workspace.store.passport(hausa.id), workspace.store.history(hausa.id)
        workspace.store.write(passport, weights(workspace, swahili.id), curve)
        workspace.run()
        swapped, right = (outcome(runs(place.plan())[0]) for place in (workspace, finished_run))
        assert swapped["own", "hau_Latn"][1] == right["wrong", "hau_Latn"][1]
        assert swapped["own", "swh_Latn"][1] == right["own", "swh_Latn"][1]


class TestMasked:
    def test_it_trains_a_component_for_each_language(self, masked: Workspace) -> None:
        plan = masked.plan(masked.masked)
        assert [stage.languages for stage in plan.of_type(LanguageStage)] == [[SOURCE], *([code] for code in TARGETS)]
        trained = [weights(masked, stage.id)["language.prompt/table"] for stage in plan.of_type(LanguageStage)]
        assert not any(torch.equal(trained[left], trained[right]) for left, right in ((0, 1), (1, 2), (0, 2)))
        assert masked.store.passport(plan.stages[0].id).training["objective"]["masked"]["mask_probability"] == 0.15
        assert len(outcome(runs(plan)[0])) == 6
        assert runs(plan)[0].record.notes == []

    def test_the_task_is_learnt_under_the_components_of_the_source(
        self, masked: Workspace, workspace: Workspace
    ) -> None:
        workspace.copy_of(masked.folder / "store", "store")
        plan = workspace.plan(workspace.masked)
        [task] = plan.of_type(TaskStage)
        [source] = task.needs
        before = weights(workspace, task.id)
        changed = {name: tensor + 1 for name, tensor in weights(workspace, source).items()}
        workspace.store.write(workspace.store.passport(source), changed, [])
        workspace.store.remove(task.id)
        workspace.run(workspace.masked)
        assert equal(weights(workspace, source), changed), "a frozen component was changed"
        assert not equal(weights(workspace, task.id), before)


class TestPretraining:
    """A backbone drawn at random, pretrained on three languages, then masked text and a task on it."""

    def changes(self, workspace: Workspace) -> dict[str, Any]:
        pretrain = {
            "languages": [SOURCE, *TARGETS],
            "objective": {"masked": workspace.text},
            "training": {"steps": 3, "optimizer": {"lr": 0.01}},
            "batch_size": 4,
        }
        return workspace.masked | {"pretrain": pretrain}

    def random_backbone(self, workspace: Workspace) -> dict[str, Any]:
        folder = workspace.copy_of(workspace.encoder, "random")
        (folder / "model.safetensors").unlink()
        return {"backbone": {"name": str(folder), "precision": "32", "random_init_seed": 3}}

    def test_later_stages_stand_on_the_pretrained_weights(self, workspace: Workspace) -> None:
        changes = self.changes(workspace) | self.random_backbone(workspace)
        printed = workspace.run(changes)
        assert printed.startswith("[1/6] pretrain · backbone · eng_Latn, swh_Latn, hau_Latn")
        plan = workspace.plan(changes)
        assert plan.todo == []
        pretraining, *others = plan.stages
        trained = weights(workspace, pretraining.id)
        start = load_backbone(pretraining.backbone.config, with_lm_head=True).own_parameters()
        assert {name.removeprefix("language.full/") for name in trained} == set(start)
        moved = [name for name in start if not torch.equal(trained[f"language.full/{name}"], start[name])]
        assert len(moved) > len(start) / 2
        passport = workspace.store.passport(pretraining.id)
        assert passport.parameters == sum(tensor.numel() for tensor in trained.values())
        for stage in others:
            assert pretraining.id in stage.needs or stage.kind == "evaluate"
            stands_on = load_stage_backbone(stage.backbone, workspace.store, with_lm_head=True).own_parameters()
            assert all(torch.equal(tensor, trained[f"language.full/{name}"]) for name, tensor in stands_on.items())
        for stage in others[:-1]:
            assert workspace.store.passport(stage.id).backbone["weights"] == pretraining.id

    def test_another_pretraining_makes_everything_anew(self, workspace: Workspace) -> None:
        changes = self.changes(workspace)
        before = {stage.id for stage in workspace.plan(changes).stages}
        changes["pretrain"]["training"]["steps"] = 4
        assert before.isdisjoint({stage.id for stage in workspace.plan(changes).stages})
        assert before.isdisjoint({stage.id for stage in workspace.plan(workspace.masked).stages})

    def test_the_whole_pretrained_backbone_can_learn_the_task(self, workspace: Workspace) -> None:
        changes = self.changes(workspace) | {"combination": {"task": {"full": {}}}}
        workspace.run(changes)
        pretraining, task, _ = workspace.plan(changes).stages
        state = weights(workspace, task.id)
        assert workspace.store.passport(task.id).parameters == sum(tensor.numel() for tensor in state.values())
        # The language-modelling head has no part in the task.
        assert not any("lm_head" in name for name in state)
        assert any("lm_head" in name for name in weights(workspace, pretraining.id))


class TestKinds:
    def test_each_is_trained_in_each_role_and_counted_right(self, all_kinds: Workspace) -> None:
        plan = all_kinds.plan(EVERY_KIND)
        assert plan.todo == []
        trained: list[LanguageStage | TaskStage] = [*plan.of_type(LanguageStage), *plan.of_type(TaskStage)]
        slots = [set(all_kinds.store.passport(stage.id).components) for stage in trained]
        assert slots == [
            *({f"language.{kind}"} for kind in KINDS),
            set(),
            *({f"task.{kind}"} for kind in KINDS),
            {"task.full"},
        ]
        for stage in trained:
            state = weights(all_kinds, stage.id)
            assert stage.parameters == sum(tensor.numel() for tensor in state.values()), stage.title
            assert all(bool(tensor.isfinite().all()) for tensor in state.values())

    def test_each_changes_what_is_predicted(self, all_kinds: Workspace) -> None:
        found = [outcome(run) for run in runs(all_kinds.plan(EVERY_KIND))]
        seen = {str(each["own", "swh_Latn"][1]) for each in found}
        assert len(seen) == len(found) == 8
        assert all(each["own", "swh_Latn"][1] != each["none", "swh_Latn"][1] for each in found)


@pytest.mark.parametrize(
    ("model_type", "objective"),
    [
        ("llama", "causal"),
        ("gpt2", "prefix_lm"),
        ("bloom", "causal"),
        ("t5", "span_corruption"),
        ("mt5", "span_corruption"),
        ("mbart", "alignment"),
    ],
)
def test_every_family_goes_the_whole_way(workspace: Workspace, tmp_path: Path, model_type: str, objective: str) -> None:
    text = (
        {"parallel": {"dataset": "sib200", "path": str(workspace.texts)}}
        if objective == "alignment"
        else workspace.text
    )
    changes = {
        "backbone.name": str(tiny.build(tmp_path / model_type, model_type)),
        "combination.language": {"prompt": {"length": 3}, "adapter": {"reduction_factor": 8}},
        "combination.task": {"prompt": {"length": 3}, "lora": {"rank": 2}},
        "languages.targets": ["swh_Latn"],
        "stages.language.objective": {objective: text},
        "stages.task.answer.classification_head.pooling": "last",
    }
    workspace.run(changes)
    plan = workspace.plan(changes)
    assert plan.todo == []
    for stage in plan.of_type(LanguageStage):
        curve = workspace.store.history(stage.id)
        assert curve
        assert all(row["loss"] > 0 for row in curve)
    [found] = [outcome(run) for run in runs(plan)]
    assert found["own", "swh_Latn"][1] != found["none", "swh_Latn"][1]


def test_components_of_a_language_can_be_trained_jointly(workspace: Workspace) -> None:
    both = {"prompt": {"length": 3}, "adapter": {"reduction_factor": 8}}
    changes = {"combination.language": both, "languages.targets": ["swh_Latn"], "stages.language.jointly": True}
    workspace.run(changes)
    plan = workspace.plan(changes)
    [language] = plan.of_type(LanguageStage)
    state = weights(workspace, language.id)
    assert {name.split("/")[0] for name in state} == {"language.prompt", "language.adapter"}
    assert plan.todo == []
    alone = changes | {"stages.language.jointly": False}
    workspace.run(alone)
    prompt, _ = workspace.plan(alone).of_type(LanguageStage)
    assert not torch.equal(weights(workspace, prompt.id)["language.prompt/table"], state["language.prompt/table"])


def test_the_best_step_is_kept_or_the_last(workspace: Workspace) -> None:
    training = {"steps": 6, "optimizer": {"lr": 0.5}, "decay": "constant"}
    changes = {"combination": {}, "stages.task.training": training, "stages.task.validate_every": 1}
    grid = {"stages.task.choose": ["best", "last"]}
    workspace.run(changes | {"grid": grid})
    best, last = workspace.plan(changes | {"grid": grid}).of_type(TaskStage)
    curve = [row["validation/accuracy"] for row in workspace.store.history(best.id)]
    assert curve == [row["validation/accuracy"] for row in workspace.store.history(last.id)]
    chosen = curve.index(max(curve)) + 1
    assert chosen < 6, "the best step must not be the last one, or this test says nothing"
    assert not equal(weights(workspace, best.id), weights(workspace, last.id))
    # Were training to end at the chosen step, the last would be the best.
    short = changes | {"stages.task.training": training | {"steps": chosen}, "stages.task.choose": "last"}
    workspace.run(short)
    assert equal(weights(workspace, workspace.plan(short).of_type(TaskStage)[0].id), weights(workspace, best.id))


def test_machines_that_choose_another_precision_make_other_runs(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, modulingua: Modulingua
) -> None:
    """Two machines share the folders of an experiment that leaves the precision to them."""
    changes: dict[str, Any] = {"backbone.precision": "auto", "combination.language": {}}
    found = {}
    for fast_at_bf16, precision in ((True, "bf16"), (False, "32")):
        monkeypatch.setattr("modules.backbone.devices._is_fast_at_bf16", lambda accelerator, fast=fast_at_bf16: fast)
        file = workspace.write(changes)
        assert f"note: backbone.precision: auto is {precision} on this machine" in modulingua("plan", file).out
        workspace.run(changes)
        [run] = runs(workspace.plan(changes))
        [task] = workspace.plan(changes).of_type(TaskStage)
        assert workspace.store.passport(task.id).training["precision"] == precision
        assert (
            f"precision {precision}" in modulingua("components", "show", task.id, "--store", workspace.store.folder).out
        )
        assert run.record.precision == run.experiment["backbone"]["precision"] == precision
        found[precision] = run
    assert found["bf16"].path != found["32"].path
    compared = modulingua("compare", workspace.folder / "runs" / "tiny").out
    assert {"task adapter · precision=32", "task adapter · precision=bf16"} <= {
        line.split("  ")[0] for line in compared.splitlines()
    }
    assert "backbone.precision: 32 (task adapter · precision=32); bf16 (task adapter · precision=bf16)." in compared


def test_a_few_known_test_texts_are_told_with_the_results(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = workspace.copy_of(workspace.texts, "texts")
    known = read_rows(texts / SOURCE / "validation.parquet")[0]["text"]
    rows = read_rows(texts / SOURCE / "test.parquet")
    rows[3]["text"] = known
    write_rows(texts / SOURCE / "test.parquet", rows)
    monkeypatch.setattr(overlap, "TOLERATED", 0.1)
    changes = {"data.path": str(texts), "combination": {}, "languages.targets": [SOURCE]}
    printed = workspace.run(changes)
    note = "1 of the 14 test texts of eng_Latn are also in its training or validation split (the first is 3)."
    assert runs(workspace.plan(changes))[0].record.notes == [note]
    assert note in " ".join(printed.split())


def test_classes_with_fewer_examples_than_k_are_told(workspace: Workspace, modulingua: Modulingua) -> None:
    texts = workspace.copy_of(workspace.texts, "texts")
    rows = [row for row in read_rows(texts / SOURCE / "train.parquet") if row["category"] != "health"]
    rows = [row for row in rows if row["category"] != "travel" or row["index_id"] > 9]
    write_rows(texts / SOURCE / "train.parquet", rows)
    changes = {"data.path": str(texts), "combination.language": {}, "stages.task.k_shot": 3}
    told = "eng_Latn has fewer than k = 3 training examples of travel (2), health (0); all of them are used."
    assert f" note: {told}\n" in modulingua("plan", workspace.write(changes)).out
    assert told in workspace.run(changes)
    assert runs(workspace.plan(changes))[0].record.notes == [told]
    enough = {**changes, "stages.task.k_shot": None}
    assert "note:" not in modulingua("plan", workspace.write(enough)).out


def test_languages_are_tested_in_passes(
    workspace: Workspace, finished_run: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Components come and go between passes; only rounding may tell that a batch held other rows."""
    monkeypatch.setattr(execute, "LANGUAGES_AT_ONCE", 1)
    workspace.copy_of(finished_run.folder / "store", "store")
    workspace.run()
    one, all_together = (outcome(runs(place.plan())[0]) for place in (workspace, finished_run))
    assert set(one) == set(all_together)
    for test, (_, predictions) in one.items():
        expected = all_together[test][1]
        assert [row[:3] for row in predictions] == [row[:3] for row in expected]
        assert [row[3] for row in predictions] == pytest.approx([row[3] for row in expected], abs=1e-6)


def test_results_that_are_not_the_plans_are_neither_shown_nor_written(
    workspace: Workspace, finished_run: Workspace
) -> None:
    for part in ("store", "runs"):
        workspace.copy_of(finished_run.folder / part, part)
    [run] = runs(workspace.plan())
    fewer = workspace.run({"languages.targets": ["swh_Latn"], "stages.evaluate.controls": ["none"]})
    assert "swh_Latn" in fewer
    assert "hau_Latn" not in fewer
    assert "wrong language's" not in fewer
    assert "hau_Latn" not in (run.path.parent / "results.csv").read_text()
    # What lies there is left alone: it is there when the experiment asks for it again, or anybody compares the runs.
    assert "nothing to do" in workspace.run()
    # A result of older data, say, does not count.
    file = run.path / "results" / "own" / "hau_Latn.json"
    file.write_text(file.read_text().replace(run.identities["own", "hau_Latn"], "0" * 16))
    assert [result.language for result in run.results() if result.control == "own"] == ["swh_Latn"]


def test_what_another_run_has_tested_is_taken_over(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its language components, a combination is the one that has none; the task is learnt in the pivot."""
    changes = {"grid": {"combination.language": [{"prompt": {"length": 3}}, {}]}}
    tested: list[tuple[str, str, str]] = []
    test = execute._test

    def spy(stage: Any, classifier: Any, data: Any, tests: Any) -> None:
        tested.extend((stage.experiment.label, one.control, code) for code, one in tests.items())
        test(stage, classifier, data, tests)

    monkeypatch.setattr(execute, "_test", spy)
    workspace.run(changes)
    with_prompt, without = runs(workspace.plan(changes))
    assert [label for label, _, _ in tested] == ["language prompt + task adapter"] * 6
    for code in TARGETS:
        taken, (result, predictions) = outcome(without)["own", code], outcome(with_prompt)["none", code]
        assert taken[1] == predictions
        assert taken[0] == dataclasses.replace(result, control="own")
    (without.path / "predictions" / "own" / "swh_Latn.parquet").unlink()
    (with_prompt.path / "results" / "none" / "swh_Latn.json").unlink()
    workspace.run(changes)
    assert [one[1:] for one in tested[6:]] == [("none", "swh_Latn")]


def test_workers_change_nothing(workspace: Workspace, finished_run: Workspace) -> None:
    changes = {"trainer.num_workers": 2, "languages.targets": ["swh_Latn"]}
    workspace.run(changes)
    for stage in workspace.plan(changes).stages[:2]:
        assert equal(weights(workspace, stage.id), weights(finished_run, stage.id))


def test_several_sources_are_mixed(workspace: Workspace, finished_run: Workspace) -> None:
    workspace.copy_of(finished_run.folder / "store", "store")
    changes = {"languages.source": [SOURCE, "swh_Latn"]}
    workspace.run(changes)
    plan = workspace.plan(changes)
    [task] = plan.of_type(TaskStage)
    assert task.needs == (plan.of_type(LanguageStage)[0].id,)
    assert workspace.store.passport(task.id).languages == [SOURCE, "swh_Latn"]
    assert {result.language for result in runs(plan)[0].results() if result.source} == {"swh_Latn"}


def test_an_experiment_without_data_ends_with_its_components(workspace: Workspace, modulingua: Modulingua) -> None:
    parallel = "stages.language.objective.alignment.parallel.path"
    file = workspace.write({"data": None, "combination.task": {}, parallel: str(workspace.texts)})
    answer = modulingua("run", file)
    assert (answer.code, answer.err) == (0, "")
    assert {passport.stage for passport in workspace.store.readable()} == {"language"}
    assert modulingua("run", file).out == "nothing to do: every component is there\n"


def test_the_curve_of_a_long_stage_has_points(workspace: Workspace) -> None:
    changes = {"combination": {}, "stages.task.training.steps": 25, "stages.task.validate_every": 15}
    workspace.run(changes)
    rows = workspace.store.history(workspace.plan(changes).of_type(TaskStage)[0].id)
    assert [row["step"] for row in rows] == [10, 15, 20, 25]
    assert [set(row) - {"step"} for row in rows[:2]] == [
        {"loss"},
        {"validation/loss", "validation/accuracy", "validation/macro_f1"},
    ]


def test_a_run_can_be_told_from_its_folder_alone(finished_run: Workspace) -> None:
    [run] = runs(finished_run.plan())
    assert json.loads((run.path / "run.json").read_text())["id"].startswith(run.path.name.rpartition("-")[2])


def test_an_encoder_can_be_far_away_from_its_copy(workspace: Workspace, finished_run: Workspace) -> None:
    """Components trained on one copy of a backbone serve another copy of the same weights."""
    workspace.copy_of(finished_run.folder / "store", "store")
    printed = workspace.run({"backbone.name": str(build_encoder(workspace.folder / "copy"))})
    assert printed.startswith("[1/1] evaluate")
