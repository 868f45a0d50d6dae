"""Refuses a section `slurm` that no cluster, or no stage, could work with."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from framework.config import TrainerConfig, Variant
from framework.errors import UserError, did_you_mean
from framework.slurm.config import Resources, SlurmConfig, seconds
from framework.slurm.script import PLACEHOLDER, PLACEHOLDERS, REQUIRED, template_of
from framework.validation import Problem

SHORT = {"-J": "--job-name", "-a": "--array", "-o": "--output", "-D": "--chdir", "-d": "--dependency", "-N": "--nodes"}
SHORT |= {"-n": "--ntasks", "-c": "--cpus-per-task", "-p": "--partition", "-A": "--account", "-q": "--qos"}
SHORT |= {"-C": "--constraint", "-t": "--time"}
OWN = frozenset([*SHORT.values(), "--ntasks-per-node", "--mem", "--signal", "--open-mode", "--requeue", "--no-requeue"])
"""Options that launch writes itself."""
START = 120
"""Seconds of a job before the warning at least: it may come a minute early, and the work needs a minute to begin."""
HIDING = re.compile(r"^#SBATCH.*?\s(?:--job-name[=\s]\s*|-J\s*)[\"']?(bash|interactive)[\"']?(?:\s|$)", re.MULTILINE)
"""A name of a job under which Lightning does not see that it runs under Slurm: each process would train alone."""


def refuse_auto_precision(file: Path, variants: Iterable[Variant]) -> None:
    """Refuses the precision `auto`: this machine and the jobs' nodes may choose differently, and so plan other stages.

    Raises:
        UserError: `backbone.precision` is `auto`.
    """
    if any(variant.experiment.backbone.precision == "auto" for variant in variants):
        raise UserError(
            f"{file}: backbone.precision is auto, which depends on the machine, and jobs run on others than this one; "
            "set it to bf16 or 32"
        )


def check_slurm(trainer: TrainerConfig, slurm: SlurmConfig) -> Iterator[Problem]:
    """Jobs and trainer agree, times can be meant, options and template are whole."""
    yield from _check_sizes(trainer, slurm)
    yield from _check_resources(slurm, slurm.warning, ("slurm",))
    for kind in ("pretrain", "language", "task", "merge", "evaluate", "table"):
        yield from _check_resources(getattr(slurm.stages, kind), slurm.warning, ("slurm", "stages", kind))
    template = template_of(slurm)
    try:
        text = template.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        yield ("slurm", "template"), f"{template} cannot be read: {error}"
    else:
        yield from ((("slurm", "template"), f"{template} {mistake}") for mistake in _mistakes_in_template(text))


def _check_sizes(trainer: TrainerConfig, slurm: SlurmConfig) -> Iterator[Problem]:
    if slurm.nodes is not None and slurm.nodes != trainer.num_nodes:
        yield ("slurm", "nodes"), f"{slurm.nodes} nodes, but trainer.num_nodes is {trainer.num_nodes}"
    if slurm.gpus is None:
        return
    if trainer.accelerator == "cpu":
        yield ("slurm", "gpus"), f"{slurm.gpus} GPUs, but trainer.accelerator is cpu"
    elif slurm.gpus != trainer.devices:
        yield (
            ("slurm", "gpus"),
            f"{slurm.gpus} GPUs on each node, but trainer.devices is {trainer.devices}: each process has its own",
        )


def _check_resources(resources: Resources, warning: int, key: tuple[str, ...]) -> Iterator[Problem]:
    if resources.time is not None:
        limit = seconds(resources.time)
        if limit is None:
            yield (
                (*key, "time"),
                f"{resources.time!r} is not a time as Slurm writes it: minutes, H:MM:SS or D-HH:MM:SS",
            )
        elif limit < warning + START:
            yield (
                (*key, "time"),
                f"{limit} seconds, but the warning comes {warning} before the end (slurm.warning), or up to a minute "
                f"earlier, and a job needs a minute to begin: {warning + START} at least, else it could be requeued "
                "for ever",
            )
    for number, mistake in _mistakes_in_extra(resources.extra or []):
        yield (*key, "extra", number), mistake


def _mistakes_in_extra(words: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yields the number of each word of `extra` that cannot be an option of the job, and why."""
    for number, word in enumerate(words):
        option = re.split(r"[=\s]", word, maxsplit=1)[0]
        option = option if option.startswith("--") else SHORT.get(option[:2], option)
        if not option.startswith("-"):
            yield number, f"{word!r} is not an option of sbatch, such as --exclude=n7"
        elif option in OWN:
            yield number, f"launch writes {option} itself, from the other keys of slurm and from trainer"


def _mistakes_in_template(text: str) -> Iterator[str]:
    """Yields what is wrong with a template."""
    known = ", ".join(PLACEHOLDERS)
    found = PLACEHOLDER.findall(text)
    for name in dict.fromkeys(found):
        if name not in PLACEHOLDERS:
            yield f"unknown placeholder {{{{{name}}}}}{did_you_mean(name, PLACEHOLDERS)} (known: {known})"
    for name in REQUIRED:
        if name not in found:
            yield f"lacks the placeholder {{{{{name}}}}}: {PLACEHOLDERS[name]}"
    if hiding := HIDING.search(text):
        yield f"names the job {hiding[1]!r}: Lightning then takes it for no Slurm job, and each process trains alone"
