"""The panels, each kind in one function. Their ids are the same at each call."""

import re
from collections.abc import Sequence
from typing import Any

import wandb_workspaces.reports.v2 as wr

from framework.identity import identity
from framework.tracking import names
from framework.tracking.dashboard.content import Content
from framework.tracking.dashboard.heatmap import NAME as HEATMAP

LANGUAGES_A_PANEL = 8
"""Maximal number of groups of bars in a panel."""
AXES = 12
"""Maximal number of languages in a plot of parallel coordinates."""
COMBINATION = wr.Config(names.COMBINATION)

FULL, HALF = 24, 12
"""Widths in the 24 columns of a report's grid."""


def macro_bars(content: Content) -> wr.BarPlot:
    """Shows the mean over the zero-shot languages, a bar for each combination."""
    return _bars(f"Macro {content.metric}, zero-shot languages", [names.macro(content.metric)], content)


def language_bars(content: Content) -> list[wr.BarPlot]:
    """Shows combinations × languages: for each language a bar of each combination."""
    starts = range(0, len(content.languages), LANGUAGES_A_PANEL)
    parts = [content.languages[start : start + LANGUAGES_A_PANEL] for start in starts]
    titles = [f" · {part[0]} to {part[-1]}" if len(parts) > 1 else "" for part in parts]
    return [
        _bars(f"{content.metric} by language{title}", [names.score(code, content.metric) for code in part], content)
        for part, title in zip(parts, titles, strict=True)
    ]


def control_bars(content: Content) -> list[wr.BarPlot]:
    """Shows the means of the controls beside those of own components; empty if no control is tested."""
    if content.controls == ["own"]:
        return []
    titles = {"own": "own language's components", "none": "no language component", "wrong": "wrong language's"}
    return [
        _bars(f"Macro {content.metric} · {titles[control]}", [names.macro(content.metric, control)], content)
        for control in content.controls
    ]


def heat_map(content: Content, entity: str) -> wr.CustomChart:
    """Shows the mean over seeds of each combination and language."""
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
    """Shows all results of all runs, one row for each language, control and seed."""
    return wr.WeavePanelSummaryTable(table_name=names.TABLE, layout=wr.Layout(w=FULL, h=16))


def parallel_coordinates(content: Content) -> wr.ParallelCoordinatesPlot:
    """Shows a line for each run over its combination, its mean and its first languages."""
    axes = {"combination": COMBINATION, "macro": wr.SummaryMetric(names.macro(content.metric))}
    axes |= {code: wr.SummaryMetric(names.score(code, content.metric)) for code in content.languages[:AXES]}
    return wr.ParallelCoordinatesPlot(
        title=f"{content.metric} from combination to language",
        columns=[wr.ParallelCoordinatesPlotColumn(metric=axis, display_name=title) for title, axis in axes.items()],
        layout=wr.Layout(w=FULL, h=10),
    )


def run_comparer() -> wr.RunComparer:
    """Shows the differences between the runs' configurations and results."""
    return wr.RunComparer(diff_only="split", layout=wr.Layout(w=FULL, h=14))


def learning_curves(content: Content) -> list[wr.LinePlot]:
    """Shows the loss of each kind of stage, and the metrics on the task's validation split.

    Task stages of a combination are drawn as their mean and range over seeds; other stages separately.
    """
    plots = [_curves(stage, f"{stage} stage · loss", y=[names.curve(stage, "loss")]) for stage in content.stages]
    if "task" in content.stages:
        # The names of the metrics depend on the answer.
        validation = re.escape(names.curve("task", "validation/")) + ".*"
        plots.append(_curves("task", "task stage · validation", metric_regex=validation))
    return plots


def placed(panels: Sequence[Any], where: str) -> list[Any]:
    """Replaces the random ids of panels by ones that follow from their position."""
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

