"""Saves a dashboard on the W&B server, or prints its specification."""

import json
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import wandb
from rich.console import Console
from wandb.sdk.lib.service.service_connection import WandbApiFailedError
from wandb_workspaces.reports.v2 import Report
from wandb_workspaces.workspaces import Workspace, internal

from framework.config.tracking import TrackingConfig
from framework.errors import UserError
from framework.planning.plan import Plan
from framework.tracking import wandb_client
from framework.tracking.dashboard import heatmap, views
from framework.tracking.dashboard.content import Content, content_of
from framework.tracking.live_tracker import reason, wandb_errors_as_user_errors

VIEWS = (views.results_view, views.training_view)
DEFAULT_ENTITY = "<default entity>"
"""In a dry run, in place of the login's entity, which only the server knows."""


def publish(plan: Plan, console: Console, *, dry_run: bool) -> None:
    """Creates or updates an experiment's views and report in W&B; a dry run prints the specification as JSON.

    Raises:
        UserError: There is nothing to show, or the server cannot be reached.
    """
    content = content_of(plan)
    tracking = plan.shared.tracking
    if dry_run:
        console.print_json(json.dumps(specification(content, tracking)))
        return
    if tracking.mode == "off":
        raise UserError(f"{plan.name}: tracking.mode is off, so W&B has no runs to show; set it to online or offline")
    with wandb_errors_as_user_errors("W&B did not save the dashboard"):
        for what, url in _save(content, tracking, console):
            console.print(f"{what}: {url}", soft_wrap=True)
    if tracking.mode == "offline":
        console.print("note: runs are tracked offline: they appear when `modulingua sync` has sent them")


def specification(content: Content, tracking: TrackingConfig) -> dict[str, Any]:
    """Returns all that would be saved, as plain data."""
    entity = tracking.entity or DEFAULT_ENTITY
    report = views.report(content, entity, tracking.project)
    shown = [make(content, entity, tracking.project) for make in VIEWS]
    return {
        "entity": entity,
        "project": tracking.project,
        "chart": {"name": heatmap.NAME, "spec": heatmap.SPEC},
        "views": [{"name": view.name, "id": view._internal_name, "spec": _spec(view)} for view in shown],
        "report": {"title": report.title, "description": report.description, "spec": _spec(report)},
    }


def _save(content: Content, tracking: TrackingConfig, console: Console) -> Iterator[tuple[str, str]]:
    """Saves chart, views and report; yields what was saved and its URL."""
    wandb_client.require_login()
    api = wandb.Api(timeout=wandb_client.START_SECONDS)
    entity, project = tracking.entity or wandb_client.default_entity(), tracking.project
    if project not in {known.name for known in api.projects(entity)}:
        api.create_project(project, entity)
    _save_chart(api, entity, console)
    for make in VIEWS:
        view = make(content, entity, project)
        view._internal_id = _id_of_view(view)
        view.save()
        yield view.name, view.url
    report = views.report(content, entity, project)
    report.id = _id_of_report(api, report)
    report.save()
    yield "report", report.url


def _save_chart(api: wandb.Api, entity: str, console: Console) -> None:
    """Stores the heat map's chart; if the server refuses its name, the same chart is stored already."""
    try:
        api.create_custom_chart(entity, heatmap.NAME, "Combinations × languages", "vega2", "private", heatmap.SPEC)
    except WandbApiFailedError as error:
        if error.response is None or error.response.http_status != HTTPStatus.CONFLICT:
            note = f"note: the server did not take the heat map's chart, so that it stays empty: {reason(error)}"
            console.print(note, soft_wrap=True)


def _id_of_view(view: Workspace) -> str:
    """Returns the id of the existing view; empty if there is none."""
    in_url = internal._internal_name_to_url_query_str(view._internal_name)
    try:
        return str(internal.get_view_dict(view.entity, view.project, in_url)["id"])
    except ValueError:  # not found
        return ""


def _id_of_report(api: wandb.Api, report: Report) -> str:
    """Returns the id of the existing report; empty if there is none."""
    ours = [
        known
        for known in api.reports(f"{report.entity}/{report.project}")
        if known.display_name == report.title and (known.description or "").startswith(views.MADE_BY)
    ]
    return str(ours[0].id) if ours else ""


def _spec(made: Workspace | Report) -> Any:
    """Returns the specification as the server stores it."""
    return json.loads(made._to_model().spec.model_dump_json(by_alias=True, exclude_none=True))
