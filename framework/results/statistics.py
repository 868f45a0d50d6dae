"""Confidence intervals and paired tests: spread over seeds, intervals, paired differences.

A score varies for two reasons: another sample of test examples would give another figure, and so would another
training. The seeds' scores tell the second, resamples of the test set the first (the bootstrap: Efron and Tibshirani,
An Introduction to the Bootstrap, 1993; for the test sets of language processing: Berg-Kirkpatrick, Burkett and Klein,
EMNLP 2012). The variance of a mean over n seeds is, as that of a mean over n readers of the same cases (Obuchowski and
Rockette, Communications in Statistics - Simulation and Computation 24, 1995),

    s²/n + c

with s the standard deviation of the seeds' scores (n - 1 in the divisor), and c the covariance of two seeds' scores
over the resamples: what a hard test set does to all seeds alike. What it does to each in its own way is in s already.

An interval is the mean ± √(t² s²/n + z² c), with the quantiles t of Student's distribution with n - 1 degrees of
freedom and z of the normal one. It covers the truth at least as often as it says, whatever the proportion of the parts
(Banerjee, Sankhyā 22, 1960), and exactly as often where one part is all: the square of a normal variable has a concave
distribution function, so a mixture of parts errs no more often than each alone. With few seeds it is wide, for few
seeds know little of the spread over trainings: t is 12.7 with two, 4.3 with three, 2.8 with five. It is never narrower
than ± z standard errors of the bootstrap of these very trainings: on few examples, seeds have the same score by chance
now and then, and an s of 0 would make anything certain. The p of a difference is the least level whose interval does
not hold 0.

With one seed nothing is known of other trainings: the interval, ± z standard errors of the bootstrap, is about that
training only, and a difference has no p.

Three things are kept as they are in reality:

- Where languages share a test set (the same ids with the same gold labels, as SIB-200's translations of one
  set of sentences; or the same ids in a dataset that says that it is parallel, as XQuAD's, whose gold is in each
  language's own words), a draw takes the same examples in each of them. A hard sentence is hard in all languages,
  so drawing for each apart would make their average look surer than it is.
- A seed is one training, tested in all languages: the spread of an average is that of the seeds' averages.
- Two combinations are compared on the same draws of examples, and seed by seed where they have the same ones, so
  what they have in common cancels in their difference. Where they have not, the seeds of each are a part of their own.

Whether a combination differs is asked of many at once, and of 200 tests at 5 % ten come out by chance. The p values of
a family of tests are corrected together by Benjamini and Hochberg's step-up procedure (JRSS B, 1995), which bounds the
expected share of false ones among the stars (it holds where tests depend on each other positively, as those of
languages do that share seeds and examples).
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from framework.errors import UserError
from framework.results.metrics import Metric

Floats = npt.NDArray[np.float64]
Weights = npt.NDArray[np.float32]

RESAMPLES = 1000
CONFIDENCE = 0.95


def mean_and_spread(values: Sequence[float]) -> tuple[float, float | None]:
    """Returns the mean and the standard deviation over seeds (n - 1 in the divisor; None for one seed)."""
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return float(np.mean(values)), spread


class TestSet:
    """The examples of one language: their ids and gold answers.

    Two languages whose test sets have the same `key` have parallel test sets.
    """

    __test__ = False  # the name is ours; pytest need not collect it

    def __init__(self, language: str, ids: Sequence[str], gold: Sequence[str], *, parallel: bool = False) -> None:
        """Takes the examples, sorted by id.

        Args:
            language: FLORES code.
            ids: The examples' ids, sorted.
            gold: The right answer of each.
            parallel: Whether the ids alone tell parallel examples: the dataset says that examples of the same id are
                translations, and its gold is in each language's own words. Else gold must be the same too, for ids
                are often mere numbers of rows.
        """
        self.language = language
        self.gold = list(gold)
        self.size = len(ids)
        digest = hashlib.sha256()
        for example in zip(ids) if parallel else zip(ids, gold, strict=True):
            digest.update(repr(example).encode())
        self.key = digest.hexdigest()


class Outcome:
    """What one combination predicted in one language, with each of its seeds."""

    def __init__(self, test_set: TestSet, predicted: Mapping[int, Sequence[str]]) -> None:
        """Takes for each seed the predicted answers, in the order of the test set."""
        self.test_set = test_set
        self.predicted = predicted
        self._counted: dict[tuple[Metric, int], Weights] = {}

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds, sorted."""
        return tuple(sorted(self.predicted))

    def statistics(self, metric: Metric, seed: int) -> Weights:
        """What each example contributes to a metric, [statistics, examples]; counted once."""
        if (metric, seed) not in self._counted:
            found = metric.statistics(self.test_set.gold, self.predicted[seed], self.test_set.language)
            self._counted[metric, seed] = found.astype(np.float32)
        return self._counted[metric, seed]


Row = Mapping[str, Outcome]
"""One combination's outcome in each language; the same seeds in each."""


@dataclass(frozen=True)
class Part:
    """A part of the variance of a score."""

    variance: float
    freedom: float
    """The degrees of freedom of its estimate; infinite for that of a bootstrap."""


@dataclass(frozen=True)
class Estimate:
    """A score, and the variance of its estimate."""

    mean: float
    these: Part
    """The variance over test sets, with these very trainings."""
    others: tuple[Part, ...]
    """The parts of the variance over test sets and trainings; none where all seeds are single ones."""

    @classmethod
    def sum_of(cls, sides: Sequence[tuple[Floats, Floats]]) -> "Estimate":
        """Adds the means over seeds.

        Args:
            sides: Of each set of seeds the scores, [seeds], and the same on each resample, [seeds, resamples].
        """
        variance = float(np.var(sum(draws.mean(axis=0) for _, draws in sides), ddof=1))
        shared = variance
        others: list[Part] = []
        for scores, draws in sides:
            seeds = len(scores)
            if seeds > 1:
                others.append(Part(float(np.var(scores, ddof=1)) / seeds, seeds - 1))
                # What the examples do to each seed in its own way is in the spread over seeds already.
                shared -= float(np.var(draws - draws.mean(axis=0), axis=1, ddof=1).sum()) / (seeds - 1) / seeds
        if others:
            others.append(Part(max(shared, 0.0), math.inf))
        return cls(sum(float(scores.mean()) for scores, _ in sides), Part(variance, math.inf), tuple(others))

    def interval(self, level: float, least: float, most: float) -> tuple[float, float]:
        """Returns the ends of the interval that misses the truth so often at most, within the range of what is told."""
        half = max(half_width([self.these], level), half_width(self.others, level))
        return max(self.mean - half, least), min(self.mean + half, most)

    @property
    def p(self) -> float:
        """The least level whose interval does not hold 0."""
        return max(two_sided(self.mean, [self.these]), two_sided(self.mean, self.others))


@dataclass(frozen=True)
class MacroAverage:
    """A metric's mean over languages (of the means over seeds), with its interval."""

    mean: float
    low: float
    high: float
    languages: int
    test_sets: int
    """How many different test sets the languages have: 1 if all are parallel."""
    seeds: tuple[int, ...]

    @property
    def resampling(self) -> Literal["parallel", "per language", "mixed"]:
        """Whether a draw takes the same examples in all languages, others in each, or the same in some."""
        if self.test_sets == 1:
            return "parallel"
        return "per language" if self.test_sets == self.languages else "mixed"


@dataclass(frozen=True)
class Difference:
    """How much a combination's macro average exceeds a baseline's, on the same examples."""

    mean: float
    low: float
    high: float
    p: float | None
    """Two-sided, not corrected; None where one of the two has one seed, which cannot tell."""
    seeds_paired: bool
    """Whether both have the same seeds, so that they were compared seed by seed."""


@dataclass(frozen=True)
class Resampled:
    """A metric of one combination in each language, on its test sets and on resamples of them.

    Averages over any of the languages, and differences to another combination's, follow from it.
    """

    test_sets: dict[str, TestSet]
    """By language."""
    seeds: tuple[int, ...]
    scores: dict[str, Floats]
    """By language, [seeds]."""
    draws: dict[str, Floats]
    """By language, the same on each resample, [seeds, resamples]."""
    confidence: float
    """How often an interval holds the truth."""
    least: float
    """The metric's lowest score; its highest is 1."""

    def average(self, languages: Sequence[str]) -> MacroAverage:
        """Averages over some of the languages, at least one."""
        estimate = Estimate.sum_of([self._over(languages)])
        low, high = estimate.interval(1 - self.confidence, self.least, 1.0)
        return MacroAverage(
            mean=estimate.mean,
            low=low,
            high=high,
            languages=len(languages),
            test_sets=len({self.test_sets[language].key for language in languages}),
            seeds=self.seeds,
        )

    def difference(self, baseline: "Resampled", languages: Sequence[str]) -> Difference:
        """Compares the averages over some languages on the same draws.

        Raises:
            ValueError: If the baseline was not tested in them, or on other examples.
        """
        for language in languages:
            if language not in baseline.test_sets:
                raise ValueError("the two combinations were not tested in the same languages")
            own, other = self.test_sets[language], baseline.test_sets[language]
            if (own.key, own.gold) != (other.key, other.gold):
                raise ValueError(f"the two combinations were tested on different examples of {language}")
        (scores, draws), (their_scores, their_draws) = self._over(languages), baseline._over(languages)
        paired = self.seeds == baseline.seeds
        sides = (
            [(scores - their_scores, draws - their_draws)]
            if paired
            else [(scores, draws), (-their_scores, -their_draws)]
        )
        estimate = Estimate.sum_of(sides)
        low, high = estimate.interval(1 - self.confidence, self.least - 1, 1 - self.least)
        several = min(len(self.seeds), len(baseline.seeds)) > 1
        return Difference(
            mean=estimate.mean,
            low=low,
            high=high,
            p=estimate.p if several else None,
            seeds_paired=paired,
        )

    def _over(self, languages: Sequence[str]) -> tuple[Floats, Floats]:
        """Each seed's mean over languages, [seeds], and the same on each resample, [seeds, resamples]."""
        scores, draws = (
            np.asarray(np.mean([found[language] for language in languages], axis=0))
            for found in (self.scores, self.draws)
        )
        return scores, draws


class Bootstrap:
    """Draws resamples and computes metrics on them.

    What is drawn depends only on the bootstrap's seed and on the test set, not on the order of the questions. That
    is what pairs the draws of two combinations, and what makes the printed intervals the same each time.
    """

    def __init__(self, resamples: int = RESAMPLES, confidence: float = CONFIDENCE, seed: int = 0) -> None:
        """Sets the number of resamples, how often an interval is to hold the truth, and the seed of the draws."""
        self.resamples = resamples
        self.confidence = confidence
        self.seed = seed
        self._drawn: dict[str, npt.NDArray[np.uint16]] = {}

    def macro_average(self, row: Row, metric: Metric) -> MacroAverage:
        """Averages a metric over languages, with an interval.

        Args:
            row: The combination's outcomes; at least one language.
            metric: The metric.

        Raises:
            ValueError: If the row is empty, or its languages have different seeds.
        """
        return self.resampled(row, metric).average(list(row))

    def difference(self, row: Row, baseline: Row, metric: Metric) -> Difference:
        """Compares two combinations on the same draws.

        Args:
            row: One combination's outcomes.
            baseline: The other's, in the same languages and on the same examples.
            metric: The metric.

        Raises:
            ValueError: If the languages or the examples of the two are not the same.
        """
        if row.keys() != baseline.keys():
            raise ValueError("the two combinations were not tested in the same languages")
        return self.resampled(row, metric).difference(self.resampled(baseline, metric), list(row))

    def resampled(self, row: Row, metric: Metric) -> Resampled:
        """Computes a metric in each language, on its test set and on each resample.

        Args:
            row: The combination's outcomes; at least one language.
            metric: The metric.

        Raises:
            ValueError: If the row is empty, or its languages have different seeds.
            UserError: If the metric has no score on some resample.
        """
        seeds = _seeds(row)
        scores: dict[str, Floats] = {}
        draws: dict[str, Floats] = {}
        for languages in _by_test_set(row):
            outcomes = [row[language] for language in languages]
            test_set = outcomes[0].test_set
            weights = self._draws(test_set).astype(np.float32)
            everything_once = np.ones((1, test_set.size), np.float32)
            # The test set itself goes along as one weighting more.
            found = scores_under_weights(outcomes, seeds, np.concatenate([everything_once, weights]), metric)
            if not np.isfinite(found).all():
                raise UserError(
                    f"metric {metric.name}: no score on some resamples of {', '.join(languages)}, so that there is no "
                    "interval; its `value` must give a number for any sums, also where a resample lacks a label"
                )
            for place, language in enumerate(languages):
                scores[language], draws[language] = found[0, place], found[1:, place].T
        test_sets = {language: outcome.test_set for language, outcome in row.items()}
        return Resampled(test_sets, seeds, scores, draws, self.confidence, metric.least)

    def _draws(self, test_set: TestSet) -> npt.NDArray[np.uint16]:
        """How often each example is drawn in each resample of as many draws, [resamples, examples]."""
        key, size = test_set.key, test_set.size
        if key not in self._drawn:
            entropy = hashlib.sha256(f"{self.seed} examples {key}".encode()).digest()
            generator = np.random.default_rng(np.frombuffer(entropy, dtype=np.uint32))
            drawn = generator.integers(size, size=(self.resamples, size))
            cells = drawn + size * np.arange(self.resamples)[:, None]
            counts = np.bincount(cells.ravel(), minlength=self.resamples * size)
            # Counts are kept for all languages at once, hence small; none comes near 65,535.
            self._drawn[key] = counts.reshape(self.resamples, size).astype(np.uint16)
        return self._drawn[key]


def _seeds(row: Row) -> tuple[int, ...]:
    found = {outcome.seeds for outcome in row.values()}
    if not found:
        raise ValueError("there are no languages to average over")
    if len(found) > 1:
        raise ValueError("the languages were not all tested with the same seeds")
    return found.pop()


def _by_test_set(row: Row) -> list[list[str]]:
    """The languages that share a test set, together."""
    groups: dict[str, list[str]] = {}
    for language, outcome in row.items():
        groups.setdefault(outcome.test_set.key, []).append(language)
    return list(groups.values())


def half_width(parts: Sequence[Part], level: float) -> float:
    """Returns half the width of an interval that misses the truth so often at most (Banerjee, 1960)."""
    from scipy.special import stdtrit  # here, for it takes its time to load

    return math.sqrt(sum(float(stdtrit(part.freedom, level / 2)) ** 2 * part.variance for part in parts))


def two_sided(mean: float, parts: Sequence[Part]) -> float:
    """Returns the least level whose interval about the mean does not hold 0; without any variance 1 or 0."""
    from scipy.special import stdtr

    error = math.sqrt(sum(part.variance for part in parts))
    if error == 0 or mean == 0:
        return float(mean == 0)
    # It lies between those that there would be if all the variance were of one part; halving finds where.
    alone = [2 * float(stdtr(part.freedom, -abs(mean) / error)) for part in parts if part.variance > 0]
    low, high = min(alone), max(alone)
    while high - low > 1e-6 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if half_width(parts, middle) > abs(mean) else (low, middle)
    return high


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Corrects p values for their number, so that those below a level bound the false discovery rate by it.

    Args:
        p_values: Of all tests that are made together, in any order.

    Returns:
        The adjusted p values, in the same order.
    """
    if not p_values:
        return []
    order = np.argsort(p_values)
    scaled = np.asarray(p_values)[order] * len(p_values) / np.arange(1, len(p_values) + 1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum.accumulate(scaled[::-1])[::-1]
    return [float(p) for p in np.minimum(adjusted, 1)]


def scores_under_weights(
    outcomes: Sequence[Outcome], seeds: Sequence[int], weights: Weights, metric: Metric
) -> Floats:
    """Scores outcomes on one test set under several weightings of its examples.

    Args:
        outcomes: Outcomes of languages that share one test set.
        seeds: The seeds to score.
        weights: [weightings, examples], how often each example counts; each row has the same sum.
        metric: The metric.

    Returns:
        [weightings, outcomes, seeds].
    """
    counted = np.stack([[outcome.statistics(metric, seed) for seed in seeds] for outcome in outcomes])
    # Its matrix product is twice as fast in float32, where sums of whole numbers below 2^24 are exact; those of shares,
    # such as a question's token F1, are right to six digits.
    sums = counted.reshape(-1, counted.shape[-1]) @ weights.T
    sums = sums.reshape(*counted.shape[:-1], -1).swapaxes(1, 2)  # [outcomes, statistics, seeds, weightings]
    # One outcome after another, for their sums in float64 have room in the cache, and those of all have not.
    scores = np.stack([metric.value(of_outcome.astype(np.float64)) for of_outcome in sums])
    return scores.transpose(2, 0, 1)
