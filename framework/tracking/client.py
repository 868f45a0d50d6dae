"""Tells W&B of an entry, through W&B's own client, and keeps the books of what a server has.

In an entry's folder:

    wandb/             the client's own files
    wandb/data/        what waits in them for an upload
    wandb/sent.json    server, entity and project -> a hash of what was sent there

Whatever the client, its service process or the server come up with is raised as it is.
"""

import json
import math
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import wandb

from framework.errors import INTERRUPTED, UserError
from framework.files import write_whole
from framework.identity import identity
from framework.tracking import names
from framework.tracking.config import TrackingConfig
from framework.tracking.entry import Entry, component_name

START_SECONDS = 30
"""How long a server may take to accept a run."""


class Page:
    """An entry's W&B run, open for writing: a new one, or that of an earlier attempt."""

    def __init__(self, entry: Entry, config: TrackingConfig, finish_seconds: float) -> None:
        """Opens it.

        Args:
            entry: What is shown there.
            config: Where.
            finish_seconds: How long a server may take to receive what is left at the end.

        Raises:
            UserError: Nobody is logged in.
        """
        online = config.mode == "online"
        _session()
        if online and not wandb.login(prompt=False, verify=False):
            raise UserError("not logged in; run `wandb login`, or set tracking.mode to offline")
        files = entry.folder / "wandb"
        files.mkdir(parents=True, exist_ok=True)
        self.folder = entry.folder
        self.destination = destination(config) if online else None
        self.linked: list[str] = []
        if not online:
            _drop_unsent_copies(files)
        self.run = wandb.init(
            mode="online" if online else "offline",
            project=config.project,
            entity=config.entity,
            id=entry.id,
            resume="allow",
            reinit="create_new",
            dir=entry.folder,
            group=entry.group,
            name=entry.name,
            job_type=entry.kind,
            tags=config.tags,
            config=dict(entry.config),
            settings=wandb.Settings(
                silent=True,
                console="off",
                disable_git=True,
                disable_code=True,
                disable_job_creation=True,
                x_disable_stats=True,
                init_timeout=START_SECONDS,
                finish_timeout=finish_seconds,
                finish_timeout_raises=True,
            ),
        )
        self.curve = entry.curve
        self.run.define_metric(names.step(entry.curve), hidden=True)
        self.run.define_metric(names.curve(entry.curve, "*"), step_metric=names.step(entry.curve))
        # Offline, the client does not know what a server has, and an upload would add to it.
        on_server = not online and (bool(_sent(entry.folder)) or any(files.glob("offline-run-*/*.synced")))
        self.last: float = math.inf if on_server else self.run.starting_step - 1

    def link(self, uses: Mapping[str, Path]) -> None:
        """Notes which components the stage stands on, as far as the server has them.

        Args:
            uses: See `Entry.uses`.
        """
        if self.destination is None:  # refused by the client
            return
        for name, folder in uses.items():
            if self.destination in _sent(folder):
                self.run.use_artifact(f"{name}:latest")
                self.linked.append(name)

    def add(self, rows: Iterable[Mapping[str, float]]) -> None:
        """Adds rows of the training curve; those that the server has already are left out."""
        for row in rows:
            if row["step"] > self.last:
                self.last = row["step"]
                self.run.log({names.curve(self.curve, key): value for key, value in row.items()}, step=int(row["step"]))

    def complete(self, entry: Entry) -> None:
        """Adds what the stage found."""
        self.run.config.update(dict(entry.config), allow_val_change=True)  # type: ignore[no-untyped-call]
        self.add(entry.rows)
        self.run.summary.update(entry.summary)
        if entry.table is not None:
            columns, rows = entry.table
            self.run.log({names.TABLE: wandb.Table(columns=list(columns), data=rows)})
        if entry.component is not None:
            self.run.log_artifact(component(entry, entry.component))

    def close(self, code: int) -> None:
        """Ends the W&B run with the stage's exit code and waits for what is left to be sent."""
        if code == INTERRUPTED:
            self.run.mark_preempting()
        self.run.finish(exit_code=code)

    def note_sent(self, entry: Entry) -> None:
        """Enters into the books that a server has the entry, when it was closed without an error."""
        if self.destination is None:
            return
        known = _sent(self.folder) | {self.destination: content(entry, self.linked)}
        write_whole(_books(self.folder), json.dumps(known, indent=1).encode() + b"\n")
        _drop_unsent_copies(self.folder / "wandb")


def component(entry: Entry, folder: Path) -> wandb.Artifact:
    """Returns the W&B artifact of what a stage trained; its files are sent from the store, without copies."""
    passport = json.loads((folder / "passport.json").read_text(encoding="utf-8"))
    artifact = wandb.Artifact(component_name(entry.id), type=entry.kind, metadata=passport)
    artifact.add_dir(str(folder.resolve()), policy="immutable", skip_cache=True)
    return artifact


def is_sent(entry: Entry, config: TrackingConfig) -> bool:
    """Says whether the configured server has the entry as it is now, with all that it stands on."""
    return _sent(entry.folder).get(destination(config)) == content(entry, entry.uses)


def content(entry: Entry, linked: Iterable[str]) -> str:
    """Returns a hash of what a server is told; not of the configuration, which the id stands for."""
    return identity(rows=entry.rows, summary=entry.summary, table=entry.table, linked=sorted(linked))


def destination(config: TrackingConfig) -> str:
    """Names the server, the entity and the project."""
    return "/".join([_session().base_url, config.entity or "", config.project])


@contextmanager
def beside(folder: Path) -> Iterator[None]:
    """Keeps what the client stages for a later upload in an entry's folder.

    By default tables wait in the user's home, and are lost to `wandb sync` on another machine.
    """
    name = "WANDB_DATA_DIR"
    if name in os.environ:
        yield
        return
    os.environ[name] = str(folder.resolve() / "wandb" / "data")
    try:
        yield
    finally:
        del os.environ[name]


def _session() -> wandb.Settings:
    """Begins the process's session with the client, quietly, and returns its settings."""
    return wandb.setup(settings=wandb.Settings(silent=True)).settings


def _books(folder: Path) -> Path:
    return folder / "wandb" / "sent.json"


def _sent(folder: Path) -> dict[str, str]:
    """Returns the books of an entry; damaged ones are none, and it is sent again."""
    try:
        known: dict[str, str] = json.loads(_books(folder).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known


def _drop_unsent_copies(files: Path) -> None:
    """Removes earlier offline copies that were never uploaded, with what they staged.

    Each copy is complete; uploading two of them would show each point of the curves twice.
    """
    for copy in files.glob("offline-run-*"):
        if not any(copy.glob("*.synced")):
            shutil.rmtree(copy)
    shutil.rmtree(files / "data", ignore_errors=True)
