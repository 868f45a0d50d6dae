"""The identities of the shipped experiments, as they were recorded: a change that moves one is seen.

Stored components and finished runs are found by their identities, so one may change only on purpose. Then record
them anew: `RECORD_IDENTITIES=1 .venv/bin/pytest tests -k 'planned or label_words'`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from safetensors.torch import load_file, save_file

from framework.planning.plan import Plan

RECORDED = Path(__file__).with_name("identities.json")


def with_zero_weights(backbone: Path) -> Path:
    """Replaces a backbone's weights by zeros, so that they have the same hash on every processor."""
    file = backbone / "model.safetensors"
    save_file({name: tensor.zero_() for name, tensor in load_file(file).items()}, file, metadata={"format": "pt"})
    return backbone


def check_identities(experiment: str, plan: Plan) -> None:
    """Compares the identities of a plan's stages with the recorded ones, by kind; a run's is that of its evaluation."""
    found: dict[str, list[str]] = {}
    for stage in plan.stages:
        found.setdefault(stage.kind, []).append(stage.id)
    recorded = json.loads(RECORDED.read_text(encoding="utf-8"))
    if os.environ.get("RECORD_IDENTITIES"):
        RECORDED.write_text(json.dumps(recorded | {experiment: found}, indent=1, sort_keys=True) + "\n")
        return
    assert found == recorded[experiment]
