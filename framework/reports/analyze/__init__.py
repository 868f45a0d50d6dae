"""Relates scores to features of the languages, and ranks sources for a target."""

from collections.abc import Sequence
from pathlib import Path

from datamodules import LANGUAGES, language
from framework.errors import UserError
from framework.reports.analyze import notes
from framework.reports.analyze.analysis import Analysis
from framework.reports.analyze.correlations import correlate, holm
from framework.reports.analyze.features import FEATURES, Features, family_of, features_of, read_sizes
from framework.reports.analyze.regression import regress
from framework.reports.analyze.scores import Scores, read_scores
from framework.reports.analyze.source_ranking import LEAST_SOURCES, Ranking, rank_sources

__all__ = ["Analysis", "analyze"]


def analyze(
    places: Sequence[str | Path],
    *,
    metric: str | None = None,
    target: str | None = None,
    sources: Sequence[str] = (),
    pretraining: str | None = None,
) -> Analysis:
    """Relates scores to features of the languages, and ranks sources for a target.

    Args:
        places: Run folders, or folders above them; without any, sources are ranked by distances only.
        metric: One of the task's; None for its main one.
        target: FLORES code of the language that sources are ranked for; None for no ranking.
        sources: FLORES codes of the candidates; none for the sources of the runs, if there are enough, or otherwise all
            languages.
        pretraining: The amounts of the backbone's pretraining text: a published name or a CSV file.

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
    by_setting: dict[tuple[str, tuple[str, ...]], Features] = {}
    for one in scores:
        key = one.run.record.backbone, one.source
        if key not in by_setting:
            alike = [other for other in scores if (other.run.record.backbone, other.source) == key]
            tested = sorted({code for other in alike for code in other.by_language})
            by_setting[key] = features_of(one.source, tested, one.run, sizes)
    pairs = [(one, by_setting[one.run.record.backbone, one.source]) for one in scores]
    families = {code: family_of(code) for features in by_setting.values() for code in features.by_language}
    correlations = [
        correlate(one.label, name, features.column(name), one.by_language, families)
        for one, features in pairs
        for name in FEATURES
    ]
    corrected = holm(correlations)
    regressions = [
        regress(one.label, one.by_language, {code: features.by_language[code] for code in one.by_language}, families)
        for one, features in pairs
    ]
    return Analysis(
        scored.title,
        scored.metric.name,
        pairs,
        corrected,
        regressions,
        None if target is None else _rank(target, sources, scores),
        list(notes.about(pairs, corrected, regressions)),
    )


def _rank(target: str, sources: Sequence[str], scores: Sequence[Scores]) -> Ranking:
    tried = sorted({one.source[0] for one in scores if len(one.source) == 1})
    others = [code for code in LANGUAGES if code.split("_")[0] != target.split("_")[0]]  # without its other scripts
    default = tried if len(tried) >= LEAST_SOURCES else others
    candidates = [code for code in dict.fromkeys(sources or default) if code != target]
    ranking = rank_sources(target, candidates, scores)
    if not ranking.candidates:
        code, names = next(iter(ranking.left_out.items()))
        unknown = ", ".join(names)
        raise UserError(f"no source can be ranked for {target}: its distance to {code} is not known ({unknown})")
    return ranking
