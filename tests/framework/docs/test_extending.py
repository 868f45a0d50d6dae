"""The classes that pages show are added from outside by their dotted paths: planned, run, compared and asked."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from sklearn.metrics import cohen_kappa_score

from framework.answers import ClassificationHeadAnswer as OurAnswer
from framework.objectives import MaskedObjective as OurObjective
from framework.planning.plan import EvaluateStage, LanguageStage, TaskStage
from framework.reports.compare import compare
from framework.results.metrics.own import own_metric
from framework.results.run_folder import RunFolder
from framework.results.statistics import Examples, Outcome, scores_under_weights
from framework.store.store import Passport
from framework.tracking.dashboard.content import content_of
from tests.framework.conftest import Modulingua
from tests.framework.docs.pages import DOCS, files
from tests.framework.tiny import SOURCE, TARGETS, Workspace, runs, write_rows

KAPPA = {"stages.evaluate.metrics": ["my_metrics.Kappa"]}


@pytest.fixture
def outside(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that Python looks in, with the files of the two pages; their modules are forgotten afterwards."""
    folder = tmp_path_factory.mktemp("outside")
    shown = files(DOCS / "extending.md") | files(DOCS / "own-data.md")
    for name in (name for name in shown if name.endswith(".py")):
        (folder / name).write_text(shown[name], encoding="utf-8")
        monkeypatch.delitem(sys.modules, Path(name).stem, raising=False)
    monkeypatch.syspath_prepend(str(folder))
    return folder


@pytest.fixture
def ask(modulingua: Modulingua, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Calls `predict` for a run with two texts; returns what it answers."""

    def call(run: RunFolder, code: str) -> list[str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO("w1 w2 w3\nw4 w5\n"))
        answer = modulingua("predict", run.path, "--language", code)
        assert answer.code == 0, answer.err
        return [line.partition("\t")[0] for line in answer.out.splitlines()]

    return call


def passports(workspace: Workspace, stage: str) -> list[Passport]:
    found = [workspace.store.passport(path.parent.name) for path in workspace.store.folder.glob("*/passport.json")]
    return [passport for passport in found if passport.stage == stage]


class TestMetric:
    def test_an_experiment_that_has_run_is_tested_again_and_not_trained(
        self, trained: Workspace, outside: Path
    ) -> None:
        trained.run()
        before, components = trained.plan(), dict.fromkeys(trained.store.folder.rglob("*.safetensors"))
        plan = trained.plan(KAPPA)
        assert [stage.kind for stage in plan.todo] == ["evaluate"]
        assert [stage.id for stage in plan.stages] == [stage.id for stage in before.stages]
        trained.run(KAPPA)
        assert trained.plan(KAPPA).todo == []
        assert dict.fromkeys(trained.store.folder.rglob("*.safetensors")) == components
        [run] = runs(plan)
        assert len(run.results()) == 3 * len(TARGETS)
        for result in run.results():
            found = run.predictions(result.control, result.language)
            assert list(result.scores) == ["accuracy", "macro_f1", "weighted_f1", "kappa"]
            assert result.scores["kappa"] == pytest.approx(cohen_kappa_score(found.gold, found.predicted), abs=1e-12)

    def test_the_record_names_it_and_compare_chooses_it(
        self, trained: Workspace, outside: Path, modulingua: Modulingua
    ) -> None:
        trained.run(KAPPA)
        [run] = runs(trained.plan(KAPPA))
        record = json.loads((run.path / "run.json").read_text())
        assert record["own_metrics"] == {"kappa": "my_metrics.Kappa"}
        folder = trained.folder / "runs"
        answer = modulingua("compare", folder, "--metric", "kappa", "--figures", "--report")
        assert answer.code == 0, answer.err
        assert answer.out.startswith("Cohen's kappa · sib200")
        [own, *_] = compare([folder], "kappa").rows
        assert own.macro is not None
        scores = [run.result("own", code).scores["kappa"] for code in TARGETS]
        assert own.macro.mean == pytest.approx(sum(scores) / len(scores))
        assert own.macro.low < own.macro.mean < own.macro.high
        header, *lines = (folder / "results.csv").read_text().splitlines()
        assert len(lines) == 3 * len(TARGETS)
        assert {len(line.split(",")) for line in lines} == {len(header.split(","))}
        assert float(lines[0].split(",")[header.split(",").index("kappa")]) in scores
        assert modulingua("analyze", folder, "--metric", "kappa").code == 0

    def test_without_its_file_only_its_own_table_is_refused(
        self, trained: Workspace, outside: Path, modulingua: Modulingua, ask: Any
    ) -> None:
        trained.run(KAPPA)
        [run] = runs(trained.plan(KAPPA))
        (outside / "my_metrics.py").unlink()
        sys.modules.pop("my_metrics")
        assert modulingua("compare", trained.folder / "runs").code == 0
        assert len(ask(run, TARGETS[0])) == 2
        refused = modulingua("compare", trained.folder / "runs", "--metric", "kappa")
        assert refused.code == 2
        assert "metric 'my_metrics.Kappa' cannot be imported: No module named 'my_metrics'" in refused.err

    def test_it_scores_resamples_as_it_scores_texts(self, outside: Path) -> None:
        metric = own_metric("my_metrics.Kappa")
        generator = np.random.default_rng(0)
        gold, predicted = (generator.choice(labels, size=30).tolist() for labels in (["a", "b", "c"], [*"abcd"]))
        drawn = [generator.integers(30, size=30) for _ in range(50)]
        weights = np.stack([np.bincount(one, minlength=30) for one in drawn]).astype(np.float32)
        outcome = Outcome(Examples("eng_Latn", [f"{number:02d}" for number in range(30)], gold), {0: predicted})
        found = scores_under_weights([outcome], [0], weights, metric)[:, 0, 0]
        expected = [cohen_kappa_score([gold[n] for n in one], [predicted[n] for n in one]) for one in drawn]
        assert found == pytest.approx(expected, abs=1e-9)
        assert metric.score(["a", "b"] * 5, ["b", "a"] * 5, "eng_Latn") == pytest.approx(-1)
        assert metric.score(["a"] * 5, ["a"] * 5, "eng_Latn") == 0  # chance is right too

    def test_dashboards_show_it(self, workspace: Workspace, outside: Path) -> None:
        content = content_of(workspace.plan(KAPPA))
        assert (content.metric, content.metrics[-1]) == ("accuracy", "kappa")

    @pytest.mark.parametrize(
        ("paths", "reason"),
        [
            (["my_metrics.Kapa"], "has no attribute 'Kapa'"),
            (["accuracy"], "metric 'accuracy' is not the dotted path of a class"),
            (["my_metrics.Metric"], "metric 'my_metrics.Metric' lacks name, shown, statistics, value"),
            (["my_answers.DeepHead"], "is not a subclass of framework.results.metrics.base.Metric"),
            (["my_metrics.Kappa", "my_metrics.Kappa"], "has the name 'kappa', as another one of the list has"),
            (["framework.results.metrics.tagging.SpanF1"], "has the name 'span_f1', which is that of one of ours"),
            (["framework.results.metrics.classification.PositiveF1"], "cannot be made: .*positive"),
        ],
    )
    def test_what_is_no_further_metric_is_refused(
        self, workspace: Workspace, outside: Path, modulingua: Modulingua, paths: list[str], reason: str
    ) -> None:
        answer = modulingua("plan", workspace.write({"stages.evaluate.metrics": paths}))
        assert answer.code == 2
        assert "stages.evaluate.metrics" in answer.err
        assert re.search(reason, " ".join(answer.err.split()))


def test_an_answer(workspace: Workspace, outside: Path, modulingua: Modulingua, ask: Any) -> None:
    changes = {"stages.task.answer": {"my_answers.DeepHeadAnswer": {"units": 5}}, "combination.language": {}}
    file = workspace.write(changes)
    explained = modulingua("explain", file)
    assert "answer: DeepHead" in explained.out, explained.err
    workspace.run(changes)
    plan = workspace.plan(changes)
    assert plan.todo == []
    [passport] = passports(workspace, "task")
    assert passport.answers["answer"] == ["my_answers.DeepHeadAnswer", {"units": 5}]
    head = (32 + 1) * 5 + (5 + 1) * 7
    assert workspace.store.head_size(passport.id) == head
    assert f"{head:,}" in explained.out
    [run] = runs(plan)
    assert {result.language for result in run.results()} == set(TARGETS)
    assert set(ask(run, TARGETS[0])) <= set(run.record.labels)
    [row] = compare([run]).rows
    assert row.macro is not None


def test_an_objective(workspace: Workspace, outside: Path, modulingua: Modulingua, ask: Any) -> None:
    parallel = {"dataset": "sib200", "path": str(workspace.texts), "max_length": 24}
    named = {"my_objectives.DistillationObjective": {"parallel": parallel, "scale": 2.0}}
    changes = {"stages.language.objective": named}
    explained = modulingua("explain", workspace.write(changes))
    assert "its pivot" in explained.out, explained.err
    workspace.run(changes)
    plan = workspace.plan(changes)
    assert plan.todo == []
    of_languages = passports(workspace, "language")
    assert {passport.languages[0] for passport in of_languages} == set(TARGETS)  # the pivot needs none
    for passport in of_languages:
        [(name, settings)] = passport.training["objective"].items()
        assert (name, settings["scale"]) == ("my_objectives.DistillationObjective", 2.0)
        assert passport.metrics["loss"] > 0
    [run] = runs(plan)
    assert len(ask(run, TARGETS[0])) == 2
    rows = compare([run]).rows
    assert [row.control for row in rows] == ["own", "none", "wrong"]
    shown = modulingua("components", "show", of_languages[0].id, f"--store={workspace.store.folder}")
    assert "my_objectives.DistillationObjective" in shown.out


def test_a_dataset(workspace: Workspace, outside: Path, modulingua: Modulingua, ask: Any) -> None:
    for config in ("en", "sw"):
        for split in ("train", "validation", "test"):
            rows = [{"body": f"w{n} w{n + 1} {split}", "stars": 5 if n % 2 else 1} for n in range(8)]
            write_rows(workspace.folder / "reviews" / config / f"{split}.parquet", rows)
    changes = {
        "data": {"name": "my_dataset.Reviews", "path": str(workspace.folder / "reviews"), "max_length": 24},
        "languages": {"source": [SOURCE], "targets": ["swh_Latn"]},
        "combination.language": {},
    }
    assert "my_dataset.Reviews" in modulingua("explain", workspace.write(changes)).out
    workspace.run(changes)
    plan = workspace.plan(changes)
    assert plan.todo == []
    [run] = runs(plan)
    assert (run.record.dataset, run.record.labels) == ("my_dataset.Reviews", ["bad", "good"])
    assert [result.labels for result in run.results()] == [["bad", "good"]]
    assert set(ask(run, "swh_Latn")) <= {"bad", "good"}
    assert compare([run]).title.startswith("accuracy · my_dataset.Reviews")


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class ClassificationHeadAnswer(OurAnswer):
    """Has the name and the settings of ours."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class MaskedObjective(OurObjective):
    """Has the name and the settings of ours."""


def test_a_class_of_the_same_name_makes_other_components(workspace: Workspace) -> None:
    """Else what ours trained would pass for what a class of one's own trains."""
    ours = workspace.plan(workspace.masked)
    [objective] = workspace.masked["stages.language.objective"].values()
    [answer] = workspace.experiment["stages"]["task"]["answer"].values()
    own = workspace.plan(
        {
            "stages.language.objective": {f"{__name__}.MaskedObjective": objective},
            "stages.task.answer": {f"{__name__}.ClassificationHeadAnswer": answer},
        }
    )
    assert [stage.kind for stage in own.stages] == [stage.kind for stage in ours.stages]
    assert {stage.id for stage in own.stages}.isdisjoint(stage.id for stage in ours.stages)
    assert own.of_type(EvaluateStage)[0].recipe != ours.of_type(EvaluateStage)[0].recipe
    own_answer = workspace.plan(
        workspace.masked | {"stages.task.answer": {f"{__name__}.ClassificationHeadAnswer": answer}}
    )
    assert own_answer.of_type(LanguageStage)[0].id == ours.of_type(LanguageStage)[0].id
    assert own_answer.of_type(TaskStage)[0].id != ours.of_type(TaskStage)[0].id


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"stages.task.answer": {"my_answers.Answer": {}}}, "answer 'my_answers.Answer' lacks tasks, families"),
        ({"stages.task.answer": {"my_objectives.DistillationObjective": {}}}, "is not a subclass of framework.answers"),
        ({"stages.language.objective": {"my_answers.DeepHeadAnswer": {}}}, "is not a subclass of framework.objectives"),
        ({"stages.task.answer": {"my_answers.DeepHeadAnswer": {"unit": 5}}}, "unknown key; did you mean 'units'?"),
        ({"data.name": "my_dataset.ClassificationDataset"}, "lacks name, columns"),
    ],
)
def test_what_a_class_lacks_is_one_message(
    workspace: Workspace, outside: Path, modulingua: Modulingua, changes: dict[str, Any], reason: str
) -> None:
    answer = modulingua("plan", workspace.write(changes))
    assert answer.code == 2
    assert reason in " ".join(answer.err.split())
