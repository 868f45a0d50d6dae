"""Checkpoints of a training stage, from which an interrupted training resumes exactly.

A checkpoint holds the trained weights, the optimiser, the schedule, the curve so far and the number of batches. It
holds no random state: dropout, masks and the order of the data depend only on the seed and the number of the batch
(`modules.training.base.StageModule`, `datamodules.batching.loaders`).
"""

import hashlib
import io
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from lightning import Callback, LightningModule, Trainer
from lightning.fabric.plugins import CheckpointIO
from typing_extensions import override

from framework.errors import Interrupted, UserError
from framework.system.atomic_files import write_whole
from framework.system.distributed import own_rank
from framework.system.signals import interrupted, stop_requested
from modules.training.base import StageModule

T = TypeVar("T")

OTHER = "is of another version, or was changed"


class UnusableCheckpoint(Exception):
    """A training cannot resume from a checkpoint; the message says why, without naming the file."""


class CheckpointFile(CheckpointIO):
    """Writes checkpoints atomically, and reads them safely.

    The file is the SHA-256 of its content, in 64 hexadecimal digits, followed by the content.
    """

    failed = False
    """Whether the last one could not be written."""
    restoring: dict[str, Any] | None = None
    """The checkpoint that was read, until the training begins: errors before that are caused by it."""

    @override
    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        # If the disk is full, the previous checkpoint stays, and nothing is raised: the other ranks wait at a barrier.
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
        """Reads a checkpoint that `is_whole`, without executing code of the file.

        Raises:
            UnusableCheckpoint: It is not a checkpoint of a training.
        """
        self.restoring = {}
        with Path(path).open("rb") as file:
            file.seek(64)
            try:
                checkpoint = torch.load(file, map_location="cpu", weights_only=True)
            except Exception as error:  # of many types: the content may be anything
                raise UnusableCheckpoint("is not what torch saves") from error
        if not isinstance(checkpoint, dict):
            raise UnusableCheckpoint("holds no training")
        self.restoring = checkpoint
        return checkpoint

    @override
    def remove_checkpoint(self, path: Any) -> None:
        Path(path).unlink(missing_ok=True)

    @staticmethod
    def is_whole(path: Path) -> bool:
        """Says whether a file is an undamaged checkpoint."""
        try:
            with path.open("rb") as file:
                digest = file.read(64)
                return hashlib.file_digest(file, "sha256").hexdigest().encode() == digest
        except FileNotFoundError:
            return False


class Checkpointing(Callback):
    """Saves the state of the training periodically and, after a stop signal, before it stops.

    All ranks do so at the end of the same step, as soon as any of them received the signal.
    """

    def __init__(self, file: Path, every: float, validate_every: int | None) -> None:
        """Takes the file, the seconds between checkpoints and the steps between validations (None for none)."""
        self.file = file
        self.every = every
        self.validate_every = validate_every
        self.saved = 0.0

    @override
    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        # All ranks must start from the same step: that of the checkpoint if there is one.
        self.saved = time.monotonic()
        file = _file_of(trainer)
        if file.restoring is not None:
            callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]  # Lightning sets it elsewhere
            kept = {callback.state_key for callback in callbacks if callback.state_dict()}
            if trainer.global_step != file.restoring.get("global_step") or kept - file.restoring["callbacks"].keys():
                raise UnusableCheckpoint(OTHER)
            file.restoring = None
        last, first = _highest(trainer, module, trainer.global_step, -trainer.global_step)
        if last != -first:
            raise RuntimeError(f"the ranks start from steps {-first} to {last}: not all read the same {self.file}")

    @override
    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self.validate_every is None or trainer.global_step % self.validate_every:
            self._after_step(trainer, module)

    @override
    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        self._after_step(trainer, module)  # a checkpoint from before the validation would lack it

    def _after_step(self, trainer: Trainer, module: LightningModule) -> None:
        step, last = trainer.global_step, trainer.max_steps
        if step == last:  # nothing is left to go on with
            return
        due = trainer.is_global_zero and time.monotonic() - self.saved >= self.every
        stop, save = _highest(trainer, module, stop_requested(), due)
        if stop or save:
            trainer.save_checkpoint(self.file)
            self.saved = time.monotonic()
        if stop and any(_highest(trainer, module, _file_of(trainer).failed)):
            raise UserError("stopped, but the state could not be saved: the steps since the last checkpoint are lost")
        if stop:
            raise interrupted(f"after step {step} of {last}")


def _highest(trainer: Trainer, module: LightningModule, *values: int) -> list[int]:
    """Returns the maximum of each value over the ranks."""
    own = torch.tensor(values, dtype=torch.int64, device=module.device)
    highest = trainer.strategy.reduce(own, reduce_op="max")
    assert isinstance(highest, torch.Tensor)
    return list(map(int, highest))


def _file_of(trainer: Trainer) -> CheckpointFile:
    found = trainer.strategy.checkpoint_io
    assert isinstance(found, CheckpointFile)
    return found


@contextmanager
def restoring(trainer: Trainer) -> Iterator[None]:
    """Turns errors between the reading of a checkpoint and the first step into `UnusableCheckpoint`."""
    try:
        yield
    except (UnusableCheckpoint, Interrupted, UserError):
        raise
    except Exception as error:  # of any type, from Lightning or torch
        if _file_of(trainer).restoring is None:
            raise
        raise UnusableCheckpoint(OTHER) from error


def resume_or_start(file: Path, module: StageModule, steps: int, train: Callable[[Path | None], T]) -> T:
    """Trains from a checkpoint if there is a usable one, else from the start; reports an unusable one.

    Args:
        file: The checkpoint.
        module: The module that is trained; a failed attempt to resume leaves it as it is.
        steps: The last step of the training, at which no checkpoint is made.
        train: Trains from the checkpoint's file, or from the start if it is None.
    """
    if is_usable(file, module.trained, steps):
        untrained = module.trained_state()
        try:
            return train(file)
        except UnusableCheckpoint as error:
            _report_unusable(file, error)
            module.load_trained_state(untrained)
    return train(None)


def is_usable(file: Path, trained: list[str], steps: int) -> bool:
    """Says whether there is a checkpoint of the trained parameters (by sorted names) before the last step."""
    try:
        if not file.is_file():
            return False
        if not CheckpointFile.is_whole(file):
            raise UnusableCheckpoint("is damaged")
        checkpoint = CheckpointFile().load_checkpoint(file)
        step = checkpoint.get("global_step")
        if checkpoint.get("trained") != trained or type(step) is not int or not 0 < step < steps:
            raise UnusableCheckpoint(OTHER)
        return True
    except OSError as error:
        _report_unusable(file, f"cannot be read ({error.strerror})")
    except UnusableCheckpoint as error:
        _report_unusable(file, error)
    return False


def _report_unusable(file: Path, fault: object) -> None:
    """Prints that a stage does not resume from its checkpoint, which the next checkpoint replaces."""
    if own_rank() == 0:
        print(f"{file} {fault}: the stage starts again from its beginning", file=sys.stderr)
