"""Loads saved components in a process of its own: folder of encoders, folder of states, combinations."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from modules import BackboneConfig, Combination, load_backbone
from tests.modules import tiny
from tests.modules.slots import COMBINATIONS, fill, name

encoders, states, *chosen = sys.argv[1:]
by_name = {name(slots): slots for slots in COMBINATIONS}
ids, mask = tiny.batch()
hidden = {}
for model_type, keys in itertools.groupby(chosen, lambda key: key.partition("/")[0]):
    whole = Combination(load_backbone(BackboneConfig(name=str(Path(encoders, model_type)))))
    for key in keys:
        fill(whole, by_name[key.partition("/")[2]], ["swh_Latn"], perturbed=False)
        for component in whole.components():
            component.load_own_state(load_file(Path(states, key, f"{component.name}.safetensors")))
        with torch.no_grad():
            hidden[key] = whole.encode(ids, mask, ["swh_Latn"] * 4)
        for component in whole.components():
            whole.remove(component)
save_file(hidden, Path(states, "hidden.safetensors"))
