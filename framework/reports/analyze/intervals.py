"""Intervals where languages are related: a jackknife that leaves out one family at a time.

Relatives are no independent observations, and families are few and of very different sizes. There the percentiles of
a bootstrap over families lie askew, and BCa, which should set them right, was tried and covers far too little. A
jackknife over families with Student's t of families - 1 degrees of freedom holds the truth about as often as it says,
which a test measures, and has the estimate within it (Tukey 1958; MacKinnon, Nielsen and Webb, Journal of Econometrics
2023: CV3).
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from framework.results.statistics import CONFIDENCE

Floats = npt.NDArray[np.float64]

LEAST_FAMILIES = 5
"""With fewer families, languages are left out instead."""


def without_each(families: Sequence[str]) -> Floats:
    """Which languages are left when one family after another is left out (one language, where families are few).

    Args:
        families: Each language's family.

    Returns:
        [times, languages], 0 or 1.
    """
    names = list(dict.fromkeys(families))
    several = len(names) >= LEAST_FAMILIES
    groups = np.array([names.index(family) for family in families] if several else range(len(families)))
    left: Floats = np.not_equal(groups, np.arange(groups.max() + 1)[:, None]).astype(np.float64)
    return left


def jackknife(estimate: float, without: Floats) -> tuple[float, float]:
    """Returns the 95 % interval of an estimate.

    Args:
        estimate: Of everything.
        without: The same estimate with each part left out, [times].
    """
    from scipy.stats import t

    times = len(without)
    error = math.sqrt((times - 1) / times * float(((without - estimate) ** 2).sum()))
    reach = float(t.ppf((1 + CONFIDENCE) / 2, times - 1)) * error
    return estimate - reach, estimate + reach
