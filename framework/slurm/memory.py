"""The memory of jobs for which the experiment requests none."""

import re

from framework.config.slurm import Resources
from framework.slurm import cluster

SMALL = 8 * 1024
"""MiB of a process below which a warning is due: a backbone of 2 GiB needs two to three times that while it loads."""
GIVEN = re.compile(r"--mem(?:-per-(?:cpu|gpu))?\b")
"""An option of sbatch that asks for memory."""
PER_GPU = re.compile(r"DefMemPerGPU=([0-9]+)")


def default_memory(resources: Resources, processes: int) -> tuple[int, str] | None:
    """Returns the memory per machine of a job that requests none and has `processes` on each machine.

    Returns:
        MiB, and the setting of the cluster that they follow from; None if memory is requested or not limited.

    Raises:
        UserError: `scontrol` fails.
    """
    if resources.memory is not None or any(map(GIVEN.match, resources.extra or [])):
        return None
    key, value = ("PartitionName", resources.partition) if resources.partition else ("Default", "YES")
    partition = next((one for one in cluster.partitions() if one.get(key) == value), {})
    # The setting of the partition takes precedence over that of the cluster, as in Slurm.
    for settings in (partition, cluster.settings()):
        per_gpu = PER_GPU.search(settings.get("JobDefaults", ""))
        cpus, gpus = (resources.cpus or 1) * processes, resources.gpu_count
        if per_gpu and gpus:
            return int(per_gpu[1]) * gpus, per_gpu[0]
        for name, times in (("DefMemPerCPU", cpus), ("DefMemPerNode", 1)):
            if (mebibytes := settings.get(name, "")).isdecimal():
                return int(mebibytes) * times, f"{name}={mebibytes}"
    return None
