"""Rank correlations of features and scores, with intervals and a correction for the number of tests.

Languages are few and related. So intervals come from leaving out whole families (`jackknife.py`), on the scale of
Fisher's z, and p from 10,000 permutations of the scores, corrected over all tests of the table by Holm's method
(Scandinavian Journal of Statistics 1979). A permutation assumes exchangeable languages, which relatives are not; so a
star requires both a corrected p below 0.05 and an interval that excludes 0.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from framework.reports.analyze.jackknife import jackknife, without_each
from framework.results.metrics.base import Floats
from framework.results.statistics import CONFIDENCE

PERMUTATIONS = 10_000
LEAST_LANGUAGES = 5
"""With fewer languages no order of the scores is rare enough to be significant."""
LARGEST_RHO = 1 - 1e-9
"""Fisher's z of 1 is infinite."""


@dataclass(frozen=True)
class Correlation:
    """The correlation of a feature with a combination's scores, over the languages that have the feature."""

    combination: str
    feature: str
    languages: int
    rho: float | None
    """Spearman's; None if the languages are too few, or the feature or the scores are constant."""
    low: float | None = None
    """End of the interval; None if the feature or the scores are constant without one of the families."""
    high: float | None = None
    p: float = 1.0
    p_holm: float = 1.0

    @property
    def significant(self) -> bool:
        """Whether both the corrected p and the interval exclude no correlation."""
        excludes_zero = self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)
        return self.rho is not None and self.p_holm < 1 - CONFIDENCE and excludes_zero


def correlate(
    combination: str,
    feature: str,
    values: Mapping[str, float | None],
    scores: Mapping[str, float],
    families: Mapping[str, str],
) -> Correlation:
    """Correlates a feature with a combination's scores, both by language; leaves out languages without the feature."""
    languages = [language for language in scores if values[language] is not None]
    x = np.array([values[language] for language in languages], dtype=np.float64)
    y = np.array([scores[language] for language in languages])
    if len(languages) < LEAST_LANGUAGES or np.ptp(x) == 0 or np.ptp(y) == 0:
        return Correlation(combination, feature, len(languages), None)
    rho = _spearman(x, y)
    without = np.array([_spearman(x[kept], y[kept]) for kept in without_each([families[one] for one in languages])])
    low, high = (None, None) if np.isnan(without).any() else _interval(rho, without)
    return Correlation(combination, feature, len(languages), rho, low, high, _permutation_p(x, y, rho))


def holm(correlations: Sequence[Correlation]) -> list[Correlation]:
    """Corrects p for the number of tests by Holm's method."""
    tests = sorted((one.p, index) for index, one in enumerate(correlations) if one.rho is not None)
    corrected = list(correlations)
    largest = 0.0
    for rank, (p, index) in enumerate(tests):
        largest = max(largest, min(1.0, p * (len(tests) - rank)))
        corrected[index] = replace(correlations[index], p_holm=largest)
    return corrected


def _interval(rho: float, without: Floats) -> tuple[float, float]:
    estimate, *others = np.arctanh(np.clip([rho, *without], -LARGEST_RHO, LARGEST_RHO)).tolist()
    low, high = jackknife(estimate, np.array(others))
    return math.tanh(low), math.tanh(high)


def _spearman(x: Floats, y: Floats) -> float:
    """Returns Spearman's rho; NaN if one of the two is constant."""
    from scipy.stats import spearmanr  # slow to import

    return float("nan") if np.ptp(x) == 0 or np.ptp(y) == 0 else float(spearmanr(x, y).statistic)


def _permutation_p(x: Floats, y: Floats, rho: float) -> float:
    """Returns the share of the permutations whose absolute rank correlation is as large."""
    from scipy.stats import rankdata

    x, y = (ranks - ranks.mean() for ranks in (rankdata(x), rankdata(y)))
    generator = np.random.default_rng(0)
    shuffled = generator.permuted(np.broadcast_to(y, (PERMUTATIONS, len(y))), axis=1)
    found = shuffled @ x / np.sqrt((x @ x) * (y @ y))
    # The observed order is one of the possible ones, so p is never 0 (Phipson and Smyth, 2010).
    return float((1 + (np.abs(found) >= abs(rho) - 1e-12).sum()) / (1 + PERMUTATIONS))
