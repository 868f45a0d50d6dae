"""Identity: what changes it, what does not, and that it is the same everywhere."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from framework.identity import LENGTH, identity
from framework.planning.plan import EvaluateStage, LanguageStage, Plan, TaskStage, plan_experiment
from tests.framework.tiny import LANGUAGES, Workspace, build_encoder, changed, command_line, read_rows, write_rows

Changes = dict[str, Any]
Change = Changes | Callable[[Workspace], Changes]


class TestHash:
    def test_the_order_of_keys_does_not_matter_and_that_of_lists_does(self) -> None:
        assert identity(a={"x": 1, "y": [1, 2]}, b=2) == identity(b=2, a={"y": [1, 2], "x": 1})
        assert identity(a=[1, 2]) != identity(a=[2, 1])

    def test_every_value_and_its_type_matter(self) -> None:
        values = [0, 1, 1.5, "1", "", None, False, [], {}, [[]], {"a": None}, "é", "e"]
        assert len({identity(a=value) for value in values}) == len(values)

    def test_dataclasses_count_as_their_fields(self) -> None:
        @dataclasses.dataclass
        class Settings:
            steps: int
            path: Path

        assert identity(a=Settings(1, Path("x"))) == identity(a={"path": "x", "steps": 1})

    def test_it_is_fixed_for_all_time(self) -> None:
        # Stores outlive versions: were this to change, everything would be trained again.
        assert identity(a=1, b=["x", None]) == "18c018603b12c4be"
        assert len(identity()) == LENGTH


def identities(plan: Plan) -> dict[str, str]:
    """Names everything in a plan that has an identity."""
    found: dict[str, str] = {}
    for stage in plan.stages:
        if isinstance(stage, LanguageStage):
            found[" ".join([stage.kind, *stage.languages])] = stage.id
        elif isinstance(stage, EvaluateStage):
            found["run"] = stage.id
            found |= {f"{test.control} {test.language}": test.identity for test in stage.tests}
        else:
            found[stage.kind] = stage.id
    return found


NOTHING: set[str] = set()
LANGUAGE = {f"{kind} {code}" for kind in ("language", "own", "wrong") for code in ("swh_Latn", "hau_Latn")} | {"run"}
"""The language components, and all that stands on them."""
TASK = {f"{control} {code}" for control in ("own", "none", "wrong") for code in ("swh_Latn", "hau_Latn")} | {
    "task",
    "run",
}
"""The task components, and all that stands on them."""
EVERYTHING = LANGUAGE | TASK

PARALLEL = "stages.language.objective.alignment.parallel"
LANGUAGE_TRAINING, TASK_TRAINING = "stages.language.training", "stages.task.training"


def other_texts(code: str, split: str, key: str) -> Callable[[Workspace], Changes]:
    """Changes one row of a split in a copy of the texts, which only `key` then names."""

    def changes(workspace: Workspace) -> Changes:
        texts = workspace.copy_of(workspace.texts, "texts")
        file = texts / code / f"{split}.parquet"
        rows = read_rows(file)
        rows[2]["text"] += " w1"
        write_rows(file, rows)
        return {f"{PARALLEL}.path": str(workspace.texts), key: str(texts)}

    return changes


def other_backbone(**settings: Any) -> Callable[[Workspace], Changes]:
    return lambda workspace: {"backbone.name": str(build_encoder(workspace.folder / "other", **settings))}


def other_tokenizer(workspace: Workspace) -> Changes:
    folder = workspace.copy_of(workspace.encoder, "other")
    settings = json.loads((folder / "tokenizer.json").read_text())
    vocabulary = settings["model"]["vocab"]
    vocabulary["w1"], vocabulary["w2"] = vocabulary["w2"], vocabulary["w1"]
    (folder / "tokenizer.json").write_text(json.dumps(settings))
    return {"backbone.name": str(folder)}


def elsewhere(workspace: Workspace) -> Changes:
    """The same content in other places."""
    return {
        "backbone.name": str(workspace.copy_of(workspace.encoder, "same-encoder")),
        "data.path": str(workspace.copy_of(workspace.texts, "same-texts")),
    }


CHANGES: dict[str, tuple[Change, set[str]]] = {
    # where and how it runs
    "name": ({"name": "another"}, NOTHING),
    "folders": ({"store": "elsewhere", "runs": "elsewhere"}, NOTHING),
    "devices": ({"trainer": {"devices": 2, "accelerator": "cpu"}}, NOTHING),
    "accelerator": ({"trainer": {"accelerator": "auto"}}, NOTHING),
    "workers": ({"trainer.num_workers": 3}, NOTHING),
    "tracking": ({"tracking": {"mode": "online", "project": "p", "entity": "e", "tags": ["t"]}}, NOTHING),
    "the same content elsewhere": (elsewhere, NOTHING),
    "the size of a test batch": ({"stages.evaluate": {"batch_size": 2}}, NOTHING),
    "a default spelt out": ({"stages.evaluate": {"controls": ["none", "wrong"]}, "data.text_prefix": ""}, NOTHING),
    "a rate for a kind that no cell trains": ({f"{TASK_TRAINING}.learning_rates": {"lora": 0.5}}, NOTHING),
    "a task rate for the language's kind": ({f"{TASK_TRAINING}.learning_rates": {"prompt": 0.5}}, NOTHING),
    "a language rate for the task's kind": ({f"{LANGUAGE_TRAINING}.learning_rates": {"adapter": 0.5}}, NOTHING),
    # the language stage
    "prompt length": ({"combination.language.prompt.length": 4}, LANGUAGE),
    "prompt init": ({"combination.language.prompt.init": "normal"}, LANGUAGE),
    "language kind": ({"combination.language": {"lora": {}}}, LANGUAGE),
    "language steps": ({f"{LANGUAGE_TRAINING}.steps": 3}, LANGUAGE),
    "language learning rate": ({f"{LANGUAGE_TRAINING}.optimizer.lr": 0.06}, LANGUAGE),
    "a language rate for its kind": ({f"{LANGUAGE_TRAINING}.learning_rates": {"prompt": 0.5}}, LANGUAGE),
    "language batch size": ({"stages.language.batch_size": 2}, LANGUAGE),
    "language seed": ({"stages.language.seed": 1}, LANGUAGE),
    "parallel length": ({f"{PARALLEL}.max_length": 20}, LANGUAGE),
    "parallel split": ({f"{PARALLEL}.split": "validation"}, LANGUAGE),
    "loss": ({"stages.language.objective.alignment.loss": {"temperature": 0.1}}, LANGUAGE),
    "a row of the pivot's text": (other_texts("eng_Latn", "train", f"{PARALLEL}.path"), LANGUAGE - {"run"}),
    "a row of one language's text": (
        other_texts("swh_Latn", "train", f"{PARALLEL}.path"),
        # hau_Latn is tested with swh_Latn's components as the wrong ones
        {"language swh_Latn", "own swh_Latn", "wrong hau_Latn"},
    ),
    # the task stage
    "seed": ({"seeds": [1]}, TASK),
    "adapter reduction": ({"combination.task.adapter.reduction_factor": 4}, TASK),
    "task kind": ({"combination.task": {"lora": {}}}, TASK),
    "task steps": ({f"{TASK_TRAINING}.steps": 6}, TASK),
    "task learning rate": ({f"{TASK_TRAINING}.optimizer.lr": 0.02}, TASK),
    "a task rate for its kind": ({f"{TASK_TRAINING}.learning_rates": {"adapter": 0.5}}, TASK),
    "head learning rate": ({f"{TASK_TRAINING}.learning_rates": {"head": 0.5}}, TASK),
    "task batch size": ({"stages.task.batch_size": 2}, TASK),
    "head": ({"stages.task.answer.classification_head.pooling": "cls"}, TASK),
    "k-shot": ({"stages.task.k_shot": 2}, TASK),
    "choice of the step": ({"stages.task.choose": "last"}, TASK),
    "mean of steps": ({"stages.task.choose": "average"}, TASK),
    "mean of the last steps": ({"stages.task.choose": "average", "stages.task.average_last": 1}, TASK),
    "text length": ({"data.max_length": 20}, TASK),
    "text prefix": ({"data.text_prefix": "w1 "}, TASK),
    "a row of the training data": (other_texts("eng_Latn", "train", "data.path"), TASK),
    "a row of the validation data": (other_texts("eng_Latn", "validation", "data.path"), TASK),
    # all
    "text prefix of both": (
        {"data.text_prefix": "w1 ", f"{PARALLEL}.text_prefix": "${data.text_prefix}"},
        EVERYTHING,
    ),
    "backbone weights": (other_backbone(seed=1), EVERYTHING),
    "backbone settings": (other_backbone(layer_norm_eps=1e-3), EVERYTHING),
    "tokenizer": (other_tokenizer, EVERYTHING),
    "precision": ({"backbone.precision": "bf16"}, EVERYTHING),
    # tests only
    "a row of a target's test data": (
        other_texts("swh_Latn", "test", "data.path"),
        {"own swh_Latn", "none swh_Latn", "wrong swh_Latn"},
    ),
    "a row of nobody's data": (other_texts("swh_Latn", "validation", "data.path"), NOTHING),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_changes_what_it_determines(change: str, workspace: Workspace) -> None:
    changes, expected = CHANGES[change]
    before = identities(workspace.plan())
    assert set(before) == EVERYTHING
    after = identities(workspace.plan(changes(workspace) if callable(changes) else changes))
    assert set(after) == set(before)
    assert {name for name in before if before[name] != after[name]} == expected


@pytest.mark.parametrize(("fast_at_bf16", "chosen"), [(True, "bf16"), (False, "32")])
def test_auto_precision_counts_as_the_one_that_is_chosen(
    fast_at_bf16: bool, chosen: str, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = identities(workspace.plan({"backbone.precision": chosen}))
    monkeypatch.setattr("modules.backbone.devices._is_fast_at_bf16", lambda accelerator: fast_at_bf16)
    assert identities(workspace.plan({"backbone.precision": "auto"})) == written
    assert identities(workspace.plan({"backbone": {"name": str(workspace.encoder)}})) == written


def test_the_order_of_keys_in_the_yaml_does_not_matter(workspace: Workspace) -> None:
    def turned(value: Any) -> Any:
        return {key: turned(value[key]) for key in reversed(value)} if isinstance(value, dict) else value

    before = identities(workspace.plan())
    file = workspace.folder / "turned.yaml"
    file.write_text(yaml.safe_dump(turned(workspace.experiment), sort_keys=False))
    assert identities(plan_experiment(file, [])) == before


def test_another_target_changes_nothing_of_the_others(workspace: Workspace) -> None:
    before = identities(workspace.plan({"languages.targets": ["swh_Latn", "hau_Latn"]}))
    after = identities(workspace.plan({"languages.targets": ["swh_Latn", "hau_Latn", "eng_Latn"]}))
    # English is the pivot: it has no components, so it lends none, and there is nothing to compare it with.
    assert set(after) - set(before) == {"own eng_Latn"}
    assert {name: after[name] for name in before} == before


def test_another_target_with_components_lends_them_to_the_one_before_it(workspace: Workspace) -> None:
    before = identities(workspace.plan(workspace.masked | {"languages.targets": ["swh_Latn", "hau_Latn"]}))
    after = identities(workspace.plan(workspace.masked | {"languages.targets": ["swh_Latn", "hau_Latn", "eng_Latn"]}))
    assert set(after) - set(before) == {f"{control} eng_Latn" for control in ("own", "none", "wrong")}
    # By their codes: eng_Latn stands before hau_Latn, and after swh_Latn comes the first again.
    assert {name for name in before if before[name] != after[name]} == {"wrong swh_Latn"}
    assert (
        identities(workspace.plan(workspace.masked | {"languages.targets": ["eng_Latn", "hau_Latn", "swh_Latn"]}))
        == after
    )


def test_another_combination_changes_nothing_of_the_others(workspace: Workspace) -> None:
    before = {stage.id for stage in workspace.plan().stages}
    grid = {"combination.task": [{"adapter": {"reduction_factor": 8}}, {"lora": {}}], "seeds": [[0], [5]]}
    after = {stage.id for stage in workspace.plan({"grid": grid}).stages}
    assert before < after


def test_cells_that_do_not_train_a_kind_ignore_its_rate(workspace: Workspace) -> None:
    grid = {"combination.task": [{}, {"adapter": {}}, {"prompt": {"length": 2}}]}
    rates = f"{TASK_TRAINING}.learning_rates"
    plans = (workspace.plan({"grid": grid, rates: of_kinds}) for of_kinds in ({}, {"prompt": 0.3}))
    before, after = ([stage.id for stage in plan.of_type(TaskStage)] for plan in plans)
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, True, False]


def test_masked_text_is_known_by_its_content(workspace: Workspace) -> None:
    before = identities(workspace.plan(workspace.masked))
    text = "stages.language.objective.masked.text"
    moved = workspace.copy_of(workspace.corpus, "moved")
    assert identities(workspace.plan(changed(workspace.masked, {}) | {f"{text}.path": str(moved)})) == before
    rows = read_rows(moved / "hau_Latn" / "train.parquet")
    write_rows(moved / "hau_Latn" / "train.parquet", rows[:-1])
    after = identities(workspace.plan(workspace.masked | {f"{text}.path": str(moved)}))
    assert {name for name in before if before[name] != after[name]} == {
        "language hau_Latn",
        "own hau_Latn",
        "wrong swh_Latn",
    }
    # The source's components act while the task is learnt, so the task stands on them.
    rows = read_rows(moved / "eng_Latn" / "train.parquet")
    write_rows(moved / "eng_Latn" / "train.parquet", rows[:-1])
    source = identities(workspace.plan(workspace.masked | {f"{text}.path": str(moved)}))
    assert {name for name in before if after[name] != source[name]} == (TASK - {"run"}) | {"language eng_Latn"}
    assert set(before) == EVERYTHING | {f"language {code}" for code in LANGUAGES}


def test_identities_are_the_same_in_a_fresh_process(workspace: Workspace) -> None:
    file = workspace.write({"seeds": [0, 1]})
    here = {stage.id for stage in workspace.plan({"seeds": [0, 1]}).stages}
    answer = command_line("plan", "--verbose", file, PYTHONHASHSEED="12345")
    assert answer.returncode == 0, answer.stderr
    there = {line.split()[-1] for line in answer.stdout.splitlines() if len(line.split()) > 1}
    assert here <= there
    assert len(here) == 2 + 2 + 2
