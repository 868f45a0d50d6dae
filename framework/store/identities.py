"""The identities of components that were not trained here follow from what they are, and can be computed again."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from safetensors.torch import save
from torch import Tensor

from framework.identity import identity
from framework.store.formula import merged_identity
from framework.store.store import Passport


def imported_identity(
    state: Mapping[str, Tensor], components: dict[str, Any], languages: Sequence[str], backbone: Mapping[str, str]
) -> str:
    """Returns the identity of what was imported: a hash of weights, settings, role, languages and backbone."""
    content = {name: hashlib.sha256(save({name: tensor})).hexdigest() for name, tensor in state.items()}
    hashes = {what: backbone[what] for what in ("weights", "tokenizer")}
    return identity(imported=content, components=components, languages=languages, backbone=hashes)


def recomputed(passport: Passport, state: Mapping[str, Tensor]) -> str | None:
    """Returns the identity that imported or summed components must have; None of trained ones.

    The identity of a trained stage is a hash of what was there before the training: of its weights it tells nothing.
    """
    if "training" in passport.training:
        return None
    if parents := passport.training.get("parents"):
        return merged_identity([(parent["weight"], parent["components"]) for parent in parents], passport.languages)
    return imported_identity(state, passport.components, passport.languages, passport.backbone)
