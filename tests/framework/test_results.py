"""What a run leaves: whole files, in the right order, read back as written."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from framework.errors import UserError
from framework.results import run_folder
from framework.results.run_folder import LanguageResult, Predictions, RunFolder, RunRecord, read_runs
from framework.results.run_groups import group_runs
from modules.training.unparsed import UNPARSED
from tests.framework.made_runs import some_result

RECORD = RunRecord(
    id="7f3a",
    experiment="sib",
    label="language prompt + task adapter",
    seed=1,
    combination={"language": {"prompt": {"length": 50}}, "task": {"adapter": {}}},
    settings={"task.lr": 0.001, "steps": 10, "name": "x", "flag": True, "none": None, "source": ["eng_Latn"]},
    backbone="xlm-roberta-base@e73636d",
    dataset="sib200",
    source=["eng_Latn"],
    components={"language prompt hau_Latn": "9c1b"},
    notes=["A note."],
    versions={"torch": "2.13.0"},
    commit="4be1c2d",
    command="modulingua run sib.yaml seeds=[1]",
    recipe="aa01",
)


def some_predictions(predicted: str = "abba") -> Predictions:
    return Predictions(["3", "1", "2", "0"], "aabb", predicted, [0.5, 0.25, 1.0, 0.75])


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / "runs" / "sib" / "a-run")
    folder.write_record(RECORD)
    return folder


def everything_below(path: Path) -> list[str]:
    return sorted(str(file.relative_to(path)) for file in path.rglob("*") if file.is_file())


class TestPredictions:
    def test_sorts_by_id(self) -> None:
        predictions = some_predictions("wxyz")
        assert predictions.id == ["0", "1", "2", "3"]
        assert predictions.gold == ["b", "a", "b", "a"]
        assert predictions.predicted == ["z", "x", "y", "w"]
        np.testing.assert_array_equal(predictions.confidence, np.float32([0.75, 0.25, 1.0, 0.5]))

    def test_refuses_an_example_tested_twice(self) -> None:
        with pytest.raises(ValueError, match="example '1' occurs more than once"):
            Predictions(["1", "0", "1"], "aaa", "aaa", [1, 1, 1])

    def test_refuses_uneven_columns(self) -> None:
        with pytest.raises(ValueError, match="2 ids, 2 gold answers, 1 predicted answers, 2 confidences"):
            Predictions(["0", "1"], "ab", "a", [1, 1])


class TestRoundTrip:
    def test_record(self, run: RunFolder) -> None:
        assert RunFolder(run.path).record == RECORD
        assert json.loads((run.path / "run.json").read_text())["settings"]["none"] is None

    def test_readme_says_how_to_get_the_run_again(self, run: RunFolder) -> None:
        text = (run.path / "README.md").read_text()
        assert "language prompt + task adapter · seed 1" in text
        assert "`modulingua run sib.yaml seeds=[1]`" in text
        assert "4be1c2d" in text

    def test_result_and_predictions(self, run: RunFolder) -> None:
        predictions = some_predictions()
        result = some_result(predictions)
        run.write(result, predictions)
        assert run.results() == [result]
        again = run.predictions("own", "hau_Latn")
        assert (again.id, again.gold, again.predicted) == (
            predictions.id,
            predictions.gold,
            predictions.predicted,
        )
        np.testing.assert_array_equal(again.confidence, predictions.confidence)
        assert again.confidence.dtype == np.float32

    def test_the_files_are_as_documented(self, run: RunFolder) -> None:
        run.write(some_result(some_predictions()), some_predictions())
        assert everything_below(run.path) == [
            "README.md",
            "predictions/own/hau_Latn.parquet",
            "results/own/hau_Latn.json",
            "run.json",
        ]
        schema = pq.read_schema(run.path / "predictions/own/hau_Latn.parquet")
        assert {name: str(schema.field(name).type) for name in schema.names} == {
            "id": "string",
            "gold": "string",
            "predicted": "string",
            "confidence": "float",
        }

    def test_results_come_by_control_and_language(self, run: RunFolder) -> None:
        predictions = some_predictions()
        for control, language in (("wrong", "hau_Latn"), ("own", "yor_Latn"), ("own", "hau_Latn")):
            run.write(some_result(predictions, language, control), predictions)
        found = [(result.control, result.language) for result in run.results()]
        assert found == [("own", "hau_Latn"), ("own", "yor_Latn"), ("wrong", "hau_Latn")]

    def test_the_scores_are_those_of_the_predictions(self) -> None:
        result = some_result(Predictions("0123", "aabb", "abbc", [1] * 4))
        assert (result.scores["accuracy"], result.foreign_rate, result.unparsed_rate) == (0.5, 0.25, 0)
        assert (result.examples, result.labels) == (4, ["a", "b"])

    def test_unparsed_answers_are_no_foreign_labels(self) -> None:
        result = some_result(Predictions("0123", "aabb", ["a", UNPARSED, "b", "c"], [1] * 4))
        assert (result.unparsed_rate, result.foreign_rate, result.scores["accuracy"]) == (0.25, 0.25, 0.5)

    def test_answers_that_are_no_labels(self) -> None:
        predictions = Predictions("01", ['["Paris"]', '["Rome"]'], ["Paris", UNPARSED], [1, 1])
        result = some_result(predictions, task="question answering")
        assert result.scores == {"token_f1": 0.5, "exact_match": 0.5}
        assert (result.labels, result.foreign_rate, result.unparsed_rate) == ([], 0, 0.5)

    def test_colleagues_may_read_the_files(self, run: RunFolder) -> None:
        run.write(some_result(some_predictions()), some_predictions())
        plain = run.path / "plain"
        plain.touch()
        for file in run.path.rglob("*.*"):
            assert file.is_dir() or file.stat().st_mode == plain.stat().st_mode, file


class TestInterruption:
    def test_a_result_file_means_that_its_predictions_are_there(
        self, run: RunFolder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        moved: list[str] = []

        def replace_and_look(source: Path, target: Path) -> None:
            moved.append(target.suffix)
            os.rename(source, target)

        monkeypatch.setattr(run_folder.os, "replace", replace_and_look)
        run.write(some_result(some_predictions()), some_predictions())
        assert moved == [".parquet", ".json"]

    def test_a_failing_write_leaves_nothing(self, run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*arguments: Any) -> None:
            raise OSError("disk full")

        monkeypatch.setattr(run_folder.os, "fsync", fail)
        before = everything_below(run.path)
        with pytest.raises(OSError, match="disk full"):
            run.write(some_result(some_predictions()), some_predictions())
        assert everything_below(run.path) == before

    def test_an_old_result_does_not_outlive_its_predictions(
        self, run: RunFolder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run.write(some_result(some_predictions(), identity="old"), some_predictions())
        write = run_folder.write_whole

        def stop_after_predictions(path: Path, content: bytes) -> None:
            if path.suffix == ".json":
                raise KeyboardInterrupt
            write(path, content)

        monkeypatch.setattr(run_folder, "write_whole", stop_after_predictions)
        with pytest.raises(KeyboardInterrupt):
            run.write(some_result(some_predictions("bbbb"), identity="new"), some_predictions("bbbb"))
        assert run.results() == []
        assert not run.has("own", "hau_Latn", "old")

    def test_leftovers_of_a_killed_process_are_not_read(self, run: RunFolder) -> None:
        run.write(some_result(some_predictions()), some_predictions())
        (run.path / "results/own/.yor_Latn.json.12ab.tmp").write_text("{")
        assert [result.language for result in run.results()] == ["hau_Latn"]

    def test_has(self, run: RunFolder) -> None:
        assert not run.has("own", "hau_Latn", "i")
        run.write(some_result(some_predictions()), some_predictions())
        assert run.has("own", "hau_Latn", "i")
        assert not run.has("own", "hau_Latn", "another identity")
        assert not run.has("none", "hau_Latn", "i")
        (run.path / "predictions/own/hau_Latn.parquet").unlink()
        assert not run.has("own", "hau_Latn", "i")

    def test_a_damaged_result_is_to_be_done_again(self, run: RunFolder) -> None:
        run.write(some_result(some_predictions()), some_predictions())
        (run.path / "results/own/hau_Latn.json").write_text('{"language": "hau_')
        assert not run.has("own", "hau_Latn", "i")

    def test_refuses_a_result_of_other_predictions(self, run: RunFolder) -> None:
        with pytest.raises(ValueError, match="a result over 9 examples with 4 predictions"):
            run.write(replace(some_result(some_predictions()), examples=9), some_predictions())

    def test_refuses_a_language_that_is_no_file_name(self) -> None:
        with pytest.raises(ValueError, match="language"):
            some_result(some_predictions(), language="../hau_Latn")


def spoil_json(path: Path) -> None:
    path.write_text(path.read_text()[:20])


def drop_key(path: Path) -> None:
    content = json.loads(path.read_text())
    del content["seed" if path.name == "run.json" else "examples"]
    path.write_text(json.dumps(content))


def add_key(path: Path) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | {"colour": "red"}))


def give_a_number_as_text(path: Path) -> None:
    content = json.loads(path.read_text())
    key = "seed" if path.name == "run.json" else "examples"
    path.write_text(json.dumps(content | {key: str(content[key])}))


def make_unreadable(path: Path) -> None:
    path.unlink()
    path.mkdir()


def look_at_everything(run: RunFolder) -> tuple[RunRecord, list[LanguageResult]]:
    return run.record, run.results()


class TestReading:
    def test_finds_runs_at_and_below_a_path(self, run: RunFolder, tmp_path: Path) -> None:
        other = RunFolder(tmp_path / "runs" / "masakha" / "b-run")
        other.write_record(replace(RECORD, id="b", experiment="masakha"))
        assert [found.path for found in read_runs([tmp_path / "runs"])] == [other.path, run.path]
        assert [found.path for found in read_runs([run.path])] == [run.path]
        assert [found.path for found in read_runs([run.path, tmp_path, str(other.path)])] == [
            run.path,
            other.path,
        ]

    def test_a_path_without_runs(self, run: RunFolder, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        with pytest.raises(UserError, match="empty: no runs here"):
            read_runs([run.path, tmp_path / "empty"])
        with pytest.raises(UserError, match="nowhere: no such folder"):
            read_runs([tmp_path / "nowhere"])

    @pytest.mark.parametrize("damage", [spoil_json, drop_key, add_key, give_a_number_as_text, make_unreadable])
    @pytest.mark.parametrize("name", ["run.json", "results/own/hau_Latn.json"])
    def test_a_damaged_file_is_named(self, run: RunFolder, name: str, damage: Callable[[Path], None]) -> None:
        run.write(some_result(some_predictions()), some_predictions())
        damage(run.path / name)
        with pytest.raises(UserError, match=name):
            look_at_everything(RunFolder(run.path))
        if (run.path / name).is_file():
            with pytest.raises(UserError, match=name):
                group_runs(read_runs([run.path.parent]))

    def test_a_result_in_the_wrong_place_is_named(self, run: RunFolder) -> None:
        run.write(some_result(some_predictions()), some_predictions())
        (run.path / "results/own/hau_Latn.json").rename(run.path / "results/own/yor_Latn.json")
        with pytest.raises(UserError, match=r"yor_Latn\.json: holds the result of hau_Latn"):
            run.results()

    def test_missing_and_damaged_predictions_are_named(self, run: RunFolder) -> None:
        run.write(some_result(some_predictions()), some_predictions())
        file = run.path / "predictions/own/hau_Latn.parquet"
        file.write_bytes(file.read_bytes()[:-20])
        with pytest.raises(UserError, match=r"own/hau_Latn\.parquet is damaged: not a file of predictions"):
            run.predictions("own", "hau_Latn")
        pq.write_table(pa.table({"id": ["0"], "predicted": ["a"], "confidence": [1.0]}), file)
        with pytest.raises(UserError, match=r"own/hau_Latn\.parquet is damaged: not a file of predictions"):
            run.predictions("own", "hau_Latn")
        file.unlink()
        with pytest.raises(UserError, match=r"own/hau_Latn\.parquet: missing"):
            run.predictions("own", "hau_Latn")

    def test_what_may_not_be_read_is_not_called_damaged(self, run: RunFolder, deny: Callable[[Path], None]) -> None:
        run.write(some_result(some_predictions()), some_predictions())
        deny(run.path / "predictions/own/hau_Latn.parquet")
        with pytest.raises(UserError, match=r"own/hau_Latn\.parquet: Permission denied$"):
            run.predictions("own", "hau_Latn")

    def test_a_folder_that_may_not_be_read_is_not_taken_for_empty(
        self, run: RunFolder, deny: Callable[[Path], None]
    ) -> None:
        run.write(some_result(some_predictions()), some_predictions())
        deny(run.path / "results/own")
        with pytest.raises(PermissionError, match="results/own"):
            run.results()
        deny(run.path)
        with pytest.raises(PermissionError, match=run.path.name):
            read_runs([run.path.parent])


class TestGroups:
    def make(self, path: Path, **changes: Any) -> RunFolder:
        number = len(list(path.iterdir())) if path.exists() else 0
        run = RunFolder(path / f"run{number:02d}")
        run.write_record(replace(RECORD, **({"settings": {}} | changes)))
        run.write(some_result(some_predictions()), some_predictions())
        return run

    def test_runs_of_one_recipe_are_seeds_of_one_another(self, tmp_path: Path) -> None:
        for seed in (2, 0, 1):
            self.make(tmp_path, seed=seed, id=f"{seed}")
        [group], empty = group_runs(read_runs([tmp_path]))
        assert (group.seeds, group.label, empty) == ((0, 1, 2), RECORD.label, [])
        assert group.results["own"]["hau_Latn"].keys() == {0, 1, 2}

    def test_other_recipes_are_other_groups(self, tmp_path: Path) -> None:
        self.make(tmp_path, seed=0, recipe="aaaaaaaaaa")
        self.make(tmp_path, seed=1, recipe="bbbbbbbbbb")
        groups, _ = group_runs(read_runs([tmp_path]))
        assert [group.label for group in groups] == [
            f"{RECORD.label} · number 1",
            f"{RECORD.label} · number 2",
        ]

    @pytest.mark.parametrize("recipes", [("", ""), ("aaaaaaaaaa", "bbbbbbbbbb")])  # older versions wrote none
    def test_runs_of_unlike_precision_are_no_seeds_of_one_another(
        self, tmp_path: Path, recipes: tuple[str, str]
    ) -> None:
        self.make(tmp_path, seed=0, recipe=recipes[0], precision="32")
        self.make(tmp_path, seed=1, recipe=recipes[1], precision="bf16")
        groups, _ = group_runs(read_runs([tmp_path]))
        assert [group.label for group in groups] == [
            f"{RECORD.label} · precision=32",
            f"{RECORD.label} · precision=bf16",
        ]

    @pytest.mark.parametrize(
        ("written", "labels"),
        [
            ([{"stages": {"task": {"k_shot": 4}}}, {"stages": {"task": {"k_shot": 16}}}], ["k_shot=4", "k_shot=16"]),
            ([{"data": {"max_length": 64}}, {}], ["max_length=64", ""]),
            # Where two keys end alike, more of them is said.
            (
                [{"a": {"x": {"steps": 1}, "y": {"steps": 1}}}, {"a": {"x": {"steps": 2}, "y": {"steps": 3}}}],
                ["x.steps=1 · y.steps=1", "x.steps=2 · y.steps=3"],
            ),
            # Of many settings that differ, as many as tell them apart.
            (
                [{"a": dict.fromkeys("pqrs", one)} for one in (1, 2)] + [{"a": {**dict.fromkeys("prs", 1), "q": 2}}],
                ["p=1 · q=1", "p=2 · q=2", "p=1 · q=2"],
            ),
            # Where and how it ran does not name a combination, nor does a hash.
            ([{"store": "a", "seeds": [0]}, {"store": "b", "seeds": [1]}], ["number 1", "number 2"]),
            (
                [{"data": {"revision": "0123456789abcdef" * 4}}, {"data": {"revision": "main"}}],
                ["revision=01234567", "revision=main"],
            ),
            ([{"data": {"path": "x", "name": "far/away/a"}}, {"data": {"name": "far/away/b"}}], ["name=a", "name=b"]),
        ],
    )
    def test_settings_that_were_written_tell_apart(
        self, tmp_path: Path, written: list[dict[str, Any]], labels: list[str]
    ) -> None:
        for number, experiment in enumerate(written):
            run = self.make(tmp_path, recipe=f"{number}" * 64)
            (run.path / "experiment.yaml").write_text(yaml.safe_dump(experiment))
        groups, _ = group_runs(read_runs([tmp_path]))
        expected = [f"{RECORD.label} · {label}" if label else RECORD.label for label in labels]
        assert sorted(group.label for group in groups) == sorted(expected)

    def test_a_damaged_experiment_is_named(self, tmp_path: Path) -> None:
        for number in range(2):
            run = self.make(tmp_path, recipe=f"{number}")
            (run.path / "experiment.yaml").write_text("a: [1")
        with pytest.raises(UserError, match="run00/experiment.yaml is damaged: line 1"):
            group_runs(read_runs([tmp_path]))

    @pytest.mark.parametrize(
        ("changes", "labels"),
        [
            ([{"experiment": "a"}, {"experiment": "b"}], ["a: {}", "b: {}"]),
            (
                [{"settings": {"task.length": 20, "x": 1}}, {"settings": {"task.length": 5, "x": 1}}],
                ["{} · length=5", "{} · length=20"],
            ),
            ([{"backbone": "large"}, {"backbone": "base"}], ["{} · base", "{} · large"]),
            ([{"source": ["a"]}, {"source": ["a", "b"]}], ["{} · from a", "{} · from a, b"]),
            ([{"label": "head only", "combination": {}}, {}], ["head only", "{}"]),
        ],
    )
    def test_equal_labels_get_what_tells_them_apart(
        self, tmp_path: Path, changes: list[dict[str, Any]], labels: list[str]
    ) -> None:
        for change in changes:
            self.make(tmp_path, recipe="", **change)
        groups, _ = group_runs(read_runs([tmp_path]))
        assert [group.label for group in groups] == [label.format(RECORD.label) for label in labels]

    def test_small_combinations_come_first(self, tmp_path: Path) -> None:
        self.make(tmp_path, recipe="3", label="a", combination={"language": {"prompt": {}}, "task": {"ia3": {}}})
        self.make(tmp_path, recipe="2", label="b", combination={"language": {}, "task": {"adapter": {}}})
        self.make(tmp_path, recipe="1", label="c", combination={"language": {}, "task": None})
        groups, _ = group_runs(read_runs([tmp_path]))
        assert [group.label for group in groups] == ["c", "b", "a"]

    def test_two_runs_of_one_seed_are_refused(self, tmp_path: Path) -> None:
        first, second = self.make(tmp_path), self.make(tmp_path, id="other")
        with pytest.raises(UserError, match=f"{first.path} and {second.path} are both seed 1"):
            group_runs(read_runs([tmp_path]))

    def test_a_copy_with_another_seed_is_refused(self, tmp_path: Path) -> None:
        first, second = self.make(tmp_path), self.make(tmp_path, seed=2)
        with pytest.raises(UserError, match=f"{first.path} and {second.path} have one id, 7f3a, and two seeds"):
            group_runs(read_runs([tmp_path]))

    def test_one_run_of_two_experiments_is_in_both(self, tmp_path: Path) -> None:
        self.make(tmp_path, experiment="a")
        self.make(tmp_path, experiment="b")
        assert len(group_runs(read_runs([tmp_path]))[0]) == 2

    @pytest.mark.parametrize(("source", "flag"), [(["eng_Latn"], True), (["hau_Latn"], False)])
    def test_a_source_that_the_results_contradict(self, tmp_path: Path, source: list[str], flag: bool) -> None:
        run = self.make(tmp_path, source=source)
        run.write(replace(some_result(some_predictions()), source=flag), some_predictions())
        message = rf"result of hau_Latn do not agree.*source is \['{source[0]}'\] .*{str(flag).lower()} "
        with pytest.raises(UserError, match=message):
            group_runs(read_runs([tmp_path]))

    def test_a_source_that_nothing_was_trained_on(self, tmp_path: Path) -> None:
        self.make(tmp_path, source=["hau_Latn"], combination={"language": {}, "task": {}})
        assert len(group_runs(read_runs([tmp_path]))[0]) == 1

    def test_a_run_without_results_is_in_no_group(self, tmp_path: Path) -> None:
        self.make(tmp_path)
        started = RunFolder(tmp_path / "started")
        started.write_record(replace(RECORD, seed=7))
        [group], empty = group_runs(read_runs([tmp_path]))
        assert (group.seeds, [run.path for run in empty]) == ((1,), [started.path])
