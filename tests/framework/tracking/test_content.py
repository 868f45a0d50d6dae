"""What W&B is told of a whole experiment: live, offline and by sync; its own client against a local server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from framework.planning.plan import EvaluateStage, Plan, TaskStage
from framework.results.run_folder import RunFolder
from framework.tracking.stage_content import component_name
from tests.framework.conftest import Modulingua
from tests.framework.tiny import Workspace, runs
from tests.framework.tracking.conftest import OFFLINE, QUICK, SECRETS, restart
from tests.framework.tracking.reading import curve, expected_curve, offline_copies, records_of, state_of
from tests.wandb_server import WandbServer

READ = {"GetDefaultEntity", "Viewer"}
"""What asks a server without telling it anything."""
EXPECTED = {
    "combo": "language prompt + task adapter",
    "experiment": "tiny",
    "seed": 0,
    "source": "eng_Latn",
    "backbone": "encoder",
    "dataset": "sib200",
    "task": "classification",
    "components/language/prompt": ("length=3, init=vocabulary, std=0.02, reparameterization=none, position=before_bos"),
    "components/language/adapter": "none",
    "components/task/prompt": "none",
    "components/task/adapter": "type=seq_bn, reduction_factor=8, leave_out=none",
}


def folder_of(workspace: Workspace, stage: Any) -> Path:
    """Below it lie the client's files of a stage."""
    return Path(stage.folder.path) if stage.kind == "evaluate" else workspace.store.folder / ".wandb" / stage.id


def check_config(config: dict[str, Any], stage: Any) -> None:
    """Holds the names that dashboards stand on: flat, never null, and the same for every stage."""
    names = {"combo", "experiment", "seed", "source", "backbone", "precision", "dataset", "task", "commit", "recipe"}
    assert names <= config.keys()
    assert all(isinstance(value, str | int | float) and value != "" for value in config.values()), config
    assert not any("." in key for key in config)
    assert all(key in names or key.split("/")[0] in ("components", "settings", "versions") for key in config)
    assert config["versions/torch"].startswith("2.")
    if stage.kind == "evaluate":
        assert {key: config[key] for key in EXPECTED} == EXPECTED
        assert config["recipe"] == stage.recipe
    else:
        assert config["combo"] == stage.title.split(" · seed ")[0]  # seeds are averaged over
        assert config["settings/training/steps"] == stage.steps
        assert config["settings/training/learning_rates"] == "none"


def check_summary(summary: dict[str, Any], run: RunFolder) -> None:
    by_language = {result.language: result.scores for result in run.results() if result.control == "own"}
    assert set(by_language) == {"swh_Latn", "hau_Latn"}
    for language, scores in by_language.items():
        assert {metric: summary[f"test/{language}/{metric}"] for metric in scores} == pytest.approx(scores)
    for metric in ("accuracy", "macro_f1", "weighted_f1"):
        mean = sum(scores[metric] for scores in by_language.values()) / 2
        assert summary[f"test/macro/{metric}"] == pytest.approx(mean)
        assert {f"test_{control}/macro/{metric}" for control in ("none", "wrong")} <= summary.keys()


def check_table(table: dict[str, Any], run: RunFolder) -> None:
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    assert [(row["control"], row["language"]) for row in rows] == [
        (control, language) for control in ("own", "none", "wrong") for language in ("hau_Latn", "swh_Latn")
    ]
    for row, result in zip(rows, run.results(), strict=True):
        assert (row["combo"], row["seed"], row["examples"]) == ("language prompt + task adapter", 0, 14)
        assert (row["accuracy"], row["source"]) == (result.scores["accuracy"], False)
        assert row["component_language"] == result.component_language


def check_server(server: WandbServer, workspace: Workspace, plan: Plan) -> None:
    """Finds all of an experiment: a run for each stage, with its curve, results, component, and what it stands on."""
    assert set(server.runs) == {stage.id for stage in plan.stages}
    trained = [stage for stage in plan.stages if stage.kind != "evaluate"]
    for stage in plan.stages:
        served = server.runs[stage.id]
        fields = {name: served.fields[name] for name in ("groupName", "jobType", "tags")}
        assert fields == {"groupName": "tiny", "jobType": stage.kind, "tags": ["first", "second"]}
        assert served.fields["program"] == "modulingua"  # not where it lies
        assert (served.project, served.fields["displayName"]) == ("transfer", stage.title)
        check_config({key: value for key, value in served.config.items() if key != "_wandb"}, stage)
        assert curve(served.history) == expected_curve(workspace, plan, stage.id)
        assert set(served.uses) == {component_name(identity) for identity in stage.needs}
        assert served.exit_codes[-1] == 0
        assert not served.preempting
    for stage in trained:
        artifact = server.artifacts[component_name(stage.id)]
        assert artifact.fields["artifactTypeName"] == stage.kind
        assert artifact.fields["runName"] == stage.id
        assert json.loads(artifact.fields["metadata"])["weights_sha256"]
        stored = {file.name: file.read_bytes() for file in workspace.store.path(stage.id).iterdir()}
        sent = dict(artifact.files)
        passport, shown = json.loads(stored.pop("passport.json")), json.loads(sent.pop("passport.json"))
        assert sent == stored
        del passport["made"]["command"]  # it tells of the user's machine
        passport["backbone"]["name"] = "./encoder"  # and so does its folder
        assert shown == passport
    [evaluation], [run] = plan.of_type(EvaluateStage), runs(plan)
    served = server.runs[evaluation.id]
    check_summary(served.summary, run)
    check_table(json.loads(last_table(server, evaluation.id)), run)


def last_table(server: WandbServer, identity: str) -> bytes:
    served = server.runs[identity]
    return served.files[served.summary["results"]["path"]]


def check_no_secrets(*folders: Path) -> None:
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
    assert files
    for secret in SECRETS.values():
        assert [file for file in files if secret.encode() in file.read_bytes()] == []


def test_online_everything_arrives_while_it_is_made(
    workspace: Workspace, server: WandbServer, environment: Path, modulingua: Modulingua
) -> None:
    # The task components are trained on top of the source language's, and so stand on them.
    changes = QUICK | workspace.masked
    answer = modulingua("run", workspace.write(changes))
    assert (answer.code, answer.err) == (0, "")
    plan = workspace.plan(changes)
    [task] = plan.of_type(TaskStage)
    assert len(task.needs) == 1
    check_server(server, workspace, plan)
    check_no_secrets(workspace.folder, environment)
    asked = len(server.operations)
    answer = modulingua("sync", workspace.write(changes), workspace.folder / "runs")
    assert (answer.code, answer.out) == (0, "0 of 5 sent; 5 were there already\n")
    assert set(server.operations[asked:]) <= READ


def test_offline_everything_is_in_the_files(offline: Workspace, environment: Path) -> None:
    plan = offline.plan(OFFLINE)
    for stage in plan.stages[1:]:  # one of each kind; to read them takes time
        [copy] = offline_copies(folder_of(offline, stage))
        state = state_of(copy)
        assert (state["run_id"], state["project"], state["state"]) == (stage.id, "transfer", "finished")
        assert (state["name"], state["tags"]) == (stage.title, ["first", "second"])
        check_config(state["config"], stage)
        [opened] = records_of(copy, "run")
        assert (opened["run_group"], opened["job_type"]) == ("tiny", stage.kind)
        history = [row["item"] for row in records_of(copy, "history")]
        assert curve(history) == expected_curve(offline, plan, stage.id)
        kind = "task" if stage.kind == "evaluate" else stage.kind
        over = {metric.get("glob_name"): metric.get("step_metric") for metric in records_of(copy, "metric")}
        assert over == {None: None, f"{kind}/*": f"{kind}/step"}
        [artifact] = records_of(copy, "artifact")
        waiting = {Path(entry["local_path"]) for entry in artifact["manifest"]["contents"]}
        if stage.kind == "evaluate":
            check_summary(state["summary"], stage.folder)
            [table] = copy.glob("files/media/table/results_*.table.json")
            check_table(json.loads(table.read_text()), stage.folder)
            assert waiting <= set((stage.folder.path / "wandb/data/artifacts/staging").iterdir())
        else:
            assert artifact["name"] == component_name(stage.id)
            copied = {path for path in waiting if path.is_relative_to(folder_of(offline, stage))}
            stored = {file for file in offline.store.path(stage.id).iterdir() if file.name != "passport.json"}
            assert waiting - copied == stored, "a component must not be copied"
            assert len(copied) == 1
    check_no_secrets(offline.folder, environment)


def test_sync_sends_what_was_offline_and_links_it(
    unsent: Workspace, server: WandbServer, modulingua: Modulingua
) -> None:
    file = unsent.write(OFFLINE)
    answer = modulingua("sync", file)
    assert (answer.code, answer.err) == (0, "")
    assert [line.split(" · ")[0] for line in answer.out.splitlines()] == [
        "[1/4] language",
        "[2/4] language",
        "[3/4] task",
        "[4/4] evaluate",
        "4 of 4 sent",
    ]
    plan = unsent.plan(OFFLINE)
    check_server(server, unsent, plan)
    assert [offline_copies(folder_of(unsent, stage)) for stage in plan.stages] == [[], [], [], []]
    restart()
    assert modulingua("sync", file).out == "0 of 4 sent; 4 were there already\n"

    # Sent again, nothing is there twice: check_server finds each point once, and each artifact in one version.
    restart()
    assert modulingua("sync", file, "--again").out.splitlines()[-1] == "4 of 4 sent"
    check_server(server, unsent, plan)


def test_sync_of_run_folders_finds_their_components(
    offline: Workspace, server: WandbServer, modulingua: Modulingua, tmp_path: Path
) -> None:
    copy = offline.copy_of(offline.folder, str(tmp_path / "copy"))
    [run] = (copy / "runs/tiny").glob("*/run.json")
    settings = run.with_name("experiment.yaml")
    settings.write_text(settings.read_text().replace(str(offline.folder), str(copy)))
    answer = modulingua("sync", run.parent)
    assert (answer.code, answer.err) == (0, "")
    check_server(server, Workspace(copy, offline.encoder, offline.texts, offline.corpus), offline.plan(OFFLINE))


def test_new_results_are_told_and_old_rows_not_again(
    unsent: Workspace, server: WandbServer, modulingua: Modulingua
) -> None:
    file = unsent.write(OFFLINE)
    assert modulingua("sync", file).code == 0
    [run] = runs(unsent.plan(OFFLINE))
    (run.path / "results/own/hau_Latn.json").unlink()
    restart()
    unsent.run(OFFLINE)
    [copy] = offline_copies(run.path)
    assert curve([row["item"] for row in records_of(copy, "history")]) == []
    check_server(server, unsent, unsent.plan(OFFLINE))


def test_keys_are_in_no_script(workspace: Workspace, modulingua: Modulingua) -> None:
    answer = modulingua("launch", workspace.write(QUICK), "--dry-run")
    assert (answer.code, "#SBATCH" in answer.out) == (0, True)
    assert not any(secret in answer.out + answer.err for secret in SECRETS.values())
