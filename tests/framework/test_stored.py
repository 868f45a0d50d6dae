"""A store and a run that an earlier version wrote are read: `data/stored/README.md` says how they were written."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest

from framework.planning.plan import LanguageStage, TaskStage, plan_experiment
from framework.results.run_folder import RunFolder
from tests.framework.conftest import Modulingua

STORED = Path(__file__).parent / "data" / "stored"
RUN = Path("runs", "tiny", "language-prompt-task-adapter-seed0-28e3e490")
LANGUAGE, TASK = "6edcbe539f9fd8e9", "842900a30a6fec3d"
"""The components of Swahili and those of the task, with their head."""


@pytest.fixture(autouse=True)
def in_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests work in a copy; the run's experiment names its store anew, as a message tells who moves one."""
    copy = shutil.copytree(STORED, tmp_path / "stored")
    experiment = copy / RUN / "experiment.yaml"
    experiment.write_text(experiment.read_text(encoding="utf-8").replace("/elsewhere", str(copy)), encoding="utf-8")
    monkeypatch.chdir(copy)


def test_its_stages_are_done(modulingua: Modulingua) -> None:
    plan = plan_experiment(Path("experiment.yaml"), [])
    assert plan.todo == []
    assert {stage.id for stage in plan.of_type(LanguageStage)} == {LANGUAGE, "d72754538f4fee5d"}
    assert {stage.id for stage in plan.of_type(TaskStage)} == {TASK}
    answer = modulingua("run", "experiment.yaml")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("nothing to do: 1 of 1 runs are there")


def test_its_components_are_listed(modulingua: Modulingua) -> None:
    answer = modulingua("components", "list")
    assert (answer.code, answer.err) == (0, "")
    assert {LANGUAGE, TASK} < set(answer.out.split())
    assert "3 components (2 language, 1 task)" in answer.out


@pytest.mark.parametrize(("identity", "words"), [(LANGUAGE, "prompt length=2 · swh_Latn"), (TASK, "task adapter")])
def test_a_component_is_shown(modulingua: Modulingua, identity: str, words: str) -> None:
    answer = modulingua("components", "show", identity)
    assert (answer.code, answer.err) == (0, "")
    assert words in answer.out


def test_its_components_are_whole(modulingua: Modulingua) -> None:
    answer = modulingua("components", "verify")
    assert (answer.code, answer.err, answer.out) == (0, "", "3 of 3 components are whole\n")


def test_its_run_is_compared(modulingua: Modulingua) -> None:
    answer = modulingua("compare", "runs/tiny")
    assert (answer.code, answer.err) == (0, "")
    [line] = [line for line in answer.out.splitlines() if line.startswith("language prompt + task adapter ")]
    assert "1.000" in line


def test_its_run_answers_texts(modulingua: Modulingua, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [line.split(",")[0] for line in Path("texts", "swh_Latn-test.csv").read_text().splitlines()[1:]]
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(texts) + "\n"))
    answer = modulingua("predict", RUN, "--language", "swh_Latn")
    assert (answer.code, answer.err) == (0, "")
    stored = RunFolder(RUN).predictions("own", "swh_Latn")
    labels, confidences = zip(*(line.split("\t") for line in answer.out.splitlines()), strict=True)
    assert list(labels) == list(stored.predicted) == ["left", "right"] * 2
    # What another processor rounds otherwise is far below this; no answer is near the middle.
    assert [float(number) for number in confidences] == pytest.approx(stored.confidence.tolist(), abs=0.01)
    assert min(stored.confidence) > 0.55
