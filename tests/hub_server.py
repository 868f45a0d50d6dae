"""A small stand-in for the Hugging Face hub: enough of its HTTP interface for the real client libraries.

Use: `with hub_server([Repository("datasets", "owner/name", [{"README.md": b"..."}])]) as endpoint:`. Set
HF_ENDPOINT to the endpoint in the environment of a *new* process (the clients read it when they are imported)
and give that process an HF_HOME of its own. Who sends a token, whatever it is, may upload: repositories are added to
the list and commits to their lists.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import functools
import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

import huggingface_hub
import pytest
from huggingface_hub import constants, file_download


@dataclasses.dataclass(frozen=True)
class Repository:
    """A repository with one file tree per commit; `main` is the last of them."""

    kind: Literal["datasets", "models"]
    id: str
    commits: Sequence[Mapping[str, bytes]]
    branches: Mapping[str, Mapping[str, bytes]] = dataclasses.field(default_factory=dict)
    """Files of the single commit of each further branch, such as `refs/convert/parquet`."""

    def sha(self, number: int) -> str:
        """The name of a commit of `main`."""
        return self._sha(number % len(self.commits))

    def branch_sha(self, branch: str) -> str:
        """The name of the commit of another branch."""
        return self._sha(branch)

    def resolve(self, revision: str) -> tuple[str, Mapping[str, bytes]]:
        """Commit and files of a branch or commit, which may be shortened; KeyError if there is none."""
        files = {self.sha(number): commit for number, commit in enumerate(self.commits)}
        files |= {self.branch_sha(branch): commit for branch, commit in self.branches.items()}
        names = {"main": self.sha(-1), **{branch: self.branch_sha(branch) for branch in self.branches}}
        whole = [sha for sha in files if len(revision) >= 7 and sha.startswith(revision)]
        sha = names.get(revision, *whole) if len(whole) == 1 else names[revision]
        return sha, files[sha]

    def _sha(self, name: int | str) -> str:
        return hashlib.sha1(f"{self.kind}/{self.id}/{name}".encode()).hexdigest()


Fault = Callable[[BaseHTTPRequestHandler], bool]
"""Looks at a request and answers it otherwise than the hub would; returns whether it did."""


@contextlib.contextmanager
def hub_server(
    repositories: Sequence[Repository], requests: list[str] | None = None, fault: Fault | None = None
) -> Iterator[str]:
    """Serves repositories on a free port of this machine and gives the address.

    Args:
        repositories: What is served.
        requests: Takes up the method and the path of each request.
        fault: Sees each request first.
    """
    handler = functools.partial(_Handler, repositories, [] if requests is None else requests, fault)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def use_hub(endpoint: str, cache: Path, patch: pytest.MonkeyPatch) -> None:
    """Makes this process's client use a server and a cache of its own; what fails is not repeated."""
    huggingface_hub.configure_http_backend()  # a command that ran in this process may have set another
    huggingface_hub.HfFileSystem.clear_instance_cache()  # they keep the address with which they were made
    patch.setattr(constants, "ENDPOINT", endpoint)
    patch.setattr(constants, "HF_HUB_OFFLINE", False)
    patch.setattr(constants, "HF_HUB_CACHE", str(cache))
    patch.setattr(file_download, "HUGGINGFACE_CO_URL_TEMPLATE", endpoint + "/{repo_id}/resolve/{revision}/{filename}")


class _Missing(Exception):
    """Answered by status 404 with the hub's own word for what is missing."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(
        self, repositories: Sequence[Repository], requests: list[str], fault: Fault | None, *connection: Any
    ) -> None:
        self.repositories = repositories
        self.requests = requests
        self.fault = fault
        super().__init__(*connection)

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        if any(part in self.path for part in ("/repos/create", "/validate-yaml", "/preupload/", "/commit/")):
            self._take()
        else:
            self._answer()

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self.requests.append(f"{self.command} {self.path}")
        if self.fault is not None and self.fault(self):
            return
        parts = urlsplit(self.path)
        path = parts.path.strip("/")  # still quoted: a slash within the name of a branch is written %2F
        try:
            if path.startswith("api/"):
                self._api(path.removeprefix("api/"), parse_qs(parts.query), parse_qs(body))
            else:
                self._file(path)
        except _Missing as missing:
            self._send(404, b"{}", {"X-Error-Code": str(missing), "X-Error-Message": f"{missing}: {path}"})

    def _take(self) -> None:
        """Takes what a client uploads: a new repository, the look at its card, the files of a commit."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        path = unquote(urlsplit(self.path).path).strip("/").removeprefix("api/")
        assert isinstance(self.repositories, list)
        answer: dict[str, Any] = {"errors": [], "warnings": []}
        status = 200
        try:
            if "Authorization" not in self.headers:
                status, answer = 401, {"error": "Invalid username or password."}
            elif path == "repos/create":
                wanted = json.loads(body)
                name = f"{wanted['organization']}/{wanted['name']}"
                status = 409 if any(known.id == name for known in self.repositories) else 200
                if status == 200:
                    self.repositories.append(Repository("models", name, [{".gitattributes": b""}]))
                answer = {"url": f"http://{self.headers['Host']}/{name}"}
            elif path != "validate-yaml":
                repository, rest = self._repository(path)
                answer = self._upload(repository, rest.partition("/")[0], body)
        except _Missing as missing:
            self._send(404, b"{}", {"X-Error-Code": str(missing), "X-Error-Message": f"{missing}: {path}"})
            return
        self._send(status, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def _upload(self, repository: Repository, what: str, body: str) -> dict[str, Any]:
        if what == "preupload":
            files = [file["path"] for file in json.loads(body)["files"]]
            modes = {"uploadMode": "regular", "shouldIgnore": False}
            return {"files": [{"path": path, **modes} for path in files]}
        lines = [json.loads(line) for line in body.splitlines()]
        added = {
            line["value"]["path"]: base64.b64decode(line["value"]["content"]) for line in lines if line["key"] == "file"
        }
        assert isinstance(repository.commits, list)
        repository.commits.append({**repository.commits[-1], **added})
        sha = repository.sha(-1)
        return {
            "success": True,
            "commitOid": sha,
            "commitUrl": f"http://{self.headers['Host']}/{repository.id}/commit/{sha}",
        }

    def _api(self, path: str, query: dict[str, list[str]], form: dict[str, list[str]]) -> None:
        repository, rest = self._repository(path)
        what, _, rest = rest.partition("/")
        revision, _, below = rest.partition("/")
        sha, files = self._resolve(repository, unquote(revision) or "main")
        below = unquote(below)
        if what in ("", "revision"):
            answer: Any = {
                "_id": sha[:24],
                "id": repository.id,
                "sha": sha,
                "private": False,
                "gated": False,
                "disabled": False,
                "downloads": 0,
                "likes": 0,
                "tags": [],
                "lastModified": "2026-01-01T00:00:00.000Z",
                "siblings": [
                    {"rfilename": name, **({"size": len(content), "blobId": _oid(content)} if "blobs" in query else {})}
                    for name, content in files.items()
                ],
            }
        elif what == "tree":
            recursive = query.get("recursive", ["false"])[0].lower() in ("true", "1")
            answer = _entries(files, below, recursive)
            if below and not answer:
                raise _Missing("EntryNotFound")
        elif what == "paths-info":
            entries = {entry["path"]: entry for entry in _entries(files, "", recursive=True)}
            answer = [entries[name] for name in form.get("paths", []) if name in entries]
        else:
            raise _Missing("EntryNotFound")
        self._send(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def _file(self, path: str) -> None:
        kind = "datasets" if path.startswith("datasets/") else "models"
        repository, rest = self._repository(path if kind == "datasets" else f"{kind}/{path}")
        _, _, rest = rest.partition("resolve/")
        revision, _, name = rest.partition("/")
        sha, files = self._resolve(repository, unquote(revision))
        name = unquote(name)
        if name not in files:
            raise _Missing("EntryNotFound")
        content = files[name]
        headers = {"ETag": f'"{_oid(content)}"', "X-Repo-Commit": sha, "Accept-Ranges": "bytes"}
        wanted = self.headers.get("Range")
        if wanted is None:
            self._send(200, content, headers)
            return
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        start, end = int(first), min(int(last or len(content)), len(content) - 1)
        headers["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
        self._send(206, content[start : end + 1], headers)

    def _repository(self, path: str) -> tuple[Repository, str]:
        """The repository whose kind and id the path begins with, and the rest of the path."""
        for repository in self.repositories:
            address = f"{repository.kind}/{repository.id}"
            if f"{path}/".startswith(f"{address}/"):
                return repository, path.removeprefix(address).strip("/")
        raise _Missing("RepoNotFound")

    def _resolve(self, repository: Repository, revision: str) -> tuple[str, Mapping[str, bytes]]:
        try:
            return repository.resolve(revision)
        except KeyError:
            raise _Missing("RevisionNotFound") from None

    def _send(self, status: int, content: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _entries(files: Mapping[str, bytes], folder: str, recursive: bool) -> list[dict[str, Any]]:
    """Files and folders under a folder, as the hub lists them."""
    entries: dict[str, dict[str, Any]] = {}
    for path, content in files.items():
        below = path.removeprefix(f"{folder}/") if folder else path
        if folder and below == path:
            continue
        steps = below.split("/")
        for depth in range(1, len(steps)):
            name = "/".join([*([folder] if folder else []), *steps[:depth]])
            if recursive or depth == 1:
                entries[name] = {"type": "directory", "path": name, "oid": _oid(name.encode()), "size": 0}
        if recursive or len(steps) == 1:
            entries[path] = {"type": "file", "path": path, "oid": _oid(content), "size": len(content)}
    return list(entries.values())


def _oid(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()
