"""A real SLURM cluster of two nodes with two cores each, all on this machine, and tools to watch its jobs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from framework.slurm import script
from framework.slurm.cluster import queue
from framework.slurm.status import Status, statuses
from tests.framework.conftest import finished_run, modulingua, shared_files, wide, workspace
from tests.framework.tiny import ROOT, Workspace

__all__ = ["finished_run", "modulingua", "shared_files", "wide", "workspace"]

NODES, CORES = 2, 2
DAEMONS = ("slurmctld", "slurmd", "munged", "sbatch")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.slurm)


def start_cluster(real_data: Path) -> Path:
    """Starts a cluster and returns its folder; with `ACCT=1` in the environment it keeps accounts."""
    start = real_data.parent / "slurm" / "start_cluster.sh"
    if not start.is_file():
        pytest.skip(f"no script that starts a SLURM cluster at {start}")
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    if missing := [program for program in DAEMONS if shutil.which(program, path=path) is None]:
        pytest.skip(f"SLURM is not installed: no {', '.join(missing)} (make test-slurm installs it)")
    folder = Path(tempfile.mkdtemp(prefix="modulingua-slurm-"))
    folder.chmod(0o755)  # munge wants a path that everybody may pass
    started = subprocess.run([start, folder, str(NODES), str(CORES)], capture_output=True, text=True)
    assert started.returncode == 0, started.stderr
    return folder


def stop_cluster(real_data: Path, folder: Path) -> None:
    subprocess.run([real_data.parent / "slurm" / "stop_cluster.sh", folder], check=True)
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def cluster(real_data: Path) -> Iterator[Path]:
    """A cluster that starts before the first test that needs it; its folder."""
    folder = start_cluster(real_data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
        yield folder
    stop_cluster(real_data, folder)


@pytest.fixture(autouse=True)
def at_the_cluster(cluster: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Jobs find the packages and one thread each, and none outlives its test."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    yield
    if jobs := {entry.job for entry in queue()}:
        slurm("scancel", *jobs)
        wait_until(lambda: not queue())


def slurm(*command: str) -> str:
    """Calls one of Slurm's commands and returns what it printed."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def wait_until(happened: Callable[[], object], seconds: float = 240) -> None:
    """Waits until something happened."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "\n".join([f"not within {seconds} s; the queue is", *map(str, queue())])
        time.sleep(0.1)


def ended(seconds: float = 240) -> None:
    """Waits until no job is left."""
    wait_until(lambda: not queue(), seconds)


def status_of(workspace: Workspace, changes: dict[str, object]) -> dict[str, Status]:
    """Returns how the stages fare, by kind and title."""
    return {f"{row.kind} · {row.title}": row for row in statuses(workspace.plan(changes), queue())}


@pytest.fixture
def pretend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a shell script in the place of Python in the jobs of the next launch."""

    def put(text: str) -> None:
        stub = tmp_path / "python"
        stub.write_text(f"#!/bin/bash\nreal={sys.executable}\n{text}\n")
        stub.chmod(0o755)
        monkeypatch.setattr(script.sys, "executable", str(stub))

    return put
