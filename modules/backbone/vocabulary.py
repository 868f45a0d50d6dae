"""A smaller vocabulary: the rows of tokens that a backbone's text does not hold are dropped.

Alabi et al. (2022, section 3.1) so make a multilingual encoder that they fine-tune on some languages half as large.
The tokenizer stays as it is, and whoever speaks of tokens does so by its ids; only the embeddings and the output layer
of the language model have other rows, one for each token that is kept.
"""

from typing import Any

import torch
from torch import Tensor, nn

from modules.backbone.backbone import Backbone, ReducedVocabulary
from modules.errors import ModulesError


def tokens_to_keep(backbone: Backbone, seen: Tensor) -> Tensor:
    """Returns the tokens of a text and those that a text need not hold: special ones and those that the model names.

    Args:
        backbone: With its tokenizer.
        seen: Ids of the text's tokens [number], in any order.

    Returns:
        Ids [number] long, ascending.
    """
    tokenizer, config = backbone.tokenizer, backbone.model.config
    named = [getattr(config, f"{name}_token_id", None) for name in ("pad", "bos", "eos", "decoder_start")]
    always = {*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder, *named} - {None}
    ids: Tensor = torch.cat([seen, torch.tensor(sorted(always))]).unique()
    return ids[ids < backbone.embeddings.num_embeddings]


def reduce_vocabulary(backbone: Backbone, kept: Tensor) -> None:
    """Drops the embeddings of all tokens but some, and their weights and biases in the output layer.

    What the backbone computes for kept tokens does not change. All others become the unknown token. Components are to
    be added afterwards.

    Args:
        backbone: Changed in place.
        kept: Ids of the tokens that stay [number], ascending.

    Raises:
        ModulesError: If the vocabulary is reduced already, the ids are no part of it, or the tokenizer has no unknown
            token among them.
    """
    if backbone.vocabulary is not None:
        raise ModulesError(f"the vocabulary of {backbone.info.name} is reduced already")
    size, unknown = backbone.embeddings.num_embeddings, backbone.tokenizer.unk_token_id
    kept = kept.to(backbone.embeddings.weight.device)
    if not len(kept) or kept[0] < 0 or kept[-1] >= size or (kept.diff() <= 0).any():
        raise ModulesError(f"a vocabulary is reduced to ascending ids of its {size} tokens")
    if reason := incompatibility(backbone.tokenizer):
        raise ModulesError(f"{backbone.info.name}: {reason}")
    if unknown not in kept:
        raise ModulesError(f"the unknown token of {backbone.info.name} must be kept: dropped tokens become it")
    vocabulary = ReducedVocabulary(kept, size, unknown)
    head = backbone.lm_head
    matrices = [backbone.embeddings.weight, *(head.output.parameters() if head is not None else ())]
    # Tied weights, which several modules hold, stay one.
    smaller = {id(matrix): nn.Parameter(matrix.detach()[kept], matrix.requires_grad) for matrix in matrices}
    for module in backbone.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if id(parameter) in smaller:
                setattr(module, name, smaller[id(parameter)])
                _resize(module, vocabulary)
    if head is not None and isinstance(head.bias, Tensor):
        head.bias = head.bias[:, kept]
    backbone.vocabulary = vocabulary


def incompatibility(tokenizer: Any) -> str | None:
    """Returns why a tokenizer's vocabulary cannot be reduced, or None when it can."""
    if tokenizer.unk_token_id is None:
        return "its tokenizer has no unknown token, which the tokens that are dropped could become"
    return None


def _resize(module: nn.Module, vocabulary: ReducedVocabulary) -> None:
    if isinstance(module, nn.Embedding):
        module.num_embeddings = len(vocabulary.kept)
        if module.padding_idx is not None:
            module.padding_idx = int(vocabulary.rows[module.padding_idx])
        # In front of the module rather than of those who call it, so that nobody can forget it.
        module.register_forward_pre_hook(lambda _, ids: (vocabulary.rows[ids[0]], *ids[1:]))
    elif isinstance(module, nn.Linear):
        module.out_features = len(vocabulary.kept)
