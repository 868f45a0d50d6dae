"""Sums of components: averages over seeds, languages or trainings, and arithmetic.

The weights are added up name by name, as in task arithmetic (Ilharco et al., ICLR 2023, arXiv:2212.04089), AdapterSoup
(Chronopoulou et al., Findings of EACL 2023, arXiv:2302.07027), model soups (Wortsman et al., ICML 2022) and language
arithmetic (Klimaszewski et al., COLING 2025, arXiv:2404.15737). Components that began from the same values (one
language stage's seed) lie near enough to each other for it; those of different seeds often do not.
"""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from framework.errors import UserError
from framework.identity import identity
from framework.results.run_folder import RunFolder
from framework.store.compatibility import refuse_unknown_head
from framework.store.formula import parse
from framework.store.store import KEPT_TOKENS, Passport, Store
from framework.system.files import is_folder
from framework.system.provenance import made

Terms = Sequence[tuple[float, Sequence[str]]]
"""Weight and identities of each summand; several identities are the components of one language, side by side."""

OF_FACTORS = "lora"
"""The kind whose parameters are factors: the sum of factors is not the factors of the sum."""


def merged_identity(terms: Terms, languages: Sequence[str]) -> str:
    """Returns the identity of a sum, a hash of factors and components; it is independent of the order of the terms."""
    return identity(merge=_in_order(terms), languages=sorted(languages))


def merged_title(kinds: Iterable[str], shown: str, languages: Sequence[str]) -> str:
    """Names a sum of components: `adapter = mean(seed0, seed1) · eng_Latn`."""
    named = " + ".join(kind.rpartition(".")[2] for kind in kinds) or "head"
    return " · ".join(filter(None, [f"{named} = {shown}", ", ".join(languages)]))


def _in_order(terms: Terms) -> list[tuple[float, list[str]]]:
    return sorted((weight, sorted(parts)) for weight, parts in terms)


def merge(store: Store, words: list[str], language: str | None) -> Passport:
    """Writes the sum of components as a new one into the store, as the command asks for it.

    Args:
        store: Where they are, and where it goes.
        words: One formula of ids; or ids and folders of runs, which mean the mean of their task components.
        language: FLORES code of the language that the sum of language components serves; None for those of the
            summands.

    Raises:
        UserError: A word means no component, they cannot be summed, or a task's are to be of another language than
            those that they were trained on.
    """
    one = len(words) == 1 and not is_folder(words[0])
    formula = words[0] if one else f"mean({', '.join(_named(word) for word in words)})"
    terms = [(weight, (store.one(name),)) for weight, name in parse(formula).terms]
    passports = [store.passport(part) for _, (part,) in terms]
    if language and passports[0].stage != "language":
        raise UserError(f"--language {language}: only of a language's components one says which language they serve")
    spoken = {code for passport in passports for code in passport.languages}
    languages = [language] if language else sorted(spoken)
    shown = " + ".join(f"{weight:.3g}*{part[:8]}" for weight, (part,) in terms).replace("+ -", "- ")
    return write_sum(store, terms, languages, shown)


def write_sum(store: Store, terms: Terms, languages: list[str], shown: str) -> Passport:
    """Writes a sum of components into the store.

    Args:
        store: Where they are, and where it goes.
        terms: What is summed.
        languages: The languages that it serves.
        shown: The formula, for a person.

    Raises:
        UserError: They are of different kinds, settings, shapes, backbones or labels.
    """
    terms = _in_order(terms)  # what is summed first must not tell in the last digit
    passports = [[store.passport(part) for part in parts] for _, parts in terms]
    everyone = list(itertools.chain(*passports))
    components = refuse_unlike(passports)
    states = [_state(store, of_term) for of_term in passports]
    state = _sum(states, [weight for weight, _ in terms], [", ".join(parts) for _, parts in terms])
    if reason := refuse_unknown_head(store, everyone[0]):
        raise UserError(reason)
    notes = [note for passport in everyone for note in passport.told]
    if any(slot.endswith(f".{OF_FACTORS}") for slot in components):
        notes.append("The two factors of LoRAs were summed each by itself, which is not the sum of their products.")
    passport = Passport(
        id=merged_identity(terms, languages),
        stage=everyone[0].stage,
        title=merged_title([kind for of_term in passports[0] for kind in of_term.kinds], shown, languages),
        backbone=everyone[0].backbone,
        components=components,
        languages=languages,
        data=_once(data for passport in everyone for data in passport.data),
        training={
            "made_by": f"merge of {shown}",
            "parents": [{"weight": weight, "components": list(parts)} for weight, parts in terms],
        },
        parameters=sum(tensor.numel() for name, tensor in state.items() if name != KEPT_TOKENS),
        metrics={},
        answers=everyone[0].answers,
        needs=_once(need for passport in everyone for need in passport.needs),
        notes=_once(notes),
        made=made(),
    )
    store.write(passport, state, [])
    return passport


def refuse_unlike(passports: list[list[Passport]]) -> dict[str, Any]:
    """Returns the components that all summands are of.

    Args:
        passports: Those of each summand.

    Raises:
        UserError: Summands differ in kinds, settings, stage, backbone or what they answer.
    """
    first = _described(passports[0])
    for other in passports[1:]:
        for what, mine in first.items():
            if (theirs := _described(other)[what]) != mine:
                unlike = f"{other[0].id} cannot be summed with {passports[0][0].id}"
                raise UserError(f"{unlike}: the {what} of the one is {theirs}, that of the other {mine}")
    return {slot: settings for passport in passports[0] for slot, settings in passport.components.items()}


def _described(passports: list[Passport]) -> dict[str, Any]:
    """Returns what summands must have in common, by what it is called."""
    first = passports[0]
    return {
        "stage": first.stage,
        "backbone": tuple(first.backbone[what][:12] for what in ("weights", "tokenizer")),
        "configuration": {slot: kind for passport in passports for slot, kind in sorted(passport.components.items())},
        **{what: first.answers.get(what, "unknown") for what in ("task", "labels", "answer")},
    }


def _state(store: Store, passports: list[Passport]) -> dict[str, Tensor]:
    state: dict[str, Tensor] = {}
    for passport in passports:
        state |= store.read(passport.id, passport.backbone)
    return state


def _sum(states: list[dict[str, Tensor]], weights: list[float], names: list[str]) -> dict[str, Tensor]:
    """Sums weights in float64, and what is no number but an id only where all have the same."""
    first = states[0]
    for other, name in zip(states[1:], names[1:], strict=True):
        shapes = [{key: list(tensor.shape) for key, tensor in state.items()} for state in (first, other)]
        unlike = sorted(key for key in shapes[0].keys() | shapes[1].keys() if shapes[0].get(key) != shapes[1].get(key))
        if unlike:
            mine, theirs = (shape.get(unlike[0], "absent") for shape in shapes)
            raise UserError(f"{names[0]} and {name} cannot be summed: {unlike[0]} is {mine} and {theirs}")
    if KEPT_TOKENS in first and not all(torch.equal(state[KEPT_TOKENS], first[KEPT_TOKENS]) for state in states):
        raise UserError(f"{names[0]} and others kept different tokens of the vocabulary: they cannot be summed")

    def summed(key: str) -> Tensor:
        if key == KEPT_TOKENS:
            return first[key]
        parts = [weight * state[key].double() for weight, state in zip(weights, states, strict=True)]
        return torch.stack(parts).sum(dim=0).to(first[key].dtype)

    return {key: summed(key) for key in first}


def _named(word: str) -> str:
    """Returns the id that a word of the command stands for: itself, or a run's task component."""
    if not is_folder(word):
        return word
    components = RunFolder(word).record.components
    found = [part for name, part in components.items() if name.startswith("task ")]
    if not found:
        raise UserError(f"{word}: this run has no task component of its own")
    return found[0]


def _once(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))
