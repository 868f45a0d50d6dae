"""Shows runs in W&B.

What a run leaves in its folder is the truth; W&B gets a copy of it when the run is done: one W&B run for each
combination and seed, under the run's own id. So W&B can be off, unreachable or out of order without any loss,
and tracking a run twice gives the same W&B run twice.
"""

import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from framework.errors import UserError
from framework.metrics import metrics_of
from framework.results import CONTROLS, LanguageResult, RunFolder, RunRecord

if TYPE_CHECKING:
    import wandb

CURVES_SENT = "curves-sent"
"""A file in the run's `wandb` folder: a server has the curves, so they must not be sent again."""
START_SECONDS = 30
FINISH_SECONDS = 120
"""How long a server may keep a run waiting before it is left alone."""
NONE = "none"
"""Stands for null: W&B cannot group runs by a configuration value that some of them lack."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class TrackingConfig:
    """Whether and where runs are shown in W&B."""

    mode: Literal["offline", "online", "off"] = "offline"
    """`offline` leaves files that `wandb sync` can upload later; `online` needs a login."""
    project: str = "modulingua"
    """The W&B project."""
    entity: str | None = None
    """The W&B team or user; null is the login's default."""
    tags: list[str] = field(default_factory=list)
    """Tags that each run gets."""

    def __post_init__(self) -> None:
        """Checks what W&B would refuse only after the work is done."""
        if not 1 <= len(self.project) <= 128 or re.search(r"[/\\#?%:]", self.project):
            raise ValueError(rf"project '{self.project}' must have 1 to 128 letters and none of / \ # ? % :")
        for tag in self.tags:
            if not 1 <= len(tag) <= 64:
                raise ValueError(f"tag '{tag}' must have 1 to 64 letters")


def track(run: RunFolder, history: Sequence[Mapping[str, Any]], config: TrackingConfig) -> str | None:
    """Copies a run to W&B, or brings the copy up to date.

    The W&B run has the run's id, its experiment as group and its label and seed as name. It holds what the run is
    as configuration; the training curves, each stage over its own steps; `test/<language>/<metric>` and macro
    averages as summary; and all results as the table `results`.

    Args:
        run: The run, with its results.
        history: The training curves: rows such as `{"stage": "task", "step": 10, "loss": 0.4}`, the stages and
            the steps of each in order. They must not change from one call to the next.
        config: Whether and where.

    Returns:
        None if all went well, else a warning in one line: a failure of W&B never becomes one of the run.

    Raises:
        UserError: If the run's own files cannot be read.
    """
    if config.mode == "off":
        return None
    record, results = run.record, run.results()
    try:
        with _own_environment(run.path):
            _track(run, record, results, history, config)
    except Exception as error:  # whatever the client, its service process or the server may come up with
        reason = " ".join(str(error).split()) or type(error).__name__
        return f"W&B does not have {record.label}, seed {record.seed}: {reason} (nothing is lost: {run.path})"
    return None


def _track(
    run: RunFolder,
    record: RunRecord,
    results: list[LanguageResult],
    history: Sequence[Mapping[str, Any]],
    config: TrackingConfig,
) -> None:
    import wandb

    if config.mode == "online" and not wandb.login(prompt=False, verify=False):
        raise UserError("not logged in; run `wandb login`, or set tracking.mode to offline")
    folder = run.path / "wandb"
    if config.mode == "offline":
        _drop_unsent_copies(folder)
    tracked = wandb.init(
        mode="online" if config.mode == "online" else "offline",
        project=config.project,
        entity=config.entity,
        id=record.id,
        resume="allow",
        reinit="create_new",
        dir=run.path,
        group=record.experiment,
        name=f"{record.label} · seed {record.seed}",
        job_type="run",
        tags=config.tags,
        config=_flat_config(record),
        settings=wandb.Settings(
            silent=True,
            console="off",
            disable_git=True,
            disable_code=True,
            disable_job_creation=True,
            x_disable_stats=True,
            init_timeout=START_SECONDS,
            finish_timeout=FINISH_SECONDS,
            finish_timeout_raises=True,
        ),
    )
    try:
        # Offline, the client does not know what a server has, and an upload adds to it.
        if config.mode == "online" or not _server_has_curves(folder):
            _log_curves(tracked, history)
        tracked.summary.update(_summary(record, results))
        tracked.log({"results": _table(record, results)})
    except BaseException:
        with suppress(Exception):
            tracked.finish(exit_code=1)
        raise
    tracked.finish()
    if config.mode == "online":
        (folder / CURVES_SENT).touch()
        _drop_unsent_copies(folder)


@contextmanager
def _own_environment(folder: Path) -> Iterator[None]:
    """Keeps the client quiet, and what it stages for a later upload beside the run.

    By default tables wait in the user's home, and are lost to `wandb sync` on another machine.
    """
    ours = {"WANDB_DATA_DIR": str(folder.resolve() / "wandb" / "data"), "WANDB_SILENT": "true"}
    added = {name: value for name, value in ours.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


def _drop_unsent_copies(folder: Path) -> None:
    """Removes earlier offline copies that were never uploaded, with what they staged.

    Each copy is complete; uploading two of them would show each point of the curves twice.
    """
    for copy in folder.glob("offline-run-*"):
        if not any(copy.glob("*.synced")):
            shutil.rmtree(copy)
    shutil.rmtree(folder / "data", ignore_errors=True)


def _server_has_curves(folder: Path) -> bool:
    return (folder / CURVES_SENT).exists() or any(folder.glob("offline-run-*/*.synced"))


def _log_curves(tracked: "wandb.Run", history: Sequence[Mapping[str, Any]]) -> None:
    for stage in dict.fromkeys(row["stage"] for row in history):
        tracked.define_metric(f"{stage}/step", hidden=True)
        tracked.define_metric(f"{stage}/*", step_metric=f"{stage}/step")
    # A row's number is its W&B step: of a run that goes on, the client leaves out the steps that the server has.
    for number, row in enumerate(history):
        tracked.log({f"{row['stage']}/{key}": row[key] for key in row if key != "stage"}, step=number)


def _flat_config(record: RunRecord) -> dict[str, Any]:
    """The record without nesting and nulls; "/" in the keys, for W&B takes "." for a path."""
    known: dict[str, Any] = {
        "experiment": record.experiment,
        "combination": record.label,
        "seed": record.seed,
        "source": record.source,
        "backbone": record.backbone,
        "dataset": record.dataset,
        "task": record.task,
        "commit": record.commit,
        "recipe": record.recipe,
    }
    slots = {role: " + ".join(kinds or ()) for role, kinds in record.combination.items()}
    groups = {
        "combination": slots,
        "components": record.components,
        "settings": record.settings,
        "versions": record.versions,
    }
    for group, values in groups.items():
        known |= {f"{group}/{key.replace('.', '/')}": value for key, value in values.items()}
    return {key: _plain(value) for key, value in known.items()}


def _plain(value: Any) -> str | int | float | bool:
    if value is None or value in ("", []):
        return NONE
    if isinstance(value, list):
        return " + ".join(map(str, value))
    return value if isinstance(value, str | int | float | bool) else str(value)


def _summary(record: RunRecord, results: list[LanguageResult]) -> dict[str, float]:
    """Each language's own scores, and for each control the macro average over the zero-shot languages."""
    summary: dict[str, float] = {}
    for control in CONTROLS:
        tested = [result for result in results if result.control == control]
        zero_shot = [result for result in tested if not result.source]
        prefix = "test" if control == "own" else f"test_{control}"
        for metric in metrics_of(record.task, record.positive):
            if control == "own":
                summary |= {f"test/{result.language}/{metric}": result.scores[metric] for result in tested}
            if zero_shot:
                scores = [result.scores[metric] for result in zero_shot]
                summary[f"{prefix}/macro/{metric}"] = sum(scores) / len(scores)
    return summary


def _table(record: RunRecord, results: list[LanguageResult]) -> "wandb.Table":
    """All results, long; combination and seed are columns, for W&B lays the tables of many runs together."""
    import wandb

    about = ["control", "language", "component_language", "source", "examples"]
    metrics, rates = list(metrics_of(record.task, record.positive)), ["foreign_rate", "unparsed_rate"]
    rows = []
    for result in results:
        columns = vars(result) | result.scores
        rows.append([record.label, record.seed, *(columns[name] for name in (*about, *metrics, *rates))])
    return wandb.Table(columns=["combination", "seed", *about, *metrics, *rates], data=rows)
