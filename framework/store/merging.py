"""Sums of components: averages over seeds, languages or trainings, and arithmetic.

The weights are added up name by name, as in task arithmetic (Ilharco et al., ICLR 2023, arXiv:2212.04089), AdapterSoup
(Chronopoulou et al., Findings of EACL 2023, arXiv:2302.07027), model soups (Wortsman et al., ICML 2022) and language
arithmetic (Klimaszewski et al., COLING 2025, arXiv:2404.15737). Components that began from the same values (one
language stage's seed) lie near enough to each other for it; those of different seeds often do not.
"""

import itertools
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from framework.errors import UserError
from framework.results.run_folder import RunFolder
from framework.store.compatibility import refuse_unknown_head
from framework.store.formula import Terms, in_order, merged_identity, merged_title, parse
from framework.store.store import HEAD, KEPT_TOKENS, Passport, Store, parameter_count, part_of
from framework.system.atomic_files import is_folder
from framework.system.provenance import made
from modules import ModulesError, component_class
from modules.components.base import weighted_sum


def merge(store: Store, words: list[str], language: str | None) -> Passport:
    """Writes the sum of components as a new one into their store, as the command asks for it.

    Args:
        store: The components.
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
    languages = [language] if language else sorted({code for passport in passports for code in passport.languages})
    shown = " + ".join(f"{weight:.3g}*{part[:8]}" for weight, (part,) in terms).replace("+ -", "- ")
    return write_sum(store, terms, languages, shown)


def write_sum(store: Store, terms: Terms, languages: list[str], shown: str) -> Passport:
    """Writes a sum of components, which serves these languages, into the store; `shown` is the formula for a person.

    Raises:
        UserError: They are of different kinds, settings, shapes, backbones or labels.
    """
    terms = in_order(terms)  # what is summed first must not tell in the last digit
    passports = [[store.passport(part) for part in parts] for _, parts in terms]
    everyone = list(itertools.chain(*passports))
    components = _common_components(passports)
    states = [_state(store, of_term) for of_term in passports]
    state = _sum(states, [weight for weight, _ in terms], [", ".join(parts) for _, parts in terms], components)
    if reason := refuse_unknown_head(store, everyone[0]):
        raise UserError(reason)
    notes = [note for passport in everyone for note in passport.told]
    notes += filter(None, (component_class(key.partition(".")[2]).note_on_sums for key in components))
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
        parameters=parameter_count(state),
        metrics={},
        answers=everyone[0].answers,
        needs=_once(need for passport in everyone for need in passport.needs),
        notes=_once(notes),
        made=made(),
    )
    store.write(passport, state, [])
    return passport


def _common_components(passports: list[list[Passport]]) -> dict[str, Any]:
    """Returns the components of each summand, which must not differ in kinds, settings, stage, backbone or answers."""
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


def _sum(
    states: list[dict[str, Tensor]], weights: list[float], names: list[str], components: Iterable[str]
) -> dict[str, Tensor]:
    """Sums each component as its class does, and heads tensor by tensor; tokens that were kept must be the same."""
    first = states[0]
    if KEPT_TOKENS in first and not all(torch.equal(state[KEPT_TOKENS], first[KEPT_TOKENS]) for state in states):
        raise UserError(f"{names[0]} and others kept different tokens of the vocabulary: they cannot be summed")
    summed = {KEPT_TOKENS: first[KEPT_TOKENS]} if KEPT_TOKENS in first else {}
    classes = {key: component_class(key.partition(".")[2]) for key in components}
    slots = {f"{key.partition('.')[0]}.{class_.Config.kind}": class_.summed for key, class_ in classes.items()}
    try:
        for slot, sum_of in {**slots, HEAD: weighted_sum}.items():
            parts = sum_of([part_of(state, slot) for state in states], weights)
            summed |= {f"{slot}/{name}": tensor for name, tensor in parts.items()}
    except ModulesError as error:
        raise UserError(f"{' and '.join(names)} cannot be summed: {error}") from error
    return summed


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
