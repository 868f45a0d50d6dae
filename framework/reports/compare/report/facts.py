"""What the report tells of the runs: what they are, what made them, and how to make them again."""

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
    """The resolved YAML of each run, equal ones once; runs that were not made by the runner have none."""
    found: dict[str, list[str]] = {}
    for label, run in runs:
        file = run.path / "experiment.yaml"
        if file.is_file():
            found.setdefault(file.read_text(encoding="utf-8", errors="replace"), []).append(_name(label, run))
    return _shared(found)


def commands(runs: Runs) -> list[Shared]:
    """The command that makes each run again, with its commit, equal ones once."""
    found: dict[str, list[str]] = {}
    for label, run in runs:
        if run.record.command:
            at = f"# at commit {run.record.commit}\n" if run.record.commit else ""
            found.setdefault(at + run.record.command, []).append(_name(label, run))
    return _shared(found)


def runs_table(runs: Runs) -> Table:
    """A row for each run."""
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
    """A row for each library, with the versions that the runs were made with."""
    found: dict[str, dict[str, None]] = {}
    for _, run in runs:
        for library, version in run.record.versions.items():
            found.setdefault(library, {})[version] = None
    rows = [[library, ", ".join(versions)] for library, versions in found.items()]
    return Table("Versions", "Versions of the libraries that the runs were made with.", ["library", "version"], rows)


def _name(label: str, run: RunFolder) -> str:
    return f"{label}, seed {run.record.seed}"


def _shared(found: dict[str, list[str]]) -> list[Shared]:
    return [Shared(text, "; ".join(names)) for text, names in found.items()]
