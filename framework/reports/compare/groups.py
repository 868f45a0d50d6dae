"""Groups languages by script, family, resources, and whether the backbone has seen them."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from datamodules.errors import DataError
from datamodules.languages.pretraining_languages import corpus_of_model, pretraining_corpus, was_tuned
from datamodules.languages.resources import resource_class
from framework.errors import UserError, did_you_mean
from framework.languages import family_of, script_of
from framework.results.run_groups import RunGroup


@dataclass(frozen=True)
class Grouping:
    """Languages grouped by one property."""

    name: str
    """Its name on the command line: `script`."""
    groups: dict[str, list[str]]
    """FLORES codes by group; each language in one group at most."""
    ungrouped: list[str]
    """Languages whose property is unknown."""
    source: str
    """The source of the property, as a sentence."""
    refusals: list[str] = field(default_factory=list)
    """Why there are no groups."""


def group_languages(
    names: Sequence[str], languages: Sequence[str], combinations: Sequence[RunGroup], pretrained_on: str | None = None
) -> list[Grouping]:
    """Groups languages by several properties.

    Args:
        names: Of `GROUPINGS`.
        languages: FLORES codes.
        combinations: Those that are compared, for the languages that their backbones have seen.
        pretrained_on: The pretraining corpus, of `PRETRAINING_CORPORA`, of backbones that are not known by name.

    Raises:
        UserError: A grouping or the corpus is unknown.
    """
    for name in names:
        if name not in GROUPINGS:
            raise UserError(f"unknown group '{name}'{did_you_mean(name, GROUPINGS)} (known: {', '.join(GROUPINGS)})")
    if pretrained_on is not None:
        try:
            pretraining_corpus(pretrained_on)
        except DataError as error:
            raise UserError(str(error)) from None
    return [GROUPINGS[name](name, languages, combinations, pretrained_on) for name in dict.fromkeys(names)]


GroupBy = Callable[[str, Sequence[str], Sequence[RunGroup], str | None], Grouping]


def _by(of: Callable[[str], str | None], source: str, *, by_size: bool) -> GroupBy:
    def group(name: str, languages: Sequence[str], combinations: object, pretrained_on: object) -> Grouping:
        groups: dict[str, list[str]] = {}
        for language in languages:
            groups.setdefault(of(language) or "", []).append(language)
        ungrouped = groups.pop("", [])
        order = sorted(groups, key=(lambda one: (-len(groups[one]), one)) if by_size else None, reverse=not by_size)
        return Grouping(name, {one: groups[one] for one in order}, ungrouped, source)

    return group


def _class(code: str) -> str | None:
    found = resource_class(code)
    return None if found is None else f"class {found}"


COMMIT = "@"
"""Separates name and commit of a backbone on the hub; a folder has none."""


@dataclass(frozen=True)
class Seen:
    """The languages that a backbone saw before the experiment's language and task stages."""

    languages: frozenset[str]
    """FLORES codes."""
    name: str
    """Its name in tables."""
    source: str
    """The source of this information."""
    tuned: bool = False
    """Whether the backbone was, or may have been, tuned on texts of other languages."""


def seen_by(combination: RunGroup, pretrained_on: str | None = None) -> Seen | None:
    """Returns the languages that a combination's backbone saw in its pretraining; None if unknown.

    The corpus follows from the backbone's name on the hub, but not from the name in the `config.json` of a folder,
    which further pretraining does not change. A pretraining stage of the experiment adds its languages; weights that
    were initialised from a seed saw no others.
    """
    experiment = combination.runs[combination.seeds[0]].experiment
    backbone = experiment.get("backbone") or {}
    own = frozenset((experiment.get("pretrain") or {}).get("languages") or ())
    own_name, own_source = f"the pretraining of {combination.record.experiment}", "its pretrain.languages"
    if backbone.get("random_init_seed") is not None:
        return Seen(own, own_name, own_source)
    name = combination.record.backbone
    corpus = corpus_of_model(name) if COMMIT in name else None
    tuned = corpus is None or was_tuned(name)  # a corpus given by the user may not be all
    if corpus is None and pretrained_on is not None:
        corpus = pretraining_corpus(pretrained_on)
    if corpus is None:
        return None
    if not own:
        return Seen(corpus.languages, corpus.name, corpus.source, tuned)
    return Seen(corpus.languages | own, f"{corpus.name} + {own_name}", f"{corpus.source}; {own_source}", tuned)


def _seen(
    name: str, languages: Sequence[str], combinations: Sequence[RunGroup], pretrained_on: str | None
) -> Grouping:
    # One experiment may pretrain a backbone further that another uses as published.
    found = dict.fromkeys((one.record.backbone, seen_by(one, pretrained_on)) for one in combinations)
    known = list({seen.languages: seen for _, seen in found if seen is not None}.values())
    unknown = [backbone for backbone, seen in found if seen is None]
    if unknown:
        refusal = f"seen: it is not known what {', '.join(unknown)} was pretrained on; say it with --pretrained-on."
        return Grouping(name, {}, list(languages), "", [refusal])
    groups: dict[str, list[str]] = {}
    for language in languages:
        where = [seen.name for seen in known if language in seen.languages]
        # With several backbones all rows still have the same groups.
        in_all, in_none = len(where) == len(known), not where
        words = "seen" if in_all else "unseen" if in_none else f"seen in {_and(where)} only"
        groups.setdefault(words, []).append(language)
    listed = "; ".join(f"{seen.name} ({seen.source})" for seen in known)
    tuned = dict.fromkeys(backbone for backbone, seen in found if seen is not None and seen.tuned)
    source = f"in the backbone's pretraining: {listed}"
    if tuned:
        source += f"; only that of the base model counts: {_and(tuned)} may have seen more languages when it was tuned"
    return Grouping(name, {one: groups[one] for one in sorted(groups)}, [], source)


def _and(names: Iterable[str]) -> str:
    return re.sub(r", ([^,]*)$", r" and \1", ", ".join(names))


GROUPINGS: dict[str, GroupBy] = {
    "script": _by(script_of, "ISO 15924", by_size=True),
    "family": _by(family_of, "highest family in Glottolog's sense", by_size=True),
    "resource": _by(
        _class, "classes of Joshi et al., ACL 2020; class 0 is also what their list does not name", by_size=False
    ),
    "seen": _seen,
}
"""Groupings by name."""
