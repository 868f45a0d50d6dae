"""What a dashboard shows, as the plan of an experiment tells it."""

from dataclasses import dataclass

from framework.errors import UserError
from framework.planning.plan import EvaluateStage, LanguageStage, Plan, TaskStage
from framework.results.metrics import metrics_of
from framework.results.run_folder import CONTROLS


@dataclass(frozen=True)
class Content:
    """The combinations, languages and figures of one experiment."""

    experiment: str
    """The experiment's name, which is the group of its runs."""
    combinations: list[str]
    """Labels, in the order of the grid."""
    languages: list[str]
    """FLORES codes of the targets."""
    metric: str
    """The task's main metric."""
    metrics: list[str]
    """All metrics of the task."""
    controls: list[str]
    """`own`, and the controls that are tested beside it."""
    stages: list[str]
    """Kinds of the stages that train, in order."""
    seeds: int
    """Runs of a combination."""


def content_of(plan: Plan) -> Content:
    """Reads from a plan what there will be to show.

    Raises:
        UserError: The experiment tests nothing, or cells of its grid have different tasks.
    """
    tests: list[EvaluateStage] = plan.of_type(EvaluateStage)
    if not tests:
        raise UserError(f"{plan.name}: there is no labelled data (the section data), so there are no results to show")
    scored = {(test.experiment.dataset.task, test.experiment.dataset.positive) for test in tests}
    if len(scored) > 1:
        tasks = ", ".join(sorted({task for task, _ in scored}))
        raise UserError(f"{plan.name}: the cells of its grid are scored in different ways ({tasks}); take one of them")
    [(task, positive)] = scored
    own = [name for test in tests for name in test.experiment.own_metrics]
    metrics = list(dict.fromkeys([*metrics_of(task, positive), *own]))
    done = [test for stage in tests for test in stage.tests]
    return Content(
        experiment=plan.name,
        combinations=[experiment.label for experiment in plan.experiments],
        languages=list(dict.fromkeys(test.language for test in done)),
        metric=metrics[0],
        metrics=metrics,
        controls=sorted({test.control for test in done}, key=CONTROLS.index),
        stages=list(dict.fromkeys(stage.kind for stage in plan.stages if isinstance(stage, LanguageStage | TaskStage))),
        seeds=len(plan.shared.seeds),
    )
