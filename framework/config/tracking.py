"""Logging to Weights & Biases."""

import re
from dataclasses import field
from typing import Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class TrackingConfig:
    """Logging to Weights & Biases."""

    mode: Literal["offline", "online", "off"] = "offline"
    """`offline` writes files that can be uploaded later; `online` needs a login; `off` writes nothing."""
    project: str = "modulingua"
    """The W&B project."""
    entity: str | None = None
    """The W&B team or user; null is the login's default."""
    tags: list[str] = field(default_factory=list)
    """Tags that each W&B run gets."""
    run_suffix: str = ""
    """Suffix of the id of each W&B run, after a hyphen: W&B never accepts the id of a deleted run again."""

    def __post_init__(self) -> None:
        """Checks what W&B would refuse only after the work is done."""
        if not 1 <= len(self.project) <= 128 or re.search(r"[/\\#?%:]", self.project):
            raise ValueError(rf"project '{self.project}' must have 1 to 128 letters and none of / \ # ? % :")
        for tag in self.tags:
            if not 1 <= len(tag) <= 64:
                raise ValueError(f"tag '{tag}' must have 1 to 64 letters")
        if re.fullmatch(r"[A-Za-z0-9_-]{0,32}", self.run_suffix) is None:
            raise ValueError(f"run_suffix '{self.run_suffix}' must have up to 32 of the letters A-Z a-z 0-9 _ -")

    def run_id(self, identity: str) -> str:
        """Returns the id of the W&B run that shows the stage of an identity."""
        return f"{identity}-{self.run_suffix}" if self.run_suffix else identity
