"""What other launchers of processes (torchrun, Kubernetes, accelerate) leave in the environment."""

import os

RANKS = (
    "RANK", "LOCAL_RANK", "GROUP_RANK", "NODE_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"
)
"""Environment variables that give a process its rank and the address where ranks meet; Lightning reads them too."""


def forget_ranks() -> None:
    """Removes ranks that nobody assigned to this process, which must be the first one of a command.

    Modulingua starts its processes itself. With the `LOCAL_RANK` of a shell or a container, the first process would
    take itself for another rank, leave the results to a rank 0 that does not exist, or wait for it for ever.
    """
    for name in RANKS:
        os.environ.pop(name, None)
