"""Base LightningModule of all training stages."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import lightning
import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.nn import functional
from torch.optim import Optimizer
from torchmetrics import Metric

from modules.combination.combination import Combination
from modules.components import Component
from modules.components.base import load_state
from modules.errors import ModulesError
from modules.training.configs import OptimizationConfig
from modules.training.optimization import build

Batch = dict[str, Any]
"""What a datamodule gives: tensors, and lists of one entry a row. Each stage names the keys that it reads."""


class StageModule(lightning.LightningModule):
    """Trains components of a combination, and a head where there is one; everything else stays as it is.

    A subclass defines `losses`, and for validation `validation_metrics` and `validation_step`. A checkpoint holds what
    is trained, and not the rest of the backbone. Random numbers are drawn anew for each batch from the seed, the rank
    and the number of the batch, so that an interrupted run goes on exactly as it would have.

    >>> from modules import BackboneConfig, Combination, OptimizationConfig, load_backbone
    >>> from modules.components import SoftPromptConfig
    >>> from modules.training.base import StageModule
    >>> class Shrinking(StageModule):
    ...     def losses(self, batch):
    ...         return self.encode(batch).square().mean((1, 2))
    >>> backbone = BackboneConfig("experiments/quickstart/backbone", precision="32", random_init_seed=0)
    >>> combination = Combination(load_backbone(backbone))
    >>> prompt = combination.add("language", "prompt", SoftPromptConfig(length=4), language="swh_Latn", seed=0)
    >>> stage = Shrinking(combination, [prompt], OptimizationConfig(steps=3))
    >>> batch = {**combination.backbone.tokenizer(["du tole"], return_tensors="pt"), "language": ["swh_Latn"]}
    >>> stage.trained, stage.losses(batch).shape
    (['component-language-swh_Latn-prompt/table'], torch.Size([1]))
    """

    def __init__(
        self,
        combination: Combination,
        components: Sequence[Component],
        optimization: OptimizationConfig | None,
        *,
        head: nn.Module | None = None,
        seed: int = 0,
    ) -> None:
        """Makes exactly the components and the head trainable.

        Args:
            combination: Backbone and components.
            components: Those of them that are trained.
            optimization: How they are trained; None for a module that only answers.
            head: What reads the hidden states, always trained.
            seed: Draws the dropout.

        Raises:
            ModulesError: If nothing is trained, or a learning rate is set for something that is not.
        """
        super().__init__()
        self.combination = combination
        self.head = head
        self.optimization = optimization
        self.seed = seed
        self.strict_loading = False
        self.metrics = self.validation_metrics()
        """The validation metrics, which `validation_step` updates, by name."""
        self._metric_modules = nn.ModuleDict(self.metrics)  # moved to the device with the module
        if optimization is None:
            combination.requires_grad_(False)
            components = []
        else:
            combination.train_only(components, *([head] if head is not None else []))
        self._trained: dict[str, nn.Parameter] = {}
        self._kinds: dict[str, list[nn.Parameter]] = defaultdict(list)
        for component in components:
            for name, parameter in component.own_parameters().items():
                self._trained[f"{component.name}/{name}"] = parameter
                self._kinds[component.named].append(parameter)
        if head is not None:
            for name, parameter in head.named_parameters():
                self._trained[f"head/{name}"] = parameter
                self._kinds["head"].append(parameter)
        if optimization is not None:
            build(optimization, self._kinds)

    def configure_optimizers(self) -> Any:
        """Returns the optimiser and a schedule that advances with each step."""
        assert self.optimization is not None
        optimizer, schedule = build(self.optimization, self._kinds)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def configure_gradient_clipping(self, optimizer: Optimizer, *_: Any, **__: Any) -> None:
        """Clips the gradient's norm as `optimization` sets it; the trainer's own setting is ignored."""
        assert self.optimization is not None
        self.clip_gradients(
            optimizer, gradient_clip_val=self.optimization.gradient_clip, gradient_clip_algorithm="norm"
        )

    def on_fit_start(self) -> None:
        """Turns dropout on: a pretrained model comes in evaluation mode, and Lightning leaves it there."""
        self.train()

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Seeds the random numbers of each batch by its number, so that they do not depend on earlier batches."""
        place = (self.seed, self.global_rank, self.trainer.fit_loop.total_batch_idx)
        torch.manual_seed(int(np.random.SeedSequence(place).generate_state(1)[0]))

    @property
    def trained(self) -> list[str]:
        """Names of everything trained, sorted: by component (or "head") and parameter."""
        return sorted(self._trained)

    def trained_state(self) -> dict[str, Tensor]:
        """Returns copies on the CPU of everything trained, by component (or "head") and parameter."""
        return {name: parameter.detach().to("cpu", copy=True).contiguous() for name, parameter in self._trained.items()}

    def load_trained_state(self, state: dict[str, Tensor]) -> None:
        """Sets everything trained to a saved state.

        Raises:
            ModulesError: If the state is not exactly of what is trained here.
        """
        load_state(self._trained, state, where="trained state")

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keeps of the weights only what is trained."""
        checkpoint["state_dict"] = self.trained_state()
        checkpoint["trained"] = self.trained

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Loads the trained weights from a checkpoint.

        Raises:
            ModulesError: If something else was trained in it.
        """
        if checkpoint["trained"] != self.trained:
            other = sorted(set(checkpoint["trained"]) ^ set(self.trained))
            raise ModulesError(f"the checkpoint is of another stage: only one of the two trains {other[0]}")
        self.load_trained_state(checkpoint["state_dict"])
        # Lightning loads what is left here into the whole module; its names are other ones.
        checkpoint["state_dict"] = {}

    def losses(self, batch: Batch) -> Tensor:
        """Returns the loss of each row or token of a batch, which may have none."""
        raise NotImplementedError

    def validation_metrics(self) -> dict[str, Metric]:
        """Returns new metrics by name; by default none."""
        return {}

    def log_validation(self) -> None:
        """Logs each of `metrics` as `validation/NAME`, over all rows of all ranks."""
        for name, metric in self.metrics.items():
            self.log(f"validation/{name}", metric)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Returns the mean of the losses over all ranks, and logs it as `loss`."""
        loss = global_mean(self.losses(batch))
        self.log("loss", loss, prog_bar=True, sync_dist=True)
        return loss

    def languages(self, batch: Batch) -> list[str]:
        """Returns for each row the language whose components act on it."""
        languages: list[str] = batch["language"]
        return languages

    def encode(self, batch: Batch) -> Tensor:
        """Returns the hidden states [batch, time, hidden size] of `input_ids`.

        A batch may hold `token_type_ids`, or `document` for rows of several documents; see `Combination.encode`.
        """
        return self.combination.encode(
            batch["input_ids"],
            batch["attention_mask"],
            self.languages(batch),
            batch.get("token_type_ids"),
            documents=batch.get("document"),
        )


def global_mean(losses: Tensor) -> Tensor:
    """Returns this rank's part of the mean of a loss over the entries that all ranks hold.

    Ranks may hold different numbers of entries, or none. The average of the parts, which data-parallel training takes
    of their gradients, is the mean over all entries.
    """
    count = torch.tensor(losses.numel(), device=losses.device)
    if _distributed():
        distributed.all_reduce(count)
        losses = losses * distributed.get_world_size()
    return losses.sum() / count.clamp(min=1)


def gathered(vectors: Tensor) -> tuple[Tensor, int]:
    """Returns the vectors [number, size] of all ranks, without gradient, and the number of this rank's first."""
    if not _distributed():
        return vectors.detach(), 0
    own = torch.tensor([len(vectors)], device=vectors.device)
    counts = [torch.empty_like(own) for _ in range(distributed.get_world_size())]
    distributed.all_gather(counts, own)
    sizes = [int(count) for count in counts]
    # A collective moves equal shapes: all ranks fill up to the longest.
    padded = functional.pad(vectors.detach(), (0, 0, 0, max(sizes) - len(vectors))).contiguous()
    everybody = [torch.empty_like(padded) for _ in sizes]
    distributed.all_gather(everybody, padded)
    first = sum(sizes[: distributed.get_rank()])
    return torch.cat([part[:size] for part, size in zip(everybody, sizes, strict=True)]), first


def _distributed() -> bool:
    return distributed.is_available() and distributed.is_initialized()
