"""What the settings of every kind of component have in common. No torch is needed to read and check an experiment."""

from typing import ClassVar

from modules.backbone.info import BackboneInfo

ROLES = ("language", "task")
"""The sides of the transfer, in the order in which their prompts stand and their adapters are applied."""


class ComponentConfig:
    """The settings of a component: a frozen pydantic dataclass, which says what it can work with."""

    kind: ClassVar[str]
    """How configurations name it."""
    location: ClassVar[str] = "as its class says"
    """Short description of where the component acts, shown by `explain`."""
    changes_backbone: ClassVar[bool] = False
    """Training it changes the backbone's own weights."""

    @property
    def positions(self) -> int:
        """How many of the backbone's positions it takes from the text."""
        return 0

    @property
    def after_bos(self) -> bool:
        """Whether its prompt is placed right behind the text's first token instead of in front of it."""
        return False

    def incompatibility(self, info: BackboneInfo) -> str | None:
        """Returns why it cannot work on a backbone, or None when it can."""
        return None

    def packing_incompatibility(self) -> str | None:
        """Returns why the documents of a packed row cannot share it, or None when they can."""
        return None


def layers_out_of_range(leave_out: list[int], info: BackboneInfo) -> str | None:
    """Returns why layers cannot be left out of a backbone, or None when they can."""
    if outside := [layer for layer in leave_out if not 0 <= layer < info.layers]:
        return f"leave_out names layer {outside[0]}, but {info.name} has layers 0 to {info.layers - 1}"
    if len(set(leave_out)) == info.layers:
        return f"leave_out leaves out all {info.layers} layers of {info.name}"
    return None
