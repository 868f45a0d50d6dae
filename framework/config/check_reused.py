"""Refuses components that are to be reused and cannot be: they are looked up before anything is trained."""

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path

from framework.config.draft import AbsentError, Draft
from framework.config.schema import ReuseConfig
from framework.errors import UserError
from framework.identity import plain
from framework.store.compatibility import TaskSignature
from framework.store.formula import Formula, is_language, parse, seed_of
from framework.store.store import Passport, Store
from framework.system.documents import Key
from framework.validation import Problem


def check_reused(draft: Draft) -> Iterator[Problem]:
    """Reused components are in the store, fit combination and backbone, and are needed."""
    reuse, languages, stage = draft.reuse, draft.languages, draft.stages.language
    if not reuse.language and reuse.task is None:
        return
    spoken = {*languages.source, *languages.targets}
    with contextlib.suppress(AbsentError):  # said already
        spoken |= set(draft.targets)
    look = _FormulaChecker(draft)
    without = stage.objective.languages_without_components if stage is not None else ()
    for code, text in reuse.language.items():
        key = ("reuse", "language", code)
        if code not in spoken:
            yield key, f"{code} is neither a source nor a target of this experiment"
        yield from look.at(key, text, "language", {other: _refused(other, reuse, without) for other in _codes(text)})
        if reason := look.of_other_kinds(text):
            yield key, reason
        formula = _parsed(text)
        if formula and formula.single and not is_language(formula.single):
            yield from look.serves(key, formula.single, code)
    if reuse.task is not None:
        yield from look.at(("reuse", "task"), reuse.task, "task", {})
        if reason := look.learnt_elsewhere(reuse.task, languages.source):
            yield ("reuse", "task"), reason


class _FormulaChecker:
    """Looks at formulas, for one backbone and combination."""

    def __init__(self, draft: Draft) -> None:
        self.combination = draft.combination
        self.store = Store(Path(draft.store))
        self.asked: TaskSignature | None = None
        self.hashes: dict[str, str] = {}
        with contextlib.suppress(AbsentError):  # said already
            info = draft.info
            # What a pretraining of this experiment makes of the weights, `Store.read` compares by its identity.
            weights = {} if draft.pretrain is not None else {"weights": info.weights_hash}
            self.hashes = {**weights, "tokenizer": info.tokenizer_hash}
            self.asked = TaskSignature.of(draft.dataset, draft.answer, info)

    def at(self, key: Key, text: str, role: str, languages: dict[str, str | None]) -> Iterator[Problem]:
        try:
            formula = parse(text)
            for _, name in formula.terms:
                if role == "language" and is_language(name):
                    if reason := languages[name]:
                        yield key, reason
                elif role != "task" or seed_of(name) is None:
                    yield from ((key, reason) for reason in self._reasons(self.store.find(name), role))
        except UserError as error:
            yield key, str(error)

    def of_other_kinds(self, text: str) -> str | None:
        """Says which summands for a language hold other kinds than others: they could only be summed in part."""
        formula, own = _parsed(text), self.combination["language"]
        held: dict[str, str] = {}
        for _, name in formula.terms if formula and own else ():
            try:
                kinds = own if is_language(name) else self.store.find(name).kinds
            except UserError:  # said already
                return None
            held[name] = " + ".join(sorted(kinds))
        for (first, mine), (other, theirs) in itertools.pairwise(held.items()):
            if mine != theirs:
                return f"{first} and {other} cannot be summed: the one is {mine}, the other {theirs}"
        return None

    def serves(self, key: Key, name: str, code: str) -> Iterator[Problem]:
        """A component that is taken as it is, is one of the language's."""
        try:
            passport = self.store.find(name)
        except UserError:
            return
        if code not in passport.languages:
            theirs = ", ".join(passport.languages) or "no language"
            yield key, f"{passport.id} is of {theirs}; to use it for {code} anyway, write 1*{name}"

    def learnt_elsewhere(self, text: str, sources: list[str]) -> str | None:
        """Says which other languages than the sources trained what is reused: they would pass for zero-shot."""
        formula = _parsed(text)
        learnt: set[str] = set()
        for _, name in formula.terms if formula else ():
            try:
                learnt |= set(sources if seed_of(name) is not None else self.store.find(name).languages)
            except UserError:  # said already
                return None
        if not formula or learnt == set(sources):
            return None
        if not learnt:
            return f"{text} names no language that it was trained on; import it with --language, once for each"
        mine, theirs = ", ".join(sources) or "none", ", ".join(sorted(learnt))
        unlike = f"{text} was trained on {theirs}, and languages.source says {mine}"
        return f"{unlike}: name all that it was trained on there, for those are not zero-shot"

    def _reasons(self, passport: Passport, role: str) -> Iterator[str]:
        if passport.stage != role:
            yield f"{passport.id} comes from a {passport.stage} stage, not from a {role} stage"
            return
        for what, mine in self.hashes.items():
            if (theirs := passport.backbone[what]) != mine:
                yield f"{passport.id} is of another backbone: its {what} hash is {theirs[:12]}, here it is {mine[:12]}"
                return
        if role == "task" and self.asked is not None and (reason := self.asked.incompatibility(self.store, passport)):
            yield reason
        kinds = self.combination[role]
        shared = kinds.keys() & passport.kinds.keys()
        if role == "language" and not shared:
            return  # in this cell of a grid it does not serve
        if missing := sorted(passport.kinds.keys() - kinds.keys()):
            yield f"{passport.id} holds {missing[0]}, which combination.{role} lacks"
        if role == "task" and (missing := sorted(kinds.keys() - passport.kinds.keys())):
            yield f"{passport.id} lacks {missing[0]}, which combination.task has"
        for kind in sorted(shared):
            mine = plain(kinds[kind])
            for name, value in passport.kinds[kind].items():
                if name in mine and mine[name] != value:
                    yield f"{passport.id} has {kind}.{name} {value}; combination.{role}.{kind} says {mine[name]}"


def _codes(text: str) -> list[str]:
    formula = _parsed(text)
    return [name for _, name in formula.terms if is_language(name)] if formula else []


def _refused(code: str, reuse: ReuseConfig, without: tuple[str, ...]) -> str | None:
    """Returns why a language's components cannot be summands, or None when they can."""
    if code in reuse.language:
        return f"{code} is reused itself: name what it is made of"
    if code in without:
        return f"{code} has no components of its own with this objective"
    return None


def _parsed(text: str) -> Formula | None:
    try:
        return parse(text)
    except UserError:
        return None


def trained_languages(wanted: list[str], reuse: ReuseConfig) -> list[str]:
    """Returns which components to train for those of some languages to act: not reused ones, but those in formulas."""
    named = [other for code in wanted for other in _codes(reuse.language.get(code, ""))]
    return list(dict.fromkeys([*(code for code in wanted if code not in reuse.language), *named]))
