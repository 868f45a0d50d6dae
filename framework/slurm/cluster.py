"""Slurm's own commands: the only place that calls them."""

import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from framework.errors import UserError

DEFAULT_ARRAY = 1001
"""Slurm's own limit of an array, where a cluster does not say its."""

NO_DEPENDENCY = ("", "(null)")
"""What `squeue` shows where a job depends on none, by version."""


@dataclass(frozen=True)
class Queued:
    """An element of a job array that waits or runs."""

    job: str
    index: int
    state: str
    """`PENDING`, `RUNNING`, `COMPLETING` …"""
    reason: str
    """Why it waits: `Resources`, `Priority` …; Slurm may be slow to say `Dependency`."""
    needs_others: bool
    """Whether jobs that it depends on have yet to end."""
    script: Path


def is_here() -> bool:
    """Says whether jobs can be submitted from this machine."""
    return shutil.which("sbatch") is not None


def require() -> None:
    """Refuses a machine without Slurm.

    Raises:
        UserError: There is no `sbatch`.
    """
    if not is_here():
        raise UserError(
            "no Slurm on this machine (there is no sbatch on the PATH): `modulingua run` carries the plan out here, "
            "`modulingua launch --dry-run` shows the jobs"
        )


def largest_array() -> int:
    """Returns how many elements an array may have on this cluster."""
    for line in _call("scontrol", "show", "config").splitlines():
        key, _, value = line.partition("=")
        if key.strip() == "MaxArraySize":
            return int(value)
    return DEFAULT_ARRAY


def submit(script: Path) -> str:
    """Submits a script and returns its job id.

    Raises:
        UserError: Slurm refuses it; the message holds its words and the file.
    """
    # What a surrounding job says of itself would else be taken for wishes of this one.
    environment = {name: value for name, value in os.environ.items() if not _speaks_of_a_job(name)}
    done = subprocess.run(["sbatch", "--parsable", str(script)], env=environment, capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"{script}: refused by Slurm\n{done.stderr.strip()}")
    return done.stdout.strip().partition(";")[0]  # a federation adds the cluster's name


def queue() -> list[Queued]:
    """Returns the elements of job arrays of this user that wait or run."""
    rows = _call("squeue", "--noheader", "--array", f"--user={os.getuid()}", "--format=%F|%K|%T|%r|%E|%o").splitlines()
    found = [row.split("|", 5) for row in rows]
    return [
        Queued(job, int(index), state, reason, dependencies not in NO_DEPENDENCY, Path(script))
        for job, index, state, reason, dependencies, script in found
        if index.isdecimal()  # others are no arrays, and so not ours
    ]


def cancel(jobs: Iterable[str]) -> None:
    """Cancels jobs that wait or run."""
    _call("scancel", *jobs)


def accounted(elements: Iterable[str]) -> dict[str, str]:
    """Returns how elements ended (`TIMEOUT`, `CANCELLED by 1000` …), as far as this cluster keeps accounts."""
    jobs = ",".join(elements)
    if not jobs or shutil.which("sacct") is None:
        return {}
    command = ["sacct", "--noheader", "--parsable2", "--allocations", f"--jobs={jobs}", "--format=JobID,State"]
    done = subprocess.run(command, capture_output=True, text=True)
    rows = done.stdout.splitlines() if done.returncode == 0 else []
    return {element: state for element, _, state in (row.partition("|") for row in rows)}


def _speaks_of_a_job(variable: str) -> bool:
    return variable.startswith("SLURM_") and variable != "SLURM_CONF"


def _call(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"{command[0]} failed: {done.stderr.strip()}")
    return done.stdout
