"""Tells W&B what it does not know yet: `modulingua sync`.

It does not upload what the client left offline. It tells everything anew from our own files, each stage under its own
id, and a server leaves out the steps that it has. So it works after any mode and any failure, as often as one likes,
and can do what no offline copy can: link each stage to the components that it stands on, for these come first.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from framework.config.load import read_experiment
from framework.config.tracking import TrackingConfig
from framework.errors import UserError
from framework.planning.plan import EvaluateStage, Plan, plan_experiment
from framework.results.run_folder import RunFolder, read_runs
from framework.store.store import Passport, Store
from framework.system.locks import stage_lock_if_free
from framework.tracking.client import WandbRun, beside, default_entity, is_sent, require_login
from framework.tracking.entry import Entry, about_run, about_stage, entry_of_component, entry_of_run
from framework.tracking.tracker import FAILED, reason

KINDS = ("pretrain", "language", "task", "evaluate")
"""In this order each stage comes after those that it stands on."""
FINISH_SECONDS = 3600
"""How long a server may take to receive the components and results of one stage."""

Told = tuple[Entry, TrackingConfig]


def sync(words: Iterable[str], console: Console, *, again: bool = False) -> None:
    """Tells W&B what it does not know yet of experiments or runs.

    Args:
        words: Experiments' YAML files; run folders, or folders above some; `key=value` words that win over the files.
        console: Where it says what it does.
        again: Whether to send too what a server has, as far as is known here.

    Raises:
        UserError: A place holds nothing of that kind, one of our files cannot be read, or W&B fails.
    """
    # The name of a run's folder may hold "=" too.
    overrides = [word for word in words if "=" in word and not Path(word).exists()]
    places = [Path(word) for word in words if word not in overrides]
    found = {entry.id: (entry, config) for place in places for entry, config in _entries(place, overrides)}
    entries = _online(sorted(found.values(), key=lambda told: KINDS.index(told[0].kind)))
    missing = [told for told in entries if again or not is_sent(*told)]
    busy = 0
    for number, (entry, config) in enumerate(missing, start=1):
        title = f"[{number:>{len(str(len(missing)))}}/{len(missing)}] {entry.kind} · {entry.name}"
        with stage_lock_if_free(entry.claim) as free:
            if not free:
                busy += 1
                title += ": left out, for another process is at it"
            else:
                try:
                    _tell(entry, config)
                except Exception as error:  # whatever the client, its service process or the server come up with
                    raise UserError(f"{title}: W&B: {reason(error)}; call sync again to go on from here") from error
        console.print(title, highlight=False, soft_wrap=True)
    rest = f"; {len(entries) - len(missing)} were there already" if len(missing) < len(entries) else ""
    left = f"; call sync again for {busy} that other processes are at" if busy else ""
    console.print(f"{len(missing) - busy} of {len(entries)} sent{rest}{left}", highlight=False)


def _online(entries: list[Told]) -> list[Told]:
    """Says of each entry where exactly it goes; the server is asked once, and only if an experiment does not say."""
    require_login()
    if all(config.entity for _, config in entries):
        default = ""
    else:
        try:
            default = default_entity()
        except UserError:
            raise
        except Exception as error:  # whatever the client, its service process or the server come up with
            raise UserError(f"W&B: {reason(error)}") from error
    return [(entry, replace(config, mode="online", entity=config.entity or default)) for entry, config in entries]


def _tell(entry: Entry, config: TrackingConfig) -> None:
    with beside(entry.folder):
        page = WandbRun(entry, config, FINISH_SECONDS)
        try:
            page.link(entry.uses)
            page.complete(entry)
        except BaseException:
            with suppress(Exception):
                page.close(FAILED)
            raise
        page.close(0)
        page.note_sent(entry)


def _entries(place: Path, overrides: list[str]) -> Iterator[Told]:
    if place.is_file():
        yield from _of_plan(plan_experiment(place, overrides, here=False))
    else:
        for run in read_runs([place]):
            yield from _of_run(run, overrides)


def _of_plan(plan: Plan) -> Iterator[Told]:
    """Yields the stages that are done, and before each all that it stands on: what is given is no stage of the plan."""
    seen: set[str] = set()
    for stage in plan.stages:
        if stage.id not in plan.done:
            continue
        config = stage.experiment.tracking
        tested = isinstance(stage, EvaluateStage)
        for passport in _with_dependencies(stage.needs if tested else [stage.id], plan.store, seen):
            yield entry_of_component(passport, plan.store, about_stage(stage)), config
        if isinstance(stage, EvaluateStage):
            yield entry_of_run(stage.folder, plan.store), config


def _of_run(run: RunFolder, overrides: list[str]) -> Iterator[Told]:
    """Yields a run, and before it all that is in the store of what it stands on."""
    own = [word for word in overrides if word.startswith("tracking.")]
    [variant] = read_experiment(run.path / "experiment.yaml", own, check=False)
    store, config = Store(Path(variant.experiment.store)), variant.experiment.tracking
    for passport in _with_dependencies(run.record.components.values(), store, set()):
        yield entry_of_component(passport, store, about_run(run.record)), config
    yield entry_of_run(run, store), config


def _with_dependencies(identities: Iterable[str], store: Store, seen: set[str]) -> Iterator[Passport]:
    """Yields the passports of what is in the store, each after those of what it was made of."""
    for identity in identities:
        if identity not in seen and store.has(identity):
            seen.add(identity)
            passport = store.passport(identity)
            yield from _with_dependencies([*passport.needs, *passport.parents], store, seen)
            yield passport
