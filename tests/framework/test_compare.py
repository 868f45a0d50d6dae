"""Tables of runs: figures, gaps said openly, stars only where a test says so."""

import csv
import shutil
from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from framework.errors import UserError
from framework.reports.compare import Comparison, compare
from framework.results.metrics import metrics_of
from framework.results.run_folder import RunFolder, read_runs
from modules.training.unparsed import UNPARSED
from tests.framework.made_runs import PROMPT_AND_ADAPTER, SIZE, add, line, make_run, printed, some_result

pytestmark = pytest.mark.usefixtures("unsynced_files")


@pytest.fixture(scope="module")
def made_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two combinations × three seeds × three languages, one of them the source."""
    folder = tmp_path_factory.mktemp("study")
    for seed, luck in enumerate((-2, 0, 2)):
        adapter = make_run(folder, seed=seed, notes=["A note.", f"Of seed {seed}."])
        both = make_run(
            folder,
            "language prompt + task adapter",
            seed,
            combination=PROMPT_AND_ADAPTER,
            notes=["A note."],
        )
        for place, language in enumerate(("eng_Latn", "hau_Latn", "yor_Latn")):
            add(adapter, language, 80 - 20 * place + luck)
            add(both, language, 90 - 20 * place + luck)
            add(both, language, 50 - 20 * place + luck, "none")
            add(both, language, 40 - 20 * place + luck, "wrong")
    return folder


@pytest.fixture
def study(made_study: Path, tmp_path: Path) -> Path:
    """A copy of the study for one test to spoil."""
    return shutil.copytree(made_study, tmp_path / "study")


class TestFigures:
    def test_means_and_deviations_over_seeds(self, study: Path) -> None:
        text = printed(compare([study]))
        assert line(text, "task adapter").startswith("task adapter .800 ± .020 .600 ± .020 .400 ± .020 .500 [")
        assert (
            line(text, "language prompt")
            .split("[")[0]
            .endswith("+ task adapter .900 ± .020 .700 ± .020 .500 ± .020 .600 ")
        )

    def test_the_source_is_shown_and_marked_but_not_averaged(self, study: Path) -> None:
        comparison = compare([study])
        assert comparison.languages == ["eng_Latn", "hau_Latn", "yor_Latn"]
        assert comparison.macro_languages == ["hau_Latn", "yor_Latn"]
        row = comparison.rows[0]
        assert row.macro is not None
        assert row.macro.mean == pytest.approx((0.6 + 0.4) / 2)
        text = printed(comparison)
        assert "eng_Latn †" in text
        assert "hau_Latn †" not in text
        assert line(text, "†:") == (
            "†: the task was trained on this language; not zero-shot, not in the macro average."
        )

    def test_sources_come_first(self, tmp_path: Path) -> None:
        run = make_run(tmp_path, source=["yor_Latn"])
        for language in ("zul_Latn", "yor_Latn", "hau_Latn"):
            add(run, language, 50)
        assert compare([tmp_path]).languages == ["yor_Latn", "hau_Latn", "zul_Latn"]

    def test_a_language_that_only_some_rows_were_trained_on_is_in_no_average(self, tmp_path: Path) -> None:
        from_english = make_run(tmp_path, experiment="a")
        from_hausa = make_run(tmp_path, experiment="b", source=["hau_Latn"])
        for run in (from_english, from_hausa):
            for language in ("eng_Latn", "hau_Latn", "yor_Latn"):
                add(run, language, 60)
        comparison = compare([tmp_path])
        assert comparison.macro_languages == ["yor_Latn"]
        text = printed(comparison, width=100)
        assert "several sources" in text
        assert line(text, "source: ") == "source: eng_Latn (a: task adapter); hau_Latn (b: task adapter)."
        assert "for not every row has it zero-shot: eng_Latn, hau_Latn." in text
        # Marked where it holds, not in the header.
        assert line(text, "eng_Latn") == "eng_Latn English .600 † .600"
        assert line(text, "hau_Latn") == "hau_Latn Hausa .600 .600 †"

    @pytest.mark.parametrize("metric", ["accuracy", "macro_f1", "weighted_f1"])
    def test_each_metric(self, tmp_path: Path, metric: str) -> None:
        gold = ["a"] * 70 + ["b"] * 20 + ["c"] * 10
        add(make_run(tmp_path), "hau_Latn", 80, gold=gold, wrong="a")
        expected = metrics_of("classification")[metric].score(gold, gold[:80] + ["a"] * 20, "hau_Latn")
        comparison = compare([tmp_path], metric)
        row = comparison.rows[0]
        assert row.macro is not None
        assert row.macro.mean == pytest.approx(row.cells["hau_Latn"].mean) == pytest.approx(expected)
        assert row.macro.low < expected < row.macro.high
        shown = f"{expected:.3f}".removeprefix("0")
        assert line(printed(comparison), "task adapter").startswith(f"task adapter {shown} {shown} [.")

    def test_numbers(self, tmp_path: Path) -> None:
        for label, right in (("a", 100), ("b", 0)):
            for seed in range(2):
                add(make_run(tmp_path, label, seed), "hau_Latn", right)
        text = printed(compare([tmp_path], baseline="a"))
        assert line(text, "a ") == "a 1.000 ± .000 1.000 [1.000, 1.000] baseline"
        assert line(text, "b ") == "b .000 ± .000 * .000 [.000, .000] -1.000 [-1.000, -1.000] *"

    def test_a_difference_that_rounds_to_nothing_has_no_sign(self, tmp_path: Path) -> None:
        for label, right in (("a", 1500), ("b", 1499)):
            add(make_run(tmp_path, label), "hau_Latn", right, gold=["x"] * 3000)
        assert "] .000 [-.0" in line(printed(compare([tmp_path], baseline="a")), "b ")

    def test_controls_stand_beneath_their_combination(self, study: Path) -> None:
        rows = [(row.label, row.control) for row in compare([study]).rows]
        assert rows == [
            ("task adapter", "own"),
            ("language prompt + task adapter", "own"),
            ("· no language component", "none"),
            ("· wrong language's", "wrong"),
        ]
        text = printed(compare([study]))
        assert ".300 ± .020 .100 ± .020 .200 [" in line(text, "· no language component")
        assert ".200 ± .020 .000 ± .020" not in line(text, "· wrong language's")

    def test_a_control_says_nothing_of_a_language_without_components(self, tmp_path: Path) -> None:
        run = make_run(tmp_path, combination=PROMPT_AND_ADAPTER)
        for language in ("hau_Latn", "yor_Latn"):
            add(run, language, 60)
        add(run, "yor_Latn", 50, "none")
        predictions = run.predictions("own", "hau_Latn")
        bare = replace(some_result(predictions), component_language="")
        run.write(bare, predictions)
        comparison = compare([tmp_path])
        control = comparison.rows[1]
        assert (control.missing, list(control.cells)) == ({}, ["yor_Latn"])
        assert control.macro is not None
        assert control.macro.mean == pytest.approx(0.5)
        text = printed(comparison)
        assert line(text, "· no") == "· no language component .500 .500 [.402, .598]"
        assert "macro without hau_Latn, which has no language components" in text


class TestDifferences:
    def test_to_the_baseline(self, study: Path) -> None:
        comparison = compare([study], baseline="task adapter")
        baseline, other, *controls = comparison.rows
        assert baseline.difference is None
        assert other.difference is not None
        assert other.difference.difference.mean == pytest.approx(0.1)
        assert [row.difference for row in controls] == [None, None]
        text = printed(comparison)
        assert line(text, "task adapter").endswith("] baseline")
        assert "] +.100 [+.0" in line(text, "language prompt")
        assert line(text, "language prompt").endswith("] *")
        assert line(text, "*:").startswith("*: differs from task adapter at a false discovery rate of 5 %")
        assert "over task adapter" in text

    def test_one_training_has_no_star(self, tmp_path: Path) -> None:
        """All that a is wrong in b is right in; but another training of b might be as a is."""
        for label, right in (("a", 10), ("b", 90)):
            add(make_run(tmp_path, label), "hau_Latn", right)
        comparison = compare([tmp_path], baseline="a")
        text = printed(comparison)
        assert line(text, "b ").startswith("b .900 .900 [")
        assert "] +.800 [+.7" in line(text, "b ")
        assert "*" not in text
        assert line(text, "No test and no star").startswith("No test and no star, for one of the two has one seed: b.")
        assert line(text, "With one seed the interval is over test-set sampling only")
        assert {one["star"] for one in csv.DictReader(StringIO(comparison.averages_csv()))} == {"", "False"}

    def test_macro_differences_are_corrected_together(self, tmp_path: Path) -> None:
        """What is a star alone is none among many, and the file says the corrected p."""
        for label, rights in (("a", (50, 52, 54)), ("b", (56, 59, 62)), *((f"c{n}", (52, 54, 50)) for n in range(6))):
            for seed, right in enumerate(rights):
                add(make_run(tmp_path, label, seed), "hau_Latn", right)
        stars = {}
        for labels in ("ab", "a*"):
            places = [path for path in (tmp_path / "sib").iterdir() if path.name[0] in labels or labels == "a*"]
            b = next(row for row in compare(places, baseline="a").rows if row.combination == "b").difference
            assert b is not None
            assert b.difference.p is not None
            assert b.difference.p < 0.05
            stars[labels] = b.significant
            assert b.adjusted_p == pytest.approx(b.difference.p * (1 if labels == "ab" else 7))
        assert stars == {"ab": True, "a*": False}
        lines = csv.DictReader(StringIO(compare([tmp_path], baseline="a").averages_csv()))
        found = {one["combination"]: one for one in lines if one["over"] == "macro"}
        assert float(found["b"]["adjusted_p"]) == pytest.approx(7 * float(found["b"]["p"]))
        assert found["b"]["star"] == "False"

    def test_the_source_is_not_tested(self, study: Path) -> None:
        """It is not what the comparison is about, and more tests would cost the others their stars."""
        other = compare([study], baseline="task adapter").rows[1]
        assert list(other.by_language) == ["hau_Latn", "yor_Latn"]

    def test_no_star_without_a_difference(self, tmp_path: Path) -> None:
        for label, shift in (("a", 0), ("b", 50)):
            add(make_run(tmp_path, label), "hau_Latn", 51 if shift else 50, shift=shift)
        text = printed(compare([tmp_path], baseline="a"))
        assert "+.010 [-." in line(text, "b ")
        assert not line(text, "b ").endswith("*")

    def test_none_without_a_baseline(self, study: Path) -> None:
        comparison = compare([study])
        assert comparison.baseline is None
        assert "over " not in printed(comparison).split("±: ")[0]
        assert "*" not in printed(comparison)

    def test_other_examples_cannot_be_paired(self, tmp_path: Path) -> None:
        add(make_run(tmp_path, "a"), "hau_Latn", 50)
        add(make_run(tmp_path, "b"), "hau_Latn", 90, ids=[f"x{number:03d}" for number in range(SIZE)])
        text = printed(compare([tmp_path], baseline="a"))
        assert line(text, "b ").endswith("] –")
        assert "No difference for b: the two combinations were tested on different examples of hau_Latn." in text

    def test_other_seeds_are_said_not_to_be_paired(self, tmp_path: Path) -> None:
        for label, seed in (("a", 0), ("a", 1), ("b", 5)):
            add(make_run(tmp_path, label, seed), "hau_Latn", 50 + seed)
        text = printed(compare([tmp_path], baseline="a"))
        assert "Paired by examples but not by seeds, as a has others: b." in text
        assert line(text, "seeds:") == "seeds: 0, 1 (a); 5 (b)."


class TestGaps:
    def test_a_missing_seed_shows_openly(self, study: Path) -> None:
        [run] = study.glob("sib/task-adapter-2*")
        (run / "results/own/yor_Latn.json").unlink()
        text = printed(compare([study], baseline="language prompt + task adapter"))
        assert line(text, "task adapter") == "task adapter .800 ± .020 .600 ± .020 * – – –"
        assert "Still to test: task adapter in yor_Latn (seed 2)." in text
        assert line(text, "–:") == "–: not tested, or not with all seeds."
        # The gap of one does not narrow the average of the others.
        assert "macro: mean over 2 languages" in text
        assert " .600 [" in line(text, "language prompt")

    def test_a_language_that_only_other_combinations_have_is_missing_too(self, study: Path) -> None:
        for run in study.glob("sib/task-adapter-*"):
            (run / "results/own/yor_Latn.json").unlink()
        text = printed(compare([study]))
        assert line(text, "task adapter").endswith(".600 ± .020 – –")
        assert "Still to test: task adapter in yor_Latn (seed 0, 1, 2)." in text

    def test_a_missing_control_is_a_gap_of_the_control_alone(self, study: Path) -> None:
        [run] = study.glob("sib/language-prompt*-1-*")
        (run / "results/none/hau_Latn.json").unlink()
        text = printed(compare([study]))
        assert line(text, "· no language component").split()[-5:] == ["–", ".100", "±", ".020", "–"]
        assert "component in hau_Latn (seed 1)." in text
        assert "–" not in line(text, "language prompt")

    def test_fewer_seeds_are_said(self, study: Path) -> None:
        for file in study.glob("sib/task-adapter-[12]*/run.json"):
            file.unlink()
        text = printed(compare([study]))
        assert line(text, "task adapter").startswith("task adapter .780 .580 .380 ")
        assert line(text, "seeds:") == "seeds: 0 (task adapter); 0, 1, 2 (language prompt + task adapter)."

    def test_runs_without_results_are_said(self, study: Path) -> None:
        make_run(study, "head only", 4)
        comparison = compare([study])
        assert "No results yet: head only, seed 4." in comparison.legend
        assert len(comparison.rows) == 4

    def test_no_average_over_the_languages_of_some(self, tmp_path: Path) -> None:
        """Two experiments, three targets and two of them: averages over the two, and the third is said."""
        for experiment, languages in (("a", "hau yor zul"), ("b", "hau yor")):
            run = make_run(tmp_path, experiment=experiment)
            for place, language in enumerate(languages.split()):
                add(run, f"{language}_Latn", 60 + 10 * place)
        comparison = compare([tmp_path])
        assert [row.macro and round(row.macro.mean, 6) for row in comparison.rows] == [0.65, 0.65]
        text = printed(comparison)
        assert "Not in the macro average, for not every row has it zero-shot: zul_Latn." in text
        assert line(text, "zul_Latn") == "zul_Latn Zulu .800 –"

    def test_nothing_in_common(self, tmp_path: Path) -> None:
        add(make_run(tmp_path, experiment="a"), "hau_Latn", 50)
        add(make_run(tmp_path, experiment="b"), "yor_Latn", 50)
        comparison = compare([tmp_path], baseline="a: task adapter")
        assert [row.macro for row in comparison.rows] == [None, None]
        assert "No macro average: there is no language that every row has zero-shot." in comparison.legend
        assert "No differences: a: task adapter has no macro average." in comparison.legend

    def test_other_examples_with_another_seed_are_refused(self, tmp_path: Path) -> None:
        add(make_run(tmp_path, seed=0), "hau_Latn", 50)
        run = make_run(tmp_path, seed=1)
        add(run, "hau_Latn", 50, ids=[f"x{number:03d}" for number in range(SIZE)])
        with pytest.raises(UserError, match=f"{run.path}: hau_Latn was tested on other examples than in"):
            compare([tmp_path])

    def test_predictions_of_another_size_than_the_result_are_refused(self, tmp_path: Path) -> None:
        run = make_run(tmp_path)
        add(run, "hau_Latn", 50)
        file = run.path / "results/own/hau_Latn.json"
        file.write_text(file.read_text().replace('"examples": 100', '"examples": 99'))
        with pytest.raises(UserError, match="not as many predictions as its result says"):
            compare([tmp_path])


    @pytest.mark.parametrize(
        ("first", "second", "what"),
        [
            (("old", ()), ("new", ()), "on other data"),
            (("same", ("a",)), ("same", ("b",)), "with other language components"),
        ],
    )
    def test_seeds_that_differ_in_more_are_refused(
        self, tmp_path: Path, first: tuple[str, Sequence[str]], second: tuple[str, Sequence[str]], what: str
    ) -> None:
        for seed, (data, components) in enumerate((first, second)):
            run = make_run(tmp_path, seed=seed)
            add(run, "hau_Latn", 50, data=data, components=components)
        with pytest.raises(UserError, match=f"{run.path}: hau_Latn was tested {what} than in"):
            compare([tmp_path])

    def test_results_without_a_fingerprint_stand_beside_others(self, tmp_path: Path) -> None:
        for seed, data in enumerate(("", "known")):
            add(make_run(tmp_path, seed=seed), "hau_Latn", 50, data=data)
        assert compare([tmp_path]).rows[0].cells["hau_Latn"].mean == 0.5


class TestTasks:
    """What tables of other tasks than classification with plain labels show."""

    def answer(self, tmp_path: Path, *, parallel: bool) -> Comparison:
        """Two languages of question answering, whose gold is in their own words, 60 of 100 answers right."""
        run = make_run(tmp_path, dataset="xquad", task="question answering", parallel=parallel)
        for language in ("deu_Latn", "ell_Grek"):
            gold = [f'["{language}{number} word"]' for number in range(SIZE)]
            guesses = [f"{language}{number} word" if number < 60 else UNPARSED for number in range(SIZE)]
            add(run, language, SIZE, gold=gold, predicted=guesses)
        return compare([tmp_path])

    def test_the_main_metric_is_shown_by_its_name(self, tmp_path: Path) -> None:
        run = make_run(tmp_path, dataset="masakhaner", task="tagging")
        add(run, "hau_Latn", 75, gold=["B-PER I-PER O"] * SIZE, wrong="B-PER O O")
        comparison = compare([tmp_path])
        assert comparison.title.startswith("span F1 · masakhaner · ")
        assert comparison.rows[0].cells["hau_Latn"].mean == 0.75
        assert [file.name for file in comparison.write(tmp_path / "out")] == [
            "table-span_f1.md",
            "table-span_f1.tex",
            "results.csv",
            "averages-span_f1.csv",
        ]
        [row] = csv.DictReader(StringIO(comparison.csv()))
        assert [row[name] for name in ("span_f1", "span_precision", "span_recall", "unparsed_rate")] == [
            "0.75",
            "0.75",
            "0.75",
            "0.0",
        ]
        assert not any("Labels that do not occur" in said or "label" in said for said in comparison.legend)

    def test_metrics_of_another_task_are_unknown(self, tmp_path: Path) -> None:
        add(make_run(tmp_path, task="tagging"), "hau_Latn", 50, gold=["B-PER"] * SIZE, wrong="O")
        known = r"\(of tagging: span_f1, span_precision, span_recall\)"
        with pytest.raises(UserError, match=rf"unknown metric 'span-f1'; did you mean 'span_f1'\? {known}"):
            compare([tmp_path], "span-f1")
        with pytest.raises(UserError, match=rf"unknown metric 'accuracy' {known}"):
            compare([tmp_path], "accuracy")

    def test_a_positive_label_has_an_f1(self, tmp_path: Path) -> None:
        add(make_run(tmp_path, positive="a"), "hau_Latn", 80, wrong="a")
        assert compare([tmp_path]).metric.name == "accuracy"
        comparison = compare([tmp_path], "f1")
        assert comparison.title.startswith("F1 of a · ")
        assert comparison.rows[0].cells["hau_Latn"].mean == pytest.approx(2 * 50 / (50 + 60))

    def test_unparsed_answers_are_said(self, tmp_path: Path) -> None:
        legend = self.answer(tmp_path, parallel=True).legend
        said = "Answers that could not be read, and count as wrong, task adapter: deu_Latn .400, ell_Grek .400."
        assert said in legend

    def test_questions_about_one_context_are_said_to_depend(self, tmp_path: Path, study: Path) -> None:
        said = "Questions about one context are taken as independent"
        assert any(one.startswith(said) for one in self.answer(tmp_path / "answers", parallel=True).legend)
        assert not any(one.startswith(said) for one in compare([study]).legend)

    def test_an_unparsed_label_is_not_a_foreign_one(self, tmp_path: Path) -> None:
        add(make_run(tmp_path), "hau_Latn", 90, wrong=UNPARSED)
        legend = compare([tmp_path]).legend
        assert "Answers that could not be read, and count as wrong, task adapter: hau_Latn .100." in legend
        assert not any("does not occur" in said for said in legend)

    @pytest.mark.parametrize(("parallel", "resampling"), [(True, "parallel"), (False, "per language")])
    def test_a_dataset_says_whether_its_ids_are_parallel(
        self, tmp_path: Path, parallel: bool, resampling: str
    ) -> None:
        """Ids such as test-00001 are the same in each language of some datasets and tell nothing."""
        average = self.answer(tmp_path, parallel=parallel).rows[0].macro
        assert average is not None
        assert average.resampling == resampling


class TestLegend:
    def test_what_language_components_are_is_said(self, tmp_path: Path) -> None:
        for seed in range(2):
            run = make_run(tmp_path, "language prompt + task adapter", seed, combination=PROMPT_AND_ADAPTER)
            run.write_record(replace(run.record, components={"language prompt hau_Latn": "7f3a", "task": f"{seed}"}))
            add(run, "hau_Latn", 60 + seed)
            add(run, "hau_Latn", 50, "wrong")
        legend = compare([tmp_path]).legend
        assert "Wrong language's: those of zul_Latn in hau_Latn." in legend
        assert any(one.startswith("Language components were trained once and serve all seeds: ") for one in legend)
        for run in read_runs([tmp_path]):
            run.write_record(replace(run.record, components={"language prompt hau_Latn": f"{run.record.seed}"}))
        assert not any("serve all seeds" in one for one in compare([tmp_path]).legend)

    def test_where_nothing_was_trained_no_training_is_spoken_of(self, tmp_path: Path) -> None:
        """A backbone that answers as it is: no other training would give another figure."""
        said = "With one seed the interval is "
        untrained = make_run(tmp_path / "a", "no components", combination={"language": {}, "task": {}})
        add(untrained, "hau_Latn", 40)
        assert not any(one.startswith(said) for one in compare([tmp_path]).legend)
        for seed in range(2):
            add(make_run(tmp_path / "b", seed=seed), "hau_Latn", 60 + seed)
        beside = compare([tmp_path])
        assert f"{said}± 1.96 standard errors over the resamples." in beside.legend
        # A pivot has a cell for each training.
        assert any("over test-set sampling only" in one for one in compare([tmp_path], by="seed").legend)
        # A head alone is trained too: the run names it among what it stands on.
        untrained.write_record(replace(untrained.record, components={"task head · seed 0": "7f3a"}))
        assert any("over test-set sampling only" in one for one in compare([tmp_path]).legend)

    def test_different_data_are_said(self, tmp_path: Path) -> None:
        for experiment, data in (("a", "sha256:1"), ("b", "sha256:2")):
            run = make_run(tmp_path, experiment=experiment)
            add(run, "hau_Latn", 50, data=data)
            add(run, "yor_Latn", 50, data="sha256:3")
        legend = compare([tmp_path]).legend
        told = "hau_Latn was tested on different data: sha256:1 (a: task adapter); sha256:2 (b: task adapter)."
        assert told in legend
        assert not any("yor_Latn was tested" in one or "versions of the data" in one for one in legend)

    def test_different_commits_are_said(self, tmp_path: Path) -> None:
        run = make_run(tmp_path)
        for language, commit in (("hau_Latn", "one"), ("swh_Latn", "one"), ("yor_Latn", "two")):
            add(run, language, 50, data=f"someone/texts@{commit}/{language}/test")
        assert (
            "Languages were tested on different versions of the data: "
            "someone/texts@one (hau_Latn, swh_Latn); someone/texts@two (yor_Latn)."
        ) in compare([tmp_path]).legend

    def test_says_what_the_figures_are(self, study: Path) -> None:
        comparison = compare([study])
        assert comparison.title == "accuracy · sib200 · xlm-roberta-base@e73636d · eng_Latn → 2 languages"
        assert "±: standard deviation over seeds." in comparison.legend
        assert (
            "macro: mean over 2 languages, zero-shot; [95 % interval]: ± √(t² s²/n + 1.96² c), with s the standard "
            "deviation of the n seeds' averages, t of n - 1 degrees of freedom, and c their covariance over 1,000 "
            "bootstrap resamples of examples (the same in all languages, whose test sets are parallel), but at least "
            "1.96 standard errors over these; it holds for these languages and other trainings, at least so often "
            "(Banerjee, Sankhyā 1960)."
        ) in comparison.legend
        assert "seeds: 0, 1, 2." in comparison.legend
        assert "examples a language: 100." in comparison.legend

    def test_notes_of_the_runs_come_once(self, study: Path) -> None:
        legend = compare([study]).legend
        notes = [said for said in legend if said == "A note." or said.startswith("Of seed")]
        assert notes == ["A note.", "Of seed 0.", "Of seed 1.", "Of seed 2."]

    def test_labels_that_a_language_lacks_and_predictions_of_them(self, tmp_path: Path) -> None:
        run = make_run(tmp_path)
        add(run, "hau_Latn", 90, gold=["a", "b", "c", "a"] * 25, wrong="a")
        for language, right in (("fra_Latn", 99), ("yor_Latn", 95)):
            add(run, language, right, wrong="c", ids=[f"{language}{number:03d}" for number in range(SIZE)])
        legend = compare([tmp_path]).legend
        assert "Labels that do not occur in a test set: fra_Latn, yor_Latn: c." in legend
        assert (
            "Predictions of a label that does not occur in the test set, task adapter: yor_Latn .050, fra_Latn .010."
        ) in legend

    def test_several_backbones(self, tmp_path: Path) -> None:
        for backbone in ("base", "large"):
            add(make_run(tmp_path, backbone=backbone), "hau_Latn", 50)
        comparison = compare([tmp_path])
        assert [row.label for row in comparison.rows] == ["task adapter · base", "task adapter · large"]
        assert "2 backbones" in comparison.title
        assert "backbone: base (task adapter · base); large (task adapter · large)." in comparison.legend


class TestLayout:
    def test_few_languages_are_columns(self, study: Path) -> None:
        above, below = printed(compare([study])).splitlines()[2:4]
        assert above.split() == ["eng_Latn", "†", "hau_Latn", "yor_Latn"]
        assert below.split() == ["English", "Hausa", "Yoruba", "macro", "(95", "%)"]

    @pytest.mark.parametrize("width", [40, 60, 80, 100, 160])
    def test_figures_never_fold(self, study: Path, width: int) -> None:
        text = printed(compare([study], baseline="task adapter"), width)
        assert all(len(line) <= width for line in text.splitlines()[1:])
        assert text.count(".800 ± .020") == 1
        assert text.count(".500 [.") == 1

    def test_many_languages_are_rows(self, tmp_path: Path) -> None:
        from datamodules.languages.table import LANGUAGES

        languages = sorted(LANGUAGES)[:205]
        for number in range(3):
            run = make_run(tmp_path, f"combination {number}")
            for language in languages:
                add(run, language, 50 + number)
        comparison = compare([tmp_path])
        # Three columns of figures have no room beside the names: the table comes in two parts.
        for width, parts in ((60, 2), (120, 1)):
            text = printed(comparison, width).partition("\nmacro: ")[0]
            assert max(map(len, text.splitlines()[2:])) <= width
            for language in languages:
                assert text.count(f"\n{language} ") == parts

    def test_more_languages_than_rows_are_rows(self, tmp_path: Path) -> None:
        run = make_run(tmp_path)
        for language in ("hau_Latn", "yor_Latn"):
            add(run, language, 50)
        lines = [" ".join(one.split()) for one in printed(compare([tmp_path])).splitlines()]
        assert lines[2:4] == ["macro (95 %)", "task adapter .500 [.402, .598]"]
        assert lines[5:9] == ["task", "adapter", "hau_Latn Hausa .500", "yor_Latn Yoruba .500"]

    def test_a_label_with_brackets(self, tmp_path: Path) -> None:
        add(make_run(tmp_path, "prompt [bold]"), "hau_Latn", 50)
        assert line(printed(compare([tmp_path])), "prompt") == "prompt [bold] .500 .500 [.402, .598]"

    def test_a_language_without_a_known_name(self, tmp_path: Path) -> None:
        add(make_run(tmp_path), "xqz_Latn", 50)
        assert "xqz_Latn" in printed(compare([tmp_path]))

    def test_several_experiments_are_told_apart(self, tmp_path: Path) -> None:
        for experiment in ("one", "two"):
            add(make_run(tmp_path, experiment=experiment), "hau_Latn", 50)
        rows = compare([tmp_path / "two", tmp_path / "one"]).rows
        assert [row.label for row in rows] == ["two: task adapter", "one: task adapter"]


class TestFiles:
    def test_markdown(self, study: Path, tmp_path: Path) -> None:
        table, *_ = compare([study], baseline="task adapter").write(tmp_path / "new folder")
        assert table == tmp_path / "new folder" / "table-accuracy.md"
        lines = table.read_text().splitlines()
        assert lines[0] == "**accuracy · sib200 · xlm-roberta-base@e73636d · eng_Latn → 2 languages**"
        header = lines.index(
            "|  | eng_Latn †<br>English | hau_Latn<br>Hausa | yor_Latn<br>Yoruba | macro (95 %) | over task adapter |"
        )
        assert lines[header + 1] == "|---|---|---|---|---|---|"
        assert lines[header + 2].startswith("| task adapter | .800 ± .020 | .600 ± .020 | .400 ± .020 | .500 [")
        assert lines[header + 3].endswith("] \\* |")
        assert "- A note." in lines

    def test_markdown_of_a_label_with_a_bar(self, tmp_path: Path) -> None:
        add(make_run(tmp_path, "a|b"), "hau_Latn", 50)
        assert "| a\\|b |" in compare([tmp_path]).markdown()

    def test_csv(self, study: Path, tmp_path: Path) -> None:
        [run] = study.glob("sib/task-adapter-2*")
        (run / "results/own/yor_Latn.json").unlink()
        _, _, file, _ = compare([study], "macro_f1").write(tmp_path)
        rows = list(csv.DictReader(StringIO(file.read_text())))
        assert file.name == "results.csv"
        assert len(rows) == 3 * 3 + 3 * 9 - 1
        [one] = [
            row
            for row in rows
            if (row["combination"], row["seed"], row["control"], row["language"])
            == ("language prompt + task adapter", "1", "wrong", "hau_Latn")
        ]
        result = next(result for result in RunFolder(run).results() if result.language == "hau_Latn")
        assert float(one["accuracy"]) == 0.2
        assert float(one["foreign_rate"]) == 0.8
        assert (one["experiment"], one["settings"], one["component_language"]) == ("sib", "{}", "zul_Latn")
        assert (one["source"], one["examples"]) == ("False", "100")
        macro = next(
            float(row["macro_f1"])
            for row in rows
            if (row["combination"], row["seed"], row["language"]) == ("task adapter", "2", "hau_Latn")
        )
        assert macro == result.scores["macro_f1"]

    def test_csv_holds_what_the_table_does_though_a_file_changed_since(self, tmp_path: Path) -> None:
        run = make_run(tmp_path)
        add(run, "hau_Latn", 50)
        comparison = compare([tmp_path])
        add(run, "hau_Latn", 90)
        [row] = csv.DictReader(StringIO(comparison.csv()))
        assert float(row["accuracy"]) == 0.5

    def test_predictions_of_another_score_than_the_result_are_refused(self, tmp_path: Path) -> None:
        run = make_run(tmp_path)
        add(run, "hau_Latn", 50)
        result = (run.path / "results/own/hau_Latn.json").read_bytes()
        add(run, "hau_Latn", 90)
        (run.path / "results/own/hau_Latn.json").write_bytes(result)
        message = r"hau_Latn \(own\) has accuracy 0\.5000 in its result and 0\.9000 by its predictions"
        with pytest.raises(UserError, match=message):
            compare([tmp_path])

    def test_written_beside_the_runs_it_can_be_read_again(self, study: Path) -> None:
        comparison = compare([study])
        comparison.write(study)
        assert compare([study]).markdown() == comparison.markdown()


class TestMistakes:
    def test_unknown_metric(self, study: Path) -> None:
        known = r"\(of classification: accuracy, macro_f1, weighted_f1\)"
        with pytest.raises(UserError, match=rf"unknown metric 'acuracy'; did you mean 'accuracy'\? {known}"):
            compare([study], "acuracy")

    def test_unknown_baseline(self, study: Path) -> None:
        with pytest.raises(UserError, match=r"no combination is called 'task adaptor'; did you mean 'task adapter'\?"):
            compare([study], baseline="task adaptor")

    def test_a_baseline_of_several_experiments(self, tmp_path: Path) -> None:
        for experiment in ("one", "two"):
            add(make_run(tmp_path, experiment=experiment), "hau_Latn", 50)
        add(make_run(tmp_path, "head only", experiment="two"), "hau_Latn", 50)
        with pytest.raises(UserError, match="several .* 'task adapter': one: task adapter; two: task adapter"):
            compare([tmp_path], baseline="task adapter")
        assert compare([tmp_path], baseline="one: task adapter").baseline == "one: task adapter"
        assert compare([tmp_path], baseline="head only").baseline == "head only"

    def test_several_datasets(self, tmp_path: Path) -> None:
        for dataset in ("sib200", "masakhanews"):
            add(make_run(tmp_path, experiment=dataset, dataset=dataset), "hau_Latn", 50)
        with pytest.raises(UserError, match=r"different datasets.*masakhanews \(.*sib200 \("):
            compare([tmp_path])

    @pytest.mark.parametrize(
        ("one", "other", "what"),
        [
            ({"task": "tagging"}, {"task": "classification"}, r"tasks.*: classification \(.*, tagging \("),
            ({"positive": "a"}, {"positive": None}, r"positive labels.*: None \(.*, a \("),
        ],
    )
    def test_several_tasks_and_positive_labels(
        self, tmp_path: Path, one: dict[str, Any], other: dict[str, Any], what: str
    ) -> None:
        add(make_run(tmp_path, experiment="second", **one), "hau_Latn", 50)
        add(make_run(tmp_path, experiment="first", **other), "hau_Latn", 50)
        with pytest.raises(UserError, match=f"different {what}"):
            compare([tmp_path])

    def test_a_result_that_is_older_than_a_metric(self, tmp_path: Path) -> None:
        run = make_run(tmp_path)
        add(run, "hau_Latn", 50)
        run.write_record(replace(run.record, positive="a"))
        with pytest.raises(UserError, match=r"hau_Latn has the scores accuracy, .*_f1, not accuracy, .*, f1; run"):
            compare([tmp_path])

    def test_nothing_tested_yet(self, tmp_path: Path) -> None:
        make_run(tmp_path)
        with pytest.raises(UserError, match="no results yet in"):
            compare([tmp_path])
