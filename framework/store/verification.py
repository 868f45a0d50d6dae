"""Looks whether components are whole: the passport, the weights' hash, the file and the shapes in it."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from framework.errors import UserError
from framework.store.identities import recomputed
from framework.store.store import HEAD, KEPT_TOKENS, WEIGHTS, Passport, is_intact, parameter_count, read_passport
from framework.system.stored_files import Unreadable
from modules import ModulesError, component_class, inspect_backbone


@dataclass(frozen=True)
class Finding:
    """What was found of one component."""

    id: str
    faults: list[str]
    """What is damaged; nothing where it is whole."""
    unchecked: str = ""
    """Why its shapes could not be compared with its configuration; empty where they were."""


def verify(folder: Path, identity: str) -> Finding:
    """Checks the component of an identity in a folder, of the store or elsewhere.

    Its shapes are those that its configuration gives on its backbone, whose `config.json` is therefore needed; where
    it cannot be had, at least the number of parameters is that of the passport.

    Raises:
        Unreadable: A file may not be read; so it is not known whether it is damaged.
        OSError: The same, of the weights.
    """
    try:
        passport = read_passport(folder)
    except Unreadable:
        raise
    except UserError as error:
        return Finding(identity, [str(error)])
    faults = [] if passport.id == identity else [f"the passport is that of {passport.id}"]
    file = folder / WEIGHTS
    if not file.is_file():
        return Finding(identity, [*faults, f"{WEIGHTS} is missing"])
    if not is_intact(file, passport.weights_sha256):
        faults.append(f"{WEIGHTS} is damaged or cut short: its SHA-256 is not the passport's")
    try:
        state = load_file(file)
    except (SafetensorError, OSError, MemoryError) as error:
        return Finding(identity, [*faults, f"{WEIGHTS} is no safetensors file ({error})"])
    faults += _of_content(passport, state)
    try:
        expected = _expected(passport, state)
    except (ModulesError, UserError) as error:
        return Finding(identity, faults, unchecked=str(error))
    return Finding(identity, faults + _of_shapes(expected, state))


def _of_content(passport: Passport, state: dict[str, Tensor]) -> Iterator[str]:
    if (count := parameter_count(state)) != passport.parameters:
        yield f"it holds {count:,} parameters, the passport says {passport.parameters:,}"
    infinite = [name for name, tensor in state.items() if not torch.isfinite(tensor).all()]
    yield from (f"{name} holds numbers that are not finite" for name in infinite[:1])
    if (known := recomputed(passport, state)) not in (None, passport.id):
        yield f"its id is not that of its content, {known}"


def _expected(passport: Passport, state: dict[str, Tensor]) -> dict[str, torch.Size]:
    """Returns the shapes of all weights but the head's, which only the task's labels tell."""
    # Shapes follow from config.json: drawn weights need none to be there, and none are drawn for it.
    info = inspect_backbone(dataclasses.replace(passport.backbone_config, random_init_seed=0))
    shapes: dict[str, torch.Size] = {}
    for slot, kind, config in passport.component_configs():
        component = component_class(kind)
        # The whole backbone is with its language model head where its stage learnt through that.
        own = component.outline(config, info)
        if sum(name.startswith(f"{slot}/") for name in state) > len(own):
            own = component.outline(config, info, with_lm_head=True)
        shapes |= {f"{slot}/{name}": tensor.shape for name, tensor in own.items()}
    for name, shape in shapes.items() if KEPT_TOKENS in state else ():
        if shape[0] == info.vocabulary_size:
            shapes[name] = torch.Size([len(state[KEPT_TOKENS]), *shape[1:]])
    return shapes


def _of_shapes(expected: dict[str, torch.Size], state: dict[str, Tensor]) -> list[str]:
    found = {name: tensor.shape for name, tensor in state.items() if not name.startswith((f"{HEAD}/", KEPT_TOKENS))}
    missing, unexpected = sorted(expected.keys() - found.keys()), sorted(found.keys() - expected.keys())
    wrong = [name for name in expected if name in found and found[name] != expected[name]]
    faults = [f"{name} is {list(found[name])} and should be {list(expected[name])}" for name in wrong[:1]]
    faults += [f"{names[0]} is {what}" for names, what in ((missing, "missing"), (unexpected, "unknown")) if names]
    return faults
