"""Limits on submitted jobs, on a cluster that keeps accounts and enforces them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from framework.slurm.cluster import queue
from tests.framework.conftest import Modulingua
from tests.framework.tiny import Workspace
from tests.slurm.conftest import slurm, start_cluster, stop_cluster, wait_until

WAITING = {
    "combination.language": {},
    "seeds": [0, 1, 2, 3],
    "slurm.extra": ["--begin=now+1hour"],
    "slurm.check_data": False,
}
"""A change: nine elements, all of which wait."""


@pytest.fixture(scope="module", autouse=True)
def accounts(real_data: Path) -> Iterator[None]:
    """A cluster of its own, with `slurmdbd`; its user has an account `lab` and may use a QOS `tight`."""
    if missing := [name for name in ("slurmdbd", "mariadbd") if shutil.which(name, path="/usr/sbin:/usr/bin") is None]:
        pytest.skip(f"no accounts: {', '.join(missing)} is not installed (make test-slurm installs it)")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACCT", "1")
        folder = start_cluster(real_data)
        patch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
        try:
            with (folder / "slurm.conf").open("a") as settings:
                settings.write("AccountingStorageEnforce=associations,limits,qos\n")
            os.kill(int((folder / "run/slurmctld.pid").read_text()), signal.SIGTERM)
            wait_until(lambda: not (folder / "run/slurmctld.pid").exists())
            subprocess.run(["slurmctld"], check=True, env=os.environ | {"PATH": f"{os.environ['PATH']}:/usr/sbin"})
            manage("add", "account", "lab")
            manage("add", "user", user(), "account=lab")
            manage("add", "qos", "tight")
            manage("modify", "qos", "tight", "set", "MaxSubmitJobsPerUser=3")
            manage("modify", "user", user(), "where", "account=lab", "set", "qos+=tight", "MaxSubmitJobs=6")
            yield
        finally:
            stop_cluster(real_data, folder)


def user() -> str:
    return slurm("id", "--user", "--name").strip()


def manage(*words: str) -> None:
    slurm("sacctmgr", "--immediate", *words)


def elements() -> dict[str, int]:
    """Returns how many elements of each array wait."""
    return dict(Counter(entry.script.stem for entry in queue()))


def test_what_fits_is_submitted_in_the_order_of_the_plan(workspace: Workspace, modulingua: Modulingua) -> None:
    file = workspace.write({**WAITING, "slurm.account": "lab"})
    answer = modulingua("launch", file)
    assert (answer.code, answer.err) == (0, "")
    assert elements() == {"task": 4, "evaluate": 2}
    assert "submitted: 6 of 9 array elements" in answer.out
    assert "MaxSubmitJobs=6 of account lab" in answer.out
    full = modulingua("launch", file)
    assert full.code == 2
    assert full.err.startswith("nothing was submitted: MaxSubmitJobs=6 of account lab, 6 of them in use")
    slurm("scancel", *{entry.job for entry in queue() if entry.script.stem == "evaluate"})
    wait_until(lambda: elements() == {"task": 4})
    again = modulingua("launch", file)
    assert elements() == {"task": 4, "evaluate": 2}
    assert "not submitted again: 4 stages" in again.out


def test_a_limit_of_a_qos(workspace: Workspace, modulingua: Modulingua) -> None:
    answer = modulingua("launch", workspace.write({**WAITING, "slurm.account": "lab", "slurm.qos": "tight"}))
    assert elements() == {"task": 3}
    assert "MaxSubmitJobsPerUser=3 of QOS tight" in answer.out


def test_a_limit_that_only_sbatch_knows(
    workspace: Workspace, modulingua: Modulingua, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("framework.slurm.cluster.associations", list)
    answer = modulingua("launch", workspace.write({**WAITING, "slurm.account": "lab"}))
    assert (answer.code, answer.err) == (0, "")
    assert elements() == {"task": 4, "evaluate": 2}
    assert "sbatch: error: AssocMaxSubmitJobLimit" in answer.out


def test_several_stages_in_one_element_fit(workspace: Workspace, modulingua: Modulingua) -> None:
    answer = modulingua("launch", workspace.write({**WAITING, "slurm.account": "lab", "slurm.per_job": 2}))
    assert elements() == {"task": 2, "evaluate": 2, "table": 1}
    assert "limit" not in answer.out


def test_another_cluster_is_named_to_all_commands(
    workspace: Workspace, modulingua: Modulingua, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_CLUSTERS", "test")  # the name of this one
    file = workspace.write({**WAITING, "seeds": [0]})
    assert modulingua("launch", file).code == 0
    assert elements() == {"task": 1, "evaluate": 1, "table": 1}
    assert "queued" in modulingua("status", file).out
    assert modulingua("cancel", file).code == 0
    wait_until(lambda: not queue())
    with monkeypatch.context() as patch:
        patch.setenv("SLURM_CLUSTERS", "nowhere")
        answer = modulingua("launch", file)
    assert answer.code == 2
    assert "nowhere" in answer.err
