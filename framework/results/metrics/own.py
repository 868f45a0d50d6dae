"""Metrics of a user's own, which an experiment names by their dotted paths beside those of its task."""

import re
from collections.abc import Iterable

from framework.errors import UserError
from framework.results.metrics import SHIPPED
from framework.results.metrics.base import Metric
from framework.system.imports import imported_class


def own_metric(path: str) -> Metric:
    """Returns the metric that a dotted path names.

    Raises:
        UserError: There is no such class, it cannot be made without arguments, or its name is not usable.
    """
    class_ = imported_class("metric", path, Metric)
    try:
        metric: Metric = class_()
    except TypeError as error:  # its `__init__` takes arguments
        raise UserError(f"metric {path!r} cannot be made: {error}") from error
    if not re.fullmatch(r"[a-z][a-z0-9_]*", metric.name):  # it names files and columns
        raise UserError(f"metric {path!r} has the name {metric.name!r}: take small letters, digits and _")
    if metric.name in SHIPPED:
        raise UserError(f"metric {path!r} has the name {metric.name!r}, which is that of one of ours: take another")
    return metric


def own_metrics(paths: Iterable[str]) -> dict[str, Metric]:
    """Returns metrics by their names.

    Raises:
        UserError: As `own_metric`, or two have the same name.
    """
    found: dict[str, Metric] = {}
    for path in paths:
        metric = own_metric(path)
        if metric.name in found:
            raise UserError(f"metric {path!r} has the name {metric.name!r}, as another one of the list has")
        found[metric.name] = metric
    return found
