"""The notes under the tables of an analysis: how to read them, and what is missing."""

from collections.abc import Iterator, Sequence
from statistics import fmean

from framework.reports.analyze.correlations import LEAST_LANGUAGES, PERMUTATIONS, Correlation
from framework.reports.analyze.features import FEATURES, Features
from framework.reports.analyze.jackknife import LEAST_FAMILIES
from framework.reports.analyze.regression import Refusal, Regression
from framework.reports.analyze.scores import Scores
from framework.reports.compare.layout import MISSING, number

Scored = Sequence[tuple[Scores, Features]]

NAMED = 12
FEW_A_FEATURE = 10
"""With fewer languages per feature, the coefficients of a regression are unreliable."""


def about(
    scored: Scored, correlations: Sequence[Correlation], regressions: Sequence[Regression | Refusal]
) -> Iterator[str]:
    """Yields the notes on features, correlations and regressions."""
    yield from _about_correlations(scored, correlations)
    yield from _about_features(scored)
    yield from _about_regressions(scored, regressions)


def _about_correlations(scored: Scored, correlations: Sequence[Correlation]) -> Iterator[str]:
    tests = [one for one in correlations if one.rho is not None]
    units = _left_out(scored)
    if not tests:
        yield "No correlations: too few languages, or no feature and score differ between them."
        return
    yield (
        "Correlations: Spearman's rho over the n languages that have the feature; [95 % interval]: jackknife, "
        f"leaving out {units}, Student's t on Fisher's z. *: the interval excludes 0, and p, by {PERMUTATIONS:,} "
        f"permutations and corrected for {len(tests)} tests (Holm), is below 0.05. {MISSING}: fewer than "
        f"{LEAST_LANGUAGES} languages, or the same in all."
    )
    lonely = dict.fromkeys(one.feature for one in tests if one.low is None)
    if lonely:
        yield f"Without an interval, and thus without a star, for they differ in one family only: {', '.join(lonely)}."
    yield "Correlations are no causes: near languages also share a script, words, and text that the backbone has read."


def _about_features(scored: Scored) -> Iterator[str]:
    yield from dict.fromkeys(note for _, features in scored for note in features.notes)
    missing: dict[str, str] = {}
    for _, features in scored:
        by_language = features.by_language
        for name in FEATURES:
            without = [code for code, own in by_language.items() if own[name] is None]
            if 0 < len(without) < len(by_language):
                missing.setdefault(name, f"{name} of {len(without)} ({some(without)})")
    if missing:
        yield f"Not known, and left out, never filled in: {'; '.join(missing.values())}."


def _about_regressions(scored: Scored, regressions: Sequence[Regression | Refusal]) -> Iterator[str]:
    units = _left_out(scored)
    if any(isinstance(one, Regression) for one in regressions):
        yield (
            "Regression: ridge on standardised features. Unseen families: each predicted by the others, for a relative "
            "in the training would give a language away; unseen languages: each by all others. R²: 0 is what the mean "
            "of all would reach, if it were known. error: mean absolute error. Coefficients: change of the score by "
            "one standard deviation of a feature, the others as they are; [95 % interval]: "
            f"jackknife, leaving out {units}, at the same penalty."
        )
    for (one, _), result in zip(scored, regressions, strict=True):
        if isinstance(result, Refusal):
            yield f"No regression of {one.label}, correlations only: {result.reason}."
            continue
        chosen = result.selection
        if chosen.left_out:
            left_out = list(chosen.left_out)
            means = [fmean(one.by_language[code] for code in codes) for codes in (left_out, chosen.languages)]
            yield (
                f"Not in the regression of {one.label}, a feature is missing: {len(left_out)} ({some(left_out)}); "
                f"their mean score is {number(means[0])}, that of the others {number(means[1])}."
            )
        if chosen.unused:
            listed = "; ".join(f"{name} ({reason})" for name, reason in chosen.unused.items())
            yield f"Not used in the regression of {one.label}: {listed}."
        if len(chosen.languages) < FEW_A_FEATURE * len(chosen.features):
            yield (
                f"{one.label}: {len(chosen.languages)} languages for {len(chosen.features)} features are few; read its "
                "coefficients with care."
            )
        if result.r2 <= 0:
            yield f"{one.label}: the features predict unseen families no better than the mean; no coefficient counts."


def _left_out(scored: Scored) -> str:
    """Returns what the jackknife of the intervals leaves out."""
    enough = min(features.families for _, features in scored) >= LEAST_FAMILIES
    return "a family" if enough else f"a family (a language, where there are fewer than {LEAST_FAMILIES} families)"


def some(codes: Sequence[str]) -> str:
    """Lists the first languages, and the number of the others; the CSV has all."""
    shown = ", ".join(codes[:NAMED])
    return shown if len(codes) <= NAMED else f"{shown} and {len(codes) - NAMED} more, see features.csv"
