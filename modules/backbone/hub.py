"""What the errors of the Hugging Face hub's client mean: the user's mistakes, or a failure of the network."""

import contextlib
from collections.abc import Iterable, Iterator

import requests
from huggingface_hub import constants
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from modules.errors import ModulesError, NetworkError

PREFETCH = "`modulingua prefetch EXPERIMENT.yaml`, called where there is a network, fetches it"
HUB_ERRORS: tuple[tuple[type[Exception], str], ...] = (
    (HFValidationError, "this is neither a folder nor a repository's name"),
    (GatedRepoError, "the hub asks for consent to its terms; give it on the website, and set HF_TOKEN"),
    (RepositoryNotFoundError, "the hub has no such repository, or it is private and HF_TOKEN is not set"),
    (RevisionNotFoundError, "the hub has the repository, but not this revision"),
    (LocalEntryNotFoundError, f"this is neither a folder nor in the cache, and the hub is out of reach; {PREFETCH}"),
    (OfflineModeIsEnabled, f"not all of its weight files are in the cache, and the hub may not be asked; {PREFETCH}"),
)
"""What the hub's errors mean, narrow ones before wide ones."""
HUB_FAILURES = (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError, RuntimeError)
"""All that the hub's client raises where something cannot be had; hf_xet raises RuntimeError, and no subclass of it."""


@contextlib.contextmanager
def hub_errors(where: str, known: Iterable[tuple[type[Exception], str]] = HUB_ERRORS) -> Iterator[None]:
    """Turns the errors of the hub's client into one line each, such as `backbone 'google/mt5-small': …`.

    Raises:
        NetworkError: The network failed, or the hub.
        ModulesError: The hub has no such thing, or refuses it.
    """
    try:
        yield
    except HUB_FAILURES as error:
        if isinstance(error, RuntimeError) and type(error) is not RuntimeError:
            raise  # NotImplementedError, RecursionError: a mistake in the code
        reason = _reason(error, known)
        if _network_failed(error):
            raise NetworkError(f"{where}: {reason}") from error
        raise ModulesError(f"{where}: {reason}") from error


def _reason(error: Exception, known: Iterable[tuple[type[Exception], str]]) -> str:
    """Says in one line what an error of the hub's client means: the first of what is known, else its own words."""
    reasons = (reason for kind, reason in known if isinstance(error, kind))
    return next(reasons, (str(error).strip() or type(error).__name__).splitlines()[0])


def _network_failed(error: Exception) -> bool:
    """Says whether an error of the hub's client may be gone later: the hub is out of reach, overloaded or broken."""
    if isinstance(error, LocalEntryNotFoundError):  # raised where neither the hub nor the cache has a file
        return not constants.HF_HUB_OFFLINE
    if isinstance(error, HfHubHTTPError):
        status = getattr(error.response, "status_code", None)
        return status is None or status in (408, 429) or status >= 500
    return isinstance(error, requests.RequestException) or type(error) is RuntimeError  # of hf_xet
