"""Refuses a section `slurm` that no cluster, or no stage, could work with."""

import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

from framework.config.draft import Draft
from framework.config.sbatch_template import CONTROL, PLACEHOLDER, PLACEHOLDERS, REQUIRED, TEMPLATE, template_of
from framework.config.schema import Experiment, TrainerConfig
from framework.config.slurm import Resources, SlurmConfig, seconds
from framework.errors import UserError, did_you_mean
from framework.validation import Problem

SHORT = {"-J": "--job-name", "-a": "--array", "-o": "--output", "-D": "--chdir", "-d": "--dependency", "-N": "--nodes"}
SHORT |= {"-n": "--ntasks", "-c": "--cpus-per-task", "-p": "--partition", "-A": "--account", "-q": "--qos"}
SHORT |= {"-C": "--constraint", "-t": "--time", "-M": "--clusters"}
CLUSTERS = "--clusters"
OWN = frozenset([*SHORT.values(), "--ntasks-per-node", "--mem", "--signal", "--open-mode", "--requeue", "--no-requeue"])
"""Options that launch writes itself."""
KINDS = ("data", "pretrain", "language", "task", "merge", "evaluate", "table")
"""Kinds of jobs, each with resources of its own."""
START = 120
"""Seconds of a job before the warning at least: it may come a minute early, and the work needs a minute to begin."""
HIDING = re.compile(r"^#SBATCH.*?\s(?:--job-name[=\s]\s*|-J\s*)[\"']?(bash|interactive)[\"']?(?:\s|$)", re.MULTILINE)
"""A name of a job under which Lightning does not see that it runs under Slurm: each process would train alone."""


def refuse_auto_precision(file: Path, experiments: Iterable[Experiment]) -> None:
    """Refuses the precision `auto`: this machine and the jobs' nodes may choose differently, and so plan other stages.

    Raises:
        UserError: `backbone.precision` is `auto`.
    """
    if any(experiment.backbone.precision == "auto" for experiment in experiments):
        raise UserError(
            f"{file}: backbone.precision is auto, which depends on the machine, and jobs run on others than this one; "
            "set it to bf16 or 32"
        )


def check_slurm(draft: Draft) -> Iterator[Problem]:
    """Jobs and trainer agree, times can be meant, options and template are whole."""
    slurm = draft.slurm
    yield from _check_sizes(draft.trainer, slurm)
    yield from _check_resources(slurm, slurm.warning, ("slurm",))
    for kind in KINDS:
        yield from _check_resources(getattr(slurm.stages, kind), slurm.warning, ("slurm", "stages", kind))
    template = template_of(slurm)
    try:
        text = template.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        yield ("slurm", "template"), f"{template} cannot be read: {error}"
    else:
        mistakes = [*_mistakes_in_template(text), *_mistakes_with_per_job(text, slurm)]
        yield from ((("slurm", "template"), f"{template} {mistake}") for mistake in mistakes)


def _check_sizes(trainer: TrainerConfig, slurm: SlurmConfig) -> Iterator[Problem]:
    if slurm.nodes is not None and slurm.nodes != trainer.num_nodes:
        yield ("slurm", "nodes"), f"{slurm.nodes} nodes, but trainer.num_nodes is {trainer.num_nodes}"
    if slurm.gpus is None:
        return
    if trainer.accelerator == "cpu":
        yield ("slurm", "gpus"), f"{slurm.gpu_count} GPUs, but trainer.accelerator is cpu"
    elif slurm.gpu_count != trainer.devices:
        yield (
            ("slurm", "gpus"),
            f"{slurm.gpu_count} GPUs on each node, but trainer.devices is {trainer.devices}: each process has its own",
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
    for name in ("partition", "account", "qos", "constraint", "memory"):
        if CONTROL.search(getattr(resources, name) or ""):
            yield (*key, name), f"{getattr(resources, name)!r} holds a line break or another control character"
    for number, word in enumerate(resources.extra or []):
        if mistake := _mistake_in_extra(word):
            yield (*key, "extra", number), mistake


def _mistake_in_extra(word: str) -> str:
    """Says why a word of `extra` cannot be an option of the job; empty where it can."""
    if CONTROL.search(word):
        return f"{word!r} holds a line break or another control character"
    try:
        parts = shlex.split(word)
    except ValueError as error:
        return f"{word!r} cannot be read: {error}"
    if not parts or not parts[0].startswith("-"):
        return f"{word!r} is not an option of sbatch, such as --exclude=n7"
    if any(part.startswith("-") for part in parts[1:]):
        return f"{word!r} holds several options; write each as an entry of its own"
    option = parts[0].partition("=")[0]
    option = option if option.startswith("--") else SHORT.get(option[:2], option)
    if CLUSTERS.startswith(option):  # sbatch takes beginnings too
        return f"{CLUSTERS} would reach sbatch alone; set the environment variable SLURM_CLUSTERS for all commands"
    if own := next((own for own in sorted(OWN) if own.startswith(option)), None):
        return f"launch writes {own} itself, from the other keys of slurm and from trainer"
    return ""


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


def _mistakes_with_per_job(text: str, slurm: SlurmConfig) -> Iterator[str]:
    """Yields why a template from before `slurm.per_job` cannot carry out several stages in one element."""
    several = [kind for kind in KINDS if (slurm.resources(kind).per_job or 1) > 1]
    if several and "log" not in PLACEHOLDER.findall(text):
        yield f"lacks the placeholder {{{{log}}}}, which slurm.per_job needs ({PLACEHOLDERS['log']}); see {TEMPLATE}"
