"""Carries out a plan on this machine, stage by stage."""

import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from rich.console import Console

from framework.compare import compare
from framework.config import read_experiment
from framework.errors import UserError, said_plainly
from framework.files import require_writable
from framework.fitting import Report
from framework.plan import EvaluateStage, LanguageStage, Plan, Stage, TaskStage, make_plan
from framework.progress import StageProgress, duration
from framework.provenance import COMMAND
from framework.provenance import command as typed
from framework.reuse import take_over
from framework.stages import carry_out


def plan_experiment(file: Path, overrides: list[str]) -> Plan:
    """Reads, checks and plans an experiment.

    Raises:
        UserError: The experiment has mistakes.
    """
    return make_plan(read_experiment(file, overrides))


def run_experiment(file: Path, overrides: list[str], console: Console) -> None:
    """Does what is left of an experiment's plan and prints its results.

    Args:
        file: The experiment's YAML.
        overrides: `key=value` words that win over it.
        console: Where progress and results are printed.

    Raises:
        UserError: The experiment has mistakes, or a stage met damaged or foreign files.
    """
    plan = plan_experiment(file, overrides)
    experiment = plan.variants[0].experiment
    runs = plan.of_kind("evaluate")
    if not plan.todo:
        what = f"{len(runs)} of {len(runs)} runs are" if runs else "every component is"
        console.print(f"nothing to do: {what} there", highlight=False)
    else:
        require_writable(Path(experiment.store), "store")
        require_writable(Path(experiment.runs), "runs")
        devices = experiment.trainer.devices
        clock = _Clock(plan.todo)
        for number, stage in enumerate(plan.todo, start=1):
            if isinstance(stage, EvaluateStage):
                take_over(stage, runs)
            if plan.is_done(stage):  # another experiment that runs beside this one was faster
                continue
            position = f"[{number:>{len(str(len(plan.todo)))}}/{len(plan.todo)}]"
            title = f"{stage.kind} · {stage.title}"
            left_after = partial(clock.left_after, number)
            with StageProgress(console, position, title, _size(stage), left_after) as progress:
                if devices == 1:
                    carry_out(stage, plan.store, progress.update)
                else:
                    _in_processes(stage, file, overrides, devices, progress.update)
            clock.finished(stage)
            gc.collect()  # a backbone and its hooks refer to each other: else each stage's would stay in memory
    if runs:
        comparison = compare([run.folder for run in runs])
        console.print()
        comparison.print(console)
        comparison.write(plan.folder)
        console.print(
            f"\n tables and predictions: {plan.folder}/   ·   modulingua compare {plan.folder}",
            highlight=False,
            soft_wrap=True,
        )


def carry_out_one(file: Path, overrides: list[str], identity: str) -> None:
    """Carries out a single stage of an experiment's plan in this process, and with it its sister ranks.

    Several devices work as one process each. Lightning starts the others by repeating this process's command line, so
    each stage gets a command line of its own: `python -m framework.runner FILE OVERRIDES IDENTITY`. The first rank
    writes its progress to standard output, a step and its figures a line.
    """
    plan = plan_experiment(file, overrides)
    [stage] = [stage for stage in plan.stages if stage.id == identity]
    first = os.environ.get("LOCAL_RANK", "0") == "0"
    carry_out(stage, plan.store, _print_progress if first else lambda done, news: None)


def _print_progress(done: int, news: str) -> None:
    print(done, news, sep="\t", flush=True)


def _in_processes(stage: Stage, file: Path, overrides: list[str], devices: int, report: Report) -> None:
    """Carries out a stage on several devices.

    Raises:
        UserError: A process met a mistake of the user's.
        RuntimeError: A process failed otherwise; the message holds what it said.
    """
    # Processes that share cores must not start a thread per core each: they would fight and be ten times slower.
    threads = str(max(1, (os.cpu_count() or 1) // devices))
    command = [sys.executable, "-m", "framework.runner", str(file), json.dumps(overrides), stage.id]
    environment = {"OMP_NUM_THREADS": threads, **os.environ, COMMAND: typed()}
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        assert process.stdout is not None
        for line in process.stdout:
            done, tab, news = line.rstrip("\n").partition("\t")
            if tab and done.isdecimal():
                report(int(done), news)
        code = process.wait()
        errors.seek(0)
        if code == 2:
            raise UserError(errors.read().strip())
        if code:
            raise RuntimeError(f"{stage.kind} · {stage.title} failed on {devices} devices:\n{errors.read().strip()}")


class _Clock:
    """Guesses how long the stages that are left will take, from the like stages that are finished."""

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
        """Says how long the stages after the first `number` will take; nothing while a kind of them is unmeasured."""
        rest = self.stages[number:]
        if not rest or any(stage.kind not in self.seconds for stage in rest):
            return ""
        pace = {kind: sum(measured) / len(measured) for kind, measured in self.seconds.items()}
        return f"  (then {duration(sum(pace[stage.kind] * self.sizes[stage.id] for stage in rest))})"


def _size(stage: Stage) -> int:
    """Returns the steps of a stage that trains, and the tests of one that evaluates."""
    if isinstance(stage, LanguageStage | TaskStage):
        return stage.steps
    assert isinstance(stage, EvaluateStage)
    return max(1, len(stage.missing))


if __name__ == "__main__":
    with said_plainly():
        carry_out_one(Path(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3])
