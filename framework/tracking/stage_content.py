"""What W&B is sent of a stage, read from the stage's own files."""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import Any

from framework.planning.plan import Stage
from framework.results.run_folder import CONTROLS, LanguageResult, RunFolder, RunRecord
from framework.store.store import Passport, Store
from framework.tracking import names
from modules import ROLES
from modules.components import CONFIGS

NONE = "none"
"""In place of null: W&B cannot group runs by a configuration value that some of them lack."""


@dataclass(frozen=True)
class Entry:
    """The content of one W&B run. The second half is empty until the stage is done."""

    id: str
    """The stage's identity."""
    name: str
    group: str
    """The experiment."""
    kind: str
    """The stage's kind, W&B's job type."""
    config: dict[str, str | int | float | bool]
    """Flat and without nulls, with "/" in the keys: W&B reads "." as a path."""
    folder: Path
    """The client's files are in its `wandb/`: beside the stage's own, on the disk that all machines share."""
    claim: Path
    """The stage's lock file."""
    curve: str
    """The kind of the stage whose training curve it shows."""
    uses: dict[str, Path] = field(default_factory=dict)
    """Names of the components that it depends on -> `folder` of their entries."""

    rows: list[dict[str, float]] = field(default_factory=list)
    """The training curve: `step` and the values logged there, steps in order."""
    summary: dict[str, float] = field(default_factory=dict)
    table: tuple[list[str], list[list[Any]]] | None = None
    """Columns and rows of the results."""
    component: Path | None = None
    """The store's folder of the trained component."""


def component_name(identity: str) -> str:
    """Returns the name of the W&B artifact of a component."""
    return f"component-{identity}"


def about_stage(stage: Stage) -> dict[str, str]:
    """Returns the configuration that all stages of an experiment share."""
    experiment = stage.experiment
    labelled = {"dataset": experiment.data.name, "task": experiment.dataset.task} if experiment.data else {}
    return {"experiment": experiment.name, "backbone": stage.backbone.shown, "dataset": "", "task": ""} | labelled


def about_run(record: RunRecord) -> dict[str, str]:
    """Returns the configuration that a run shares with all stages of its experiment."""
    return {name: getattr(record, name) for name in ("experiment", "backbone", "dataset", "task")}


def entry_of_component(passport: Passport, store: Store, shared: Mapping[str, str]) -> Entry:
    """Returns the entry of a training stage, with the training curve if the component is in the store.

    `shared` comes from `about_stage` or `about_run`.

    Raises:
        UserError: The training curve cannot be read.
    """
    versions = {name: made for name, made in passport.made.items() if name not in ("time", "commit", "command")}
    done, seed = store.has(passport.id), passport.training.get("seed")
    return Entry(
        id=passport.id,
        name=passport.title,
        group=shared["experiment"],
        kind=passport.stage,
        config=_config(
            shared,
            title=passport.title.removesuffix(f" · seed {seed}"),  # W&B groups by this
            seed=seed,
            source=passport.languages,
            precision=passport.training.get("precision"),
            commit=passport.made.get("commit"),
            components=passport.components,
            settings=passport.training,
            versions=versions,
        ),
        folder=_folder(store, passport.id),
        claim=store.claim(passport.id),
        curve=passport.stage,
        uses=_uses([*passport.needs, *passport.parents], store),
        rows=store.history(passport.id) if done else [],
        component=store.path(passport.id) if done else None,
    )


def entry_of_run(run: RunFolder, store: Store) -> Entry:
    """Returns the entry of a finished run, without components that are no longer in the store.

    Raises:
        UserError: A file of the run, or of a component, cannot be read.
    """
    record, results = run.record, run.results()
    passports = [store.passport(identity) for identity in record.components.values() if store.has(identity)]
    trained = [passport.id for passport in passports if passport.stage == "task"]
    return dataclasses.replace(
        entry_of_record(run, record, store),
        rows=store.history(trained[0]) if trained else [],
        summary=_summary(record, results),
        table=_table(record, results),
    )


def entry_of_record(run: RunFolder, record: RunRecord, store: Store) -> Entry:
    """Returns the entry of a run during its test."""
    by_role = {role: kinds or {} for role, kinds in record.combination.items()}
    components = {f"{role}.{kind}": settings for role, kinds in by_role.items() for kind, settings in kinds.items()}
    return Entry(
        id=record.id,
        name=f"{record.label} · seed {record.seed}",
        group=record.experiment,
        kind=names.EVALUATE,
        config=_config(
            about_run(record),
            title=record.label,
            seed=record.seed,
            source=record.source,
            precision=record.precision,
            commit=record.commit,
            recipe=record.recipe,
            components=components,
            settings=record.settings,
            versions=record.versions,
        ),
        folder=run.path,
        claim=run.claim,
        curve="task",
        uses=_uses(record.components.values(), store),
    )


def _folder(store: Store, identity: str) -> Path:
    return store.folder / ".wandb" / identity


def _uses(identities: Iterable[str], store: Store) -> dict[str, Path]:
    return {component_name(one): _folder(store, one) for one in identities if store.has(one)}


def _config(
    shared: Mapping[str, str],
    *,
    title: str,
    components: Mapping[str, Mapping[str, Any] | None],
    settings: Mapping[str, Any],
    versions: Mapping[str, str],
    recipe: str = "",
    **own: Any,
) -> dict[str, str | int | float | bool]:
    # Each run has a value for every kind, so that none is null.
    known: dict[str, Any] = {f"components.{role}.{kind}": None for role in ROLES for kind in CONFIGS}
    for slot, of_slot in components.items():
        known[f"components.{slot}"] = ", ".join(f"{key}={_plain(value)}" for key, value in (of_slot or {}).items())
    known |= {**_flat("settings", settings), **_flat("versions", versions)}
    known |= {names.COMBINATION: title, "recipe": recipe, **shared, **own}
    return {key.replace(".", "/"): _plain(value) for key, value in known.items()}


def _flat(path: str, values: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        below = isinstance(value, Mapping) and value
        flat |= _flat(f"{path}/{key}", value) if below else {f"{path}/{key}": value}
    return flat


def _plain(value: Any) -> str | int | float | bool:
    if value is None or value in ("", [], {}):
        return NONE
    if isinstance(value, list | tuple):
        return " + ".join(str(_plain(item)) for item in value)
    return value if isinstance(value, str | int | float | bool) else str(value)


def _summary(record: RunRecord, results: list[LanguageResult]) -> dict[str, float]:
    """Returns each language's own scores, and for each control the macro average over the zero-shot languages."""
    summary: dict[str, float] = {}
    for control in CONTROLS:
        for metric in record.metrics:
            # A result of a former target may be older than a metric of the user's own.
            tested = [result for result in results if result.control == control and metric in result.scores]
            zero_shot = [result for result in tested if not result.source]
            if control == "own":
                summary |= {names.score(result.language, metric): result.scores[metric] for result in tested}
            if zero_shot:
                scores = [result.scores[metric] for result in zero_shot]
                summary[names.macro(metric, control)] = sum(scores) / len(scores)
    return summary


def _table(record: RunRecord, results: list[LanguageResult]) -> tuple[list[str], list[list[Any]]]:
    """Returns all results in long format; combination and seed are columns, because W&B joins the tables of runs."""
    about_result = ["control", "language", "component_language", "source", "examples"]
    metrics, rates = record.metrics, ["foreign_rate", "unparsed_rate"]
    about, shares = attrgetter(*about_result), attrgetter(*rates)
    rows = [
        [record.label, record.seed, *about(result), *map(result.scores.get, metrics), *shares(result)]
        for result in results
    ]
    return [names.COMBINATION, "seed", *about_result, *metrics, *rates], rows
