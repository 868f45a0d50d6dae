"""What a reader must know of a vocabulary that a pretraining reduces, before and after it is done."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from framework.config.schema import Experiment
from framework.planning.plan import LanguageStage, Plan, PretrainStage
from modules import BackboneInfo, count_parameters
from modules.disk_cache import cached

if TYPE_CHECKING:
    from modules import Backbone

BYTES = 4
"""Of a weight."""


def note_on_vocabulary(stage: LanguageStage, backbone: Backbone) -> str:
    """Says what a stage's backbone, whose vocabulary has been reduced, has lost of its weights."""
    assert backbone.vocabulary is not None
    kept, all_tokens = len(backbone.vocabulary.kept), len(backbone.vocabulary.rows)
    left = sum(parameter.numel() for parameter in backbone.own_parameters().values())
    before = count_parameters(backbone.info, with_lm_head=backbone.lm_head is not None)
    return (
        f"The vocabulary was reduced to the {kept:,} of {all_tokens:,} tokens that the text in "
        f"{', '.join(stage.languages)} holds: {left:,} of {before:,} parameters are left, "
        f"{(before - left) * BYTES / 1e6:,.1f} MB fewer. All other tokens are unknown to the backbone."
    )


def notes_on_vocabulary(plan: Plan) -> Iterator[str]:
    """Says of each pretraining that reduces the vocabulary what it has saved or, before it is done, can save."""
    for stage in plan.of_type(PretrainStage):
        if not stage.reduces_vocabulary:
            continue
        if stage.id in plan.done:
            yield from plan.store.passport(stage.id).notes
        else:
            info = stage.backbone.info
            of_tokens = _vocabulary_weights(info)
            yield (
                f"The vocabulary of {info.vocabulary_size:,} tokens will be reduced to those that the text in "
                f"{', '.join(stage.languages)} holds. How many is known only once it is read; {of_tokens:,} of the "
                f"{stage.parameters:,} parameters ({of_tokens * BYTES / 1e6:,.1f} MB) belong to single tokens."
            )


def notes_on_languages(experiment: Experiment) -> Iterator[str]:
    """Says which languages of an experiment with labelled data a reduced vocabulary was not made for."""
    pretrain = experiment.pretrain
    if pretrain is None or not pretrain.reduce_vocabulary:
        return
    codes = dict.fromkeys([*experiment.languages.source, *experiment.targets])
    if others := [code for code in codes if code not in pretrain.languages]:
        yield (
            f"The reduced vocabulary was not made for {', '.join(others)}: tokens that only their texts hold are "
            "unknown; pretrain.languages may name them too."
        )


def _vocabulary_weights(info: BackboneInfo) -> int:
    """Returns how many weights belong to single tokens: embeddings, and output layer where it is another matrix."""

    def find() -> int:
        from modules.backbone.backbone import skeleton

        backbone = skeleton(info, with_lm_head=True)
        assert backbone.lm_head is not None
        matrices = [backbone.embeddings.weight, *backbone.lm_head.output.parameters()]
        return sum(matrix.numel() for matrix in {id(matrix): matrix for matrix in matrices}.values())

    return cached(int, find, vocabulary_weights=info.weights_hash)
