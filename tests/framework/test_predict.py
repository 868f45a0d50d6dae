"""Labels for new texts, from a run's trained combination."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from datamodules import DataError
from framework.errors import UserError
from framework.execution import predict
from framework.execution.predict import predict_lines
from framework.planning.plan import LanguageStage
from framework.results.run_folder import RunFolder
from framework.system.stored_files import Damaged
from tests.framework.conftest import Modulingua
from tests.framework.tiny import TARGETS, Workspace, build_encoder, join_pairs, read_rows, runs


@pytest.fixture(scope="module")
def run(finished_run: Workspace) -> RunFolder:
    [run] = runs(finished_run.plan())
    return run


def texts_and_answers(workspace: Workspace, run: RunFolder, code: str) -> tuple[list[str], list[tuple[str, float]]]:
    """A language's test texts, and what the run said of each."""
    predictions = run.predictions("own", code)
    said = dict(zip(predictions.id, zip(predictions.predicted, predictions.confidence, strict=True), strict=True))
    rows = read_rows(workspace.texts / code / "test.parquet")
    return [row["text"] for row in rows], [
        (label, float(probability)) for label, probability in (said[str(row["index_id"])] for row in rows)
    ]


def same(found: Sequence[tuple[str, float] | None], expected: list[tuple[str, float]]) -> bool:
    # Texts stand in other batches than in the test, so the last digits may differ.
    answers = [answer for answer in found if answer]
    return (
        len(answers) == len(found)
        and [label for label, _ in answers] == [label for label, _ in expected]
        and [probability for _, probability in answers]
        == pytest.approx([probability for _, probability in expected], abs=1e-6)
    )


@pytest.mark.parametrize("code", TARGETS)
def test_it_says_what_the_run_said(finished_run: Workspace, run: RunFolder, code: str) -> None:
    texts, expected = texts_and_answers(finished_run, run, code)
    assert same(list(predict_lines(run.path, code, texts)), expected)
    other = next(target for target in TARGETS if target != code)
    # With another language's components it says something else: so the right ones acted.
    assert not same(list(predict_lines(run.path, other, texts)), expected)


def test_the_order_of_the_texts_is_kept(
    finished_run: Workspace, run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predict, "TEXTS_AT_ONCE", 4)
    texts, expected = texts_and_answers(finished_run, run, "swh_Latn")
    order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
    assert same(
        list(predict_lines(run.path, "swh_Latn", [texts[number] for number in order])),
        [expected[number] for number in order],
    )


def test_equal_texts_get_equal_answers_each(finished_run: Workspace, run: RunFolder) -> None:
    texts, expected = texts_and_answers(finished_run, run, "swh_Latn")
    assert same(list(predict_lines(run.path, "swh_Latn", [texts[0]] * 3)), [expected[0]] * 3)


def test_a_blank_line_gets_none(finished_run: Workspace, run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict, "TEXTS_AT_ONCE", 2)
    texts, expected = texts_and_answers(finished_run, run, "swh_Latn")
    lines = ["\n", " \t\n", f"  {texts[0]}\n", "", "\u200b \u200e\n", f"{texts[1]}\r\n"]
    found = list(predict_lines(run.path, "swh_Latn", lines))
    assert [answer is None for answer in found] == [True, True, False, True, True, False]
    assert same([answer for answer in found if answer], expected[:2])


@pytest.mark.parametrize("pretrained", [False, True])
def test_it_needs_no_data(workspace: Workspace, pretrained: bool) -> None:
    texts = workspace.copy_of(workspace.texts, "texts")
    changes = workspace.masked | {"data.path": str(texts)}
    if pretrained:
        training = {"steps": 2, "optimizer": {"lr": 0.05}}
        changes |= {
            "pretrain": {"languages": [*TARGETS], "objective": {"masked": workspace.text}, "training": training}
        }
    workspace.run(changes)
    [run] = runs(workspace.plan(changes))
    lines, expected = texts_and_answers(workspace, run, "swh_Latn")
    shutil.rmtree(texts)
    assert same(list(predict_lines(run.path, "swh_Latn", lines)), expected)


def test_answers_come_while_texts_do(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict, "TEXTS_AT_ONCE", 2)
    taken = []

    def lines() -> object:
        for number in range(6):
            taken.append(number)
            yield f"w{number} w9"

    answers = predict_lines(run.path, "swh_Latn", lines())
    next(answers)
    assert taken == [0, 1]


def forget_answering(folder: Path) -> None:
    """Makes a run's record one of an older version."""
    record = json.loads((folder / "run.json").read_text())
    del record["answering"]
    (folder / "run.json").write_text(json.dumps(record))


class TestMistakes:
    def test_an_unknown_language(self, run: RunFolder) -> None:
        with pytest.raises(DataError, match=r"unknown language 'swa_Latn'; nearest: swh_Latn \(Swahili\)"):
            list(predict_lines(run.path, "swa_Latn", ["w1"]))

    def test_a_language_without_components(self, run: RunFolder) -> None:
        with pytest.raises(UserError, match=r"components for yor_Latn \(it has eng_Latn, swh_Latn, hau_Latn\)$"):
            list(predict_lines(run.path, "yor_Latn", ["w1"]))

    def test_a_folder_that_is_no_run(self, finished_run: Workspace) -> None:
        with pytest.raises(UserError, match=r"runs/run\.json: no such file"):
            list(predict_lines(finished_run.folder / "runs", "swh_Latn", ["w1"]))

    def test_a_folder_of_runs(self, tmp_path: Path) -> None:
        for name in "abcde":
            (tmp_path / name).mkdir()
            (tmp_path / name / "run.json").write_text("{}")
        with pytest.raises(UserError) as error:
            list(predict_lines(tmp_path, "swh_Latn", ["w1"]))
        named = ", ".join(f"{tmp_path}/{name}" for name in "abc")
        message = f"{tmp_path}: is not a run but a folder of runs; name one of them: {named} and 2 more"
        assert str(error.value) == message

    def test_lines_that_cannot_be_read(self, run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(predict, "SHOWN", 2)
        answers = predict_lines(run.path, "swh_Latn", ["w1", "caf\udce9", "w2", "\udcff", "\ud83d", ""])
        found = []
        with pytest.raises(UserError) as error:
            found += answers
        assert [answer is None for answer in found] == [False, True, False, True, True, True]
        reason = "this is not UTF-8, and its answer is left blank"
        assert str(error.value) == f"line 2: {reason}\nline 4: {reason}\nand 1 more lines"

    def test_a_store_that_was_moved(self, run: RunFolder, workspace: Workspace) -> None:
        folder = workspace.copy_of(run.path, "run")
        settings = yaml.safe_load((folder / "experiment.yaml").read_text())
        gone = settings | {"store": str(workspace.folder / "old-store")}
        (folder / "experiment.yaml").write_text(yaml.safe_dump(gone))
        message = r"store .*/old-store, and there is no such folder; if the store was moved, .*run/experiment\.yaml"
        with pytest.raises(UserError, match=message):
            list(predict_lines(folder, "swh_Latn", ["w1"]))

    def test_a_component_that_is_gone(self, workspace: Workspace) -> None:
        workspace.run({"languages.targets": ["swh_Latn"]})
        plan = workspace.plan({"languages.targets": ["swh_Latn"]})
        workspace.store.remove(plan.of_type(LanguageStage)[0].id)
        with pytest.raises(UserError, match=r"passport\.json: no such file"):
            list(predict_lines(runs(plan)[0].path, "swh_Latn", ["w1"]))

    def test_a_backbone_that_is_another_now(self, workspace: Workspace) -> None:
        folder = workspace.copy_of(workspace.encoder, "mine")
        changes = {"backbone.name": str(folder), "combination": {}, "languages.targets": ["swh_Latn"]}
        workspace.run(changes)
        [run] = runs(workspace.plan(changes))
        shutil.rmtree(folder)
        build_encoder(folder, seed=1)
        with pytest.raises(UserError, match="trained on another backbone"):
            list(predict_lines(run.path, "swh_Latn", ["w1"]))


class TestEditedFiles:
    """What a run and its components say of labels and languages is compared: answers must not have wrong names."""

    @pytest.fixture
    def copy(self, workspace: Workspace, finished_run: Workspace, run: RunFolder) -> Path:
        """A copy of the run with its store, to be edited."""
        workspace.copy_of(finished_run.folder / "store", "store")
        folder = workspace.copy_of(run.path, "run")
        settings = yaml.safe_load((folder / "experiment.yaml").read_text())
        (folder / "experiment.yaml").write_text(yaml.safe_dump(settings | {"store": str(workspace.store.folder)}))
        return folder

    def test_unedited_ones_answer(self, copy: Path) -> None:
        assert len(list(predict_lines(copy, "swh_Latn", ["w1"]))) == 1

    @pytest.mark.parametrize(
        ("edit", "message"),
        [
            (lambda labels: labels[::-1], "the labels are .* in the one, .* in the other"),
            (lambda labels: [labels[0], *labels[:-1]], "a label is there twice"),
            (lambda labels: labels[:-1], "the labels are .* in the one, .* in the other"),
        ],
        ids=["order", "twice", "fewer"],
    )
    def test_labels(self, copy: Path, edit: Callable[[list[str]], list[str]], message: str) -> None:
        record = json.loads((copy / "run.json").read_text())
        record["labels"] = edit(record["labels"])
        (copy / "run.json").write_text(json.dumps(record))
        with pytest.raises(UserError, match=message):
            list(predict_lines(copy, "swh_Latn", ["w1"]))

    @pytest.mark.parametrize(
        ("edit", "said"),
        [
            (lambda record: record.update(components={}), "components names no task component"),
            (lambda record: record.update(seed=5), "its id does not follow from its recipe and seed"),
            (lambda record: record.update(source=["swh_Latn"]), r"languages.source is \['swh_Latn'\] in the one"),
            (lambda record: record.update(dataset="taxi1500"), "data.name is 'taxi1500' in the one, 'sib200'"),
        ],
        ids=["components", "seed", "source", "dataset"],
    )
    def test_the_record(self, copy: Path, edit: Callable[[dict[str, Any]], None], said: str) -> None:
        record = json.loads((copy / "run.json").read_text())
        edit(record)
        (copy / "run.json").write_text(json.dumps(record))
        with pytest.raises(Damaged, match=said):
            list(predict_lines(copy, "swh_Latn", ["w1"]))

    def test_a_language_component_left_out_of_the_record(self, copy: Path) -> None:
        record = json.loads((copy / "run.json").read_text())
        record["components"] = {name: id for name, id in record["components"].items() if "swh_Latn" not in name}
        (copy / "run.json").write_text(json.dumps(record))
        with pytest.raises(Damaged, match="the result of swh_Latn do not agree.*which acted in the test"):
            list(predict_lines(copy, "hau_Latn", ["w1"]))

    @pytest.mark.parametrize("older", [False, True])
    @pytest.mark.parametrize(
        ("edit", "said"),
        [
            (lambda yaml: yaml["combination"].pop("language"), r"combination\.language is \['prompt'\] in the one, \["),
            (lambda yaml: yaml["combination"].pop("task"), r"combination\.task is \['adapter'\] in the one, \["),
            (lambda yaml: yaml.pop("data"), "data.name is 'sib200' in the one, missing in the other"),
            (lambda yaml: yaml["stages"].pop("task"), r"stages\.task(\.answer.*)? is .*missing"),
            (lambda yaml: yaml.update(grid={"seeds": [[0], [1]]}), "this has a grid"),
        ],
        ids=["language", "task", "data", "stage", "grid"],
    )
    def test_the_experiment(self, copy: Path, edit: Callable[[dict[str, Any]], object], said: str, older: bool) -> None:
        if older:
            forget_answering(copy)
        settings = yaml.safe_load((copy / "experiment.yaml").read_text())
        edit(settings)
        (copy / "experiment.yaml").write_text(yaml.safe_dump(settings))
        with pytest.raises(Damaged, match=said):
            list(predict_lines(copy, "swh_Latn", ["w1"]))

    @pytest.mark.parametrize(
        ("edit", "said"),
        [
            (lambda yaml: yaml["data"].update(max_length=8), "data.max_length is 24 in the one, 8 in the other"),
            (lambda yaml: yaml["data"].update(text_prefix="w3 "), "data.text_prefix is missing in the one, 'w3 '"),
            (lambda yaml: yaml["languages"]["targets"].append("yor_Latn"), r"languages\.targets is .*'yor_Latn'\]"),
        ],
        ids=["max_length", "text_prefix", "targets"],
    )
    def test_a_setting(self, copy: Path, edit: Callable[[dict[str, Any]], object], said: str) -> None:
        settings = yaml.safe_load((copy / "experiment.yaml").read_text())
        edit(settings)
        (copy / "experiment.yaml").write_text(yaml.safe_dump(settings))
        message = r"run\.json and .*experiment\.yaml do not agree, so one of them was edited: " + said
        with pytest.raises(Damaged, match=message):
            list(predict_lines(copy, "swh_Latn", ["w1"]))

    def test_where_things_lie_does_not_matter(self, copy: Path) -> None:
        settings = yaml.safe_load((copy / "experiment.yaml").read_text())
        settings["data"]["path"] = settings["runs"] = "/elsewhere"
        (copy / "experiment.yaml").write_text(yaml.safe_dump(settings))
        assert len(list(predict_lines(copy, "swh_Latn", ["w1"]))) == 1

    def test_a_run_of_an_older_version_answers(self, copy: Path) -> None:
        forget_answering(copy)
        assert len(list(predict_lines(copy, "swh_Latn", ["w1"]))) == 1

    def test_a_target_that_no_component_serves(self, copy: Path) -> None:
        forget_answering(copy)
        settings = yaml.safe_load((copy / "experiment.yaml").read_text())
        settings["languages"]["targets"].append("yor_Latn")
        (copy / "experiment.yaml").write_text(yaml.safe_dump(settings))
        message = r"no language components for yor_Latn \(it has eng_Latn, swh_Latn, hau_Latn\)"
        with pytest.raises(UserError, match=message):
            list(predict_lines(copy, "yor_Latn", ["w1"]))

    def test_languages_of_a_passport(self, workspace: Workspace, copy: Path) -> None:
        [passport] = [one for one in workspace.store.readable() if one.languages == ["swh_Latn"]]
        file = workspace.store.path(passport.id) / "passport.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"languages": ["hau_Latn"]}))
        with pytest.raises(UserError, match=rf"run.json and the passport of {passport.id} do not agree.*hau_Latn"):
            list(predict_lines(copy, "hau_Latn", ["w1"]))


def test_without_language_components_it_takes_any_language(workspace: Workspace) -> None:
    changes = {"combination.language": {}, "languages.targets": ["swh_Latn"]}
    workspace.run(changes)
    [run] = runs(workspace.plan(changes))
    texts, expected = texts_and_answers(workspace, run, "swh_Latn")
    assert same(list(predict_lines(run.path, "swh_Latn", texts)), expected)
    assert same(list(predict_lines(run.path, "yor_Latn", texts)), expected)


def test_from_any_folder(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store was named as seen from the folder in which the run was made."""
    monkeypatch.chdir(workspace.folder)
    changes = {"store": "store", "runs": "runs", "combination.language": {}, "languages.targets": ["swh_Latn"]}
    workspace.run(changes)
    [run] = runs(workspace.plan(changes))
    texts, expected = texts_and_answers(workspace, run, "swh_Latn")
    monkeypatch.chdir(workspace.folder / "runs")
    place = Path("tiny") / run.path.name
    assert same(
        list(predict_lines(place, "swh_Latn", texts)), texts_and_answers(workspace, RunFolder(place), "swh_Latn")[1]
    )


def test_from_the_command_line(
    finished_run: Workspace, run: RunFolder, modulingua: Modulingua, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts, expected = texts_and_answers(finished_run, run, "hau_Latn")
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(["", *texts[:3]]) + "\n"))
    answer = modulingua("predict", run.path, "--language", "hau_Latn")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == "\n" + "".join(f"{label}\t{probability:.3f}\n" for label, probability in expected[:3])
    refused = modulingua("predict", run.path, "--language", "hausa")
    assert refused.code == 2
    assert refused.err.strip() == "unknown language 'hausa'; nearest: hau_Latn (Hausa)"
    missing = modulingua("predict", Path("nowhere"), "--language", "hau_Latn")
    assert (missing.code, missing.out) == (2, "")
    assert missing.err.startswith("nowhere/run.json: no such file")


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"\xef\xbb\xbfw1\nw2", ["w1\n", "w2"]),
        (b"w1\r\nw2\r\n", ["w1\r\n", "w2\r\n"]),
        ("w1\u2028w2\x85\u200b\0\rw3\n".encode(), ["w1\u2028w2\x85\u200b\0\rw3\n"]),
        (b"w1\tw2\n\nw3", ["w1\tw2\n", "\n", "w3"]),
        ("café\n".encode("latin-1"), ["caf\udce9\n"]),
        (b"", []),
    ],
    ids=["bom", "crlf", "other ends of lines", "tabs", "latin-1", "empty"],
)
def test_a_line_ends_with_a_line_feed_only(content: bytes, lines: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content), encoding="ascii"))
    assert list(predict.input_lines()) == lines


def test_closed_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(UserError, match="standard input is closed"):
        predict.input_lines()


def test_settings_of_what_other_cells_train_do_not_matter(workspace: Workspace) -> None:
    # As experiments have them that a grid over components extends.
    changes = {"stages.task.training.learning_rates": {"prompt": 0.1, "head": 0.01}, "languages.targets": ["swh_Latn"]}
    workspace.run(changes)
    [run] = runs(workspace.plan(changes))
    [answer] = predict_lines(run.path, "swh_Latn", ["w1 w2 w3"])
    assert answer is not None


class TestPairs:
    @pytest.fixture
    def run(self, workspace: Workspace) -> RunFolder:
        """A run on a table of pairs, whose files are gone since."""
        folder = workspace.folder / "table"
        folder.mkdir()
        for name, codes in {"train": ["eng_Latn"], "test": ["swh_Latn", "hau_Latn"]}.items():
            lines = [f"w{n} w{n + 20},w{n % 9},{'yes' if n % 2 else 'no'},{codes[n % len(codes)]}" for n in range(20)]
            (folder / f"{name}.csv").write_text("\n".join(["a,b,label,lang", *lines]))
        encoder = join_pairs(workspace.copy_of(workspace.encoder, "joining"))
        data = {
            "name": "table",
            "path": str(folder),
            "files": {"train": "train.csv", "test": "test.csv"},
            "columns": {"text": "a", "second_text": "b", "language": "lang"},
            "held_out": 0.25,
            "max_length": 16,
        }
        changes = {"data": data, "combination.language": {}, "languages.targets": ["all"]}
        changes["backbone.name"] = str(encoder)
        printed = workspace.run(changes)
        assert "Validated on 25% of the train split, trained on the rest of it." in " ".join(printed.split())
        [run] = runs(workspace.plan(changes))
        shutil.rmtree(folder)
        return run

    def test_lines_of_two_texts(self, run: RunFolder) -> None:
        said = run.predictions("own", "swh_Latn")
        lines = [f"w{n} w{n + 20}\tw{n % 9}\n" for n in range(0, 20, 2)]
        [blank, *found] = predict_lines(run.path, "swh_Latn", ["\n", *lines])
        assert blank is None
        order = sorted(range(10), key=lambda place: said.id[place])
        assert same(found, [(said.predicted[place], float(said.confidence[place])) for place in order])

    @pytest.mark.parametrize(("line", "count"), [("w1 w2", 1), ("w1\t", 1), ("w1\t\u200b", 1), ("w1\tw2\tw3", 3)])
    def test_a_line_that_is_no_pair(self, run: RunFolder, line: str, count: int) -> None:
        message = f"line 2: this run labels pairs, two texts with one tab between them; found {count}$"
        with pytest.raises(UserError, match=message):
            list(predict_lines(run.path, "swh_Latn", ["w1\tw2", line]))
