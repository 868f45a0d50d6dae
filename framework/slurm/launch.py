"""Submits the missing stages of a plan as job arrays that wait for each other."""

from bisect import bisect_left
from dataclasses import replace
from pathlib import Path

import yaml
from rich.console import Console
from rich.table import Column, Table

from framework.config.check_slurm import refuse_auto_precision
from framework.config.slurm import LIGHT
from framework.config.yaml_file import read
from framework.errors import UserError
from framework.planning.plan import Plan, plan_experiment
from framework.slurm import cluster
from framework.slurm.cluster import LimitReached
from framework.slurm.jobs import Job, jobs_for
from framework.slurm.limits import Limits
from framework.slurm.memory import SMALL, default_memory
from framework.slurm.record import FROZEN, Array, Launch, next_folder, queued, store_of, write
from framework.slurm.script import on_one_line, size, write_script
from framework.slurm.script import overrides as stage_overrides
from framework.slurm.stage_job import StageJob
from framework.system.atomic_files import require_writable, write_whole
from framework.system.provenance import command as typed
from framework.wording import count


def launch(file: Path, overrides: list[str], console: Console, *, dry_run: bool) -> None:
    """Submits the missing stages of an experiment; a dry run only prints the scripts and dependencies.

    Raises:
        UserError: The experiment has mistakes, there is no Slurm, or it refuses a job.
    """
    launch_plan(plan_experiment(file, overrides, here=False), file, overrides, console, dry_run=dry_run)


def launch_plan(plan: Plan, file: Path, overrides: list[str], console: Console, *, dry_run: bool) -> None:
    """Submits the missing stages of a plan that was made from `file` and `overrides`; see `launch`."""
    refuse_auto_precision(file, plan.experiments)
    _check_stages(plan, file, overrides)
    frozen = _frozen(file, overrides)
    if not dry_run:
        cluster.require()
    found, largest = _cluster(plan, console, dry_run)
    elements = {stage: job.element for stage, job in found.items()}
    jobs = jobs_for(plan, elements, largest, check_data=plan.shared.slurm.check_data)
    waiting = [stage for stage in plan.todo if stage.id in found]
    folder = next_folder(plan)
    if not jobs:
        submitted = f"nothing to submit: all that is left waits or runs already ({count(len(waiting), 'stage')})"
        console.print(submitted if plan.todo else "nothing to do: every run is there")
    elif dry_run:
        for job in jobs:
            console.print(f"── {folder / job.name}.sbatch", soft_wrap=True)
            console.print(write_script(plan, job, folder, job.dependency(jobs)), soft_wrap=True)
        _print_jobs(plan, jobs, console)
    else:
        taken, limit = _submit(plan, jobs, found, folder, frozen)
        _print_jobs(plan, taken, console)
        console.print(f"\n scripts and logs: {folder}/", soft_wrap=True)
        if waiting:
            console.print(f" not submitted again: {count(len(waiting), 'stage')}, in the queue already")
        if limit:
            console.print(f"\n{_how_to_go_on(jobs, taken, limit)}", soft_wrap=True)
        _warn_of_memory(plan, taken, console)


def _check_stages(plan: Plan, file: Path, overrides: list[str]) -> None:
    """Checks the experiment with the overrides of the stages that have their own resources."""
    words = {tuple(stage_overrides(plan.shared, kind)) for kind in {stage.kind for stage in plan.todo}}
    for own in sorted(words - {()}):
        plan_experiment(file, [*overrides, "slurm=null", *own], here=False)


def _cluster(plan: Plan, console: Console, dry_run: bool) -> tuple[dict[str, StageJob], int]:
    """Returns the jobs of stages that wait or run already, and the maximal number of elements of an array."""
    try:
        found = queued(plan, cluster.queue())
        return {stage: job for stage, (job, _) in found.items()}, cluster.largest_array()
    except (UserError, OSError):
        if not dry_run:
            raise
        if plan.todo:
            console.print("Slurm does not answer: what waits or runs already is shown again\n")
        return {}, cluster.DEFAULT_ARRAY


def _frozen(file: Path, overrides: list[str]) -> str:
    """Returns the experiment as one YAML without `slurm`; `UserError` if a key refers to `slurm`."""
    whole = {key: value for key, value in read(file, overrides).whole.items() if key != "slurm"}
    text = yaml.safe_dump(whole, sort_keys=False, allow_unicode=True, width=1000)
    if "${slurm." in text:
        raise UserError(f"{file}: a key refers to ${{slurm.…}}, which jobs do not read; let slurm refer to the key")
    return f"# as launched by: {on_one_line(typed())}\n{text}"


def _submit(
    plan: Plan, jobs: list[Job], found: dict[str, StageJob], folder: Path, frozen: str
) -> tuple[list[Job], str]:
    """Writes and submits the scripts, each after those that it waits for.

    At a limit on submitted jobs it stops early. After any other failure all submitted jobs are cancelled.

    Returns:
        The submitted jobs, and the limit that the others would exceed; empty if there are no others.

    Raises:
        UserError: Slurm refuses a job, or nothing fits.
    """
    experiment = plan.shared
    limits = Limits()
    limit = limits.tightest(experiment.slurm.resources(jobs[0].kind))
    if limit is not None and not limit.left:
        raise UserError(f"nothing was submitted: {limit}; call launch again when some have ended")
    require_writable(Path(experiment.store), "store")
    require_writable(Path(experiment.runs), "runs")
    folder.mkdir(parents=True)
    for name in ("logs", "ends"):
        (folder / name).mkdir()
    write_whole(folder / FROZEN, frozen.encode())
    taken: list[Job] = []
    reached = ""
    _record(plan, jobs, found, folder)
    try:
        for job in jobs:
            limit = limits.tightest(experiment.slurm.resources(job.kind))
            part = job if limit is None else job.first(limit.left)
            known = str(limit) if len(part.work) < len(job.work) else ""
            reached = _submit_most(plan, part, taken, folder) or known
            _record(plan, [*taken, *jobs[len(taken) :]], found, folder)
            if reached:
                break
    except BaseException:
        if taken:
            cluster.cancel(job.id for job in taken)
        _record(plan, jobs, found, folder)
        raise
    _record(plan, taken, found, folder)
    return taken, reached


def _submit_most(plan: Plan, job: Job, taken: list[Job], folder: Path) -> str:
    """Submits a job array, or as many of its elements as Slurm accepts, and adds it to the submitted ones.

    Returns:
        The limit that other elements would exceed; empty if there are no others.

    Raises:
        LimitReached: Nothing of the first job was submitted.
        UserError: Slurm refuses it for another reason than a limit on submitted jobs.
    """
    script = folder / f"{job.name}.sbatch"
    reached = ""
    while job.work:
        write_whole(script, write_script(plan, job, folder, job.dependency([*taken, job])).encode())
        try:
            taken.append(replace(job, id=cluster.submit(script)))
            break
        except LimitReached as error:
            fewer = range(1, len(job.work))
            job = job.first(bisect_left(fewer, True, key=lambda count: not cluster.fits(script, count)))
            if not job.work:
                if not taken:
                    raise
                script.unlink()
            reached = str(error)
    return reached


def _how_to_go_on(jobs: list[Job], taken: list[Job], limit: str) -> str:
    """Returns the message on a limit on submitted jobs and how to submit the rest."""
    done, whole = (sum(len(job.work) for job in some) for some in (taken, jobs))
    return (
        f"submitted: {done} of {count(whole, 'array element')}, because of a limit on submitted jobs:\n{limit}\n"
        "For the rest, call launch again when some have ended, as often as needed; or set slurm.per_job, so that each "
        "element carries out several stages"
    )


def _warn_of_memory(plan: Plan, jobs: list[Job], console: Console) -> None:
    """Warns of jobs that get little memory, because the experiment requests none."""
    for kind in dict.fromkeys(job.kind for job in jobs if job.kind not in LIGHT):
        _, processes = size(plan.shared, kind)
        try:
            default = default_memory(plan.shared.slurm.resources(kind), processes)
        except UserError:  # the jobs are submitted; without the setting there is no warning
            return
        if default and default[0] < SMALL * processes:
            console.print(
                f"\nwarning: the jobs of {kind} get {default[0]} MiB of memory each, the cluster's default "
                f"({default[1]}), and may be killed when it needs more; set slurm.memory, such as 16G",
                soft_wrap=True,
            )


def _record(plan: Plan, jobs: list[Job], found: dict[str, StageJob], folder: Path) -> None:
    arrays = {job.name: Array(job.kind, {part: work.id for part, work in job.parts()}, job.id) for job in jobs}
    write(folder, Launch(store_of(plan), arrays, found))


def _print_jobs(plan: Plan, jobs: list[Job], console: Console) -> None:
    stages = Column("stages", justify="right")
    table = Table("job", "id", stages, "nodes × processes", "after", box=None, header_style="bold")
    for job in jobs:
        nodes, processes = size(plan.shared, job.kind)
        table.add_row(job.name, job.id or "–", str(job.stages), f"{nodes} × {processes}", job.awaited)
    console.print(table)
