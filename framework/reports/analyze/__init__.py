"""Why does transfer work? Scores against features of the languages, and which source suits a target."""

from collections.abc import Sequence
from pathlib import Path

from datamodules import LANGUAGES, language
from framework.errors import UserError
from framework.reports.analyze import notes
from framework.reports.analyze.analysis import Analysis, Setting
from framework.reports.analyze.correlations import correlate, holm
from framework.reports.analyze.features import FEATURES, family_of, features_of, read_sizes
from framework.reports.analyze.regression import regress
from framework.reports.analyze.scores import Scores, read_scores
from framework.reports.analyze.sources import LEAST_SOURCES, Ranking, rank_sources

__all__ = ["Analysis", "analyze"]


def analyze(
    places: Sequence[str | Path],
    *,
    metric: str | None = None,
    target: str | None = None,
    sources: Sequence[str] = (),
    pretraining: str | None = None,
) -> Analysis:
    """Sets scores against features of the languages, and ranks sources for a target.

    Args:
        places: Run folders, or folders above them; without any, only sources are ranked, by distances.
        metric: One of the task's; None for its main one.
        target: FLORES code of the language that sources are ranked for; None for no ranking.
        sources: FLORES codes of the candidates; none for the sources of the runs, where these have several, or else all
            languages.
        pretraining: How much text the backbone was pretrained on: a published name or a CSV file.

    Raises:
        UserError: A language, metric or file is unknown, or there is nothing to do.
        DataError: A language is unknown, or the data about languages are not installed.
    """
    if sources and target is None:
        raise UserError("--sources are ranked for a --target: name one")
    if not places and target is None:
        raise UserError("nothing to analyze: name run folders, or a --target that sources are to be ranked for")
    for code in (*sources, *filter(None, [target])):
        language(code)
    if target in sources:
        raise UserError(f"--sources: {target} is the target itself")
    sizes = read_sizes(pretraining)
    if not places:
        assert target is not None
        return Analysis(f"sources for {target}", "", [], [], [], _rank(target, sources, []), [])
    scored, scores = read_scores(places, metric)
    settings: dict[tuple[str, tuple[str, ...]], Setting] = {}
    for one in scores:
        key = one.run.record.backbone, one.source
        if key not in settings:
            alike = [other for other in scores if (other.run.record.backbone, other.source) == key]
            tested = sorted({code for other in alike for code in other.by_language})
            settings[key] = Setting(one.source, features_of(one.source, tested, one.run, sizes))
    of = {one.label: settings[one.run.record.backbone, one.source] for one in scores}
    families = {code: family_of(code) for setting in settings.values() for code in setting.features.by_language}
    correlations = holm(
        [
            correlate(one.label, name, of[one.label].column(name), one.by_language, families)
            for one in scores
            for name in FEATURES
        ]
    )
    regressions = [regress(one.label, one.by_language, of[one.label].rows(one.by_language), families) for one in scores]
    return Analysis(
        scored.title,
        scored.metric.name,
        [(one, of[one.label]) for one in scores],
        correlations,
        regressions,
        None if target is None else _rank(target, sources, scores),
        notes.about([(one, of[one.label]) for one in scores], correlations, regressions),
    )


def _rank(target: str, sources: Sequence[str], scores: Sequence[Scores]) -> Ranking:
    tried = sorted({one.source[0] for one in scores if len(one.source) == 1})
    default = tried if len(tried) >= LEAST_SOURCES else _all_but(target)
    candidates = [code for code in dict.fromkeys(sources or default) if code != target]
    ranking = rank_sources(target, candidates, scores)
    if not ranking.candidates:
        code, names = next(iter(ranking.left_out.items()))
        unknown = ", ".join(names)
        raise UserError(f"no source can be ranked for {target}: its distance to {code} is not known ({unknown})")
    return ranking


def _all_but(target: str) -> list[str]:
    """All languages but the target in any script."""
    return [code for code in LANGUAGES if code.split("_")[0] != target.split("_")[0]]
