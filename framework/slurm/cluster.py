"""Slurm's commands: only this file calls them and parses their output."""

import os
import pwd
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from framework.errors import UserError
from framework.slurm.slurm_command import call, shown

DEFAULT_ARRAY = 1001
"""Slurm's default of the size of an array."""
NO_DEPENDENCY = ("", "(null)")
"""Output of `squeue` for a job without dependencies, by version."""
CLUSTERS = ("SBATCH_CLUSTERS", "SLURM_CLUSTERS")
"""Environment variables that choose the cluster: the first for sbatch alone, the second for every command."""

QUEUED = re.compile(r"(\d+)\|([^|]*)\|([A-Z_]+)\|([^|]*)\|([^|]*)\|(.*)")
"""A row of `squeue` in the format of `queue`."""
USED = re.compile(r"([^|]+)\|([^|]+)")
"""A row of `squeue` in the format of `used`."""
NO_ROW = re.compile(r"CLUSTER: .*|\s*")
"""A line that `squeue` prints beside its rows."""
JOB_ID = re.compile(r"\s*(\d+)(?:;\S*)?\s*")
"""Output of `sbatch --parsable`: a job id, and the cluster if there are several."""
REASON = re.compile(r"\b(?:Assoc|QOS)\w*Limit\b")
"""The limit that a job violates, as newer versions of Slurm name it."""
POLICY = re.compile(r"violates accounting/QOS policy|temporarily unable to accept job")
"""A job violates a limit; or the controller is full (`MaxJobCount`), and sbatch waits."""


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
    """Why it waits: `Resources`, `Priority` …; Slurm may show `Dependency` late."""
    needs_others: bool
    """Whether jobs that it depends on have yet to end."""
    script: Path


@dataclass(frozen=True)
class Association:
    """A user's association with an account of a cluster."""

    cluster: str
    account: str
    partition: str
    """Empty for all partitions."""
    is_default: bool
    """Whether the account is that of jobs that name none."""
    qos: str
    """The QOS of jobs that name none; empty for the cluster's."""
    most: int | None
    """Most submitted jobs (`MaxSubmitJobs`), also if set by the account or one above it."""


def is_here() -> bool:
    """Says whether jobs can be submitted from this machine."""
    return shutil.which("sbatch") is not None


def require() -> None:
    """Refuses a machine without Slurm, and a choice of several clusters.

    Raises:
        UserError: There is no `sbatch`; or dependent jobs could be sent to different clusters.
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
    """Returns the maximal number of elements of an array; `UserError` if the cluster allows no arrays."""
    most = _number(settings().get("MaxArraySize", ""))
    if most == 0:
        raise UserError("this cluster allows no job arrays (MaxArraySize is 0), and each job of launch is one")
    return DEFAULT_ARRAY if most is None else most


def settings() -> dict[str, str]:
    """Returns the settings of the cluster, by name; `UserError` if `scontrol` fails."""
    lines = _call("scontrol", "show", "config").splitlines()
    return {key.strip(): value.strip() for key, _, value in (line.partition("=") for line in lines)}


def partitions() -> list[dict[str, str]]:
    """Returns the settings of each partition, by name: `PartitionName`, `Default`, `DefMemPerCPU` and others."""
    lines = _call("scontrol", "show", "partition", "--oneliner").splitlines()
    found = [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in lines]
    return [partition for partition in found if "PartitionName" in partition]


def submit(script: Path) -> str:
    """Submits a script and returns its job id.

    Raises:
        LimitReached: It would exceed a limit on submitted jobs.
        UserError: Slurm refuses it; the message quotes Slurm and names the file.
    """
    printed = _sbatch("--parsable", str(script))
    ids = [found[1] for found in map(JOB_ID.fullmatch, printed.splitlines()) if found]
    if not ids:
        raise UserError(
            f"{script}: sbatch printed no job id, so it may be submitted or not (see squeue); "
            f"it printed: {shown(printed) or 'nothing'}"
        )
    return ids[-1]  # after a site's greeting


def fits(script: Path, count: int) -> bool:
    """Says whether Slurm would accept a script as an array of `count` elements; nothing is submitted."""
    try:
        _sbatch("--test-only", f"--array=0-{count - 1}", str(script))
    except UserError:
        return False
    return True


def queue() -> list[Queued]:
    """Returns the waiting and running elements of this user's job arrays; `UserError` if `squeue` fails."""
    rows = _squeue("%F|%K|%T|%r|%E|%o", QUEUED)
    return [
        Queued(job, int(index), state, reason, dependencies not in NO_DEPENDENCY, Path(script))
        for job, index, state, reason, dependencies, script in rows
        if index.isdecimal()  # others are no arrays, and so not ours
    ]


def used() -> list[tuple[str, str]]:
    """Returns account and QOS of each of this user's waiting and running jobs; an element of an array is a job."""
    return [(account, qos) for account, qos in _squeue("%a|%q", USED)]


def cancel(jobs: Iterable[str]) -> None:
    """Cancels waiting and running jobs; `UserError` if `scancel` fails."""
    _call("scancel", *jobs)


def accounted(elements: Iterable[str]) -> dict[str, str]:
    """Returns the states of ended elements (`TIMEOUT`, `CANCELLED by 1000` …), if this cluster keeps accounts."""
    jobs = ",".join(elements)
    return dict(_accounts(2, "sacct", "--allocations", f"--jobs={jobs}", "--format=JobID,State")) if jobs else {}


def associations() -> list[Association]:
    """Returns the associations of this user with accounts; none if the cluster keeps no accounts."""
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
    """Returns the maximal number of a user's submitted jobs by QOS, for those that have such a limit."""
    rows = _accounts(2, "sacctmgr", "show", "qos", "format=Name,MaxSubmitJobsPerUser")
    return {name: limit for name, most in rows if (limit := _number(most)) is not None}


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 20 else None


def _accounts(columns: int, *command: str) -> list[list[str]]:
    """Returns the rows of a table of the accounts; none if the cluster keeps no accounts or does not answer."""
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
    if unread and not found:  # as an empty queue, it would lead to submitting everything again
        raise UserError(f"the answer of squeue cannot be read: {shown(unread[0])}")
    return found


def _sbatch(*words: str) -> str:
    try:
        done = call("sbatch", *words, environment=_environment(of_a_job=False))
        if not done.returncode:
            return done.stdout
        refused = f"{words[-1]}: refused by Slurm\n{shown(done.stderr)}"
    except UserError as error:  # among others, sbatch that waits for room in the controller
        refused = f"{words[-1]}: {error}"
    reason = REASON.search(refused)
    is_limit = "Submit" in reason[0] if reason else POLICY.search(refused)
    raise LimitReached(refused) if is_limit else UserError(refused)


def _call(*command: str) -> str:
    done = call(*command, environment=_environment(of_a_job=True))
    if done.returncode:
        raise UserError(f"{command[0]} failed: {shown(done.stderr)}")
    return done.stdout


def _environment(*, of_a_job: bool) -> dict[str, str]:
    """Returns the environment of a command, with the same cluster for all commands.

    Variables of a surrounding job are kept only if `of_a_job`: sbatch would read them as options.
    """
    described = {name for name in os.environ if name.startswith("SLURM_") and name != "SLURM_CONF"}
    kept = {name: value for name, value in os.environ.items() if of_a_job or name not in described}
    _, chosen = _chosen_cluster()
    return kept | ({"SLURM_CLUSTERS": chosen} if chosen else {})


def _chosen_cluster() -> tuple[str, str]:
    """Returns the environment variable that chooses the cluster, and its value; both are empty for none."""
    return next(((name, os.environ[name]) for name in CLUSTERS if os.environ.get(name)), ("", ""))

