"""Slurm's own commands: the only place that calls them and reads their answers."""

import os
import pwd
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from framework.errors import UserError
from framework.slurm.command import Answer, call, shown

DEFAULT_ARRAY = 1001
"""Slurm's own limit of an array, where a cluster does not say its."""
NO_DEPENDENCY = ("", "(null)")
"""What `squeue` shows where a job depends on none, by version."""
CLUSTERS = ("SBATCH_CLUSTERS", "SLURM_CLUSTERS")
"""Environment variables that choose the cluster: the first for sbatch alone, the second for every command."""

QUEUED = re.compile(r"(\d+)\|([^|]*)\|([A-Z_]+)\|([^|]*)\|([^|]*)\|(.*)")
"""A row of `squeue` in the format of `queue`."""
USED = re.compile(r"([^|]+)\|([^|]+)")
"""A row of `squeue` in the format of `used`."""
NO_ROW = re.compile(r"CLUSTER: .*|\s*")
"""A line that `squeue` prints beside its rows."""
JOB_ID = re.compile(r"\s*(\d+)(?:;\S*)?\s*")
"""The answer of `sbatch --parsable`: a job id, and the cluster where there are several."""
REASON = re.compile(r"\b(?:Assoc|QOS)\w*Limit\b")
"""The limit that a job violates, as newer versions of Slurm name it."""
POLICY = re.compile(r"violates accounting/QOS policy|temporarily unable to accept job")
"""A job violates some limit; or the controller holds as many jobs as it can (`MaxJobCount`), and sbatch waits."""


class LimitReached(UserError):
    """Slurm refused a job because of a limit on the number of submitted jobs."""


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


@dataclass(frozen=True)
class Association:
    """What a user is to an account of a cluster."""

    cluster: str
    account: str
    partition: str
    """The partition that it is about; empty for all."""
    is_default: bool
    """Whether jobs that name no account are of this one."""
    qos: str
    """The QOS of jobs that name none; empty for the cluster's."""
    most: int | None
    """Most submitted jobs (`MaxSubmitJobs`), also where the account or one above it sets the limit."""


def is_here() -> bool:
    """Says whether jobs can be submitted from this machine."""
    return shutil.which("sbatch") is not None


def require() -> None:
    """Refuses a machine without Slurm, and a choice of several clusters.

    Raises:
        UserError: There is no `sbatch`; or jobs could go to one cluster and those that wait for them to another.
    """
    if not is_here():
        raise UserError(
            "no Slurm on this machine (there is no sbatch on the PATH): `modulingua run` carries the plan out here, "
            "`modulingua launch --dry-run` shows the jobs"
        )
    name, chosen = _chosen_cluster()
    if "," in chosen or chosen == "all":
        raise UserError(f"{name}={chosen}: name one cluster; jobs cannot wait for jobs of another one")


def largest_array() -> int:
    """Returns how many elements an array may have on this cluster.

    Raises:
        UserError: The cluster allows no arrays, or `scontrol` fails.
    """
    most = _number(settings().get("MaxArraySize", ""))
    if most == 0:
        raise UserError("this cluster allows no job arrays (MaxArraySize is 0), and each job of launch is one")
    return DEFAULT_ARRAY if most is None else most


def settings() -> dict[str, str]:
    """Returns the settings of the cluster, by name.

    Raises:
        UserError: `scontrol` fails.
    """
    lines = _call("scontrol", "show", "config").splitlines()
    return {key.strip(): value.strip() for key, _, value in (line.partition("=") for line in lines)}


def partitions() -> list[dict[str, str]]:
    """Returns the settings of each partition, by name: `PartitionName`, `Default`, `DefMemPerCPU` and others.

    Raises:
        UserError: `scontrol` fails.
    """
    lines = _call("scontrol", "show", "partition", "--oneliner").splitlines()
    found = [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in lines]
    return [partition for partition in found if "PartitionName" in partition]


def submit(script: Path) -> str:
    """Submits a script and returns its job id.

    Raises:
        LimitReached: It would exceed a limit on submitted jobs.
        UserError: Slurm refuses it; the message holds its words and the file.
    """
    done = _sbatch("--parsable", str(script))
    ids = [found[1] for found in map(JOB_ID.fullmatch, done.out.splitlines()) if found]
    if not ids:
        raise UserError(
            f"{script}: sbatch printed no job id, so it may be submitted or not (see squeue); "
            f"it printed: {shown(done.out) or 'nothing'}"
        )
    return ids[-1]  # a site's greeting comes before it


def fits(script: Path, count: int) -> bool:
    """Says whether Slurm would take a script as an array of `count` elements; nothing is submitted."""
    try:
        _sbatch("--test-only", f"--array=0-{count - 1}", str(script))
    except UserError:
        return False
    return True


def queue() -> list[Queued]:
    """Returns the elements of job arrays of this user that wait or run.

    Raises:
        UserError: `squeue` fails, or its answer cannot be read.
    """
    rows = _squeue("%F|%K|%T|%r|%E|%o", QUEUED)
    return [
        Queued(job, int(index), state, reason, dependencies not in NO_DEPENDENCY, Path(script))
        for job, index, state, reason, dependencies, script in rows
        if index.isdecimal()  # others are no arrays, and so not ours
    ]


def used() -> list[tuple[str, str]]:
    """Returns account and QOS of each of this user's jobs that wait or run; an element of an array is one.

    Raises:
        UserError: `squeue` fails, or its answer cannot be read.
    """
    return [(account, qos) for account, qos in _squeue("%a|%q", USED)]


def cancel(jobs: Iterable[str]) -> None:
    """Cancels jobs that wait or run.

    Raises:
        UserError: `scancel` fails.
    """
    _call("scancel", *jobs)


def accounted(elements: Iterable[str]) -> dict[str, str]:
    """Returns how elements ended (`TIMEOUT`, `CANCELLED by 1000` …), as far as this cluster keeps accounts."""
    jobs = ",".join(elements)
    if not jobs:
        return {}
    rows = _accounts(2, "sacct", "--allocations", f"--jobs={jobs}", "--format=JobID,State")
    return dict(rows)


def associations() -> list[Association]:
    """Returns the associations of this user with accounts; none where the cluster keeps no accounts."""
    columns = "format=Cluster,Account,Partition,DefaultAccount,DefaultQOS,MaxSubmitJobs"
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # in a container that does not know its user
        return []
    rows = _accounts(6, "sacctmgr", "show", "user", user, "withassoc", columns)
    return [
        Association(cluster, account, partition, account == default, qos, _number(most))
        for cluster, account, partition, default, qos, most in rows
    ]


def qos_limits() -> dict[str, int]:
    """Returns how many submitted jobs a user may have in a QOS, by the names of those that have such a limit."""
    rows = _accounts(2, "sacctmgr", "show", "qos", "format=Name,MaxSubmitJobsPerUser")
    return {name: limit for name, most in rows if (limit := _number(most)) is not None}


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 20 else None


def _accounts(columns: int, *command: str) -> list[list[str]]:
    """Returns the rows of a table of the accounts; none where the cluster keeps no accounts or does not answer."""
    try:
        lines = _call(command[0], "--noheader", "--parsable2", *command[1:]).splitlines()
    except UserError:
        return []
    rows = [line.split("|") for line in lines]
    return [row for row in rows if len(row) == columns]


def _squeue(form: str, row: re.Pattern[str]) -> list[tuple[str, ...]]:
    lines = _call("squeue", "--noheader", "--array", f"--user={os.getuid()}", f"--format={form}").splitlines()
    found = [match.groups() for match in map(row.fullmatch, lines) if match]
    unread = [line for line in lines if not NO_ROW.fullmatch(line)]
    if unread and not found:  # taken for an empty queue, all would be submitted a second time
        raise UserError(f"the answer of squeue cannot be read: {shown(unread[0])}")
    return found


def _sbatch(*words: str) -> Answer:
    try:
        done = call("sbatch", *words, environment=_environment(of_a_job=False))
        refused = f"{words[-1]}: refused by Slurm\n{shown(done.err)}" if done.code else ""
    except UserError as error:  # among others, sbatch that waits for room in the controller
        refused = f"{words[-1]}: {error}"
    if refused:
        reason = REASON.search(refused)
        is_limit = "Submit" in reason[0] if reason else POLICY.search(refused)
        raise LimitReached(refused) if is_limit else UserError(refused)
    return done


def _call(*command: str) -> str:
    done = call(*command, environment=_environment(of_a_job=True))
    if done.code:
        raise UserError(f"{command[0]} failed: {shown(done.err)}")
    return done.out


def _environment(*, of_a_job: bool) -> dict[str, str]:
    """Returns the environment of a command, in which one cluster is chosen for all of them.

    Args:
        of_a_job: Whether it keeps what a surrounding job says of itself; sbatch would take it for options.
    """
    kept = {name: value for name, value in os.environ.items() if of_a_job or not _describes_a_job(name)}
    _, chosen = _chosen_cluster()
    return kept | ({"SLURM_CLUSTERS": chosen} if chosen else {})


def _chosen_cluster() -> tuple[str, str]:
    """Returns the environment variable that chooses the cluster, and its value; both are empty for none."""
    return next(((name, os.environ[name]) for name in CLUSTERS if os.environ.get(name)), ("", ""))


def _describes_a_job(variable: str) -> bool:
    return variable.startswith("SLURM_") and variable != "SLURM_CONF"
