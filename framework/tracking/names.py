"""Names in W&B, which tracking writes and dashboards read."""

COMBINATION = "combo"
"""Key of the configuration, and column of the table of results: the combination's label."""
EVALUATE = "evaluate"
"""Job type of the run of a combination and a seed; runs of stages that train have the stage's kind."""
TABLE = "results"
"""Key of a run's table of all results, one row for each language and control."""
PREFIXES = {"own": "test", "none": "test_none", "wrong": "test_wrong"}
"""Prefixes in the summary by control."""


def score(language: str, metric: str) -> str:
    """Names a language's score in a run's summary."""
    return f"{PREFIXES['own']}/{language}/{metric}"


def macro(metric: str, control: str = "own") -> str:
    """Names the mean score of the zero-shot languages in a run's summary."""
    return f"{PREFIXES[control]}/macro/{metric}"


def step(stage: str) -> str:
    """Names the steps of a kind of stage, the axis of its curves."""
    return f"{stage}/step"


def curve(stage: str, figure: str) -> str:
    """Names a training curve of a kind of stage, such as its loss."""
    return f"{stage}/{figure}"
