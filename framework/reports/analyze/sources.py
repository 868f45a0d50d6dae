"""Which source language for a target? Candidates ranked by what runs taught, or by distances alone.

As in LangRank (Lin et al., ACL 2019), runs with several source languages show which sources suit which targets. Here
a ridge regression learns it: how much better or worse than its fellows a source does in a target, from their distances
and whether they share a script. It is judged by NDCG@3 on targets whose families were left out whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from framework.errors import UserError
from framework.reports.analyze.features import SAME_SCRIPT, Values, family_of, pair_features
from framework.reports.analyze.regression import ridge
from framework.reports.analyze.scores import Scores

Floats = npt.NDArray[np.float64]

RANKED_DISTANCES = ("geographic", "genetic", "featural")
"""What candidates are ranked by; the other distances are parts of the featural one, and many languages lack them."""
PAIR_FEATURES = (*RANKED_DISTANCES, SAME_SCRIPT)
"""What the regression is of."""
LEAST_SOURCES = 3
LEAST_TARGETS = 5
LEAST_FAMILIES = 3
TOP = 3
MOST_RELEVANCE = 10
"""Relevance of the best source; the next has one less, down to 0 (after Lin et al.)."""
SHUFFLES = 1000


@dataclass(frozen=True)
class Candidate:
    """A candidate source for the target."""

    language: str
    features: Values
    distance: float
    """Mean over `RANKED_DISTANCES` of its place among the candidates, from 0 (nearest) to 1."""
    predicted: float | None = None
    """How much better than the mean candidate it is predicted to do; None without a model."""
    measured: float | None = None
    """Its score in the target, mean over combinations; None where the runs do not hold it."""


@dataclass(frozen=True)
class Quality:
    """How well a way to rank sources does on targets whose families it has not seen."""

    ndcg: float
    """NDCG@3, mean over targets (and combinations): 1 is the true order."""
    best_at: float
    """Mean place that the truly best source is given; 1 is the first."""


@dataclass(frozen=True)
class Ranking:
    """The candidates, best first."""

    target: str
    candidates: list[Candidate]
    left_out: dict[str, list[str]]
    """Candidates that cannot be ranked, with the distances that are not known of them."""
    way: str
    """What the ranking rests on, in a sentence."""
    qualities: dict[str, Quality]
    """Held-out quality by way: `model`, `distances`, `chance`. Empty without a model."""


@dataclass(frozen=True)
class _Group:
    """The sources of one combination in one target: these are compared with each other."""

    target: str
    sources: list[str]
    features: Floats
    """[sources, features]."""
    scores: Floats


def rank_sources(target: str, candidates: Sequence[str], scores: Sequence[Scores]) -> Ranking:
    """Ranks candidate source languages for a target.

    Args:
        target: FLORES code.
        candidates: FLORES codes.
        scores: What runs have shown; empty for a ranking by distances.

    Raises:
        UserError: Two combinations differ in nothing that is known of them, not even the source.
    """
    features = {code: pair_features([code], target) for code in candidates}
    lacking = {code: [name for name in PAIR_FEATURES if own[name] is None] for code, own in features.items()}
    left_out = {code: names for code, names in lacking.items() if names}
    known = {code: own for code, own in features.items() if code not in left_out}
    places = place_by_distance(known)
    measured = _measured(target, scores)
    listed = [Candidate(code, own, places[code], measured=measured.get(code)) for code, own in known.items()]
    groups, reason = _groups(scores)
    if reason or not listed:
        listed.sort(key=lambda one: one.distance)
        return Ranking(target, listed, left_out, f"by distances: {reason}", {})
    # What the runs scored in the target and its relatives stays out, else "predicted" would know what was measured.
    others = _without(family_of(target), groups)
    predicted = _fit(others).predict(_matrix(list(known.values())))
    # Only differences between candidates were learnt.
    differences = (predicted - predicted.mean()).tolist()
    listed = [replace(one, predicted=value) for one, value in zip(listed, differences, strict=True)]
    listed.sort(key=lambda one: -(one.predicted or 0.0))
    sources = {code for group in others for code in group.sources}
    targets = {group.target for group in others}
    way = f"by a model fitted on {len(sources)} sources × {len(targets)} targets, none of them of its family"
    return Ranking(target, listed, left_out, way, _qualities(groups))


def place_by_distance(features: Mapping[str, Values]) -> dict[str, float]:
    """Ranks languages by each distance, and returns the mean place of each, from 0 (nearest) to 1 (farthest)."""
    from scipy.stats import rankdata

    measured = [[own[kind] for kind in RANKED_DISTANCES] for own in features.values()]
    places = (rankdata(measured, axis=0) - 1) / max(1, len(measured) - 1) if measured else np.zeros((0, 1))
    return dict(zip(features, places.mean(axis=1).tolist(), strict=True))


def ndcg(relevance: Floats, order: Sequence[int], top: int = TOP) -> float:
    """Normalised discounted cumulative gain at `top`, with the gains 2^relevance - 1.

    Args:
        relevance: Of each thing.
        order: The things' places in `relevance`, best first.
        top: How many of the order count.
    """
    gains = 2.0**relevance - 1
    discounts = 1 / np.log2(np.arange(2, top + 2))[: len(gains)]
    best = np.sort(gains)[::-1][:top] @ discounts[:top]
    return float(gains[list(order)][:top] @ discounts[:top] / best)


def _groups(scores: Sequence[Scores]) -> tuple[list[_Group], str]:
    """The comparisons that a model can learn from, and why there are too few of them."""
    by_target: dict[tuple[tuple[str, ...], str], dict[str, tuple[Values, float]]] = {}
    for one in _single_sources(scores):
        for target, score in one.by_language.items():
            pair = pair_features(one.source, target)
            if all(pair[name] is not None for name in PAIR_FEATURES):
                by_target.setdefault((one.recipe, target), {})[one.source[0]] = pair, score
    groups = [
        _Group(
            target,
            list(own),
            _matrix([pair for pair, _ in own.values()]),
            np.array([score for _, score in own.values()]),
        )
        for (_, target), own in by_target.items()
        if len(own) >= LEAST_SOURCES
    ]
    targets = {group.target for group in groups}
    if not scores:
        return groups, "no runs were given"
    if len(targets) < LEAST_TARGETS or len({family_of(target) for target in targets}) < LEAST_FAMILIES:
        return groups, (
            f"a model needs runs from {LEAST_SOURCES} sources in {LEAST_TARGETS} targets of {LEAST_FAMILIES} families; "
            f"these hold {len({one.source for one in scores})} and {len(targets)}"
        )
    return groups, ""


def _single_sources(scores: Sequence[Scores]) -> list[Scores]:
    """The combinations of one source each; no two of one recipe may have the same.

    Raises:
        UserError: Two have.
    """
    found: dict[tuple[object, ...], Scores] = {}
    for one in scores:
        if len(one.source) == 1:
            twin = found.setdefault((*one.recipe, *one.source), one)
            if twin is not one:
                raise UserError(
                    f"{twin.run.path} and {one.run.path} were trained on {one.source[0]} with the same settings: to "
                    "rank sources, name the one that you mean"
                )
    return list(found.values())


def _without(family: str, groups: Sequence[_Group]) -> list[_Group]:
    """The groups whose targets are of other families."""
    return [group for group in groups if family_of(group.target) != family]


def _matrix(features: Sequence[Values]) -> Floats:
    return np.array([[own[name] for name in PAIR_FEATURES] for own in features], dtype=np.float64)


def _fit(groups: Sequence[_Group]) -> Any:
    x = np.concatenate([group.features - group.features.mean(axis=0) for group in groups])
    y = np.concatenate([group.scores - group.scores.mean() for group in groups])
    return ridge().fit(x, y)


def _measured(target: str, scores: Sequence[Scores]) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for one in scores:
        if len(one.source) == 1 and target in one.by_language:
            found.setdefault(one.source[0], []).append(one.by_language[target])
    return {source: float(np.mean(values)) for source, values in found.items()}


def _qualities(groups: Sequence[_Group]) -> dict[str, Quality]:
    """Judges the model, the distances and chance on the same targets; a target's family is never in the training."""
    orders: dict[str, list[tuple[Floats, list[int]]]] = {"model": [], "distances": []}
    chance: list[tuple[Floats, list[int]]] = []
    generator = np.random.default_rng(0)
    for family in dict.fromkeys(family_of(group.target) for group in groups):
        model = _fit(_without(family, groups))
        for group in (group for group in groups if family_of(group.target) == family):
            relevance = _relevance(group.scores)
            by_model = np.argsort(-model.predict(group.features), kind="stable")
            near = place_by_distance({code: pair_features([code], group.target) for code in group.sources})
            by_distance = np.argsort([near[code] for code in group.sources], kind="stable")
            orders["model"].append((relevance, by_model.tolist()))
            orders["distances"].append((relevance, by_distance.tolist()))
            shuffles = max(1, SHUFFLES // len(groups))
            chance += [(relevance, generator.permutation(len(relevance)).tolist()) for _ in range(shuffles)]
    return {way: _quality(own) for way, own in (orders | {"chance": chance}).items()}


def _quality(orders: Sequence[tuple[Floats, list[int]]]) -> Quality:
    best = [1 + order.index(int(np.argmax(relevance))) for relevance, order in orders]
    return Quality(float(np.mean([ndcg(*one) for one in orders])), float(np.mean(best)))


def _relevance(scores: Floats) -> Floats:
    from scipy.stats import rankdata

    relevance: Floats = np.maximum(0.0, MOST_RELEVANCE + 1 - rankdata(-scores, method="min"))
    return relevance
