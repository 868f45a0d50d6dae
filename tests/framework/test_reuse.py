"""Components that are given instead of trained: as they are, or as sums of others."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from framework.errors import UserError
from framework.execution.predict import predict_lines
from framework.planning.plan import EvaluateStage, LanguageStage, MergeStage, TaskStage
from framework.planning.reopen import reopen
from framework.results.run_folder import RunFolder
from framework.store.formula import parse
from framework.store.store import WEIGHTS
from framework.validation import rename_dotted, rename_keys
from tests.framework.conftest import Modulingua
from tests.framework.tiny import LABELS, Workspace, outcome, runs

SWH, HAU = "swh_Latn", "hau_Latn"


def state(workspace: Workspace, identity: str) -> dict[str, torch.Tensor]:
    return load_file(workspace.store.path(identity) / WEIGHTS)


def is_mean(whole: dict[str, torch.Tensor], *parts: dict[str, torch.Tensor]) -> bool:
    return all(
        torch.allclose(tensor, torch.stack([part[name] for part in parts]).mean(dim=0))
        for name, tensor in whole.items()
    )


def language_ids(workspace: Workspace) -> dict[str, str]:
    return {stage.languages[0]: stage.id for stage in workspace.plan().of_type(LanguageStage)}


class TestFormulas:
    @pytest.mark.parametrize(
        ("text", "terms"),
        [
            ("7f3a", ((1.0, "7f3a"),)),
            ("0.5*swh_Latn + 0.5 * kin_Latn", ((0.5, "swh_Latn"), (0.5, "kin_Latn"))),
            ("a + b - c", ((1.0, "a"), (1.0, "b"), (-1.0, "c"))),
            ("-2*12345 + 1*2", ((-2.0, "12345"), (1.0, "2"))),
            ("mean(a, b,c , d)", tuple((0.25, name) for name in "abcd")),
        ],
    )
    def test_what_they_mean(self, text: str, terms: tuple[tuple[float, str], ...]) -> None:
        assert parse(text).terms == terms

    def test_only_a_name_alone_is_the_component_itself(self) -> None:
        assert (parse(" 7f3a ").single, parse("1*7f3a").single, parse("mean(a)").single) == ("7f3a", None, None)

    @pytest.mark.parametrize("text", ["", "a b", "a +", "a / b", "mean()", "mean(a,,b)", "0.5*", "(a + b)", "a - a"])
    def test_what_is_none(self, text: str) -> None:
        with pytest.raises(UserError, match=r"is no formula|names a twice"):
            parse(text)


class TestTheCommand:
    def test_a_sum(self, trained: Workspace, modulingua: Modulingua) -> None:
        swh, hau = language_ids(trained).values()
        formula = f"0.25*{swh[:8]} - 2*{hau}"
        answer = modulingua("components", "merge", formula, "--store", trained.store.folder, "--language", "zul_Latn")
        assert (answer.code, answer.err) == (0, "")
        merged = trained.store.passport(answer.out.split()[0])
        assert merged.languages == ["zul_Latn"]
        assert {parent["weight"]: parent["components"] for parent in merged.training["parents"]} == {
            0.25: [swh],
            -2.0: [hau],
        }
        for name, tensor in state(trained, merged.id).items():
            assert torch.allclose(tensor, 0.25 * state(trained, swh)[name] - 2 * state(trained, hau)[name])
        assert modulingua("components", "verify", merged.id, "--store", trained.store.folder).code == 0
        assert merged.id in modulingua("components", "list", "--store", trained.store.folder).out
        again = modulingua("components", "merge", formula, "--store", trained.store.folder, "--language", "zul_Latn")
        assert again.out == answer.out

    def test_the_order_of_the_terms_makes_no_other_sum(self, trained: Workspace, modulingua: Modulingua) -> None:
        swh, hau = language_ids(trained).values()
        merged = []
        for formula in (f"0.3*{swh} + 0.7*{hau}", f"0.7*{hau} + 0.3*{swh}"):
            identity = modulingua("components", "merge", formula, "--store", trained.store.folder).out.split()[0]
            merged.append((identity, trained.store.passport(identity).weights_sha256))
        assert merged[0] == merged[1]

    def test_heads_of_other_labels_cannot_be_summed(self, trained: Workspace, modulingua: Modulingua) -> None:
        [task] = trained.plan().of_type(TaskStage)
        mine = trained.store.passport(task.id)
        assert mine.answers["labels"] == list(LABELS)
        turned = mine.answers | {"labels": list(reversed(LABELS))}
        for identity, answers, reason in (
            ("a" * 16, turned, f"the labels of the one is {list(LABELS)}, that of the other {turned['labels']}"),
            ("b" * 16, {}, "the task of the one is classification, that of the other unknown"),
        ):
            foreign = dataclasses.replace(mine, id=identity, answers=answers)
            trained.store.write(foreign, state(trained, task.id), [])
            formula = f"0.4*{identity} + 0.6*{task.id}"
            answer = modulingua("components", "merge", formula, "--store", trained.store.folder)
            assert answer.code == 2
            assert f"{task.id} cannot be summed with {identity}: {reason}" in answer.err
        alone = modulingua("components", "merge", f"2*{'b' * 16}", "--store", trained.store.folder)
        assert "its passport does not say for which labels" in alone.err

    def test_a_task_keeps_the_languages_that_it_was_trained_on(
        self, trained: Workspace, modulingua: Modulingua
    ) -> None:
        [task] = trained.plan().of_type(TaskStage)
        words = ("components", "merge", f"2*{task.id}", "--store", trained.store.folder)
        answer = modulingua(*words, "--language", "zul_Latn")
        assert answer.code == 2
        assert "--language zul_Latn: only of a language's components" in answer.err
        assert trained.store.passport(modulingua(*words).out.split()[0]).languages == ["eng_Latn"]

    def test_the_mean_of_runs(self, workspace: Workspace, modulingua: Modulingua) -> None:
        seeds = {"seeds": [0, 1], "combination.language": {}, "languages.targets": [SWH]}
        workspace.run(seeds)
        folders = [run.path for run in runs(workspace.plan(seeds))]
        answer = modulingua("components", "merge", *folders, "--store", workspace.store.folder)
        assert answer.code == 0
        parts = [stage.id for stage in workspace.plan(seeds).of_type(TaskStage)]
        merged = state(workspace, answer.out.split()[0])
        assert "head/output.weight" in merged or any(name.startswith("head/") for name in merged)
        assert is_mean(merged, *(state(workspace, part) for part in parts))

    def test_the_sum_of_heads_alone_has_a_name(self, trained: Workspace, modulingua: Modulingua) -> None:
        [task] = trained.plan().of_type(TaskStage)
        heads = {name: tensor for name, tensor in state(trained, task.id).items() if name.startswith("head/")}
        bare = dataclasses.replace(trained.store.passport(task.id), id="a" * 16, components={})
        trained.store.write(bare, heads, [])
        answer = modulingua("components", "merge", "2*aaaa", "--store", trained.store.folder)
        assert answer.out.endswith("task · head = 2*aaaaaaaa · eng_Latn\n")

    def test_what_cannot_be_summed(self, trained: Workspace, modulingua: Modulingua) -> None:
        [task], swh = trained.plan().of_type(TaskStage), language_ids(trained)[SWH]
        answer = modulingua("components", "merge", task.id, swh, "--store", trained.store.folder)
        assert answer.code == 2
        assert "cannot be summed with" in answer.err
        assert "the stage of the one is " in answer.err
        passport = trained.store.passport(swh)
        foreign = dataclasses.replace(
            passport, id="f" * 16, backbone=passport.backbone | {"weights": "c" * 64}, languages=["zul_Latn"]
        )
        trained.store.write(foreign, state(trained, swh), [])
        answer = modulingua("components", "merge", f"{swh} + {'f' * 16}", "--store", trained.store.folder)
        assert "the backbone of the one is ('cccccccccccc'" in answer.err


class TestExperiments:
    def test_one_that_is_given_is_not_trained(self, trained: Workspace, finished_run: Workspace) -> None:
        given = {"reuse": {"language": {HAU: language_ids(trained)[HAU][:10]}}, "stages.language.seed": 5}
        plan = trained.plan(given)
        assert [stage.languages for stage in plan.of_type(LanguageStage)] == [[SWH]]  # of another seed
        trained.run(given)
        [mine], [theirs] = runs(trained.plan(given)), runs(finished_run.plan())
        assert mine.path.name != theirs.path.name
        assert outcome(mine)["own", HAU][1] == outcome(theirs)["own", HAU][1]

    def test_without_a_language_stage(self, trained: Workspace, finished_run: Workspace) -> None:
        ids = language_ids(trained)
        source = dataclasses.replace(trained.store.passport(ids[SWH]), id="e" * 16, languages=["eng_Latn"])
        trained.store.write(source, state(trained, ids[SWH]), [])
        given = {"reuse": {"language": {**ids, "eng_Latn": "e" * 16}}, "stages.language": None}
        trained.run(given)
        [stage] = trained.plan(given).of_type(EvaluateStage)
        assert stage.language_components == {"eng_Latn": ("e" * 16,), SWH: (ids[SWH],), HAU: (ids[HAU],)}

    def test_one_made_of_other_languages(self, trained: Workspace) -> None:
        changes: dict[str, Any] = {
            "languages.targets": [HAU, "eng_Latn"],
            "reuse": {"language": {"eng_Latn": f"0.5*{HAU} + 0.5*{SWH}"}},
        }
        trained.run(changes)
        plan = trained.plan(changes)
        [merge] = plan.of_type(MergeStage)
        assert isinstance(merge, MergeStage)
        assert plan.todo == []
        ids = language_ids(trained)
        assert is_mean(state(trained, merge.id), state(trained, ids[HAU]), state(trained, ids[SWH]))
        [run] = runs(plan)
        assert run.result("own", "eng_Latn").components == [merge.id]
        assert len(list(predict_lines(run.path, "eng_Latn", ["w5 w6", "w9"]))) == 2

    def test_task_components_averaged_over_seeds(self, workspace: Workspace) -> None:
        changes = {"combination.language": {}, "reuse": {"task": "mean(seed0, seed1)"}}
        workspace.run(changes)
        plan = workspace.plan(changes)
        assert [len(plan.of_type(kind)) for kind in (TaskStage, MergeStage, EvaluateStage)] == [2, 1, 1]
        assert plan.todo == []
        [merge] = plan.of_type(MergeStage)
        assert is_mean(state(workspace, merge.id), *(state(workspace, stage.id) for stage in plan.of_type(TaskStage)))
        [run] = runs(plan)
        assert list(run.record.components.values()) == [merge.id]

    def test_a_task_of_other_languages_does_not_pass_for_zero_shot(
        self, workspace: Workspace, modulingua: Modulingua
    ) -> None:
        bare = {"combination.language": {}}
        workspace.run({**bare, "languages": {"source": [SWH], "targets": [HAU]}})
        [task] = workspace.store.identities()
        for given, of in ((task, SWH), (f"0.5*seed0 + 0.5*{task}", f"eng_Latn, {SWH}")):
            answer = modulingua("plan", workspace.write({**bare, "reuse.task": given}))
            assert answer.code == 2
            assert f"reuse.task  {given} was trained on {of}, and languages.source says eng_Latn" in answer.err
        agreed = {**bare, "reuse.task": task, "languages": {"source": [SWH], "targets": [SWH, HAU]}}
        workspace.run(agreed)
        [run] = runs(workspace.plan(agreed))
        assert {result.language: result.source for result in run.results()} == {SWH: True, HAU: False}

    def test_a_task_of_other_labels_is_a_mistake(self, trained: Workspace, modulingua: Modulingua) -> None:
        [task] = trained.plan().of_type(TaskStage)
        mine = trained.store.passport(task.id)
        for answers, reason in (
            ({**mine.answers, "labels": list(reversed(LABELS))}, "was trained for the labels ['"),
            ({**mine.answers, "answer": ["SpanHeadAnswer", {}]}, "was trained for the answer ['SpanHeadAnswer', {}]"),
            ({}, "has a head, and its passport does not say for which labels"),
        ):
            trained.store.write(dataclasses.replace(mine, id="a" * 16, answers=answers), state(trained, task.id), [])
            answer = modulingua("plan", trained.write({"reuse.task": "a" * 16}))
            assert answer.code == 2
            assert f"{'a' * 16} {reason}" in answer.err

    def test_one_task_for_all_seeds_is_one_run(self, trained: Workspace, modulingua: Modulingua) -> None:
        [task] = trained.plan().of_type(TaskStage)
        changes = {"reuse.task": task.id, "seeds": [0, 1, 2]}
        assert [stage.seed for stage in trained.plan(changes).of_type(EvaluateStage)] == [0]
        said = modulingua("plan", trained.write(changes)).out
        assert "one run, without seeds 1, 2: nothing is trained or drawn there" in said

    def test_runs_without_anything_given_keep_their_identities(
        self, workspace: Workspace, finished_run: Workspace
    ) -> None:
        ids = [[stage.id for stage in workspace.plan(changes).stages] for changes in ({}, {"reuse": {}})]
        assert ids[0] == ids[1] == [stage.id for stage in finished_run.plan().stages]

    @pytest.mark.parametrize(
        ("given", "key", "said"),
        [
            ({"language": {HAU: "zz"}}, "reuse.language.hau_Latn", "no component begins with 'zz'"),
            ({"language": {HAU: "SWH"}}, "reuse.language.hau_Latn", "is of swh_Latn; to use it for hau_Latn"),
            ({"language": {"zul_Latn": "SWH"}}, "reuse.language.zul_Latn", "neither a source nor a target"),
            ({"language": {HAU: "a b"}}, "reuse.language.hau_Latn", "is no formula"),
            ({"language": {HAU: "0.5*eng_Latn + 0.5*swh_Latn"}}, "reuse.language.hau_Latn", "no components of its own"),
            ({"language": {HAU: "TASK"}}, "reuse.language.hau_Latn", "from a task stage"),
            ({"language": {HAU: f"1*{SWH}", SWH: f"1*{HAU}"}}, "reuse.language.hau_Latn", "is reused itself"),
            ({"task": "SWH"}, "reuse.task", "comes from a language stage"),
        ],
    )
    def test_mistakes(self, trained: Workspace, modulingua: Modulingua, given: Any, key: str, said: str) -> None:
        ids = {"SWH": language_ids(trained)[SWH], "TASK": trained.plan().of_type(TaskStage)[0].id}

        def named(value: Any) -> Any:
            if isinstance(value, dict):
                return {code: named(one) for code, one in value.items()}
            return ids.get(value, value)

        answer = modulingua("plan", trained.write({"reuse": named(given)}))
        assert answer.code == 2
        assert key in answer.err
        assert said in answer.err

    def test_summands_of_other_kinds_are_a_mistake(self, trained: Workspace, modulingua: Modulingua) -> None:
        swh = language_ids(trained)[SWH]
        both = {"language": {"prompt": {"length": 3}, "adapter": {"reduction_factor": 8}}}
        given = {"language": {HAU: f"0.5*{swh} + 0.5*{SWH}"}}
        answer = modulingua("plan", trained.write({"combination": both, "reuse": given}))
        assert answer.code == 2
        assert f"reuse.language.hau_Latn  {swh} and swh_Latn cannot be summed: the one is prompt, " in answer.err
        assert "the other adapter + prompt" in answer.err
        bare = {"combination.language": {}, "reuse": given}  # a cell of a grid in which nothing of it is used
        assert modulingua("plan", trained.write(bare)).code == 0

    def test_other_settings_are_a_mistake(self, trained: Workspace, modulingua: Modulingua) -> None:
        given = {"language": {HAU: language_ids(trained)[HAU]}}
        answer = modulingua("plan", trained.write({"combination.language.prompt.length": 4, "reuse": given}))
        assert answer.code == 2
        assert "has prompt.length 3; combination.language.prompt says 4" in answer.err


def test_paths_are_no_part_of_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no formula"):
        parse(str(tmp_path))


class TestFormerNames:
    def test_a_renamed_key_is_said(self, workspace: Workspace, modulingua: Modulingua) -> None:
        answer = modulingua("plan", workspace.write({"given.task": "a" * 16}))
        assert answer.code == 2
        [line] = [line for line in answer.err.splitlines() if "was renamed" in line]
        assert line.split()[2:] == ["given", "was", "renamed", "to", "reuse"]
        assert "unknown key" not in answer.err

    def test_a_run_that_was_saved_with_it_is_still_read(
        self, finished_run: Workspace, workspace: Workspace, modulingua: Modulingua
    ) -> None:
        workspace.copy_of(finished_run.folder / "store", "store")
        stage = workspace.plan().of_type(TaskStage)[0]
        changes = {"reuse.task": stage.id}
        workspace.run(changes)
        [run] = runs(workspace.plan(changes))
        file = run.path / "experiment.yaml"
        file.write_text(file.read_text().replace("\nreuse:", "\ngiven:"))
        assert "given" not in RunFolder(run.path).experiment
        assert RunFolder(run.path).experiment["reuse"] == {"task": stage.id}
        assert reopen(run)[0].reuse.task == stage.id

    def test_a_key_of_that_name_of_another_dataset_stays(self) -> None:
        mine, table = ({"data": {"name": name, "positive": "yes"}} for name in ("my_data.Claims", "table"))
        assert rename_keys(mine) == []
        assert mine["data"]["positive"] == "yes"
        assert rename_keys(table) == [(("data", "positive"), "was renamed to positive_class")]
        assert table["data"] == {"name": "table", "positive_class": "yes"}
        assert rename_dotted({"data.positive": "yes"}, "table") == {"data.positive_class": "yes"}
        assert rename_dotted({"data.positive": "yes"}, "my_data.Claims") == {"data.positive": "yes"}
