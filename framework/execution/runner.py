"""Carries out a plan on this machine, stage by stage."""

import gc
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path

from rich.console import Console

from framework.errors import INTERRUPTED, UNAVAILABLE, Interrupted, Unavailable, UserError, exit_on_user_error
from framework.execution.execute import copy_identical_results, execute
from framework.execution.progress import StageProgress, duration
from framework.execution.trainer import ProgressCallback
from framework.planning.data_check import check_rows
from framework.planning.plan import EvaluateStage, LanguageStage, Plan, Stage, TaskStage, plan_experiment
from framework.store.store import UNFINISHED
from framework.system.atomic_files import require_writable, sweep
from framework.system.distributed import own_rank, slurm_tasks
from framework.system.launchers import forget_ranks
from framework.system.locks import stage_lock
from framework.system.network import retry_requests
from framework.system.provenance import COMMAND
from framework.system.provenance import command as typed
from framework.system.signals import PARENT, die_with_parent, handle_stop_signals, interrupted, is_child, stop_requested
from framework.tracking.live_tracker import TRACKING_FAILED

CLAIMED = "MODULINGUA_CLAIMED"
"""Environment variable: the process that started this one holds the stage's lock."""


def run_experiment(file: Path, overrides: list[str], console: Console) -> Plan:
    """Carries out the missing stages of an experiment, and returns its plan.

    Raises:
        UserError: The experiment has mistakes, or a stage found damaged or foreign files.
        Interrupted: A signal asked it to stop.
    """
    if slurm_tasks() > 1:
        raise UserError(f"`run` starts its own processes, but Slurm started it {slurm_tasks()} times; use `launch`")
    plan = plan_experiment(file, overrides)
    experiment = plan.shared
    runs = plan.of_type(EvaluateStage)
    if not plan.todo:
        what = f"{len(runs)} of {len(runs)} runs are" if runs else "every component is"
        console.print(f"nothing to do: {what} there")
        return plan
    if experiment.trainer.num_nodes > 1:
        raise UserError("trainer.num_nodes: `run` works on one machine; `modulingua launch` takes several")
    check_rows(plan, console)
    _require_writable(plan)
    clock = _Clock(plan.todo)
    children = _Children(file, overrides, experiment.trainer.devices)
    with handle_stop_signals(children.stop):
        for number, stage in enumerate(plan.todo, start=1):
            if stop_requested():
                raise interrupted(f"before stage {number} of {len(plan.todo)}")
            title = f"[{number:>{len(str(len(plan.todo)))}}/{len(plan.todo)}] {stage.kind} · {stage.title}"
            with (
                StageProgress(console, title, _size(stage), partial(clock.left_after, number)) as progress,
                _claimed(plan, stage, progress.print) as is_missing,
            ):
                if is_missing and experiment.trainer.devices == 1:
                    execute(stage, plan.store, progress.update, sync_command(file, overrides))
                elif is_missing:
                    children.execute(stage, progress.update)
            clock.finished(stage)
            gc.collect()  # a backbone and its hooks refer to each other, so they are not freed by reference counts
    return plan


def execute_one(file: Path, overrides: list[str], identity: str) -> None:
    """Carries out one stage of an experiment in this process, as one of the stage's ranks.

    `python -m framework.execution.runner FILE OVERRIDES IDENTITY` calls this: in each task of a Slurm step; or once,
    and then Lightning starts the other ranks by repeating this process's command line. The first rank prints its
    progress, one line with a step and its metrics each.
    """
    if not is_child() and slurm_tasks() == 1:  # otherwise its rank was assigned by us
        forget_ranks()
    die_with_parent()
    plan = plan_experiment(file, overrides)
    [stage] = [stage for stage in plan.stages if stage.id == identity]
    claim = nullcontext(True) if CLAIMED in os.environ else _claimed(plan, stage, partial(_print_progress, 0))
    with handle_stop_signals(), claim as is_missing:
        if is_missing:
            execute(stage, plan.store, _print_progress, sync_command(file, overrides))


def _require_writable(plan: Plan) -> None:
    """Checks all folders that the plan will write to; in a shared store or runs folder some may be a colleague's."""
    require_writable(plan.store.folder, "store")
    require_writable(plan.store.folder / UNFINISHED, "store")
    require_writable(plan.folder, "runs")
    for stage in plan.todo:
        if isinstance(stage, EvaluateStage) and stage.folder.path.exists():
            require_writable(stage.folder.path, "runs")


def sync_command(file: Path, overrides: list[str]) -> str:
    """Returns the command that sends all finished stages of an experiment to W&B."""
    return shlex.join(["modulingua", "sync", str(file), *overrides])


def _print_progress(done: int, detail: str) -> None:
    if own_rank() == 0:
        print(done, detail, sep="\t", flush=True)


def _claimed(plan: Plan, stage: Stage, waiting: Callable[[str], None]) -> AbstractContextManager[bool]:
    """Locks a stage and yields whether it is still missing.

    First removes the temporary files of killed processes and copies identical results from other runs.
    """

    def prepare() -> None:
        if isinstance(stage, EvaluateStage):
            sweep(stage.folder.path)
            copy_identical_results(stage, plan.of_type(EvaluateStage))
        else:
            plan.store.sweep(stage.id)

    file = stage.folder.claim if isinstance(stage, EvaluateStage) else plan.store.claim(stage.id)
    return stage_lock(file, lambda: plan.is_done(stage), waiting, prepare)


class _Children:
    """Carries out stages on several devices of this machine.

    Lightning starts ranks by repeating a process's command line, so each stage gets a process of its own.
    """

    def __init__(self, file: Path, overrides: list[str], devices: int) -> None:
        self.file = file
        self.overrides = overrides
        self.devices = devices
        self.process: subprocess.Popen[str] | None = None
        self.tracking_failed = False
        self.known = {COMMAND: typed(), PARENT: str(os.getpid())}

    def stop(self) -> None:
        """Forwards a stop signal to the first rank, which decides for all."""
        if self.process is not None:
            self.process.terminate()

    def execute(self, stage: Stage, report: ProgressCallback) -> None:
        """Carries out one stage.

        Raises:
            UserError, Interrupted, Unavailable: A process ended with the exit code of this error.
            RuntimeError: A process failed otherwise; the message holds its standard error.
        """
        # Processes that share cores must not start a thread per core each: they would be ten times slower.
        threads = str(max(1, (os.cpu_count() or 1) // self.devices))
        program = [sys.executable, "-m", "framework.execution.runner"]
        command = [*program, str(self.file), json.dumps(self.overrides), stage.id]
        environment = {"OMP_NUM_THREADS": threads, **os.environ, **self.known, CLAIMED: stage.id}
        with tempfile.TemporaryFile("w+") as errors, tempfile.TemporaryDirectory() as folder:
            failed = Path(folder) / "tracking-failed"
            environment[TRACKING_FAILED] = str(failed)
            if self.tracking_failed:  # otherwise each stage would wait for W&B again
                failed.touch()
            self.process = subprocess.Popen(
                command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True
            )
            assert self.process.stdout is not None
            if stop_requested():  # before the process existed
                self.stop()
            for line in self.process.stdout:
                done, tab, detail = line.rstrip("\n").partition("\t")
                if tab and done.isdecimal():
                    report(int(done), detail)
            code = self.process.wait()
            self.process = None
            errors.seek(0)
            printed = errors.read().strip()
            self.tracking_failed = failed.exists()
        once = "\n".join(dict.fromkeys(printed.splitlines()))  # several ranks print the same message
        if error := {2: UserError, INTERRUPTED: Interrupted, UNAVAILABLE: Unavailable}.get(code):
            raise error(once)
        if code < 0 and stop_requested():  # the signal ended it while it was starting
            raise interrupted(f"at the beginning of {stage.kind} · {stage.title}")
        if code:
            raise RuntimeError(f"{stage.kind} · {stage.title} failed on {self.devices} devices:\n{printed}")
        if once:
            print(once, file=sys.stderr)


class _Clock:
    """Estimates the time of the remaining stages from finished stages of the same kind."""

    def __init__(self, stages: list[Stage]) -> None:
        self.stages = stages
        self.sizes = {stage.id: _size(stage) for stage in stages}
        self.started = time.monotonic()
        self.seconds: dict[str, list[float]] = {}

    def finished(self, stage: Stage) -> None:
        now = time.monotonic()
        self.seconds.setdefault(stage.kind, []).append((now - self.started) / self.sizes[stage.id])
        self.started = now

    def left_after(self, number: int) -> str:
        """Returns the time of the stages after the first `number`; empty while a kind of them is unmeasured."""
        rest = self.stages[number:]
        if not rest or any(stage.kind not in self.seconds for stage in rest):
            return ""
        pace = {kind: sum(measured) / len(measured) for kind, measured in self.seconds.items()}
        return f"  (then {duration(sum(pace[stage.kind] * self.sizes[stage.id] for stage in rest))})"


def _size(stage: Stage) -> int:
    """Returns the steps of a stage that trains, the tests of one that evaluates, and 1 for one that merges."""
    if isinstance(stage, LanguageStage | TaskStage):
        return stage.steps
    return max(1, len(stage.missing)) if isinstance(stage, EvaluateStage) else 1


def main() -> None:
    """Carries out the stage that the command line names; see `execute_one`."""
    with exit_on_user_error():
        retry_requests()
        try:
            execute_one(Path(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3])
        except Interrupted:
            if own_rank() > 0:  # only the first rank prints the message
                raise SystemExit(INTERRUPTED) from None
            raise


if __name__ == "__main__":
    main()
