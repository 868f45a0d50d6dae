"""Trainable vectors that stand before the text's embeddings (Lester et al., 2021)."""

import torch
from torch import Tensor, nn
from typing_extensions import override

from modules.backbone.backbone import Backbone
from modules.backbone.info import BackboneInfo
from modules.components.base import Component
from modules.components.configs import SoftPromptConfig
from modules.errors import ModulesError


class SoftPrompt(Component):
    """A table of vectors, optionally seen through a small perceptron (as in XPE, arXiv:2508.10352).

    >>> from modules import BackboneConfig, Combination, load_backbone
    >>> from modules.components import SoftPromptConfig
    >>> backbone = BackboneConfig("experiments/quickstart/backbone", precision="32", random_init_seed=0)
    >>> combination = Combination(load_backbone(backbone))
    >>> prompt = combination.add("language", "prompt", SoftPromptConfig(length=2), language="swh_Latn", seed=0)
    >>> prompt.prompt().shape
    torch.Size([2, 64])
    """

    Config = SoftPromptConfig

    def __init__(self, config: SoftPromptConfig, embedding_size: int) -> None:
        """Makes the parameters; the table is left for `create` to fill."""
        super().__init__()
        self.table = nn.Parameter(torch.empty(config.length, embedding_size))
        self.through: nn.Module = nn.Identity()
        if config.reparameterization is not None:
            self.through = nn.Sequential(
                nn.Linear(embedding_size, config.reparameterization),
                nn.ReLU(),
                nn.Linear(config.reparameterization, embedding_size),
            )

    @classmethod
    @override
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
    @override
    def outline(cls, config: SoftPromptConfig, info: BackboneInfo, *, with_lm_head: bool = False) -> dict[str, Tensor]:
        with torch.device("meta"):
            return cls(config, info.embedding_size).own_tensors()  # unlike `create`, without the tokenizer

    @override
    def prompt(self) -> Tensor:
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
