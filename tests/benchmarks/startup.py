"""How long commands take to start: the median of five starts each, in processes of their own, with warm disk caches.

    python -m tests.benchmarks.startup

It writes the table of docs/performance.md. A finished tiny experiment stands in for the user's own, so that what is
measured is the start and not the work.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from tests.framework.tiny import EXPERIMENT, ROOT, build_encoder, build_texts, changed

STARTS = 5
PAGE = ROOT / "docs" / "performance.md"
WRONG = {"seed": [0]}
"""A mistake in the YAML: the key is `seeds`."""


def write_experiment(folder: Path) -> Path:
    """Writes a tiny experiment with all that it needs."""
    changes = {
        "backbone.name": str(build_encoder(folder / "encoder")),
        "data.path": str(build_texts(folder / "texts")),
        "store": str(folder / "store"),
        "runs": str(folder / "runs"),
    }
    file = folder / "experiment.yaml"
    file.write_text(yaml.safe_dump(changed(EXPERIMENT, changes)), encoding="utf-8")
    return file


def seconds(words: list[str], environment: Callable[[], dict[str, str]] = dict) -> float:
    """Returns the median of the seconds that a command takes; the first start, which warms the caches, is left out."""
    command = [sys.executable, "-m", "framework.cli", *words]
    taken = []
    for _ in range(STARTS + 1):
        variables = os.environ | {"OMP_NUM_THREADS": "1"} | environment()
        started = time.perf_counter()
        subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, check=False)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken[1:])


def nothing_cached() -> dict[str, str]:
    """Names a new folder for what is found out of backbones."""
    return {"MODULINGUA_CACHE": tempfile.mkdtemp(prefix="modulingua-startup-")}


def processor() -> str:
    """Names this machine's processor."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def main() -> None:
    """Measures, writes and prints the table."""
    with tempfile.TemporaryDirectory() as folder:
        file = write_experiment(Path(folder))
        subprocess.run([sys.executable, "-m", "framework.cli", "run", file], cwd=ROOT, capture_output=True, check=True)
        wrong = file.with_name("wrong.yaml")
        wrong.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | WRONG), encoding="utf-8")
        store, runs = str(file.with_name("store")), str(file.with_name("runs"))
        shipped = "experiments/quickstart.yaml"
        commands = {
            "`modulingua --help`": seconds(["--help"]),
            "`modulingua components list`": seconds(["components", "list", "--store", store]),
            "`modulingua compare RUNS`": seconds(["compare", runs]),
            "`modulingua plan EXPERIMENT.yaml`, with a mistake in the YAML": seconds(["plan", str(wrong)]),
            f"`modulingua plan {shipped}`": seconds(["plan", shipped]),
            "the same, with nothing in the cache": seconds(["plan", shipped], nothing_cached),
            "`modulingua status EXPERIMENT.yaml`": seconds(["status", str(file)]),
        }
    rows = [f"| {name} | {taken:.2f} |" for name, taken in commands.items()]
    measured = f"Measured on {processor()}, with warm disk caches."
    table = "\n".join(["| command | seconds |", "|---|---|", *rows, "", measured, ""])
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(page[: page.index("| command")] + table, encoding="utf-8")
    print(table)


if __name__ == "__main__":
    main()
