"""Submits what is left of a plan as job arrays that wait for each other."""

import json
from collections.abc import Iterable
from pathlib import Path

import yaml
from rich.console import Console
from rich.table import Table

from framework.errors import UserError
from framework.files import require_writable, write_whole
from framework.plan import Plan
from framework.provenance import command as typed
from framework.reading import read
from framework.runner import plan_experiment
from framework.slurm import cluster
from framework.slurm.checks import refuse_auto_precision
from framework.slurm.config import TABLE
from framework.slurm.jobs import Job, jobs_for
from framework.slurm.place import Place
from framework.slurm.record import Array, Launch, next_folder, queued, store_of, write
from framework.slurm.script import overrides as stage_overrides
from framework.slurm.script import size, write_script
from framework.wording import count

FROZEN = "experiment.yaml"


def launch(file: Path, overrides: list[str], console: Console, *, dry_run: bool) -> None:
    """Submits what is left of an experiment's plan.

    Args:
        file: The experiment's YAML.
        overrides: `key=value` words that win over it.
        console: Where to say what was submitted.
        dry_run: Print the scripts and what waits for what; write and submit nothing.

    Raises:
        UserError: The experiment has mistakes, there is no Slurm, or it refuses a job.
    """
    launch_plan(plan_experiment(file, overrides, here=False), file, overrides, console, dry_run=dry_run)


def launch_plan(plan: Plan, file: Path, overrides: list[str], console: Console, *, dry_run: bool) -> None:
    """Submits what is left of a plan that was made of `file` and `overrides`; see `launch`."""
    refuse_auto_precision(file, plan.variants)
    _check_stages(plan, file, overrides)
    frozen = _frozen(file, overrides)
    if not dry_run:
        cluster.require()
    found, largest = _cluster(plan, console, dry_run)
    jobs = jobs_for(plan, {stage: place.element for stage, place in found.items()}, largest)
    waiting = [stage for stage in plan.todo if stage.id in found]
    folder = next_folder(plan)
    if not jobs:
        submitted = f"nothing to submit: all that is left waits or runs already ({count(len(waiting), 'stage')})"
        console.print(submitted if plan.todo else "nothing to do: every run is there", highlight=False)
    elif dry_run:
        for job in jobs:
            console.print(f"── {folder / job.name}.sbatch", highlight=False, soft_wrap=True)
            console.print(_script(plan, job, jobs, {}, folder), markup=False, highlight=False, soft_wrap=True)
        _print_jobs(plan, jobs, {}, console)
    else:
        ids = _submit(plan, jobs, found, folder, frozen)
        _print_jobs(plan, jobs, ids, console)
        console.print(f"\n scripts and logs: {folder}/", highlight=False, soft_wrap=True)
        if waiting:
            console.print(
                f" not submitted again: {count(len(waiting), 'stage')}, in the queue already", highlight=False
            )


def _check_stages(plan: Plan, file: Path, overrides: list[str]) -> None:
    """Checks the experiment as the stages with resources of their own will read it."""
    experiment = plan.variants[0].experiment
    kinds = dict.fromkeys(stage.kind for stage in plan.todo)
    words = {tuple(stage_overrides(experiment.slurm, kind, experiment.trainer)) for kind in kinds}
    for own in sorted(words - {()}):
        plan_experiment(file, [*overrides, "slurm=null", *own], here=False)


def _cluster(plan: Plan, console: Console, dry_run: bool) -> tuple[dict[str, Place], int]:
    """Returns which stages wait or run already, and how many elements an array may have."""
    try:
        found = queued(plan, cluster.queue())
        return {stage: place for stage, (place, _) in found.items()}, cluster.largest_array()
    except (UserError, OSError):
        if not dry_run:
            raise
        if plan.todo:
            console.print("Slurm does not answer: what waits or runs already is shown again\n", highlight=False)
        return {}, cluster.DEFAULT_ARRAY


def _frozen(file: Path, overrides: list[str]) -> str:
    """Writes the experiment as one file, without `slurm`, which the stages have no use for.

    Raises:
        UserError: Something in it refers to `slurm`.
    """
    whole = {key: value for key, value in read(file, overrides).whole.items() if key != "slurm"}
    text = yaml.safe_dump(whole, sort_keys=False, allow_unicode=True, width=1000)
    if "${slurm." in text:
        raise UserError(f"{file}: a key refers to ${{slurm.…}}, which jobs do not read; let slurm refer to the key")
    return f"# as launched by: {typed()}\n{text}"


def _submit(plan: Plan, jobs: list[Job], found: dict[str, Place], folder: Path, frozen: str) -> dict[str, str]:
    """Writes and submits the scripts, each after those that it waits for: all of them, or none stays submitted."""
    experiment = plan.variants[0].experiment
    require_writable(Path(experiment.store), "store")
    require_writable(Path(experiment.runs), "runs")
    folder.mkdir(parents=True)
    for name in ("logs", "ends"):
        (folder / name).mkdir()
    write_whole(folder / FROZEN, frozen.encode())
    ids: dict[str, str] = {}
    _record(plan, jobs, found, ids, folder)
    try:
        for job in jobs:
            script = folder / f"{job.name}.sbatch"
            write_whole(script, _script(plan, job, jobs, ids, folder).encode())
            ids[job.name] = cluster.submit(script)
            _record(plan, jobs, found, ids, folder)
    except BaseException:
        if ids:
            cluster.cancel(ids.values())
        _record(plan, jobs, found, {}, folder)
        raise
    return ids


def _record(plan: Plan, jobs: list[Job], found: dict[str, Place], ids: dict[str, str], folder: Path) -> None:
    arrays = {
        job.name: Array(job.kind, {index: work.id for index, work in job.work.items()}, ids.get(job.name, ""))
        for job in jobs
    }
    write(folder, Launch(store_of(plan), arrays, found))


def _script(plan: Plan, job: Job, jobs: Iterable[Job], ids: dict[str, str], folder: Path) -> str:
    experiment = plan.variants[0].experiment
    words = json.dumps(stage_overrides(experiment.slurm, job.kind, experiment.trainer))
    table = ["-m", "framework.cli", "compare", str(plan.folder.resolve())]
    stage = ["-m", "framework.runner", str(folder / FROZEN), words, '"$stage"']
    return write_script(
        job,
        experiment.slurm,
        experiment.trainer,
        experiment=plan.name,
        folder=folder,
        command=table if job.kind == TABLE else stage,
        dependency=job.dependency(jobs, ids),
    )


def _print_jobs(plan: Plan, jobs: list[Job], ids: dict[str, str], console: Console) -> None:
    experiment = plan.variants[0].experiment
    table = Table(box=None, header_style="bold")
    for column in ("job", "id", "stages", "nodes × processes", "after"):
        table.add_column(column, justify="right" if column == "stages" else "left")
    for job in jobs:
        nodes, processes = size(experiment.slurm.resources(job.kind), experiment.trainer)
        shape = "1 × 1" if job.kind == TABLE else f"{nodes} × {processes}"
        table.add_row(job.name, ids.get(job.name, "–"), str(len(job.work)), shape, job.awaited)
    console.print(table)
