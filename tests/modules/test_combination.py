"""What must be true of every combination on every encoder."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import modules
from modules import ROLES, Backbone, BackboneConfig, Combination, ModulesError, load_backbone
from modules.backbone.construction import UNLIMITED
from modules.components import BottleneckConfig, Full, FullConfig, SoftPrompt, SoftPromptConfig
from tests.modules import tiny
from tests.modules.slots import (
    ALONE,
    CONFIGS,
    KINDS,
    MAIN,
    MIXED,
    SIXTEEN,
    VARIANTS,
    Slots,
    fill,
    info_of,
    name,
    perturb,
    possible,
)

EVERY_MODEL = pytest.mark.parametrize("model_type", tiny.MODELS)
OF_EACH_MAKE = ("xlm-roberta", "modernbert", "gpt2", "llama", "mt5")
"""Models that differ in how components get into them: by what `adapters` has, by our table, in one or two halves."""
SOME_AT_ONCE = [slots for slots in SIXTEEN if 1 < len(slots) < len(MAIN)]


def every_combination() -> Iterator[Any]:
    """Yields model types with the combinations that they take.

    Models of each make see all sixteen combinations, all kinds and mixtures. The others see none, each kind alone and
    all four main slots at once, in which any two of these are on together, off together, and each on without the other;
    of the combinations between, each of these models sees one, as a slow test, and each is seen on one of them or two.
    Prompts and adapters are alone in both roles on each model, other kinds and settings in either role by turns.
    """
    between = itertools.cycle(SOME_AT_ONCE)
    for place, model in enumerate(tiny.MODELS):
        chosen = [*SIXTEEN, *one_role_each(place), *MIXED]
        if model not in OF_EACH_MAKE:
            chosen = [slots for slots in [*SIXTEEN, *one_role_each(place)] if len(slots) in (0, 1, len(MAIN))]
            chosen = [slots for slots in chosen if not any(kind in VARIANTS for _, kind in slots)]
            yield pytest.param(model, next(between), marks=pytest.mark.slow)
        yield from ((model, slots) for slots in dict.fromkeys(chosen) if possible(slots, info_of(model)))


def one_role_each(place: int) -> list[Slots]:
    """Returns each kind alone: in the language role and in the task role by turns, the other way at the next place."""
    kinds = [kind for kind in KINDS if kind != "full"]
    return [((ROLES[(place + number) % 2], kind),) for number, kind in enumerate(kinds)]


EVERY_COMBINATION = pytest.mark.parametrize(
    ("model_type", "slots"),
    list(every_combination()),
    ids=lambda part: part if isinstance(part, str) else name(part),
)


def filled(combination: Combination, slots: Slots, **options: bool) -> Combination:
    fill(combination, slots, ["swh_Latn", "hau_Latn"], **options)
    return combination


def logits(combination: Combination, languages: list[str]) -> torch.Tensor:
    ids, mask = tiny.batch(len(languages))
    with torch.no_grad():
        hidden = combination.encode(ids, mask, languages)
        text = mask.bool()
        return combination.lm_logits(hidden[text], [languages[row] for row in text.nonzero()[:, 0].tolist()])


@EVERY_COMBINATION
def test_exactly_the_chosen_components_learn(
    combination: Callable[..., Combination], model_type: str, slots: Slots
) -> None:
    torch.manual_seed(0)
    whole = filled(combination(model_type), slots, perturbed=False)
    ids, mask = tiny.batch()
    whole.train()
    for role in {role for role, _ in slots}:
        components = whole.components(role=role, language="swh_Latn" if role == "language" else None)
        whole.train_only(components)
        whole.zero_grad()
        trained = {
            f"{component.name} {key}": parameter
            for component in components
            for key, parameter in component.own_parameters().items()
        }
        numbers = {id(parameter) for parameter in trained.values()}
        before = {key: value.clone() for key, value in whole.state_dict(keep_vars=True).items()}
        assert numbers == {id(parameter) for parameter in whole.parameters() if parameter.requires_grad}
        optimizer = torch.optim.AdamW(trained.values(), lr=0.02, weight_decay=0.1)
        weights = torch.randn(64, tiny.VOCABULARY)
        # Some first values are zero and hold back the gradients of others until they have moved.
        for _ in range(3):
            optimizer.zero_grad()
            hidden = whole.encode(ids, mask, ["swh_Latn"] * len(ids))[mask.bool()]
            loss = (whole.lm_logits(hidden, ["swh_Latn"] * len(hidden)).softmax(-1) * weights[: len(hidden)]).sum()
            loss.backward()
            optimizer.step()
        assert [key for key, parameter in trained.items() if not parameter.grad.abs().sum() > 0] == []
        after = whole.state_dict(keep_vars=True)
        assert before.keys() == after.keys()
        for key, parameter in after.items():
            same = torch.equal(before[key], parameter)
            assert same == (id(parameter) not in numbers), key
            if same:
                assert parameter.grad is None, key


@EVERY_COMBINATION
def test_the_language_decides_if_and_only_if_a_language_slot_is_on(
    combination: Callable[..., Combination], model_type: str, slots: Slots
) -> None:
    whole = filled(combination(model_type), slots)
    swahili = logits(whole, ["swh_Latn"] * 4)
    hausa = logits(whole, ["hau_Latn"] * 4)
    without = logits(whole, [""] * 4)
    has_language = any(role == "language" for role, _ in slots)
    differs = not torch.allclose(swahili, hausa, atol=1e-4)
    assert differs == has_language
    assert torch.equal(swahili, hausa) != has_language
    assert torch.allclose(swahili, without, atol=1e-4) != has_language
    assert torch.equal(logits(whole, ["swh_Latn"] * 4), swahili)


@EVERY_COMBINATION
def test_every_component_shows_in_the_logits(
    combination: Callable[..., Combination], model_type: str, slots: Slots
) -> None:
    whole = filled(combination(model_type), slots)
    expected = logits(whole, ["swh_Latn"] * 4)
    for component in whole.components(language="swh_Latn") + whole.components(role="task"):
        whole.remove(component)
        fewer = logits(whole, ["swh_Latn"] * 4)
        assert not torch.allclose(fewer, expected, atol=1e-4), component.name
        expected = fewer


@EVERY_COMBINATION
def test_a_batch_may_mix_languages(combination: Callable[..., Combination], model_type: str, slots: Slots) -> None:
    whole = filled(combination(model_type), slots)
    ids, mask = tiny.batch(7)
    languages = ["swh_Latn", "hau_Latn", "swh_Latn", "", "yor_Latn", "hau_Latn", "swh_Latn"]
    with torch.no_grad():
        mixed = whole.encode(ids, mask, languages)
        numbers = torch.arange(7).repeat_interleave(2)
        mixed_logits = whole.lm_logits(mixed[numbers, 1], [languages[row] for row in numbers])
        for row, language in enumerate(languages):
            alone = whole.encode(ids[[row]], mask[[row]], [language])
            text = mask[row].bool()
            torch.testing.assert_close(mixed[row][text], alone[0][text], atol=1e-5, rtol=1e-4)
            torch.testing.assert_close(
                mixed_logits[2 * row], whole.lm_logits(alone[:, 1], [language])[0], atol=1e-4, rtol=1e-4
            )


@EVERY_MODEL
@pytest.mark.parametrize("language_position", ["before_bos", "after_bos"])
@pytest.mark.parametrize("task_position", ["before_bos", "after_bos"])
def test_a_prompt_of_real_tokens_is_those_tokens(
    combination: Callable[..., Combination], model_type: str, language_position: str, task_position: str
) -> None:
    whole = combination(model_type)
    prompts = {"language": [7, 8], "task": [20, 21, 22]}
    positions = {"language": language_position, "task": task_position}
    for role, tokens in prompts.items():
        config = SoftPromptConfig(length=len(tokens), position=positions[role])
        prompt = whole.add(role, "prompt", config, language="swh_Latn" if role == "language" else None, seed=0)
        assert isinstance(prompt, SoftPrompt)
        prompt.table.data.copy_(whole.backbone.embeddings(torch.tensor(tokens)))
    ids, mask = tiny.batch()
    before = [token for role in prompts if positions[role] == "before_bos" for token in prompts[role]]
    after = [token for role in prompts if positions[role] == "after_bos" for token in prompts[role]]

    def with_tokens(rows: torch.Tensor, front: list[int], behind: list[int]) -> torch.Tensor:
        many = len(rows)
        parts = [torch.tensor([front] * many), rows[:, :1], torch.tensor([behind] * many), rows[:, 1:]]
        return torch.cat([part.long() for part in parts], dim=1)

    hard = Combination(whole.backbone)
    with torch.no_grad():
        soft = whole.encode(ids, mask, ["swh_Latn"] * len(ids))
        written = with_tokens(ids, before, after), with_tokens(mask, [1] * len(before), [1] * len(after))
        if whole.backbone.info.family == "encoder-decoder":
            again = hard.encode(*written, decoder_input_ids=whole.backbone.shifted(ids))
            assert torch.equal(soft[mask.bool()], again[mask.bool()])
            return
        all_hidden = hard.encode(*written)
    bos = len(before)
    expected = torch.cat([all_hidden[:, bos : bos + 1], all_hidden[:, bos + 1 + len(after) :]], dim=1)
    assert soft.shape == expected.shape == (*ids.shape, tiny.WIDTH)
    assert torch.equal(soft[mask.bool()], expected[mask.bool()])


@EVERY_MODEL
def test_the_task_acts_behind_the_language_in_whatever_order_they_were_added(
    combination: Callable[..., Combination], model_type: str
) -> None:
    ids, mask = tiny.batch()
    hidden = []
    for roles in [("language", "task"), ("task", "language")]:
        whole = combination(model_type)
        for role in roles:
            for kind in ("prompt", "adapter"):
                component = whole.add(role, kind, CONFIGS[kind], language="swh_Latn", seed=ROLES.index(role))
                perturb(component.own_parameters(), seed=ROLES.index(role))
        with torch.no_grad():
            hidden.append(whole.encode(ids, mask, ["swh_Latn"] * 4))
        assert [component.role for component in whole.components()] == ["language", "language", "task", "task"]
        stack = whole.backbone.model.adapters_config.active_setup
        assert list(stack) == ["component-language-swh_Latn-adapter", "component-task-swh_Latn-adapter"]
    assert torch.equal(*hidden)


@EVERY_MODEL
def test_the_loss_depends_on_nothing_but_parameters_and_batch(
    combination: Callable[..., Combination], model_type: str
) -> None:
    whole = filled(combination(model_type), SIXTEEN[-1])
    trained = {key: parameter.clone() for key, parameter in whole.named_parameters() if "component" in key}
    ids, mask = tiny.batch()

    def loss(parameters: dict[str, torch.Tensor]) -> torch.Tensor:
        hidden = torch.func.functional_call(whole, parameters, (ids, mask, ["swh_Latn"] * 4))
        return hidden[mask.bool()].square().mean()

    whole.forward = whole.encode
    first = loss(trained)
    doubled = loss({key: 2 * value for key, value in trained.items()})
    whole.encode(ids, mask, ["hau_Latn"] * 4)
    assert not torch.equal(first, doubled)
    assert torch.equal(loss(trained), first)


@EVERY_MODEL
def test_padding_changes_nothing(combination: Callable[..., Combination], model_type: str) -> None:
    whole = filled(combination(model_type), (("language", "prompt"), ("language", "lora"), ("task", "adapter")))
    ids, mask = tiny.batch()
    padded_ids = torch.cat([ids, ids.new_full((4, 5), 1)], dim=1)
    padded_mask = torch.cat([mask, mask.new_zeros(4, 5)], dim=1)
    with torch.no_grad():
        short = whole.encode(ids, mask, ["swh_Latn"] * 4)
        long = whole.encode(padded_ids, padded_mask, ["swh_Latn"] * 4)[:, : ids.shape[1]]
    torch.testing.assert_close(long[mask.bool()], short[mask.bool()], atol=1e-5, rtol=1e-4)


@EVERY_MODEL
@pytest.mark.parametrize("position", ["before_bos", "after_bos"])
def test_rows_may_be_padded_at_either_end(
    combination: Callable[..., Combination], model_type: str, position: str
) -> None:
    whole = combination(model_type)
    for role in ROLES:
        whole.add(role, "prompt", SoftPromptConfig(length=3, position=position), language="swh_Latn", seed=0)
        perturb(whole.add(role, "adapter", CONFIGS["adapter"], language="swh_Latn", seed=0).own_parameters(), seed=1)
    ids, mask = tiny.batch()
    moved = [torch.cat([row[keep == 0], row[keep == 1]]) for row, keep in zip(ids, mask, strict=True)]
    with torch.no_grad():
        right = whole.encode(ids, mask, ["swh_Latn", "", "swh_Latn", "hau_Latn"])
        left = whole.encode(torch.stack(moved), mask.flip(1), ["swh_Latn", "", "swh_Latn", "hau_Latn"])
    assert torch.equal(left[mask.flip(1).bool()], right[mask.bool()])


@EVERY_MODEL
def test_the_bare_encoding_is_the_untouched_backbone(
    combination: Callable[..., Combination], backbone: Callable[..., Backbone], model_type: str
) -> None:
    slots = (("language", "prompt"), ("language", "invertible"), ("language", "lora"), ("task", "adapter"))
    whole = filled(combination(model_type), slots)
    ids, mask = tiny.batch()
    whole.train()
    bare = whole.encode_backbone(ids, mask)
    fresh = Combination(backbone(model_type)).encode(ids, mask)
    assert not bare.requires_grad
    assert torch.equal(bare, fresh)
    assert whole.backbone.model.training


@EVERY_MODEL
@pytest.mark.parametrize("with_lm_head", [True, False])
def test_full_fine_tuning_reaches_every_weight(
    folder: Callable[[str], Path], model_type: str, with_lm_head: bool
) -> None:
    whole = Combination(load_backbone(BackboneConfig(name=str(folder(model_type))), with_lm_head=with_lm_head))
    full = whole.add("task", "full", FullConfig(), seed=0)
    whole.train_only([full])
    ids, mask = tiny.batch(8, 20)
    vectors = whole.encode(ids, mask)[mask.bool()]
    if with_lm_head:
        vectors = whole.lm_logits(vectors)
    vectors.logsumexp(-1).square().sum().backward()
    assert {id(parameter) for parameter in whole.parameters()} == {
        id(parameter) for parameter in full.own_parameters().values()
    }
    assert [name for name, parameter in full.own_parameters().items() if parameter.grad is None] == []


@pytest.mark.parametrize("model_type", ["bert", "electra"])
def test_token_types_are_those_of_the_backbone(combination: Callable[..., Combination], model_type: str) -> None:
    made = combination(model_type)
    ids, mask = tiny.batch(2)
    types = (torch.arange(ids.shape[1]) > 3).long() * mask
    with torch.no_grad():
        expected = made.backbone.model(ids, attention_mask=mask, token_type_ids=types).last_hidden_state
        assert torch.equal(made.encode(ids, mask, token_type_ids=types), expected)
        assert not torch.allclose(made.encode(ids, mask), expected)
        assert torch.equal(made.encode(ids, mask, token_type_ids=torch.zeros_like(types)), made.encode(ids, mask))
        made.add("language", "prompt", SoftPromptConfig(length=3), language="swh_Latn", seed=0)
        # Rows of two groups keep their own types, and a prompt moves none.
        mixed = made.encode(ids, mask, ["", "swh_Latn"], types)
        assert torch.allclose(mixed[:1], expected[:1], atol=1e-5)
        assert torch.allclose(mixed[1:], made.encode(ids[1:], mask[1:], ["swh_Latn"], types[1:]), atol=1e-5)


@pytest.mark.parametrize("model_type", ["distilbert", "modernbert", "deberta-v2"])
def test_token_types_are_left_out_where_the_backbone_has_none(
    combination: Callable[..., Combination], model_type: str
) -> None:
    made = combination(model_type)
    ids, mask = tiny.batch(2)
    with torch.no_grad():
        assert torch.equal(made.encode(ids, mask, token_type_ids=mask), made.encode(ids, mask))


def test_a_prompt_of_real_tokens_before_a_pair_is_those_tokens(combination: Callable[..., Combination]) -> None:
    made = combination("bert")
    ids, mask = tiny.batch(1)
    types = (torch.arange(ids.shape[1]) > 3).long()[None]
    words = torch.tensor([[7, 8, 9]])
    config = SoftPromptConfig(length=3, position="after_bos")
    prompt = made.add("language", "prompt", config, language="swh_Latn", seed=0)
    with torch.no_grad():
        [vectors] = prompt.own_parameters().values()
        vectors.copy_(made.backbone.embeddings(words)[0])
        written = torch.cat([ids[:, :1], words, ids[:, 1:]], dim=1)
        longer = torch.cat([types[:, :1], torch.zeros_like(words), types[:, 1:]], dim=1)
        expected = made.encode(written, torch.ones_like(written), token_type_ids=longer)
        found = made.encode(ids, mask, ["swh_Latn"], types)
    assert torch.allclose(found, torch.cat([expected[:, :1], expected[:, 4:]], dim=1), atol=1e-5)


def test_dropout_is_on_in_training_only(tmp_path: Path) -> None:
    place = tiny.build(tmp_path, "xlm-roberta", dropout=0.5)
    whole = Combination(load_backbone(BackboneConfig(name=str(place))))
    ids, mask = tiny.batch()
    assert torch.equal(whole.encode(ids, mask), whole.encode(ids, mask))
    whole.train()
    assert not torch.equal(whole.encode(ids, mask), whole.encode(ids, mask))
    assert torch.equal(whole.encode_backbone(ids, mask), whole.encode_backbone(ids, mask))


@pytest.mark.parametrize("model_type", [model for model in tiny.MODELS if info_of(model).max_positions < UNLIMITED])
def test_text_and_prompts_must_fit_the_positions(combination: Callable[..., Combination], model_type: str) -> None:
    whole = combination(model_type)
    whole.add("language", "prompt", SoftPromptConfig(length=3), language="swh_Latn", seed=0)
    whole.add("task", "prompt", SoftPromptConfig(length=2), seed=0)
    most = whole.backbone.info.max_positions
    assert most == tiny.POSITIONS
    ids, mask = tiny.batch(2, most - 5)
    assert whole.encode(ids, mask, ["swh_Latn"] * 2).shape[1] == most - 5
    ids, mask = tiny.batch(2, most - 4)
    with pytest.raises(ModulesError, match=f"{most - 4} tokens and prompts of 5 exceed the {most} positions"):
        whole.encode(ids, mask, ["swh_Latn"] * 2)
    assert whole.encode(ids, mask, ["hau_Latn"] * 2).shape[1] == most - 4


def test_adding_draws_only_from_its_seed(combination: Callable[..., Combination]) -> None:
    states = []
    for before in (1, 2):
        torch.manual_seed(before)
        whole = combination()
        random = torch.get_rng_state()
        component = whole.add("task", "adapter", BottleneckConfig(reduction_factor=4), seed=5)
        assert torch.equal(torch.get_rng_state(), random)
        states.append(component.own_state())
    other = combination().add("task", "adapter", BottleneckConfig(reduction_factor=4), seed=6).own_state()
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert any(not torch.equal(states[0][key], other[key]) for key in other)


def test_removing_leaves_nothing_behind(combination: Callable[..., Combination]) -> None:
    whole = combination()
    names = set(whole.state_dict())
    before = logits(whole, [""] * 4)
    for slots in [*ALONE, *MIXED]:
        fill(whole, slots, ["swh_Latn"])
        for component in whole.components():
            whole.remove(component)
        assert set(whole.state_dict()) == names, name(slots)
        assert torch.equal(logits(whole, ["swh_Latn"] * 4), before)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("languages", "prompt", SoftPromptConfig()), "unknown role 'languages' .did you mean 'language'"),
        (("task", "promt", SoftPromptConfig()), "unknown kind of component 'promt' .did you mean 'prompt'"),
        (("task", "prompt", BottleneckConfig()), "needs a SoftPromptConfig, not a BottleneckConfig"),
        (("task", "adapter", BottleneckConfig()), "task adapter: there is one for every language already"),
        (("task", "adapter", BottleneckConfig(leave_out=[2])), "there is one"),
        (("language", "adapter", BottleneckConfig(leave_out=[2])), "leave_out names layer 2, but .* 0 to 1"),
    ],
)
def test_what_cannot_be_added_is_said(
    combination: Callable[..., Combination], arguments: tuple[str, str, object], message: str
) -> None:
    whole = combination()
    whole.add("task", "adapter", BottleneckConfig(reduction_factor=4), seed=0)
    with pytest.raises(ModulesError, match=message):
        whole.add(*arguments, seed=0)
    assert len(whole.components()) == 1


def test_training_nothing_is_refused(combination: Callable[..., Combination]) -> None:
    with pytest.raises(ModulesError, match="nothing to train"):
        combination().train_only([])


def test_the_bare_backbone_is_gone_once_it_is_trained(combination: Callable[..., Combination]) -> None:
    whole = combination()
    assert isinstance(whole.add("task", "full", FullConfig(), seed=0), Full)
    with pytest.raises(ModulesError, match="component-task-full changes its weights"):
        whole.encode_backbone(*tiny.batch())


def test_the_example_of_the_package_runs(folder: Callable[[str], Path]) -> None:
    lines = [line[4:] for line in str(modules.__doc__).splitlines() if line.startswith("    ")]
    names: dict[str, Any] = {}
    exec("\n".join(lines).replace("FacebookAI/xlm-roberta-base", str(folder("xlm-roberta"))), names)
    assert names["hidden"].shape == (1, 5, tiny.WIDTH)
