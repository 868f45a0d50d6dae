"""Trainable vectors that stand before the text's embeddings (Lester et al., 2021)."""

from typing import Literal

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from modules.backbone.backbone import Backbone
from modules.backbone.info import BackboneInfo
from modules.components.base import Component
from modules.errors import ModulesError


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class SoftPromptConfig:
    """Settings of a soft prompt."""

    length: int = Field(default=50, le=10_000)
    """Number of vectors; each takes one of the backbone's positions."""
    init: str = "vocabulary"
    """First values: `vocabulary` takes the embeddings of random tokens, `normal` draws numbers, and any other text
    gives the embeddings of its tokens, repeated up to the length; `{language}` in it is the language's English name."""
    std: float = Field(default=0.02, gt=0, le=1e6)
    """Standard deviation of the initial values for `normal`."""
    reparameterization: int | None = Field(default=None, ge=1, le=2**16)
    """Hidden width of a two-layer MLP that reparameterizes the prompt; null for none."""
    position: Literal["before_bos", "after_bos"] = "before_bos"
    """Before the text's first token, which is BOS if the tokenizer adds one, or directly after it."""

    def __post_init__(self) -> None:
        """Checks the length and the initial text."""
        if self.length < 1:
            raise ValueError("length must be at least 1; leave the prompt out to have none")
        if not self.init.strip():
            raise ValueError("init must be 'vocabulary', 'normal' or a text")


class SoftPrompt(Component):
    """A table of vectors, optionally seen through a small perceptron (as in XPE, arXiv:2508.10352)."""

    kind = "prompt"
    place = "in front of the text, at the embeddings"
    Config = SoftPromptConfig

    def __init__(self, config: SoftPromptConfig, embedding_size: int) -> None:
        """Makes the parameters; the table is left for `create` to fill."""
        super().__init__()
        self.prompt_after_bos = config.position == "after_bos"
        self.table = nn.Parameter(torch.empty(config.length, embedding_size))
        self.through: nn.Module = nn.Identity()
        if config.reparameterization is not None:
            self.through = nn.Sequential(
                nn.Linear(embedding_size, config.reparameterization),
                nn.ReLU(),
                nn.Linear(config.reparameterization, embedding_size),
            )

    @classmethod
    def packing_incompatibility(cls, config: SoftPromptConfig) -> str | None:
        """Returns why the documents of a packed row cannot share it, or None when they can."""
        if config.position == "after_bos":
            return "the documents of packed rows share only a prompt in front of them all: position before_bos"
        return None

    @classmethod
    def positions(cls, config: SoftPromptConfig) -> int:
        """Returns the prompt's length."""
        return config.length

    @classmethod
    def create(cls, config: SoftPromptConfig, backbone: Backbone, *, name: str, language: str | None) -> "SoftPrompt":
        """Makes a prompt whose table is filled as `config.init` says.

        Raises:
            ModulesError: If the initial text names a language and there is none, or has no tokens.
        """
        component = cls(config, backbone.info.embedding_size)
        with torch.no_grad():
            if config.init == "normal":
                component.table.normal_(std=config.std)
            else:
                ids = _initial_tokens(config, backbone, language)
                component.table.copy_(backbone.embeddings(ids))  # not its weight: some models scale that
        return component

    @classmethod
    def shapes(
        cls, config: SoftPromptConfig, info: BackboneInfo, *, with_lm_head: bool = False
    ) -> dict[str, torch.Size]:
        """Returns the shapes of its parameters; unlike `create`, without the tokenizer."""
        with torch.device("meta"):
            return {name: parameter.shape for name, parameter in cls(config, info.embedding_size).named_parameters()}

    def prompt(self) -> Tensor:
        """Returns the prompt [length, embedding size]."""
        vectors: Tensor = self.through(self.table)
        return vectors


def _initial_tokens(config: SoftPromptConfig, backbone: Backbone, language: str | None) -> Tensor:
    """Returns `config.length` token numbers."""
    tokenizer = backbone.tokenizer
    if config.init == "vocabulary":
        special = set(tokenizer.all_special_ids)
        ordinary = torch.tensor([token for token in backbone.tokens.tolist() if token not in special])
        return ordinary[torch.randint(len(ordinary), (config.length,))]
    if "{language}" in config.init and language is None:
        raise ModulesError(f"prompt: init {config.init!r} names {{language}}, but this prompt serves no single one")
    text = config.init.replace("{language}", language or "")
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    if not ids:
        raise ModulesError(f"prompt: init {text!r} has no tokens")
    return torch.tensor(ids).repeat(-(-config.length // len(ids)))[: config.length]
