"""How many more jobs a user may submit according to the cluster's accounts.

Slurm counts each element of an array as a job, from its submission to its end. Limits that users share, such as
`GrpSubmitJobs`, are not read, because a user may not see the others' jobs: sbatch refuses what exceeds them.
"""

from dataclasses import dataclass

from framework.config.slurm import Resources
from framework.slurm import cluster
from framework.slurm.cluster import Association

DEFAULT_QOS = "normal"
"""The QOS of jobs that name none."""


@dataclass(frozen=True)
class Limit:
    """A limit on this user's submitted jobs."""

    name: str
    """`MaxSubmitJobs=100 of account lab`."""
    most: int
    used: int
    """Jobs that wait or run now."""

    @property
    def left(self) -> int:
        """The number of further jobs that may be submitted now."""
        return max(0, self.most - self.used)

    def __str__(self) -> str:
        return f"{self.name}, {self.used} of them in use" if self.used else self.name


class Limits:
    """The limits of a cluster on this user's submitted jobs; the accounts are read once, the queue each time."""

    def __init__(self) -> None:
        """Reads the limits, if the cluster enforces and shows any.

        Raises:
            UserError: `scontrol` fails.
        """
        self._associations: list[Association] = []
        self._qos: dict[str, int] = {}
        settings = cluster.settings()
        if "limits" in settings.get("AccountingStorageEnforce", ""):
            found = cluster.associations()
            own = [association for association in found if association.cluster == settings.get("ClusterName")]
            self._associations = own or found
            self._qos = cluster.qos_limits()

    def tightest(self, resources: Resources) -> Limit | None:
        """Returns the limit with the fewest remaining jobs; None for no limit.

        Raises:
            UserError: `squeue` fails.
        """
        association = self._association(resources)
        qos = resources.qos or (association.qos if association else "") or DEFAULT_QOS
        account, most = (association.account, association.most) if association else ("", None)
        jobs = cluster.used() if most is not None or qos in self._qos else []
        limits = []
        if most is not None:
            used = sum(name == account for name, _ in jobs)
            limits.append(Limit(f"MaxSubmitJobs={most} of account {account}", most, used))
        if qos in self._qos:
            used = sum(name == qos for _, name in jobs)
            limits.append(Limit(f"MaxSubmitJobsPerUser={self._qos[qos]} of QOS {qos}", self._qos[qos], used))
        return min(limits, key=lambda limit: limit.left, default=None)

    def _association(self, resources: Resources) -> Association | None:
        """Returns the association of a job: that of its partition rather than that of all partitions."""
        mine = [
            one
            for one in self._associations
            if (one.account == resources.account if resources.account else one.is_default)
            and one.partition in ("", resources.partition)
        ]
        return max(mine, key=lambda one: one.partition, default=None)
