"""How failed requests to the hub are repeated: with growing pauses, and no sooner than the hub allows."""

import re
import sys
from typing import Any, ClassVar, Self

import requests
from huggingface_hub import configure_http_backend, constants
from huggingface_hub.utils import logging
from requests.adapters import HTTPAdapter
from typing_extensions import override
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import InvalidHeader, MaxRetryError, ResponseError
from urllib3.util.retry import Retry

from framework.system.signals import pause

TRIES = 7
"""Number of attempts before a request has failed."""
FIRST_PAUSE = 1.0
"""Seconds before the second attempt. Each further pause is twice as long, unless the hub demands a longer one."""
LONGEST_PAUSE = 600.0
"""Seconds. The hub counts requests in windows of five minutes; if it demands a longer pause, the command ends."""
TIMEOUT = 30.0
"""Seconds without an answer after which a request has failed, if the client sets no limit itself."""
TEMPORARY = frozenset({408, 429, 500, 502, 503, 504})
"""Status codes of requests that may succeed later."""


def retry_requests() -> None:
    """Makes the hub's client repeat failed requests, for all its users in this process."""
    if constants.HF_HUB_OFFLINE:
        return  # its own backend then refuses every request
    _Retry.has_given_up = False
    configure_http_backend(_session)
    # The client reports its repetitions with long URLs; ours are reported here.
    logging.get_logger("huggingface_hub.utils._http").setLevel("ERROR")


def _session() -> requests.Session:
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter(max_retries=_Retry(total=TRIES - 1, raise_on_status=False)))
    return session


class _Retry(Retry):
    """Repeats a request, and prints why and when."""

    has_given_up: ClassVar[bool] = False
    """Whether the last request failed finally. The client repeats such requests itself; these must not wait again."""

    @override
    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
        # At 429 (too many requests) the hub has not processed an upload, which can be repeated too.
        return status_code == 429 or (status_code in TEMPORARY and self._is_method_retryable(method))

    @override
    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: Any = None,
        _stacktrace: Any = None,
    ) -> Self:
        try:
            if _Retry.has_given_up or self._demanded_pause(response) > LONGEST_PAUSE:
                raise MaxRetryError(_pool, url or "", error or ResponseError("given up"))
            return super().increment(method, url, response, error, _pool, _stacktrace)
        except MaxRetryError:
            _Retry.has_given_up = True
            raise

    @override
    def sleep(self, response: BaseHTTPResponse | None = None) -> None:
        failures = len(self.history)
        seconds = max(FIRST_PAUSE * 2 ** (failures - 1), self._demanded_pause(response))
        error = self.history[-1].error
        # The messages begin with names of classes and objects.
        reason = f"HTTP {response.status}" if response else str(error).rpartition(": ")[2]
        next_try = f"try {failures + 1} of {TRIES} in {seconds:.0f} s"
        print(f"a request to the hub failed ({reason}): {next_try}", file=sys.stderr, flush=True)
        pause(seconds, "while it waited for the hub")

    def _demanded_pause(self, response: BaseHTTPResponse | None) -> float:
        """Reads `Retry-After`, or the hub's own `RateLimit: "api";r=0;t=55`, in seconds."""
        headers = response.headers if response else {}
        limit = re.search(r";\s*t=(\d{1,9})", headers.get("RateLimit", ""))
        try:
            return self.parse_retry_after(headers.get("Retry-After", limit[1] if limit else "0"))
        except InvalidHeader:
            return 0.0


class _Adapter(HTTPAdapter):
    @override
    def send(self, request: requests.PreparedRequest, *args: Any, **settings: Any) -> requests.Response:
        settings["timeout"] = settings.get("timeout") or TIMEOUT
        response = super().send(request, *args, **settings)
        if response.status_code not in TEMPORARY:
            _Retry.has_given_up = False
        return response
