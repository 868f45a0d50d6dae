"""The bootstrap against scores of written-out resamples, against theory, and against known truths."""

import json
import math
import time
from collections.abc import Sequence

import numpy as np
import pytest

from framework.metrics import SCORINGS, Metric, Task, metrics_of
from framework.metrics.classification import PositiveF1
from framework.statistics import (
    Bootstrap,
    Outcome,
    Row,
    TestSet,
    benjamini_hochberg,
    mean_and_spread,
    scores_under_weights,
)
from modules.task import UNPARSED

LABELS = list("abcd")
ACCURACY, MACRO_F1, _ = metrics_of("classification").values()
Predictions = dict[int, list[str]]


def draw_labels(generator: np.random.Generator, size: int, labels: Sequence[str] = LABELS) -> list[str]:
    return [str(label) for label in generator.choice(labels, size)]


def outcome(
    gold: Sequence[str], predicted: Predictions, ids: Sequence[str] | None = None, *, parallel: bool = False
) -> Outcome:
    numbers = [f"{number:04d}" for number in range(len(gold))]
    return Outcome(TestSet("eng_Latn", ids or numbers, gold, parallel=parallel), predicted)


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
        average = Bootstrap().macro_average(row, metric)
        assert average.mean == pytest.approx(np.mean(expected))
        assert average.low < average.mean < average.high
        assert average.seeds == (0, 1, 2)


class TestInterval:
    def test_of_one_accuracy_is_that_of_theory(self) -> None:
        gold = ["a"] * 400
        row = {"x": outcome(gold, {0: ["a"] * 300 + ["b"] * 100})}
        average = Bootstrap(resamples=4000).macro_average(row, ACCURACY)
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
            average = Bootstrap().macro_average(row, ACCURACY)
            widths[name] = average.high - average.low
        # Nine copies of one language know no more than one; nine independent ones do, by the root of nine.
        assert widths["parallel"] == pytest.approx(widths["one"])
        assert widths["apart"] == pytest.approx(widths["one"] / 3, rel=0.15)

    def test_says_how_it_resampled(self) -> None:
        def row(*ids: str) -> Row:
            return {f"{n}": outcome("ab", {0: list("aa")}, list(pair)) for n, pair in enumerate(ids)}

        ways = {
            ids: Bootstrap(10).macro_average(row(*ids), ACCURACY).resampling
            for ids in (("01", "01"), ("01", "23"), ("01", "01", "23"))
        }
        assert list(ways.values()) == ["parallel", "per language", "mixed"]

    def test_the_same_ids_with_other_labels_are_not_parallel(self) -> None:
        row = {"x": outcome("ab", {0: list("aa")}), "y": outcome("ba", {0: list("aa")})}
        assert Bootstrap(10).macro_average(row, ACCURACY).resampling == "per language"

    def test_the_same_ids_with_other_words_are_parallel_where_the_dataset_says_so(self) -> None:
        """An answer stands in each language's own words: XQuAD's ids tell its questions, row numbers tell nothing."""
        gold = {"x": ['["red"]', '["one"]'] * 50, "y": ['["rot"]', '["eins"]'] * 50}
        answers = {"x": ["red", "two"] * 50, "y": ["rot", "zwei"] * 50}
        token_f1 = metrics_of("question answering")["token_f1"]
        widths = {}
        for parallel, resampling in ((True, "parallel"), (False, "per language")):
            row = {code: outcome(gold[code], {0: answers[code]}, parallel=parallel) for code in gold}
            average = Bootstrap().macro_average(row, token_f1)
            assert average.resampling == resampling
            widths[parallel] = average.high - average.low
        assert widths[False] == pytest.approx(widths[True] / 2**0.5, rel=0.15)

    def test_seeds_that_differ_widen_it(self) -> None:
        gold = ["a"] * 1000

        def labels(right: int) -> list[str]:
            return ["a"] * right + ["b"] * (1000 - right)

        alike = {"x": outcome(gold, {seed: labels(600) for seed in range(3)})}
        unlike = {"x": outcome(gold, {0: labels(500), 1: labels(600), 2: labels(700)})}
        narrow = Bootstrap().macro_average(alike, ACCURACY)
        wide = Bootstrap().macro_average(unlike, ACCURACY)
        assert narrow.mean == pytest.approx(wide.mean)
        # 27 ways to draw three seeds: 1 in 27 draws has thrice the worst, so the interval reaches it.
        assert wide.low < 0.52
        assert wide.high > 0.68
        assert narrow.low > 0.55

    def test_covers_the_truth(self) -> None:
        generator = np.random.default_rng(3)
        gold = ["a"] * 100
        inside = 0
        for trial in range(200):
            row = {"x": outcome(gold, {0: right_with(generator, gold, 0.6)}, ids=[f"{trial} {n}" for n in range(100)])}
            average = Bootstrap(resamples=200).macro_average(row, ACCURACY)
            inside += average.low <= 0.6 + 0.4 / 4 <= average.high
        assert 0.88 <= inside / 200 <= 0.99


class TestDeterminism:
    def test_the_order_of_questions_does_not_matter(self) -> None:
        generator = np.random.default_rng(4)
        gold = draw_labels(generator, 50)
        first = {"x": outcome(gold, {s: right_with(generator, gold, 0.5) for s in range(2)})}
        second = {"x": outcome(gold[:30], {5: right_with(generator, gold[:30], 0.5)})}
        bootstrap = Bootstrap()
        forwards = [bootstrap.macro_average(row, MACRO_F1) for row in (first, second)]
        other = Bootstrap()
        backwards = [other.macro_average(row, MACRO_F1) for row in (second, first)]
        assert forwards == backwards[::-1]

    def test_the_seed_matters(self) -> None:
        row = {"x": outcome(["a"] * 50, {0: ["a"] * 20 + ["b"] * 30})}
        one, other = (Bootstrap(seed=seed).distribution(row, ACCURACY) for seed in (0, 1))
        assert not np.array_equal(one, other)


class TestDifference:
    def test_of_a_row_to_itself(self) -> None:
        generator = np.random.default_rng(5)
        gold = draw_labels(generator, 50)
        row = {"x": outcome(gold, {s: right_with(generator, gold, 0.5) for s in range(3)})}
        difference = Bootstrap().difference(row, row, MACRO_F1)
        assert (difference.mean, difference.low, difference.high) == (0, 0, 0)
        assert not difference.excludes_zero
        assert difference.contrary == 1

    def test_is_paired(self) -> None:
        """Two runs that differ in 12 of 400 examples, always to the better of one."""
        gold = ["a"] * 400
        worse = {"x": outcome(gold, {0: ["a"] * 200 + ["b"] * 200})}
        better = {"x": outcome(gold, {0: ["a"] * 212 + ["b"] * 188})}
        bootstrap = Bootstrap()
        difference = bootstrap.difference(better, worse, ACCURACY)
        assert difference.mean == pytest.approx(0.03)
        assert difference.excludes_zero
        assert difference.contrary < 0.01
        # Unpaired, their intervals overlap by far: only the pairing can tell.
        assert bootstrap.macro_average(worse, ACCURACY).high > bootstrap.macro_average(better, ACCURACY).low
        opposite = bootstrap.difference(worse, better, ACCURACY)
        assert (opposite.low, opposite.high) == pytest.approx((-difference.high, -difference.low))
        assert opposite.excludes_zero

    def test_pairs_seeds_where_they_are_the_same(self) -> None:
        gold = ["a"] * 100

        def row(seeds: Sequence[int], extra: int) -> Row:
            right = {seed: 40 + 20 * place + extra for place, seed in enumerate(seeds)}
            return {"x": outcome(gold, {s: ["a"] * n + ["b"] * (100 - n) for s, n in right.items()})}

        bootstrap = Bootstrap()
        paired = bootstrap.difference(row([0, 1], 8), row([0, 1], 0), ACCURACY)
        apart = bootstrap.difference(row([0, 1], 8), row([5, 6], 0), ACCURACY)
        assert (paired.seeds_paired, apart.seeds_paired) == (True, False)
        assert paired.excludes_zero
        assert not apart.excludes_zero
        assert paired.mean == pytest.approx(apart.mean)

    def test_stars_few_where_there_is_no_difference(self) -> None:
        generator = np.random.default_rng(6)
        gold = ["a"] * 100
        stars = 0
        for trial in range(200):
            ids = [f"{trial} {number}" for number in range(100)]
            rows = [{"x": outcome(gold, {0: right_with(generator, gold, 0.5)}, ids)} for _ in range(2)]
            stars += Bootstrap(resamples=200).difference(*rows, ACCURACY).excludes_zero
        assert 1 <= stars <= 22  # 10 of 200 expected

    def test_refuses_what_cannot_be_paired(self) -> None:
        one = outcome("ab", {0: list("aa")})
        other = outcome("ab", {0: list("aa")}, ids=["5", "6"])
        with pytest.raises(ValueError, match="not tested in the same languages"):
            Bootstrap().difference({"x": one}, {"y": one}, ACCURACY)
        with pytest.raises(ValueError, match="different examples of y"):
            Bootstrap().difference({"x": one, "y": one}, {"x": one, "y": other}, ACCURACY)
        mended = [outcome(gold, {0: list("aa")}, parallel=True) for gold in ("ab", "aa")]
        with pytest.raises(ValueError, match="different examples of x"):
            Bootstrap().difference({"x": mended[0]}, {"x": mended[1]}, ACCURACY)


class TestManyTests:
    def test_p_is_that_of_theory(self) -> None:
        """Of 400 examples 30 are right in one only and 14 in the other only: McNemar's test."""
        gold = ["a"] * 400
        one = {"x": outcome(gold, {0: ["a"] * 230 + ["b"] * 170})}
        other = {"x": outcome(gold, {0: ["b"] * 30 + ["a"] * 214 + ["b"] * 156})}
        difference = Bootstrap(resamples=4000).difference(one, other, ACCURACY)
        z = (30 - 14) / np.sqrt(30 + 14 - (30 - 14) ** 2 / 400)
        assert difference.mean == pytest.approx(16 / 400)
        assert difference.p == pytest.approx(math.erfc(z / math.sqrt(2)), rel=0.25)

    def test_p_without_doubt(self) -> None:
        one, other = ({"x": outcome(["a"] * 9, {0: [label] * 9})} for label in "ab")
        assert Bootstrap().difference(one, one, ACCURACY).p == 1
        assert Bootstrap().difference(one, other, ACCURACY).p == 0

    def test_languages_of_a_row_are_those_of_rows_of_their_own(self) -> None:
        generator = np.random.default_rng(8)
        gold = draw_labels(generator, 40)
        row = {x: outcome(gold, {s: right_with(generator, gold, 0.5) for s in range(2)}) for x in "xyz"}
        together = Bootstrap().resampled(row, MACRO_F1)
        for language, alone in row.items():
            assert together.average([language]) == Bootstrap().macro_average({language: alone}, MACRO_F1)
        pair = {language: row[language] for language in "xz"}
        assert together.average("xz").low == pytest.approx(Bootstrap().macro_average(pair, MACRO_F1).low)

    def test_benjamini_hochberg_as_scipy_has_it(self) -> None:
        scipy = pytest.importorskip("scipy.stats")
        p_values = [*np.random.default_rng(9).random(50) ** 3, 0.0, 1.0, 0.5, 0.5]
        assert benjamini_hochberg(p_values) == pytest.approx(scipy.false_discovery_control(p_values))
        assert benjamini_hochberg([]) == []


def test_refuses_uneven_rows() -> None:
    with pytest.raises(ValueError, match="same seeds"):
        Bootstrap().macro_average(
            {"x": outcome("ab", {0: list("aa")}), "y": outcome("ab", {1: list("aa")})}, ACCURACY
        )
    with pytest.raises(ValueError, match="no languages"):
        Bootstrap().macro_average({}, ACCURACY)


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
    average = Bootstrap().macro_average(row, MACRO_F1)
    assert average.resampling == ("parallel" if parallel else "per language")
    assert time.process_time() - start < 5  # seconds of computing, however busy the machine; it takes about half of one
