"""The plan as SLURM jobs: `modulingua launch`, `status` and `cancel`."""
