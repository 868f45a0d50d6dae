"""W&B's own client against a local server: the dashboard's views and report, as they are saved."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from framework.planning.plan import EvaluateStage, MergeStage
from framework.tracking import names
from framework.tracking.dashboard import heatmap
from framework.tracking.dashboard.content import Content, content_of
from framework.tracking.dashboard.panels import AXES, LANGUAGES_A_PANEL, language_bars, parallel_coordinates
from framework.tracking.stage_content import entry_of_run
from tests.framework.conftest import Modulingua
from tests.framework.tiny import TARGETS, Workspace, command_line
from tests.wandb_views import Refused, ViewServer

wandb = pytest.importorskip("wandb")

GRID = {
    "tracking": {"mode": "online", "project": "transfer"},
    "grid.combination.language": [{}, {"prompt": {"length": 3}}],
}
BY_COMBINATION = [{"section": "config", "name": "combo.value"}]


@pytest.fixture(autouse=True)
def fresh_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Lets each test start the client anew, away from the user's own login."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    wandb.teardown()
    yield
    wandb.teardown()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ViewServer]:
    with ViewServer() as running:
        for name, value in running.environment(tmp_path).items():
            monkeypatch.setenv(name, value)
        yield running
        wandb.teardown()
    assert running.unknown == []


def panels(spec: Any) -> dict[str, list[Any]]:
    """Returns the configurations of all panels of a view or a report by their kind."""
    found: dict[str, list[Any]] = {}
    if isinstance(spec, dict):
        if "viewType" in spec:
            return {spec["viewType"]: [spec["config"]]}
        spec = list(spec.values())
    for part in spec if isinstance(spec, list) else []:
        for kind, configs in panels(part).items():
            found.setdefault(kind, []).extend(configs)
    return found


class TestSaved:
    def test_views_and_report_hold_their_panels(
        self, workspace: Workspace, server: ViewServer, modulingua: Modulingua
    ) -> None:
        answer = modulingua("dashboard", workspace.write(GRID))
        assert (answer.code, answer.err) == (0, "")
        assert answer.out.count(f"{server.url}/team/transfer") == len(server.views) == 3
        results, report = server.named("tiny results").spec, server.named("tiny by combination and language").spec
        for spec in (results, report):
            shown = panels(spec)
            metrics = [config["metrics"] for config in shown["Bar Chart"]]
            assert metrics[:2] == [["test/macro/accuracy"], [f"test/{code}/accuracy" for code in TARGETS]]
            assert ["test_none/macro/accuracy"] in metrics
            assert ["test_wrong/macro/accuracy"] in metrics
            assert {config["groupBy"] for config in shown["Bar Chart"]} == {"combo.value"}
            assert [config["diffOnly"] for config in shown["Run Comparer"]] == ["split"]
            [plot] = shown["Parallel Coordinates Plot"]
            assert [axis["accessor"] for axis in plot["columns"]] == [
                "config:combo.value",
                "summary:test/macro/accuracy",
                *(f"summary:test/{code}/accuracy" for code in TARGETS),
            ]
            [chart] = shown["Vega2"]
            assert chart["panelDefId"] in server.charts
            assert '"results"' in json.dumps(shown["Weave"])
        [runs] = results["section"]["runSets"]
        assert runs["grouping"] == BY_COMBINATION
        assert [(rule["key"]["name"], rule["value"]) for rule in runs["filters"]["filters"]] == [
            ("group", "tiny"),
            ("jobType", "evaluate"),
        ]
        curves = panels(server.named("tiny training").spec)["Run History Line Plot"]
        assert curves == panels(report)["Run History Line Plot"]
        assert [(curve["xAxis"], curve.get("metrics")) for curve in curves[:2]] == [
            ("language/step", ["language/loss"]),
            ("task/step", ["task/loss"]),
        ]

    def test_a_second_call_changes_the_same_ones(self, workspace: Workspace, server: ViewServer) -> None:
        file = workspace.write(GRID)
        specs = []
        # Processes of their own: what the library draws when it is imported must not differ either.
        for _ in range(2):
            done = command_line("dashboard", file)
            assert (done.returncode, done.stderr) == (0, "")
            specs.append({identity: view.fields["spec"] for identity, view in server.views.items()})
        assert specs[0] == specs[1]
        assert [view.saved for view in server.views.values()] == [2, 2, 2]
        assert list(server.charts) == [f"team/{heatmap.NAME}"]

    def test_a_report_of_a_persons_own_is_left_alone(
        self, workspace: Workspace, server: ViewServer, modulingua: Modulingua
    ) -> None:
        from wandb_workspaces.reports.v2 import Report

        server.projects.add("transfer")
        Report(entity="team", project="transfer", title="tiny by combination and language").save()
        [own] = server.views.values()
        assert modulingua("dashboard", workspace.write(GRID)).code == 0
        assert (own.saved, len(server.views)) == (1, 4)

    def test_a_chart_that_another_experiment_stored_is_used(
        self, workspace: Workspace, server: ViewServer, modulingua: Modulingua
    ) -> None:
        server.charts[f"team/{heatmap.NAME}"] = {}
        answer = modulingua("dashboard", workspace.write(GRID))
        assert (answer.code, len(server.views)) == (0, 3)
        assert "CreateCustomChart" in server.operations
        assert "note" not in answer.out

    def test_a_chart_that_is_refused_is_said_and_tried_again(
        self, workspace: Workspace, server: ViewServer, modulingua: Modulingua, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(variables: Any) -> Any:
            raise Refused(403, "no charts in this plan")

        file = workspace.write(GRID)
        with monkeypatch.context() as patch:
            patch.setattr(server, "_create_chart", refuse)
            answer = modulingua("dashboard", file)
        assert (answer.code, len(server.views)) == (0, 3)
        assert "note: the server did not take the heat map's chart" in answer.out
        assert "no charts in this plan" in answer.out
        assert server.charts == {}
        assert "note" not in modulingua("dashboard", file).out
        assert list(server.charts) == [f"team/{heatmap.NAME}"]


class TestNames:
    def test_they_are_those_of_a_tracked_run(self, finished_run: Workspace) -> None:
        plan = finished_run.plan()
        content = content_of(plan)
        [stage] = plan.of_type(EvaluateStage)
        entry = entry_of_run(stage.folder, finished_run.store)
        scores = [names.score(code, metric) for code in content.languages for metric in content.metrics]
        means = [names.macro(content.metric, control) for control in content.controls]
        assert {*scores, *means} <= entry.summary.keys()
        assert (entry.kind, entry.group) == (names.EVALUATE, content.experiment)
        assert entry.config[names.COMBINATION] in content.combinations
        assert entry.table is not None
        assert {names.COMBINATION, "language", "control", content.metric} <= set(entry.table[0])


class TestContent:
    def test_sums_have_no_curve(self, workspace: Workspace) -> None:
        plan = workspace.plan({"reuse": {"language": {"swh_Latn": "0.5*eng_Latn + 0.5*hau_Latn"}}, **workspace.masked})
        assert plan.of_type(MergeStage)
        assert content_of(plan).stages == ["language", "task"]

    def test_many_languages_are_shared_out(self) -> None:
        codes = [f"q{letter}a_Latn" for letter in "abcdefghijklmnopqrst"]
        content = Content("many", ["head only"], codes, "accuracy", ["accuracy"], ["own"], ["task"], 3)
        bars = language_bars(content)
        assert [metric for panel in bars for metric in panel.metrics] == [f"test/{code}/accuracy" for code in codes]
        assert max(len(panel.metrics) for panel in bars) == LANGUAGES_A_PANEL
        assert len(parallel_coordinates(content).columns) == 2 + AXES

    def test_tests_without_labels_are_a_mistake(self, workspace: Workspace, modulingua: Modulingua) -> None:
        changes = {**workspace.masked, "data": None, "combination.task": {}, "languages.source": []}
        answer = modulingua("dashboard", workspace.write(changes))
        assert (answer.code, answer.out) == (2, "")
        assert answer.err == "tiny: there is no labelled data (the section data), so there are no results to show\n"


class TestServerless:
    def test_a_dry_run_prints_what_would_be_saved(self, workspace: Workspace, modulingua: Modulingua) -> None:
        answer = modulingua("dashboard", workspace.write(GRID), "--dry-run")
        assert (answer.code, answer.err) == (0, "")
        made = json.loads(answer.out)
        assert (made["entity"], made["project"]) == ("<default entity>", "transfer")
        assert [view["name"] for view in made["views"]] == ["tiny results", "tiny training"]
        assert made["chart"]["spec"] == heatmap.SPEC
        assert panels(made["report"]["spec"]).keys() >= panels(made["views"][0]["spec"]).keys()

    def test_a_dry_run_is_what_is_saved(self, workspace: Workspace, server: ViewServer, modulingua: Modulingua) -> None:
        file = workspace.write({**GRID, "tracking.entity": "team"})
        made = json.loads(modulingua("dashboard", file, "--dry-run").out)
        assert server.operations == []
        assert modulingua("dashboard", file).code == 0
        for view in made["views"]:
            assert server.named(view["name"]).spec == view["spec"]
        assert server.named(made["report"]["title"]).spec == made["report"]["spec"]

    @pytest.mark.parametrize(
        ("mode", "environment", "message"),
        [
            ("off", {}, "tiny: tracking.mode is off"),
            ("online", {}, "not logged in to W&B; run `wandb login`"),
            ("online", {"WANDB_MODE": "offline"}, "WANDB_MODE is offline, so nothing may be sent"),
            ("online", {"WANDB_API_KEY": "0123456789" * 4, "WANDB_BASE_URL": "http://127.0.0.1:9"}, "W&B did not save"),
        ],
    )
    def test_what_keeps_the_client_away_is_said(
        self,
        workspace: Workspace,
        monkeypatch: pytest.MonkeyPatch,
        mode: str,
        environment: dict[str, str],
        message: str,
    ) -> None:
        monkeypatch.setattr("framework.tracking.wandb_client.START_SECONDS", 2)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        from framework.errors import UserError
        from framework.tracking.dashboard.publish import publish

        with pytest.raises(UserError) as error:
            publish(workspace.plan({"tracking.mode": mode}), Any, dry_run=False)  # type: ignore[arg-type]
        assert str(error.value).startswith(message)
        assert "\n" not in str(error.value)
