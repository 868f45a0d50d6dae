"""A W&B server on loopback that the real client takes for one, as far as one run's upload goes.

    with WandbServer() as server:
        monkeypatch.setenv(...)  # all of server.environment(folder)
        ...
    run = server.runs["7f3a"]
    assert run.config["seed"] == 0

It knows the operations that the client needs for a run with curves, a summary, a table and artifacts that it logs and
uses. An operation or a path that it does not know is answered with nothing and noted in `unknown`: a test should find
that empty.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

Fields = dict[str, Any]

ENTITY = "team"
HISTORY, SUMMARY = "wandb-history.jsonl", "wandb-summary.json"


@dataclass
class ServedRun:
    """What was uploaded of one run."""

    project: str
    name: str
    fields: Fields = field(default_factory=dict)
    """The variables of the last UpsertBucket that were not null: displayName, groupName, jobType, tags …"""
    lines: dict[str, dict[int, str]] = field(default_factory=dict)
    """For each streamed file its lines by number."""
    files: dict[str, bytes] = field(default_factory=dict)
    exit_codes: list[int] = field(default_factory=list)
    preempting: bool = False
    """Whether its last attempt said that it would be preempted."""
    uses: list[str] = field(default_factory=list)
    """Names of the artifacts that it stands on."""

    @property
    def config(self) -> Fields:
        return {key: entry["value"] for key, entry in json.loads(self.fields.get("config", "{}")).items()}

    @property
    def history(self) -> list[Fields]:
        lines = self.lines.get(HISTORY, {})
        return [json.loads(lines[number]) for number in sorted(lines)]

    @property
    def summary(self) -> Fields:
        lines = self.lines.get(SUMMARY, {})
        return json.loads(lines[max(lines)]) if lines else {}


@dataclass
class ServedArtifact:
    """What was uploaded of one version of an artifact."""

    identity: str
    fields: Fields
    """The input of CreateArtifact: artifactTypeName, digest, metadata …"""
    files: dict[str, bytes] = field(default_factory=dict)
    committed: bool = False

    @property
    def name(self) -> str:
        return (self.fields.get("artifactCollectionNames") or [self.fields.get("artifactCollectionName")])[0]


class WandbServer:
    """The server; use it as a context."""

    def __init__(self) -> None:
        self.entity = ENTITY
        """Of whoever is logged in."""
        self.runs: dict[str, ServedRun] = {}
        self.operations: list[str] = []
        self.received: list[tuple[str, bytes]] = []
        """Path and body of each request."""
        self.unknown: list[str] = []
        self.broken: str | None = None
        """Paths that begin so are answered with an internal error; "/" for all."""
        self.silent = False
        """Whether requests get no answer, until this is over."""
        self.slow: str | None = None
        """Requests of paths that begin so get no answer, until this is over."""
        self.nonsense: bytes | None = None
        """What every request is answered with instead, as if it were JSON."""
        self.deleted: set[str] = set()
        """Ids of runs that were deleted: they can never be used again."""
        self._artifacts: dict[str, ServedArtifact] = {}
        self._lock = threading.Lock()
        self._http = _HttpServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> WandbServer:
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def environment(self, folder: Path) -> dict[str, str]:
        """Returns the variables that send a client here and keep it away from the user's own files."""
        return {
            "WANDB_BASE_URL": self.url,
            "WANDB_API_KEY": "0123456789" * 4,
            "WANDB_CONFIG_DIR": str(folder / "config"),
            "WANDB_CACHE_DIR": str(folder / "cache"),
            "WANDB_ERROR_REPORTING": "false",
            "no_proxy": "127.0.0.1",
            "NO_PROXY": "127.0.0.1",
        }

    @property
    def artifacts(self) -> dict[str, ServedArtifact]:
        """All artifacts that are whole, by name; a second version would be an error of ours."""
        whole = [artifact for artifact in self._artifacts.values() if artifact.committed]
        found = {artifact.name: artifact for artifact in whole}
        assert len(found) == len(whole), "an artifact has several versions"
        return found

    def forget_artifacts(self) -> None:
        """Does as if no artifact was ever uploaded."""
        self._artifacts.clear()

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        """Returns the status and the JSON for one request, or bytes as they are."""
        self.received.append((path, body))
        while self.silent or (self.slow and path.startswith(self.slow)):
            time.sleep(0.05)
        with self._lock:
            if self.nonsense is not None:
                return 200, self.nonsense
            if self.broken and path.startswith(self.broken):
                return 500, {"errors": [{"message": "out of order"}]}
            if path == "/graphql":
                query = json.loads(body)
                [name] = re.findall(r"\b(?:query|mutation)\s+(\w+)", query["query"])[:1]
                if name == "UpsertBucket" and query["variables"]["name"] in self.deleted:
                    return 409, self._refuse_deleted(query["variables"])
                return 200, {"data": self._operation(name, query.get("variables") or {})}
            if upload := re.fullmatch(r"/upload/run/([^/]+)/(.+)", path):
                self.runs[upload[1]].files[upload[2]] = body
                return 200, {}
            if stream := re.fullmatch(r"/files/[^/]+/[^/]+/([^/]+)/file_stream", path):
                return 200, self._stream(self.runs[stream[1]], json.loads(body))
            if upload := re.fullmatch(r"/upload/artifact/([^/]+)/(.+)", path):
                self._artifacts[upload[1]].files[upload[2]] = body
                return 200, {}
            if not path.startswith(("/upload/manifest/", "/sdk/otel/")):
                self.unknown.append(f"{method} {path}")
            return 200, {}

    def _operation(self, name: str, variables: Fields) -> Fields:
        self.operations.append(name)
        known: dict[str, Callable[[Fields], Fields]] = {
            "GetDefaultEntity": lambda _: {"viewer": {"id": "1", "entity": self.entity}},
            "Viewer": lambda _: {"viewer": {"id": "1", "entity": self.entity, "username": self.entity, "flags": "{}"}},
            "ServerFeaturesQuery": lambda _: {"serverInfo": {"features": []}},
            "OrganizationCoreWeaveOrganizationID": lambda _: {"entity": {"organization": None}},
            "RunResumeStatus": self._resume_status,
            "UpsertBucket": self._upsert,
            "CreateRunFiles": self._create_files,
            "ArtifactType": self._artifact_type,
            "ArtifactMembershipByName": self._membership,
            "UseArtifact": self._use,
            "CreateArtifact": self._create_artifact,
            "CreateArtifactManifest": self._create_manifest,
            "UpdateArtifactManifest": self._create_manifest,
            "CreateArtifactFiles": self._create_artifact_files,
            "CommitArtifact": self._commit,
        }
        if name not in known:
            self.unknown.append(name)
            return {}
        return known[name](variables)

    def _project(self, name: str) -> Fields:
        return {"id": "p", "internalId": "p", "name": name, "entity": {"id": "e", "name": self.entity}}

    def _resume_status(self, variables: Fields) -> Fields:
        run = self.runs.get(variables["name"])
        if run:
            run.preempting = False
        bucket = run and {
            "id": run.name,
            "name": run.name,
            "config": run.fields.get("config", "{}"),
            "summaryMetrics": json.dumps(run.summary),
            "tags": run.fields.get("tags") or [],
            "historyLineCount": len(run.history),
            "eventsLineCount": 0,
            "logLineCount": 0,
            "historyTail": json.dumps([json.dumps(row) for row in run.history[-1:]]),
            "eventsTail": "[]",
            "wandbConfig": '{"t": 1}',
        }
        return {"model": {**self._project(variables["project"]), "bucket": bucket}}

    def _upsert(self, variables: Fields) -> Fields:
        name = variables["name"]
        new = name not in self.runs
        run = self.runs.setdefault(name, ServedRun(variables["project"], name))
        run.fields |= {key: value for key, value in variables.items() if value is not None}
        bucket = {
            "id": name,
            "name": name,
            "displayName": run.fields.get("displayName"),
            "config": run.fields.get("config", "{}"),
            "historyLineCount": len(run.history),
            "project": self._project(run.project),
        }
        return {"upsertBucket": {"bucket": bucket, "inserted": new}}

    def _refuse_deleted(self, variables: Fields) -> Fields:
        """What W&B's own server says, by github.com/wandb/wandb/issues/4948 and mozilla/translations/issues/875."""
        run = f"{self.entity}/{variables['project']}/{variables['name']}"
        message = f"run {run} was previously created and deleted; try a new run name"
        return {"errors": [{"message": message, "path": ["upsertBucket"]}], "data": {"upsertBucket": None}}

    def _create_files(self, variables: Fields) -> Fields:
        name = variables["run"]
        files = [{"name": file, "uploadUrl": f"{self.url}/upload/run/{name}/{file}"} for file in variables["files"]]
        return {"createRunFiles": {"runID": name, "uploadHeaders": [], "files": files}}

    def _find(self, name: str) -> ServedArtifact | None:
        return self.artifacts.get(name.partition(":")[0])

    def _artifact_type(self, variables: Fields) -> Fields:
        found = self._find(variables["name"])
        artifact = found and {"artifactType": {"name": found.fields["artifactTypeName"]}}
        return {"project": {"artifact": artifact}}

    def _membership(self, variables: Fields) -> Fields:
        found = self._find(variables["name"])
        if found is None:
            return {"project": {"artifactCollectionMembership": None}}
        collection = {
            "__typename": "ArtifactSequence",
            "name": found.name,
            "project": self._project(variables["project"]),
        }
        alias = {"__typename": "ArtifactAlias", "id": "a", "alias": "latest", "artifactCollection": collection}
        artifact = {
            "__typename": "Artifact",
            "id": found.identity,
            "artifactSequence": collection,
            "versionIndex": 0,
            "artifactType": {"name": found.fields["artifactTypeName"]},
            "description": None,
            "metadata": found.fields.get("metadata") or "{}",
            "ttlDurationSeconds": -2,
            "ttlIsInherited": False,
            "tags": [],
            "historyStep": None,
            "state": "COMMITTED",
            "size": sum(map(len, found.files.values())),
            "digest": found.fields["digest"],
            "digestAlgorithm": "MANIFEST_MD5",
            "commitHash": found.identity,
            "fileCount": len(found.files),
            "createdAt": "2026-01-01T00:00:00Z",
            "updatedAt": None,
            "aliases": [alias],
        }
        membership = {
            "__typename": "ArtifactCollectionMembership",
            "id": "m",
            "versionIndex": 0,
            "createdAt": "2026-01-01T00:00:00Z",
            "aliases": [alias],
            "artifactCollection": collection,
            "artifact": artifact,
        }
        return {"project": {"artifactCollectionMembership": membership}}

    def _use(self, variables: Fields) -> Fields:
        asked = variables.get("input") or variables
        self.runs[asked["runName"]].uses.append(self._artifacts[asked["artifactID"]].name)
        return {"useArtifact": {"artifact": {"id": asked["artifactID"]}}}

    def _create_artifact(self, variables: Fields) -> Fields:
        asked = ServedArtifact(f"artifact{len(self._artifacts)}", variables["input"])
        same = [
            artifact
            for artifact in self._artifacts.values()
            if (artifact.name, artifact.fields["digest"]) == (asked.name, asked.fields["digest"])
        ]
        artifact = same[0] if same else asked
        self._artifacts[artifact.identity] = artifact
        state = "COMMITTED" if artifact.committed else "PENDING"
        created = {"id": artifact.identity, "state": state, "artifactSequence": {"latestArtifact": None}}
        return {"createArtifact": {"artifact": created}}

    def _create_manifest(self, variables: Fields) -> Fields:
        file = {"id": "f", "uploadUrl": f"{self.url}/upload/manifest/m", "uploadHeaders": []}
        manifest = {"artifactManifest": {"id": "m", "file": file}}
        return {"createArtifactManifest": manifest, "updateArtifactManifest": manifest}

    def _create_artifact_files(self, variables: Fields) -> Fields:
        edges = [
            {
                "node": {
                    "storagePath": spec["name"],
                    "uploadUrl": f"{self.url}/upload/artifact/{spec['artifactID']}/{spec['name']}",
                    "uploadHeaders": [],
                    "artifact": {"id": spec["artifactID"]},
                }
            }
            for spec in variables["input"]["artifactFiles"]
        ]
        return {"createArtifactFiles": {"files": {"edges": edges}}}

    def _commit(self, variables: Fields) -> Fields:
        artifact = self._artifacts[variables["artifactID"]]
        artifact.committed = True
        return {"commitArtifact": {"artifact": {"id": artifact.identity, "digest": artifact.fields["digest"]}}}

    def _stream(self, run: ServedRun, posted: Fields) -> Fields:
        for name, chunk in (posted.get("files") or {}).items():
            lines = run.lines.setdefault(name, {})
            lines |= {chunk["offset"] + number: line for number, line in enumerate(chunk["content"])}
        run.preempting |= bool(posted.get("preempting"))
        if posted.get("complete"):
            run.exit_codes.append(posted["exitcode"])
        return {"exitcode": None, "limits": {}}


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Says nothing of a client that ends without closing its connections; other errors are shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def _handler(server: WandbServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            status, answer = server.answer(self.command, unquote(urlsplit(self.path).path), body)
            content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = _serve  # noqa: N815

        def log_message(self, format: str, *arguments: object) -> None:
            """Keeps the test's output clean."""

    return Handler
