"""Answers of the hub that are nonsense: HTML, binary, empty, cut short, none; for the list of files and for files.

What may be gone later is a failure of the network, with its own exit code; nothing of it stays in the cache.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.hostile.case import DONE, REFUSED, Case
from tests.hostile.world import World
from tests.hub_server import Fault, Repository, hub_server, use_hub

UNAVAILABLE = frozenset({69})
LANGUAGES = ("eng_Latn", "hau_Latn")
GOOD = {
    f"data/{language}/{split}.tsv": (
        "index_id\tcategory\ttext\n"
        + "".join(f"{n}\t{topic}\ta text\n" for n, topic in enumerate(["travel", "health"] * 4))
    ).encode()
    for language in LANGUAGES
    for split in ("train", "dev", "test")
}
SHA = "a" * 40

BODIES: Mapping[str, bytes] = {
    "HTML": b"<!doctype html><html><title>Sign in</title></html>",
    "nothing": b"",
    "binary": bytes(range(256)) * 40,
    "no JSON": b"{",
    "deep JSON": b"[" * 100_000,
    "a list": b"[]",
    "a number": b"5",
    "no commit": b'{"id": "Davlan/sib200", "siblings": []}',
    "a commit that is a path": json.dumps({"id": "x", "sha": "../../..", "siblings": []}).encode(),
    "files of another type": json.dumps({"id": "x", "sha": SHA, "siblings": 5}).encode(),
    "a file without a name": json.dumps({"id": "x", "sha": SHA, "siblings": [{}]}).encode(),
    "a name of another type": json.dumps({"id": "x", "sha": SHA, "siblings": [{"rfilename": 5}]}).encode(),
}
"""Whole answers to the request for the list of files."""
STATUSES = (408, 429, 500, 502, 503, 504)
REDIRECTS = ("nowhere://x", "http://", "http://[", "http://127.0.0.1:9/x", "/api/datasets/Davlan/sib200", "")
READMES: Mapping[str, bytes] = {
    "no YAML": b"---\na: [\n---\n",
    "a list": b"---\n- a\n---\n",
    "deep sequences": b"---\na:\n" + b"- " * 200_000 + b"\n---\n",
    "deep": b"---\na: " + b"[" * 20_000 + b"\n---\n",
    "an object of Python": b"---\na: !!python/object/apply:os.system ['touch owned']\n---\n",
    "files elsewhere": b"---\nconfigs: [{config_name: eng_Latn, data_files: 'https://x.org/a.tsv'}]\n---\n",
}
HARMLESS: Mapping[str, bytes] = {
    "binary": bytes(range(256)) * 40,
    "anchors of anchors": b"---\na: &a [x,x,x,x,x,x,x,x,x]\n"
    + b"".join(
        f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n".encode() for old, new in zip("abcdefg", "bcdefgh", strict=True)
    )
    + b"configs: *h\n---\n",
    "files of another type": b"---\nconfigs: {a: 5}\n---\n",
    "configs without names": b"---\nconfigs: [{data_files: {a: 5}}, 7, null]\n---\n",
}


def cases(world: World) -> Iterator[Case]:
    """Yields the cases of the family."""
    case = partial(_case, _experiment(world))
    yield case("a good hub", codes=DONE)
    for name, body in BODIES.items():
        yield case(f"list of files: {name}", _answering(200, body, "/api/"))
    for status in STATUSES:
        yield case(f"list of files: {status}", _answering(status, b"", "/api/"), says=(f"the hub answers {status}",))
        yield case(f"a file: {status}", _answering(status, b"", "/resolve/"), says=(f"the hub answers {status}",))
    yield case("a day's pause", _answering(429, b"", "/api/", **{"Retry-After": "86400"}))
    for place in REDIRECTS:
        yield case(f"redirect to {place or 'nothing'}", _answering(302, b"", "/api/", Location=place))
    for name in ("HTML", "nothing", "binary"):
        yield case(f"a file: {name}", _answering(200, BODIES[name], "test.tsv"))
    for name, only in {"list of files": "/api/", "a file": "/resolve/"}.items():
        yield case(f"{name}: no answer", partial(_silent, only))
        yield case(f"{name}: the connection is closed", partial(_closed, only))
        yield case(f"{name}: cut short", partial(_cut_short, only))
    for name, readme in READMES.items():
        yield case(f"README: {name}", files={"README.md": readme}, codes=REFUSED)
    for name, readme in HARMLESS.items():
        yield case(f"README: {name}", files={"README.md": readme}, codes=DONE)
    for path in (
        "../../../../owned.tsv",
        "/owned.tsv",
        "data/../../../../../owned.tsv",
        "a\nb.tsv",
        "x" * 300 + ".tsv",
    ):
        yield case(f"a path such as {path[:20]!r}", files={path: b"x"}, codes=DONE, never=("owned",))
    for name in ("binary", "HTML", "nothing"):
        yield case(f"parquet: {name}", files=_parquet(BODIES[name]), codes=REFUSED, says=("train.parquet",))


def _case(
    text: str,
    name: str,
    fault: Fault | None = None,
    *,
    files: Mapping[str, bytes] | None = None,
    codes: frozenset[int] = UNAVAILABLE,
    **checks: Any,
) -> Case:
    served = (files or {}) if files is not None and "data/eng_Latn/train.parquet" in files else GOOD | dict(files or {})
    setup = partial(_serve, repository=Repository("datasets", "Davlan/sib200", [served]), fault=fault)
    command = ["plan", "e.yaml", "--data"]
    return Case(name, command, {"e.yaml": text}, setup, codes=codes, writes=True, **checks)


def _experiment(world: World) -> str:
    settings = world.settings()
    settings["combination"]["language"] = {}
    settings["stages"] = {"task": {"training": settings["stages"]["task"]["training"], "batch_size": 4}}
    settings["data"] = {"name": "sib200", "max_length": 24}
    settings["languages"] = {"source": [LANGUAGES[0]], "targets": [LANGUAGES[1]]}
    return yaml.safe_dump(settings, sort_keys=False)


def _parquet(content: bytes) -> dict[str, bytes]:
    return {
        f"data/{language}/{split}.parquet": content
        for language in LANGUAGES
        for split in ("train", "validation", "test")
    }


def _serve(folder: Path, *, repository: Repository, fault: Fault | None) -> None:
    """Makes this process's hub one that answers so, and its patience short; the cache is in the case's folder."""
    from datamodules.sources import hub_requests
    from framework.system import network

    server = hub_server([repository], fault=fault)
    endpoint = server.__enter__()
    _SERVERS.append(server)
    use_hub(endpoint, folder / "cache", pytest.MonkeyPatch())
    network.FIRST_PAUSE = 0.001
    hub_requests.TIMEOUT = 0.1


_SERVERS: list[Any] = []
"""Held, so that they go on serving."""


def _answering(status: int, body: bytes, only: str, **headers: str) -> Fault:
    return partial(_answer, status, body, only, headers)


def _answer(status: int, body: bytes, only: str, headers: Mapping[str, str], handler: BaseHTTPRequestHandler) -> bool:
    if only not in handler.path:
        return False
    handler.send_response(status)
    for name, value in ({"Content-Length": str(len(body))} | dict(headers)).items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)
    return True


def _silent(only: str, handler: BaseHTTPRequestHandler) -> bool:
    if only in handler.path:
        time.sleep(2)
        handler.close_connection = True
    return only in handler.path


def _closed(only: str, handler: BaseHTTPRequestHandler) -> bool:
    handler.close_connection = only in handler.path
    return only in handler.path


def _cut_short(only: str, handler: BaseHTTPRequestHandler) -> bool:
    if only in handler.path:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b"x")
        handler.close_connection = True
    return only in handler.path
