"""Analyses with known answers: what made the scores is found, and where nothing did, nothing is."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

import framework.reports.analyze.source_ranking
from datamodules import PRETRAINING_TEXT
from framework.errors import UserError
from framework.identity import plain
from framework.planning.plan import EvaluateStage
from framework.reports.analyze import Analysis, analyze
from framework.reports.analyze.correlations import Correlation, correlate, holm
from framework.reports.analyze.features import family_of, pair_features
from framework.reports.analyze.jackknife import jackknife, without_each
from framework.reports.analyze.regression import Refusal, Regression, regress
from framework.reports.analyze.scores import Scores
from framework.reports.analyze.source_ranking import ndcg, rank_sources
from framework.results.run_folder import RunFolder
from tests.framework.conftest import Modulingua
from tests.framework.made_runs import add, make_run
from tests.framework.tiny import Workspace

CODES = """
deu_Latn nld_Latn swe_Latn fra_Latn spa_Latn ita_Latn rus_Cyrl pol_Latn hin_Deva ben_Beng pes_Arab ell_Grek arb_Arab
heb_Hebr hau_Latn amh_Ethi som_Latn swh_Latn yor_Latn ibo_Latn zul_Latn lin_Latn ewe_Latn tur_Latn kaz_Cyrl uzn_Latn
fin_Latn hun_Latn est_Latn tam_Taml tel_Telu mal_Mlym ind_Latn tgl_Latn mri_Latn ceb_Latn vie_Latn khm_Khmr tha_Thai
lao_Laoo zho_Hans mya_Mymr kor_Hang jpn_Jpan kat_Geor eus_Latn bam_Latn grn_Latn quy_Latn luo_Latn
"""
LANGUAGES = CODES.split()
SOURCES = ("eng_Latn", "arb_Arab", "zho_Hans", "swh_Latn", "quy_Latn")
PLANNED = ("eng_Latn", "swh_Latn", "hau_Latn")
"""Sources that the tiny workspace has texts in."""
FAMILIES = {code: family_of(code) for code in LANGUAGES}
Formula = Callable[[str], float]


def features() -> dict[str, dict[str, float | None]]:
    nothing = {"tokens per word": None, "unknown tokens": None}
    text = PRETRAINING_TEXT["xlm-r"]
    return {
        code: pair_features(["eng_Latn"], code) | nothing | {"pretraining text": np.log1p(text.get(code, 0.0))}
        for code in LANGUAGES
    }


def made(formula: Formula) -> dict[str, float]:
    return {code: formula(code) for code in LANGUAGES}


def noise(code: str) -> float:
    return float(np.random.default_rng(LANGUAGES.index(code)).normal())


class TestCorrelations:
    def test_a_score_made_of_a_feature_is_found(self) -> None:
        near = {code: own["geographic"] for code, own in features().items()}
        found = correlate("c", "geographic", near, made(lambda code: -((near[code] or 0) ** 3)), FAMILIES)
        assert found.rho == pytest.approx(-1)
        assert (found.low, found.high) == pytest.approx((-1, -1))
        assert found.p == pytest.approx(1 / 10_001)
        assert holm([found])[0].significant

    def test_rho_is_scipys(self) -> None:
        from scipy.stats import spearmanr

        values: dict[str, float | None] = {code: round(noise(code)) for code in LANGUAGES}  # with ties
        scores = made(lambda code: (values[code] or 0) + len(FAMILIES[code]))
        found = correlate("c", "f", values, scores, FAMILIES)
        wanted = spearmanr(list(values.values()), list(scores.values()))
        assert found.rho == pytest.approx(wanted.statistic)

    def test_noise_does_not_stand_out(self) -> None:
        own = features()
        tests = [
            correlate("c", name, {code: own[code][name] for code in own}, made(noise), FAMILIES)
            for name in ("geographic", "genetic", "featural", "same script", "pretraining text")
        ]
        assert not any(one.significant for one in holm(tests))

    def test_relatives_count_once(self) -> None:
        # Twelve families of four languages with the same values are twelve observations, not forty-eight.
        x, y = np.random.default_rng(0).normal(size=(2, 12))
        codes = [f"{family}{member}" for family in range(12) for member in "abcd"]
        values: dict[str, float | None] = {code: float(x[int(code[:-1])]) for code in codes}
        scores = {code: float(x[int(code[:-1])] + y[int(code[:-1])]) for code in codes}
        together = correlate("c", "f", values, scores, {code: code[:-1] for code in codes})
        alone = correlate("c", "f", values, scores, {code: code for code in codes})
        assert together.low is not None
        assert together.high is not None
        assert alone.low is not None
        assert alone.high is not None
        assert together.high - together.low > 1.5 * (alone.high - alone.low)

    def test_families_are_left_out_whole(self) -> None:
        left = without_each(["a", "a", "b", "c", "d", "e", "e"])
        assert left.shape == (5, 7)
        assert (left[:, 0] == left[:, 1]).all()
        assert (left[:, 5] == left[:, 6]).all()
        assert (left.sum(axis=0) == 4).all()
        assert (without_each(["a", "a", "b"]) == 1 - np.eye(3)).all(), "too few families"

    def test_the_jackknife_of_a_mean_is_students_interval(self) -> None:
        from scipy.stats import t

        values = np.random.default_rng(0).normal(size=9)
        without = (values.sum() - values) / 8
        error = values.std(ddof=1) / 3
        assert jackknife(values.mean(), without) == pytest.approx(t.interval(0.95, 8, values.mean(), error))

    def test_intervals_hold_the_truth_where_families_are_unequal(self) -> None:
        """The bootstrap's percentiles lie askew there, and BCa holds the truth in three of four at most."""
        families = [family_of(code) for code in PRETRAINING_TEXT["xlm-r"]]
        names = sorted(set(families))
        place = [names.index(family) for family in families]
        codes = [str(number) for number in range(len(families))]
        generator = np.random.default_rng(0)
        held = []
        for _ in range(100):
            x, y = generator.normal(size=(2, len(names)))[:, place] + 0.5 * generator.normal(size=(2, len(codes)))
            values: dict[str, float | None] = dict(zip(codes, x.tolist(), strict=True))
            scores = dict(zip(codes, y.tolist(), strict=True))
            found = correlate("c", "f", values, scores, dict(zip(codes, families, strict=True)))
            assert found.rho is not None
            assert found.low is not None
            assert found.high is not None
            assert found.low < found.rho < found.high
            held.append(found.low <= 0 <= found.high)
        assert np.mean(held) >= 0.9

    def test_what_one_family_alone_has_gets_no_interval(self) -> None:
        kin: dict[str, float | None] = {code: float(FAMILIES[code] == "Uralic") for code in LANGUAGES}
        found = correlate("c", "same family", kin, made(lambda code: kin[code] or noise(code) / 99), FAMILIES)
        assert found.rho is not None
        assert found.p < 0.01
        assert (found.low, found.high) == (None, None)
        assert not holm([found])[0].significant

    def test_holm_multiplies_by_the_tests_that_are_left(self) -> None:
        given = [Correlation("c", str(p), 9, 0.5, p=p) for p in (0.01, 0.04, 0.03)]
        none = Correlation("c", "constant", 9, None)
        assert [one.p_holm for one in holm([*given, none])] == pytest.approx([0.03, 0.06, 0.06, 1.0])

    def test_too_few_languages_or_no_difference_give_none(self) -> None:
        four = LANGUAGES[:4]
        values: dict[str, float | None] = {code: noise(code) for code in four}
        assert correlate("c", "f", values, {code: noise(code) for code in four}, FAMILIES).rho is None
        assert correlate("c", "f", dict.fromkeys(LANGUAGES, 1.0), made(noise), FAMILIES).rho is None


class TestRegression:
    def test_a_score_made_of_features_is_explained_in_unseen_families(self) -> None:
        own = features()

        def score(code: str) -> float:
            return 0.3 + 0.05 * (own[code]["pretraining text"] or 0) - 0.2 * (own[code]["geographic"] or 0)

        found = regress("c", made(score), own, FAMILIES)
        assert isinstance(found, Regression)
        assert found.r2 > 0.99
        assert found.r2_of_mean <= 0
        assert found.error < 0.01 < found.error_of_mean
        assert found.coefficients["pretraining text"][1] > 0 > found.coefficients["geographic"][2]
        assert found.coefficients["same script"][0] == pytest.approx(0, abs=0.01)

    @pytest.mark.parametrize("seed", [0, 1, 2])
    def test_shuffled_scores_are_not_explained(self, seed: int) -> None:
        own = features()
        scores = [own[code]["pretraining text"] or 0.0 for code in LANGUAGES]
        shuffled = dict(zip(LANGUAGES, np.random.default_rng(seed).permutation(scores).tolist(), strict=True))
        found = regress("c", shuffled, own, FAMILIES)
        assert isinstance(found, Regression)
        assert found.r2 < 0.1

    def test_relatives_do_not_leak(self) -> None:
        # Scores that are a family's own, and features that only tell the family: unseen families cannot be guessed.
        own = features()
        names = sorted(set(FAMILIES.values()))
        level = dict(zip(names, np.random.default_rng(0).normal(size=len(names)).tolist(), strict=True))
        for code in LANGUAGES:
            own[code]["geographic"] = level[FAMILIES[code]] ** 2 + 0.01 * noise(code)
        found = regress("c", made(lambda code: level[FAMILIES[code]]), own, FAMILIES)
        assert isinstance(found, Regression)
        assert found.r2 < found.r2_languages

    def test_with_few_languages_there_is_none_and_the_reason_is_said(self) -> None:
        few = {code: own for code, own in features().items() if code in LANGUAGES[:9]}
        found = regress("c", {code: noise(code) for code in few}, few, FAMILIES)
        assert isinstance(found, Refusal)
        assert "9 languages" in found.reason


def study(folder: Path, formula: Callable[[str, str], int], sources: Sequence[str] = ("eng_Latn",)) -> Path:
    """Runs whose scores in percent are a formula of source and target."""
    for source in sources:
        run = make_run(folder, source=[source])
        for code in (*LANGUAGES, source):
            add(run, code, formula(source, code))
    return folder


def planned(workspace: Workspace, changes: dict[str, Any], folder: str = "made") -> Path:
    """Runs as a plan has them, with made-up scores in percent that fall with the distance to the source."""
    for stage in workspace.plan({"combination.language": {}} | changes).of_type(EvaluateStage):
        experiment = stage.experiment
        run = make_run(
            workspace.folder / folder,
            stage.experiment.label,
            stage.seed,
            experiment=experiment.name,
            combination=plain(experiment.combination),
            settings={key: str(value) for key, value in stage.experiment.grid_values.items()},
            source=experiment.languages.source,
            written=stage.experiment.document,
        )
        [source] = experiment.languages.source
        for code in dict.fromkeys([*LANGUAGES, source]):
            add(run, code, by_distance(source, code))
    return workspace.folder / folder


def by_text(source: str, code: str) -> int:
    return 20 + round(4 * float(np.log2(1 + 1024 * PRETRAINING_TEXT["xlm-r"].get(code, 0))))


def by_distance(source: str, code: str) -> int:
    return 90 - round(80 * (pair_features([source], code)["geographic"] or 0.0))


@pytest.fixture(scope="module")
def text_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return study(tmp_path_factory.mktemp("text"), by_text)


@pytest.fixture(scope="module")
def many_sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return study(tmp_path_factory.mktemp("sources"), by_distance, SOURCES)


def printed(analysis: Analysis) -> str:
    out = io.StringIO()
    analysis.print(Console(file=out, width=200, color_system=None))
    return out.getvalue()


class TestRuns:
    def test_what_made_the_scores_significant(self, text_study: Path) -> None:
        analysis = analyze([text_study], pretraining="xlm-r")
        found = {one.feature: one for one in analysis.correlations}
        assert found["pretraining text"].rho == pytest.approx(1, abs=0.01)
        assert found["pretraining text"].significant
        [regression] = analysis.regressions
        assert isinstance(regression, Regression)
        assert regression.r2 > 0.95

    def test_the_source_is_not_among_the_languages(self, text_study: Path) -> None:
        [(scores, _)] = analyze([text_study]).scored
        assert "eng_Latn" not in scores.by_language

    def test_what_is_missing_is_named_and_not_filled_in(self, tmp_path: Path) -> None:
        study(tmp_path, by_text)
        [run] = [RunFolder(path.parent) for path in tmp_path.rglob("run.json")]
        add(run, "qaa_Latn", 50)
        analysis = analyze([tmp_path])
        text = printed(analysis)
        assert "geographic of 1 (qaa_Latn)" in text
        assert "No pretraining text: the runs do not record it" in text
        assert "No tokens per word" in text, "these runs have no experiment.yaml"
        [row] = [row for row in csv.DictReader(io.StringIO(analysis.features_csv())) if row["language"] == "qaa_Latn"]
        assert (row["geographic"], row["pretraining text"], row["accuracy"]) == ("", "", "0.5")
        of = {one.feature: one.languages for one in analysis.correlations}
        assert of["same script"] - of["geographic"] == 1

    def test_files_hold_all(self, text_study: Path, tmp_path: Path, modulingua: Modulingua) -> None:
        answer = modulingua("analyze", text_study, "--pretraining", "xlm-r", "--out", tmp_path)
        assert answer.code == 0
        assert "pretraining text  +" in answer.out
        assert sorted(file.name for file in tmp_path.iterdir()) == ["analysis.md", "correlations.csv", "features.csv"]
        rows = list(csv.DictReader((tmp_path / "features.csv").open(encoding="utf-8")))
        assert [row["language"] for row in rows] == sorted(LANGUAGES)
        assert (tmp_path / "analysis.md").read_text(encoding="utf-8").startswith("# accuracy")

    def test_scores_are_read_without_what_was_predicted(
        self, text_study: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What `compare` draws from predictions takes a minute for many runs, and nothing here needs it."""
        monkeypatch.setattr(RunFolder, "predictions", None)
        assert analyze([text_study]).correlations

    def test_tokens_are_counted_where_the_data_are(self, finished_run: Workspace) -> None:
        analysis = analyze([finished_run.folder / "runs"])
        features = [own for _, found in analysis.scored for own in found.by_language.values()]
        tokens = [own["tokens per word"] for own in features]
        assert tokens
        assert all(value is not None and value >= 1 for value in tokens)
        assert any(isinstance(one, Refusal) for one in analysis.regressions)


class TestSources:
    def test_distances_rank_without_runs(self, modulingua: Modulingua) -> None:
        answer = modulingua("analyze", "--target", "por_Latn", "--sources", "zho_Hans,spa_Latn,qaa_Latn,fin_Latn")
        assert answer.code == 0
        places = [answer.out.index(code) for code in ("spa_Latn", "fin_Latn", "zho_Hans")]
        assert places == sorted(places)
        assert "by distances: no runs were given" in answer.out
        assert "Not ranked, a distance is missing, 1 candidate: geographic, genetic, featural (qaa_Latn)" in answer.out

    def test_a_model_of_the_runs_finds_what_made_the_scores(self, many_sources: Path) -> None:
        candidates = ["zho_Hans", "yor_Latn", "quy_Latn", "spa_Latn"]
        ranking = analyze([many_sources], target="hau_Latn", sources=candidates).ranking
        assert ranking is not None
        in_truth = sorted(candidates, key=lambda code: -by_distance(code, "hau_Latn"))
        assert [one.language for one in ranking.candidates] == in_truth
        assert ranking.qualities["model"].ndcg > 0.95 > ranking.qualities["chance"].ndcg
        assert ranking.qualities["model"].best_at < 1.2
        assert "5 sources" in ranking.method
        measured = {one.language: one.measured for one in ranking.candidates}
        assert measured["yor_Latn"] is None
        assert measured["zho_Hans"] == by_distance("zho_Hans", "hau_Latn") / 100

    def test_a_target_is_judged_without_its_family(self, many_sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        learnt_from: list[set[str]] = []
        fit = framework.reports.analyze.source_ranking._fit

        def watched(groups: Any) -> Any:
            learnt_from.append({family_of(group.target) for group in groups})
            return fit(groups)

        monkeypatch.setattr(framework.reports.analyze.source_ranking, "_fit", watched)
        analyze([many_sources], target="hau_Latn")
        everything = set().union(*learnt_from)
        ranked_by, *judged_by = learnt_from
        assert everything - ranked_by == {family_of("hau_Latn")}
        assert sorted(family for left in judged_by for family in everything - left) == sorted(everything)

    def test_a_prediction_does_not_know_what_was_measured(self, tmp_path: Path) -> None:
        """Whatever the target's relatives score, its own ranking is predicted by the other families."""
        kin = {code for code in LANGUAGES if family_of(code) == family_of("hau_Latn")}

        def turned(source: str, code: str) -> int:
            return (100 if code in kin else 2 * by_distance(source, code)) - by_distance(source, code)

        predicted = []
        for name, formula in (("straight", by_distance), ("turned", turned)):
            ranking = analyze([study(tmp_path / name, formula, SOURCES)], target="hau_Latn").ranking
            assert ranking is not None
            predicted.append([(one.language, one.predicted) for one in ranking.candidates])
        assert predicted[0] == predicted[1]

    def test_a_planned_grid_over_sources_teaches_a_model(self, workspace: Workspace) -> None:
        runs = planned(workspace, {"grid.languages.source": [[code] for code in PLANNED]})
        ranking = analyze([runs], target="yor_Latn").ranking
        assert ranking is not None
        assert ranking.method.startswith("by a model fitted on 3 sources")
        assert [one.language for one in ranking.candidates] == ["hau_Latn", "swh_Latn", "eng_Latn"]

    def test_sources_of_other_settings_are_not_compared(self, workspace: Workspace) -> None:
        for place, code in enumerate(PLANNED):
            lr = {"stages.task.training.optimizer.lr": 0.01 * (1 + place)}
            planned(workspace, {"name": f"from-{code}", "languages.source": [code], **lr})
        ranking = analyze([workspace.folder / "made"], target="yor_Latn").ranking
        assert ranking is not None
        assert ranking.method.startswith("by distances: a model needs")

    def test_experiments_of_one_source_each_are(self, workspace: Workspace) -> None:
        for code in PLANNED:
            planned(workspace, {"name": f"from-{code}", "languages.source": [code]})
        ranking = analyze([workspace.folder / "made"], target="yor_Latn").ranking
        assert ranking is not None
        assert ranking.method.startswith("by a model")

    def test_a_source_that_is_there_twice_is_refused(self, workspace: Workspace, modulingua: Modulingua) -> None:
        for name in ("once", "twice"):
            planned(workspace, {"name": name, "grid.languages.source": [[code] for code in PLANNED]})
        answer = modulingua("analyze", workspace.folder / "made", "--target", "yor_Latn")
        assert answer.code == 2
        assert "were trained on eng_Latn with the same settings: to rank sources, name the one" in answer.err
        assert analyze([workspace.folder / "made"]).correlations, "without a ranking both stand side by side"

    def test_the_sources_of_the_runs_are_the_candidates(self, many_sources: Path) -> None:
        ranking = analyze([many_sources], target="swh_Latn").ranking
        assert ranking is not None
        assert {one.language for one in ranking.candidates} == {"eng_Latn", "arb_Arab", "zho_Hans", "quy_Latn"}

    def test_scores_without_a_rule_are_ranked_as_by_chance(self, tmp_path: Path) -> None:
        lots = np.random.default_rng(0)
        study(tmp_path, lambda source, code: int(lots.integers(20, 90)), SOURCES)
        ranking = analyze([tmp_path], target="hau_Latn").ranking
        assert ranking is not None
        assert ranking.qualities["model"].ndcg == pytest.approx(ranking.qualities["chance"].ndcg, abs=0.15)

    def test_one_source_teaches_no_model(self, text_study: Path) -> None:
        ranking = analyze([text_study], target="hau_Latn", sources=["eng_Latn", "arb_Arab"]).ranking
        assert ranking is not None
        assert ranking.method.startswith("by distances: a model needs runs from 3 sources")
        assert not ranking.qualities

    def test_ndcg(self) -> None:
        relevance = np.array([10.0, 9.0, 8.0])
        assert ndcg([relevance], [[0, 1, 2]]) == 1
        # by hand: the gains are 3, 1 and 0
        small = np.array([2.0, 1.0, 0.0])
        assert ndcg([small], [[1, 0, 2]]) == pytest.approx((1 + 3 / np.log2(3)) / (3 + 1 / np.log2(3)))

    def test_two_sources_in_one_task_are_the_nearer_one(self) -> None:
        both = pair_features(["eng_Latn", "swh_Latn"], "zul_Latn")
        assert both["genetic"] == pair_features(["swh_Latn"], "zul_Latn")["genetic"]
        assert both["same family"] == 1

    def test_scores_of_one_source_only(self) -> None:
        assert rank_sources("hau_Latn", ["eng_Latn"], list[Scores]()).candidates[0].distance == 0


class TestMistakes:
    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ([], "nothing to analyze"),
            (["--sources", "eng_Latn"], "name one"),
            (["--target", "hau"], "unknown language 'hau'; nearest: hau_Latn (Hausa)"),
            (["--target", "hau_Latn", "--sources", "eng_Latn,swa"], "nearest: swh_Latn (Swahili)"),
            (["--target", "hau_Latn", "--sources", "eng_Latn,hau_Latn"], "is the target itself"),
            (["--target", "qaa_Latn", "--sources", "eng_Latn"], "no source can be ranked for qaa_Latn"),
            (["--target", "hau_Latn", "--pretraining", "xlmr"], "did you mean 'xlm-r'?"),
            (["nowhere"], "nowhere: no such folder"),
        ],
    )
    def test_each_is_one_message(self, modulingua: Modulingua, words: list[str], said: str) -> None:
        answer = modulingua("analyze", *words)
        assert answer.code == 2
        assert said in answer.err
        assert len(answer.err.strip().splitlines()) == 1

    @pytest.mark.parametrize(
        ("table", "said"),
        [
            ("code,gib\neng_Latn,1\n", "needs the columns language and gib (has code, gib)"),
            ("language,gib\nen,1\n", "line 2: unknown language 'en'; nearest: eng_Latn (English)"),
            ("language,gib\neng_Latn,much\n", "line 2: gib must be a number, 0 or more (is 'much')"),
        ],
    )
    def test_a_table_of_text_is_read_with_care(self, tmp_path: Path, table: str, said: str) -> None:
        file = tmp_path / "sizes.csv"
        file.write_text(table)
        with pytest.raises(UserError) as error:
            analyze([], target="hau_Latn", pretraining=str(file))
        assert said in str(error.value)
