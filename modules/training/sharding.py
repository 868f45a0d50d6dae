"""A frozen backbone sharded across devices, for one that does not fit on a single device.

Of every transformer layer each device keeps a part, and a layer is put together where it is used, forward and backward,
and let go afterwards (FSDP: Zhao et al., VLDB 2023, arXiv:2304.11277). Components, head and all else that is trained
stay whole everywhere, so that training them is plain DDP and comes to the same weights. The embeddings stay whole too:
a language model head reads them at another place than their own.
"""

import torch
from lightning.pytorch.strategies import DDPStrategy
from torch import distributed
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor

from modules.combination.combination import Combination
from modules.training.base import StageModule


class ShardedBackbone(DDPStrategy):
    """DDP for what is trained, over a frozen backbone that the devices of a machine share.

    Weights move within a machine only; each machine has all of them.
    """

    def model_to_device(self) -> None:
        """Shares the layers out before anything is moved: a device never holds all of them."""
        module = self.lightning_module
        assert isinstance(module, StageModule)
        if not any(isinstance(layer, FSDPModule) for layer in module.combination.backbone.layers):
            share_out(module.combination, self._mesh())  # once: an evaluation has many trainers
        ignored = [name for name, parameter in module.named_parameters() if isinstance(parameter, DTensor)]
        # Each rank has another part, so that one rank's must not be sent to all.
        module._ddp_params_and_buffers_to_ignore = ignored  # type: ignore[assignment]
        super().model_to_device()

    def _mesh(self) -> DeviceMesh:
        machines = (self.num_nodes, self.num_processes)
        return init_device_mesh(self.root_device.type, machines, mesh_dim_names=("machine", "device"))["device"]


def share_out(combination: Combination, devices: DeviceMesh) -> None:
    """Shards the weights of each layer of a frozen backbone across the ranks of devices (FSDP); not reversible.

    From then on all ranks must encode equally often; `Combination.encode` sees to that within a batch.
    """
    backbone = combination.backbone
    own = set(backbone.own_parameters().values())
    for layer in backbone.layers:
        fully_shard(layer, mesh=devices, ignored_params=set(layer.parameters()) - own)

    def highest(number: int) -> int:
        most = torch.tensor(number, device=backbone.embeddings.weight.device)
        distributed.all_reduce(most, op=distributed.ReduceOp.MAX)
        return int(most)

    combination.synchronised_passes = highest
    combination.shared = True
