"""The backbone that a stage trains on or tests: its settings, its content and the stage that pretrained it."""

from dataclasses import dataclass
from typing import Self

from framework.store.store import backbone_name
from modules import Accelerator, BackboneConfig, BackboneInfo, inspect_backbone, resolve_precision


@dataclass(frozen=True)
class BackboneChoice:
    """The backbone that a stage stands on."""

    config: BackboneConfig
    """Its precision is the one that is computed in, never `auto`."""
    info: BackboneInfo
    pretrained_by: str | None = None
    """Identity of the stage that trained its weights; None for the weights as published."""

    @classmethod
    def of(cls, config: BackboneConfig, accelerator: Accelerator, pretrained_by: str | None = None) -> Self:
        """Returns the backbone of an experiment, with the precision that `auto` means on this machine."""
        return cls(resolve_precision(config, accelerator), inspect_backbone(config), pretrained_by)

    @property
    def untrained(self) -> "BackboneChoice":
        """The same backbone before its pretraining stage."""
        return BackboneChoice(self.config, self.info)

    @property
    def shown(self) -> str:
        """Its name on screen."""
        return backbone_name(self.passport)

    @property
    def passport(self) -> dict[str, str]:
        """What a component's passport says of its backbone."""
        return {
            "name": self.info.name,
            "revision": self.info.revision,
            "weights": self.pretrained_by or self.info.weights_hash,
            "tokenizer": self.info.tokenizer_hash,
        }

    @property
    def identity_fields(self) -> dict[str, str]:
        """What of it determines a result: its content and its arithmetic, not its name or folder."""
        passport = self.passport
        return {"weights": passport["weights"], "tokenizer": passport["tokenizer"], "precision": self.config.precision}
