"""Cancels the jobs of an experiment's launches."""

from collections import Counter
from functools import cache
from pathlib import Path

from rich.console import Console

from framework.planning.plan import plan_experiment
from framework.slurm import cluster
from framework.slurm.record import launches, read, stages_in
from framework.slurm.stage_job import CANCELLED
from framework.system.atomic_files import write_whole


def cancel(file: Path, overrides: list[str], console: Console) -> None:
    """Cancels all waiting and running jobs of an experiment's launches, and prints them.

    Raises:
        UserError: The experiment has mistakes, or there is no Slurm.
    """
    plan = plan_experiment(file, overrides, here=False)
    cluster.require()
    own = [entry for entry in cluster.queue() if entry.script.parent.parent == launches(plan)]
    if not own:
        console.print(f"nothing to cancel: no job of {plan.name} waits or runs")
        return
    read_once = cache(read)
    for entry in own:
        if entry.state == "PENDING":  # its script, which would record how it ended, never starts
            for stage_job in stages_in(entry, read_once(entry.script.parent)).values():
                write_whole(stage_job.end, CANCELLED.encode())
    jobs = Counter((entry.job, entry.script.stem) for entry in own)
    cluster.cancel(job for job, _ in jobs)
    for (job, name), elements in jobs.items():
        console.print(f"cancelled: {job} ({name} × {elements})")
