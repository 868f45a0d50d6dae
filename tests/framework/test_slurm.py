"""The plan as SLURM jobs, as far as no cluster is needed: how stages are grouped, scripts, states, the frozen file."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from framework.config.sbatch_template import PLACEHOLDERS, TEMPLATE
from framework.config.slurm import Resources, SlurmConfig, seconds
from framework.planning.plan import EvaluateStage, LanguageStage, Plan, TaskStage, plan_experiment
from framework.slurm import cluster
from framework.slurm.cluster import Queued
from framework.slurm.jobs import Element, Job, jobs_for
from framework.slurm.launch import launch
from framework.slurm.record import Array, Launch, next_folder, read, write
from framework.slurm.stage_job import CANCELLED, StageJob
from framework.slurm.status import Status, statuses
from framework.system.stored_files import Damaged
from tests.framework.conftest import Modulingua
from tests.framework.test_plan import sixteen
from tests.framework.tiny import ROOT, Workspace

MOST = 1001


def by_name(jobs: list[Job]) -> dict[str, Job]:
    return {job.name: job for job in jobs}


def dependencies(jobs: list[Job], ids: dict[str, str]) -> list[str]:
    """Returns what each array waits for, once those before it have their ids."""
    submitted = [replace(job, id=ids.get(job.name, "")) for job in jobs]
    return [job.dependency(submitted) for job in submitted]


def size(job: Job) -> tuple[str, int]:
    return job.name, job.stages


class TestJobs:
    def test_one_array_for_each_kind_and_the_table(self, workspace: Workspace) -> None:
        plan = workspace.plan({"seeds": [0, 1]})
        jobs = jobs_for(plan, {}, MOST)
        assert [size(job) for job in jobs] == [("language", 2), ("task", 2), ("evaluate", 2), ("table", 1)]
        ids = {"language": "10", "task": "11", "evaluate": "12"}
        # The source is the pivot and has no components: the task stages wait for nothing.
        assert dependencies(jobs, ids) == ["", "", "aftercorr:11,afterok:10", "afterok:12"]

    def test_stages_wait_for_what_they_need_and_for_nothing_else(self, workspace: Workspace) -> None:
        plan = sixteen(workspace, workspace.masked)
        jobs = jobs_for(plan, {}, MOST)
        # By language components: none, the prompt, the adapter, both.
        assert [size(job) for job in jobs] == [
            ("language", 6),
            *((f"task{part}", 8) for part in ("", "-2", "-3", "-4")),
            *((f"evaluate{part}", 8) for part in ("", "-2", "-3", "-4")),
            ("table", 1),
        ]
        places = {work.id: Element(job.name, index) for job in jobs for index, [work] in job.work.items()}
        for job in jobs:
            for index, [work] in job.work.items():
                [stage] = [stage for stage in plan.stages if stage.id == work.id] or [None]
                if stage is None:
                    continue
                waits = {*job.after, *([Element(job.twin, index)] if job.twin else [])}
                assert waits == {places[need] for need in stage.needs}

    def test_an_evaluation_has_the_index_of_its_task(self, workspace: Workspace) -> None:
        plan = sixteen(workspace)
        jobs = by_name(jobs_for(plan, {}, MOST))
        stages = {stage.id: stage for stage in plan.stages}
        evaluations = [job for job in jobs.values() if job.kind == "evaluate"]
        assert [len(job.work) for job in evaluations] == [8, 8, 8, 8]
        for job in evaluations:
            for index, [work] in job.work.items():
                stage = stages[work.id]
                assert isinstance(stage, EvaluateStage)
                assert job.twin == "task"
                assert [work.id for work in jobs["task"].work[index]] == [stage.task.id]

    def test_what_is_done_is_left_out(self, workspace: Workspace, finished_run: Workspace) -> None:
        workspace.copy_of(finished_run.folder / "store", "store")
        jobs = jobs_for(workspace.plan({"seeds": [0, 1]}), {}, MOST)
        assert [size(job) for job in jobs] == [("task", 1), ("evaluate", 1), ("evaluate-2", 1), ("table", 1)]
        assert [job.twin for job in jobs] == [None, None, "task", None]
        assert jobs_for(finished_run.plan(), {}, MOST) == []

    def test_what_waits_already_is_waited_for(self, workspace: Workspace) -> None:
        plan = workspace.plan({"seeds": [0, 1]})
        first, second = plan.of_type(LanguageStage)
        task, _ = plan.of_type(TaskStage)
        waiting = {first.id: Element("7", 0), second.id: Element("7", 4), task.id: Element("9", 3)}
        jobs = jobs_for(plan, waiting, MOST)
        assert [size(job) for job in jobs] == [("task", 1), ("evaluate", 1), ("evaluate-2", 1), ("table", 1)]
        assert list(jobs[1].work) == [3]
        ids = {"task": "20", "evaluate": "21", "evaluate-2": "22"}
        assert dependencies(jobs, ids)[1:3] == ["aftercorr:9,afterok:7_0:7_4", "aftercorr:20,afterok:7_0:7_4"]
        everything = {stage.id: Element("7", index) for index, stage in enumerate(plan.stages)}
        assert jobs_for(plan, everything | {"table": Element("8", 0)}, MOST) == []
        assert [job.name for job in jobs_for(plan, everything, MOST)] == ["table"]

    def test_an_array_is_no_larger_than_the_cluster_takes(self, workspace: Workspace) -> None:
        plan = workspace.plan({"seeds": list(range(7)), "combination.language": {}})
        jobs = jobs_for(plan, {}, 3)
        assert [size(job) for job in jobs] == [
            *(("task", 3), ("task-2", 3), ("task-3", 1)),
            *(("evaluate", 3), ("evaluate-2", 3), ("evaluate-3", 1)),
            ("table", 1),
        ]
        assert [job.twin for job in jobs] == [None, None, None, "task", "task-2", "task-3", None]
        assert all(index < 3 for job in jobs for index in job.work)

    def test_several_stages_in_one_element(self, workspace: Workspace) -> None:
        slurm = {"per_job": 4, "stages": {"evaluate": {"per_job": 2}}}
        plan = workspace.plan({"seeds": list(range(7)), "combination.language": {}, "slurm": slurm})
        jobs = jobs_for(plan, {}, MOST)
        sizes = [(job.name, [len(works) for works in job.work.values()], job.twin) for job in jobs]
        # An evaluation is in an element of the same index as its task stage, for that is what it waits for.
        assert sizes == [
            ("task", [4, 3], None),
            ("evaluate", [2, 2], "task"),
            ("evaluate-2", [2, 1], "task"),
            ("table", [1], None),
        ]
        task = {work.id: index for index, works in jobs[0].work.items() for work in works}
        stages = {stage.id: stage for stage in plan.stages}
        for job in jobs[1:3]:
            for index, works in job.work.items():
                for work in works:
                    stage = stages[work.id]
                    assert isinstance(stage, EvaluateStage)
                    assert task[stage.task.id] == index

    def test_an_array_that_is_larger_than_the_cluster_now_takes(self, workspace: Workspace) -> None:
        plan = workspace.plan({"combination.language": {}})
        [task] = plan.of_type(TaskStage)
        [evaluate, _] = jobs_for(plan, {task.id: Element("9", 5)}, 2)
        assert evaluate.dependency([evaluate]) == "afterok:9_5"

    def test_an_experiment_without_data_has_no_table(self, workspace: Workspace) -> None:
        plan = workspace.plan({"data": None, "combination.task": {}, "stages.task": None} | workspace.masked)
        assert [job.name for job in jobs_for(plan, {}, MOST)] == ["language"]

    def test_a_sum_stands_between_what_is_summed_and_what_it_serves(self, workspace: Workspace) -> None:
        given = {"language": {"swh_Latn": "1*hau_Latn"}, "task": "mean(seed0, seed1)"}
        plan = workspace.plan({"reuse": given, "languages.source": ["swh_Latn"], "languages.targets": ["swh_Latn"]})
        jobs = jobs_for(plan, {}, MOST)
        assert [(job.name, job.awaited, len(job.work)) for job in jobs] == [
            ("language", "–", 1),
            ("merge", "language", 1),
            ("task", "merge", 2),
            ("merge-2", "task", 1),
            ("evaluate", "merge-2 (each its own), merge", 1),
            ("table", "evaluate", 1),
        ]

    def test_all_wait_for_the_reading_of_the_data(self, workspace: Workspace, finished_run: Workspace) -> None:
        plan = workspace.plan({"seeds": [0, 1]})
        jobs = jobs_for(plan, {}, MOST, check_data=True)
        ids = {job.name: str(number) for number, job in enumerate(jobs, start=10)}
        assert list(zip(ids, dependencies(jobs, ids), strict=True)) == [
            ("data", ""),
            ("language", "afterok:10"),
            ("task", "afterok:10"),
            ("evaluate", "aftercorr:12,afterok:11"),
            ("table", "afterok:13"),
        ]
        # What waits for nothing but stages in the queue waits for the reading of its own data too.
        waiting = {stage.id: Element("7", index) for index, stage in enumerate(plan.stages[:4])}
        evaluate = by_name(jobs_for(plan, waiting, MOST, check_data=True))["evaluate"]
        assert evaluate.dependency([]).endswith(",afterok:data_0")
        assert jobs_for(finished_run.plan(), {}, MOST, check_data=True) == []

    def test_pretraining_comes_before_everything(self, workspace: Workspace) -> None:
        pretrain = {"languages": ["swh_Latn"], "objective": {"masked": workspace.text}, "training": {"steps": 1}}
        jobs = jobs_for(workspace.plan({"pretrain": pretrain}), {}, MOST)
        assert [(job.name, job.awaited) for job in jobs] == [
            ("pretrain", "–"),
            ("language", "pretrain"),
            ("task", "pretrain"),
            ("evaluate", "task (each its own), language"),
            ("table", "evaluate"),
        ]


class TestScripts:
    @pytest.fixture
    def dry_run(
        self, workspace: Workspace, modulingua: Modulingua, monkeypatch: pytest.MonkeyPatch
    ) -> Callable[..., str]:
        """Shows the jobs of an experiment on a machine without Slurm."""
        monkeypatch.setattr(cluster, "_call", _no_slurm)

        def show(changes: dict[str, Any], *words: str) -> str:
            answer = modulingua("launch", workspace.write(changes | {"slurm.check_data": False}), *words, "--dry-run")
            assert (answer.code, answer.err) == (0, "")
            assert workspace.files() == {}
            return answer.out

        return show

    def test_what_a_stage_asks_for_stands_in_its_script(self, dry_run: Callable[..., str]) -> None:
        slurm = {
            "partition": "long",
            "account": "lab",
            "memory": "16G",
            "time": "1-00:00:00",
            "cpus": 4,
            "signal": "USR2",
            "warning": 300,
            "retries": 7,
            "extra": ["--exclude=n7"],
            "setup": ["module load cuda", "export HF_HUB_OFFLINE=1"],
            "stages": {
                "task": {"partition": "gpus", "gpus": 2, "nodes": 3, "qos": "high"},
                "language": {"throttle": 1},
            },
        }
        out = dry_run({"slurm": slurm, "stages.task.batch_size": 12, "stages.language.batch_size": 12})
        language, task, _, table = out.split("#!/bin/bash")[1:]
        for line in ("--partition=long", "--account=lab", "--mem=16G", "--time=1-00:00:00", "--cpus-per-task=4"):
            assert f"#SBATCH {line}\n" in language
        for line in ("--array=0-1%1", "--nodes=1", "--ntasks-per-node=1", "--exclude=n7", "--signal=USR2@300"):
            assert f"#SBATCH {line}\n" in language
        assert "\nmodule load cuda\nexport HF_HUB_OFFLINE=1\n" in language
        assert "export OMP_NUM_THREADS=4 " in language
        assert "$attempt -ge 7 " in language
        for line in ("--partition=gpus", "--gres=gpu:2", "--nodes=3", "--ntasks-per-node=2", "--qos=high", "--mem=16G"):
            assert f"#SBATCH {line}\n" in task
        assert """'["trainer.num_nodes=3", "trainer.devices=2"]' "$stage"\n""" in task
        assert " '[]' " in language
        for line in ("--partition=long", "--nodes=1", "--cpus-per-task=1", "--time=30", "--exclude=n7"):
            assert f"#SBATCH {line}\n" in table
        assert "--mem" not in table
        assert re.search(r"-m framework.cli compare \S+/runs/tiny\n", table)

    @pytest.mark.parametrize(
        ("slurm", "line"),
        [
            ({"gpus": 4}, "--gres=gpu:4"),
            ({"gpus": "a100:4"}, "--gres=gpu:a100:4"),
            ({"gpus": "a100:4", "gpu_option": "gpus-per-node"}, "--gpus-per-node=a100:4"),
        ],
    )
    def test_gpus_of_a_type(self, dry_run: Callable[..., str], slurm: dict[str, Any], line: str) -> None:
        whole = {"trainer.accelerator": "auto", "trainer.devices": 4, "combination.language": {}, "slurm": slurm}
        task, evaluate, table = dry_run(whole).split("#!/bin/bash")[1:]
        for script in (task, evaluate):
            assert f"#SBATCH {line}\n" in script
            assert "#SBATCH --ntasks-per-node=4\n" in script
        assert "gpu:" not in table

    @pytest.mark.parametrize("gpus", ["a100", "a100:0", ":4", "0", "4:a100", -1])
    def test_gpus_that_are_none(self, workspace: Workspace, modulingua: Modulingua, gpus: str | int) -> None:
        answer = modulingua("plan", workspace.write({"slurm.gpus": gpus}))
        assert answer.code == 2
        assert "slurm.gpus" in answer.err
        assert "a100:4" in answer.err

    def test_options_that_are_not_the_users(self, workspace: Workspace, modulingua: Modulingua) -> None:
        reasons = {
            "--job-name=x": "launch writes --job-name itself",
            "--arr=3": "launch writes --array itself",
            "-N3": "launch writes --nodes itself",
            "--exclude=n7 --array=3": "'--exclude=n7 --array=3' holds several options",
            "-Mother": "--clusters would reach sbatch alone; set the environment variable SLURM_CLUSTERS",
            "exclude=n7": "'exclude=n7' is not an option of sbatch",
            "": "'' is not an option of sbatch",
            "--comment='a": '"--comment=\'a" cannot be read',
        }
        answer = modulingua("plan", workspace.write({"slurm.extra": ["--comment='a b'", *reasons]}))
        assert answer.code == 2
        assert f"{len(reasons)} mistakes" in answer.err
        for number, reason in enumerate(reasons.values(), start=1):
            assert f"slurm.extra[{number}]  {reason}" in answer.err

    def test_a_template_from_before_several_stages(
        self, workspace: Workspace, modulingua: Modulingua, tmp_path: Path
    ) -> None:
        (tmp_path / "mine.sbatch").write_text("#!/bin/bash\n{{options}} {{stages}} {{command}}\n")
        changes = {"slurm.template": "./mine.sbatch", "slurm.stages": {"evaluate": {"per_job": 2}}}
        answer = modulingua("plan", workspace.write(changes))
        assert answer.code == 2
        assert "lacks the placeholder {{log}}, which slurm.per_job needs" in answer.err

    def test_a_sum_is_a_job_with_resources_of_its_own(self, dry_run: Callable[..., str]) -> None:
        slurm = {"partition": "gpus", "stages": {"merge": {"partition": "short", "time": 10}}}
        given = {"combination.language": {}, "reuse.task": "mean(seed0, seed1)"}
        out = dry_run({**given, "slurm": slurm})
        task, merge, evaluate, _ = out.split("#!/bin/bash")[1:]
        assert "#SBATCH --dependency=afterok:task\n" in merge
        assert "#SBATCH --partition=short\n" in merge
        assert "#SBATCH --time=10\n" in merge
        assert re.search(r"\[0\]=\w{16}  # merge · adapter = mean\(seed0, seed1\) · eng_Latn\n", merge)
        assert "#SBATCH --dependency=aftercorr:merge\n" in evaluate
        assert "#SBATCH --partition=gpus\n" in task
        assert "#SBATCH --partition=gpus\n" in evaluate

    def test_every_script_is_one_that_bash_can_read(self, dry_run: Callable[..., str], tmp_path: Path) -> None:
        for script in dry_run({"slurm.setup": ["true"]}).split("── ")[1:]:
            text = script[script.index("#!") :].split("\n job ")[0]
            checked = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True)
            assert checked.stderr == ""

    def test_a_template_of_ones_own(self, dry_run: Callable[..., str], tmp_path: Path) -> None:
        template = tmp_path / "mine.sbatch"
        template.write_text("#!/bin/bash\n{{ options }}\n# of {{title}}\nid=({{stages}})\nmpirun {{command}}\n")
        out = dry_run({"slurm.template": "./mine.sbatch"})
        assert "# of tiny · task\n" in out
        assert "mpirun " in out
        assert "srun" not in out

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("{{options}} {{stage}} {{command}}", "unknown placeholder {{stage}}; did you mean 'stages'?"),
            ("{{options}} {{stages}}", "lacks the placeholder {{command}}"),
            ("{{options}} {{stages}} {{command}}\n#SBATCH -J bash", "names the job 'bash'"),
            ("{{options}} {{stages}} {{command}}\n#SBATCH --job-name='interactive'", "names the job 'interactive'"),
        ],
    )
    def test_a_template_that_cannot_work(
        self, workspace: Workspace, modulingua: Modulingua, text: str, words: str, tmp_path: Path
    ) -> None:
        (tmp_path / "mine.sbatch").write_text(f"#!/bin/bash\n{text}\n")
        answer = modulingua("plan", workspace.write({"slurm.template": "./mine.sbatch"}))
        assert answer.code == 2
        assert words in answer.err

    def test_a_stage_whose_batches_do_not_divide_over_its_own_devices(
        self, workspace: Workspace, modulingua: Modulingua, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cluster, "_call", _no_slurm)
        answer = modulingua("launch", workspace.write({"slurm.stages": {"task": {"nodes": 3}}}), "--dry-run")
        assert answer.code == 2
        assert "4 rows do not divide over 3" in answer.err

    @pytest.mark.parametrize("command", [("launch", "--dry-run"), ("status",)])
    def test_a_precision_that_depends_on_the_machine_is_refused(
        self, command: tuple[str, ...], workspace: Workspace, modulingua: Modulingua, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cluster, "_call", _no_slurm)
        file = workspace.write({"backbone.precision": "auto"})
        answer = modulingua(command[0], file, *command[1:])
        assert answer.code == 2
        assert f"{file}: backbone.precision is auto, which depends on the machine" in answer.err
        assert not (workspace.folder / "runs").exists()

    def test_the_documentation_names_every_key_and_placeholder(self) -> None:
        text = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
        named = set(re.findall(r"`\{\{(\w+)\}\}`", text))
        assert named == set(PLACEHOLDERS) == set(re.findall(r"\{\{(\w+)\}\}", TEMPLATE.read_text(encoding="utf-8")))
        for key in SlurmConfig.__dataclass_fields__:
            assert f"`{key}`" in text


def _no_slurm(*command: str) -> str:
    raise FileNotFoundError(command[0])


class TestFrozen:
    """What jobs read is the experiment as it was launched."""

    GRID: dict[str, Any] = {
        "grid.combination.language": [{}, {"prompt": {"length": 3}}],
        "grid.stages.task.training.steps": [2, 4],
        "combination.language": None,
    }

    @pytest.fixture
    def frozen(self, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
        """Launches an experiment on a cluster that takes all jobs and does nothing; returns what its jobs read."""
        pretend_cluster(monkeypatch)

        def freeze(file: Path, *overrides: str) -> Path:
            launch(file, list(overrides), _silent(), dry_run=False)
            return workspace.folder / "runs" / "tiny" / "launch" / "1" / "experiment.yaml"

        return freeze

    def test_it_plans_the_same_stages(self, workspace: Workspace, frozen: Callable[..., Path]) -> None:
        (workspace.folder / "below").mkdir()
        workspace.write(self.GRID, "below/base.yaml")
        file = workspace.folder / "experiment.yaml"
        file.write_text("extends: [below/base.yaml]\nslurm: {time: 4:00:00, extra: [--hold]}\n")
        before = plan_experiment(file, ["seeds=[0,3]"])
        copy = frozen(file, "seeds=[0,3]")
        file.unlink()
        (workspace.folder / "below" / "base.yaml").unlink()
        assert shown(plan_experiment(copy, [])) == shown(before)
        assert "slurm:" not in copy.read_text()
        assert "--time=4:00:00" in copy.with_name("task.sbatch").read_text()

    def test_it_cannot_refer_to_what_jobs_do_not_read(self, workspace: Workspace, modulingua: Modulingua) -> None:
        file = workspace.write({"slurm.nodes": 1, "trainer.num_nodes": "${slurm.nodes}"})
        answer = modulingua("launch", file, "--dry-run")
        assert answer.code == 2
        assert "let slurm refer to the key" in answer.err

    def test_the_section_is_in_no_identity(self, workspace: Workspace) -> None:
        with_section = workspace.plan({"slurm": {"partition": "gpu", "time": 60, "template": None}})
        assert shown(with_section) == shown(workspace.plan())


def shown(plan: Plan) -> list[tuple[str, str, str]]:
    return [(stage.kind, stage.id, stage.title) for stage in plan.stages]


def _silent() -> Any:
    from rich.console import Console

    return Console(quiet=True)


def pretend_cluster(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """A cluster with an empty queue that takes every script; returns the list of what it took."""
    taken: list[Path] = []

    def submit(script: Path) -> str:
        taken.append(script)
        return str(100 + len(taken))

    monkeypatch.setattr(cluster, "require", lambda: None)
    monkeypatch.setattr(cluster, "queue", lambda: [])
    monkeypatch.setattr(cluster, "settings", lambda: {})
    monkeypatch.setattr(cluster, "partitions", lambda: [])
    monkeypatch.setattr(cluster, "submit", submit)
    return taken


class TestStatus:
    """States from files and from what squeue says."""

    CHANGES: dict[str, Any] = {"combination.language": {}, "slurm.check_data": False}

    @pytest.fixture
    def launched(self, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Path:
        """The folder of a launch."""
        pretend_cluster(monkeypatch)
        monkeypatch.setattr(cluster, "accounted", lambda elements: {})
        launch(workspace.write(self.CHANGES), [], _silent(), dry_run=False)
        return workspace.folder / "runs" / "tiny" / "launch" / "1"

    def rows(self, workspace: Workspace, queue: list[Queued] | None) -> list[Status]:
        return statuses(workspace.plan(self.CHANGES), queue)

    def states(self, workspace: Workspace, queue: list[Queued] | None) -> list[tuple[str, str]]:
        return [(row.state, row.detail) for row in self.rows(workspace, queue)]

    def test_before_a_launch(self, workspace: Workspace) -> None:
        assert self.states(workspace, []) == [("not submitted", "")] * 2

    def test_in_the_queue(self, workspace: Workspace, launched: Path) -> None:
        (launched / "logs" / "task-0.log").write_text("modulingua: job\n1\t\n3\tloss 0.500\nsomething\n")
        queue = [
            Queued("101", 0, "RUNNING", "None", False, launched / "task.sbatch"),
            Queued("102", 0, "PENDING", "None", True, launched / "evaluate.sbatch"),
            Queued("103", 0, "PENDING", "Priority", False, launched / "table.sbatch"),
            Queued("104", 0, "RUNNING", "None", False, Path("/else/where.sh")),
        ]
        assert self.states(workspace, queue) == [
            ("running", "3/4  loss 0.500"),
            ("waiting", "for other jobs"),
            ("queued", "Priority"),
        ]
        assert [row.job.shown for row in self.rows(workspace, queue) if row.job] == ["101_0", "102_0", "103_0"]

    @pytest.mark.parametrize(
        ("end", "state", "news"),
        [
            ("1 RUNNING None", "failed", "exit code 1"),
            ("2 RUNNING None", "failed", "exit code 2"),
            ("137 RUNNING None", "failed", "exit code 137: killed, most likely out of memory (slurm.memory)"),
            ("1 OUT_OF_MEMORY None", "failed", "out of memory (slurm.memory)"),
            ("75 COMPLETING None", "cancelled", ""),
            ("0 COMPLETING None", "cancelled", ""),
            ("143 COMPLETING TimeLimit", "failed", "out of time (slurm.time)"),
            ("75 RUNNING None", "interrupted", "saved, but not requeued"),
            ("0 RUNNING None", "not submitted", "its result was there and is gone"),
            (CANCELLED, "cancelled", ""),
        ],
    )
    def test_how_an_element_ended(self, workspace: Workspace, launched: Path, end: str, state: str, news: str) -> None:
        (launched / "ends" / "task-0").write_text(end)
        assert self.states(workspace, [])[0] == (state, news)
        if state in ("failed", "cancelled"):
            cause = f"needs task · task adapter · seed 0, which {'was ' if state == 'cancelled' else ''}{state}"
            assert self.states(workspace, [])[1:] == [("cancelled", cause)] * 2

    def test_rows_that_cannot_be_used_are_named_as_the_cause(
        self, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pretend_cluster(monkeypatch)
        monkeypatch.setattr(cluster, "accounted", lambda elements: {})
        changes = {"combination.language": {}}
        launch(workspace.write(changes), [], _silent(), dry_run=False)
        launched = workspace.folder / "runs" / "tiny" / "launch" / "1"
        script = (launched / "data.sbatch").read_text()
        assert f"-m framework.cli plan --data {launched / 'experiment.yaml'}\n" in script
        assert "--ntasks-per-node=1\n" in script
        assert "--dependency=afterok:101\n" in (launched / "task.sbatch").read_text()
        (launched / "ends" / "data-0").write_text("2 RUNNING None")
        cause = "needs data · all rows, which failed"
        assert [(row.kind, row.state, row.detail) for row in statuses(workspace.plan(changes), [])] == [
            ("data", "failed", "exit code 2"),
            *((kind, "cancelled", cause) for kind in ("task", "evaluate", "table")),
        ]

    def test_gone_without_a_word(self, workspace: Workspace, launched: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert self.states(workspace, [])[0] == ("lost", "left the queue without a word")
        assert self.states(workspace, None)[0] == ("unknown", "Slurm does not say")
        monkeypatch.setattr(cluster, "accounted", lambda elements: {"101_0": "OUT_OF_MEMORY"})
        assert self.states(workspace, [])[0] == ("failed", "out of memory (slurm.memory)")

    def test_a_launch_that_could_not_be_written_stands_in_nobodys_way(
        self, workspace: Workspace, launched: Path
    ) -> None:
        (launched.parent / "2").mkdir()
        assert next_folder(workspace.plan()).name == "3"

    @pytest.mark.parametrize(
        ("content", "reason"),
        [(b'{"store": "s", "a', "Invalid JSON"), (b"\xff", "Invalid JSON"), (b'{"store": 5, "arrays": {}}', "store: ")],
    )
    def test_a_damaged_record_is_named(self, workspace: Workspace, launched: Path, content: bytes, reason: str) -> None:
        (launched / "launch.json").write_bytes(content)
        with pytest.raises(Damaged) as error:
            statuses(workspace.plan(), [])
        assert str(error.value).startswith(
            f"{launched / 'launch.json'} is damaged: not the record of a launch ({reason}"
        )

    def test_a_record_of_another_launchs_jobs_is_read_as_written(self, tmp_path: Path) -> None:
        job = StageJob("runs/x/launch/1", "task", "101", 0, 2)
        launch = Launch("store", {"task": Array("task", {"0.2": "7f3a"}, "101")}, {"7f3a": job})
        write(tmp_path, launch)
        assert read(tmp_path) == launch

    def test_the_last_launch_counts(self, workspace: Workspace, launched: Path) -> None:
        (launched / "ends" / "task-0").write_text("1 RUNNING None")
        launch(workspace.folder / "experiment.yaml", [], _silent(), dry_run=False)
        assert self.states(workspace, [])[0][0] == "lost"
        record = json.loads((launched.with_name("2") / "launch.json").read_text())
        assert record["arrays"]["task"]["id"] == "104"

    def test_the_last_words_of_what_failed(
        self, workspace: Workspace, launched: Path, modulingua: Modulingua, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        words = [f"line {number}" for number in range(20)]
        (launched / "logs" / "task-0.log").write_text("\n".join([*words, "7\tloss 0.1", "[Errno 5]"]) + "\n")
        (launched / "ends" / "task-0").write_text("1 RUNNING None")
        answer = modulingua("status", workspace.folder / "experiment.yaml")
        assert (answer.code, answer.err) == (0, "")
        tail = answer.out[answer.out.index(f"failed: {launched / 'logs' / 'task-0.log'}") :].splitlines()[1:]
        assert tail == [f"  {word}" for word in [*words[-7:], "[Errno 5]"]]

    def test_a_cluster_that_refuses_a_job_is_left_without_any(
        self, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        taken, cancelled = pretend_cluster(monkeypatch), list[str]()

        def refuse(script: Path) -> str:
            if script.stem == "evaluate":
                raise KeyboardInterrupt
            return take(script)

        take = cluster.submit
        monkeypatch.setattr(cluster, "submit", refuse)
        monkeypatch.setattr(cluster, "cancel", cancelled.extend)
        with pytest.raises(KeyboardInterrupt):
            launch(workspace.write(self.CHANGES), [], _silent(), dry_run=False)
        assert (len(taken), cancelled) == (1, ["101"])
        assert self.states(workspace, []) == [("not submitted", "")] * 2


class TestSettings:
    @pytest.mark.parametrize(
        ("time", "meant"),
        [
            (30, 1800),
            ("30", 1800),
            ("30:10", 1810),
            ("4:00:00", 14400),
            ("2-0", 172800),
            ("1-02:30", 95400),
            ("1-02:30:05", 95405),
            ("soon", None),
            ("1:2:3:4", None),
            ("-5", None),
        ],
    )
    def test_times_are_read_as_slurm_reads_them(self, time: int | str, meant: int | None) -> None:
        assert seconds(time) == meant

    def test_a_stage_says_only_what_differs(self) -> None:
        config = SlurmConfig(partition="long", time=60, cpus=2)
        config = SlurmConfig(**{**vars(config), "stages": {"task": Resources(partition="gpus")}})
        task, language = config.resources("task"), config.resources("language")
        assert (task.partition, task.time, task.cpus) == ("gpus", 60, 2)
        assert (language.partition, language.time) == ("long", 60)


def test_what_a_surrounding_job_says_of_itself_is_not_handed_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sbatch = tmp_path / "sbatch"
    sbatch.write_text('#!/bin/bash\necho "$SLURM_CONF;$SLURM_NTASKS"\n')
    sbatch.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("SLURM_NTASKS", "8")
    monkeypatch.setenv("SLURM_CONF", "12")
    assert cluster.submit(tmp_path / "job.sbatch") == "12"
