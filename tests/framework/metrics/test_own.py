"""Metrics of a user's own: what they must keep to, and what `compare` makes of runs that have them or not."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from framework.errors import UserError
from framework.reports.compare import compare
from framework.reports.compare.figures import averages, by_language
from framework.results.metrics.base import Floats, Mean, Metric
from framework.results.statistics import Bootstrap, Examples, Outcome
from framework.store.store import Store
from framework.tracking.stage_content import entry_of_run
from tests.framework.made_runs import add, make_run


class Signed(Mean):
    """1 for a right label, -1 for a wrong one."""

    name = shown = "signed"
    least = -1.0

    def of_each(self, gold: Sequence[str], predicted: Sequence[str], language: str) -> Sequence[float]:
        return [1.0 if right == answer else -1.0 for right, answer in zip(gold, predicted, strict=True)]


class Other(Signed):
    """Another metric of the same name."""


class Beyond(Signed):
    """Does not say how low it goes."""

    least = 0.0


class Transposed(Signed):
    """[examples, statistics]."""

    def statistics(self, gold: Sequence[str], predicted: Sequence[str], language: str) -> Floats:
        return super().statistics(gold, predicted, language).T


class RecallOfA(Metric):
    """Has no value where a resample lacks `a`."""

    name = shown = "recall_of_a"

    def statistics(self, gold: Sequence[str], predicted: Sequence[str], language: str) -> Floats:
        is_gold = np.array([label == "a" for label in gold])
        return np.array([is_gold & (np.array(predicted) == "a"), is_gold], dtype=np.float64)

    def value(self, sums: Floats) -> Floats:
        with np.errstate(invalid="ignore"):
            return np.asarray(sums[0] / sums[1])


SIGNED = {"signed": f"{__name__}.Signed"}


def outcome(predicted: str, gold: str = "aaaaabbbbb") -> dict[str, Outcome]:
    return {"x": Outcome(Examples("x", [f"{number:03d}" for number in range(len(gold))], [*gold]), {0: [*predicted]})}


class TestRange:
    def test_intervals_end_where_the_metric_does(self) -> None:
        average = Bootstrap().resampled(outcome("aaabbaaaaa"), Signed()).average(["x"])  # 3 of 10 are right
        assert average.mean == pytest.approx(-0.4)
        assert -1 <= average.low < average.mean < average.high < 1
        assert Bootstrap().resampled(outcome("bbbbbaaaab"), Signed()).average(["x"]).low == -1

    def test_differences_may_be_as_large_as_the_range(self) -> None:
        right, wrong = outcome("aaaaabbbbb"), outcome("bbbbbaaaaa")
        difference = Bootstrap().resampled(right, Signed()).difference(Bootstrap().resampled(wrong, Signed()), ["x"])
        assert (difference.mean, difference.low, difference.high) == (2, 2, 2)

    def test_figures_reach_below_zero(self, tmp_path: Path) -> None:
        run = make_run(tmp_path, own_metrics=SIGNED)
        add(run, "hau_Latn", 20)
        shown = compare([tmp_path], "signed")
        for draw, low in ((averages.draw, "get_xlim"), (by_language.draw, "get_ylim")):
            drawing = draw(shown)
            assert drawing is not None
            assert getattr(drawing.pages[0].axes[0], low)()[0] <= -0.6
            plain = draw(compare([tmp_path]))
            assert plain is not None
            assert getattr(plain.pages[0].axes[0], low)()[0] == 0


class TestRefused:
    def test_a_score_outside_of_the_range(self) -> None:
        with pytest.raises(UserError, match=r"metric signed: its score in hau_Latn is -1.0, not from 0 to 1"):
            Beyond().score(["a"], ["b"], "hau_Latn")
        with pytest.raises(UserError, match="is nan, not from 0 to 1"):
            RecallOfA().score(["b"], ["b"], "hau_Latn")

    def test_statistics_of_another_shape(self) -> None:
        with pytest.raises(UserError, match=r"for the 3 examples in hau_Latn, not \[3, 2\]"):
            Transposed().score([*"abc"], [*"abc"], "hau_Latn")

    def test_no_score_on_a_resample(self) -> None:
        with pytest.raises(UserError, match="metric recall_of_a: no score on some resamples of x"):
            Bootstrap().resampled(outcome("aab", "abb"), RecallOfA()).average(["x"])


class TestCompare:
    def test_each_run_must_have_the_one_that_is_shown(self, tmp_path: Path) -> None:
        add(make_run(tmp_path, own_metrics=SIGNED), "hau_Latn", 60)
        lacking = make_run(tmp_path, "head only")
        add(lacking, "hau_Latn", 50)
        with pytest.raises(UserError, match=rf"{lacking.path}: hau_Latn has no score 'signed'.*{__name__}.Signed in"):
            compare([tmp_path], "signed")
        shown = compare([tmp_path])
        assert shown.metrics == ["accuracy", "macro_f1", "weighted_f1", "signed"]
        scores = [line["signed"] for line in csv.DictReader(shown.csv().splitlines())]
        assert sorted(scores) == ["", "0.2"]

    def test_differences_are_tested(self, tmp_path: Path) -> None:
        for label, right in (("head only", 20), ("task adapter", 90)):
            add(make_run(tmp_path, label, own_metrics=SIGNED), "hau_Latn", right)
        rows = {row.combination: row for row in compare([tmp_path], "signed", "head only").rows}
        tested = rows["task adapter"].difference
        assert tested is not None
        assert tested.difference.mean == pytest.approx(1.4)
        assert tested.difference.high > 1.4

    def test_one_name_for_two_metrics(self, tmp_path: Path) -> None:
        for label, path in (("head only", "Signed"), ("task adapter", "Other")):
            add(make_run(tmp_path, label, own_metrics={"signed": f"{__name__}.{path}"}), "hau_Latn", 50)
        with pytest.raises(UserError, match=r"'signed' is another metric in some of the runs: .*Signed \(.*Other \("):
            compare([tmp_path], "signed")
        assert compare([tmp_path]).metric.name == "accuracy"

    def test_a_name_that_was_changed_since(self, tmp_path: Path) -> None:
        run = make_run(tmp_path, own_metrics=SIGNED)
        add(run, "hau_Latn", 50)
        path = run.path / "results" / "own" / "hau_Latn.json"
        path.write_text(path.read_text().replace('"signed"', '"former"'))
        run.write_record(dataclasses.replace(run.record, own_metrics={"former": SIGNED["signed"]}))
        with pytest.raises(UserError, match=r"Signed' has the name 'signed' now, and 'former' in"):
            compare([tmp_path], "former")

    def test_an_unknown_name_is_told_with_all_that_there_are(self, tmp_path: Path) -> None:
        add(make_run(tmp_path, own_metrics=SIGNED), "hau_Latn", 50)
        with pytest.raises(UserError, match=r"unknown metric 'singed'; did you mean 'signed'.*weighted_f1, signed\)"):
            compare([tmp_path], "singed")


def test_wandb_is_told_what_there_is(tmp_path: Path) -> None:
    run = make_run(tmp_path, own_metrics=SIGNED)
    add(run, "hau_Latn", 60)
    run.write_record(dataclasses.replace(run.record, own_metrics={}))
    add(run, "swh_Latn", 60)  # of a former target, older than the metric
    run.write_record(dataclasses.replace(run.record, own_metrics=SIGNED))
    entry = entry_of_run(run, Store(tmp_path / "store"))
    assert entry.summary["test/hau_Latn/signed"] == entry.summary["test/macro/signed"] == pytest.approx(0.2)
    assert "test/swh_Latn/signed" not in entry.summary
    assert entry.summary["test/swh_Latn/accuracy"] == pytest.approx(0.6)
