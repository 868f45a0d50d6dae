"""How sure a score is: spread over seeds, bootstrap intervals, paired differences.

A score varies for two reasons: another sample of test examples would give another figure, and so would
another seed. The percentile bootstrap (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter
13; for the test sets of language processing: Berg-Kirkpatrick, Burkett and Klein, EMNLP 2012) imitates both.
It draws as many examples from the test set as there are, with replacement, and seeds from the seeds likewise,
computes the score again, does so many times, and reads the interval off the quantiles.

Three things are kept as they are in reality:

- Where languages share a test set (the same ids with the same gold labels, as SIB-200's translations of one
  set of sentences; or the same ids in a dataset that says that it is parallel, as XQuAD's, whose gold is in each
  language's own words), a draw takes the same examples in each of them. A hard sentence is hard in all languages,
  so drawing for each apart would make their average look surer than it is.
- A seed is one training, tested in all languages: a draw of seeds holds for all of them.
- Two combinations are compared on the same draws of examples, and of seeds where they have the same ones, so
  what they have in common cancels in their difference.

Whether one language differs is asked of many languages at once, and of 200 tests at 5 % ten come out by chance. Their
p values are corrected together by Benjamini and Hochberg's step-up procedure (JRSS B, 1995), which bounds the expected
share of false ones among the stars (it holds where tests depend on each other positively, as those of languages do that
share seeds and examples). A p is that of the difference over its bootstrap standard error under a normal distribution,
two-sided: the share of contrary resamples could not fall below 1 in their number, which is too coarse to correct.

With few seeds (three, say) the interval knows little of the spread over trainings and is rather too narrow;
with one seed it knows nothing of it. The F1 means of a resample are biased a little (a resample lacks rare
labels now and then), so their interval can lie askew about the mean.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from framework.metrics import Metric

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
class MacroAverage:
    """A metric's mean over languages (of the means over seeds), with its bootstrap interval."""

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
    """How much a combination's macro average exceeds a baseline's, from a paired bootstrap."""

    mean: float
    low: float
    high: float
    contrary: float
    """Share of the resamples in which the difference is zero or has the other sign. Small values speak for a
    difference, as those of a one-sided p do, but it is a share of resamples, not of samples under a null
    hypothesis."""
    p: float
    """Two-sided p of the difference over its bootstrap standard error, under a normal distribution; not corrected."""
    seeds_paired: bool
    """Whether both have the same seeds, so that the draws of seeds were paired too."""

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of zero: then, and only then, a macro average has a star."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Resampled:
    """A metric of one combination in each language, on its test sets and on resamples of them.

    Averages over any of the languages, and differences to another combination's, follow from it.
    """

    test_sets: dict[str, TestSet]
    """By language."""
    seeds: tuple[int, ...]
    means: dict[str, float]
    """By language, the mean over seeds."""
    draws: dict[str, Floats]
    """By language, the same on each resample, [resamples]."""
    confidence: float
    """Share of the resamples inside an interval."""

    def distribution(self, languages: Sequence[str]) -> Floats:
        """Returns the mean over languages on each resample, [resamples]."""
        return np.asarray(np.mean([self.draws[language] for language in languages], axis=0))

    def average(self, languages: Sequence[str]) -> MacroAverage:
        """Averages over some of the languages, at least one."""
        low, high = _interval(self.distribution(languages), self.confidence)
        return MacroAverage(
            mean=float(np.mean([self.means[language] for language in languages])),
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
        mean = float(np.mean([self.means[language] - baseline.means[language] for language in languages]))
        resampled = self.distribution(languages) - baseline.distribution(languages)
        low, high = _interval(resampled, self.confidence)
        return Difference(
            mean=mean,
            low=low,
            high=high,
            contrary=float(np.mean(resampled * mean <= 0)),
            p=_two_sided(mean, float(np.std(resampled, ddof=1))),
            seeds_paired=self.seeds == baseline.seeds,
        )


class Bootstrap:
    """Draws resamples and computes metrics on them.

    What is drawn depends only on the bootstrap's seed and on what it is drawn from (a test set, a list of
    seeds), not on the order of the questions. That is what pairs the draws of two combinations, and what
    makes the printed intervals the same each time.
    """

    def __init__(self, resamples: int = RESAMPLES, confidence: float = CONFIDENCE, seed: int = 0) -> None:
        """Sets the number of resamples, the share of them inside an interval, and the seed of the draws."""
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

    def distribution(self, row: Row, metric: Metric) -> Floats:
        """Returns the macro average on each resample, [resamples]."""
        return self.resampled(row, metric).distribution(list(row))

    def resampled(self, row: Row, metric: Metric) -> Resampled:
        """Computes a metric in each language, on its test set and on each resample.

        Args:
            row: The combination's outcomes; at least one language.
            metric: The metric.

        Raises:
            ValueError: If the row is empty, or its languages have different seeds.
        """
        seeds = _seeds(row)
        seed_weights = self._draws(f"seeds {seeds}", len(seeds)) / len(seeds)  # [resamples, seeds]
        means: dict[str, float] = {}
        draws: dict[str, Floats] = {}
        for languages in _by_test_set(row):
            outcomes = [row[language] for language in languages]
            test_set = outcomes[0].test_set
            weights = self._draws(f"examples {test_set.key}", test_set.size).astype(np.float32)
            everything_once = np.ones((1, test_set.size), np.float32)
            # The test set itself goes along as one weighting more.
            scores = scores_under_weights(outcomes, seeds, np.concatenate([everything_once, weights]), metric)
            resampled = np.einsum("bls,bs->lb", scores[1:], seed_weights)
            for place, language in enumerate(languages):
                means[language] = float(scores[0, place].mean())
                draws[language] = resampled[place]
        test_sets = {language: outcome.test_set for language, outcome in row.items()}
        return Resampled(test_sets, seeds, means, draws, self.confidence)

    def _draws(self, population: str, size: int) -> npt.NDArray[np.uint16]:
        """How often each of `size` things is drawn in each resample of `size` draws, [resamples, size]."""
        if population not in self._drawn:
            entropy = hashlib.sha256(f"{self.seed} {population}".encode()).digest()
            generator = np.random.default_rng(np.frombuffer(entropy, dtype=np.uint32))
            drawn = generator.integers(size, size=(self.resamples, size))
            cells = drawn + size * np.arange(self.resamples)[:, None]
            counts = np.bincount(cells.ravel(), minlength=self.resamples * size)
            # Counts are kept for all languages at once, hence small; none comes near 65,535.
            self._drawn[population] = counts.reshape(self.resamples, size).astype(np.uint16)
        return self._drawn[population]


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


def _interval(resampled: Floats, confidence: float) -> tuple[float, float]:
    tail = (1 - confidence) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return float(low), float(high)


def _two_sided(mean: float, error: float) -> float:
    """The p of a difference with a standard error; one that no resample changes is certainly zero or certainly not."""
    if error == 0:
        return float(mean == 0)
    return math.erfc(abs(mean) / error / math.sqrt(2))


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
