"""From a plan to job arrays: which stages go together, and what each array waits for.

The stages that are left become arrays of one kind that wait for the same things. An evaluation waits for its own task
stage only: it is the element of its array that has that stage's index in the other array (`aftercorr`), so that one
failed seed does not take the others' evaluations with it. Nothing here calls Slurm.
"""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from framework.plan import EvaluateStage, Plan, Stage
from framework.slurm.config import TABLE


@dataclass(frozen=True, order=True)
class Element:
    """One element of a job array."""

    job: str
    """The array's job id; its name while it has none."""
    index: int


class Work(NamedTuple):
    """What one element of an array does."""

    id: str
    """Identity of the stage."""
    title: str
    """What it is, for a person."""


@dataclass
class Job:
    """A job array."""

    name: str
    kind: str
    """Kind of its stages, or `table`."""
    work: dict[int, Work] = field(default_factory=dict)
    """What each element does, by its index."""
    after: list[Element] = field(default_factory=list)
    """What must have ended well before any element starts."""
    twin: str | None = None
    """The array whose element of the same index must have ended well before an element starts."""

    @property
    def awaited(self) -> str:
        """Names the arrays that it waits for, for a person."""
        twin = [f"{self.twin} (each its own)"] if self.twin else []
        return ", ".join([*twin, *dict.fromkeys(element.job for element in self.after)]) or "–"

    def dependency(self, jobs: Iterable["Job"], ids: Mapping[str, str]) -> str:
        """Writes what it waits for as Slurm does.

        Args:
            jobs: The arrays that are submitted together.
            ids: The job ids of those that have one, by name.

        Returns:
            The value of `--dependency`; empty when it waits for nothing.
        """
        wholes = {job.name: job.work.keys() for job in jobs}
        words = [f"aftercorr:{ids.get(self.twin, self.twin)}"] if self.twin else []
        for name, elements in itertools.groupby(sorted(self.after), key=lambda element: element.job):
            indices = [element.index for element in elements]
            job = ids.get(name, name)
            is_whole = set(indices) == wholes.get(name)
            words.append(":".join(["afterok", *([job] if is_whole else [f"{job}_{index}" for index in indices])]))
        return ",".join(words)


def jobs_for(plan: Plan, queued: Mapping[str, Element], most: int) -> list[Job]:
    """Groups what is left of a plan into job arrays.

    Args:
        plan: The plan.
        queued: Stages that wait or run already, and where; `table` for the last job.
        most: How many elements an array may have.

    Returns:
        The arrays, each after those that it waits for.
    """
    groups: dict[tuple[object, ...], Job] = {}
    places = dict(queued)
    left = [stage for stage in plan.todo if stage.id not in queued]
    for stage in left:
        task = stage.task.id if isinstance(stage, EvaluateStage) else None
        twin = places.get(task) if task else None
        array = twin.job if twin else None
        after = sorted({places[need] for need in stage.needs if need in places and need != task})
        for part in itertools.count():  # the first part whose place for this stage is free
            group = (stage.kind, array, *after, part)
            if group not in groups:
                groups[group] = Job(_name(stage.kind, groups.values()), stage.kind, {}, after, array)
            job = groups[group]
            index = twin.index if twin else len(job.work)
            if index < most and index not in job.work:
                break
        job.work[index] = Work(stage.id, f"{stage.kind} · {stage.title}")
        places[stage.id] = Element(job.name, index)
    jobs = list(groups.values())
    if _wants_table(plan, left, queued):
        runs = sorted(places[stage.id] for stage in plan.of_kind("evaluate") if stage.id in places)
        jobs.append(Job(TABLE, TABLE, {0: Work(TABLE, "combinations × languages")}, runs))
    return jobs


def _wants_table(plan: Plan, left: list[Stage], queued: Mapping[str, Element]) -> bool:
    """A table is due after every evaluation; the one that waits already does not wait for new evaluations."""
    is_new = any(stage.kind == "evaluate" for stage in left)
    is_due = any(stage.kind == "evaluate" for stage in plan.todo)
    return is_new or (is_due and TABLE not in queued)


def _name(kind: str, jobs: Iterable[Job]) -> str:
    alike = sum(job.kind == kind for job in jobs)
    return f"{kind}-{alike + 1}" if alike else kind
