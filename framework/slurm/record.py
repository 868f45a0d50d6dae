"""What a launch leaves behind, and how it is read again.

    runs/<experiment>/launch/<number>/
      experiment.yaml           the experiment as it was launched: later edits do not reach jobs that wait
      <job>.sbatch              the script of each job array
      launch.json               Launch: which stage is in which job
      logs/<job>-<part>.log     what a stage printed; a requeued one goes on in the same file
      ends/<job>-<part>         how a stage ended, if it has

For parts see `framework.slurm.jobs.part_of`.

Every file but the logs appears whole or not at all.
"""

from collections.abc import Iterator
from dataclasses import field
from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass

from framework.config.slurm import LIGHT
from framework.planning.plan import Plan
from framework.slurm.cluster import Queued
from framework.slurm.place import Place
from framework.system.files import write_whole
from framework.system.stored import read_stored

RECORD = "launch.json"
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
    """What one launch submitted."""

    store: str
    """The component store that its stages write to."""
    arrays: dict[str, Array]
    """By the names of their scripts."""
    borrowed: dict[str, Place] = field(default_factory=dict)
    """The plan's stages that waited or ran already, in jobs of another launch."""


_RECORD = TypeAdapter(Launch)


def write(folder: Path, launch: Launch) -> None:
    """Writes a launch's record, whole or not at all."""
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


def submitted(plan: Plan) -> dict[str, Place]:
    """Returns where this experiment's launches last submitted each stage, and the jobs `data` and `table`."""
    places: dict[str, Place] = {}
    for folder in sorted(_folders(plan), key=lambda folder: int(folder.name)):
        launch = read(folder)
        places |= launch.borrowed
        for name, array in launch.arrays.items():
            if array.id:
                places |= {stage: _place(folder, name, array.id, part) for part, stage in array.stages.items()}
    return places


def queued(plan: Plan, queue: list[Queued]) -> dict[str, tuple[Place, Queued]]:
    """Finds a plan's stages among the jobs that wait or run, whichever experiment submitted them.

    The script of a job says which launch it belongs to, even where that was killed before it could note the job's id.

    Args:
        plan: The plan.
        queue: The jobs that wait or run.

    Returns:
        By stage (`data` and `table` for the first and the last job) its place and what Slurm says of it.
    """
    found: dict[str, tuple[Place, Queued]] = {}
    for entry in queue:
        folder, name = entry.script.parent, entry.script.stem
        if not (folder / RECORD).is_file():  # a job of the user's that is not ours
            continue
        launch = read(folder)
        if name not in launch.arrays:  # a script that somebody put there and submitted
            continue
        is_own = folder.parent == launches(plan)
        is_shared = launch.store == store_of(plan) and launch.arrays[name].kind not in ("evaluate", *LIGHT)
        for stage, place in stages_in(entry, launch).items():
            is_over = entry.state != "PENDING" and place.ended()
            if (is_own or is_shared) and not is_over:
                found[stage] = place, entry
    return found


def stages_in(entry: Queued, launch: Launch) -> dict[str, Place]:
    """Returns the places of the stages that an element carries out, by their identities.

    Args:
        entry: The element.
        launch: The launch that submitted it.
    """
    folder, name = entry.script.parent, entry.script.stem
    places = {stage: _place(folder, name, entry.job, part) for part, stage in launch.arrays[name].stages.items()}
    return {stage: place for stage, place in places.items() if place.index == entry.index}


def store_of(plan: Plan) -> str:
    """Names a plan's component store alike from every working folder."""
    return str(plan.store.folder.resolve())


def _folders(plan: Plan) -> Iterator[Path]:
    return (record.parent for record in launches(plan).glob(f"*/{RECORD}") if record.parent.name.isdecimal())


def _place(folder: Path, name: str, job: str, part: str) -> Place:
    index, _, turn = part.partition(".")
    return Place(str(folder), name, job, int(index), int(turn or 0))
