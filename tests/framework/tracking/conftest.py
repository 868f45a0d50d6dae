from __future__ import annotations

import os
import re
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from framework.tracking import live_tracker
from tests.framework.conftest import workspace_in
from tests.framework.tiny import ROOT, Workspace
from tests.wandb_server import WandbServer

wandb = pytest.importorskip("wandb")

SECRETS = {"WANDB_API_KEY": "0123456789" * 4, "HF_TOKEN": "hf_" + "secret" * 5}
"""What must never be found in a file."""
USER = "nobody-of-whom-to-tell"
PLACES = (str(ROOT), tempfile.gettempdir())
"""Where code, data, models and runs of the tests lie."""
QUICK = {
    "stages.language.training.steps": 30,
    "stages.task.training.steps": 20,
    "stages.task.validate_every": 10,
    "tracking": {"mode": "online", "project": "transfer", "tags": ["first", "second"]},
}
"""The tiny experiment with curves of some points, tracked."""
OFFLINE = QUICK | {"tracking": QUICK["tracking"] | {"mode": "offline"}}  # type: ignore[operator]


@pytest.fixture(scope="package", autouse=True)
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keeps the client away from the user's own files, and his keys away from the tests."""
    folder = tmp_path_factory.mktemp("client")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("WANDB_")]:
            patch.delenv(name)
        for name, value in SECRETS.items():
            patch.setenv(name, value)
        for name in ("LOGNAME", "USER"):
            patch.setenv(name, USER)
        patch.setenv("WANDB_CONFIG_DIR", str(folder / "config"))
        patch.setenv("WANDB_CACHE_DIR", str(folder / "cache"))
        patch.setenv("WANDB_ERROR_REPORTING", "false")
        patch.setenv("NETRC", str(folder / "netrc"))
        for name in ("no_proxy", "NO_PROXY"):
            patch.setenv(name, "127.0.0.1")
        patch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")  # nobody there: W&B's own server is never asked
        yield folder


@pytest.fixture(autouse=True)
def fresh_client() -> Iterator[None]:
    """Lets each test start the client anew: a session keeps the environment in which it began."""
    restart()
    yield
    restart()


def restart() -> None:
    """Does as if the process began."""
    wandb.teardown()
    live_tracker._failures.clear()
    live_tracker._late.clear()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[WandbServer]:
    with WandbServer() as running:
        monkeypatch.setenv("WANDB_BASE_URL", running.url)
        yield running
        wandb.teardown()
    assert running.unknown == []
    check_nothing_of_the_machine(running)


def check_nothing_of_the_machine(server: WandbServer) -> None:
    """Finds in nothing that a server got where things lie, what was typed, nor the names of machine and user.

    Only an artifact's manifest says where its files lay: W&B's client writes it.
    """
    quoted = rb'"%s\\*"' % re.escape(socket.gethostname().encode())  # short ones stand in other words
    pattern = re.compile(b"|".join([quoted, *(re.escape(word.encode()) for word in (USER, *PLACES))]))
    told = [(path, body) for path, body in server.received if not path.startswith("/upload/manifest/")]
    assert [(path, pattern.findall(body)) for path, body in told if pattern.search(body)] == []


@pytest.fixture(scope="package")
def offline(tmp_path_factory: pytest.TempPathFactory, shared_files: Path) -> Workspace:
    """A folder in which the tiny experiment was run offline. Tests leave it as it is."""
    workspace = workspace_in(tmp_path_factory.mktemp("offline"), shared_files)
    restart()
    workspace.run(OFFLINE)
    restart()
    return workspace


@pytest.fixture
def unsent(offline: Workspace, workspace: Workspace) -> Workspace:
    """A folder in which the tiny experiment was run offline, to be changed."""
    offline.copy_of(offline.folder / "store", str(workspace.folder / "store"))
    offline.copy_of(offline.folder / "runs", str(workspace.folder / "runs"))
    return workspace
