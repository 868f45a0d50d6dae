"""The saved views and the report that a dashboard consists of."""

from collections.abc import Iterator, Sequence
from typing import Any

import wandb_workspaces.reports.v2 as wr
import wandb_workspaces.workspaces as ws
from wandb_workspaces import expr

from framework.identity import identity
from framework.tracking import names
from framework.tracking.dashboard import panels
from framework.tracking.dashboard.content import Content

MADE_BY = "Made by `modulingua dashboard`"
"""How the description of each report of ours begins; by it one is told from a report that a person wrote."""
COLUMNS = 24
"""Most languages with a column of their own in the table of runs."""


def results_view(content: Content, entity: str, project: str) -> ws.Workspace:
    """Makes the saved view of the results: the table of runs grouped by combination, and the panels that compare."""
    sections = {
        "Combinations × languages": [panels.macro_bars(content), *panels.language_bars(content)],
        "Heat map": [panels.heat_map(content, entity)],
        "Controls": panels.control_bars(content),
        "From combination to language": [panels.parallel_coordinates(content)],
        "All results": [panels.result_table()],
        "Runs compared": [panels.run_comparer()],
    }
    columns = [
        names.macro(content.metric),
        *(names.score(code, content.metric) for code in content.languages[:COLUMNS]),
    ]
    runs = ws.RunsetSettings(
        filters=_of_results(content),
        groupby=[expr.Config(names.COMBINATION)],
        order=[expr.Ordering(expr.Summary(names.macro(content.metric)), ascending=False)],
        pinned_columns=[f"summary:{column}" for column in columns],
    )
    return _view(f"{content.experiment} results", sections, runs, entity, project)


def training_view(content: Content, entity: str, project: str) -> ws.Workspace:
    """Makes the saved view of the training: the curves of all stages."""
    runs = ws.RunsetSettings(filters=_of_all_stages(content))
    sections = {"Learning curves": panels.learning_curves(content)}
    return _view(f"{content.experiment} training", sections, runs, entity, project)


def report(content: Content, entity: str, project: str) -> wr.Report:
    """Makes the report: the same panels with a sentence on how each is read."""
    blocks = [block for section in _sections(content, entity) for block in section]
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


def _sections(content: Content, entity: str) -> Iterator[list[Any]]:
    grouped = wr.Runset(name="combinations", filters=_of_results(content), groupby=[f"config.{names.COMBINATION}"])
    single = wr.Runset(name="runs", filters=_of_results(content))
    training = wr.Runset(name="training", filters=_of_all_stages(content))
    seeds = "one seed" if content.seeds == 1 else f"{content.seeds} seeds"
    yield [
        wr.H1("Combinations × languages"),
        wr.P(f"Test {content.metric}: the mean over {seeds}, with their standard deviation."),
        _grid(grouped, [panels.macro_bars(content), *panels.language_bars(content)]),
    ]
    yield [
        wr.H1("Heat map"),
        wr.P(f"Mean test {content.metric} of each combination in each language, with the language's own components."),
        _grid(single, [panels.heat_map(content, entity)]),
    ]
    if controls := panels.control_bars(content):
        yield [
            wr.H1("What language components bring"),
            wr.P(
                "A language component that helps scores higher than none, and higher than another language's: else "
                "it is only more parameters."
            ),
            _grid(grouped, controls),
        ]
    yield [
        wr.H1("From combination to language"),
        wr.P("A line is a run. Drag along an axis to keep some of them."),
        _grid(single, [panels.parallel_coordinates(content)]),
    ]
    yield [
        wr.H1("All results"),
        wr.P("A row for each run, language and control, with all metrics. Intervals: `modulingua compare`."),
        _grid(single, [panels.result_table()]),
    ]
    yield [
        wr.H1("Runs compared"),
        wr.P("The settings and results in which the runs differ."),
        _grid(single, [panels.run_comparer()]),
    ]
    if curves := panels.learning_curves(content):
        yield [
            wr.H1("Learning curves"),
            wr.P("Each stage over its own steps; task stages of a combination as mean and range over seeds."),
            _grid(training, curves),
        ]


def _of_all_stages(content: Content) -> str:
    return f"Group = '{content.experiment}'"


def _of_results(content: Content) -> str:
    return f"{_of_all_stages(content)} and JobType = '{names.EVALUATE}'"


def _grid(runs: wr.Runset, shown: Sequence[Any]) -> wr.PanelGrid:
    """Makes a grid of its own runset: two grids must not share one."""
    own = wr.Runset(name=runs.name, filters=runs.filters, groupby=runs.groupby)
    return wr.PanelGrid(runsets=[own], panels=list(shown))


def _view(
    name: str, sections: dict[str, list[Any]], runs: ws.RunsetSettings, entity: str, project: str
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
    # Else a random name: by this one the view is found again, and its URL stays.
    view._internal_name = f"nw-{identity(entity=entity, project=project, view=name)[:11]}-v"
    view._internal_runset_id = identity(view=name)[:12]
    return view
