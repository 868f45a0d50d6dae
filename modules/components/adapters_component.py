"""Components that are carried out by the `adapters` library, inside the backbone's layers."""

from typing import Any, Self

from torch import nn
from typing_extensions import override

from modules.backbone.backbone import Backbone
from modules.components.base import Component


class LibraryComponent(Component):
    """A component whose parameters live in the backbone, under its name, and are found there.

    The library applies the active ones in the order in which the combination names them. That is right only for the
    methods that have a subclass of this one; others of the library silently drop or chain all but one of them.
    """

    def __init__(self, backbone: Backbone, name: str) -> None:
        """Refers to the backbone without holding it as a submodule, which would list its parameters twice."""
        super().__init__()
        self.stack_name = name
        self._model = (backbone.model,)

    @classmethod
    def library_config(cls, config: Any) -> Any:
        """Returns the library's configuration object."""
        raise NotImplementedError

    @classmethod
    @override
    def create(cls, config: Any, backbone: Backbone, *, name: str, language: str | None) -> Self:
        backbone.model.add_adapter(name, config=cls.library_config(config))
        return cls(backbone, name)

    @override
    def detach(self) -> None:
        self._model[0].delete_adapter(self.stack_name)

    @override
    def own_parameters(self) -> dict[str, nn.Parameter]:
        """Returns its parameters by their paths in the backbone, less its own name."""
        own = {}
        for path, parameter in self._model[0].named_parameters():
            parts = path.split(".")
            if self.stack_name in parts:
                own[".".join(part for part in parts if part != self.stack_name)] = parameter
        return own
