"""Withdraws what an experiment's launches submitted."""

from collections import Counter
from pathlib import Path

from rich.console import Console

from framework.planning.plan import plan_experiment
from framework.slurm import cluster
from framework.slurm.place import CANCELLED
from framework.slurm.record import launches, read, stages_in
from framework.system.files import write_whole


def cancel(file: Path, overrides: list[str], console: Console) -> None:
    """Cancels all jobs that an experiment's launches submitted and that wait or run.

    Args:
        file: The experiment's YAML.
        overrides: `key=value` words that win over it.
        console: Where to say what was cancelled.

    Raises:
        UserError: The experiment has mistakes, or there is no Slurm.
    """
    plan = plan_experiment(file, overrides, here=False)
    cluster.require()
    own = [entry for entry in cluster.queue() if entry.script.parent.parent == launches(plan)]
    if not own:
        console.print(f"nothing to cancel: no job of {plan.name} waits or runs", highlight=False)
        return
    for entry in own:
        if entry.state == "PENDING":  # its script, which would say how it ended, never begins
            for place in stages_in(entry, read(entry.script.parent)).values():
                write_whole(place.end, CANCELLED.encode())
    jobs = Counter((entry.job, entry.script.stem) for entry in own)
    cluster.cancel(job for job, _ in jobs)
    for (job, name), elements in jobs.items():
        console.print(f"cancelled: {job} ({name} × {elements})", highlight=False)
