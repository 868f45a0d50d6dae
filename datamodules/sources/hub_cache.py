"""What the cache of the hub's client holds of a dataset repository, and what is read from there.

The list of all files of a commit is kept beside them, so that splits are found without the network:

    <cache>/datasets--Davlan--sib200/refs/main                                       the commit that `main` named
    <cache>/datasets--Davlan--sib200/snapshots/<commit>/data/hau_Latn/train.tsv      a file
    <cache>/datasets--Davlan--sib200/snapshots/<commit>/.modulingua/files.json       the list, with sizes in bytes
    <cache>/datasets--Davlan--sib200/snapshots/<commit>/.modulingua/<config>/<split>.json

The last tells how many files of a split were prefetched: a stage may need only the first of them.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from huggingface_hub import constants
from huggingface_hub.utils._fixes import WeakFileLock

from datamodules.errors import DataError
from datamodules.sources import hub_requests

PREFETCH_HINT = "`modulingua prefetch EXPERIMENT.yaml`, called where there is a network, fetches it"

_OURS = ".modulingua"


@dataclass(frozen=True)
class Snapshot:
    """One commit of a dataset repository."""

    hub_id: str
    commit: str

    @classmethod
    def of(cls, hub_id: str, revision: str) -> Snapshot:
        """The commit that a revision names now; where the hub may not be asked, the one that it named last.

        Raises:
            DataError: There is none, or the cache does not know it.
            NetworkError: The hub cannot be asked.
        """
        reference = _folder_of(hub_id) / "refs" / revision
        is_commit = re.fullmatch(r"[0-9a-f]{40}", revision) is not None
        if is_commit or hub_requests.is_offline():
            commit = revision if is_commit else _text(reference)
            if commit is not None and (snapshot := cls(hub_id, commit))._list.is_file():
                return snapshot
        if hub_requests.is_offline():
            raise DataError(f"{hub_id}@{revision} is not in the cache; {PREFETCH_HINT}")
        commit, files = hub_requests.list_files(hub_id, revision)
        snapshot = cls(hub_id, commit)
        _write(snapshot._list, json.dumps(files, indent=0))
        _write(reference, commit)
        return snapshot

    def __str__(self) -> str:
        return f"{self.hub_id}@{self.commit[:7]}"

    @functools.cached_property
    def folder(self) -> Path:
        """Where the commit's files lie in the cache."""
        return _folder_of(self.hub_id) / "snapshots" / self.commit

    @functools.cached_property
    def sizes(self) -> dict[str, int | None]:
        """The paths of all files of the commit on the hub, with their sizes in bytes."""
        found: dict[str, int | None] = json.loads(self._list.read_text(encoding="utf-8"))
        return found

    @property
    def _list(self) -> Path:
        return self.folder / _OURS / "files.json"

    def file(self, path: str) -> Path:
        """Where a file of the repository lies in the cache; it is downloaded unless it is there.

        Raises:
            DataError: It is not there, and the hub may not be asked or refuses.
            NetworkError: The hub cannot be asked.
        """
        file = self.folder / path
        if not file.is_file():
            if hub_requests.is_offline():
                raise DataError(f"{self}: {path} is not in the cache; {PREFETCH_HINT}")
            self._download(path)
        if _active is not None:
            _active.files[self.hub_id, self.commit][path] = file.stat().st_size
        return file

    def begin(self, config: str, split: str, files: Sequence[str]) -> None:
        """Tells the active recorder, if there is one, that a split is read.

        Without a recorder and without the network, the split must be in the cache: all of its files, or as many as were
        prefetched.

        Raises:
            DataError: One is missing.
        """
        if _active is not None:
            _active.splits[self, config, split] = files
        elif hub_requests.is_offline():
            for file in files[: self._kept(config, split) or len(files)]:
                self.file(file)

    def write_record(self, config: str, split: str, kept: int) -> None:
        """Records how many files of a split are in the cache, from the first; a larger recorded number stays."""
        if kept > self._kept(config, split):
            _write(self._record(config, split), json.dumps({"kept": kept}))

    def _kept(self, config: str, split: str) -> int:
        """How many files of a split were prefetched; 0 without a record."""
        try:
            return int(json.loads(self._record(config, split).read_bytes())["kept"])
        except (FileNotFoundError, KeyError, TypeError, ValueError):  # none, or damaged
            return 0

    def _record(self, config: str, split: str) -> Path:
        return self.folder / _OURS / config / f"{split}.json"

    def _download(self, path: str) -> None:
        file = self.folder / path
        name = hashlib.sha256(f"{self.commit}/{path}".encode()).hexdigest()
        lock = Path(constants.HF_HUB_CACHE, ".locks", _folder_of(self.hub_id).name, f"{name}.lock")
        lock.parent.mkdir(parents=True, exist_ok=True)
        with WeakFileLock(lock):  # each rank and each worker reads the same files
            if not file.is_file():
                with _whole(file) as target:
                    hub_requests.download(self.hub_id, self.commit, path, self.sizes[path], target)


class CacheRecorder:
    """Notes what is read from the hub while it is active."""

    def __init__(self) -> None:
        self.files: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
        """(repository, commit) -> file -> its size in bytes."""
        self.splits: dict[tuple[Snapshot, str, str], Sequence[str]] = {}
        """(commit, config, split) -> all files of the split."""


_active: CacheRecorder | None = None


@contextmanager
def downloading_to_cache() -> Iterator[CacheRecorder]:
    """Within this, it is noted what is read from the hub: it is then all that is needed without the network."""
    global _active
    _active = recorder = CacheRecorder()
    try:
        yield recorder
        # Not before everything was read: after an interruption, half of a split must not pass for what is needed.
        for (snapshot, config, split), files in recorder.splits.items():
            here = recorder.files[snapshot.hub_id, snapshot.commit]
            snapshot.write_record(config, split, sum(file in here for file in files))
    finally:
        _active = None


def _folder_of(hub_id: str) -> Path:
    return Path(constants.HF_HUB_CACHE, "--".join(["datasets", *hub_id.split("/")]))


def _text(file: Path) -> str | None:
    return file.read_text(encoding="utf-8").strip() if file.is_file() else None


def _write(file: Path, text: str) -> None:
    with _whole(file) as target:
        target.write(text.encode())


@contextmanager
def _whole(file: Path) -> Iterator[BinaryIO]:
    """Opens a file for writing that takes its place when it is complete.

    Raises:
        DataError: It cannot be written.
    """
    half = file.with_name(f".half-{uuid.uuid4().hex}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with half.open("w+b") as target:
            yield target
        half.replace(file)
    except OSError as error:
        raise DataError(f"{file} cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            half.unlink()
