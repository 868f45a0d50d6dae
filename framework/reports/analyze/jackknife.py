"""Intervals for related languages: a jackknife that leaves out one family at a time.

Related languages are not independent observations, and families are few and of very different sizes. The percentiles of
a bootstrap over families are biased then, and the coverage of BCa, which should correct this, is far too low. The
jackknife over families with Student's t of families - 1 degrees of freedom has about the nominal coverage, which a test
measures, and contains the estimate (Tukey 1958; MacKinnon, Nielsen and Webb, Journal of Econometrics 2023: CV3).
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from framework.results.metrics.base import Floats
from framework.results.statistics import CONFIDENCE

LEAST_FAMILIES = 5
"""With fewer families, languages are left out instead."""


def without_each(families: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Returns which languages, whose families are given, remain without each family, [times, languages].

    If families are few, each language is left out instead.
    """
    names = list(dict.fromkeys(families))
    several = len(names) >= LEAST_FAMILIES
    groups = np.array([names.index(family) for family in families] if several else range(len(families)))
    remaining: npt.NDArray[np.bool_] = np.not_equal(groups, np.arange(groups.max() + 1)[:, None])
    return remaining


def jackknife(estimate: float, without: Floats) -> tuple[float, float]:
    """Returns the 95 % interval of an estimate, given the estimates without each group, [times]."""
    from scipy.stats import t

    times = len(without)
    error = math.sqrt((times - 1) / times * float(((without - estimate) ** 2).sum()))
    reach = float(t.ppf((1 + CONFIDENCE) / 2, times - 1)) * error
    return estimate - reach, estimate + reach
