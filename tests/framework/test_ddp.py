"""Two processes come to what one does, from the command line on."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from framework.config.schema import TrainerConfig
from framework.errors import Unavailable, UserError
from framework.execution import execute, trainer
from framework.execution.runner import _Children
from framework.store.store import WEIGHTS
from framework.system.launchers import RANKS
from framework.system.signals import PARENT, is_child
from tests.framework import tiny
from tests.framework.conftest import Modulingua
from tests.framework.tiny import Workspace, command_line, outcome, runs

TWO = {"trainer.devices": 2, "languages.targets": ["swh_Latn"]}
"""The tiny experiment with one of its targets."""


def test_two_processes_come_to_what_one_does(
    workspace: Workspace, finished_run: Workspace, modulingua: Modulingua
) -> None:
    file = workspace.write(TWO)
    # What another launcher left in the shell assigns no rank to a process of ours.
    answer = command_line("run", file, LOCAL_RANK="1", NODE_RANK="1", WORLD_SIZE="8", MASTER_ADDR="nowhere")
    assert (answer.returncode, answer.stderr) == (0, "")
    heads = dict.fromkeys(line.split(" · ")[0] for line in answer.stdout.splitlines() if line.startswith("["))
    assert list(heads) == ["[1/3] language", "[2/3] task", "[3/3] evaluate"]
    assert all(line.isprintable() for line in answer.stdout.splitlines())

    plan = workspace.plan(TWO)
    assert plan.todo == []
    for stage in plan.of_kind("language") + plan.of_kind("task"):
        two, one = (load_file(place.store.path(stage.id) / WEIGHTS) for place in (workspace, finished_run))
        assert two.keys() == one.keys()
        for name, tensor in one.items():
            torch.testing.assert_close(
                two[name], tensor, rtol=1e-4, atol=1e-5, msg=lambda text, name=name: f"{name}: {text}"
            )
        assert workspace.store.passport(stage.id).made["command"] == f"modulingua run {file}"
        curves = [place.store.history(stage.id) for place in (workspace, finished_run)]
        for left, right in zip(*curves, strict=True):
            assert left == pytest.approx(right, abs=1e-4)

    [two_run], [one_run] = runs(plan), runs(finished_run.plan())
    assert two_run.path.name == one_run.path.name
    two_found, one_found = outcome(two_run), outcome(one_run)
    assert set(two_found) == {("own", "swh_Latn"), ("none", "swh_Latn")}
    for test, (result, predictions) in two_found.items():
        assert result == one_found[test][0]  # every metric, bit for bit
        assert [row[:3] for row in predictions] == [row[:3] for row in one_found[test][1]]
        assert [row[3] for row in predictions] == pytest.approx([row[3] for row in one_found[test][1]], abs=1e-4)

    again = modulingua("run", file)
    assert again.out.splitlines()[0] == "nothing to do: 1 of 1 runs are there"
    one_device = modulingua("run", file, "trainer.devices=1")
    assert one_device.out.splitlines()[0] == "nothing to do: 1 of 1 runs are there"


@pytest.mark.slow
def test_ranks_that_share_a_backbone_find_the_same(workspace: Workspace, tmp_path: Path) -> None:
    # Of the two languages in a batch only one has components: a rank may need one pass where another needs two.
    # What dropout draws must not depend on it.
    encoder = tiny.tiny.build(tmp_path / "dropout", "xlm-roberta", dropout=0.2)
    changes = TWO | {
        "backbone.name": str(encoder),
        "stages.task.answer.classification_head.dropout": 0.2,
        "languages.source": ["eng_Latn", "swh_Latn"],
        "stages.evaluate.batch_size": 9,
        "trainer.devices": 2,
    }
    other = replace(workspace, folder=tmp_path / "shared")
    # Each stage takes seconds to start its processes: one process trains the language's components for both.
    [language] = workspace.plan(changes | {"trainer.devices": 1}).of_kind("language")
    execute.execute(language, workspace.store, lambda done, news: None)
    other.folder.mkdir()
    other.copy_of(workspace.folder / "store", "store")
    workspace.run(changes)
    other.run(changes | {"trainer.shard_backbone": True})
    [task] = workspace.plan(changes).of_kind("task")
    whole, shared = ((place.store.path(task.id) / WEIGHTS).read_bytes() for place in (workspace, other))
    assert whole == shared
    found = [outcome(runs(place.plan(changes))[0]) for place in (workspace, other)]
    assert found[0] == found[1]


def test_one_process_has_no_rank_of_another_launcher(
    trained: Workspace, modulingua: Modulingua, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in RANKS:
        monkeypatch.setenv(name, "1")
    answer = modulingua("run", trained.write())
    assert (answer.code, answer.err) == (0, "")
    [run] = runs(trained.plan())
    assert outcome(run)
    assert not set(RANKS) & os.environ.keys()


def test_a_process_of_ours_keeps_its_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PARENT, raising=False)
    assert not is_child()
    monkeypatch.setenv(PARENT, str(os.getppid()))
    assert is_child()


def test_a_mistake_in_a_process_is_said_as_plainly(
    workspace: Workspace, finished_run: Workspace, modulingua: Modulingua
) -> None:
    workspace.copy_of(finished_run.folder / "store", "store")
    victim = workspace.store.path(workspace.plan(TWO).of_kind("task")[0].id) / WEIGHTS
    victim.write_bytes(b"")
    answer = modulingua("run", workspace.write(TWO))
    assert answer.code == 2
    assert answer.err.startswith(f"{victim}: damaged or cut short")
    assert len(answer.err.splitlines()) == 1


def test_what_processes_say_is_passed_on(workspace: Workspace, tmp_path: Path, monkeypatch: Any, capfd: Any) -> None:
    changes = TWO | {"store": str(tmp_path / "store")}
    stub = tmp_path / "python"
    stub.write_text("#!/bin/sh\necho a warning >&2\necho a warning >&2\n")
    stub.chmod(0o755)
    monkeypatch.setattr("framework.execution.runner.sys.executable", str(stub))
    children = _Children(workspace.write(changes), [], 2)
    children.execute(workspace.plan(changes).stages[0], lambda done, news: None)
    assert capfd.readouterr().err == "a warning\n"


def test_a_failure_of_the_network_in_processes_stays_one(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    stub = workspace.folder / "python"
    stub.write_text("#!/bin/sh\necho the hub is out of reach >&2\necho the hub is out of reach >&2\nexit 69\n")
    stub.chmod(0o755)
    monkeypatch.setattr("framework.execution.runner.sys.executable", str(stub))
    children = _Children(workspace.write(TWO), [], 2)
    with pytest.raises(Unavailable, match="^the hub is out of reach$"):
        children.execute(workspace.plan(TWO).stages[0], lambda done, news: None)


def test_every_task_of_a_slurm_step_knows_its_rank_before_they_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SLURM_STEP_ID": "0", "SLURM_NTASKS": "2", "SLURM_PROCID": "1"}.items():
        monkeypatch.setenv(name, value)
    assert execute._rank() == 1


def test_another_number_of_tasks_than_processes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SLURM_STEP_ID": "0", "SLURM_NTASKS": "3", "SLURM_PROCID": "0"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match="devices=2 on num_nodes=2 make 4 processes, but Slurm started 3 tasks"):
        trainer._cluster_environment(TrainerConfig(devices=2, num_nodes=2))
