"""Rows that cannot be used: found before anything is trained, listed together, or left out and counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from datamodules import Dataset
from datamodules.errors import LISTED
from framework.planning.data_check import check_data, splits_of
from framework.planning.notes import notes_on_data
from tests.framework.conftest import Modulingua
from tests.framework.test_bad_input import WORDS, answering
from tests.framework.tiny import SOURCE, TARGETS, Workspace, outcome, read_rows, runs, write_rows

TEST = TARGETS[0]


def with_rows(workspace: Workspace, changes: dict[tuple[str, str], dict[int, dict[str, Any]]]) -> dict[str, Any]:
    """Returns changes of the experiment, so that it reads copies of the texts in which cells of some rows differ."""
    folder = workspace.copy_of(Path(workspace.experiment["data"]["path"]), "texts")
    for (language, split), rows in changes.items():
        file = folder / language / f"{split}.parquet"
        found = read_rows(file)
        for number, cells in rows.items():
            found[number] |= cells
        write_rows(file, found)
    objective = {"alignment": {"parallel": {"dataset": "sib200", "path": workspace.experiment["data"]["path"]}}}
    return {"data.path": str(folder), "stages.language.objective": objective}


BAD: dict[tuple[str, str], dict[int, dict[str, Any]]] = {
    (SOURCE, "train"): {3: {"text": " "}},
    (SOURCE, "validation"): {0: {"category": "Sports"}},
    (TEST, "test"): {5: {"category": "-"}, 6: {"index_id": 2}},
}


def test_all_unusable_rows_are_listed_together_before_anything_is_trained(
    workspace: Workspace, modulingua: Modulingua
) -> None:
    file = workspace.write(with_rows(workspace, BAD))
    before = workspace.files()
    for command in (["plan", file, "--data"], ["run", file]):
        answer = modulingua(*command)
        assert answer.code == 2
        assert "tiny: 4 of 70 rows cannot be used:\n" in answer.err
        for file_, row, reason in (
            (f"{SOURCE}/train", 4, "the text is empty\n"),
            (f"{SOURCE}/validation", 1, "the column 'category' holds the unknown label 'Sports'; 'sports' differs "),
            (f"{TEST}/test", 6, "the column 'category' holds '-', which marks an example without a gold label\n"),
            (f"{TEST}/test", 7, "the id '2' is that of "),
        ):
            assert f"texts/{file_}.parquet, row {row}: {reason}" in answer.err
        assert workspace.files() == before


def test_what_is_skipped_is_counted(workspace: Workspace, modulingua: Modulingua) -> None:
    changes = with_rows(workspace, BAD) | {"data.bad_rows": "skip", "languages.targets": [TEST]}
    file = workspace.write(changes)
    answer = modulingua("plan", file, "--data").out
    assert "skipped: 4 of 56 rows cannot be used:\n" in answer
    assert answer.endswith("sib200: 56 rows of 3 splits read, 4 skipped\n")
    printed = workspace.run(changes)
    [run] = runs(workspace.plan(changes))
    result, predictions = outcome(run)["own", TEST]
    assert (result.examples, result.skipped, len(predictions)) == (12, 2, 12)
    assert f"Test rows left out because they cannot be used: 2 of {TEST}." in printed
    assert f"Training and validation rows left out because they cannot be used: 2 of {SOURCE}." in printed


def test_it_says_how_much_was_read(workspace: Workspace, finished_run: Workspace, modulingua: Modulingua) -> None:
    assert modulingua("plan", workspace.write(), "--data").out == "sib200: 70 rows of 4 splits read, all usable\n"
    nothing = modulingua("plan", finished_run.folder / "experiment.yaml", "--data")
    assert nothing.out == "no labelled data is left to read\n"


def test_skipping_belongs_to_the_identity_and_refusing_does_not(workspace: Workspace) -> None:
    default, refuse, skip = (
        [stage.id for stage in workspace.plan(changes).stages if stage.kind in ("task", "evaluate")]
        for changes in ({}, {"data.bad_rows": "refuse"}, {"data.bad_rows": "skip"})
    )
    assert default == refuse
    assert not set(default) & set(skip)


def test_a_long_list_ends_with_a_number(workspace: Workspace, modulingua: Modulingua) -> None:
    changes = with_rows(workspace, {(SOURCE, "train"): {number: {"text": ""} for number in range(LISTED + 3)}})
    answer = modulingua("plan", workspace.write(changes), "--data")
    assert answer.err.count("the text is empty") == LISTED
    assert "  … and 3 more\n" in answer.err


def test_a_split_of_which_nothing_is_left_is_refused(workspace: Workspace) -> None:
    changes = with_rows(workspace, {(TEST, "test"): {number: {"category": None} for number in range(14)}})
    found = check_data(workspace.plan(changes | {"data.bad_rows": "skip"}).todo)
    assert list(found.other) == [f"sib200 {TEST}: data.bad_rows: skip leaves none of the 14 rows of the test split"]
    assert len(found.skipped) == 14


@pytest.mark.parametrize(("share", "count"), [(0.0001, 0), (0.9999, 28)])
def test_a_share_that_leaves_nothing_to_train_or_validate_on_is_refused(
    workspace: Workspace, share: float, count: int
) -> None:
    found = check_data(workspace.plan({"data.held_out": share}).todo)
    assert list(found.other) == [
        f"sib200 {SOURCE}: data.held_out: {share:g} of the 28 different texts of the train split is {count}; "
        "some must be held out and some left to train on"
    ]


def test_a_small_share_is_not_written_as_nothing(workspace: Workspace) -> None:
    experiment = workspace.plan({"data.held_out": 0.0001}).shared
    assert "Validated on 0.01% of the train split, trained on the rest of it." in notes_on_data(experiment)


def test_only_what_is_left_to_do_is_read(finished_run: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Dataset, "read", lambda *_: pytest.fail("a split was read"))
    assert not finished_run.plan().todo
    assert check_data(finished_run.plan().todo).usable == 0
    with pytest.raises(pytest.fail.Exception):
        check_data(finished_run.plan().stages)


@pytest.mark.parametrize("value", [["a", "list"], 3])
def test_texts_of_a_language_stage_are_looked_at(value: Any, workspace: Workspace, tmp_path: Path) -> None:
    for language in TARGETS:
        write_rows(tmp_path / "corpus" / language / "train.parquet", [{"text": value}])
    write_rows(tmp_path / "corpus" / SOURCE / "train.parquet", [{"text": "w1 w2"}])
    objective = {"masked": {"text": {"dataset": "texts", "path": str(tmp_path / "corpus"), "max_length": 24}}}
    found = check_data(workspace.plan({"stages.language.objective": objective}).todo)
    assert [error.partition("corpus/")[2].partition(" holds ")[0] for error in found.other] == [
        f"{language}/train.parquet, row 1: the column 'text'" for language in TARGETS
    ]


def parallel_text(workspace: Workspace, *lines: str) -> dict[str, Any]:
    """Returns changes of the experiment, so that languages are aligned by files of translations with these lines."""
    for language in [SOURCE, *TARGETS]:
        (workspace.folder / f"pairs-{language}.jsonl").write_text("".join(f"{line}\n" for line in lines))
    parallel = {"file": str(workspace.folder / "pairs-{language}.jsonl"), "max_length": 24}
    return {"stages.language.objective": {"alignment": {"parallel": parallel}}}


PAIR, BLANK = '{"target": "w1", "pivot": "w2"}', '{"target": " ", "pivot": "w2"}'


def test_parallel_text_is_read_to_its_end(workspace: Workspace, modulingua: Modulingua) -> None:
    bad = '{"target": 3, "pivot": "w2"}'
    changes = parallel_text(workspace, *[PAIR] * 150, BLANK, bad, PAIR, "[")
    found = check_data(workspace.plan(changes).todo)
    languages = {language for stage in workspace.plan(changes).todo for language in getattr(stage, "languages", ())}
    assert not found.refused
    assert {error.rpartition("/")[2].partition(": ")[0] for error in found.other} == {
        f"pairs-{language}.jsonl, line {line}" for language in languages for line in (152, 154)
    }
    answer = modulingua("run", workspace.write(changes))
    assert answer.code == 2
    assert "line 152: the column 'target' holds a number, not a text" in answer.err


def test_parallel_text_without_a_pair_is_refused(workspace: Workspace) -> None:
    found = check_data(workspace.plan(parallel_text(workspace, BLANK, BLANK)).todo)
    assert found.other
    assert all(error.endswith("holds text on both sides") for error in found.other)


def test_a_plan_lists_the_rows_that_it_reads_anyway(workspace: Workspace, modulingua: Modulingua) -> None:
    changes = with_rows(workspace, {(SOURCE, "train"): {3: {"text": " "}}, (TEST, "test"): {5: {"category": "-"}}})
    assert modulingua("plan", workspace.write(changes)).code == 0
    answer = modulingua("plan", workspace.write(changes | {"languages.targets": [SOURCE, TEST]}))
    assert answer.code == 2
    assert f"{SOURCE}/train.parquet, row 4: the text is empty" in answer.err
    assert TEST not in answer.err


def test_examples_that_stand_before_a_text_are_read(workspace: Workspace) -> None:
    answer = {"label_words": {"template": "{text}", "words": WORDS, "examples": {"count": 2, "language": "target"}}}
    changes = answering("llama", answer, **{"combination.task": {}, "stages.task.training": None})(workspace)
    [stage] = workspace.plan(changes).todo
    assert set(splits_of(stage)) == {(language, split) for language in TARGETS for split in ("train", "test")}


@pytest.mark.parametrize(("targets", "said"), [(["all"], True), (["swh_Latn"], False)])
def test_files_that_all_languages_leave_out_are_said(workspace: Workspace, targets: list[str], said: bool) -> None:
    folder = workspace.folder / "table"
    folder.mkdir()
    for name in ("train", "test-swh_Latn", "test-Yoruba"):
        lines = (f"w{number} of {name},{'yes' if number % 2 else 'no'}\n" for number in range(20))
        (folder / f"{name}.csv").write_text("text,label\n" + "".join(lines))
    files = {"train": {SOURCE: "train.csv"}, "test": "test-{language}.csv"}
    data = {"name": "table", "path": str(folder), "files": files, "held_out": 0.25, "max_length": 16}
    plan = workspace.plan({"data": data, "combination.language": {}, "languages.targets": targets})
    found = [note for note in notes_on_data(plan.shared) if "test-Yoruba.csv: unknown" in note]
    assert len(found) == said
