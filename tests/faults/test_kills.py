"""Whenever a run is killed, the same command goes on from there and comes to the same weights, bit for bit.

Each way of running is killed as often as the environment variable `FAULTS` says; `make faults` does it.
"""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest

from tests.faults import chain
from tests.framework import tiny
from tests.framework.tiny import Workspace

KILLS = int(os.environ.get("FAULTS", "3"))
WAYS: dict[str, dict[str, Any]] = {
    "one process": {},
    "data workers": {"trainer.num_workers": 2},
    # Each stage takes seconds to start its processes, so one language and one component must do.
    "two ranks": {
        "trainer.devices": 2,
        "combination.language": {"prompt": {"length": 2}},
        "languages.targets": ["swh_Latn"],
    },
}


@pytest.fixture(scope="module")
def shared_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `tests.framework`'s, but for an encoder with dropout."""
    folder = tmp_path_factory.mktemp("faults")
    tiny.tiny.build(folder / "encoder", "xlm-roberta", dropout=0.2)
    tiny.build_texts(folder / "texts")
    tiny.build_corpus(folder / "corpus")
    return folder


def workspace_in(folder: Path, shared_files: Path) -> Workspace:
    folder.mkdir()
    return Workspace(folder, shared_files / "encoder", shared_files / "texts", shared_files / "corpus")


@pytest.mark.faults
@pytest.mark.timeout(3600)  # FAULTS may be large
@pytest.mark.parametrize("way", WAYS)
def test_killed_runs_come_to_the_same_weights(tmp_path: Path, shared_files: Path, way: str) -> None:
    whole = workspace_in(tmp_path / "whole", shared_files)
    changes: dict[str, Any] = {
        "pretrain": {
            "languages": ["swh_Latn"],
            "objective": {"masked": whole.text},
            "training": {"steps": 120},
            "batch_size": 4,
        },
        "combination.language": {"prompt": {"length": 2}, "adapter": {"reduction_factor": 8}},
        "stages.language.training.steps": 40,
        "stages.task": {
            "training": {"steps": 60, "warmup_steps": 3, "optimizer": {"lr": 0.01}},
            "batch_size": 4,
            "validate_every": 6,
            "choose": "best",
        },
        "trainer.checkpoint_every": 0,
    } | WAYS[way]
    seconds = chain.run_whole(whole.write(changes))
    draw = random.Random(f"{way} {KILLS}")
    counts, number = chain.Chain(), 0
    while counts.kills < KILLS:
        number += 1
        killed = workspace_in(tmp_path / f"killed-{number}", shared_files)
        chain.run_killed(killed.write(changes), killed.store, KILLS, seconds / 3, draw, counts)
        assert chain.found(killed, changes) == chain.found(whole, changes)
        left = [file for file in killed.folder.rglob(".*") if file.name != ".unfinished"]
        assert left == []
        assert list((killed.store.folder / ".unfinished").iterdir()) == []
    print(f"{way}: {counts.kills} kills, {counts.checkpoints} of them in the middle of a training")
    assert counts.checkpoints > 0
