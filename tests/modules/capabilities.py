"""What each kind of component can do on each model, found out on tiny ones: `make capabilities` writes it down."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch

from modules import ROLES, BackboneConfig, Combination, components, load_backbone
from modules.backbone.architectures import ARCHITECTURES
from tests.modules import tiny
from tests.modules.slots import fill, possible

PAGE = Path(__file__).parents[2] / "docs" / "capabilities.md"
HEAD = """# What works on what

Measured on a tiny model of each type by `make capabilities`; a test fails if this page is outdated.
**yes**: the component changes the hidden states, in either role beside another one of its kind in the other role, and
every one of its parameters gets a gradient. **no**: `plan` refuses it with the reason, before anything is loaded.
`full` is for the task role and `pretrain` only. **generate**: with all its kinds together, texts are generated, and
continuations get the same likelihood from the KV cache as in one pass. Objectives of the language stage depend on the
family: see [experiments.md](experiments.md).
"""


def probe(model: Path, kind: str) -> bool:
    """Says whether a kind is taken; fails if it is taken and does not work in one of the roles."""
    whole = Combination(load_backbone(BackboneConfig(name=str(model), precision="32")))
    slots = (("task", kind),) if kind == "full" else (("language", kind), ("task", kind))
    if not possible(slots, whole.backbone.info):
        return False
    ids, mask = tiny.batch()
    with torch.no_grad():
        before = whole.encode(ids, mask)[mask.bool()]
    fill(whole, slots, ["swh_Latn"])
    for component in whole.components():
        whole.train_only([component])
        whole.zero_grad()
        hidden = whole.encode(ids, mask, ["swh_Latn"] * len(ids))[mask.bool()]
        (hidden * torch.linspace(-1, 1, hidden.numel()).view_as(hidden)).sum().backward()
        reached = [parameter.grad is not None for parameter in component.own_parameters().values()]
        assert all(reached), f"{component.name} on {model.name}: a parameter has no part in the loss"
        assert not torch.allclose(hidden, before, atol=1e-5), f"{component.name} on {model.name} changes nothing"
    return True


def generates(model: Path) -> bool:
    """Says whether a model writes; fails if what it reads on from is not what it has read."""
    whole = Combination(load_backbone(BackboneConfig(name=str(model), precision="32"), with_lm_head=True))
    if whole.backbone.info.family == "encoder":
        return False
    kinds = [kind for kind in components.CONFIGS if kind != "full" and possible((("task", kind),), whole.backbone.info)]
    fill(whole, tuple((role, kind) for role in ROLES for kind in kinds), ["swh_Latn"])
    ids, mask = tiny.batch()
    languages = ["swh_Latn"] * len(ids)
    with torch.no_grad():
        written, _ = whole.generate(ids, mask, languages, max_new_tokens=3, beams=2)
        answers, others = [[7, *tokens] for tokens in written], [[8, 9]] * len(ids)
        both = [list(pair) for pair in zip(answers, others, strict=True)]
        behind, _ = whole.continuation_log_likelihoods(ids, mask, both, languages)
        through, _ = whole.continuation_log_likelihoods(ids, mask, [[answer] for answer in answers], languages)
    assert torch.allclose(behind[:, :1], through, atol=1e-3), f"{model.name} does not go on from what it has read"
    return True


def table(folder: Path) -> str:
    """Returns the page; tiny models are built in a folder."""
    kinds = list(components.CONFIGS)
    columns = ["family", "model type", *kinds, "generate"]
    lines = [HEAD, f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    for model_type, architecture in sorted(ARCHITECTURES.items(), key=lambda entry: (entry[1].family, entry[0])):
        model = tiny.build(folder / model_type, model_type, dropout=0.0)
        found = ["yes" if probe(model, kind) else "no" for kind in kinds]
        found.append("yes" if generates(model) else "no")
        lines.append(f"| {architecture.family} | {model_type} | {' | '.join(found)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        PAGE.write_text(table(Path(place)), encoding="utf-8")
