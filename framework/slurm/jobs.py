"""From a plan to job arrays: which stages go together, and what each array waits for. Nothing here calls Slurm.

Stages of one kind that wait for the same stages form an array. An element of an array carries out one stage, or up to
`slurm.per_job` of them in turn. An evaluation waits only for the element of its own task stage, which has the same
index in its array (`aftercorr`), so that a failed seed does not stop the evaluations of the others.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from framework.config.slurm import DATA, TABLE
from framework.planning.plan import EvaluateStage, Plan


@dataclass(frozen=True, order=True)
class Element:
    """One element of a job array."""

    job: str
    """The array's job id; its name while it has none."""
    index: int


class Work(NamedTuple):
    """A stage that an element of an array carries out."""

    id: str
    """Identity of the stage."""
    title: str


def part_of(index: int, turn: int) -> str:
    """Names a stage's part of an array: `5` for the first stage of element 5, `5.1` for its next one."""
    return f"{index}.{turn}" if turn else str(index)


@dataclass
class Job:
    """A job array."""

    name: str
    kind: str
    """Kind of its stages, `data` or `table`."""
    work: dict[int, list[Work]] = field(default_factory=dict)
    """The stages of each element in turn, by its index."""
    after: list[Element] = field(default_factory=list)
    """Elements that must succeed before any element starts."""
    twin: str | None = None
    """The array whose element of the same index must succeed before an element starts."""
    id: str = ""
    """Its job id, once Slurm gave it one."""

    @property
    def awaited(self) -> str:
        """The names of the arrays that it waits for, for a person."""
        twin = [f"{self.twin} (each its own)"] if self.twin else []
        return ", ".join([*twin, *dict.fromkeys(element.job for element in self.after)]) or "–"

    @property
    def stages(self) -> int:
        """The number of its stages."""
        return sum(map(len, self.work.values()))

    def parts(self) -> Iterator[tuple[str, Work]]:
        """Yields each stage with the name of its part; see `part_of`."""
        for index, works in self.work.items():
            for turn, work in enumerate(works):
                yield part_of(index, turn), work

    def first(self, count: int) -> "Job":
        """Returns it with its first `count` elements only."""
        return replace(self, work={index: self.work[index] for index in sorted(self.work)[:count]})

    def dependency(self, jobs: Iterable["Job"]) -> str:
        """Returns the value of sbatch's `--dependency`; empty when it waits for nothing.

        Arrays that are submitted together, `jobs`, are named by their ids or, while they have none, by their names.
        """
        wholes = {job.name: job.work.keys() for job in jobs}
        ids = {job.name: job.id or job.name for job in jobs}
        words = [f"aftercorr:{ids.get(self.twin, self.twin)}"] if self.twin else []
        for name, elements in itertools.groupby(sorted(self.after), key=lambda element: element.job):
            indices = [element.index for element in elements]
            job = ids.get(name, name)
            is_whole = set(indices) == wholes.get(name)
            words.append(":".join(["afterok", *([job] if is_whole else [f"{job}_{index}" for index in indices])]))
        return ",".join(words)


def jobs_for(plan: Plan, queued: Mapping[str, Element], most: int, *, check_data: bool = False) -> list[Job]:
    """Groups the missing stages of a plan into job arrays, each after those that it waits for.

    Args:
        plan: The plan.
        queued: The elements of stages that wait or run already; `table` for the last job.
        most: Maximal number of elements of an array.
        check_data: Whether the stages wait for a first job that reads their data.
    """
    groups: dict[tuple[object, ...], Job] = {}
    elements = dict(queued)
    left = [stage for stage in plan.todo if stage.id not in queued]
    check_data = check_data and any(stage.kind != "merge" for stage in left)  # a merge reads components alone
    for stage in left:
        task = stage.task.id if isinstance(stage, EvaluateStage) else ""
        twin = elements.get(task)
        if twin and twin.index >= most:  # of an array from before the cluster's limit was lowered
            twin = None
        array = twin.job if twin else None
        awaited = {need for need in stage.needs if need in elements}
        after = sorted(elements[need] for need in awaited if not (twin and need == task))
        if check_data and awaited <= queued.keys():  # the others wait for these
            after.append(Element(DATA, 0))
        per_job = stage.experiment.slurm.resources(stage.kind).per_job or 1
        for part in itertools.count():  # the first array whose element for this stage has room
            group = (stage.kind, array, *after, part)
            if group not in groups:
                groups[group] = Job(_name(stage.kind, groups.values()), stage.kind, {}, after, array)
            job = groups[group]
            index = twin.index if twin else (job.stages // per_job)
            if index < most and len(job.work.get(index, [])) < per_job:
                break
        job.work.setdefault(index, []).append(Work(stage.id, f"{stage.kind} · {stage.title}"))
        elements[stage.id] = Element(job.name, index)
    first = Job(DATA, DATA, {0: [Work(DATA, "all rows that the stages will use")]})
    jobs = [*([first] if check_data else []), *groups.values()]
    # A table in the queue does not wait for new evaluations, so these get another one.
    if any(stage.kind == "evaluate" for stage in (left if TABLE in queued else plan.todo)):
        runs = sorted(elements[stage.id] for stage in plan.of_type(EvaluateStage) if stage.id in elements)
        jobs.append(Job(TABLE, TABLE, {0: [Work(TABLE, "combinations × languages")]}, runs))
    return jobs


def _name(kind: str, jobs: Iterable[Job]) -> str:
    alike = sum(job.kind == kind for job in jobs)
    return f"{kind}-{alike + 1}" if alike else kind
