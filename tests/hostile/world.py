"""What all cases share: a tiny encoder, texts, and an experiment that was run."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from tests.framework import tiny


@dataclass(frozen=True)
class World:
    """A folder that every case reads and none may change."""

    folder: Path

    @property
    def encoder(self) -> Path:
        """A tiny encoder."""
        return self.folder / "encoder"

    @property
    def texts(self) -> Path:
        """Labelled texts in SIB-200's layout."""
        return self.folder / "texts"

    @property
    def corpus(self) -> Path:
        """Plain texts."""
        return self.folder / "corpus"

    @property
    def finished(self) -> Path:
        """A folder with `e.yaml`, `store/` and `runs/tiny/`: `experiment()` was run there."""
        return self.folder / "finished"

    def settings(self, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Returns the tiny experiment with some dotted keys set; its store and runs are relative paths."""
        here = {"backbone.name": str(self.encoder), "data.path": str(self.texts), "store": "store", "runs": "runs"}
        return tiny.changed(tiny.EXPERIMENT, here | dict(changes or {}))

    def experiment(self, changes: Mapping[str, Any] | None = None) -> str:
        """Returns the YAML of `settings`."""
        return yaml.safe_dump(self.settings(changes), sort_keys=False, width=1000)

    def copy_finished(self, folder: Path) -> None:
        """Copies the finished experiment into the folder of a case; a `setup`, or part of one."""
        shutil.copytree(self.finished, folder, dirs_exist_ok=True)

    def warm(self) -> None:
        """Fills caches that nearly every case would fill for the encoder, which none of them changes."""
        from modules import BackboneConfig, inspect_backbone
        from modules.backbone.backbone import skeleton

        skeleton(inspect_backbone(BackboneConfig(name=str(self.encoder), precision="32")))

    def build(self) -> None:
        """Makes everything; runs in a fork, so that the parent of the cases stays without threads and caches."""
        from framework.execution.runner import run_experiment

        tiny.build_encoder(self.encoder)
        for file in self.encoder.iterdir():
            file.chmod(0o644)  # safetensors makes its files private, and some cases run as another user
        tiny.build_texts(self.texts)
        tiny.build_corpus(self.corpus)
        self.finished.mkdir()
        os.chdir(self.finished)
        Path("e.yaml").write_text(self.experiment())
        run_experiment(Path("e.yaml"), [], Console(file=io.StringIO()))
