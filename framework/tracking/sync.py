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

from framework.config import read_experiment
from framework.errors import UserError
from framework.plan import EvaluateStage, Plan
from framework.results import RunFolder, read_runs
from framework.runner import plan_experiment
from framework.store import Passport, Store
from framework.tracking.client import Page, beside, is_sent
from framework.tracking.config import TrackingConfig
from framework.tracking.entry import Entry, about_run, about_stage, entry_of_component, entry_of_run
from framework.tracking.tracker import FAILED, reason

KINDS = ("pretrain", "language", "task", "evaluate")
"""In this order each stage comes after those that it stands on."""
FINISH_SECONDS = 3600
"""How long a server may take to receive the components and results of one stage."""

Told = tuple[Entry, TrackingConfig]


def sync(places: Iterable[Path], console: Console, *, again: bool = False) -> None:
    """Tells W&B what it does not know yet of experiments or runs.

    Args:
        places: Experiments' YAML files; run folders, or folders above some.
        console: Where it says what it does.
        again: Whether to send too what a server has, as far as is known here.

    Raises:
        UserError: A place holds nothing of that kind, one of our files cannot be read, or W&B fails.
    """
    found = {entry.id: (entry, config) for place in places for entry, config in _entries(place)}
    entries = sorted(found.values(), key=lambda told: KINDS.index(told[0].kind))
    missing = [told for told in entries if again or not is_sent(*told)]
    for number, (entry, config) in enumerate(missing, start=1):
        title = f"[{number:>{len(str(len(missing)))}}/{len(missing)}] {entry.kind} · {entry.name}"
        try:
            _tell(entry, config)
        except Exception as error:  # whatever the client, its service process or the server come up with
            raise UserError(f"{title}: W&B: {reason(error)}; call sync again to go on from here") from error
        console.print(title, highlight=False, soft_wrap=True)
    rest = f"; {len(entries) - len(missing)} were there already" if len(missing) < len(entries) else ""
    console.print(f"{len(missing)} of {len(entries)} sent{rest}", highlight=False)


def _tell(entry: Entry, config: TrackingConfig) -> None:
    with beside(entry.folder):
        page = Page(entry, replace(config, mode="online"), FINISH_SECONDS)
        try:
            page.link(entry.uses)
            page.complete(entry)
        except BaseException:
            with suppress(Exception):
                page.close(FAILED)
            raise
        page.close(0)
        page.note_sent(entry)


def _entries(place: Path) -> Iterator[Told]:
    if place.is_file():
        yield from _of_plan(plan_experiment(place, [], here=False))
    else:
        for run in read_runs([place]):
            yield from _of_run(run)


def _of_plan(plan: Plan) -> Iterator[Told]:
    for stage in plan.stages:
        if stage.id not in plan.done:
            continue
        if isinstance(stage, EvaluateStage):
            yield entry_of_run(stage.folder, plan.store), stage.experiment.tracking
        else:
            passport = plan.store.passport(stage.id)
            yield entry_of_component(passport, plan.store, about_stage(stage)), stage.experiment.tracking


def _of_run(run: RunFolder) -> Iterator[Told]:
    """Yields a run, and before it all that is in the store of what it stands on."""
    [variant] = read_experiment(run.path / "experiment.yaml", check=False)
    store, config = Store(Path(variant.experiment.store)), variant.experiment.tracking
    for passport in _standing_on(run.record.components.values(), store, set()):
        yield entry_of_component(passport, store, about_run(run.record)), config
    yield entry_of_run(run, store), config


def _standing_on(identities: Iterable[str], store: Store, seen: set[str]) -> Iterator[Passport]:
    """Yields the passports of what is in the store, each after those of what it was made of."""
    for identity in identities:
        if identity not in seen and store.has(identity):
            seen.add(identity)
            passport = store.passport(identity)
            yield from _standing_on([*passport.needs, *passport.parents], store, seen)
            yield passport
