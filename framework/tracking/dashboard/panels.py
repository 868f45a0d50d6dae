"""The panels, each kind in one function. Their ids follow from their place: a second call gives the same ones."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import wandb_workspaces.reports.v2 as wr

from framework.identity import identity
from framework.tracking import names
from framework.tracking.dashboard.content import Content
from framework.tracking.dashboard.heatmap import NAME as HEATMAP

LANGUAGES_A_PANEL = 8
"""More groups of bars than these cannot be read side by side."""
AXES = 12
"""Most languages in a plot of parallel coordinates."""
COMBINATION = wr.Config(names.COMBINATION)

FULL, HALF = 24, 12
"""Widths in the 24 columns of a report's grid."""


def macro_bars(content: Content) -> wr.BarPlot:
    """The mean over the zero-shot languages, a bar for each combination."""
    return _bars(f"Macro {content.metric}, zero-shot languages", [names.macro(content.metric)], content)


def language_bars(content: Content) -> list[wr.BarPlot]:
    """Combinations × languages: for each language a bar of each combination, some languages a panel."""
    parts = list(_parts(content.languages, LANGUAGES_A_PANEL))
    titles = [f" · {part[0]} to {part[-1]}" if len(parts) > 1 else "" for part in parts]
    return [
        _bars(f"{content.metric} by language{title}", [names.score(code, content.metric) for code in part], content)
        for part, title in zip(parts, titles, strict=True)
    ]


def control_bars(content: Content) -> list[wr.BarPlot]:
    """The same means without language components and with another language's; nothing where neither is tested."""
    if content.controls == ["own"]:
        return []
    titles = {"own": "own language's components", "none": "no language component", "wrong": "wrong language's"}
    return [
        _bars(f"Macro {content.metric} · {titles[control]}", [names.macro(content.metric, control)], content)
        for control in content.controls
    ]


def heat_map(content: Content, entity: str) -> wr.CustomChart:
    """The mean over seeds of each combination and language."""
    return wr.CustomChart(
        query={"summaryTable": {"tableKey": names.TABLE}},
        chart_name=f"{entity}/{HEATMAP}",
        chart_fields={
            "combination": names.COMBINATION,
            "language": "language",
            "control": "control",
            "score": content.metric,
        },
        chart_strings={},
        layout=wr.Layout(w=FULL, h=4 + len(content.combinations)),
    )


def result_table() -> wr.WeavePanelSummaryTable:
    """All results of all runs, one row for each language, control and seed."""
    return wr.WeavePanelSummaryTable(table_name=names.TABLE, layout=wr.Layout(w=FULL, h=16))


def parallel_coordinates(content: Content) -> wr.ParallelCoordinatesPlot:
    """A line for each run from its combination over the mean to its languages, the first of them where they are many.

    The axis of combinations comes first.
    """
    axes = [names.macro(content.metric), *(names.score(code, content.metric) for code in content.languages[:AXES])]
    titles = ["macro", *content.languages[:AXES]]
    return wr.ParallelCoordinatesPlot(
        title=f"{content.metric} from combination to language",
        columns=[
            wr.ParallelCoordinatesPlotColumn(metric=COMBINATION, display_name="combination"),
            *(
                wr.ParallelCoordinatesPlotColumn(metric=wr.SummaryMetric(axis), display_name=title)
                for axis, title in zip(axes, titles, strict=True)
            ),
        ],
        layout=wr.Layout(w=FULL, h=10),
    )


def run_comparer() -> wr.RunComparer:
    """In what the runs' configurations and results differ."""
    return wr.RunComparer(diff_only="split", layout=wr.Layout(w=FULL, h=14))


def learning_curves(content: Content) -> list[wr.LinePlot]:
    """The loss of each kind of stage, and what the task's validation split says.

    Task stages of a combination are drawn as their mean and range over seeds; other stages singly.
    """
    plots = [_curves(stage, f"{stage} stage · loss", y=[names.curve(stage, "loss")]) for stage in content.stages]
    if "task" in content.stages:
        # What is logged there depends on how the task is answered.
        validation = re.escape(names.curve("task", "validation/")) + ".*"
        plots.append(_curves("task", "task stage · validation", metric_regex=validation))
    return plots


def placed(panels: Sequence[Any], where: str) -> list[Any]:
    """Gives panels ids that follow from where they stand, in the place of random ones."""
    for number, panel in enumerate(panels):
        panel._id = identity(where=where, number=number)[:12]
    return list(panels)


def _bars(title: str, metrics: list[str], content: Content) -> wr.BarPlot:
    return wr.BarPlot(
        title=title,
        metrics=metrics,
        orientation="v" if len(metrics) > 1 else "h",
        groupby=COMBINATION,
        groupby_aggfunc="mean",
        groupby_rangefunc="stddev",
        max_runs_to_show=len(content.combinations) * content.seeds,
        max_bars_to_show=len(content.combinations) * len(metrics),
        layout=wr.Layout(w=FULL if len(metrics) > 1 else HALF, h=10),
    )


def _curves(stage: str, title: str, **chosen: Any) -> wr.LinePlot:
    grouping = {"groupby": COMBINATION, "groupby_aggfunc": "mean", "groupby_rangefunc": "minmax"}
    return wr.LinePlot(
        title=title,
        x=names.step(stage),
        title_x="step",
        layout=wr.Layout(w=HALF, h=8),
        **chosen,
        **(grouping if stage == "task" else {}),
    )


def _parts(codes: Sequence[str], size: int) -> Iterable[Sequence[str]]:
    return (codes[start : start + size] for start in range(0, len(codes), size))
