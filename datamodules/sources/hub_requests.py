"""Requests to the Hugging Face hub, and the meaning of its errors."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import requests
from huggingface_hub import HfApi, constants, get_session, hf_hub_url
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils._headers import build_hf_headers
from huggingface_hub.utils._http import hf_raise_for_status

from datamodules.errors import DataError, NetworkError, first_line

TIMEOUT = 30.0
"""Seconds without an answer, or without a further byte of it, after which a request has failed."""
RESUMPTIONS = 5
"""How often a download goes on after the connection broke."""

_CHUNK = 1 << 20
_logger = logging.getLogger(__name__)


def is_offline() -> bool:
    """Whether HF_HUB_OFFLINE forbids to ask the hub."""
    return bool(constants.HF_HUB_OFFLINE)


def list_files(hub_id: str, revision: str) -> tuple[str, dict[str, int | None]]:
    """Asks for the commit of a dataset repository that a revision names now, and for its files; one request.

    Returns:
        The commit; the paths of all its files, with their sizes in bytes.

    Raises:
        DataError: There is no such repository or revision, or the hub refuses.
        NetworkError: The hub cannot be asked.
    """
    with _hub_errors(hub_id, revision):
        try:
            found = HfApi().dataset_info(hub_id, revision=revision, timeout=TIMEOUT, files_metadata=True)
            files = {file.rfilename: file.size for file in found.siblings or []}
            # They become paths on this machine.
            safe = {path: size for path, size in files.items() if not {"", ".", ".."} & set(path.split("/"))}
        except (AttributeError, KeyError, RecursionError, TypeError) as error:  # the client expects a right answer
            raise ValueError(first_line(error)) from error
    if not re.fullmatch(r"[0-9a-f]{40}", str(found.sha)):
        raise NetworkError(f"{hub_id}@{revision}: the hub's answer names no commit")
    return str(found.sha), safe


def download(hub_id: str, commit: str, path: str, size: int | None, target: BinaryIO) -> None:
    """Writes a file of a commit into `target`, a new file; one request, unless the connection breaks.

    Raises:
        DataError: The hub refuses.
        NetworkError: It cannot be asked, or what came is not this file: it has not the size in bytes that is listed.
    """
    address = hf_hub_url(hub_id, path, repo_type="dataset", revision=commit, endpoint=constants.ENDPOINT)
    with _hub_errors(hub_id, path):
        for left in reversed(range(RESUMPTIONS + 1)):
            try:
                _receive(address, target)
                break
            except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
                if not left or not target.tell():
                    raise
                _logger.warning("%s %s: the connection broke (%s); going on", hub_id, path, type(error).__name__)
    if size is not None and (received := target.tell()) != size:
        raise NetworkError(f"{hub_id} {path}: {received:,} bytes came from the hub in place of {size:,}")


def _receive(address: str, target: BinaryIO) -> None:
    # Not compressed on its way: sizes and places in the file would be others.
    headers = build_hf_headers(headers={"Accept-Encoding": "identity", "Range": f"bytes={target.tell()}-"})
    if not target.tell():
        del headers["Range"]
    with get_session().get(address, headers=headers, stream=True, timeout=TIMEOUT) as response:
        hf_raise_for_status(response)
        if response.status_code != requests.codes.partial_content:
            target.seek(0)
            target.truncate()
        for chunk in response.iter_content(_CHUNK):
            target.write(chunk)


@contextmanager
def _hub_errors(hub_id: str, what: str) -> Iterator[None]:
    """Turns the errors of the hub's client, which was asked for a revision or a file, into one line each."""
    try:
        yield
    except HFValidationError as error:
        raise DataError(f"{hub_id} is no repository's name: {first_line(error)}") from error
    except RevisionNotFoundError as error:
        raise DataError(f"{hub_id} has no revision '{what}' on the hub") from error
    except GatedRepoError as error:
        raise DataError(
            f"{hub_id}: the hub asks for consent to the terms of this dataset: give it at "
            f"{constants.ENDPOINT}/datasets/{hub_id}, and set HF_TOKEN to a token of the same account"
        ) from error
    except RepositoryNotFoundError as error:
        raise DataError(f"the hub has no dataset {hub_id}, or it is private and HF_TOKEN is not set") from error
    except HfHubHTTPError as error:
        raise _failure(error, f"{hub_id} {what}") from error
    except (requests.RequestException, ValueError) as error:
        # The hub cannot be reached, or its client cannot make anything of the answer.
        reason = "" if isinstance(error, requests.ConnectionError | requests.Timeout) else f" ({first_line(error)})"
        raise NetworkError(
            f"{hub_id} {what}: the hub is out of reach{reason}; name a local copy as `path`, or `modulingua prefetch` "
            "the experiment where there is a network"
        ) from error


def _failure(error: HfHubHTTPError, where: str) -> DataError | NetworkError:
    status = getattr(error.response, "status_code", None)
    temporary = status is None or status in (408, 429) or status >= 500
    reason = f"the hub answers {status}, {_ANSWERS.get(status or 0, first_line(error))}"
    return NetworkError(f"{where}: {reason}") if temporary else DataError(f"{where}: {reason}")


_ANSWERS = {
    401: "which means that HF_TOKEN is not valid",
    403: "which means that the owner of HF_TOKEN may not read this",
    404: "which means that there is no such file",
    429: "too many requests; with HF_TOKEN set it allows more",
}
