"""Which features go with the scores: rank correlations, with intervals and a correction for the number of tests.

Languages are few and related. So intervals come from leaving out whole families (`intervals.py`), on the scale of
Fisher's z, and p from 10,000 permutations of the scores, corrected over all tests of the table by Holm's method
(Scandinavian Journal of Statistics 1979). A permutation takes languages for exchangeable, which relatives are not;
hence a star asks for both: a corrected p below 0.05 and an interval without 0.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from framework.reports.analyze.intervals import jackknife, without_each
from framework.results.statistics import CONFIDENCE

Floats = npt.NDArray[np.float64]

PERMUTATIONS = 10_000
LEAST_LANGUAGES = 5
"""With fewer languages no order of the scores is rare enough to mean anything."""
LARGEST_RHO = 1 - 1e-9
"""Fisher's z of 1 is infinite."""


@dataclass(frozen=True)
class Correlation:
    """A feature and a combination's scores, over the languages that have the feature."""

    combination: str
    feature: str
    languages: int
    rho: float | None
    """Spearman's; None where the languages are too few or the feature is the same in all."""
    low: float | None = None
    """End of the interval; None where the feature or the scores differ in one family only, and thus nothing is left
    without it."""
    high: float | None = None
    p: float = 1.0
    p_holm: float = 1.0

    @property
    def stands_out(self) -> bool:
        """Whether corrected p and interval both speak against no correlation."""
        excludes_zero = self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)
        return self.rho is not None and self.p_holm < 1 - CONFIDENCE and excludes_zero


def correlate(
    combination: str,
    feature: str,
    values: Mapping[str, float | None],
    scores: Mapping[str, float],
    families: Mapping[str, str],
) -> Correlation:
    """Correlates one feature with one combination's scores.

    Args:
        combination: Its label.
        feature: Its name.
        values: The feature by language; languages without it are left out.
        scores: The scores by language.
        families: Each language's family.
    """
    languages = [language for language in scores if values[language] is not None]
    x = np.array([values[language] for language in languages], dtype=np.float64)
    y = np.array([scores[language] for language in languages])
    if len(languages) < LEAST_LANGUAGES or np.ptp(x) == 0 or np.ptp(y) == 0:
        return Correlation(combination, feature, len(languages), None)
    one = np.ones((1, len(x)))
    rho = float(_weighted_spearman(x, y, one)[0])
    without = _weighted_spearman(x, y, without_each([families[language] for language in languages]))
    low, high = (None, None) if np.isnan(without).any() else _interval(rho, without)
    p = _permutation_p(_ranks(x, one)[0], _ranks(y, one)[0], rho)
    return Correlation(combination, feature, len(languages), rho, low, high, p)


def holm(correlations: Sequence[Correlation]) -> list[Correlation]:
    """Corrects p for the number of tests, in Holm's way."""
    tests = sorted((one.p, place) for place, one in enumerate(correlations) if one.rho is not None)
    corrected = list(correlations)
    largest = 0.0
    for rank, (p, place) in enumerate(tests):
        largest = max(largest, min(1.0, p * (len(tests) - rank)))
        corrected[place] = replace(correlations[place], p_holm=largest)
    return corrected


def _interval(rho: float, without: Floats) -> tuple[float, float]:
    estimate, *others = np.arctanh(np.clip([rho, *without], -LARGEST_RHO, LARGEST_RHO)).tolist()
    low, high = jackknife(estimate, np.array(others))
    return math.tanh(low), math.tanh(high)


def _weighted_spearman(x: Floats, y: Floats, weights: Floats) -> Floats:
    """Spearman's rho of data in which each point stands as often as a row of weights says, [resamples]."""
    a, b = (_ranks(values, weights) for values in (x, y))
    total = weights.sum(axis=1, keepdims=True)
    a, b = (ranks - (weights * ranks).sum(axis=1, keepdims=True) / total for ranks in (a, b))
    spread = np.sqrt((weights * a * a).sum(axis=1) * (weights * b * b).sum(axis=1))
    products: Floats = (weights * a * b).sum(axis=1)
    rho: Floats = np.divide(products, spread, out=np.full_like(spread, np.nan), where=spread > 1e-9)
    return rho


def _ranks(values: Floats, weights: Floats) -> Floats:
    """Mean ranks of points that stand several times, [resamples, points]."""
    below = (values[None, :] < values[:, None]).astype(np.float64)
    equal = (values[None, :] == values[:, None]).astype(np.float64)
    ranks: Floats = weights @ below.T + (weights @ equal.T + 1) / 2
    return ranks


def _permutation_p(x: Floats, y: Floats, rho: float) -> float:
    """Share of the permutations whose correlation is as large, whatever its sign."""
    x, y = x - x.mean(), y - y.mean()
    generator = np.random.default_rng(0)
    shuffled = generator.permuted(np.broadcast_to(y, (PERMUTATIONS, len(y))), axis=1)
    found = shuffled @ x / np.sqrt((x @ x) * (y @ y))
    # The order that was found is one of the possible ones: p is never 0 (Phipson and Smyth, 2010).
    return float((1 + (np.abs(found) >= abs(rho) - 1e-12).sum()) / (1 + PERMUTATIONS))
