"""Which files of a dataset repository the Hugging Face cache holds, so that a split can be read without the network.

The cache knows single files; whether they are all of a split, and how they are to be read, only the hub can tell. So
what it told is kept beside the files, as a listing:

    <cache>/datasets--Davlan--sib200/snapshots/<commit>/.modulingua/<config>/<split>.json
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from datasets import BuilderConfig, Features, IterableDataset, load_dataset_builder
from huggingface_hub import constants, hf_hub_download, snapshot_download
from huggingface_hub.errors import LocalEntryNotFoundError

from datamodules.errors import DataError, first_line

CURE = "`modulingua prefetch EXPERIMENT.yaml`, called where there is a network, fetches it"

_READERS: dict[str, Callable[..., IterableDataset]] = {
    "csv": IterableDataset.from_csv,
    "json": IterableDataset.from_json,
    "parquet": IterableDataset.from_parquet,
    "text": IterableDataset.from_text,
}


def is_offline() -> bool:
    """Whether HF_HUB_OFFLINE forbids to ask the hub."""
    return bool(constants.HF_HUB_OFFLINE)


@dataclasses.dataclass(frozen=True)
class Listing:
    """The files of one split at one commit, and how they are read."""

    kind: str
    """Name of the reader: csv, json, parquet or text."""
    files: list[str]
    """All files in order, as paths in the repository."""
    features: dict[str, Any] | None
    """The types of the columns, where the repository declares them."""
    settings: dict[str, Any]
    """What the reader must know beside: the separator of a csv, for instance."""
    kept: int = 0
    """How many of the files, from the first, were put into the cache. Large text is kept as far as it is read."""

    @classmethod
    def of_hub(cls, hub_id: str, commit: str, config: str, split: str) -> Listing:
        """Asks the hub; `datasets` finds out which files belong to the split.

        Raises:
            DataError: If there is no such split, or its files are not of a kind that can be kept.
        """
        where = f"{hub_id} {config}/{split}"
        try:
            builder = _builder(hub_id, commit, config)
        except (OSError, ValueError, RuntimeError) as error:
            raise DataError(f"{where} cannot be read from the hub: {first_line(error)}") from error
        of_splits = {str(name): files for name, files in (builder.config.data_files or {}).items()}
        if split not in of_splits:
            raise DataError(f"{where} does not exist; splits: {', '.join(of_splits) or 'none'}")
        kind = type(builder).__module__.rpartition(".")[2]
        root = f"hf://datasets/{hub_id}@{commit}/"
        foreign = [url for url in of_splits[split] if not url.startswith(root)]
        if kind not in _READERS or foreign:
            raise DataError(f"{where} cannot be kept in the cache: {foreign[0] if foreign else f'it holds {kind}'}")
        return cls(
            kind,
            files=[url.removeprefix(root) for url in of_splits[split]],
            features=builder.info.features.to_dict() if builder.info.features else None,
            settings=_settings(builder.config),
        )

    def stream(self, file: Path) -> IterableDataset:
        """Reads one of the files."""
        features = Features.from_dict(self.features) if self.features else None
        return _READERS[self.kind](str(file), features=features, **self.settings)


class Snapshot:
    """One commit of a dataset repository in the cache."""

    def __init__(self, hub_id: str, commit: str) -> None:
        """Names it; it need not be there."""
        self.hub_id = hub_id
        self.commit = commit

    def __str__(self) -> str:
        """The repository and the beginning of the commit."""
        return f"{self.hub_id}@{self.commit[:7]}"

    @functools.cached_property
    def folder(self) -> Path:
        """Where the commit's files lie in the cache."""
        name = "--".join(["datasets", *self.hub_id.split("/")])
        return Path(constants.HF_HUB_CACHE, name, "snapshots", self.commit)

    def listing(self, config: str, split: str) -> Listing | None:
        """What is kept of a split; None for nothing."""
        file = self._listing_file(config, split)
        return Listing(**json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else None

    def write_listing(self, config: str, split: str, listing: Listing) -> None:
        """Says what is kept of a split from now on."""
        before = self.listing(config, split)
        listing = dataclasses.replace(listing, kept=max(listing.kept, before.kept if before else 0))
        file = self._listing_file(config, split)
        file.parent.mkdir(parents=True, exist_ok=True)
        half = file.with_suffix(".half")
        half.write_text(json.dumps(dataclasses.asdict(listing), indent=1), encoding="utf-8")
        half.replace(file)

    def require(self, config: str, split: str) -> Listing:
        """What is kept of a split.

        Raises:
            DataError: If nothing is, or a file has gone since.
        """
        listing = self.listing(config, split)
        if listing is None:
            raise DataError(f"{self}: {config}/{split} is not in the cache; {CURE}")
        for file in listing.files[: listing.kept]:
            self.file(file)
        return listing

    def holds(self, listing: Listing) -> bool:
        """Whether all files of a split are here."""
        return all((self.folder / file).is_file() for file in listing.files)

    def file(self, name: str) -> Path:
        """Where a file of the repository lies.

        Raises:
            DataError: If it is not in the cache.
        """
        if not (self.folder / name).is_file():
            raise DataError(f"{self}: {name} is not in the cache; {CURE}")
        return self.folder / name

    def _listing_file(self, config: str, split: str) -> Path:
        return self.folder / ".modulingua" / config / f"{split}.json"


class Keeping:
    """Puts into the cache what is read while it is active, and knows what that was."""

    def __init__(self) -> None:
        """Begins with nothing."""
        self.files: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
        """(repository, commit) -> file -> its size in bytes."""
        self._listings: dict[tuple[str, str, str, str], Listing] = {}

    def listing(self, snapshot: Snapshot, config: str, split: str) -> Listing:
        """Asks the hub, once, which files a split has."""
        key = (snapshot.hub_id, snapshot.commit, config, split)
        if key not in self._listings:
            self._listings[key] = Listing.of_hub(*key)
        return self._listings[key]

    def file(self, snapshot: Snapshot, name: str) -> Path:
        """Downloads a file unless it is there."""
        path = Path(hf_hub_download(snapshot.hub_id, name, repo_type="dataset", revision=snapshot.commit))
        self.files[snapshot.hub_id, snapshot.commit][name] = path.stat().st_size
        return path

    def finish(self) -> None:
        """Writes the listings: not before everything was read, so that half of a split never passes for whole."""
        for (hub_id, commit, config, split), listing in self._listings.items():
            here = self.files[hub_id, commit]
            kept = sum(file in here for file in listing.files)
            Snapshot(hub_id, commit).write_listing(config, split, dataclasses.replace(listing, kept=kept))


_active: Keeping | None = None


@contextmanager
def keeping_what_is_read() -> Iterator[Keeping]:
    """Within this, files of the hub that are read are downloaded into the cache instead of being streamed."""
    global _active
    _active = keeping = Keeping()
    try:
        yield keeping
        keeping.finish()
    finally:
        _active = None


def active_keeping() -> Keeping | None:
    """What keeps files now; None where they are streamed."""
    return _active


def cached_commit(hub_id: str, revision: str, *, ask: bool) -> str:
    """The commit that a branch or tag named when it was last kept in the cache.

    Args:
        hub_id: The repository.
        revision: Branch or tag.
        ask: Whether to ask the hub first, and to remember what it says.

    Raises:
        DataError: If the cache does not know.
    """
    try:
        folder = snapshot_download(
            hub_id, repo_type="dataset", revision=revision, allow_patterns="README.md", local_files_only=not ask
        )
    except LocalEntryNotFoundError as error:
        raise DataError(f"{hub_id}@{revision} is not in the cache; {CURE}") from error
    return Path(folder).name


@functools.cache
def _builder(hub_id: str, commit: str, config: str) -> Any:
    return load_dataset_builder(hub_id, config, revision=commit)


def _settings(config: BuilderConfig) -> dict[str, Any]:
    """What a repository sets of its reader, beside the files and the types of the columns."""
    elsewhere = {field.name for field in dataclasses.fields(BuilderConfig)} | {"features"}
    defaults = type(config)()
    names = [field.name for field in dataclasses.fields(config) if field.name not in elsewhere]
    return {name: getattr(config, name) for name in names if getattr(config, name) != getattr(defaults, name)}
