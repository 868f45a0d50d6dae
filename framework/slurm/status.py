"""How every stage of a launched plan fares, from squeue and from what the jobs themselves wrote."""

import signal
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from framework.config.check_slurm import refuse_auto_precision
from framework.config.slurm import DATA, TABLE
from framework.errors import INTERRUPTED, UNAVAILABLE, UserError
from framework.planning.plan import EvaluateStage, LanguageStage, Plan, Stage, TaskStage, plan_experiment
from framework.slurm import cluster
from framework.slurm.cluster import Queued
from framework.slurm.place import Place
from framework.slurm.record import queued, submitted

LAST_LINES = 8
"""Lines of a failed stage's log that are shown."""
KILLED = 128 + signal.SIGKILL
"""Exit code of a process that was killed; on a cluster, the kernel does so when a job exceeds its memory."""
BROKEN = {
    "failed": "failed",
    "interrupted": "was interrupted",
    "cancelled": "was cancelled",
    "lost": "was lost",
}
"""States of a stage after which those that wait for it never start, and how one says so."""


@dataclass(frozen=True)
class Status:
    """How one stage fares."""

    kind: str
    title: str
    state: str
    news: str = ""
    """How far it is, why it waits or how it ended."""
    place: Place | None = None


def print_status(file: Path, overrides: list[str], console: Console) -> None:
    """Prints how every stage of an experiment fares, and the last words of those that failed.

    Args:
        file: The experiment's YAML.
        overrides: `key=value` words that win over it.
        console: Where to print.

    Raises:
        UserError: The experiment has mistakes.
    """
    plan = plan_experiment(file, overrides, here=False)
    refuse_auto_precision(file, plan.variants)
    rows = statuses(plan, _queue(console))
    table = Table(box=None, header_style="bold")
    for column in ("stage", "what", "state", "", "job"):
        table.add_column(column)
    for row in rows:
        table.add_row(row.kind, row.title, row.state, row.news, row.place.shown if row.place else "–")
    console.print(table)
    for row in rows:
        if row.place and row.state in ("failed", "interrupted", "lost"):
            console.print(f"\n{row.kind} · {row.title} · {row.state}: {row.place.log}", highlight=False, soft_wrap=True)
            for line in row.place.last_words(LAST_LINES):
                console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)


def statuses(plan: Plan, queue: list[Queued] | None) -> list[Status]:
    """Finds out how every stage of a plan fares.

    Args:
        plan: The plan.
        queue: The jobs that wait or run; None where Slurm does not say.

    Returns:
        The stages in the plan's order; before and after them the jobs of data and table, where these were submitted.
    """
    present = queued(plan, queue or [])
    places = submitted(plan) | {stage: place for stage, (place, _) in present.items()}
    silent = [place.shown for stage, place in places.items() if stage not in present and not place.ended()]
    accounts = cluster.accounted(silent) if queue is not None else {}
    found: dict[str, Status] = {}

    def add_job(kind: str, title: str, needs: Iterable[str]) -> None:
        """Adds a job that is no stage, where one was submitted."""
        place = places.get(kind)
        if place is None:
            return
        if kind in present:
            state, news = _in_queue(*present[kind], str)
        elif place.ended().startswith("0 "):
            state, news = "done", str(place.log)
        else:
            state, news = _gone(place, accounts, _cause(found, needs), is_known=queue is not None)
        found[kind] = Status(kind, title, state, news, place)

    add_job(DATA, "all rows", [])
    for stage in plan.stages:
        place = places.get(stage.id)
        # A stage may have ended since the plan was made.
        if stage.id in plan.done or (place and place.ended().startswith("0 ") and plan.is_done(stage)):
            state, news = "done", ""
        elif place is None:
            state, news = "not submitted", ""
        elif stage.id in present:
            state, news = _in_queue(*present[stage.id], partial(_progress, stage, place))
        else:
            awaited = [DATA, *stage.needs, *_beside(places, stage.needs)]
            state, news = _gone(place, accounts, _cause(found, awaited), is_known=queue is not None)
        found[stage.id] = Status(stage.kind, stage.title, state, news, place)
    add_job(TABLE, "combinations × languages", [stage.id for stage in plan.of_type(EvaluateStage)])
    return list(found.values())


def _queue(console: Console) -> list[Queued] | None:
    """Returns the jobs that wait or run; None, and a word about it, where Slurm does not say."""
    if cluster.is_here():
        try:
            return cluster.queue()
        except UserError as error:
            console.print(f"{error}\n", highlight=False, soft_wrap=True)
    return None


def _in_queue(place: Place, entry: Queued, progress: Callable[[], str]) -> tuple[str, str]:
    if entry.state == "PENDING":
        return ("waiting", "for other jobs") if entry.needs_others else ("queued", entry.reason)
    if place.turn and not place.log.exists():
        return "waiting", "for the stages before it in its job"
    return entry.state.lower(), progress()


def _progress(stage: Stage, place: Place) -> str:
    """Says how many steps, or tests, of a stage are done, with the latest figures."""
    step, figures = place.progress()
    if isinstance(stage, EvaluateStage):
        return f"{len(stage.tests) - len(stage.missing)}/{len(stage.tests)}  {figures}".rstrip()
    if not isinstance(stage, LanguageStage | TaskStage):
        return figures
    return f"{step or 0}/{stage.steps}  {figures}".rstrip()


def _gone(place: Place, accounts: Mapping[str, str], cause: str, *, is_known: bool) -> tuple[str, str]:
    """Says how a stage ended that is neither done nor in the queue.

    Args:
        place: Where it was.
        accounts: What the cluster's accounts say of elements.
        cause: Which stage that it needs broke; empty for none.
        is_known: Whether Slurm said which jobs are in the queue.
    """
    code, _, slurm = place.ended().partition(" ")
    slurm = slurm or accounts.get(place.shown, "")
    # Before the code: srun says 0 where it no longer waits for a process that is slow to stop.
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
    return ("lost", "left the queue without a word") if is_known else ("unknown", "Slurm does not say")


def _beside(places: Mapping[str, Place], needs: Iterable[str]) -> list[str]:
    """Returns the stages that share an element with one of those that are needed: one that breaks fails the element."""
    elements = {(places[need].folder, places[need].element) for need in needs if need in places}
    return [stage for stage, place in places.items() if (place.folder, place.element) in elements]


def _cause(found: Mapping[str, Status], needs: Iterable[str]) -> str:
    """Names the first broken stage behind those that are needed: `needs task · adapter · seed 1, which failed`."""
    for status in (found[need] for need in needs if need in found):
        if status.state in BROKEN:
            is_root = not status.news.startswith("needs ")
            return f"needs {status.kind} · {status.title}, which {BROKEN[status.state]}" if is_root else status.news
    return ""
