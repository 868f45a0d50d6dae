"""Whether and where stages are shown in W&B."""

import re
from dataclasses import field
from typing import Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class TrackingConfig:
    """Whether and where stages are shown in W&B."""

    mode: Literal["offline", "online", "off"] = "offline"
    """`offline` leaves files that can be uploaded later; `online` needs a login; `off` leaves nothing."""
    project: str = "modulingua"
    """The W&B project."""
    entity: str | None = None
    """The W&B team or user; null is the login's default."""
    tags: list[str] = field(default_factory=list)
    """Tags that each W&B run gets."""

    def __post_init__(self) -> None:
        """Checks what W&B would refuse only after the work is done."""
        if not 1 <= len(self.project) <= 128 or re.search(r"[/\\#?%:]", self.project):
            raise ValueError(rf"project '{self.project}' must have 1 to 128 letters and none of / \ # ? % :")
        for tag in self.tags:
            if not 1 <= len(tag) <= 64:
                raise ValueError(f"tag '{tag}' must have 1 to 64 letters")
