"""The files of a launch: how they are written and read.

    runs/<experiment>/launch/<number>/
      experiment.yaml           the experiment as it was launched: later edits do not affect waiting jobs
      <job>.sbatch              the script of each job array
      launch.json               Launch: which stage is in which job
      logs/<job>-<part>.log     the output of a stage; that of a requeued stage is appended
      ends/<job>-<part>         how a stage ended, if it has

For parts see `framework.slurm.jobs.part_of`. Every file but the logs is written atomically.
"""

from dataclasses import field
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass

from framework.config.slurm import LIGHT
from framework.planning.plan import Plan
from framework.slurm.cluster import Queued
from framework.slurm.stage_job import StageJob
from framework.system.atomic_files import write_whole
from framework.system.stored_files import read_stored

FROZEN, RECORD = "experiment.yaml", "launch.json"
Part = Annotated[str, Field(pattern=r"^[0-9]{1,9}(\.[0-9]{1,9})?$")]
SCHEMA = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=SCHEMA)
class Array:
    """A job array of a launch."""

    kind: str
    """Kind of its stages, `data` or `table`."""
    stages: dict[Part, str]
    """Identity of each stage, by its part."""
    id: str = ""
    """Its job id, once Slurm gave it one."""


@dataclass(frozen=True, config=SCHEMA)
class Launch:
    """The jobs of one launch."""

    store: str
    """The component store that its stages write to."""
    arrays: dict[str, Array]
    """By the names of their scripts."""
    borrowed: dict[str, StageJob] = field(default_factory=dict)
    """The plan's stages that waited or ran already, in jobs of another launch."""


_RECORD = TypeAdapter(Launch)


def write(folder: Path, launch: Launch) -> None:
    """Writes a launch's record atomically."""
    write_whole(folder / RECORD, _RECORD.dump_json(launch, indent=1) + b"\n")


def read(folder: Path) -> Launch:
    """Reads a launch's record.

    Raises:
        UserError: It cannot be read, or is damaged.
    """
    return read_stored(folder / RECORD, _RECORD, "the record of a launch")


def launches(plan: Plan) -> Path:
    """Returns the folder of an experiment's launches."""
    return plan.folder.resolve() / "launch"


def next_folder(plan: Plan) -> Path:
    """Names the folder of an experiment's next launch."""
    taken = [int(folder.name) for folder in launches(plan).glob("*") if folder.name.isdecimal()]
    return launches(plan) / str(max(taken, default=0) + 1)


def submitted(plan: Plan) -> dict[str, StageJob]:
    """Returns the last job that this experiment's launches submitted for each stage, and for `data` and `table`."""
    jobs: dict[str, StageJob] = {}
    folders = [record.parent for record in launches(plan).glob(f"*/{RECORD}") if record.parent.name.isdecimal()]
    for folder in sorted(folders, key=lambda folder: int(folder.name)):
        launch = read(folder)
        jobs |= launch.borrowed
        for name, array in launch.arrays.items():
            if array.id:
                jobs |= {stage: _stage_job(folder, name, array.id, part) for part, stage in array.stages.items()}
    return jobs


def queued(plan: Plan, queue: list[Queued]) -> dict[str, tuple[StageJob, Queued]]:
    """Finds a plan's stages among the jobs that wait or run, of any experiment.

    A job's launch follows from the path of its script, so it is found even if the launch was killed before it recorded
    the job's id.

    Returns:
        By stage (`data` and `table` for the first and the last job) its job and its entry in the queue.
    """
    found: dict[str, tuple[StageJob, Queued]] = {}
    read_once = cache(read)
    for entry in queue:
        folder, name = entry.script.parent, entry.script.stem
        if not (folder / RECORD).is_file():  # another job of the user
            continue
        launch = read_once(folder)
        if name not in launch.arrays:  # a script that was added by hand
            continue
        is_own = folder.parent == launches(plan)
        is_shared = launch.store == store_of(plan) and launch.arrays[name].kind not in ("evaluate", *LIGHT)
        for stage, job in stages_in(entry, launch).items():
            is_over = entry.state != "PENDING" and job.ended()
            if (is_own or is_shared) and not is_over:
                found[stage] = job, entry
    return found


def stages_in(entry: Queued, launch: Launch) -> dict[str, StageJob]:
    """Returns the jobs of an element's stages by their identities; `launch` submitted the element."""
    folder, name = entry.script.parent, entry.script.stem
    return {
        stage: _stage_job(folder, name, entry.job, part)
        for part, stage in launch.arrays[name].stages.items()
        if int(part.partition(".")[0]) == entry.index
    }


def store_of(plan: Plan) -> str:
    """Returns the absolute path of a plan's component store."""
    return str(plan.store.folder.resolve())


def _stage_job(folder: Path, name: str, job: str, part: str) -> StageJob:
    index, _, turn = part.partition(".")
    return StageJob(str(folder), name, job, int(index), int(turn or 0))
