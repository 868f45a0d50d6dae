"""Finds the runs that used a component, directly or through a dependent component."""

from pathlib import Path

from framework.errors import UserError
from framework.results.run_folder import RunFolder, read_runs
from framework.store.store import Store
from framework.wording import count


def runs_with(identity: str, store: Store, runs: Path) -> list[RunFolder]:
    """Returns the runs whose results a component took part in, itself or below what they name.

    Args:
        identity: The component.
        store: Where what stands on it is looked up.
        runs: A folder of runs; it need not be there.
    """
    try:
        found = read_runs([runs])
    except UserError:  # no runs, or one that cannot be read: `compare` says so
        return []
    standing = _with_dependencies(identity, store)
    return [run for run in found if not standing.isdisjoint(run.record.components.values())]


def counted(runs: list[RunFolder]) -> str:
    """Says how many they are: `12 runs in 2 experiments`."""
    experiments = len({run.record.experiment for run in runs})
    return f"{count(len(runs), 'run')} in {count(experiments, 'experiment')}" if runs else "no run"


def _with_dependencies(identity: str, store: Store) -> set[str]:
    """Returns a component and all that stand on it, however far below."""
    needs = {passport.id: passport.needs for passport in store.readable()}
    standing = {identity}
    while more := {other for other, below in needs.items() if not standing.isdisjoint(below)} - standing:
        standing |= more
    return standing
