"""What launch makes of a cluster's answers and limits; shell scripts answer as Slurm's commands do."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from framework.config.sbatch_template import TEMPLATE
from framework.config.slurm import Resources
from framework.errors import UserError
from framework.planning.plan import TaskStage
from framework.slurm import cluster, slurm_command
from framework.slurm.memory import default_memory
from framework.slurm.status import statuses
from framework.system.launchers import RANKS
from tests.framework.conftest import Modulingua
from tests.framework.tiny import Workspace

SBATCH = r"""
words="$* $(cat "${@: -1}")"
range=$(grep -oP -m1 -- '--array=\K[0-9]+(-[0-9]+)?' <<<"$words" | head -1)
count=$((${range#*-} - ${range%-*} + 1))
used=$(cat "$HERE/used" 2>/dev/null || echo 0)
if [ $((used + count)) -gt "${LIMIT:-1000}" ]; then
  # Slurm 22.05 with AccountingStorageEnforce=limits
  echo "sbatch: error: AssocMaxSubmitJobLimit" >&2
  echo "sbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's size" \
    "and/or time limits)" >&2
  exit 1
fi
[ "$1" = --test-only ] && exit
echo $((used + count)) >"$HERE/used"
echo "Welcome to this cluster"
echo "$((100 + used));alpha"
"""
"""Shell: takes arrays until the sum of their elements reaches a limit, and greets on standard output."""
ENFORCED = "echo 'AccountingStorageEnforce = associations,limits,qos'; echo 'ClusterName = alpha'"
"""Shell: what `scontrol show config` says where limits are enforced."""
ALONE = {"combination.language": {}, "slurm.check_data": False}
"""A change: the plan is a task stage for each seed, their evaluations and the table."""

Cluster = Callable[..., Path]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """Puts a cluster on the PATH, whose commands are given as shell lines; returns the folder of its state."""
    folder = tmp_path / "cluster"
    folder.mkdir()
    monkeypatch.setenv("HERE", str(folder))
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def start(**commands: str) -> Path:
        healthy = dict.fromkeys(("squeue", "scontrol", "sacctmgr", "sacct", "scancel"), "") | {"sbatch": SBATCH}
        for name, lines in (healthy | commands).items():
            program = folder / name
            program.write_text(f"#!/bin/bash\n{lines}\n")
            program.chmod(0o755)
        return folder

    return start


def members(group: str) -> list[str]:
    """Returns the states of the living processes of a group."""
    stats = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended
            stats.append(file.read_text().rpartition(")")[2].split())
    return [state for state, _, member, *_ in stats if member == group and state != "Z"]


class TestAnswers:
    @pytest.mark.parametrize("lines", ["sleep 100", "sleep 100 & wait", "exec >&- 2>&-; sleep 100", "yes"])
    def test_a_command_that_does_not_end_is_ended(
        self, here: Cluster, monkeypatch: pytest.MonkeyPatch, lines: str
    ) -> None:
        monkeypatch.setattr(slurm_command, "SECONDS", 0.3)
        monkeypatch.setattr(slurm_command, "MOST_BYTES", 2**20)
        folder = here(squeue=f"echo $$ >$HERE/pid; {lines}")
        start = time.monotonic()
        with pytest.raises(UserError, match=r"^squeue (did not end within 0\.3 seconds|printed more than 1 MiB)"):
            cluster.queue()
        assert time.monotonic() - start < 20
        group = (folder / "pid").read_text().strip()
        while members(group):  # the kernel may need a moment
            assert time.monotonic() - start < 60
            time.sleep(0.05)

    def test_what_cannot_be_read_is_not_taken_for_an_empty_queue(self, here: Cluster) -> None:
        here(squeue=r"printf 'Welcome\xff\033[2J\n'")
        with pytest.raises(UserError, match=r"^the answer of squeue cannot be read: Welcome\ufffd\ufffd\[2J$"):
            cluster.queue()
        here(squeue="echo 'CLUSTER: alpha'")  # as squeue heads the rows of a cluster that was chosen
        assert cluster.queue() == []
        here(squeue="echo Welcome; echo '7|3|RUNNING|None|(null)|/runs/a|b/task.sbatch'; echo '8|N/A|RUNNING|a|b|c'")
        [entry] = cluster.queue()
        assert (entry.job, entry.index, entry.needs_others) == ("7", 3, False)
        assert entry.script == Path("/runs/a|b/task.sbatch")

    @pytest.mark.parametrize(("said", "most"), [("1001", 1001), ("many", 1001), ("", 1001), ("-3", 1001), ("4", 4)])
    def test_the_size_of_an_array(self, here: Cluster, said: str, most: int) -> None:
        here(scontrol=f"echo 'MaxArraySize            = {said}'")
        assert cluster.largest_array() == most

    def test_a_cluster_without_arrays(self, here: Cluster, workspace: Workspace, modulingua: Modulingua) -> None:
        here(scontrol="echo 'MaxArraySize = 0'")
        answer = modulingua("launch", workspace.write(ALONE))
        assert answer.code == 2
        assert answer.err.startswith("this cluster allows no job arrays (MaxArraySize is 0)")

    def test_the_job_id_stands_among_greetings(self, here: Cluster, tmp_path: Path) -> None:
        script = tmp_path / "job.sbatch"
        script.write_text("#SBATCH --array=0-1\n")
        here()
        assert cluster.submit(script) == "100"
        here(sbatch="echo Submitted")
        with pytest.raises(UserError, match=r"job\.sbatch: sbatch printed no job id, .*; it printed: Submitted$"):
            cluster.submit(script)

    def test_one_cluster_is_chosen_for_all_commands(
        self,
        here: Cluster,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        workspace: Workspace,
        modulingua: Modulingua,
    ) -> None:
        monkeypatch.setenv("SBATCH_CLUSTERS", "beta")
        log = 'echo "${0##*/} $SLURM_CLUSTERS" >>$HERE/calls'
        folder = here(squeue=log, scontrol=log, scancel=log, sbatch=f"{log}; echo 12")
        assert modulingua("launch", workspace.write(ALONE)).code == 0
        cluster.cancel(["12"])
        calls = set((folder / "calls").read_text().splitlines())
        assert calls == {f"{name} beta" for name in ("squeue", "scontrol", "scancel", "sbatch")}
        monkeypatch.setenv("SBATCH_CLUSTERS", "alpha,beta")
        refused = modulingua("launch", workspace.write(ALONE))
        assert refused.err.startswith("SBATCH_CLUSTERS=alpha,beta: name one cluster")


class TestLimits:
    SEEDS = ALONE | {"seeds": [0, 1, 2, 3, 4, 5]}
    """A change: 13 elements, of which 6 are task stages."""

    def elements(self, workspace: Workspace, number: int = 1) -> dict[str, int]:
        """Returns how many elements of each array a launch noted as submitted."""
        record = json.loads((workspace.folder / f"runs/tiny/launch/{number}/launch.json").read_text())
        return {name: len(array["stages"]) for name, array in record["arrays"].items() if array["id"]}

    @pytest.mark.parametrize(
        ("limit", "submitted"),
        [
            (3, {"task": 3}),
            (6, {"task": 6}),
            (7, {"task": 6, "evaluate": 1}),
            (12, {"task": 6, "evaluate": 6}),
            (13, {"task": 6, "evaluate": 6, "table": 1}),
        ],
    )
    def test_what_fits_is_submitted_where_only_sbatch_knows_the_limit(
        self,
        here: Cluster,
        workspace: Workspace,
        modulingua: Modulingua,
        monkeypatch: pytest.MonkeyPatch,
        limit: int,
        submitted: dict[str, int],
    ) -> None:
        monkeypatch.setenv("LIMIT", str(limit))
        folder = here(scancel="touch $HERE/cancelled")
        answer = modulingua("launch", workspace.write(self.SEEDS))
        assert (answer.code, answer.err) == (0, "")
        assert self.elements(workspace) == submitted
        assert (folder / "used").read_text() == f"{limit}\n"
        assert not (folder / "cancelled").exists()
        launched = workspace.folder / "runs/tiny/launch/1"
        assert sorted(file.stem for file in launched.glob("*.sbatch")) == sorted(submitted)
        if limit < 13:
            assert f"submitted: {limit} of 13 array elements" in answer.out
            assert "AssocMaxSubmitJobLimit" in answer.out
            assert "call launch again" in answer.out

    def test_what_did_not_fit_is_submitted_later(
        self, here: Cluster, workspace: Workspace, modulingua: Modulingua, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LIMIT", "4")
        script = workspace.folder / "runs/tiny/launch/1/task.sbatch"
        folder = here(squeue=f'for i in 0 1 2 3; do [ ! -e {script} ] || echo "100|$i|PENDING|None||{script}"; done')
        modulingua("launch", workspace.write(self.SEEDS))
        monkeypatch.setenv("LIMIT", "1000")
        answer = modulingua("launch", workspace.write(self.SEEDS))
        assert " not submitted again: 4 stages, in the queue already" in answer.out
        assert self.elements(workspace, 2) == {"task": 2, "evaluate": 4, "evaluate-2": 2, "table": 1}
        assert (
            "--dependency=aftercorr:100\n"
            in script.with_name("evaluate.sbatch").parents[1].joinpath("2/evaluate.sbatch").read_text()
        )
        assert (folder / "used").read_text() == "13\n"

    def test_nothing_fits(
        self, here: Cluster, workspace: Workspace, modulingua: Modulingua, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LIMIT", "0")
        here()
        answer = modulingua("launch", workspace.write(self.SEEDS))
        assert answer.code == 2
        assert "task.sbatch: refused by Slurm\nsbatch: error: AssocMaxSubmitJobLimit" in answer.err

    @pytest.mark.parametrize(
        ("slurm", "submitted", "limit"),
        [
            ({}, {"task": 5}, "MaxSubmitJobs=9 of account lab, 4 of them in use"),
            ({"account": "big"}, {"task": 6, "evaluate": 6, "table": 1}, ""),
            ({"account": "big", "qos": "tight"}, {"task": 2}, "MaxSubmitJobsPerUser=3 of QOS tight, 1 of them in use"),
            ({"account": "big", "partition": "gpu"}, {"task": 6, "evaluate": 2}, "MaxSubmitJobs=8 of account big"),
        ],
    )
    def test_limits_of_the_accounts_are_known_beforehand(
        self,
        here: Cluster,
        workspace: Workspace,
        modulingua: Modulingua,
        slurm: dict[str, str],
        submitted: dict[str, int],
        limit: str,
    ) -> None:
        # Rows as sacctmgr of 22.05 prints them with --noheader --parsable2.
        accounts = """
            case "$*" in
              *withassoc*) printf 'alpha|lab||lab||9\\nalpha|big||lab||\\nalpha|big|gpu|lab||8\\nbeta|lab||lab||1\\n' ;;
              *qos*) printf 'normal|\\ntight|3\\n' ;;
            esac"""
        queue = """
            case "$*" in
              *%a*) for job in 1 2 3; do echo 'lab|normal'; done; echo 'lab|tight'
                    for ((job = 0; job < $(cat $HERE/used 2>/dev/null || echo 0); job++)); do echo 'big|normal'; done ;;
            esac"""
        here(scontrol=ENFORCED, sacctmgr=accounts, squeue=queue)
        answer = modulingua(
            "launch", workspace.write(self.SEEDS | {f"slurm.{key}": value for key, value in slurm.items()})
        )
        assert (answer.code, answer.err) == (0, "")
        assert self.elements(workspace) == submitted
        assert limit in answer.out

    def test_an_account_that_is_used_up(self, here: Cluster, workspace: Workspace, modulingua: Modulingua) -> None:
        here(
            scontrol=ENFORCED,
            sacctmgr="echo 'alpha|lab||lab||2'",
            squeue="case $* in *%a*) yes 'lab|x' | head -3 ;; esac",
        )
        answer = modulingua("launch", workspace.write(self.SEEDS))
        assert answer.code == 2
        assert answer.err.startswith("nothing was submitted: MaxSubmitJobs=2 of account lab, 3 of them in use")
        assert not (workspace.folder / "runs").exists()

    def test_another_refusal_withdraws_all(self, here: Cluster, workspace: Workspace, modulingua: Modulingua) -> None:
        refusal = "echo 'sbatch: error: QOSMaxWallDurationPerJobLimit' >&2; exit 1"
        folder = here(
            sbatch=f'case "$*" in *evaluate*) {refusal} ;; esac; echo 7', scancel='echo "$@" >$HERE/cancelled'
        )
        answer = modulingua("launch", workspace.write(self.SEEDS))
        assert answer.code == 2
        assert "QOSMaxWallDurationPerJobLimit" in answer.err
        assert (folder / "cancelled").read_text() == "7\n"
        assert self.elements(workspace) == {}


class TestMemory:
    PARTITIONS = (
        "echo 'PartitionName=cpu Default=YES DefMemPerCPU=2000'; echo 'PartitionName=gpu DefMemPerNode=UNLIMITED'"
    )
    CONFIG = f"""
        case "$*" in *partition*) {PARTITIONS} ;; *) echo 'DefMemPerNode = 4096' ;; esac"""

    @pytest.mark.parametrize(
        ("resources", "found"),
        [
            (Resources(), (2000, "DefMemPerCPU=2000")),
            (Resources(cpus=8), (16000, "DefMemPerCPU=2000")),
            (Resources(partition="gpu"), (4096, "DefMemPerNode=4096")),
            (Resources(memory="1G"), None),
            (Resources(extra=["--mem-per-cpu=1G"]), None),
        ],
    )
    def test_what_a_job_gets_that_asks_for_nothing(
        self, here: Cluster, resources: Resources, found: tuple[int, str] | None
    ) -> None:
        here(scontrol=self.CONFIG)
        assert default_memory(resources, 1) == found

    def test_a_small_default_is_warned_of(self, here: Cluster, workspace: Workspace, modulingua: Modulingua) -> None:
        here(scontrol=self.CONFIG)
        answer = modulingua("launch", workspace.write(ALONE))
        warning = "warning: the jobs of task get 2000 MiB of memory each, the cluster's default (DefMemPerCPU=2000)"
        assert warning in answer.out
        assert "warning" not in modulingua("launch", workspace.write(ALONE | {"slurm.memory": "16G"})).out


class TestScript:
    """What the batch script does, carried out by bash with an `srun` that notes how it was called."""

    SRUN = r"""
        n=$(($(cat $HERE/n 2>/dev/null || echo 0) + 1)); echo $n >$HERE/n
        printf '%s\0' "$@" >$HERE/call-$n
        echo "stage ${@: -1}"
        code=$(cut -d' ' -f$n $HERE/codes); exit ${code:-0}"""
    STATE = "echo 'JobId=1 JobState=RUNNING Reason=None Dependency=x'"

    def run(self, script: Path, here: Path, codes: str = "0") -> subprocess.CompletedProcess[str]:
        (here / "codes").write_text(codes + " 0" * 20)
        (here / "n").unlink(missing_ok=True)
        ours = {"SLURM_ARRAY_TASK_ID": "0", "SLURM_ARRAY_JOB_ID": "1", "SLURM_JOB_NODELIST": "n1"}
        return subprocess.run(["bash", script], env=os.environ | ours, capture_output=True, text=True, timeout=60)

    def test_values_reach_the_process_as_they_are(
        self, here: Cluster, workspace: Workspace, modulingua: Modulingua, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        word = "a'b\"c $(touch canary) `touch canary` ; touch canary # {{command}} %j Äあ"
        folder = here(srun=self.SRUN, scontrol=self.STATE)
        place = workspace.folder / word
        place.mkdir()
        monkeypatch.chdir(place)
        changes = ALONE | {
            "runs": str(place / "runs"),
            "data.held_out": None,
            "grid.stages.task.training.steps": [2, 3],
        }
        override = 'tracking.tags=["a\ntouch canary\n"]'
        answer = modulingua("launch", workspace.write(changes), override)
        assert (answer.code, answer.err) == (0, "")
        launched = place / "runs/tiny/launch/1"
        done = self.run(launched / "task.sbatch", folder)
        assert (done.returncode, done.stderr) == (0, "")
        assert not list(workspace.folder.rglob("canary"))
        *_, module, experiment, words, _ = (folder / "call-1").read_bytes().decode().split("\0")[:-1]
        assert (module, experiment, words) == ("framework.execution.runner", str(launched / "experiment.yaml"), "[]")
        # sbatch reads quotes as a shell does, and `%` in --output begins a placeholder.
        options = dict(
            shlex.split(line.removeprefix("#SBATCH "))[0].split("=", 1)
            for line in (launched / "task.sbatch").read_text().splitlines()
            if line.startswith("#SBATCH ") and "=" in line
        )
        assert options["--chdir"] == str(place)
        assert options["--output"] == str(launched / "logs/task-%a.log").replace("%j", "%%j")

    @pytest.mark.parametrize("key", ["slurm.partition", "slurm.memory", "slurm.extra", "slurm.stages.task.qos"])
    def test_an_option_with_a_line_break(self, workspace: Workspace, modulingua: Modulingua, key: str) -> None:
        value = "--comment=a\n#SBATCH --wrap=x"
        answer = modulingua("plan", workspace.write(ALONE | {key: [value] if key.endswith("extra") else value}))
        assert answer.code == 2
        assert "holds a line break" in answer.err

    def test_a_folder_with_a_line_break(self, here: Cluster, workspace: Workspace, modulingua: Modulingua) -> None:
        here()
        answer = modulingua("launch", workspace.write(ALONE | {"runs": str(workspace.folder / "a\ntouch canary")}))
        assert answer.code == 2
        assert "holds a line break" in answer.err

    def test_several_stages_in_one_element(self, here: Cluster, workspace: Workspace, modulingua: Modulingua) -> None:
        changes = ALONE | {"seeds": [0, 1, 2], "slurm.per_job": 3, "slurm.retries": 1}
        folder = here(srun=self.SRUN, scontrol=self.STATE)
        assert modulingua("launch", workspace.write(changes)).code == 0
        launched = workspace.folder / "runs/tiny/launch/1"
        stages = [stage.id for stage in workspace.plan(changes).of_type(TaskStage)]
        # The first crashes once, the second twice: it has failed, and the third is carried out all the same.
        done = self.run(launched / "task.sbatch", folder, "1 0 1 1 0")
        assert done.returncode == 1
        calls = [(folder / f"call-{n}").read_bytes().decode().split("\0")[-2] for n in (1, 2, 3, 4, 5)]
        assert calls == [stages[0], stages[0], stages[1], stages[1], stages[2]]
        ends = [(launched / "ends" / f"task-{part}").read_text() for part in ("0", "0.1", "0.2")]
        assert ends == ["0 RUNNING None\n", "1 RUNNING None\n", "0 RUNNING None\n"]
        assert done.stdout.count(stages[0]) == 2  # its log is that of the element
        logs = [(launched / "logs" / f"task-{part}.log").read_text() for part in ("0.1", "0.2")]
        assert [re.findall(r"stage (\w+)", log) for log in logs] == [[stages[1]] * 2, [stages[2]]]
        rows = statuses(workspace.plan(changes), [])
        failed = [(row.detail, row.job.part) for row in rows if row.job and row.state == "failed"]
        assert failed == [("exit code 1", "0.1")]
        # Requeued: what is done is not begun again.
        assert self.run(launched / "task.sbatch", folder, "0").returncode == 0
        assert (folder / "n").read_text() == "1\n"
        assert (launched / "ends/task-0.1").read_text() == "0 RUNNING None\n"

    def test_a_job_that_is_stopped_begins_no_further_stage(
        self, here: Cluster, workspace: Workspace, modulingua: Modulingua
    ) -> None:
        changes = ALONE | {"seeds": [0, 1, 2], "slurm.per_job": 2}
        folder = here(srun=self.SRUN, scontrol=self.STATE.replace("RUNNING", "COMPLETING"))
        modulingua("launch", workspace.write(changes))
        launched = workspace.folder / "runs/tiny/launch/1"
        assert self.run(launched / "task.sbatch", folder, "143").returncode == 75
        assert (folder / "n").read_text() == "1\n"
        assert [row.state for row in statuses(workspace.plan(changes), [])][:2] == ["cancelled"] * 2

    def test_a_stage_whose_node_fails_is_not_done(
        self, here: Cluster, workspace: Workspace, modulingua: Modulingua
    ) -> None:
        """Slurm 22.05 requeues the job, signals every process on the node, and srun ends with 0."""
        folder = here(srun=self.SRUN, scontrol=self.STATE)
        modulingua("launch", workspace.write(ALONE))
        launched = workspace.folder / "runs/tiny/launch/1"
        here(srun=self.SRUN, scontrol="kill $$\n" + self.STATE.replace("RUNNING", "PENDING"))
        self.run(launched / "task.sbatch", folder, "0")
        assert (launched / "ends/task-0").read_text() == "0 PENDING None\n"
        here(srun=self.SRUN, scontrol=self.STATE)
        assert "stage" in self.run(launched / "task.sbatch", folder, "0").stdout

    def test_variables_of_other_launchers_are_unset(self) -> None:
        unset = re.findall(r"^unset (.*)$", TEMPLATE.read_text(), re.MULTILINE)
        assert {*RANKS, "SLURM_EXPORT_ENV", "SLURM_CLUSTERS"} == {name for names in unset for name in names.split()}
