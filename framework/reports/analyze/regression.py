"""A ridge regression of scores on features, evaluated on unseen families.

Related languages are similar in features and scores: with German, Dutch and Danish in the training, predicting English
explains nothing. So R² is that of predictions for whole families left out one at a time; the R² for single languages
left out is given too, and is higher where relatives leak.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from framework.reports.analyze.features import REGRESSION, Values
from framework.reports.analyze.jackknife import jackknife, without_each
from framework.results.metrics.base import Floats

LEAST_LANGUAGES = 10
LEAST_FAMILIES = 3
MOST_WITHOUT = 0.2
"""A feature that a larger share of the languages lacks is not used, because these languages would be left out."""
ALPHAS = tuple(10.0 ** (exponent / 2) for exponent in range(-6, 7))
"""Strengths of the penalty, 0.001 to 1000; chosen by leave-one-out within the training languages."""


@dataclass(frozen=True)
class Selection:
    """The languages and features of a regression."""

    features: list[str]
    languages: list[str]
    left_out: dict[str, list[str]]
    """Languages that lack a feature, with what they lack."""
    unused: dict[str, str]
    """Features that are not used, with the reason."""


@dataclass(frozen=True)
class Regression:
    """The regression of one combination's scores."""

    combination: str
    selection: Selection
    families: int
    r2: float
    """R² for families left out."""
    r2_of_mean: float
    """R² if each family is predicted by the mean of the others; 0 at best."""
    r2_languages: float
    """R² for single languages left out."""
    error: float
    """Mean absolute error for families left out."""
    error_of_mean: float
    """Mean absolute error if each family is predicted by the mean of the others."""
    coefficients: dict[str, tuple[float, float, float]]
    """By feature: change of the score by one standard deviation of the feature, with an interval over families."""


@dataclass(frozen=True)
class Refusal:
    """Why there is no regression of a combination's scores."""

    reason: str


def select(by_language: Mapping[str, Values]) -> Selection:
    """Selects the features that most languages have, and the languages that have all of these."""
    unused = {}
    features = []
    for feature in REGRESSION:
        values = [own[feature] for own in by_language.values()]
        if values.count(None) > MOST_WITHOUT * len(values):
            unused[feature] = f"{values.count(None)} of {len(values)} languages lack it"
        elif len(set(values) - {None}) < 2:
            unused[feature] = "the same in all languages"
        else:
            features.append(feature)
    lacking = {code: [name for name in features if own[name] is None] for code, own in by_language.items()}
    left_out = {code: names for code, names in lacking.items() if names}
    return Selection(features, [code for code in by_language if code not in left_out], left_out, unused)


def regress(
    combination: str, scores: Mapping[str, float], by_language: Mapping[str, Values], families: Mapping[str, str]
) -> Regression | Refusal:
    """Fits a combination's scores by features; scores, features and families are by language."""
    from sklearn.metrics import r2_score

    chosen = select(by_language)
    groups = [families[language] for language in chosen.languages]
    if reason := _too_few(chosen, len(set(groups))):
        return Refusal(reason)
    x = np.array([[by_language[code][name] for name in chosen.features] for code in chosen.languages], dtype=np.float64)
    y = np.array([scores[language] for language in chosen.languages])
    predicted, mean = held_out(x, y, groups)
    languages, _ = held_out(x, y, chosen.languages)
    r2, r2_of_mean, r2_languages = (float(r2_score(y, found)) for found in (predicted, mean, languages))
    return Regression(
        combination,
        selection=chosen,
        families=len(set(groups)),
        r2=r2,
        r2_of_mean=r2_of_mean,
        r2_languages=r2_languages,
        error=float(np.abs(y - predicted).mean()),
        error_of_mean=float(np.abs(y - mean).mean()),
        coefficients=_coefficients(x, y, groups, chosen.features),
    )


def ridge() -> Any:
    """Returns a ridge regression on standardised features that chooses its penalty itself."""
    from sklearn.linear_model import RidgeCV  # slow to import
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), RidgeCV(alphas=ALPHAS))


def held_out(x: Floats, y: Floats, groups: Sequence[str]) -> tuple[Floats, Floats]:
    """Predicts each group from the others: by the features, and by the mean."""
    from sklearn.dummy import DummyRegressor
    from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict

    by_features, by_mean = (
        cross_val_predict(model, x, y, groups=groups, cv=LeaveOneGroupOut()) for model in (ridge(), DummyRegressor())
    )
    return by_features, by_mean


def _too_few(chosen: Selection, families: int) -> str | None:
    if not chosen.features:
        return "no feature differs between the languages and is known of most of them"
    if len(chosen.languages) < LEAST_LANGUAGES:
        return (
            f"{len(chosen.languages)} languages have all features, and a regression that can be checked on others "
            f"needs {LEAST_LANGUAGES}"
        )
    if families < LEAST_FAMILIES:
        return f"the languages are of {families} families, and leaving one out whole needs {LEAST_FAMILIES}"
    return None


def _coefficients(
    x: Floats, y: Floats, groups: Sequence[str], features: Sequence[str]
) -> dict[str, tuple[float, float, float]]:
    """Returns standardised coefficients of all languages, with intervals over families at the same penalty."""
    from sklearn.linear_model import Ridge

    model = ridge().fit(x, y)
    scaled, same = model[0].transform(x), Ridge(alpha=float(model[-1].alpha_))
    without = np.array([same.fit(scaled[kept], y[kept]).coef_ for kept in without_each(groups)])
    found = zip(features, model[-1].coef_.tolist(), without.T, strict=True)
    return {name: (value, *jackknife(value, others)) for name, value, others in found}
