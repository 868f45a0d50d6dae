"""Checkpoints of a stage that trains: what an interrupted training needs to go on exactly as it would have.

A checkpoint holds what is trained, the optimiser, the schedule, the curve so far and the number of batches trained on.
It holds no random state: dropout, masks and the order of the data are drawn anew for each batch from the seed and the
batch's number (`modules.training.StageModule`, `datamodules.batches`).
"""

import hashlib
import io
import sys
import time
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from lightning.fabric.plugins import CheckpointIO

from framework.errors import UserError
from framework.files import write_whole
from framework.interruption import asked, interrupted
from framework.ranks import own_rank


class CheckpointFile(CheckpointIO):
    """Writes a checkpoint whole or not at all, and reads it only if it is what was written.

    The file is the SHA-256 of its content, in 64 hexadecimal digits, and the content.
    """

    failed = False
    """Whether the last one could not be written."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Puts a checkpoint in the place of the one before; where the disk takes no more, that one stays.

        It raises nothing then: the other ranks wait for this one at a barrier behind it.
        """
        content = io.BytesIO()
        torch.save(checkpoint, content)
        digest = hashlib.sha256(content.getbuffer()).hexdigest().encode()
        self.failed = False
        try:
            write_whole(Path(path), digest, content.getbuffer())
        except OSError as error:
            self.failed = True
            print(f"no checkpoint could be written to {path}: {error.strerror}", file=sys.stderr)

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        """Reads a checkpoint that `is_whole`. Nothing in it is code, whatever the file holds."""
        with Path(path).open("rb") as file:
            file.seek(64)
            checkpoint: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
        return checkpoint

    def remove_checkpoint(self, path: Any) -> None:
        """Removes a checkpoint."""
        Path(path).unlink(missing_ok=True)

    @staticmethod
    def is_whole(path: Path) -> bool:
        """Says whether a file is a checkpoint as it was written."""
        try:
            with path.open("rb") as file:
                digest = file.read(64)
                return hashlib.file_digest(file, "sha256").hexdigest().encode() == digest
        except FileNotFoundError:
            return False


class Checkpointing(Callback):
    """Saves the training's state every so often and, when a signal asks for it, a last time before it stops.

    All ranks do so at the end of the same step: each says whether it was asked, and one answer counts for all.
    """

    def __init__(self, file: Path, every: float, validate_every: int | None) -> None:
        """Takes the settings.

        Args:
            file: Where the checkpoint is kept.
            every: Seconds between checkpoints.
            validate_every: Steps between validations; None for none.
        """
        self.file = file
        self.every = every
        self.validate_every = validate_every
        self.saved = 0.0

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Starts the clock, and checks that all ranks start from the same step."""
        self.saved = time.monotonic()
        steps = torch.tensor([trainer.global_step, -trainer.global_step], device=module.device)
        highest, lowest = _highest(trainer, steps).tolist()
        if highest != -lowest:
            raise RuntimeError(f"the ranks start from steps {-lowest} to {highest}: not all see {self.file} alike")

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Saves or stops after a step, unless a validation belongs to it."""
        if self.validate_every is None or trainer.global_step % self.validate_every:
            self._after_step(trainer, module)

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Saves or stops after a step's validation: a checkpoint from before would leave it out."""
        self._after_step(trainer, module)

    def _after_step(self, trainer: Trainer, module: LightningModule) -> None:
        step, last = trainer.global_step, trainer.max_steps
        if step == last:  # nothing is left to go on with
            return
        due = trainer.is_global_zero and time.monotonic() - self.saved >= self.every
        answers = torch.tensor([asked(), due], dtype=torch.int32, device=module.device)
        stop, save = _highest(trainer, answers).tolist()
        if stop or save:
            trainer.save_checkpoint(self.file)
            self.saved = time.monotonic()
        if stop:
            self._require_saved(trainer, module)
            raise interrupted(f"after step {step} of {last}")

    def _require_saved(self, trainer: Trainer, module: LightningModule) -> None:
        writer = trainer.strategy.checkpoint_io
        assert isinstance(writer, CheckpointFile)
        if _highest(trainer, torch.tensor([writer.failed], dtype=torch.int32, device=module.device)).any():
            raise UserError("stopped, but the state could not be saved: the steps since the last checkpoint are lost")


def _highest(trainer: Trainer, values: torch.Tensor) -> torch.Tensor:
    """Returns the highest that any rank has of each value."""
    highest = trainer.strategy.reduce(values, reduce_op="max")
    assert isinstance(highest, torch.Tensor)
    return highest


def usable(file: Path, trained: list[str]) -> Path | None:
    """Returns a checkpoint's file if there is one to go on from; another one is told and left out.

    Args:
        file: The checkpoint.
        trained: Names of what the stage trains, sorted.
    """
    if not file.exists():
        return None
    fault = "is damaged"
    if CheckpointFile.is_whole(file):
        if CheckpointFile().load_checkpoint(file).get("trained") == trained:
            return file
        fault = "is of another version"
    if own_rank() == 0:
        print(f"{file} {fault}: the stage starts again from its beginning", file=sys.stderr)
    return None
