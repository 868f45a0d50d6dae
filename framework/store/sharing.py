"""Shares components: to and from the Hugging Face hub, or a folder.

    README.md                    the model card
    passport.json, components.safetensors, history.jsonl
    needs/<identity>/…           the same three files of each component that it stands on

Nothing else is ever read from a repository; weights are safetensors.
"""

import contextlib
import dataclasses
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import HfHubHTTPError

from framework.errors import UserError
from framework.identity import LENGTH
from framework.store.card import card
from framework.store.fetching import REASONS, folder_at
from framework.store.listing import runs_with
from framework.store.store import HISTORY, PASSPORT, WEIGHTS, Passport, Store, read_passport, write_passport
from framework.store.verification import verify
from framework.system.atomic_files import filled_folder, whole_folder
from modules.backbone.hub import hub_errors
from modules.formats.base import CONFIG

FILES = (WEIGHTS, HISTORY, PASSPORT)
NEEDS = "needs"
CARD = "README.md"


@dataclass
class Pulled:
    """What came with a component."""

    passport: Passport
    brought: list[str] = field(default_factory=list)
    """Identities of what was put into the store."""
    there: list[str] = field(default_factory=list)
    """Those that lay there already, and were left as they are."""
    missing: list[str] = field(default_factory=list)
    """Those that it stands on and that are neither in the store nor where it came from."""
    unchecked: str = ""
    """Why shapes of what was brought could not be compared; empty where they were."""


def push(store: Store, prefix: str, place: str, runs: Path, *, alone: bool, private: bool) -> str:
    """Shares a component with what it stands on.

    Args:
        store: Where it is.
        prefix: The beginning of its identity.
        place: A repository's name, `owner/name`; or a folder, which begins with `.`, `/` or `~` or is there.
        runs: The folder of runs, whose scores the card tells.
        alone: Leave out what it stands on.
        private: Make a new repository private.

    Returns:
        Where it is now.

    Raises:
        UserError: It is damaged, the folder holds something else, or the hub refuses.
        ModulesError: The hub refuses otherwise.
        NetworkError: The hub cannot be asked.
    """
    identity = store.one(prefix)
    shared = [identity] if alone else _with_needs(store, identity)
    for one in shared:
        if faults := verify(store.path(one), one).faults:
            raise UserError(f"{store.path(one)} is damaged and is not shared: {faults[0]}")
    target = folder_at(place)
    # A folder's own path would tell of one machine only.
    pulled_from = place if target is None else "FOLDER"
    text = card(store.passport(identity), runs_with(identity, store, runs), pulled_from)

    def fill(folder: Path) -> None:
        for one in shared:
            _copy(store.path(one), folder if one == identity else folder / NEEDS / one, store.passport(one).public)
        (folder / CARD).write_text(text, encoding="utf-8")

    if target is not None:
        _refuse_to_replace(target, identity)
        with filled_folder(target) as folder:
            fill(folder)
        return str(target)
    with tempfile.TemporaryDirectory() as temporary, hub_errors(place, REASONS), _refusals(place):
        fill(Path(temporary))
        hub = HfApi()
        hub.create_repo(place, private=private, exist_ok=True)
        title = f"Component {identity}"
        return str(hub.upload_folder(repo_id=place, folder_path=temporary, commit_message=title).commit_url)


def pull(store: Store, place: str, revision: str | None = None) -> Pulled:
    """Puts a shared component into the store, after checking it, and what it stands on.

    What lies there is what its publisher says: that a trained component was trained as its passport has it, nothing
    can check.

    Args:
        store: Where it goes.
        place: A repository or a folder, as for `push`.
        revision: Branch, tag or commit on the hub; None for the main branch.

    Raises:
        UserError: There is none, or it is damaged.
        ModulesError: There is no such repository or revision, or the hub refuses.
        NetworkError: The hub cannot be asked.
    """
    source, origin = _fetch(place, revision)
    pulled = Pulled(read_passport(source))
    needed = [pulled.passport.id]
    for identity in needed:  # which grows meanwhile
        folder = source if identity == pulled.passport.id else source / NEEDS / identity
        if store.has(identity):
            pulled.there.append(identity)
        elif (folder / PASSPORT).is_file():
            pulled.unchecked = _bring(store, identity, folder, origin) or pulled.unchecked
            pulled.brought.append(identity)
        else:
            pulled.missing.append(identity)
            continue
        needed += [need for need in dict.fromkeys(store.passport(identity).needs) if need not in needed]
    return pulled


def _with_needs(store: Store, identity: str) -> list[str]:
    """Returns a component and all that it stands on, however far below.

    Raises:
        UserError: Something of it is not in the store.
    """
    found = [identity]
    for one in found:  # which grows meanwhile
        if not store.has(one):
            raise UserError(f"{identity} depends on {one}, which is not in {store.folder}/; --alone leaves it out")
        found += [need for need in dict.fromkeys(store.passport(one).needs) if need not in found]
    return found


def _bring(store: Store, identity: str, folder: Path, origin: str) -> str:
    """Copies a component into the store if it is whole, with where it came from; returns `Finding.unchecked`."""
    if not re.fullmatch(rf"[0-9a-f]{{{LENGTH}}}", identity):
        raise UserError(f"{folder / PASSPORT}: {identity!r} is no component's id")
    finding = verify(folder, identity)
    if finding.faults:
        raise UserError(f"{folder} is damaged and was not pulled: {finding.faults[0]}")
    with whole_folder(store.path(identity)) as target:
        _copy(folder, target, dataclasses.replace(read_passport(folder), pulled_from=origin))
    return finding.unchecked


def _copy(source: Path, target: Path, passport: Passport) -> None:
    """Copies the files of a component, with another passport."""
    target.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        if not (source / name).is_file():
            raise UserError(f"{source / name}: missing")
        shutil.copyfile(source / name, target / name)
    write_passport(target, passport)


def _refuse_to_replace(folder: Path, identity: str) -> None:
    """Sees to it that nothing but an earlier copy of the same component is written over."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: is a file")
    with contextlib.suppress(UserError):
        if read_passport(folder).id == identity:
            return
    if folder.exists() and any(folder.iterdir()):
        raise UserError(f"{folder}: holds something else; name an empty folder or a new one")


def _fetch(place: str, revision: str | None) -> tuple[Path, str]:
    """Returns the folder that holds a shared component, and what `Passport.pulled_from` says of it."""
    if (folder := folder_at(place)) is None:
        patterns = [*FILES, *(f"{NEEDS}/*/{name}" for name in FILES), CONFIG]
        with hub_errors(place, REASONS):
            folder = Path(snapshot_download(place, revision=revision, allow_patterns=patterns))
        origin = f"{place}@{folder.name}"  # the hub's client names the folder of a snapshot by its commit
    elif revision is not None:
        raise UserError(f"{folder} is a folder, which has no revision {revision!r}")
    else:
        origin = os.path.realpath(folder)  # unlike Path.resolve, also of a link to itself
    if (folder / PASSPORT).is_file():
        return folder, origin
    if (folder / CONFIG).is_file():
        command = f"`modulingua components import {place} --as language|task --backbone NAME`"
        raise UserError(f"{place}: `adapters` or PEFT saved this; {command} puts it into the store")
    raise UserError(f"{place}: no component here (it would hold a {PASSPORT})")


@contextlib.contextmanager
def _refusals(place: str) -> Iterator[None]:
    """Says why the hub takes nothing from this person."""
    try:
        yield
    except HfHubHTTPError as error:
        if error.response is None or error.response.status_code not in (401, 403):
            raise
        raise UserError(f"{place}: the hub refuses: HF_TOKEN is not set, or may not write there") from error
