"""What a template of an sbatch script must hold: ours, or the one that `slurm.template` names."""

import re
from pathlib import Path

from framework.config.slurm import SlurmConfig

TEMPLATE = Path(__file__).parents[1] / "slurm" / "job.sbatch"
PLACEHOLDER = re.compile(r"\{\{\s*(\w+)\s*\}\}")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters, and what Python makes of bytes in a path that are no UTF-8."""
PLACEHOLDERS = {
    "title": "the experiment's name and what the job does",
    "typed": "the command that launched it",
    "options": "all #SBATCH lines",
    "setup": "the lines of slurm.setup",
    "stages": "for each element of the array an entry `[index]=identity`, and `[index]+=` for further stages",
    "command": "what each process runs; it names the stage as $stage",
    "cpus": "processor cores of each process",
    "retries": "slurm.retries",
    "end": "the file, less `-<part>`, into which a stage's outcome is written",
    "log": "the file, less `-<part>.log`, into which a further stage of an element prints",
}
"""What a template may say between double braces."""
REQUIRED = ("options", "stages", "command")
"""Without these a job cannot do its work."""


def template_of(config: SlurmConfig) -> Path:
    """Returns the user's own template, or ours."""
    return Path(config.template) if config.template else TEMPLATE
