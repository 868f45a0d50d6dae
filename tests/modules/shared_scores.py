"""Scores of continuations on a backbone that two ranks share; run as a script, it is one of the ranks."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import distributed
from torch.distributed.device_mesh import init_device_mesh

from modules import BackboneConfig, Combination, load_backbone
from modules.training.sharding import share_out
from tests.modules import tiny
from tests.modules.slots import fill

MODELS = ["llama", "mt5"]
SLOTS = (("language", "prompt"), ("language", "adapter"), ("task", "lora"))
LANGUAGES = [["swh_Latn", "swh_Latn", "swh_Latn"], ["swh_Latn", "hau_Latn", "yor_Latn"]]
"""Of the rows of each rank: one pass, and three."""
CONTINUATIONS = {
    "answers": [[[[7], [8]]] * 3, [[[7, 8, 9], [10]]] * 3],
    "one answer": [[[[7]]] * 3, [[[8, 9, 10]]] * 3],
}
"""By case those of each rank: of one token, and of several."""


def scored(place: Path, rank: int, *, shared: bool) -> dict[str, torch.Tensor]:
    """Returns the scores of a rank's rows in each case, and the sums of their gradients' sizes."""
    whole = Combination(load_backbone(BackboneConfig(name=str(place), precision="32"), with_lm_head=True))
    fill(whole, SLOTS, ["swh_Latn", "hau_Latn", "yor_Latn"])
    whole.train_only(whole.components())
    if shared:
        share_out(whole, init_device_mesh("cpu", (2,)))
    ids, mask = tiny.batch(3, seed=rank)
    found = {}
    for case, continuations in CONTINUATIONS.items():
        whole.zero_grad()
        sums, _ = whole.continuation_log_likelihoods(ids, mask, continuations[rank], LANGUAGES[rank])
        sums.sum().backward()
        grown = [weights.grad.abs().sum() for weights in whole.parameters() if weights.grad is not None]
        found |= {f"{case} scores": sums.detach(), f"{case} gradients": torch.stack([size for size in grown if size])}
    return found


def main(folder: Path, output: Path, rank: int) -> None:
    distributed.init_process_group("gloo", init_method=f"file://{output / 'meeting'}", rank=rank, world_size=2)
    for model_type in MODELS:
        save_file(scored(folder / model_type, rank, shared=True), output / f"{model_type}.{rank}.safetensors")
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
