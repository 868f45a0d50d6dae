"""Groups of languages, tests of single languages, pivots, and the files that hold them."""

import csv
import itertools
import json
import shutil
import subprocess
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from framework.cli import app
from framework.errors import UserError
from framework.reports.compare import Comparison, compare
from framework.reports.compare.latex import escape
from framework.results.run_folder import RunFolder
from tests.framework.made_runs import SIZE, add, line, make_run, printed

pytestmark = pytest.mark.usefixtures("unsynced_files")

MIXED = ("hau_Latn", "yor_Latn", "swh_Latn", "hin_Deva", "rus_Cyrl", "xqz_Latn")
"""Three of Africa, two of other scripts, and one that only its user knows."""


def study(folder: Path, seeds: int = 1, **facts: Any) -> Path:
    """Two combinations in six languages; the second is better in all, from one to six parts of a hundred."""
    for label, seed in itertools.product(("head only", "task adapter"), range(seeds)):
        run = make_run(folder, label, seed, **facts)
        for place, language in enumerate(MIXED):
            add(run, language, 50 + 5 * place + (place + 1) * (label == "task adapter"))
    return folder


class TestGroups:
    def test_by_script(self, tmp_path: Path) -> None:
        comparison = compare([study(tmp_path)], group=["script"])
        [grouping] = comparison.groupings
        assert list(grouping.groups) == ["Latn", "Cyrl", "Deva"]  # the largest first
        found = comparison.rows[0].groups["script"]
        assert found["Latn"].languages == ("hau_Latn", "swh_Latn", "xqz_Latn", "yor_Latn")
        assert found["Latn"].average.mean == pytest.approx(np.mean([0.5, 0.55, 0.6, 0.75]))
        deva = found["Deva"].average
        assert deva.mean == pytest.approx(0.65)
        assert deva.low < deva.mean < deva.high
        text = printed(comparison)
        assert ["(4)", "(1)", "(1)"] in [one.split() for one in text.splitlines()]

    @pytest.mark.parametrize("grouping", ["script", "family", "resource", "seen"])
    def test_groups_and_what_is_in_none_make_up_the_whole(self, tmp_path: Path, grouping: str) -> None:
        comparison = compare([study(tmp_path)], group=[grouping])
        [found] = comparison.groupings
        assert sorted([*found.ungrouped, *sum(found.groups.values(), [])]) == sorted(comparison.macro_languages)
        row = comparison.rows[1]
        total = sum(one.average.mean * one.average.languages for one in row.groups[grouping].values())
        total += sum(row.cells[language].mean for language in found.ungrouped)
        assert row.macro is not None
        assert total / len(MIXED) == pytest.approx(row.macro.mean)

    def test_languages_in_no_group_are_said(self, tmp_path: Path) -> None:
        comparison = compare([study(tmp_path)], group=["family", "resource"])
        for grouping in comparison.groupings:
            assert grouping.ungrouped == ["xqz_Latn"]
            assert f"{grouping.name}: in no group, for nothing is known of them: xqz_Latn." in comparison.legend

    def test_classes_of_resources_come_from_high_to_low(self, tmp_path: Path) -> None:
        [grouping] = compare([study(tmp_path)], group=["resource"]).groupings
        assert {name: len(languages) for name, languages in grouping.groups.items()} == {"class 4": 2, "class 2": 3}
        assert list(grouping.groups) == ["class 4", "class 2"]

    def test_a_row_with_gaps_has_no_groups(self, tmp_path: Path) -> None:
        [run] = study(tmp_path).glob("sib/head-only*")
        (run / "results/own/hau_Latn.json").unlink()
        comparison = compare([tmp_path], group=["script"])
        assert [row.groups for row in comparison.rows][0] == {}
        assert line(printed(comparison), "head only") == "head only – – –"

    def test_many_groups_are_rows(self, tmp_path: Path) -> None:
        run = make_run(tmp_path)
        for code in ("amh_Ethi", "ben_Beng", "ell_Grek", "hin_Deva", "rus_Cyrl", "tha_Thai", "tam_Taml"):
            add(run, code, 50)
        text = printed(compare([tmp_path], group=["script"]))
        assert line(text, "Beng (1)") == "Beng (1) .500 [.402, .598]"

    def test_an_unknown_group(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=r"unknown group 'scripts'; did you mean 'script'\? \(known: script"):
            compare([study(tmp_path)], group=["scripts"])


class TestSeen:
    def groups(self, comparison: Comparison) -> dict[str, list[str]]:
        [grouping] = comparison.groupings
        return grouping.groups

    def test_of_a_model_on_the_hub(self, tmp_path: Path) -> None:
        comparison = compare([study(tmp_path)], group=["seen"])
        assert self.groups(comparison) == {
            "seen": ["hau_Latn", "hin_Deva", "rus_Cyrl", "swh_Latn"],
            "unseen": ["xqz_Latn", "yor_Latn"],
        }
        said = "seen: in the backbone's pretraining: CC-100 (Conneau"
        assert any(one.startswith(said) for one in comparison.legend)

    def test_a_folder_says_nothing_but_may_be_told(self, tmp_path: Path) -> None:
        study(tmp_path, backbone="xlm-roberta-base-copy", written={"backbone": {"name": "/models/xlm-roberta-base"}})
        comparison = compare([tmp_path], group=["seen"])
        assert self.groups(comparison) == {}
        assert (
            "seen: it is not known what xlm-roberta-base-copy was pretrained on; say it with --pretrained-on."
        ) in comparison.legend
        told = self.groups(compare([tmp_path], group=["seen"], pretrained_on="wikipedia104"))
        assert told["unseen"] == ["hau_Latn", "xqz_Latn"]
        with pytest.raises(UserError, match=r"unknown pretraining corpus 'cc10'; did you mean 'cc100'"):
            compare([tmp_path], group=["seen"], pretrained_on="cc10")

    def test_a_folder_that_keeps_its_parents_name(self, tmp_path: Path) -> None:
        """It may have been pretrained further, and `save_pretrained` writes what was loaded."""
        model = tmp_path / "xlm-roberta-base"
        model.mkdir()
        (model / "config.json").write_text(json.dumps({"_name_or_path": "FacebookAI/xlm-roberta-base"}))
        study(tmp_path / "runs", backbone="xlm-roberta-base", written={"backbone": {"name": str(model)}})
        assert self.groups(compare([tmp_path / "runs"], group=["seen"])) == {}

    def test_tuning_is_not_pretraining(self, tmp_path: Path) -> None:
        said = "may have seen more languages when it was tuned"
        for name, told in (("xlm-roberta-base@e73636d", False), ("intfloat/multilingual-e5-small@abc1234", True)):
            place = tmp_path / name
            comparison = compare([study(place, backbone=name)], group=["seen"])
            assert any(f"{name} {said}" in one for one in comparison.legend) == told

    def test_what_somebody_says_may_not_be_all(self, tmp_path: Path) -> None:
        study(tmp_path, backbone="me5")
        legend = compare([tmp_path], group=["seen"], pretrained_on="cc100").legend
        assert any("me5 may have seen more languages" in one for one in legend)

    def test_a_backbone_that_the_experiment_pretrains(self, tmp_path: Path) -> None:
        pretrain = {"languages": ["hau_Latn"]}
        study(tmp_path / "a", written={"backbone": {"name": "x/y", "random_init_seed": 0}, "pretrain": pretrain})
        assert self.groups(compare([tmp_path / "a"], group=["seen"]))["seen"] == ["hau_Latn"]
        pretrain = {"languages": ["yor_Latn"]}
        study(tmp_path / "b", written={"backbone": {"name": "xlm-roberta-base"}, "pretrain": pretrain})
        assert self.groups(compare([tmp_path / "b"], group=["seen"]))["unseen"] == ["xqz_Latn"]

    def test_one_backbone_with_and_without_more_pretraining(self, tmp_path: Path) -> None:
        """It is the same by name, whichever of the two comes last."""
        for first, second in ("ab", "ba"):
            place = tmp_path / f"{first}{second}"
            for experiment in (first, second):
                written = {"pretrain": {"languages": ["yor_Latn"]}} if experiment == "b" else {"data": {}}
                study(place / experiment, experiment=experiment, written=written)
            comparison = compare([place / first, place / second], group=["seen"])
            assert self.groups(comparison)["seen in CC-100 + the pretraining of b only"] == ["yor_Latn"]
            assert self.groups(comparison)["unseen"] == ["xqz_Latn"]
            assert any("table 6; its pretrain.languages)" in one for one in comparison.legend)

    def test_several_backbones_share_their_groups(self, tmp_path: Path) -> None:
        study(tmp_path / "a")
        study(tmp_path / "b", backbone="google/mt5-base@0123456")
        groups = self.groups(compare([tmp_path], group=["seen"]))
        assert groups["seen in mC4 only"] == ["yor_Latn"]
        assert groups["unseen"] == ["xqz_Latn"]


class TestTests:
    def test_a_language_that_differs_has_a_star(self, tmp_path: Path) -> None:
        for (label, more), seed in itertools.product((("a", 0), ("b", 30)), range(2)):
            run = make_run(tmp_path, label, seed)
            add(run, "hau_Latn", 50 + more)
            add(run, "yor_Latn", 50, shift=more)  # as many right answers, but others
        comparison = compare([tmp_path], baseline="a")
        found = comparison.rows[1].by_language
        assert {language: one.significant for language, one in found.items()} == {"hau_Latn": True, "yor_Latn": False}
        assert found["hau_Latn"].difference.mean == pytest.approx(0.3)
        assert found["hau_Latn"].difference.p is not None
        assert found["hau_Latn"].adjusted_p == pytest.approx(2 * found["hau_Latn"].difference.p)
        assert comparison.rows[0].by_language == {}
        text = printed(comparison)
        assert line(text, "b ").startswith("b .800 ± .000 * .500 ± .000 .650 [")
        said = "macro averages (1), single languages, zero-shot (2). The intervals are not corrected."
        assert any(said in one for one in comparison.legend)
        assert line(text, "Of 2 languages") == (
            "Of 2 languages, b is better than a in 1 and worse in 0; in 1 the test finds no difference."
        )

    def test_correction_keeps_stars_from_chance(self, tmp_path: Path) -> None:
        """A hundred languages without a difference: some seem to differ, and none has a star."""
        from datamodules.languages.table import LANGUAGES

        generator = np.random.default_rng(0)
        for label, seed in itertools.product("ab", range(3)):
            run = make_run(tmp_path, label, seed)
            for language in sorted(LANGUAGES)[:100]:
                predicted = ["a" if right else "c" for right in generator.random(SIZE) < 0.5]
                ids = [f"{language}{number}" for number in range(SIZE)]
                add(run, language, 0, gold=["a"] * SIZE, predicted=predicted, ids=ids)
        found = compare([tmp_path], baseline="a").rows[1].by_language.values()
        p_values = [one.difference.p for one in found if one.difference.p is not None]
        assert 1 <= sum(p < 0.05 for p in p_values) <= 12  # 5 of 100 expected
        assert not any(one.significant for one in found)

    def test_of_groups(self, tmp_path: Path) -> None:
        for (label, more), seed in itertools.product((("a", 0), ("b", 30)), range(2)):
            run = make_run(tmp_path, label, seed)
            for language in ("hau_Latn", "yor_Latn"):
                add(run, language, 50 + more)
            add(run, "hin_Deva", 50, shift=more)
        comparison = compare([tmp_path], baseline="a", group=["script"])
        groups = comparison.rows[1].groups["script"]
        assert {name: one.tested and one.tested.significant for name, one in groups.items()} == {
            "Latn": True,
            "Deva": False,
        }
        table = printed(comparison).split("over a, by script")[1]
        assert table.splitlines()[3].startswith("b  +.300 [+.2")
        assert table.splitlines()[3].count("*") == 1

    def test_other_groupings_change_no_test(self, tmp_path: Path) -> None:
        """What is shown beside a grouping is no reason to doubt it more."""
        study(tmp_path, seeds=3)
        alone = compare([tmp_path], baseline="head only", group=["script"])
        beside = compare([tmp_path], baseline="head only", group=["script", "family", "resource", "seen"])
        assert alone.rows[1].groups["script"] == beside.rows[1].groups["script"]
        families = "single languages, zero-shot (6), groups by script (3), groups by family ("
        assert any(families in one for one in beside.legend)

    def test_other_examples_of_one_language_leave_the_others(self, tmp_path: Path) -> None:
        for label, prefix in (("a", ""), ("b", "x")):
            run = make_run(tmp_path, label)
            add(run, "hau_Latn", 50)
            add(run, "yor_Latn", 50, ids=[f"{prefix}{number}" for number in range(SIZE)])
        comparison = compare([tmp_path], baseline="a", group=["family"])
        row = comparison.rows[1]
        assert list(row.by_language) == ["hau_Latn"]
        assert row.difference is None
        tested = {name: one.tested is not None for name, one in row.groups["family"].items()}
        assert tested == {"Afro-Asiatic": True, "Atlantic-Congo": False}
        said = "No difference for b: the two combinations were tested on different examples of yor_Latn."
        assert said in comparison.legend


def with_length(folder: Path, length: int, right: int, **facts: Any) -> RunFolder:
    run = make_run(
        folder,
        f"task prompt · length={length}",
        combination={"language": {}, "task": {"prompt": {"length": length}}},
        folder=f"{length}{facts}"[:80].replace("/", "-"),
        **facts,
    )
    add(run, "hau_Latn", right)
    return run


class TestPivot:
    def means(self, comparison: Comparison) -> dict[tuple[str, str], float | None]:
        assert comparison.pivot is not None
        return {
            place: cell.average and round(cell.average.mean, 6) for place, cell in comparison.pivot.cells.items()
        }

    def test_by_a_setting_of_a_component(self, tmp_path: Path) -> None:
        for length, right in ((20, 60), (5, 50), (100, 70)):
            with_length(tmp_path, length, right)
        add(make_run(tmp_path, "head only", combination={"language": {}, "task": {}}), "hau_Latn", 40)
        comparison = compare([tmp_path], by="combination.task.prompt.length")
        assert comparison.pivot is not None
        assert comparison.pivot.columns == ["5", "20", "100", "not set"]
        assert comparison.pivot.rows == ["head only", "task prompt"]
        assert self.means(comparison) == {
            ("head only", "not set"): 0.4,
            ("task prompt", "5"): 0.5,
            ("task prompt", "20"): 0.6,
            ("task prompt", "100"): 0.7,
        }
        assert line(printed(comparison), "head only") == "head only .400 [.303, .497]"

    def test_by_a_key_of_the_experiment_whose_end_is_enough(self, tmp_path: Path) -> None:
        for shots in (4, 16):
            run = make_run(tmp_path, written={"stages": {"task": {"k_shot": shots}}}, folder=f"{shots}")
            add(run, "hau_Latn", 50 + shots)
        comparison = compare([tmp_path], by="k_shot")
        assert comparison.pivot is not None
        assert comparison.pivot.column_key == "stages.task.k_shot"
        assert self.means(comparison) == {("task adapter", "4"): 0.54, ("task adapter", "16"): 0.66}

    def test_by_seed_each_seed_stands_alone(self, tmp_path: Path) -> None:
        for seed in range(3):
            add(make_run(tmp_path, seed=seed), "hau_Latn", 50 + 10 * seed)
        comparison = compare([tmp_path], by="seed")
        assert self.means(comparison) == {("task adapter", f"{seed}"): 0.5 + 0.1 * seed for seed in range(3)}

    def test_by_backbone_experiments_share_a_row(self, tmp_path: Path) -> None:
        for experiment, backbone in (("a", "base"), ("b", "large")):
            add(make_run(tmp_path, experiment=experiment, backbone=backbone), "hau_Latn", 50)
        assert self.means(compare([tmp_path], by="backbone")) == {
            ("task adapter", "base"): 0.5,
            ("task adapter", "large"): 0.5,
        }

    def test_what_columns_do_not_tell_apart_is_in_every_row(self, tmp_path: Path) -> None:
        for length, shots in ((5, 4), (5, 16), (20, 16)):
            with_length(tmp_path, length, 50 + shots, written={"stages": {"task": {"k_shot": shots}}})
        assert set(self.means(compare([tmp_path], by="length"))) == {
            ("task prompt · k_shot=4", "5"),
            ("task prompt · k_shot=16", "5"),
            ("task prompt · k_shot=16", "20"),
        }

    def test_rows_by_a_key_too(self, tmp_path: Path) -> None:
        for place, (language, task) in enumerate([({}, {}), ({"prompt": {}}, {}), ({"prompt": {}}, {"adapter": {}})]):
            run = make_run(tmp_path, f"c{place}", combination={"language": language, "task": task})
            add(run, "hau_Latn", 50 + place)
        comparison = compare([tmp_path], by="combination.task", rows_by="combination.language")
        assert self.means(comparison) == {
            ("none", "none"): 0.5,
            ("prompt", "none"): 0.51,
            ("prompt", "adapter"): 0.52,
        }

    def test_a_gap_is_shown(self, tmp_path: Path) -> None:
        for seed in range(2):
            run = make_run(tmp_path, seed=seed)
            add(run, "hau_Latn", 50)
            if not seed:
                add(run, "yor_Latn", 50)
        add(make_run(tmp_path, "head only"), "hau_Latn", 50)
        add(make_run(tmp_path, "head only"), "yor_Latn", 50)
        cells = self.means(compare([tmp_path], by="seed"))
        assert cells["task adapter", "1"] is None
        assert cells["task adapter", "0"] == 0.5

    def test_mistakes(self, tmp_path: Path) -> None:
        for length in (5, 20):
            with_length(tmp_path, length, 50, written={"data": {"length": 1}, "languages": {"source": ["eng_Latn"]}})
        with pytest.raises(
            UserError,
            match=r"no run has a key 'languages.sorce'; did you mean 'languages.source'\? "
            r"\(these differ between the runs: combination.task.prompt.length\)",
        ):
            compare([tmp_path], by="languages.sorce")
        with pytest.raises(UserError, match=r"several keys end with 'length': .*data.length"):
            compare([tmp_path], by="length")
        with pytest.raises(UserError, match="rows by 'seed' need columns: say which with --by"):
            compare([tmp_path], rows_by="seed")
        with pytest.raises(UserError, match="rows and columns are both 'seed'"):
            compare([tmp_path], by="seed", rows_by="seed")


class TestFiles:
    def test_averages(self, tmp_path: Path) -> None:
        comparison = compare([study(tmp_path, seeds=2)], baseline="head only", group=["script"])
        lines = list(csv.DictReader(StringIO(comparison.averages_csv())))
        assert [one["over"] for one in lines] == ["macro", *["script"] * 3, "macro", *["script"] * 3, *["language"] * 6]
        macro, latin = lines[4:6]
        assert float(macro["difference"]) == pytest.approx(np.mean([1, 2, 3, 4, 5, 6]) / 100)
        assert (latin["combination"], latin["name"], latin["languages"]) == ("task adapter", "Latn", "4")
        assert {one["star"] for one in lines[:4]} == {""}
        single = {one["name"]: one for one in lines if one["over"] == "language"}
        assert float(single["yor_Latn"]["mean"]) == pytest.approx(0.57)
        assert float(single["yor_Latn"]["p"]) <= float(single["yor_Latn"]["adjusted_p"]) <= 1

    def test_a_pivot(self, tmp_path: Path) -> None:
        for length in (5, 20):
            with_length(tmp_path, length, 50 + length)
        files = compare([tmp_path], by="length").write(tmp_path / "out")
        assert [file.name for file in files][-1] == "pivot-accuracy.csv"
        header, row = csv.reader(StringIO(files[-1].read_text()))
        assert header[:4] == ["combination by combination.task.prompt.length", "5", "5 low", "5 high"]
        assert (row[0], float(row[1]), float(row[4])) == ("task prompt", 0.55, 0.7)

    def test_a_name_says_what_a_file_holds(self, tmp_path: Path) -> None:
        comparison = compare([study(tmp_path / "runs")])
        texts = {"a.md": comparison.markdown(), "b.tex": comparison.latex(), "c.csv": comparison.csv()}
        for name, text in texts.items():
            assert comparison.write(tmp_path / name) == [tmp_path / name]
            assert (tmp_path / name).read_text() == text
        (tmp_path / "old.folder").mkdir()
        assert len(comparison.write(tmp_path / "old.folder")) == 4

    def test_the_command_line(self, tmp_path: Path) -> None:
        folder = study(tmp_path / "runs")
        words = ["compare", str(folder), "--group", "script", "--group", "seen", "--by", "seed"]
        words += ["--baseline", "head only", "--out", str(tmp_path / "t.tex"), "--out", str(tmp_path / "t.md")]
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.output
        assert "macro averages by seen" in done.output
        assert {file.name for file in tmp_path.iterdir()} == {"runs", "t.tex", "t.md"}
        assert not list(folder.glob("*.md"))

    def test_an_unknown_kind_of_file_is_said_before_the_work(self, tmp_path: Path) -> None:
        done = CliRunner().invoke(app, ["compare", str(tmp_path / "nowhere"), "--out", "table.txt"])
        assert isinstance(done.exception, UserError)
        known = "did you mean '.tex'? (known: .md, .tex, .csv, or a folder)"
        assert str(done.exception) == f"table.txt: unknown kind of file '.txt'; {known}"


def typeset(folder: Path, options: str = "") -> None:
    """Makes a document that reads the folder's table."""
    document = r"\usepackage{booktabs,longtable}\begin{document}\input{table}\end{document}"
    (folder / "document.tex").write_text(rf"\documentclass{options}{{article}}" + document)
    words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "document.tex"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Missing character" not in (folder / "document.log").read_text(encoding="latin-1")


class TestLatex:
    def test_signs_are_escaped(self) -> None:
        assert escape("a_b & 5 % · {x} → -.012 [.5") == (
            r"a\_b \& 5 \% \textperiodcentered{} \{x\} $\rightarrow$ $-$.012 {[}.5"
        )
        assert escape("zero-shot, multilingual-e5") == "zero-shot, multilingual-e5"

    def test_tables(self, tmp_path: Path) -> None:
        text = compare([study(tmp_path)], baseline="head only", group=["script"]).latex()
        assert text.startswith(r"% needs \usepackage{booktabs,longtable}")
        assert text.count(r"\toprule") == text.count(r"\bottomrule") == text.count(r"\end{table*}") >= 4
        assert r" & Latn & Cyrl & Deva \\" + "\n" + r" & (4) & (1) & (1) \\" in text
        assert r"hau\_Latn" in text

    @pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex here")
    def test_compiles(self, tmp_path: Path) -> None:
        from datamodules.languages.table import LANGUAGES

        for number, label in enumerate((r"a_b & c% #1 $2 ~x^y \z {w} <|>", "[in brackets]", "Bokmål – é · ü")):
            run = make_run(tmp_path, label, folder=f"{number}", experiment=f"e{number}")
            for language in LANGUAGES:
                add(run, language, 40 + 10 * number)
        comparison = compare([tmp_path], baseline="[in brackets]", group=["script", "family", "seen"], by="experiment")
        comparison.write(tmp_path / "table.tex")
        assert r"\end{longtable}" in (tmp_path / "table.tex").read_text(encoding="utf-8")
        typeset(tmp_path)

    @pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex here")
    def test_compiles_in_two_columns(self, tmp_path: Path) -> None:
        compare([study(tmp_path)], baseline="head only", group=["script"]).write(tmp_path / "table.tex")
        typeset(tmp_path, "[twocolumn]")
