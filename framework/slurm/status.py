"""The state of every stage of a launched plan, from squeue and from the files of the jobs."""

import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from framework.config.check_slurm import refuse_auto_precision
from framework.config.slurm import DATA, TABLE
from framework.errors import INTERRUPTED, UNAVAILABLE, UserError
from framework.planning.plan import EvaluateStage, LanguageStage, Plan, Stage, TaskStage, plan_experiment
from framework.slurm import cluster
from framework.slurm.cluster import Queued
from framework.slurm.record import queued, submitted
from framework.slurm.stage_job import StageJob

LAST_LINES = 8
"""Lines of a failed stage's log that are shown."""
KILLED = 128 + signal.SIGKILL
"""Exit code of a process that was killed; on a cluster, the kernel does so when a job exceeds its memory."""
BROKEN = {"failed": "failed", "interrupted": "was interrupted", "cancelled": "was cancelled", "lost": "was lost"}
"""States of a stage after which dependent stages never start, as a verb."""


@dataclass(frozen=True)
class Status:
    """The state of one stage."""

    kind: str
    title: str
    state: str
    detail: str = ""
    """Its progress, why it waits, or how it ended."""
    job: StageJob | None = None


def print_status(file: Path, overrides: list[str], console: Console) -> None:
    """Prints the state of every stage of an experiment, with the last log lines of failed ones.

    Raises:
        UserError: The experiment has mistakes.
    """
    plan = plan_experiment(file, overrides, here=False)
    refuse_auto_precision(file, plan.experiments)
    rows = statuses(plan, _queue(console))
    table = Table("stage", "what", "state", "", "job", box=None, header_style="bold")
    for row in rows:
        table.add_row(row.kind, row.title, row.state, row.detail, row.job.shown if row.job else "–")
    console.print(table)
    for row in rows:
        if row.job and row.state in ("failed", "interrupted", "lost"):
            console.print(f"\n{row.kind} · {row.title} · {row.state}: {row.job.log}", soft_wrap=True)
            for line in row.job.log_tail(LAST_LINES):
                console.print(f"  {line}", soft_wrap=True)


def statuses(plan: Plan, queue: list[Queued] | None) -> list[Status]:
    """Returns the state of every stage of a plan, in its order; `queue` is None if Slurm does not answer.

    Before and after the stages come the jobs of data and table, if these were submitted.
    """
    present = queued(plan, queue or [])
    jobs = submitted(plan) | {stage: job for stage, (job, _) in present.items()}
    unended = [job.shown for stage, job in jobs.items() if stage not in present and not job.ended()]
    accounts = cluster.accounted(unended) if queue is not None else None
    found: dict[str, Status] = {}

    def undone(id_: str, needs: Iterable[str], stage: Stage | None = None) -> tuple[str, str]:
        """Returns state and detail of what was submitted and is not done."""
        if id_ in present:
            return _in_queue(*present[id_], stage)
        return _gone(jobs[id_], accounts, _cause(found, needs))

    def add_job(kind: str, title: str, needs: Iterable[str]) -> None:
        """Adds a job that is no stage, if it was submitted."""
        if job := jobs.get(kind):
            is_done = kind not in present and job.ended().startswith("0 ")
            outcome = ("done", str(job.log)) if is_done else undone(kind, needs)
            found[kind] = Status(kind, title, *outcome, job)

    add_job(DATA, "all rows", [])
    for stage in plan.stages:
        job = jobs.get(stage.id)
        # A stage may have ended since the plan was made.
        if stage.id in plan.done or (job and job.ended().startswith("0 ") and plan.is_done(stage)):
            outcome = "done", ""
        elif job is None:
            outcome = "not submitted", ""
        else:
            awaited = [DATA, *stage.needs, *_beside(jobs, stage.needs)]
            outcome = undone(stage.id, awaited, stage)
        found[stage.id] = Status(stage.kind, stage.title, *outcome, job)
    add_job(TABLE, "combinations × languages", [stage.id for stage in plan.of_type(EvaluateStage)])
    return list(found.values())


def _queue(console: Console) -> list[Queued] | None:
    """Returns the jobs that wait or run; None if Slurm does not answer, and prints why."""
    if cluster.is_here():
        try:
            return cluster.queue()
        except UserError as error:
            console.print(f"{error}\n", soft_wrap=True)
    return None


def _in_queue(job: StageJob, entry: Queued, stage: Stage | None) -> tuple[str, str]:
    if entry.state == "PENDING":
        return ("waiting", "for other jobs") if entry.needs_others else ("queued", entry.reason)
    if job.turn and not job.log.exists():
        return "waiting", "for the stages before it in its job"
    return entry.state.lower(), _progress(stage, job) if stage else ""


def _progress(stage: Stage, job: StageJob) -> str:
    """Returns the number of steps or tests of a stage that are done, with the latest metrics."""
    step, metrics = job.progress()
    if isinstance(stage, EvaluateStage):
        return f"{len(stage.tests) - len(stage.missing)}/{len(stage.tests)}  {metrics}".rstrip()
    if not isinstance(stage, LanguageStage | TaskStage):
        return metrics
    return f"{step or 0}/{stage.steps}  {metrics}".rstrip()


def _gone(job: StageJob, accounts: Mapping[str, str] | None, cause: str) -> tuple[str, str]:
    """Returns state and detail of a stage that is neither done nor in the queue.

    Args:
        job: Its last job.
        accounts: States of elements in the cluster's accounts; None if Slurm does not answer.
        cause: The failure of a stage that it needs; empty for none.
    """
    code, _, slurm = job.ended().partition(" ")
    slurm = slurm or (accounts or {}).get(job.shown, "")
    # Before the code: srun returns 0 when it stops waiting for a process that is slow to end.
    if slurm.startswith("CANCELLED") or slurm == "COMPLETING None":
        return "cancelled", cause
    if code == "0":
        return "not submitted", "its result was there and is gone"
    if slurm.startswith("TIMEOUT") or slurm.endswith("TimeLimit"):
        return "failed", "out of time (slurm.time)"
    if slurm.startswith("OUT_OF_ME"):  # sacct may shorten it
        return "failed", "out of memory (slurm.memory)"
    if code == str(KILLED):
        return "failed", f"exit code {code}: killed, most likely out of memory (slurm.memory)"
    if code == str(INTERRUPTED):
        return "interrupted", "saved, but not requeued"
    if code == str(UNAVAILABLE):
        return "failed", "the network failed"
    if code or slurm:
        return "failed", f"exit code {code}" if code else slurm.lower()
    if cause:
        return "cancelled", cause
    return ("unknown", "Slurm does not say") if accounts is None else ("lost", "left the queue without a word")


def _beside(jobs: Mapping[str, StageJob], needs: Iterable[str]) -> list[str]:
    """Returns the stages in the same elements as the needed ones: if one fails, its element fails."""
    elements = {(jobs[need].folder, jobs[need].element) for need in needs if need in jobs}
    return [stage for stage, job in jobs.items() if (job.folder, job.element) in elements]


def _cause(found: Mapping[str, Status], needs: Iterable[str]) -> str:
    """Returns the first failure among the needed stages: `needs task · adapter · seed 1, which failed`."""
    for status in (found[need] for need in needs if need in found):
        if status.state in BROKEN:
            is_root = not status.detail.startswith("needs ")
            return f"needs {status.kind} · {status.title}, which {BROKEN[status.state]}" if is_root else status.detail
    return ""
