"""The saved views and the report of a dashboard."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import wandb_workspaces.reports.v2 as wr
import wandb_workspaces.workspaces as ws
from wandb_workspaces import expr

from framework.identity import identity
from framework.tracking import names
from framework.tracking.dashboard import panels
from framework.tracking.dashboard.content import Content

MADE_BY = "Made by `modulingua dashboard`"
"""Begins the description of each report of ours, to distinguish it from others."""
COLUMNS = 24
"""Maximal number of languages with a column in the table of runs."""


class Section(NamedTuple):
    """Panels of the results, in the saved view and in the report."""

    title: str
    text: str
    """How to read the panels; only in the report."""
    panels: list[Any]
    grouped: bool = False
    """Whether the report groups the runs by combination."""


def results_view(content: Content, entity: str, project: str) -> ws.Workspace:
    """Makes the saved view of the results: the table of runs grouped by combination, and the panels that compare."""
    scores = (names.score(code, content.metric) for code in content.languages[:COLUMNS])
    columns = [names.macro(content.metric), *scores]
    runs = ws.RunsetSettings(
        filters=_of_results(content),
        groupby=[expr.Config(names.COMBINATION)],
        order=[expr.Ordering(expr.Summary(names.macro(content.metric)), ascending=False)],
        pinned_columns=[f"summary:{column}" for column in columns],
    )
    sections = {section.title: section.panels for section in _results(content, entity)}
    return _view(f"{content.experiment} results", sections, runs, entity, project)


def training_view(content: Content, entity: str, project: str) -> ws.Workspace:
    """Makes the saved view of the training: the curves of all stages."""
    runs = ws.RunsetSettings(filters=_of_all_stages(content))
    sections = {"Learning curves": panels.learning_curves(content)}
    return _view(f"{content.experiment} training", sections, runs, entity, project)


def report(content: Content, entity: str, project: str) -> wr.Report:
    """Makes the report: the same panels with a sentence on how each is read."""
    results, combinations = _of_results(content), [f"config.{names.COMBINATION}"]
    blocks: list[Any] = []
    for section in _results(content, entity):
        if section.panels:  # each grid needs a runset of its own
            grouped = wr.Runset(name="combinations", filters=results, groupby=combinations)
            runs = grouped if section.grouped else wr.Runset(name="runs", filters=results)
            blocks += [wr.H1(section.title), wr.P(section.text), wr.PanelGrid(runsets=[runs], panels=section.panels)]
    if curves := panels.learning_curves(content):
        text = "Each stage over its own steps; task stages of a combination as mean and range over seeds."
        training = wr.Runset(name="training", filters=_of_all_stages(content))
        blocks += [wr.H1("Learning curves"), wr.P(text), wr.PanelGrid(runsets=[training], panels=curves)]
    for number, grid in enumerate(block for block in blocks if isinstance(block, wr.PanelGrid)):
        panels.placed(grid.panels, f"report {content.experiment} {number}")
        for runs in grid.runsets:
            runs._id = identity(where=f"report {content.experiment} {number}", runset=runs.name)[:12]
    return wr.Report(
        entity=entity,
        project=project,
        title=f"{content.experiment} by combination and language",
        description=f"{MADE_BY}: what is changed here by hand is lost when it is made again.",
        blocks=[wr.TableOfContents(), *blocks],
        width="fluid",
    )


def _results(content: Content, entity: str) -> list[Section]:
    seeds = "one seed" if content.seeds == 1 else f"{content.seeds} seeds"
    return [
        Section(
            "Combinations × languages",
            f"Test {content.metric}: the mean over {seeds}, with their standard deviation.",
            [panels.macro_bars(content), *panels.language_bars(content)],
            grouped=True,
        ),
        Section(
            "Heat map",
            f"Mean test {content.metric} of each combination in each language, with the language's own components.",
            [panels.heat_map(content, entity)],
        ),
        Section(
            "Controls",
            "A language component that helps scores higher than none, and higher than another language's: otherwise it "
            "is only more parameters.",
            panels.control_bars(content),
            grouped=True,
        ),
        Section(
            "From combination to language",
            "A line is a run. Drag along an axis to keep some of them.",
            [panels.parallel_coordinates(content)],
        ),
        Section(
            "All results",
            "A row for each run, language and control, with all metrics. Intervals: `modulingua compare`.",
            [panels.result_table()],
        ),
        Section("Runs compared", "The settings and results in which the runs differ.", [panels.run_comparer()]),
    ]


def _of_all_stages(content: Content) -> str:
    return f"Group = '{content.experiment}'"


def _of_results(content: Content) -> str:
    return f"{_of_all_stages(content)} and JobType = '{names.EVALUATE}'"


def _view(
    name: str, sections: Mapping[str, list[Any]], runs: ws.RunsetSettings, entity: str, project: str
) -> ws.Workspace:
    view = ws.Workspace(
        entity=entity,
        project=project,
        name=name,
        sections=[
            ws.Section(
                name=title,
                panels=panels.placed(shown, f"{name} {title}"),
                is_open=True,
                layout_settings=ws.SectionLayoutSettings(columns=min(2, len(shown)), rows=1 if len(shown) < 3 else 2),
            )
            for title, shown in sections.items()
            if shown
        ],
        runset_settings=runs,
    )
    # Not a random name, so that a later call finds the view, and its URL stays.
    view._internal_name = f"nw-{identity(entity=entity, project=project, view=name)[:11]}-v"
    view._internal_runset_id = identity(view=name)[:12]
    return view
