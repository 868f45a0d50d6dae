"""Which process this is, where several carry out one stage together.

There are two ways to several processes. A Slurm step of several tasks (`srun`) has them from the start. Everywhere
else, and also inside an allocation of Slurm, the first process starts the others.
"""

import os


def slurm_tasks() -> int:
    """Returns the number of tasks of the Slurm step that this process belongs to; 1 outside of one."""
    return _number("SLURM_NTASKS", 1) if "SLURM_STEP_ID" in os.environ else 1


def own_rank() -> int:
    """Returns the rank of this process, before the process group is initialised."""
    return _number("SLURM_PROCID", 0) if slurm_tasks() > 1 else _number("LOCAL_RANK", 0)


def _number(variable: str, otherwise: int) -> int:
    written = os.environ.get(variable, "")
    return int(written) if written.isascii() and written.isdigit() else otherwise


def slurm_step() -> str:
    """Names this process's Slurm step; no other step, earlier or later, has the same name."""
    return "-".join(os.environ.get(f"SLURM_{what}", "0") for what in ("JOB_ID", "RESTART_COUNT", "STEP_ID"))
