"""Reopens finished runs: the experiment and the component store of a run's folder."""

from pathlib import Path

from framework.config.load import read_experiment
from framework.config.schema import Experiment
from framework.results.run_folder import RunFolder
from framework.store.store import Store
from framework.system.stored_files import Damaged


def reopen(run: RunFolder, overrides: list[str] | None = None) -> tuple[Experiment, Store]:
    """Returns the experiment of a finished run and the store of its components.

    The experiment is not checked: its data need not be available. `overrides` are `key=value` words.

    Raises:
        UserError: `experiment.yaml` is missing, or has mistakes.
        Damaged: It is the YAML of several experiments.
    """
    file = run.path / "experiment.yaml"
    experiment, *others = read_experiment(file, overrides, check=False)
    if others:
        raise Damaged(f"{file} was edited: a run is of one experiment, and this has a grid")
    return experiment, Store(Path(experiment.store))
