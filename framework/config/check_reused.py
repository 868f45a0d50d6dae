"""Refuses components that are to be reused and cannot be: they are looked up before anything is trained."""

import contextlib
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

from framework.config.draft import AbsentError, Draft
from framework.config.schema import ReuseConfig
from framework.errors import UserError
from framework.identity import plain
from framework.store.compatibility import TaskSignature
from framework.store.formula import is_language, parse, seed_of
from framework.store.store import Passport, Store
from framework.validation import Problem


def check_reused(draft: Draft) -> Iterator[Problem]:
    """Reused components are in the store, fit combination and backbone, and are needed."""
    reuse, languages = draft.reuse, draft.languages
    if not reuse.language and reuse.task is None:
        return
    spoken = {*languages.source, *languages.targets}
    with contextlib.suppress(AbsentError):  # said already
        spoken |= set(draft.targets)
    formulas = _FormulaChecker(draft)
    for code, text in reuse.language.items():
        key = ("reuse", "language", code)
        if code not in spoken:
            yield key, f"{code} is neither a source nor a target of this experiment"
        yield from ((key, reason) for reason in formulas.of_language(text, code))
    if reuse.task is not None:
        yield from ((("reuse", "task"), reason) for reason in formulas.of_task(reuse.task, languages.source))


class _FormulaChecker:
    """Says why formulas cannot be used, for one backbone and combination."""

    def __init__(self, draft: Draft) -> None:
        stage = draft.stages.language
        self.reused = draft.reuse.language
        self.without = stage.objective.languages_without_components if stage is not None else ()
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

    def of_language(self, text: str, code: str) -> Iterator[str]:
        """Says why a formula cannot give the components of a language."""
        own = self.combination["language"]
        held: dict[str, str] = {}
        try:
            formula = parse(text)
            for _, name in formula.terms:
                if is_language(name):
                    yield from self._refusal(name)
                    kinds: Iterable[str] = own
                else:
                    passport = self.store.find(name)
                    yield from self._reasons(passport, "language")
                    kinds = passport.kinds
                    if formula.single and code not in passport.languages:  # it would be taken as it is
                        theirs = ", ".join(passport.languages) or "no language"
                        yield f"{passport.id} is of {theirs}; to use it for {code} anyway, write 1*{name}"
                held[name] = " + ".join(sorted(kinds))
        except UserError as error:
            yield str(error)
            return
        for first, other in itertools.pairwise(held if own else ()):
            if held[first] != held[other]:  # they could only be summed in part
                yield f"{first} and {other} cannot be summed: the one is {held[first]}, the other {held[other]}"
                return

    def of_task(self, text: str, sources: list[str]) -> Iterator[str]:
        """Says why a formula cannot give the task components; what other languages trained would pass for zero-shot."""
        learnt: set[str] = set()
        try:
            for _, name in parse(text).terms:
                if seed_of(name) is not None:
                    learnt |= set(sources)
                else:
                    passport = self.store.find(name)
                    yield from self._reasons(passport, "task")
                    learnt |= set(passport.languages)
        except UserError as error:
            yield str(error)
            return
        if learnt == set(sources):
            return
        if not learnt:
            yield f"{text} names no language that it was trained on; import it with --language, once for each"
        else:
            mine, theirs = ", ".join(sources) or "none", ", ".join(sorted(learnt))
            unlike = f"{text} was trained on {theirs}, and languages.source says {mine}"
            yield f"{unlike}: name all that it was trained on there, for those are not zero-shot"

    def _refusal(self, code: str) -> Iterator[str]:
        """Says why the components that an experiment trains for a language cannot be summands."""
        if code in self.reused:
            yield f"{code} is reused itself: name what it is made of"
        elif code in self.without:
            yield f"{code} has no components of its own with this objective"

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


def trained_languages(wanted: list[str], reuse: ReuseConfig) -> list[str]:
    """Returns which components to train for those of some languages to act: not reused ones, but those in formulas."""
    named: list[str] = []
    for formula in (reuse.language[code] for code in wanted if code in reuse.language):
        with contextlib.suppress(UserError):  # said elsewhere
            named += [name for _, name in parse(formula).terms if is_language(name)]
    return list(dict.fromkeys([*(code for code in wanted if code not in reuse.language), *named]))
