"""Sends W&B what it lacks: `modulingua sync`.

It does not upload the client's offline files. It sends everything again from our own files, each stage under its own
id, and a server ignores the steps that it has. So it works after any mode and any failure, any number of times, and can
link each stage to the components that it depends on, because these are sent first.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from framework.config.tracking import TrackingConfig
from framework.errors import UserError
from framework.planning.plan import EvaluateStage, Plan, plan_experiment
from framework.planning.reopen import reopen
from framework.results.run_folder import RunFolder, read_runs
from framework.store.store import Passport, Store
from framework.system.locks import stage_lock_if_free
from framework.tracking.live_tracker import FAILED, reason, wandb_errors_as_user_errors
from framework.tracking.stage_content import Entry, about_run, about_stage, entry_of_component, entry_of_run
from framework.tracking.wandb_client import WandbRun, beside, default_entity, is_sent, require_login

KINDS = ("pretrain", "language", "task", "evaluate")
"""In this order each stage comes after those that it depends on."""
FINISH_SECONDS = 3600
"""Time limit for a server to receive the components and results of one stage."""

Configured = tuple[Entry, TrackingConfig]


def sync(words: Iterable[str], console: Console, *, again: bool = False) -> None:
    """Sends W&B the stages of experiments or runs that it lacks.

    Args:
        words: Experiments' YAML files; run folders, or folders above some; `key=value` words that override the files.
        console: Where progress is printed.
        again: Whether to send again what a server has according to our records.

    Raises:
        UserError: A path is neither, one of our files cannot be read, or W&B fails.
    """
    # The name of a run's folder may hold "=" too.
    overrides = [word for word in words if "=" in word and not Path(word).exists()]
    paths = [Path(word) for word in words if word not in overrides]
    found = {entry.id: (entry, config) for path in paths for entry, config in _entries(path, overrides)}
    entries = _online(sorted(found.values(), key=lambda configured: KINDS.index(configured[0].kind)))
    missing = [configured for configured in entries if again or not is_sent(*configured)]
    busy = 0
    for number, (entry, config) in enumerate(missing, start=1):
        title = f"[{number:>{len(str(len(missing)))}}/{len(missing)}] {entry.kind} · {entry.name}"
        with stage_lock_if_free(entry.claim) as free:
            if not free:
                busy += 1
                title += ": left out, for another process is at it"
            else:
                try:
                    _send(entry, config)
                except Exception as error:  # of any type, from the client, its service process or the server
                    raise UserError(f"{title}: W&B: {reason(error)}; call sync again to go on from here") from error
        console.print(title, soft_wrap=True)
    rest = f"; {len(entries) - len(missing)} were there already" if len(missing) < len(entries) else ""
    left = f"; call sync again for {busy} that other processes are at" if busy else ""
    console.print(f"{len(missing) - busy} of {len(entries)} sent{rest}{left}")


def _online(entries: list[Configured]) -> list[Configured]:
    """Sets mode and entity; the server is asked once for its default entity, if an experiment names none."""
    require_login()
    default = ""
    if not all(config.entity for _, config in entries):
        with wandb_errors_as_user_errors("W&B"):
            default = default_entity()
    return [(entry, replace(config, mode="online", entity=config.entity or default)) for entry, config in entries]


def _send(entry: Entry, config: TrackingConfig) -> None:
    with beside(entry.folder):
        run = WandbRun(entry, config, FINISH_SECONDS)
        try:
            run.link(entry.uses)
            run.complete(entry)
        except BaseException:
            with suppress(Exception):
                run.close(FAILED)
            raise
        run.close(0)
        run.note_sent(entry)


def _entries(path: Path, overrides: list[str]) -> Iterator[Configured]:
    if path.is_file():
        yield from _of_plan(plan_experiment(path, overrides, here=False))
    else:
        for run in read_runs([path]):
            yield from _of_run(run, overrides)


def _of_plan(plan: Plan) -> Iterator[Configured]:
    """Yields the done stages, each after its dependencies; given components are no stages of the plan."""
    seen: set[str] = set()
    for stage in plan.stages:
        if stage.id not in plan.done:
            continue
        config = stage.experiment.tracking
        components = stage.needs if isinstance(stage, EvaluateStage) else [stage.id]
        for passport in _with_dependencies(components, plan.store, seen):
            yield entry_of_component(passport, plan.store, about_stage(stage)), config
        if isinstance(stage, EvaluateStage):
            yield entry_of_run(stage.folder, plan.store), config


def _of_run(run: RunFolder, overrides: list[str]) -> Iterator[Configured]:
    """Yields a run after those of its dependencies that are in the store."""
    experiment, store = reopen(run, [word for word in overrides if word.startswith("tracking.")])
    config = experiment.tracking
    for passport in _with_dependencies(run.record.components.values(), store, set()):
        yield entry_of_component(passport, store, about_run(run.record)), config
    yield entry_of_run(run, store), config


def _with_dependencies(identities: Iterable[str], store: Store, seen: set[str]) -> Iterator[Passport]:
    """Yields the passports of the components that are in the store, each after those of its dependencies."""
    for identity in identities:
        if identity not in seen and store.has(identity):
            seen.add(identity)
            passport = store.passport(identity)
            yield from _with_dependencies([*passport.needs, *passport.parents], store, seen)
            yield passport
