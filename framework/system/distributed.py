"""Which process this is, where several carry out one stage together.

There are two ways to several processes. A Slurm step of several tasks (`srun`) has them from the start. Everywhere
else, and also inside an allocation of Slurm, the first process starts the others.
"""

import os

from lightning.fabric.plugins import ClusterEnvironment
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment

from framework.config.schema import TrainerConfig
from framework.errors import UserError


def slurm_tasks() -> int:
    """Returns the number of tasks of the Slurm step that this process belongs to; 1 outside of one."""
    return _number("SLURM_NTASKS", 1) if "SLURM_STEP_ID" in os.environ else 1


def own_rank() -> int:
    """Returns the number of this process among its stage's, as far as it is known before they have met."""
    return _number("SLURM_PROCID", 0) if slurm_tasks() > 1 else _number("LOCAL_RANK", 0)


def _number(variable: str, otherwise: int) -> int:
    written = os.environ.get(variable, "")
    return int(written) if written.isascii() and written.isdigit() else otherwise


def slurm_step() -> str:
    """Names this process's Slurm step; no other step, earlier or later, has the same name."""
    return "-".join(os.environ.get(f"SLURM_{what}", "0") for what in ("JOB_ID", "RESTART_COUNT", "STEP_ID"))


def environment(trainer: TrainerConfig) -> ClusterEnvironment:
    """Returns what tells Lightning the ranks.

    It is chosen here and not detected, because Lightning's detection goes by the job's name.

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
    return SLURMEnvironment(auto_requeue=False)  # the batch script does it, when all ranks have stopped
