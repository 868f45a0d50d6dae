"""Confidence intervals and paired tests of scores.

A score varies over test examples and over trainings. Resamples of the test set estimate the first (the bootstrap: Efron
and Tibshirani, An Introduction to the Bootstrap, 1993; for language processing: Berg-Kirkpatrick, Burkett and Klein,
EMNLP 2012), the scores of the seeds the second. The variance of a mean over n seeds is, as that of a mean over n
readers of the same cases (Obuchowski and Rockette, Communications in Statistics - Simulation and Computation 24, 1995),

    s²/n + c

with s the standard deviation of the seeds' scores (n - 1 in the divisor), and c the covariance of two seeds' scores
over the resamples: the effect of the examples on all seeds alike. Their effect on each seed separately is in s already.

An interval is the mean ± √(t² s²/n + z² c), with the quantiles t of Student's distribution with n - 1 degrees of
freedom (12.7 for two seeds, 4.3 for three, 2.8 for five) and z of the normal one. Its coverage is at least the nominal
one, whatever the ratio of the two terms (Banerjee, Sankhyā 22, 1960), and exact where one of them is 0. It is never
narrower than ± z bootstrap standard errors of these trainings: on few examples, seeds may have equal scores by chance.
The p of a difference is the smallest level whose interval excludes 0. With one seed the interval, ± z bootstrap
standard errors, is about that training only, and a difference has no p.

- Languages with parallel test sets (the same ids with the same gold labels, as SIB-200's translations; or the same ids
  in a dataset that says that it is parallel, as XQuAD's) are resampled together: a hard sentence is hard in all of
  them, and separate resamples would make their average look more certain than it is.
- The spread of an average over languages is that of the seeds' averages, because a seed is one training.
- Two combinations are compared on the same resamples, and seed by seed where they have the same seeds, so that what
  they have in common cancels in their difference.

`compare` corrects the p of a family of tests by Benjamini and Hochberg's step-up procedure (JRSS B, 1995), which allows
for positively dependent tests, as those of languages that share seeds and examples.
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
from framework.results.metrics.base import Floats

Weights = npt.NDArray[np.float32]

RESAMPLES = 1000
CONFIDENCE = 0.95


def mean_and_spread(values: Sequence[float]) -> tuple[float, float | None]:
    """Returns the mean and the standard deviation over seeds (n - 1 in the divisor; None for one seed)."""
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return float(np.mean(values)), spread


class Examples:
    """The test set of one language: ids and gold answers. Test sets with the same `key` are parallel."""

    def __init__(self, language: str, ids: Sequence[str], gold: Sequence[str], *, parallel: bool = False) -> None:
        """Takes the examples in the order of their ids.

        Args:
            language: FLORES code.
            ids: Sorted.
            gold: The correct answer of each example.
            parallel: Whether equal ids are enough for test sets to be parallel: the dataset says that such examples are
                translations, and its gold is text in each language. Otherwise gold must be equal too, because ids are
                often only row numbers.
        """
        self.language = language
        self.gold = list(gold)
        digest = hashlib.sha256()
        for example in zip(ids) if parallel else zip(ids, gold, strict=True):
            digest.update(repr(example).encode())
        self.key = digest.hexdigest()


class Outcome:
    """The predictions of one combination in one language, with each of its seeds."""

    def __init__(self, examples: Examples, predicted: Mapping[int, Sequence[str]]) -> None:
        """Takes the predicted answers by seed, in the order of the examples."""
        self.examples = examples
        self.predicted = predicted
        self._counted: dict[tuple[Metric, int], Weights] = {}

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds, sorted."""
        return tuple(sorted(self.predicted))

    def statistics(self, metric: Metric, seed: int) -> Weights:
        """Returns the contribution of each example to a metric, [statistics, examples]; computed once."""
        if (metric, seed) not in self._counted:
            found = metric.statistics(self.examples.gold, self.predicted[seed], self.examples.language)
            self._counted[metric, seed] = found.astype(np.float32)
        return self._counted[metric, seed]


Outcomes = Mapping[str, Outcome]
"""The outcomes of one combination by language; the same seeds in each."""


@dataclass(frozen=True)
class VarianceTerm:
    """A summand of the variance of a score."""

    variance: float
    freedom: float
    """The degrees of freedom of its estimate; infinite for a bootstrap."""


@dataclass(frozen=True)
class Estimate:
    """A score, and the variance of its estimate."""

    mean: float
    these: VarianceTerm
    """Over test sets, for the given trainings."""
    others: tuple[VarianceTerm, ...]
    """Over test sets and trainings; empty if no side has several seeds."""

    @classmethod
    def sum_of(cls, sides: Sequence[tuple[Floats, Floats]]) -> "Estimate":
        """Adds the means over seeds.

        Args:
            sides: For each set of seeds the scores, [seeds], and the scores on each resample, [seeds, resamples].
        """
        variance = float(np.var(sum(draws.mean(axis=0) for _, draws in sides), ddof=1))
        shared = variance
        others: list[VarianceTerm] = []
        for scores, draws in sides:
            seeds = len(scores)
            if seeds > 1:
                others.append(VarianceTerm(float(np.var(scores, ddof=1)) / seeds, seeds - 1))
                # The spread over seeds already contains the effect of the examples that differs between seeds.
                shared -= float(np.var(draws - draws.mean(axis=0), axis=1, ddof=1).sum()) / (seeds - 1) / seeds
        if others:
            others.append(VarianceTerm(max(shared, 0.0), math.inf))
        return cls(sum(float(scores.mean()) for scores, _ in sides), VarianceTerm(variance, math.inf), tuple(others))

    def interval(self, least: float, most: float) -> tuple[float, float]:
        """Returns the interval with a coverage of at least `CONFIDENCE`, cut at `least` and `most`."""
        half = max(half_width([self.these], 1 - CONFIDENCE), half_width(self.others, 1 - CONFIDENCE))
        return max(self.mean - half, least), min(self.mean + half, most)

    @property
    def p(self) -> float:
        """The smallest level whose interval excludes 0."""
        return max(two_sided(self.mean, [self.these]), two_sided(self.mean, self.others))


@dataclass(frozen=True)
class MacroAverage:
    """A metric's mean over languages (of the means over seeds), with its interval."""

    mean: float
    low: float
    high: float
    languages: int
    test_sets: int
    """Number of different test sets: 1 if those of all languages are parallel."""
    seeds: tuple[int, ...]

    @property
    def resampling(self) -> Literal["parallel", "per language", "mixed"]:
        """Whether a resample holds the same examples in all languages, different ones in each, or the same in some."""
        if self.test_sets == 1:
            return "parallel"
        return "per language" if self.test_sets == self.languages else "mixed"


@dataclass(frozen=True)
class Difference:
    """A combination's macro average minus a baseline's, on the same examples."""

    mean: float
    low: float
    high: float
    p: float | None
    """Two-sided, not corrected; None if one of the two has a single seed."""
    seeds_paired: bool
    """Whether both have the same seeds, and were compared seed by seed."""


@dataclass(frozen=True)
class Resampled:
    """A metric of one combination by language, on the test sets and on resamples of them."""

    examples: dict[str, Examples]
    seeds: tuple[int, ...]
    scores: dict[str, Floats]
    """[seeds]."""
    draws: dict[str, Floats]
    """The scores on each resample, [seeds, resamples]."""
    least: float
    """The metric's lowest score; its highest is 1."""

    def average(self, languages: Sequence[str]) -> MacroAverage:
        """Averages over at least one of the languages."""
        estimate = Estimate.sum_of([self._over(languages)])
        low, high = estimate.interval(self.least, 1.0)
        test_sets = len({self.examples[language].key for language in languages})
        return MacroAverage(estimate.mean, low, high, len(languages), test_sets, self.seeds)

    def difference(self, baseline: "Resampled", languages: Sequence[str]) -> Difference:
        """Compares the averages over some languages on the same resamples.

        Raises:
            ValueError: The baseline was not tested in them, or was tested on other examples.
        """
        for language in languages:
            if language not in baseline.examples:
                raise ValueError("the two combinations were not tested in the same languages")
            own, other = self.examples[language], baseline.examples[language]
            if (own.key, own.gold) != (other.key, other.gold):
                raise ValueError(f"the two combinations were tested on different examples of {language}")
        (scores, draws), (their_scores, their_draws) = self._over(languages), baseline._over(languages)
        paired = self.seeds == baseline.seeds
        sides = [(scores, draws), (-their_scores, -their_draws)]
        estimate = Estimate.sum_of([(scores - their_scores, draws - their_draws)] if paired else sides)
        low, high = estimate.interval(self.least - 1, 1 - self.least)
        several = min(len(self.seeds), len(baseline.seeds)) > 1
        return Difference(estimate.mean, low, high, estimate.p if several else None, seeds_paired=paired)

    def _over(self, languages: Sequence[str]) -> tuple[Floats, Floats]:
        """Returns each seed's mean over languages, [seeds], and the means on each resample, [seeds, resamples]."""
        scores, draws = (
            np.asarray(np.mean([found[language] for language in languages], axis=0))
            for found in (self.scores, self.draws)
        )
        return scores, draws


class Bootstrap:
    """Draws resamples and computes metrics on them.

    A resample depends only on the bootstrap's seed and on the test set, not on the order of the calls. So two
    combinations are compared on the same resamples, and intervals are reproducible.
    """

    def __init__(self, resamples: int = RESAMPLES, seed: int = 0) -> None:
        self.resamples = resamples
        self.seed = seed
        self._drawn: dict[str, npt.NDArray[np.uint16]] = {}

    def resampled(self, outcomes: Outcomes, metric: Metric) -> Resampled:
        """Computes a metric in each language, on its test set and on each resample.

        Raises:
            ValueError: There are no outcomes, or the languages have different seeds.
            UserError: The metric has no score on some resample.
        """
        if not outcomes:
            raise ValueError("there are no languages to average over")
        seeds, *others = {outcome.seeds for outcome in outcomes.values()}
        if others:
            raise ValueError("the languages were not all tested with the same seeds")
        parallel: dict[str, list[str]] = {}
        for language, outcome in outcomes.items():
            parallel.setdefault(outcome.examples.key, []).append(language)
        scores: dict[str, Floats] = {}
        draws: dict[str, Floats] = {}
        for languages in parallel.values():
            weights = self._draws(outcomes[languages[0]].examples).astype(np.float32)
            # The first weighting is the test set itself.
            weights = np.concatenate([np.ones((1, weights.shape[1]), np.float32), weights])
            found = scores_under_weights([outcomes[language] for language in languages], seeds, weights, metric)
            if not np.isfinite(found).all():
                raise UserError(
                    f"metric {metric.name}: no score on some resamples of {', '.join(languages)}, so that there is no "
                    "interval; its `value` must give a number for any sums, also where a resample lacks a label"
                )
            for index, language in enumerate(languages):
                scores[language], draws[language] = found[0, index], found[1:, index].T
        examples = {language: outcome.examples for language, outcome in outcomes.items()}
        return Resampled(examples, seeds, scores, draws, metric.least)

    def _draws(self, examples: Examples) -> npt.NDArray[np.uint16]:
        """Returns how often each example is drawn in each resample of as many draws, [resamples, examples]."""
        key, size = examples.key, len(examples.gold)
        if key not in self._drawn:
            entropy = hashlib.sha256(f"{self.seed} examples {key}".encode()).digest()
            generator = np.random.default_rng(np.frombuffer(entropy, dtype=np.uint32))
            drawn = generator.integers(size, size=(self.resamples, size))
            flat = drawn + size * np.arange(self.resamples)[:, None]
            counts = np.bincount(flat.ravel(), minlength=self.resamples * size)
            # 16 bits, because the counts of all languages are kept; none is near 65,535.
            self._drawn[key] = counts.reshape(self.resamples, size).astype(np.uint16)
        return self._drawn[key]


def half_width(terms: Sequence[VarianceTerm], level: float) -> float:
    """Returns half the width of an interval that excludes the truth with probability `level` at most (Banerjee)."""
    from scipy.special import stdtrit  # slow to import

    return math.sqrt(sum(float(stdtrit(term.freedom, level / 2)) ** 2 * term.variance for term in terms))


def two_sided(mean: float, terms: Sequence[VarianceTerm]) -> float:
    """Returns the smallest level whose interval about the mean excludes 0; 1 or 0 without any variance."""
    from scipy.special import stdtr

    error = math.sqrt(sum(term.variance for term in terms))
    if error == 0 or mean == 0:
        return float(mean == 0)
    # It lies between the levels that follow if one term is the whole variance; bisection finds it.
    alone = [2 * float(stdtr(term.freedom, -abs(mean) / error)) for term in terms if term.variance > 0]
    low, high = min(alone), max(alone)
    while high - low > 1e-6 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if half_width(terms, middle) > abs(mean) else (low, middle)
    return high


def scores_under_weights(outcomes: Sequence[Outcome], seeds: Sequence[int], weights: Weights, metric: Metric) -> Floats:
    """Scores outcomes under several weightings of the examples.

    Args:
        outcomes: Of languages whose test sets are parallel.
        seeds: The seeds to score.
        weights: [weightings, examples], how often each example counts; each row has the same sum.
        metric: The metric.

    Returns:
        [weightings, outcomes, seeds].
    """
    counted = np.stack([[outcome.statistics(metric, seed) for seed in seeds] for outcome in outcomes])
    # The matrix product is twice as fast in float32, where sums of integers below 2^24 are exact; sums of fractions,
    # such as a question's token F1, have six correct digits.
    sums = counted.reshape(-1, counted.shape[-1]) @ weights.T
    sums = sums.reshape(*counted.shape[:-1], -1).swapaxes(1, 2)  # [outcomes, statistics, seeds, weightings]
    # One outcome at a time: its sums in float64 fit into the cache, those of all outcomes do not.
    scores = np.stack([metric.value(of_outcome.astype(np.float64)) for of_outcome in sums])
    return scores.transpose(2, 0, 1)
