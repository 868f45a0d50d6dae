"""A heat map of combinations × languages. W&B has no panel of this kind; it draws what a stored Vega chart says."""

from typing import Any

from framework.identity import identity

AXIS: dict[str, Any] = {"type": "nominal", "title": None, "sort": None}
MEAN: dict[str, Any] = {"aggregate": "mean", "field": "${field:score}"}
SPEC: dict[str, Any] = {
    "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
    "data": {"name": "wandb"},
    # W&B puts a column's name in the place of ${field:…} before Vega reads the chart.
    "transform": [{"filter": "datum['${field:control}'] === 'own'"}],
    "encoding": {
        "x": AXIS | {"field": "${field:language}"},
        "y": AXIS | {"field": "${field:combination}", "axis": {"labelLimit": 320}},
    },
    "layer": [
        {
            "mark": {"type": "rect", "tooltip": True},
            "encoding": {
                "color": MEAN | {"type": "quantitative", "scale": {"scheme": "viridis"}, "title": "${field:score}"}
            },
        },
        {
            "mark": {"type": "text", "color": "white", "stroke": "black", "strokeWidth": 0.3},
            "encoding": {"text": MEAN | {"format": ".3f"}},
        },
    ],
    "width": "container",
}
"""Vega-Lite: the mean of a score over seeds for each combination and language, tested with its own components."""

NAME = f"modulingua-heatmap-{identity(spec=SPEC)[:8]}"
"""Its name on the server. What it draws is in the name, for a stored chart cannot be changed."""
