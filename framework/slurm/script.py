"""The text of an sbatch script: a template with its placeholders filled in."""

import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from framework.config.sbatch_template import CONTROL, PLACEHOLDER, template_of
from framework.config.schema import TrainerConfig
from framework.config.slurm import LIGHT, Resources, SlurmConfig
from framework.errors import UserError
from framework.slurm.jobs import Job
from framework.system.provenance import command as typed


def size(resources: Resources, trainer: TrainerConfig) -> tuple[int, int]:
    """Returns the number of machines of a stage, and of processes on each."""
    return resources.nodes or trainer.num_nodes, resources.gpu_count or trainer.devices


def overrides(config: SlurmConfig, kind: str, trainer: TrainerConfig) -> list[str]:
    """Returns the `key=value` words that adapt a stage's trainer to its own resources."""
    nodes, devices = size(config.resources(kind), trainer)
    words = {"trainer.num_nodes": (nodes, trainer.num_nodes), "trainer.devices": (devices, trainer.devices)}
    return [f"{key}={mine}" for key, (mine, common) in words.items() if mine != common]


def write_script(
    job: Job,
    config: SlurmConfig,
    trainer: TrainerConfig,
    *,
    experiment: str,
    folder: Path,
    command: list[str],
    dependency: str,
) -> str:
    """Returns the script of a job array.

    Args:
        job: The array.
        config: The experiment's section `slurm`.
        trainer: The experiment's section `trainer`.
        experiment: The experiment's name.
        folder: The launch's folder.
        command: The command of each process, after Python's own name; `$stage` stands for the stage.
        dependency: The value of `--dependency`.

    Raises:
        UserError: An option holds a line break, which would end the line of the script.
    """
    resources = config.resources(job.kind)
    nodes, processes = (1, 1) if job.kind in LIGHT else size(resources, trainer)
    options: dict[str, object] = {
        "job-name": f"{experiment}.{job.name}",
        "array": _ranges(list(job.work)) + (f"%{resources.throttle}" if resources.throttle else ""),
        "dependency": dependency or None,
        "kill-on-invalid-dep": "yes",
        "chdir": Path.cwd(),
        "output": f"{str(folder / 'logs' / job.name).replace('%', '%%')}-%a.log",
        "open-mode": "append",
        "signal": f"{config.signal}@{config.warning}",
        "nodes": nodes,
        "ntasks-per-node": processes,
        "cpus-per-task": resources.cpus or 1,
        **_gpus(resources, config),
        "mem": resources.memory,
        "time": resources.time,
        "partition": resources.partition,
        "account": resources.account,
        "qos": resources.qos,
        "constraint": resources.constraint,
    }
    written = [shlex.quote(f"--{name}={value}") for name, value in options.items() if value is not None]
    words = [shlex.quote(sys.executable), *(word if word == '"$stage"' else shlex.quote(word) for word in command)]
    values = {
        "title": on_one_line(f"{experiment} · {job.name}"),
        "typed": shlex.quote(on_one_line(typed())),
        "options": "\n".join(f"#SBATCH {word}" for word in [*written, "--requeue", *(resources.extra or [])]),
        "setup": "\n".join(config.setup),
        "stages": "\n".join(_stages(job)),
        "command": " ".join(words),
        "cpus": str(resources.cpus or 1),
        "retries": str(config.retries),
        "end": shlex.quote(str(folder / "ends" / job.name)),
        "log": shlex.quote(str(folder / "logs" / job.name)),
    }
    for option, value in options.items():
        if CONTROL.search(str(value)):
            raise UserError(
                f"{option} of the job {job.name}: {str(value)!r} holds a line break or another letter that sbatch "
                "cannot read"
            )
    return fill(template_of(config).read_text(encoding="utf-8"), values)


def on_one_line(text: str) -> str:
    """Returns a text without line breaks, for a comment of a script."""
    return CONTROL.sub(" ", text)


def _gpus(resources: Resources, config: SlurmConfig) -> dict[str, object]:
    if resources.gpus is None:
        return {}
    return {config.gpu_option: f"gpu:{resources.gpus}" if config.gpu_option == "gres" else resources.gpus}


def _stages(job: Job) -> Iterator[str]:
    for part, work in job.parts():
        index, _, turn = part.partition(".")
        entry = f"[{index}]+=' {work.id}'" if turn else f"[{index}]={work.id}"
        yield f"  {entry}  # {on_one_line(work.title)}"


def fill(template: str, values: Mapping[str, str]) -> str:
    """Replaces a template's placeholders by values."""
    return PLACEHOLDER.sub(lambda found: values[found[1]], template)


def _ranges(indices: list[int]) -> str:
    """Writes indices as Slurm does: `0-3,7`."""
    parts: list[list[int]] = []
    for index in sorted(indices):
        if parts and parts[-1][1] == index - 1:
            parts[-1][1] = index
        else:
            parts.append([index, index])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)
