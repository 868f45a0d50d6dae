"""The same test in several runs of an experiment is done once.

A combination tested without its language components is the combination that has none, where both stand on one task
stage: the tests' identities say so.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Iterable

from framework.planning.plan import EvaluateStage, Test
from framework.results.run_folder import RunFolder


def copy_identical_results(stage: EvaluateStage, runs: Iterable[EvaluateStage]) -> None:
    """Copies results that a run still lacks from other runs that have them.

    One process calls it, before the stage begins: all ranks are then to find the same tests missing.

    Args:
        stage: The run.
        runs: All runs of the experiment.
    """
    twins: dict[str, list[tuple[RunFolder, Test]]] = defaultdict(list)
    for run in runs:
        for test in run.tests:
            twins[test.identity].append((run.folder, test))
    for test in stage.missing:
        done = ((folder, twin) for folder, twin in twins[test.identity] if folder.has(*twin.place, test.identity))
        for folder, twin in done:
            result = dataclasses.replace(folder.result(*twin.place), control=test.control)
            stage.folder.write(result, folder.predictions(*twin.place))
            break
