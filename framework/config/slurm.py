"""The experiment's section `slurm`: what each job asks the cluster for. It never enters an identity."""

import re
from dataclasses import field, fields
from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

SCHEMA = ConfigDict(extra="forbid")
DATA = "data"
"""The kind of the first job, which reads the rows that the stages will use."""
TABLE = "table"
"""The kind of the last job, which lays the runs side by side; the others are the kinds of stages."""
LIGHT = (DATA, TABLE)
"""Kinds of jobs that are no stages: one process on one core."""
LIGHT_MINUTES = 30
"""Time limit of these; a partition that does not allow it would keep the whole plan waiting."""
GPUS = re.compile(r"(?:[A-Za-z][\w.-]*:)?[0-9]{1,4}")
TIME = re.compile(r"(?:(?P<days>\d+)-)?(?P<first>\d+)(?::(?P<second>\d+))?(?::(?P<third>\d+))?")


@dataclass(frozen=True, config=SCHEMA)
class Resources:
    """Resources of one stage's job; null uses those of the section, of `trainer` or of the cluster."""

    partition: str | None = None
    """Slurm partition, as for `sbatch --partition`."""
    account: str | None = None
    """Slurm account, as for `sbatch --account`."""
    qos: str | None = None
    """Quality of service, as for `sbatch --qos`."""
    constraint: str | None = None
    """Features that the nodes must have."""
    nodes: int | None = Field(default=None, ge=1)
    """Machines; null for `trainer.num_nodes`."""
    gpus: int | str | None = None
    """GPUs per machine, one for each process, with their type if it matters: `4` or `a100:4`; null for none."""
    cpus: int | None = Field(default=None, ge=1)
    """CPU cores per process, and so its threads; null for one."""
    memory: str | None = None
    """Memory per machine, in Slurm's format: `32G`."""
    time: int | str | None = None
    """Time limit, in Slurm's format: minutes, `H:MM:SS` or `D-HH:MM:SS`."""
    throttle: int | None = Field(default=None, ge=1)
    """Maximum number of elements of one array that run at once."""
    per_job: int | None = Field(default=None, ge=1)
    """Maximum number of stages that one element of an array runs in sequence; null for one."""
    extra: list[str] | None = None
    """Further options of sbatch, as a list: `--exclude=n7`."""

    def __post_init__(self) -> None:
        """Checks the GPUs."""
        if self.gpus is not None and (GPUS.fullmatch(str(self.gpus)) is None or self.gpu_count == 0):
            raise ValueError(f"gpus {self.gpus!r} is not a number of GPUs, such as 4, or a type and a number: a100:4")

    @property
    def gpu_count(self) -> int | None:
        """GPUs of each machine, of whatever type."""
        return None if self.gpus is None else int(str(self.gpus).rpartition(":")[2])

    def over(self, below: "Resources") -> "Resources":
        """Returns these resources, with those of `below` where these say nothing."""
        names = [resource.name for resource in fields(Resources)]
        own = {name: getattr(self, name) for name in names}
        return Resources(**{name: getattr(below, name) if own[name] is None else own[name] for name in names})


@dataclass(frozen=True, config=SCHEMA)
class StageResources:
    """Resources of single kinds of stages, which override those of the section."""

    data: Resources = Resources()
    """The first job, which reads all rows on one core; see `check_data`."""
    pretrain: Resources = Resources()
    language: Resources = Resources()
    task: Resources = Resources()
    merge: Resources = Resources()
    evaluate: Resources = Resources()
    table: Resources = Resources()
    """The last job, which compares the runs on one core."""


@dataclass(frozen=True, config=SCHEMA)
class SlurmConfig(Resources):
    """How the plan runs as SLURM jobs; these resources are the defaults of every kind of stage."""

    stages: StageResources = StageResources()
    """Resources by kind of stage."""
    check_data: bool = True
    """Whether a first job checks all rows that the stages will use; the others wait for it."""
    gpu_option: Literal["gres", "gpus-per-node"] = "gres"
    """The option of sbatch that requests GPUs; some sites accept only the second."""
    setup: list[str] = field(default_factory=list)
    """Shell lines before the work: `module load cuda`, `export HF_HUB_OFFLINE=1`."""
    retries: int = Field(default=2, ge=0)
    """How often a crashed stage is tried again within its job."""
    signal: Literal["USR1", "USR2", "TERM"] = "USR1"
    """Signal that Slurm sends before the time limit; the processes then save, and the job requeues itself."""
    warning: int = Field(default=120, ge=1, le=65535)
    """Seconds before the time limit at which the signal is sent."""
    template: str | None = None
    """A file to use instead of Modulingua's sbatch template."""

    def resources(self, kind: str) -> Resources:
        """Returns what the job of a kind of stage asks for."""
        own: Resources = getattr(self.stages, kind)
        if kind not in LIGHT:
            return own.over(self)
        # One process that reads files: of the section's resources only those that say where it may run.
        where = {name: getattr(self, name) for name in ("partition", "account", "qos", "constraint", "extra")}
        memory = self.memory if kind == DATA else None
        return own.over(Resources(**where, nodes=1, cpus=1, memory=memory, time=LIGHT_MINUTES))


def seconds(time: int | str) -> int | None:
    """Returns the seconds of a time limit as Slurm writes it, or None when it is none."""
    found = TIME.fullmatch(str(time))
    if found is None:
        return None
    numbers = [int(number) for number in found.group("first", "second", "third") if number is not None]
    if found["days"] is None and len(numbers) < 3:  # minutes, or minutes:seconds
        numbers = [0, *numbers]
    hours, minutes, rest = [*numbers, 0, 0][:3]
    return ((int(found["days"] or 0) * 24 + hours) * 60 + minutes) * 60 + rest
