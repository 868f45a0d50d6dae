"""The Hugging Face hub as a source of rows."""

import functools
from pathlib import Path

from typing_extensions import override

from datamodules.errors import DataError
from datamodules.sources.base import FileSource
from datamodules.sources.hub_cache import Snapshot
from datamodules.sources.layout import README, Layout, Listed, card_of


class Hub(FileSource):
    """A dataset repository, read at one commit.

    The hub is asked once for the commit, once for the list of all files, and once for each file that is read; files go
    into the cache of the hub's client when their rows are reached. A commit in the cache costs no request at all.
    """

    def __init__(self, hub_id: str, revision: str | None = None, *, quotes: bool = True) -> None:
        self.hub_id = hub_id
        self.revision = revision or "main"
        self.quotes = quotes

    @property
    def snapshot(self) -> Snapshot:
        """The commit that the revision names now; asked for once per process.

        Raises:
            DataError: The repository or the revision does not exist, or is not in the cache and may not be asked for.
            NetworkError: The hub cannot be asked.
        """
        found = _snapshot(self.hub_id, self.revision)
        if isinstance(found, str):
            raise DataError(found)
        return found

    @property
    @override
    def layout(self) -> Layout:
        return _layout(self.snapshot)

    @override
    def file(self, path: str) -> Path:
        return self.snapshot.file(path)

    def fingerprint(self, config: str, split: str) -> str:
        """Repository, commit, config and split."""
        self.check(config, split)
        return f"{self.hub_id}@{self.snapshot.commit}/{config}/{split}"

    @override
    def paths(self, config: str, split: str) -> list[str]:
        """Without the network, the files must be in the cache."""
        files = self.layout.files(config, split)
        self.snapshot.begin(config, split, files)
        return files


@functools.cache
def _snapshot(hub_id: str, revision: str) -> Snapshot | str:
    """The commit, or why there is none; cached, so that each language does not send the request again."""
    try:
        return Snapshot.of(hub_id, revision)
    except DataError as error:
        return str(error)


@functools.cache
def _layout(snapshot: Snapshot) -> Layout:
    """Finds the files of splits; the README is read once per process."""
    card = card_of(snapshot.file(README)) if README in snapshot.sizes else {}
    return Layout(str(snapshot), Listed(snapshot.sizes), card)
