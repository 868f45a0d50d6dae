"""Intervals and tests against scores of written-out resamples, against theory, and against known truths."""

import json
import math
import time
from collections.abc import Sequence

import numpy as np
import pytest

from framework.results.metrics import SCORINGS, Metric, Task, metrics_of
from framework.results.metrics.classification import PositiveF1
from framework.results.statistics import (
    Bootstrap,
    Difference,
    Examples,
    MacroAverage,
    Outcome,
    Outcomes,
    VarianceTerm,
    half_width,
    mean_and_spread,
    scores_under_weights,
    two_sided,
)
from modules.training.unparsed import UNPARSED

LABELS = list("abcd")
ACCURACY, MACRO_F1, _ = metrics_of("classification").values()
Predictions = dict[int, list[str]]


def average_of(bootstrap: Bootstrap, outcomes: Outcomes, metric: Metric) -> MacroAverage:
    return bootstrap.resampled(outcomes, metric).average(list(outcomes))


def difference_of(bootstrap: Bootstrap, one: Outcomes, other: Outcomes, metric: Metric) -> Difference:
    return bootstrap.resampled(one, metric).difference(bootstrap.resampled(other, metric), list(one))


def draw_labels(generator: np.random.Generator, size: int, labels: Sequence[str] = LABELS) -> list[str]:
    return [str(label) for label in generator.choice(labels, size)]


def outcome(
    gold: Sequence[str], predicted: Predictions, ids: Sequence[str] | None = None, *, parallel: bool = False
) -> Outcome:
    numbers = [f"{number:04d}" for number in range(len(gold))]
    return Outcome(Examples("eng_Latn", ids or numbers, gold, parallel=parallel), predicted)


def right_with(
    generator: np.random.Generator, gold: list[str], chance: float, foreign: Sequence[str] = ()
) -> list[str]:
    """Labels that are right with a certain chance, else random ones."""
    guesses = draw_labels(generator, len(gold), [*LABELS, *foreign])
    luck = generator.random(len(gold))
    return [right if one < chance else guess for right, guess, one in zip(gold, guesses, luck, strict=True)]


def test_mean_and_spread() -> None:
    assert mean_and_spread([0.2, 0.4, 0.6]) == (pytest.approx(0.4), pytest.approx(0.2))
    assert mean_and_spread([0.2]) == (0.2, None)


def texts_of(task: str, generator: np.random.Generator, size: int) -> tuple[list[str], list[list[str]]]:
    """Gold, and the answers of three seeds: some right, some wrong, some unparsed, some with foreign labels."""
    words = {
        "classification": [*LABELS, "foreign"],
        "tagging": ["O O O", "B-PER O O", "B-PER I-PER O", "O B-PER B-LOC", "B-LOC I-LOC I-LOC"],
        "question answering": ["", "Paris", "in Paris", "the old town of Paris", "old London"],
    }[task]
    guesses = [draw_labels(generator, size, [*words, UNPARSED]) for _ in range(3)]
    if task == "question answering":
        numbers = generator.integers(4, size=size)
        return [json.dumps(draw_labels(generator, number, words)) for number in numbers], guesses
    return draw_labels(generator, size, words[:4]), guesses


EVERY_METRIC = [(task, metric) for task, scoring in SCORINGS.items() for metric in scoring.metrics]


@pytest.mark.parametrize(("task", "metric"), [*EVERY_METRIC, ("classification", PositiveF1("a"))])
class TestAgreesWithScore:
    def test_on_resamples_written_out(self, task: Task, metric: Metric) -> None:
        generator = np.random.default_rng(0)
        gold, guesses = texts_of(task, generator, 8)  # so few that resamples lack labels
        weights = np.stack([np.bincount(generator.integers(8, size=8), minlength=8) for _ in range(200)])
        one = outcome(gold, {3: guesses[0], 8: guesses[1]})
        found = scores_under_weights([one], [3, 8], weights.astype(np.float32), metric)
        assert found.shape == (200, 1, 2)
        lacking = 0
        for weighting, of_resample in zip(weights, found[:, 0], strict=True):
            written_out = [number for number, times in enumerate(weighting) for _ in range(times)]
            sample = [gold[number] for number in written_out]
            lacking += set(sample) != set(gold)
            for place in range(2):
                answers = [guesses[place][number] for number in written_out]
                assert of_resample[place] == pytest.approx(metric.score(sample, answers, "eng_Latn"))
        assert lacking > 10
        assert len(set(found.ravel())) > 5  # not all the same

    def test_on_the_mean(self, task: Task, metric: Metric) -> None:
        generator = np.random.default_rng(1)
        row: dict[str, Outcome] = {}
        expected = []
        for language in "xyz":
            gold, guesses = texts_of(task, generator, 40 + len(row))
            row[language] = outcome(gold, dict(enumerate(guesses)))
            expected += [metric.score(gold, answers, "eng_Latn") for answers in guesses]
        average = average_of(Bootstrap(), row, metric)
        assert average.mean == pytest.approx(np.mean(expected))
        assert average.low < average.mean < average.high
        assert average.seeds == (0, 1, 2)


class TestInterval:
    def test_of_one_accuracy_is_that_of_theory(self) -> None:
        gold = ["a"] * 400
        row = {"x": outcome(gold, {0: ["a"] * 300 + ["b"] * 100})}
        average = average_of(Bootstrap(resamples=4000), row, ACCURACY)
        half = 1.96 * np.sqrt(0.75 * 0.25 / 400)
        assert average.low == pytest.approx(0.75 - half, abs=0.004)
        assert average.high == pytest.approx(0.75 + half, abs=0.004)

    def test_parallel_languages_share_their_resamples(self) -> None:
        gold = ["a"] * 100
        labels = ["a"] * 70 + ["b"] * 30
        one = {"x": outcome(gold, {0: labels})}
        parallel = {language: outcome(gold, {0: labels}) for language in "xyzuvwrst"}
        apart = {
            language: outcome(gold, {0: labels}, ids=[f"{language}{number:03d}" for number in range(100)])
            for language in parallel
        }
        widths = {}
        for name, row in (("one", one), ("parallel", parallel), ("apart", apart)):
            average = average_of(Bootstrap(), row, ACCURACY)
            widths[name] = average.high - average.low
        # Nine copies of one language know no more than one; nine independent ones do, by the root of nine.
        assert widths["parallel"] == pytest.approx(widths["one"])
        assert widths["apart"] == pytest.approx(widths["one"] / 3, rel=0.15)

    def test_says_how_it_resampled(self) -> None:
        def row(*ids: str) -> Outcomes:
            return {f"{n}": outcome("ab", {0: list("aa")}, list(pair)) for n, pair in enumerate(ids)}

        ways = {
            ids: average_of(Bootstrap(10), row(*ids), ACCURACY).resampling
            for ids in (("01", "01"), ("01", "23"), ("01", "01", "23"))
        }
        assert list(ways.values()) == ["parallel", "per language", "mixed"]

    def test_the_same_ids_with_other_labels_are_not_parallel(self) -> None:
        row = {"x": outcome("ab", {0: list("aa")}), "y": outcome("ba", {0: list("aa")})}
        assert average_of(Bootstrap(10), row, ACCURACY).resampling == "per language"

    def test_the_same_ids_with_other_words_are_parallel_where_the_dataset_says_so(self) -> None:
        """An answer stands in each language's own words: XQuAD's ids tell its questions, row numbers tell nothing."""
        gold = {"x": ['["red"]', '["one"]'] * 50, "y": ['["rot"]', '["eins"]'] * 50}
        answers = {"x": ["red", "two"] * 50, "y": ["rot", "zwei"] * 50}
        token_f1 = metrics_of("question answering")["token_f1"]
        widths = {}
        for parallel, resampling in ((True, "parallel"), (False, "per language")):
            row = {code: outcome(gold[code], {0: answers[code]}, parallel=parallel) for code in gold}
            average = average_of(Bootstrap(), row, token_f1)
            assert average.resampling == resampling
            widths[parallel] = average.high - average.low
        assert widths[False] == pytest.approx(widths[True] / 2**0.5, rel=0.15)

    def test_of_seeds_whose_examples_do_not_matter_is_that_of_a_t_test(self) -> None:
        """All answers are alike, so that no resample changes anything: only the seeds speak, by Student's t."""
        gold = ["a"] * 60
        row = {
            str(n): outcome(gold, {seed: [label] * 60 for seed, label in enumerate(labels)})
            for n, labels in enumerate(("aba", "aab", "aaa", "bba"))
        }
        average = average_of(Bootstrap(), row, ACCURACY)
        scores = [3 / 4, 2 / 4, 3 / 4]
        half = 4.302653 * np.std(scores, ddof=1) / 3**0.5
        assert (average.low, average.high) == pytest.approx((2 / 3 - half, min(1, 2 / 3 + half)))

    def test_what_examples_do_to_all_seeds_alike_is_added_and_what_they_do_to_each_is_not(self) -> None:
        gold = ["a"] * 400
        right = {0: range(300), 1: range(100, 400), 2: [*range(200), *range(300, 400)]}
        row = {"x": outcome(gold, {s: ["a" if n in which else "b" for n in range(400)] for s, which in right.items()})}
        average = average_of(Bootstrap(resamples=4000), row, ACCURACY)
        # All have .75, so there is no spread. A resample that is hard for one is easy for another, and there is no
        # covariance to add either: the least interval is left, of an example's share of right answers, 1 or 2 / 3.
        half = 1.96 * np.sqrt((0.75 * (2 / 3) ** 2 + 0.25 - 0.75**2) / 400)
        assert (average.low, average.high) == pytest.approx((0.75 - half, 0.75 + half), abs=0.001)
        same = {"x": outcome(gold, dict.fromkeys(range(3), row["x"].predicted[0]))}
        half = 1.96 * np.sqrt(0.75 * 0.25 / 400)
        assert average_of(Bootstrap(resamples=4000), same, ACCURACY).high == pytest.approx(0.75 + half, abs=0.002)

    def test_an_interval_stays_where_scores_are(self) -> None:
        row = {"x": outcome(["a"] * 20, {0: ["a"] * 20, 1: ["a"] * 10 + ["b"] * 10})}
        average = average_of(Bootstrap(), row, ACCURACY)
        assert (average.low, average.high) == (0, 1)


GOLD = ["a"] * 100
LANGUAGES = [str(number) for number in range(10)]


def trained(generator: np.random.Generator, seeds: int, spread: float, hardness: Sequence[float]) -> Outcomes:
    """What a method with an expected accuracy of .6 predicts in 10 languages of 100 parallel examples.

    Args:
        generator: Draws.
        seeds: Trainings.
        spread: Standard deviation over trainings of the chance to be right.
        hardness: What each example adds to that chance, with every training alike.
    """
    rows: dict[str, Predictions] = {language: {} for language in LANGUAGES}
    for seed in range(seeds):
        chance = np.clip(0.6 + generator.normal(0, spread) + np.asarray(hardness), 0, 1)
        for language in LANGUAGES:
            rows[language][seed] = ["a" if right else "b" for right in generator.random(len(GOLD)) < chance]
    return {language: outcome(GOLD, predicted) for language, predicted in rows.items()}


class TestHonesty:
    """How often intervals hold the truth, and how often tests find differences that are not there."""

    TRIALS = 300
    EASY = (0.0,) * len(GOLD)

    @pytest.mark.parametrize("seeds", [2, 3, 5])
    def test_equal_methods_seldom_differ(self, seeds: int) -> None:
        """Seeds have an effect, examples next to none that is shared: the rate of a t test, 5 %."""
        generator, bootstrap, found = np.random.default_rng(6), Bootstrap(resamples=100), 0
        for _ in range(self.TRIALS):
            one, other = (trained(generator, seeds, 0.05, self.EASY) for _ in range(2))
            p = difference_of(bootstrap, one, other, ACCURACY).p
            assert p is not None
            found += p <= 0.05
        # 15 of 300 expected; a binomial variable is outside once in 500 times.
        assert 5 <= found <= 27

    @pytest.mark.parametrize("seeds", [2, 3, 5])
    @pytest.mark.parametrize(("spread", "hardness"), [(0.05, 0.0), (0.05, 0.3), (0.0, 0.3)])
    def test_averages_hold_the_truth(self, seeds: int, spread: float, hardness: float) -> None:
        """Whether seeds or examples or both make the scores vary; with both it may be oftener than it says."""
        generator, bootstrap, held = np.random.default_rng(7), Bootstrap(resamples=100), 0
        for _ in range(self.TRIALS):
            row = trained(generator, seeds, spread, generator.choice([-hardness, hardness], len(GOLD)))
            average = average_of(bootstrap, row, ACCURACY)
            held += average.low <= 0.6 <= average.high
        assert held >= 273  # 285 of 300 expected at least

    def test_seeds_with_the_same_score_by_chance_are_not_certain(self) -> None:
        """Each of three seeds is better by .02, with gains and losses in other examples each time."""
        generator = np.random.default_rng(9)
        predicted: list[Predictions] = [{}, {}]
        for seed in range(3):
            order = generator.permutation(100)
            for side, right in enumerate((order[:60], order[31:93])):
                predicted[side][seed] = ["a" if number in right else "b" for number in range(100)]
        one, other = ({"x": outcome(GOLD, of_side)} for of_side in predicted)
        difference = difference_of(Bootstrap(), other, one, ACCURACY)
        assert difference.mean == pytest.approx(0.02)
        assert difference.low < 0 < difference.high
        assert difference.p is not None
        assert difference.p > 0.05

    def test_one_training_cannot_tell(self) -> None:
        generator = np.random.default_rng(8)
        one, other = (trained(generator, 1, 0.1, self.EASY) for _ in range(2))
        difference = difference_of(Bootstrap(), one, other, ACCURACY)
        assert difference.p is None
        assert difference.low < difference.mean < difference.high
        assert difference_of(Bootstrap(), trained(generator, 3, 0.1, self.EASY), other, ACCURACY).p is None


class TestDeterminism:
    def test_the_order_of_questions_does_not_matter(self) -> None:
        generator = np.random.default_rng(4)
        gold = draw_labels(generator, 50)
        first = {"x": outcome(gold, {s: right_with(generator, gold, 0.5) for s in range(2)})}
        second = {"x": outcome(gold[:30], {5: right_with(generator, gold[:30], 0.5)})}
        bootstrap = Bootstrap()
        forwards = [average_of(bootstrap, row, MACRO_F1) for row in (first, second)]
        other = Bootstrap()
        backwards = [average_of(other, row, MACRO_F1) for row in (second, first)]
        assert forwards == backwards[::-1]

    def test_the_seed_matters(self) -> None:
        row = {"x": outcome(["a"] * 50, {0: ["a"] * 20 + ["b"] * 30})}
        one, other = (Bootstrap(seed=seed).resampled(row, ACCURACY).draws["x"] for seed in (0, 1))
        assert not np.array_equal(one, other)


class TestDifference:
    def test_of_a_row_to_itself(self) -> None:
        generator = np.random.default_rng(5)
        gold = draw_labels(generator, 50)
        row = {"x": outcome(gold, {s: right_with(generator, gold, 0.5) for s in range(3)})}
        difference = difference_of(Bootstrap(), row, row, MACRO_F1)
        assert (difference.mean, difference.low, difference.high) == (0, 0, 0)
        assert difference.p == 1

    def test_is_paired(self) -> None:
        """Two runs that differ in 12 of 400 examples, always to the better of one."""
        gold = ["a"] * 400
        worse = {"x": outcome(gold, {seed: ["a"] * 200 + ["b"] * 200 for seed in range(2)})}
        better = {"x": outcome(gold, {seed: ["a"] * 212 + ["b"] * 188 for seed in range(2)})}
        bootstrap = Bootstrap()
        difference = difference_of(bootstrap, better, worse, ACCURACY)
        assert difference.mean == pytest.approx(0.03)
        assert difference.low > 0
        assert difference.p is not None
        assert difference.p < 0.01
        # Unpaired, their intervals overlap by far: only the pairing can tell.
        assert average_of(bootstrap, worse, ACCURACY).high > average_of(bootstrap, better, ACCURACY).low
        opposite = difference_of(bootstrap, worse, better, ACCURACY)
        assert (opposite.low, opposite.high) == pytest.approx((-difference.high, -difference.low))
        assert opposite.p == pytest.approx(difference.p)

    def test_pairs_seeds_where_they_are_the_same(self) -> None:
        gold = ["a"] * 100

        def row(seeds: Sequence[int], extra: int) -> Outcomes:
            right = {seed: 40 + 20 * place + extra for place, seed in enumerate(seeds)}
            return {"x": outcome(gold, {s: ["a"] * n + ["b"] * (100 - n) for s, n in right.items()})}

        bootstrap = Bootstrap()
        paired = difference_of(bootstrap, row([0, 1], 8), row([0, 1], 0), ACCURACY)
        apart = difference_of(bootstrap, row([0, 1], 8), row([5, 6], 0), ACCURACY)
        assert (paired.seeds_paired, apart.seeds_paired) == (True, False)
        assert paired.p is not None
        assert apart.p is not None
        assert paired.p < 0.05 < apart.p
        assert paired.low > 0 > apart.low
        assert paired.mean == pytest.approx(apart.mean)

    def test_refuses_what_cannot_be_paired(self) -> None:
        one = outcome("ab", {0: list("aa")})
        other = outcome("ab", {0: list("aa")}, ids=["5", "6"])
        with pytest.raises(ValueError, match="not tested in the same languages"):
            difference_of(Bootstrap(), {"x": one}, {"y": one}, ACCURACY)
        with pytest.raises(ValueError, match="different examples of y"):
            difference_of(Bootstrap(), {"x": one, "y": one}, {"x": one, "y": other}, ACCURACY)
        mended = [outcome(gold, {0: list("aa")}, parallel=True) for gold in ("ab", "aa")]
        with pytest.raises(ValueError, match="different examples of x"):
            difference_of(Bootstrap(), {"x": mended[0]}, {"x": mended[1]}, ACCURACY)


class TestManyTests:
    def test_p_is_that_of_theory(self) -> None:
        """Of 400 examples 30 are right in one only and 14 in the other only: McNemar's test."""
        gold = ["a"] * 400
        one = {"x": outcome(gold, dict.fromkeys(range(2), ["a"] * 230 + ["b"] * 170))}
        other = {"x": outcome(gold, dict.fromkeys(range(2), ["b"] * 30 + ["a"] * 214 + ["b"] * 156))}
        difference = difference_of(Bootstrap(resamples=4000), one, other, ACCURACY)
        z = (30 - 14) / np.sqrt(30 + 14 - (30 - 14) ** 2 / 400)
        assert difference.mean == pytest.approx(16 / 400)
        assert difference.p == pytest.approx(math.erfc(z / math.sqrt(2)), rel=0.25)

    def test_p_without_doubt(self) -> None:
        one, other = ({"x": outcome(["a"] * 9, dict.fromkeys(range(2), [label] * 9))} for label in "ab")
        assert difference_of(Bootstrap(), one, one, ACCURACY).p == 1
        assert difference_of(Bootstrap(), one, other, ACCURACY).p == 0

    def test_p_is_the_level_whose_interval_touches_zero(self) -> None:
        several, examples = VarianceTerm(4.0, 2), VarianceTerm(1.0, math.inf)
        for parts in ([several], [several, examples], [VarianceTerm(1.0, 1), VarianceTerm(0.2, 4), examples]):
            for mean in (-0.5, 3.0, 40.0):
                level = two_sided(mean, parts)
                assert half_width(parts, level) == pytest.approx(abs(mean), rel=1e-4)
        assert two_sided(3.0, [VarianceTerm(4.0, 2)]) == pytest.approx(0.2724, abs=1e-4)  # Student's table, t = 1.5
        # A part that is next to nothing changes next to nothing.
        one, nothing = VarianceTerm(4.0, 2), VarianceTerm(1e-30, math.inf)
        assert two_sided(3.0, [one, nothing]) == pytest.approx(two_sided(3.0, [one]))

    def test_languages_of_a_row_are_those_of_rows_of_their_own(self) -> None:
        generator = np.random.default_rng(8)
        gold = draw_labels(generator, 40)
        row = {x: outcome(gold, {s: right_with(generator, gold, 0.5) for s in range(2)}) for x in "xyz"}
        together = Bootstrap().resampled(row, MACRO_F1)
        for language, alone in row.items():
            assert together.average([language]) == average_of(Bootstrap(), {language: alone}, MACRO_F1)
        pair = {language: row[language] for language in "xz"}
        assert together.average("xz").low == pytest.approx(average_of(Bootstrap(), pair, MACRO_F1).low)


def test_refuses_uneven_rows() -> None:
    with pytest.raises(ValueError, match="same seeds"):
        average_of(
            Bootstrap(), {"x": outcome("ab", {0: list("aa")}), "y": outcome("ab", {1: list("aa")})}, ACCURACY
        )
    with pytest.raises(ValueError, match="no languages"):
        average_of(Bootstrap(), {}, ACCURACY)


@pytest.mark.parametrize("parallel", [True, False])
def test_is_fast_enough_for_all_of_sib_200(parallel: bool) -> None:
    generator = np.random.default_rng(7)
    gold = draw_labels(generator, 204, list("abcdefg"))
    row = {}
    for language in range(205):
        ids = [f"{number:03d} {'' if parallel else language}" for number in range(204)]
        predicted = {seed: draw_labels(generator, 204, list("abcdefgz")) for seed in range(3)}
        row[str(language)] = outcome(gold, predicted, ids)
    start = time.process_time()
    average = average_of(Bootstrap(), row, MACRO_F1)
    assert average.resampling == ("parallel" if parallel else "per language")
    assert time.process_time() - start < 5  # seconds of computing, however busy the machine; it takes about half of one
