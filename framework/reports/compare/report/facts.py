"""The report's sections on the runs: their records, versions, and how to reproduce them."""

from collections.abc import Iterable
from dataclasses import dataclass

from framework.reports.compare.report.tables import Table
from framework.results.run_folder import RunFolder

Runs = list[tuple[str, RunFolder]]
"""Each run with its combination's label."""


@dataclass(frozen=True)
class Shared:
    """A text that several runs have in common."""

    text: str
    runs: str


def experiments(runs: Runs) -> list[Shared]:
    """Returns the distinct resolved YAMLs of the runs; runs that were not made by the runner have none."""
    files = ((run.path / "experiment.yaml", label, run) for label, run in runs)
    return _shared(
        (file.read_text(encoding="utf-8", errors="replace"), label, run) for file, label, run in files if file.is_file()
    )


def commands(runs: Runs) -> list[Shared]:
    """Returns the distinct commands that reproduce the runs, with their commits."""
    recorded = ((run.record, label, run) for label, run in runs if run.record.command)
    return _shared(
        ((f"# at commit {record.commit}\n" if record.commit else "") + record.command, label, run)
        for record, label, run in recorded
    )


def runs_table(runs: Runs) -> Table:
    """Returns a row for each run."""
    of_run = ["run", "experiment", "combination", "seed"]
    columns = [*of_run, "backbone", "precision", "dataset", "source", "settings", "commit"]
    rows = [
        [
            run.path.name,
            run.record.experiment,
            label,
            str(run.record.seed),
            run.record.backbone,
            run.record.precision,
            run.record.dataset,
            ", ".join(run.record.source),
            ", ".join(f"{key}={value}" for key, value in run.record.settings.items()),
            run.record.commit,
        ]
        for label, run in runs
    ]
    return Table("Runs", "The runs. A commit with + had changes that were not committed.", columns, rows)


def versions_table(runs: Runs) -> Table:
    """Returns a row for each library, with the versions of the runs."""
    found: dict[str, dict[str, None]] = {}
    for _, run in runs:
        for library, version in run.record.versions.items():
            found.setdefault(library, {})[version] = None
    rows = [[library, ", ".join(versions)] for library, versions in found.items()]
    return Table("Versions", "Versions of the libraries that the runs were made with.", ["library", "version"], rows)


def _shared(texts: Iterable[tuple[str, str, RunFolder]]) -> list[Shared]:
    found: dict[str, list[str]] = {}
    for text, label, run in texts:
        found.setdefault(text, []).append(f"{label}, seed {run.record.seed}")
    return [Shared(text, "; ".join(names)) for text, names in found.items()]
