"""The W&B server of `tests.wandb_server` with saved views, reports and charts.

    with ViewServer() as server:
        ...
    view = server.named("sib results")
    assert view.spec["section"]["runSets"][0]["grouping"] == [...]
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.wandb_server import Fields, WandbServer


@dataclass
class SavedView:
    """A view, or the report that is one of another type."""

    id: str
    fields: Fields = field(default_factory=dict)
    """The variables of the last upsert."""
    saved: int = 0
    """How often it was saved."""

    @property
    def spec(self) -> Any:
        return json.loads(self.fields["spec"])


class Refused(Exception):
    """A status and a message that GraphQL answers with."""


class ViewServer(WandbServer):
    """Keeps views by their ids; as the real one, it makes a new view where no id is given, whatever its name."""

    def __init__(self) -> None:
        super().__init__()
        self.views: dict[str, SavedView] = {}
        self.projects: set[str] = set()
        self.charts: dict[str, Fields] = {}

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        try:
            return super().answer(method, path, body)
        except Refused as refusal:
            status, message = refusal.args
            return status, {"data": None, "errors": [{"message": message}]}

    def named(self, title: str) -> SavedView:
        [view] = [view for view in self.views.values() if view.fields["displayName"] == title]
        return view

    def _operation(self, name: str, variables: Fields) -> Fields:
        views: dict[str, Callable[[Fields], Fields]] = {
            "GetProjects": self._projects,
            "UpsertModel": self._create_project,
            "CreateProject": self._create_project,
            "CreateCustomChart": self._create_chart,
            "UpsertView2": self._save,
            "upsertView": self._save,
            "View": self._find,
            "ProjectViews": self._find,
        }
        if name not in views:
            return super()._operation(name, variables)
        self.operations.append(name)
        return views[name](variables)

    def _projects(self, variables: Fields) -> Fields:
        number = base64.b64encode(b"ProjectInternalId:1").decode()
        nodes = [
            {
                "id": project,
                "internalId": number,
                "name": project,
                "entityName": variables["entity"],
                "createdAt": "2026-01-01T00:00:00Z",
                "isBenchmark": False,
                "user": None,
            }
            for project in sorted(self.projects)
        ]
        edges = [{"cursor": node["name"], "node": node} for node in nodes]
        return {"models": {"pageInfo": {"endCursor": None, "hasNextPage": False}, "edges": edges}}

    def _create_project(self, variables: Fields) -> Fields:
        self.projects.add(variables["input"]["name"])
        return {"upsertModel": {"project": None, "model": None, "inserted": True}}

    def _create_chart(self, variables: Fields) -> Fields:
        identity = f"{variables['entity']}/{variables['chartName']}"
        if identity in self.charts:
            # As W&B's own answers, from which its client, too, takes no more than the status.
            raise Refused(409, f"Duplicate entry '1-{variables['chartName']}' for key 'custom_charts.PRIMARY'")
        self.charts[identity] = variables
        return {"createCustomChart": {"chart": {"id": identity}}}

    def _save(self, variables: Fields) -> Fields:
        assert variables["projectName"] in self.projects
        identity = variables.get("id") or f"V{len(self.views)}"
        view = self.views.setdefault(identity, SavedView(identity))
        view.fields, view.saved = variables, view.saved + 1
        return {"upsertView": {"view": self._node(view), "inserted": view.saved == 1}}

    def _find(self, variables: Fields) -> Fields:
        kind = variables.get("viewType") or "runs"
        found = [
            {"node": self._node(view), "cursor": view.id}
            for view in self.views.values()
            if view.fields["type"] == kind and variables.get("viewName") in (None, view.fields["name"])
        ]
        page = {"endCursor": None, "hasNextPage": False}
        return {"project": {"allViews": {"edges": found, "pageInfo": page}}}

    def _node(self, view: SavedView) -> Fields:
        shown = {key: view.fields.get(key) for key in ("type", "name", "displayName", "description", "spec")}
        project = {"id": "p", "name": view.fields["projectName"], "entityName": view.fields["entityName"]}
        times = {"createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z"}
        return {"id": view.id, **shown, "project": project, "user": None, **times}
