"""Ranks source languages for a target, by a model fitted on runs or by distances alone.

As in LangRank (Lin et al., ACL 2019), runs with several source languages show which sources suit which targets. Here
a ridge regression predicts how much better or worse than the other sources a source is for a target, from their
distances and whether they share a script. It is evaluated by NDCG@3 on targets of unseen families.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from framework.errors import UserError
from framework.reports.analyze.features import SAME_SCRIPT, Values, family_of, pair_features
from framework.reports.analyze.regression import ridge
from framework.reports.analyze.scores import Scores
from framework.results.metrics.base import Floats

RANKED_DISTANCES = ("geographic", "genetic", "featural")
"""Candidates are ranked by these; the other distances are parts of the featural one, and many languages lack them."""
PAIR_FEATURES = (*RANKED_DISTANCES, SAME_SCRIPT)
"""Features of the regression."""
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
    """Mean over `RANKED_DISTANCES` of its rank among the candidates, from 0 (nearest) to 1."""
    predicted: float | None = None
    """Predicted score minus that of the mean candidate; None without a model."""
    measured: float | None = None
    """Its score in the target, mean over combinations; None if there is no such run."""


@dataclass(frozen=True)
class Quality:
    """The quality of a ranking on targets of unseen families."""

    ndcg: float
    """NDCG@3, mean over targets (and combinations): 1 is the true order."""
    best_at: float
    """Mean rank of the truly best source; 1 is the first."""


@dataclass(frozen=True)
class Ranking:
    """The candidates, best first."""

    target: str
    candidates: list[Candidate]
    left_out: dict[str, list[str]]
    """Candidates that cannot be ranked, with the distances that are unknown."""
    method: str
    """The basis of the ranking, in a sentence."""
    qualities: dict[str, Quality]
    """Held-out quality by method: `model`, `distances`, `chance`. Empty without a model."""


@dataclass(frozen=True)
class _Group:
    """The sources of one combination for one target, which are compared with each other."""

    target: str
    sources: list[str]
    features: Floats
    """[sources, features]."""
    scores: Floats


def rank_sources(target: str, candidates: Sequence[str], scores: Sequence[Scores]) -> Ranking:
    """Ranks candidate source languages (FLORES codes) for a target; without scores, by distances.

    Raises:
        UserError: Two combinations have the same source and settings.
    """
    features = {code: pair_features([code], target) for code in candidates}
    lacking = {code: [name for name in PAIR_FEATURES if own[name] is None] for code, own in features.items()}
    left_out = {code: names for code, names in lacking.items() if names}
    known = {code: own for code, own in features.items() if code not in left_out}
    ranks = rank_by_distance(known)
    measured = _measured(target, scores)
    listed = [Candidate(code, own, ranks[code], measured=measured.get(code)) for code, own in known.items()]
    groups, reason = _groups(scores)
    if reason or not listed:
        listed.sort(key=lambda one: one.distance)
        return Ranking(target, listed, left_out, f"by distances: {reason}", {})
    # Fitted without the scores of the target and its relatives, which "predicted" must not know.
    others = _without(family_of(target), groups)
    predicted = _fit(others).predict(_matrix(list(known.values())))
    # The model predicts only differences between candidates.
    differences = (predicted - predicted.mean()).tolist()
    listed = [replace(one, predicted=value) for one, value in zip(listed, differences, strict=True)]
    listed.sort(key=lambda one: -(one.predicted or 0.0))
    sources = {code for group in others for code in group.sources}
    targets = {group.target for group in others}
    method = f"by a model fitted on {len(sources)} sources × {len(targets)} targets, none of them of its family"
    return Ranking(target, listed, left_out, method, _qualities(groups))


def rank_by_distance(features: Mapping[str, Values]) -> dict[str, float]:
    """Returns the mean rank of each language over the distances, from 0 (nearest) to 1 (farthest)."""
    from scipy.stats import rankdata

    measured = [[own[kind] for kind in RANKED_DISTANCES] for own in features.values()]
    ranks = (rankdata(measured, axis=0) - 1) / max(1, len(measured) - 1) if measured else np.zeros((0, 1))
    return dict(zip(features, ranks.mean(axis=1).tolist(), strict=True))


def ndcg(relevance: Sequence[Floats], orders: Sequence[Sequence[int]]) -> float:
    """Returns the mean NDCG@3 of rankings of equally many sources, with the gains 2^relevance - 1.

    Args:
        relevance: Of each ranking, the relevance of its sources.
        orders: Of each ranking, the indices of its sources, best first.
    """
    from sklearn.metrics import ndcg_score

    return float(ndcg_score(2.0 ** np.array(relevance) - 1, -np.argsort(orders, axis=1), k=TOP))


def _groups(scores: Sequence[Scores]) -> tuple[list[_Group], str]:
    """Returns the groups to fit a model on, and why there are too few of them."""
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
    """Returns the combinations with one source; `UserError` if two of one recipe have the same source."""
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
    """Returns the groups whose targets are of other families."""
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
    """Evaluates the model, the distances and chance on the same targets, always of unseen families."""
    orders: dict[str, list[tuple[Floats, list[int]]]] = {"model": [], "distances": [], "chance": []}
    generator = np.random.default_rng(0)
    for family in dict.fromkeys(family_of(group.target) for group in groups):
        model = _fit(_without(family, groups))
        for group in (group for group in groups if family_of(group.target) == family):
            relevance = _relevance(group.scores)
            by_model = np.argsort(-model.predict(group.features), kind="stable")
            near = rank_by_distance({code: pair_features([code], group.target) for code in group.sources})
            by_distance = np.argsort([near[code] for code in group.sources], kind="stable")
            orders["model"].append((relevance, by_model.tolist()))
            orders["distances"].append((relevance, by_distance.tolist()))
            shuffles = max(1, SHUFFLES // len(groups))
            orders["chance"] += [(relevance, generator.permutation(len(relevance)).tolist()) for _ in range(shuffles)]
    return {method: _quality(own) for method, own in orders.items()}


def _quality(orders: Sequence[tuple[Floats, list[int]]]) -> Quality:
    best = [1 + order.index(int(np.argmax(relevance))) for relevance, order in orders]
    by_length: dict[int, list[tuple[Floats, list[int]]]] = {}
    for one in orders:
        by_length.setdefault(len(one[1]), []).append(one)
    scores = [ndcg(*zip(*alike, strict=True)) for alike in by_length.values()]
    return Quality(float(np.average(scores, weights=list(map(len, by_length.values())))), float(np.mean(best)))


def _relevance(scores: Floats) -> Floats:
    from scipy.stats import rankdata

    relevance: Floats = np.maximum(0.0, MOST_RELEVANCE + 1 - rankdata(-scores, method="min"))
    return relevance
