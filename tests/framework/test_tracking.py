"""W&B's own client against files and a local server: one run each, complete, and never in the way."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from framework import tracking
from framework.errors import UserError
from framework.metrics import metrics_of
from framework.results import Control, LanguageResult, Predictions, RunFolder, RunRecord
from framework.tracking import TrackingConfig, track
from tests.wandb_server import WandbServer

wandb = pytest.importorskip("wandb")

HISTORY = [
    {"stage": "language", "step": 5, "loss": 3.0},
    {"stage": "language", "step": 10, "loss": 2.5},
    {"stage": "task", "step": 1, "loss": 0.9},
    {"stage": "task", "step": 2, "loss": 0.8, "validation/accuracy": 0.75},
]
CURVES = [
    {"language/step": 5, "language/loss": 3.0},
    {"language/step": 10, "language/loss": 2.5},
    {"task/step": 1, "task/loss": 0.9},
    {"task/step": 2, "task/loss": 0.8, "task/validation/accuracy": 0.75},
]
ONLINE = TrackingConfig(mode="online", project="transfer", tags=["first", "second"])
OFFLINE = TrackingConfig(project="transfer", tags=["first", "second"])


@pytest.fixture(autouse=True)
def fresh_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Lets each test start the client anew: a session keeps the environment in which it began."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    wandb.teardown()
    yield
    wandb.teardown()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WandbServer]:
    with WandbServer() as running:
        for name, value in running.environment(tmp_path).items():
            monkeypatch.setenv(name, value)
        yield running
        wandb.teardown()
    assert running.unknown == []


def add_result(run: RunFolder, language: str, predicted: str, control: Control = "own") -> None:
    predictions = Predictions("0123", "aabb", predicted, [0.5] * 4)
    result = LanguageResult.of(
        predictions,
        task="classification",
        language=language,
        control=control,
        component_language=language if control == "own" else "",
        identity="i",
        source=language in run.record.source,
    )
    run.write(result, predictions)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return make_run(tmp_path, "7f3a9c", seed=1)


def make_run(root: Path, identity: str, seed: int) -> RunFolder:
    folder = RunFolder(root / "runs" / "sib" / f"prompt-{seed}")
    folder.write_record(
        RunRecord(
            id=identity,
            experiment="sib",
            label="language prompt + task adapter",
            seed=seed,
            combination={"language": {"prompt": {"length": 50}}, "task": {}},
            settings={"stages.task.training.steps": 100, "text_prefix": None, "languages.source": ["a", "b"]},
            backbone="xlm-roberta-base@e73636d",
            dataset="sib200",
            source=["eng_Latn"],
            components={"language prompt hau_Latn": "9c1b"},
            versions={"torch": "2.13.0"},
        )
    )
    add_result(folder, "eng_Latn", "aabb")
    add_result(folder, "hau_Latn", "abbb")
    add_result(folder, "yor_Latn", "bbbb")
    add_result(folder, "hau_Latn", "bbaa", "none")
    return folder


EXPECTED_CONFIG = {
    "experiment": "sib",
    "combination": "language prompt + task adapter",
    "combination/language": "prompt",
    "combination/task": "none",
    "seed": 1,
    "source": "eng_Latn",
    "backbone": "xlm-roberta-base@e73636d",
    "dataset": "sib200",
    "task": "classification",
    "commit": "none",
    "recipe": "none",
    "components/language prompt hau_Latn": "9c1b",
    "settings/stages/task/training/steps": 100,
    "settings/text_prefix": "none",
    "settings/languages/source": "a + b",
    "versions/torch": "2.13.0",
}


def check_summary(summary: dict[str, Any], **more: str) -> None:
    by_language = {"eng_Latn": "aabb", "hau_Latn": "abbb", "yor_Latn": "bbbb"} | more
    metrics = metrics_of("classification")
    for language, predicted in by_language.items():
        for name in ("accuracy", "macro_f1", "weighted_f1"):
            found = summary[f"test/{language}/{name}"]
            assert found == pytest.approx(metrics[name].score("aabb", predicted, language)), (language, name)
    zero_shot = [
        metrics["macro_f1"].score("aabb", predicted, language)
        for language, predicted in by_language.items()
        if language != "eng_Latn"
    ]
    assert summary["test/macro/macro_f1"] == pytest.approx(sum(zero_shot) / len(zero_shot))
    assert summary["test_none/macro/accuracy"] == pytest.approx(0)
    assert "test_wrong/macro/accuracy" not in summary
    assert "test_none/hau_Latn/accuracy" not in summary


def check_table(table: dict[str, Any]) -> None:
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    assert [(row["control"], row["language"]) for row in rows] == [
        ("own", "eng_Latn"),
        ("own", "hau_Latn"),
        ("own", "yor_Latn"),
        ("none", "hau_Latn"),
    ]
    assert rows[1] == {
        "combination": "language prompt + task adapter",
        "seed": 1,
        "control": "own",
        "language": "hau_Latn",
        "component_language": "hau_Latn",
        "source": False,
        "examples": 4,
        "accuracy": 0.75,
        "macro_f1": pytest.approx((2 / 3 + 4 / 5) / 2),
        "weighted_f1": pytest.approx((2 / 3 + 4 / 5) / 2),
        "foreign_rate": 0,
        "unparsed_rate": 0,
    }


def curves(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Takes from a history what is not the client's own."""
    rows = [{key: row[key] for key in row if not key.startswith(("_", "results"))} for row in history]
    return [row for row in rows if row]


def offline_copies(run: RunFolder) -> list[Path]:
    return sorted((run.path / "wandb").glob("offline-run-*"))


def command_line(*arguments: str) -> str:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("wandb")), *arguments], capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def state_of(copy: Path) -> dict[str, Any]:
    """Returns an offline copy's configuration, summary and so on."""
    return json.loads(command_line("leet", "inspect", "--summary", "--json", str(copy)))


@cache
def all_records(copy: Path) -> list[dict[str, Any]]:
    return list(map(json.loads, command_line("leet", "inspect", "--json", str(copy)).splitlines()))


def records_of(copy: Path, kind: str) -> list[dict[str, Any]]:
    """Returns an offline copy's records of one kind: run, history, metric, artifact …"""
    return [record[kind] for record in all_records(copy) if record["type"] == kind]


def history_of(copy: Path) -> list[dict[str, Any]]:
    return [row["item"] for row in records_of(copy, "history")]


class TestOffline:
    def test_everything_is_in_the_files(self, run: RunFolder, capfd: pytest.CaptureFixture[str]) -> None:
        assert track(run, HISTORY, OFFLINE) is None
        [copy] = offline_copies(run)
        state = state_of(copy)
        assert (state["run_id"], state["project"], state["state"]) == ("7f3a9c", "transfer", "finished")
        assert state["name"] == "language prompt + task adapter · seed 1"
        assert state["tags"] == ["first", "second"]
        assert state["config"] == EXPECTED_CONFIG
        check_summary(state["summary"])
        [opened] = records_of(copy, "run")
        assert (opened["run_group"], opened["job_type"]) == ("sib", "run")
        assert curves(history_of(copy)) == CURVES
        steps = {metric.get("glob_name"): metric.get("step_metric") for metric in records_of(copy, "metric")}
        assert steps == {None: None, "language/*": "language/step", "task/*": "task/step"}
        [table] = copy.glob("files/media/table/results_*.table.json")
        check_table(json.loads(table.read_text()))
        printed = capfd.readouterr()
        assert (printed.out, printed.err) == ("", "")

    def test_what_waits_for_upload_lies_beside_the_run(self, run: RunFolder, tmp_path: Path) -> None:
        other = make_run(tmp_path, "00ff", seed=2)
        for one in (run, other):
            assert track(one, HISTORY, OFFLINE) is None
            staged = [file for file in (one.path / "wandb/data/artifacts/staging").rglob("*") if file.is_file()]
            assert staged
            [copy] = offline_copies(one)
            [artifact] = records_of(copy, "artifact")
            [entry] = artifact["manifest"]["contents"]
            assert Path(entry["local_path"]) in staged
        assert "WANDB_DATA_DIR" not in os.environ

    def test_a_second_time_replaces_what_was_not_uploaded(self, run: RunFolder) -> None:
        assert track(run, HISTORY, OFFLINE) is None
        [first] = offline_copies(run)
        first.rename(first.with_name("offline-run-20200101_000000-7f3a9c"))
        add_result(run, "swh_Latn", "aabb")
        assert track(run, HISTORY, OFFLINE) is None
        [copy] = offline_copies(run)
        check_summary(state_of(copy)["summary"], swh_Latn="aabb")
        assert curves(history_of(copy)) == CURVES

    def test_uploaded_in_two_parts_the_curves_come_once(self, run: RunFolder, server: WandbServer) -> None:
        assert track(run, HISTORY, OFFLINE) is None
        [first] = offline_copies(run)
        first = first.rename(first.with_name("offline-run-20200101_000000-7f3a9c"))
        assert server.runs == {}
        command_line("sync", str(first))
        [served] = server.runs.values()
        assert curves(served.history) == CURVES
        add_result(run, "swh_Latn", "aabb")
        assert track(run, HISTORY, OFFLINE) is None
        [second] = set(offline_copies(run)) - {first}
        command_line("sync", str(second))
        assert list(server.runs) == ["7f3a9c"]
        assert curves(served.history) == CURVES
        check_summary(served.summary, swh_Latn="aabb")

    def test_another_run_of_the_process_goes_on(self, run: RunFolder, tmp_path: Path) -> None:
        quick = wandb.Settings(silent=True, console="off", disable_git=True, disable_code=True)
        other = wandb.init(mode="offline", dir=tmp_path, settings=quick)
        assert track(run, HISTORY, OFFLINE) is None
        assert wandb.run is other
        other.log({"still": "open"})
        other.finish()
        [copy] = offline_copies(run)
        assert curves(history_of(copy)) == CURVES

    def test_a_session_begun_elsewhere_changes_nothing(
        self, run: RunFolder, server: WandbServer, capfd: pytest.CaptureFixture[str]
    ) -> None:
        wandb.setup()
        assert track(run, HISTORY, OFFLINE) is None
        assert server.operations == []
        assert len(offline_copies(run)) == 1
        printed = capfd.readouterr()
        assert (printed.out, printed.err) == ("", "")


class TestOnline:
    def test_everything_arrives(self, run: RunFolder, server: WandbServer, capfd: pytest.CaptureFixture[str]) -> None:
        assert track(run, HISTORY, ONLINE) is None
        assert list(server.runs) == ["7f3a9c"]
        served = server.runs["7f3a9c"]
        assert served.project == "transfer"
        names = ("displayName", "groupName", "jobType", "tags")
        assert [served.fields[name] for name in names] == [
            "language prompt + task adapter · seed 1",
            "sib",
            "run",
            ["first", "second"],
        ]
        assert {key: value for key, value in served.config.items() if key != "_wandb"} == EXPECTED_CONFIG
        check_summary(served.summary)
        assert curves(served.history) == CURVES
        assert served.exit_codes == [0]
        [table] = [content for name, content in served.files.items() if name.startswith("media/table/results")]
        check_table(json.loads(table))
        printed = capfd.readouterr()
        assert (printed.out, printed.err) == ("", "")

    def test_a_second_time_brings_the_same_run_up_to_date(self, run: RunFolder, server: WandbServer) -> None:
        assert track(run, HISTORY, ONLINE) is None
        add_result(run, "swh_Latn", "aabb")
        wandb.teardown()  # as from a new process
        assert track(run, HISTORY, ONLINE) is None
        assert list(server.runs) == ["7f3a9c"]
        served = server.runs["7f3a9c"]
        assert served.exit_codes == [0, 0]
        assert curves(served.history) == CURVES
        check_summary(served.summary, swh_Latn="aabb")

    def test_curves_cut_short_are_completed(self, run: RunFolder, server: WandbServer) -> None:
        assert track(run, HISTORY[:2], ONLINE) is None
        # The table came with the last row that there was; what follows is still to be sent.
        assert track(run, HISTORY, ONLINE) is None
        assert curves(server.runs["7f3a9c"].history) == CURVES

    def test_offline_after_online_sends_no_curves_again(self, run: RunFolder, server: WandbServer) -> None:
        assert track(run, HISTORY, ONLINE) is None
        assert track(run, HISTORY, OFFLINE) is None
        [copy] = offline_copies(run)
        assert curves(history_of(copy)) == []

    def test_makes_an_offline_copy_needless(self, run: RunFolder, server: WandbServer) -> None:
        assert track(run, HISTORY, OFFLINE) is None
        assert track(run, HISTORY, ONLINE) is None
        assert offline_copies(run) == []
        assert curves(server.runs["7f3a9c"].history) == CURVES

    def test_runs_are_kept_apart(self, run: RunFolder, server: WandbServer, tmp_path: Path) -> None:
        other = make_run(tmp_path, "00ff", seed=2)
        for one in (run, other):
            assert track(one, HISTORY, ONLINE) is None
        assert {name: served.config["seed"] for name, served in server.runs.items()} == {"7f3a9c": 1, "00ff": 2}
        assert all(curves(served.history) == CURVES for served in server.runs.values())


class TestFailure:
    def everything_but_wandb(self, run: RunFolder) -> dict[Path, bytes]:
        return {
            file: file.read_bytes()
            for file in run.path.rglob("*")
            if file.is_file() and "wandb" not in file.relative_to(run.path).parts
        }

    def check_warning(self, run: RunFolder, config: TrackingConfig) -> str:
        before = self.everything_but_wandb(run)
        start = time.monotonic()
        warning = track(run, HISTORY, config)
        assert time.monotonic() - start < 60  # not the client's own patience, which has no end
        assert warning is not None
        assert warning.startswith("W&B does not have language prompt + task adapter, seed 1: ")
        assert "\n" not in warning
        assert str(run.path) in warning
        assert self.everything_but_wandb(run) == before
        assert not (run.path / "wandb" / tracking.CURVES_SENT).exists()
        return warning

    def test_a_server_out_of_order(self, run: RunFolder, server: WandbServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tracking, "START_SECONDS", 1)
        assert track(run, HISTORY, OFFLINE) is None
        server.broken = "/"
        self.check_warning(run, ONLINE)
        assert len(offline_copies(run)) == 1, "what could not be sent must stay"

    def test_a_server_that_fails_in_the_middle(
        self, run: RunFolder, server: WandbServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tracking, "FINISH_SECONDS", 1)
        log_curves = tracking._log_curves

        def break_then_log(*arguments: Any, **named: Any) -> None:
            server.broken = "/files/"
            log_curves(*arguments, **named)

        monkeypatch.setattr(tracking, "_log_curves", break_then_log)
        self.check_warning(run, ONLINE)

    def test_nobody_at_the_address(self, run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tracking, "START_SECONDS", 1)
        with WandbServer() as gone:
            pass
        for name, value in gone.environment(run.path.parent).items():
            monkeypatch.setenv(name, value)
        self.check_warning(run, ONLINE)

    def test_no_login_is_said_and_never_asked_for(
        self, run: RunFolder, server: WandbServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("WANDB_API_KEY")
        warning = self.check_warning(run, ONLINE)
        assert "not logged in; run `wandb login`, or set tracking.mode to offline" in warning
        assert server.runs == {}

    def test_an_error_of_the_client(self, run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*arguments: Any, **named: Any) -> None:
            raise RuntimeError("two\nlines")

        monkeypatch.setattr(wandb, "init", fail)
        assert "two lines" in self.check_warning(run, OFFLINE)

    def test_an_error_while_logging_marks_the_run_as_failed(
        self, run: RunFolder, server: WandbServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*arguments: Any, **named: Any) -> None:
            raise RuntimeError("no table")

        monkeypatch.setattr(tracking, "_table", fail)
        assert "no table" in self.check_warning(run, ONLINE)
        assert server.runs["7f3a9c"].exit_codes == [1]

    def test_our_own_damaged_files_are_no_matter_of_wandb(self, run: RunFolder) -> None:
        (run.path / "results/own/hau_Latn.json").write_text("{")
        with pytest.raises(UserError, match=r"hau_Latn\.json"):
            track(run, HISTORY, OFFLINE)


def test_off_leaves_no_trace(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wandb, "init", None)
    assert track(run, HISTORY, TrackingConfig(mode="off")) is None
    assert not (run.path / "wandb").exists()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ('{"mode": "dryrun"}', "mode"),
        ('{"project": "a/b"}', "project 'a/b' must have"),
        ('{"project": ""}', "project '' must have"),
        ('{"tags": [""]}', "tag '' must have 1 to 64 letters"),
        ('{"team": "x"}', "team"),
    ],
)
def test_mistakes_in_the_configuration(data: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TypeAdapter(TrackingConfig).validate_json(data, strict=True)
