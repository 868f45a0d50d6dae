"""The text of an sbatch script: a template with its placeholders filled in."""

import json
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from framework.config.sbatch_template import CONTROL, PLACEHOLDER, template_of
from framework.config.schema import Experiment
from framework.config.slurm import DATA, LIGHT, TABLE
from framework.errors import UserError
from framework.planning.plan import Plan
from framework.slurm.jobs import Job
from framework.slurm.record import FROZEN
from framework.system.provenance import command as typed


def size(experiment: Experiment, kind: str) -> tuple[int, int]:
    """Returns the number of machines of a kind of job, and of processes on each."""
    if kind in LIGHT:
        return 1, 1
    resources = experiment.slurm.resources(kind)
    return resources.nodes or experiment.trainer.num_nodes, resources.gpu_count or experiment.trainer.devices


def overrides(experiment: Experiment, kind: str) -> list[str]:
    """Returns the `key=value` words that adapt a stage's trainer to its own resources."""
    trainer = experiment.trainer
    nodes, devices = size(experiment, kind)
    words = {"trainer.num_nodes": (nodes, trainer.num_nodes), "trainer.devices": (devices, trainer.devices)}
    return [f"{key}={mine}" for key, (mine, common) in words.items() if mine != common]


def write_script(plan: Plan, job: Job, folder: Path, dependency: str) -> str:
    """Returns the script of a job array, for a launch's folder; `dependency` is the value of `--dependency`.

    Raises:
        UserError: An option holds a line break, which would end the line of the script.
    """
    config = plan.shared.slurm
    resources = config.resources(job.kind)
    nodes, processes = size(plan.shared, job.kind)
    prefix = "gpu:" if config.gpu_option == "gres" else ""
    log = str(folder / "logs" / job.name)
    options: dict[str, object] = {
        "job-name": f"{plan.name}.{job.name}",
        "array": _ranges(job.work) + (f"%{resources.throttle}" if resources.throttle else ""),
        "dependency": dependency or None,
        "kill-on-invalid-dep": "yes",
        "chdir": Path.cwd(),
        "output": f"{log.replace('%', '%%')}-%a.log",
        "open-mode": "append",
        "signal": f"{config.signal}@{config.warning}",
        "nodes": nodes,
        "ntasks-per-node": processes,
        "cpus-per-task": resources.cpus or 1,
        config.gpu_option: None if resources.gpus is None else f"{prefix}{resources.gpus}",
        "mem": resources.memory,
        "time": resources.time,
        "partition": resources.partition,
        "account": resources.account,
        "qos": resources.qos,
        "constraint": resources.constraint,
    }
    for option, value in options.items():
        if CONTROL.search(str(value)):
            reason = "holds a line break or another letter that sbatch cannot read"
            raise UserError(f"{option} of the job {job.name}: {str(value)!r} {reason}")
    written = [shlex.quote(f"--{name}={value}") for name, value in options.items() if value is not None]
    values = {
        "title": on_one_line(f"{plan.name} · {job.name}"),
        "typed": shlex.quote(on_one_line(typed())),
        "options": "\n".join(f"#SBATCH {word}" for word in [*written, "--requeue", *(resources.extra or [])]),
        "setup": "\n".join(config.setup),
        "stages": "\n".join(_stages(job)),
        "command": _command(plan, job.kind, folder),
        "cpus": str(resources.cpus or 1),
        "retries": str(config.retries),
        "end": shlex.quote(str(folder / "ends" / job.name)),
        "log": shlex.quote(log),
    }
    return fill(template_of(config).read_text(encoding="utf-8"), values)


def on_one_line(text: str) -> str:
    """Returns a text without line breaks, for a comment of a script."""
    return CONTROL.sub(" ", text)


def _command(plan: Plan, kind: str, folder: Path) -> str:
    """Returns the command of each process, in which `$stage` is the stage."""
    python, frozen = [sys.executable, "-m"], str(folder / FROZEN)
    if kind == DATA:
        return shlex.join([*python, "framework.cli", "plan", "--data", frozen])
    if kind == TABLE:
        return shlex.join([*python, "framework.cli", "compare", str(plan.folder.resolve())])
    words = json.dumps(overrides(plan.shared, kind))
    return f'{shlex.join([*python, "framework.execution.runner", frozen, words])} "$stage"'


def _stages(job: Job) -> Iterator[str]:
    for part, work in job.parts():
        index, _, turn = part.partition(".")
        entry = f"[{index}]+=' {work.id}'" if turn else f"[{index}]={work.id}"
        yield f"  {entry}  # {on_one_line(work.title)}"


def fill(template: str, values: Mapping[str, str]) -> str:
    """Replaces a template's placeholders by values."""
    return PLACEHOLDER.sub(lambda found: values[found[1]], template)


def _ranges(indices: Iterable[int]) -> str:
    """Writes indices as Slurm does: `0-3,7`."""
    parts: list[list[int]] = []
    for index in sorted(indices):
        if parts and parts[-1][1] == index - 1:
            parts[-1][1] = index
        else:
            parts.append([index, index])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)
