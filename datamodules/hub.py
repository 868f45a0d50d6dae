"""The Hugging Face hub as a source of rows, and what of it is in the cache."""

from __future__ import annotations

import functools
import re

from datasets import load_dataset
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

from datamodules.errors import DataError, NetworkError, first_line
from datamodules.hub_cache import Listing, Snapshot, active_keeping, cached_commit, is_offline
from datamodules.row import Rows
from datamodules.source import stream_rows


class Hub:
    """A dataset repository, read at one commit.

    A split is streamed, unless all its files are in the cache. While `keeping_what_is_read` is active, each file is
    put there when its rows are reached; where the hub may not be asked, that is all there is.
    """

    def __init__(self, hub_id: str, revision: str | None = None) -> None:
        """Takes the repository.

        Args:
            hub_id: Such as `Davlan/sib200`.
            revision: Branch, tag or commit; None for the main branch.
        """
        self.hub_id = hub_id
        self.revision = revision or "main"

    def rows(self, config: str, split: str, columns: tuple[str, ...], optional: tuple[str, ...]) -> Rows:
        """See `Source.rows`."""
        where = f"{self.hub_id} {config}/{split}"
        try:
            listing = self._to_read_from_cache(config, split)
            if listing is None:
                stream = load_dataset(self.hub_id, config, split=split, revision=self.commit, streaming=True)
                yield from stream_rows(stream, columns, optional, where)
                return
            keeping = active_keeping()
            for name in listing.files:
                file = keeping.file(self.snapshot, name) if keeping else self.snapshot.file(name)
                yield from stream_rows(listing.stream(file), columns, optional, f"{where}, {name}")
        except DataError:
            raise
        except (OSError, ValueError, RuntimeError) as error:
            raise DataError(f"{where} cannot be read from the hub: {first_line(error)}") from error

    def fingerprint(self, config: str, split: str) -> str:
        """Repository, commit, config and split."""
        self.check(config, split)
        return f"{self.hub_id}@{self.commit}/{config}/{split}"

    def check(self, config: str, split: str) -> None:
        """See `Source.check`: without the network, the split must be in the cache."""
        if active_keeping() or is_offline():
            self._to_read_from_cache(config, split)

    @property
    def snapshot(self) -> Snapshot:
        """The commit in the cache."""
        return Snapshot(self.hub_id, self.commit)

    @property
    def commit(self) -> str:
        """The commit that the revision names now; asked for once per process.

        Raises:
            DataError: If the repository or the revision does not exist or cannot be asked for.
        """
        return _commit(self.hub_id, self.revision, keep=active_keeping() is not None)

    def _to_read_from_cache(self, config: str, split: str) -> Listing | None:
        """The files of a split that is read from the cache; None for one that is streamed."""
        if keeping := active_keeping():
            return keeping.listing(self.snapshot, config, split)
        if is_offline():
            return self.snapshot.require(config, split)
        listing = self.snapshot.listing(config, split)
        return listing if listing and self.snapshot.holds(listing) else None


@functools.cache
def _commit(hub_id: str, revision: str, *, keep: bool) -> str:
    if re.fullmatch(r"[0-9a-f]{40}", revision):
        return revision
    try:
        if keep or is_offline():
            return cached_commit(hub_id, revision, ask=keep)
        sha = HfApi().dataset_info(hub_id, revision=revision).sha
    except RevisionNotFoundError as error:
        raise DataError(f"{hub_id} has no revision '{revision}' on the hub") from error
    except RepositoryNotFoundError as error:
        raise DataError(f"the hub has no dataset {hub_id}, or it is private or gated") from error
    except DataError:
        raise
    except (HfHubHTTPError, ValueError) as error:
        raise DataError(f"cannot ask the hub for {hub_id}@{revision}: {first_line(error)}") from error
    except OSError as error:  # its words name sockets and retries
        raise NetworkError(
            f"{hub_id}@{revision}: the hub is out of reach; name a local copy as `path`, or `modulingua prefetch` the "
            "experiment where there is a network"
        ) from error
    assert sha is not None
    return sha
