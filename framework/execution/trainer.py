"""Lightning's Trainer as every stage uses it: devices, precision, curves, checkpoints, choice of weights."""

import logging
import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from lightning import Callback, LightningDataModule, LightningModule, Trainer, seed_everything
from lightning.fabric.plugins import ClusterEnvironment
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch.strategies import Strategy
from torch import Tensor
from typing_extensions import override

from framework.config.schema import TrainerConfig
from framework.errors import UserError
from framework.execution.checkpoint import CheckpointFile, Checkpointing, restoring, resume_or_start
from framework.system.distributed import slurm_tasks
from framework.tracking.live_tracker import Tracker
from modules.training.base import StageModule
from modules.training.sharding import ShardedBackbone
from modules.training.task import TaskModule

ProgressCallback = Callable[[int, str], None]
"""Callback: (steps done, latest metrics as text)."""

LOG_EVERY = 10
"""Steps between two points of a training curve."""

History = list[dict[str, float]]


def make_trainer(trainer: TrainerConfig, precision: str, callbacks: list[Callback], **options: Any) -> Trainer:
    """Makes a Trainer without console output; `options` are further ones of Lightning's.

    Raises:
        UserError: Slurm started another number of processes.
    """
    _quieten_lightning()
    made = Trainer(
        accelerator=trainer.accelerator,
        devices=trainer.devices,
        num_nodes=trainer.num_nodes,
        strategy=_strategy(trainer),
        plugins=[CheckpointFile(), _cluster_environment(trainer)],
        precision=precision,  # type: ignore[arg-type]
        callbacks=callbacks,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,  # the data modules distribute rows among ranks themselves
        **options,
    )
    # Its handler of SIGTERM starts a collective at any point of the ranks' work; ours only records the request.
    made._signal_connector.register_signal_handlers = lambda: None  # type: ignore[method-assign]
    return made


def fit(
    module: StageModule,
    data: LightningDataModule,
    trainer: TrainerConfig,
    report: ProgressCallback,
    tracker: Tracker,
    *,
    checkpoint: Path,
    precision: str,
    seed: int,
    validate_every: int | None = None,
    choose: Literal["best", "last", "average"] = "last",
    average_last: int | None = None,
) -> History:
    """Trains a stage's module, from the start or from its checkpoint; afterwards it holds the chosen weights.

    Args:
        module: Trained for the steps of its optimisation settings.
        data: The training data.
        trainer: Devices.
        report: Receives progress.
        tracker: Receives the training curve.
        checkpoint: The checkpoint's file.
        precision: Lightning's name of the precision.
        seed: Of dropout.
        validate_every: Steps between validations; None for none.
        choose: `best` loads the weights of the step with the best validation score, the earliest of equals; the module
            must then be a `TaskModule`, which defines the score. `average` loads the mean of the weights at the
            validated steps.
        average_last: Number of last validated steps that the mean is taken over; None for all.

    Returns:
        The training curve: `step` and the values logged there.
    """
    optimization = module.optimization
    assert optimization is not None
    steps = optimization.steps
    if validate_every is not None:
        validate_every = min(validate_every, steps)

    def train(start: Path | None) -> History:
        seed_everything(seed, verbose=False)
        chosen_by = module.chosen_by if isinstance(module, TaskModule) else ""
        words = {"loss": "loss", chosen_by: f"dev {chosen_by.rpartition('/')[2].replace('_', ' ')}"}
        curve = _Curve(report, tracker, words)
        callbacks: list[Callback] = [curve]
        kept: _Best | _Average | None = None
        options: dict[str, Any] = {"limit_val_batches": 0}
        if validate_every is not None:
            options = {"val_check_interval": validate_every, "check_val_every_n_epoch": None}
            begin = 0 if average_last is None else (steps // validate_every - average_last) * validate_every
            kept = {"best": _Best(chosen_by), "average": _Average(begin), "last": None}[choose]
            callbacks += [kept] if kept is not None else []
        callbacks.append(Checkpointing(checkpoint, trainer.checkpoint_every, validate_every))
        options |= {"gradient_clip_val": optimization.gradient_clip, "num_sanity_val_steps": 0}
        fitting = make_trainer(trainer, precision, callbacks, max_steps=steps, **options)
        with restoring(fitting):
            fitting.fit(module, data, ckpt_path=start)
        if kept is not None and kept.state:
            module.load_trained_state(kept.state)
        return curve.rows

    return resume_or_start(checkpoint, module, steps, train)


def _strategy(trainer: TrainerConfig) -> str | Strategy:
    if trainer.processes == 1:
        return "auto"
    return ShardedBackbone() if trainer.shard_backbone else "ddp"


class _Curve(Callback):
    """Collects the training curve and reports progress: the latest metrics by the words given for them."""

    def __init__(self, report: ProgressCallback, tracker: Tracker, words: dict[str, str]) -> None:
        self.report = report
        self.tracker = tracker
        self.words = words
        self.rows: History = []
        self.latest: dict[str, float] = {}

    @override
    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        step = trainer.global_step
        if step % LOG_EVERY == 0 or step == trainer.max_steps:
            loss = float(trainer.callback_metrics["loss"])
            if not math.isfinite(loss):
                raise UserError(f"the training diverged: at step {step} the loss is {loss}; lower the learning rate")
            self._add(step, {"loss": loss})
        metrics = (f"{word} {self.latest[name]:.3f}" for name, word in self.words.items() if name in self.latest)
        self.report(step, "  ".join(metrics))

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows, "news": self.latest}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows, self.latest = state_dict["rows"], state_dict["news"]

    @override
    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items() if name != "loss"}
        self._add(trainer.global_step, metrics)

    def _add(self, step: int, values: dict[str, float]) -> None:
        self.latest |= values
        if self.rows and self.rows[-1]["step"] == step:
            self.rows[-1] |= values
        else:
            self.rows.append({"step": step, **values})
            self.tracker.log(self.rows)


class _Best(Callback):
    """Keeps the trained weights of the step with the best validation, the earliest of equals; on all ranks."""

    def __init__(self, chosen_by: str) -> None:
        self.chosen_by = chosen_by
        self.score = -math.inf
        self.state: dict[str, Tensor] = {}

    def state_dict(self) -> dict[str, Any]:
        return {"score": self.score, "state": self.state}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.score, self.state = state_dict["score"], state_dict["state"]

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        assert isinstance(module, StageModule)
        score = float(trainer.callback_metrics[self.chosen_by])
        if score > self.score:
            self.score, self.state = score, module.trained_state()


class _Average(Callback):
    """Keeps the mean of the trained weights at the validated steps after a step; on all ranks.

    It is a running mean, which costs the same for any number of steps: with n weights in it, a further one w moves it
    by (w - mean) / (n + 1), as in stochastic weight averaging (Izmailov et al., 2018, algorithm 1).
    """

    def __init__(self, begin: int) -> None:
        self.begin = begin
        self.count = 0
        self.state: dict[str, Tensor] = {}

    def state_dict(self) -> dict[str, Any]:
        return {"count": self.count, "state": self.state}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.count, self.state = state_dict["count"], state_dict["state"]

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        assert isinstance(module, StageModule)
        if trainer.global_step <= self.begin:
            return
        self.count += 1
        weights = module.trained_state()
        self.state = {name: self.state.get(name, one).lerp(one, 1 / self.count) for name, one in weights.items()}


def _quieten_lightning() -> None:
    """Hides Lightning's notes on devices, workers and intervals, which the user cannot act on."""
    for name in ("lightning.pytorch", "lightning.fabric", "lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for note in (
        ".*does not have many workers.*",
        ".*have no `val_dataloader`.*",
        ".*GPU available but not used.*",
        ".*LeafSpec.*deprecated.*",
        ".*callbacks used to create the checkpoint.*",
        ".*`srun` command is available.*",
    ):
        warnings.filterwarnings("ignore", message=note)


def _cluster_environment(trainer: TrainerConfig) -> ClusterEnvironment:
    """Returns Lightning's source of the ranks, which Lightning itself would choose by the job's name.

    Raises:
        UserError: Slurm started another number of tasks than the experiment asks for.
    """
    tasks = slurm_tasks()
    if tasks == 1:
        return LightningEnvironment()
    if tasks != trainer.processes:
        raise UserError(
            f"trainer: devices={trainer.devices} on num_nodes={trainer.num_nodes} make {trainer.processes} "
            f"process{'es' if trainer.processes > 1 else ''}, but Slurm started {tasks} tasks"
        )
    return SLURMEnvironment(auto_requeue=False)  # the batch script requeues when all ranks have stopped
