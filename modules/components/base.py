"""What every kind of component has in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from modules.backbone.backbone import Backbone, skeleton
from modules.backbone.info import BackboneInfo
from modules.components.base_config import ComponentConfig
from modules.errors import ModulesError


class Component(nn.Module):
    """A small trainable part of a combination, in one role and, where it serves one, for one language.

    A kind of component is a subclass with its `Config` and `create`. It takes part in the forward pass through the
    hooks below, which do nothing here, or through forward hooks that look at `enabled`.
    """

    Config: ClassVar[type[ComponentConfig]]
    """The dataclass of its settings."""
    note_on_sums: ClassVar[str] = ""
    """What a reader must know of a sum of such components, or nothing."""

    config: ComponentConfig
    """Its settings; the `Combination` sets them, as it does the following."""
    name: str = ""
    """Unique in its combination."""
    named: str = ""
    """How the experiment names its kind: as `kind`, or by the dotted path of its class."""
    role: str = ""
    language: str | None = None
    """FLORES code of the only language that it acts on; None acts on every language."""
    enabled: bool = False
    """Whether it acts in the forward pass under way."""

    stack_name: str | None = None
    """Its name among the active adapters of the `adapters` library, for components that live there."""
    after_embedding_layer: bool = False
    """Whether it changes embeddings as the layers read them, behind `Backbone.embedder`, instead of the words' own."""

    @property
    def kind(self) -> str:
        """How configurations name its kind."""
        return self.config.kind

    @classmethod
    def create(cls, config: Any, backbone: Backbone, *, name: str, language: str | None) -> Component:
        """Makes an untrained component, drawing from torch's global CPU generator.

        Args:
            config: An instance of `Config`.
            backbone: What it attaches to.
            name: Unique among the components of this backbone; without dots.
            language: English name of its language, for initial texts; None where it serves no single one.
        """
        raise NotImplementedError

    @classmethod
    def outline(cls, config: Any, info: BackboneInfo, *, with_lm_head: bool = False) -> dict[str, Tensor]:
        """Returns its tensors on the meta device, without values, by their names in `own_tensors`.

        This creates one on a backbone that has neither values nor a tokenizer; a kind whose `create` needs them
        returns its outline in its own way. `with_lm_head` says whether the stage uses the language model head, which
        only the whole backbone trains.
        """
        backbone = skeleton(info, with_lm_head)
        with torch.device("meta"):
            component = cls.create(config, backbone, name="counted", language=None)
        tensors = component.own_tensors()
        component.detach()
        return tensors

    @classmethod
    def summed(cls, states: Sequence[dict[str, Tensor]], weights: Sequence[float]) -> dict[str, Tensor]:
        """Returns the weighted sum of what `own_state` returned of several, as `components merge` writes it.

        Raises:
            ModulesError: If these cannot be summed.
        """
        return weighted_sum(states, weights)

    def detach(self) -> None:
        """Takes out of the backbone whatever it put there."""

    def own_parameters(self) -> dict[str, nn.Parameter]:
        """Returns its parameters under names that do not depend on its own name, role or language."""
        return dict(self.named_parameters())

    def own_tensors(self) -> dict[str, Tensor]:
        """Returns its parameters, and its persistent buffers, such as the indices of a sparse mask.

        Raises:
            ModulesError: If a persistent buffer holds floating-point numbers: sums would take it for a parameter.
        """
        kept = self.state_dict().keys()
        buffers = {name: buffer for name, buffer in self.named_buffers() if name in kept}
        for name, buffer in buffers.items():
            if buffer.is_floating_point():
                way_out = "make it a parameter, or draw it anew with persistent=False"
                raise ModulesError(f"{type(self).__name__}: the buffer {name} holds no whole numbers; {way_out}")
        return {**self.own_parameters(), **buffers}

    def own_state(self) -> dict[str, Tensor]:
        """Returns copies of its tensors on the CPU, by their names in `own_tensors`."""
        return {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in self.own_tensors().items()}

    def load_own_state(self, state: dict[str, Tensor]) -> None:
        """Sets its tensors to saved ones.

        Raises:
            ModulesError: If the state is not exactly of this component's names and shapes.
        """
        load_state(self.own_tensors(), state, where=self.name or type(self).__name__)

    def prompt(self) -> Tensor | None:
        """Returns embeddings [length, embedding size] to put before the text, or None."""
        return None

    def embed(self, embeddings: Tensor) -> Tensor:
        """Changes the embeddings of the text [batch, time, embedding size]."""
        return embeddings

    def unembed(self, vectors: Tensor) -> Tensor:
        """Changes vectors [number, embedding size] on their way into the language model's output layer."""
        return vectors


def load_state(tensors: Mapping[str, Tensor], state: dict[str, Tensor], where: str) -> None:
    """Copies saved tensors into those of the same names and shapes.

    Raises:
        ModulesError: If a name is missing or unexpected, or a shape differs.
    """
    faults = []
    if missing := sorted(tensors.keys() - state.keys()):
        faults.append(f"missing {_some(missing)}")
    if unexpected := sorted(state.keys() - tensors.keys()):
        faults.append(f"unexpected {_some(unexpected)}")
    faults += [
        f"{name} has shape {list(state[name].shape)} instead of {list(tensor.shape)}"
        for name, tensor in tensors.items()
        if name in state and state[name].shape != tensor.shape
    ][:3]
    if faults:
        raise ModulesError(f"{where}: the saved weights do not fit: {'; '.join(faults)}")
    with torch.no_grad():
        for name, tensor in tensors.items():
            tensor.copy_(state[name])


def weighted_sum(states: Sequence[dict[str, Tensor]], weights: Sequence[float]) -> dict[str, Tensor]:
    """Returns the weighted sum of tensors, name by name, computed in float64; whole numbers are indices and stay.

    Raises:
        ModulesError: If names, shapes or indices differ.
    """
    first = states[0]
    for other in states[1:]:
        for name in sorted(first.keys() | other.keys()):
            shapes = [list(state[name].shape) if name in state else "absent" for state in (first, other)]
            if shapes[0] != shapes[1]:
                raise ModulesError(f"{name} is {shapes[0]} and {shapes[1]}")
            if not first[name].is_floating_point() and not torch.equal(first[name], other[name]):
                raise ModulesError(f"{name} holds different indices")

    def summed(name: str, tensor: Tensor) -> Tensor:
        if not tensor.is_floating_point():
            return tensor
        parts = [weight * state[name].double() for weight, state in zip(weights, states, strict=True)]
        return torch.stack(parts).sum(dim=0).to(tensor.dtype)

    return {name: summed(name, tensor) for name, tensor in first.items()}


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
