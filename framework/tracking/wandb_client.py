"""Sends entries through W&B's client, and records what a server has.

In an entry's folder:

    wandb/             the client's own files, until their content is sent
    wandb/data/        files that wait for an upload
    wandb/sent.json    server, entity, project and suffix of the ids -> a hash of what was sent there

Errors of the client, its service process and the server are raised unchanged.
"""

import atexit
import json
import logging
import math
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import wandb

from framework.config.tracking import TrackingConfig
from framework.errors import INTERRUPTED, UserError
from framework.identity import identity, plain
from framework.store.store import PASSPORT, read_passport
from framework.system.atomic_files import usual_permissions, write_whole
from framework.tracking import names
from framework.tracking.stage_content import Entry, component_name

SENT = "wandb/sent.json"
START_SECONDS = 30
"""Time limit for a server to accept a run, or to answer."""
AWAY = ("offline", "dryrun", "disabled")
"""Values of WANDB_MODE that forbid sending."""


class WandbRun:
    """An entry's W&B run, open for writing: a new one, or that of an earlier attempt."""

    def __init__(self, entry: Entry, config: TrackingConfig, finish_seconds: float) -> None:
        """Opens the run, with a time limit for the server to receive the rest at the end.

        Raises:
            UserError: Nobody is logged in, or WANDB_MODE forbids sending.
        """
        online = config.mode == "online"
        _session()
        if online:
            require_login()
        files = entry.folder / "wandb"
        files.mkdir(parents=True, exist_ok=True)
        self.folder = entry.folder
        self.linked: list[str] = []
        if not online:
            _drop_unsent_copies(files)
        self.run = wandb.init(
            mode="online" if online else "offline",
            project=config.project,
            entity=config.entity,
            id=config.run_id(entry.id),
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
                program="modulingua",  # otherwise a path of this machine
                console="off",
                disable_git=True,
                disable_code=True,
                disable_job_creation=True,
                x_disable_stats=True,
                x_disable_meta=True,
                x_disable_machine_info=True,
                x_save_requirements=False,
                init_timeout=START_SECONDS,
                finish_timeout=finish_seconds,
                finish_timeout_raises=True,
            ),
        )
        # With the entity that the server chose: in a shared store other users may have sent it to theirs.
        self.destination = destination(replace(config, entity=self.run.entity)) if online else None
        self.curve = entry.curve
        self.run.define_metric(names.step(entry.curve), hidden=True)
        self.run.define_metric(names.curve(entry.curve, "*"), step_metric=names.step(entry.curve))
        # Offline, the client does not know the steps that a server has, and an upload would add to them.
        on_server = not online and (bool(_sent(entry.folder)) or any(files.glob("offline-run-*/*.synced")))
        self.last: float = math.inf if on_server else self.run.starting_step - 1

    def link(self, uses: Mapping[str, Path]) -> None:
        """Links the components that the stage depends on (`Entry.uses`), if the server has them."""
        if self.destination is None:  # the client refuses links offline
            return
        for name, folder in uses.items():
            if self.destination in _sent(folder):
                self.run.use_artifact(f"{name}:latest")
                self.linked.append(name)

    def add(self, rows: Iterable[Mapping[str, float]]) -> None:
        """Adds rows of the training curve that the server does not have."""
        for row in rows:
            if row["step"] > self.last:
                self.last = row["step"]
                self.run.log({names.curve(self.curve, key): value for key, value in row.items()}, step=int(row["step"]))

    def complete(self, entry: Entry) -> None:
        """Adds the outcome of the stage."""
        self.run.config.update(dict(entry.config), allow_val_change=True)  # type: ignore[no-untyped-call]
        self.add(entry.rows)
        self.run.summary.update(entry.summary)
        if entry.table is not None:
            columns, rows = entry.table
            self.run.log({names.TABLE: wandb.Table(columns=list(columns), data=rows)})
        if entry.component is not None:
            self.run.log_artifact(component(entry, entry.component))

    def close(self, code: int) -> None:
        """Ends the W&B run with the stage's exit code and waits for the upload."""
        if code == INTERRUPTED:
            self.run.mark_preempting()
        self.run.finish(exit_code=code)
        usual_permissions(self.folder / "wandb")  # the client makes files for an upload private

    def note_sent(self, entry: Entry) -> None:
        """Records in sent.json that the server has this run, if it was closed without an error."""
        if self.destination is None:
            return
        known = _sent(self.folder) | {self.destination: content(entry, self.linked)}
        write_whole(self.folder / SENT, json.dumps(known, indent=1).encode() + b"\n")
        _drop_unsent_copies(self.folder / "wandb")
        for attempt in (self.folder / "wandb").glob("run-*"):
            shutil.rmtree(attempt, ignore_errors=True)


def component(entry: Entry, folder: Path) -> wandb.Artifact:
    """Returns the W&B artifact of a trained component, whose weights are sent from the store without a copy."""
    passport = plain(read_passport(folder).public)
    artifact = wandb.Artifact(component_name(entry.id), type=entry.kind, metadata=passport)
    for file in sorted(folder.resolve().iterdir()):
        if file.name != PASSPORT:
            artifact.add_file(str(file), policy="immutable", skip_cache=True)
    with artifact.new_file(PASSPORT, encoding="utf-8") as lines:
        json.dump(passport, lines, indent=2, ensure_ascii=False)
    return artifact


def is_sent(entry: Entry, config: TrackingConfig) -> bool:
    """Says whether the server has this version of a complete entry with its links; `config` must name the entity."""
    return _sent(entry.folder).get(destination(config)) == content(entry, entry.uses)


def content(entry: Entry, linked: Iterable[str]) -> str:
    """Returns a hash of what is sent, without the configuration, which the id identifies."""
    return identity(rows=entry.rows, summary=entry.summary, table=entry.table, linked=sorted(linked))


def destination(config: TrackingConfig) -> str:
    """Names the server, the entity, the project and, where there is one, the suffix of the runs' ids."""
    project = "/".join([_session().settings.base_url, config.entity or "", config.project])
    return f"{project}#{config.run_suffix}" if config.run_suffix else project


def default_entity() -> str:
    """Returns the login's entity, for experiments that name none; `UserError` if it has none."""
    require_login()
    entity = wandb.Api(timeout=START_SECONDS).default_entity
    if not entity:
        raise UserError("the login has no default entity; name one as tracking.entity")
    return entity


def require_login() -> None:
    """Raises `UserError` if nobody is logged in, or WANDB_MODE forbids sending."""
    if os.environ.get("WANDB_MODE") in AWAY:
        raise UserError(f"WANDB_MODE is {os.environ['WANDB_MODE']}, so nothing may be sent to the server; unset it")
    _session()  # otherwise the client prints a greeting
    if not wandb.login(prompt=False, verify=False):
        raise UserError("not logged in to W&B; run `wandb login`, or set WANDB_API_KEY")


def leave_at_exit() -> None:
    """Lets the process end without waiting for the client's upload; its files, and ours, hold everything."""
    atexit.register(_end_service)  # called before the client's own, which waits


def _end_service() -> None:
    with suppress(Exception):
        connection = _session()._connection
        if connection is not None and connection._proc is not None:
            connection._proc._process.kill()  # wandb has no public function for this
        wandb.teardown()
    for socket in Path(tempfile.gettempdir()).glob(f"wandb-{os.getpid()}-*"):  # a killed service does not remove it
        shutil.rmtree(socket, ignore_errors=True)


@contextmanager
def beside(folder: Path) -> Iterator[None]:
    """Lets the client stage files for a later upload in an entry's folder.

    By default it stages tables in the user's home, where `wandb sync` on another machine does not find them.
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


def _session() -> Any:
    """Returns the process's silent session with the client."""
    logging.raiseExceptions = False  # on a full disk, each line of the client's log would print a traceback
    return wandb.setup(settings=wandb.Settings(silent=True))


def _sent(folder: Path) -> dict[str, str]:
    """Reads an entry's sent.json; a damaged one is ignored, and the entry is sent again."""
    try:
        known: dict[str, str] = json.loads((folder / SENT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known


def _drop_unsent_copies(files: Path) -> None:
    """Removes earlier offline copies that were not uploaded, because two uploads would show each point twice."""
    for copy in files.glob("offline-run-*"):
        if not any(copy.glob("*.synced")):
            shutil.rmtree(copy)
    shutil.rmtree(files / "data", ignore_errors=True)
