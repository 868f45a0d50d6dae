"""How long a comparison of a whole study takes: 205 languages × 16 combinations × 3 seeds, 204 examples each.

python -m tests.benchmarks.compare FOLDER    makes the runs there if there are none, compares them and draws figures
"""

import itertools
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from datamodules import LANGUAGES
from framework.reports.compare import compare
from framework.reports.compare.figures import draw_figures, write_figures
from framework.reports.compare.report import write_report
from tests.framework.made_runs import add, make_run

LABELS = list("abcdefg")
SIZE = 204
SLOTS = [{}, {"prompt": {}}, {"adapter": {}}, {"prompt": {}, "adapter": {}}]


def make_study(folder: Path) -> None:
    """Makes runs whose answers are right by chance, more often where there are more components."""
    generator = np.random.default_rng(0)
    gold = [str(label) for label in generator.choice(LABELS, SIZE)]
    for (language, task), seed in itertools.product(itertools.product(SLOTS, SLOTS), range(3)):
        combination = {"language": language, "task": task}
        parts = [f"{role} {kind}" for role, kinds in combination.items() for kind in kinds]
        run = make_run(folder, " + ".join(parts) or "head only", seed, combination=combination)
        for code in sorted(LANGUAGES)[:205]:
            guesses = generator.choice(LABELS, SIZE)
            is_right = generator.random(SIZE) < 0.4 + 0.05 * len(parts)
            answers = [
                right if good else str(guess) for right, good, guess in zip(gold, is_right, guesses, strict=True)
            ]
            add(run, code, 0, gold=gold, predicted=answers)


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Says how long a part took, and how much of that time the machine worked on it."""
    start, worked = time.perf_counter(), time.process_time()
    yield
    print(f"{what}: {time.perf_counter() - start:.1f} s, {time.process_time() - worked:.1f} s of one core")


if __name__ == "__main__":
    study = Path(sys.argv[1])
    if not study.exists():
        make_study(study)
    for metric in ("macro_f1", "accuracy"):
        with timed(metric):
            comparison = compare(
                [study],
                metric,
                "head only",
                ["script", "family", "resource", "seen"],
                by="combination.task",
                rows_by="combination.language",
            )
            comparison.write(study)
    with timed("figures"):
        drawings = draw_figures(comparison)
        write_figures(comparison, drawings, study)
    print(f"pages: {sum(len(drawing.pages) for drawing in drawings)}")
    with timed("report"):
        report = write_report(comparison, drawings, study)
    print(f"size of the report: {report.stat().st_size / 2**20:.1f} MiB")
    print(f"most memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB")
