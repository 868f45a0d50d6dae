"""The report's sections on the runs: their records, versions, and how to reproduce them."""

from collections.abc import Iterable

from framework.reports.compare.report.tables import Table
from framework.results.run_folder import RunFolder

Runs = list[tuple[str, RunFolder]]
"""Each run with its combination's label."""


def experiments(runs: Runs) -> dict[str, str]:
    """Returns the distinct resolved YAMLs, each with its runs; runs that were not made by the runner have none."""
    files = ((run.path / "experiment.yaml", label, run) for label, run in runs)
    return _shared(
        (file.read_text(encoding="utf-8", errors="replace"), label, run) for file, label, run in files if file.is_file()
    )


def commands(runs: Runs) -> dict[str, str]:
    """Returns the distinct commands that reproduce runs, with their commits, each with its runs."""
    recorded = ((run.record, label, run) for label, run in runs if run.record.command)
    return _shared(
        ((f"# at commit {record.commit}\n" if record.commit else "") + record.command, label, run)
        for record, label, run in recorded
    )


def runs_table(runs: Runs) -> Table:
    """Returns a row for each run."""
    records = [run.record for _, run in runs]
    grid = [
        ["run", *(run.path.name for _, run in runs)],
        ["experiment", *(record.experiment for record in records)],
        ["combination", *(label for label, _ in runs)],
        ["seed", *(str(record.seed) for record in records)],
        ["backbone", *(record.backbone for record in records)],
        ["precision", *(record.precision for record in records)],
        ["dataset", *(record.dataset for record in records)],
        ["source", *(", ".join(record.source) for record in records)],
        ["settings", *(", ".join(f"{key}={value}" for key, value in record.settings.items()) for record in records)],
        ["commit", *(record.commit for record in records)],
    ]
    return Table.of("Runs", ["The runs. A commit with + had changes that were not committed."], grid)


def versions_table(runs: Runs) -> Table:
    """Returns a row for each library, with the versions of the runs."""
    found: dict[str, dict[str, None]] = {}
    for _, run in runs:
        for library, version in run.record.versions.items():
            found.setdefault(library, {})[version] = None
    rows = [[library, ", ".join(versions)] for library, versions in found.items()]
    return Table("Versions", "Versions of the libraries that the runs were made with.", ["library", "version"], rows)


def _shared(texts: Iterable[tuple[str, str, RunFolder]]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for text, label, run in texts:
        found.setdefault(text, []).append(f"{label}, seed {run.record.seed}")
    return {text: "; ".join(runs) for text, runs in found.items()}
