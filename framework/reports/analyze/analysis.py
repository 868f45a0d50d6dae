"""An analysis, ready to be printed and written."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from datamodules import DISTANCES
from framework.languages import name_of, script_of
from framework.reports.analyze.correlations import Correlation
from framework.reports.analyze.features import FEATURES, SAME_SCRIPT, Features, family_of
from framework.reports.analyze.regression import Refusal, Regression
from framework.reports.analyze.scores import Scores
from framework.reports.analyze.source_ranking import Ranking
from framework.reports.compare.layout import MISSING, Grid, number, signed
from framework.reports.compare.rendering import blocks, csv_text, escape, markdown_table, rich_table
from framework.system.atomic_files import write_changed
from framework.wording import count

MOST_CANDIDATES = 20
"""Number of ranked candidates that are shown."""


@dataclass(frozen=True)
class Analysis:
    """Scores against features, and sources for a target; `analyze` makes it."""

    title: str
    metric: str
    scored: list[tuple[Scores, Features]]
    correlations: list[Correlation]
    """Each combination's, in the order of the features."""
    regressions: list[Regression | Refusal]
    ranking: Ranking | None
    notes: list[str]

    def print(self, console: Console) -> None:
        """Prints tables and notes."""
        console.print(Text(self.title, style="bold"), soft_wrap=True)
        console.print()
        for heading, grid in self._tables():
            console.print(Text(heading, style="bold"), soft_wrap=True)
            for block in blocks(grid, console.width):
                console.print(rich_table(block))
                console.print()
        for note in self._all_notes():
            console.print(Text(note, style="dim"))

    def markdown(self) -> str:
        """Returns tables and notes as Markdown."""
        tables = [part for heading, grid in self._tables() for part in (f"## {escape(heading)}", markdown_table(grid))]
        listed = "\n".join(f"- {escape(note)}" for note in self._all_notes())
        return "\n\n".join([f"# {escape(self.title)}", *tables, listed]) + "\n"

    def write(self, folder: str | Path) -> list[Path]:
        """Writes `analysis.md` and, where there are runs, `features.csv` and `correlations.csv`.

        Returns:
            The files.
        """
        texts = {"analysis.md": self.markdown()}
        if self.scored:
            texts |= {"features.csv": self.features_csv(), "correlations.csv": self.correlations_csv()}
        files = {Path(folder) / name: text for name, text in texts.items()}
        for file, text in files.items():
            write_changed(file, text.encode())
        return list(files)

    def features_csv(self) -> str:
        """Returns each combination's score in each language with the language's features; empty if unknown."""
        about = ("combination", "source", "language", "name", "family", "script", "seeds", self.metric)
        lines: list[list[object]] = []
        for one, features in self.scored:
            for code, score in one.by_language.items():
                about_language = code, name_of(code), family_of(code), script_of(code)
                known = [one.label, " ".join(one.source), *about_language, one.seeds, score]
                own = features.by_language[code]
                lines.append([*known, *(own[feature] for feature in FEATURES)])
        return csv_text([*about, *FEATURES], lines)

    def correlations_csv(self) -> str:
        """Returns each correlation; values that could not be computed are empty."""
        lines: list[list[object]] = []
        for one in self.correlations:
            found = [one.rho, one.low, one.high, one.p, one.p_holm] if one.rho is not None else [None] * 5
            lines.append([one.combination, one.feature, one.languages, *found])
        return csv_text(["combination", "feature", "languages", "rho", "low", "high", "p", "p_holm"], lines)

    def _tables(self) -> Iterator[tuple[str, Grid]]:
        if self.correlations:
            yield "Which features go with the scores?", self._correlations()
        fitted = [one for one in self.regressions if isinstance(one, Regression)]
        if fitted:
            yield "How much do they explain together?", _fits(fitted)
            yield "By how much does the score change?", _coefficients(fitted)
        if self.ranking is not None:
            yield f"Sources for {_named(self.ranking.target)}, {self.ranking.method}", _candidates(self.ranking)
        if self.ranking is not None and self.ranking.qualities:
            yield "How good is such a ranking for families that it has not seen?", _qualities(self.ranking)

    def _correlations(self) -> Grid:
        found = {(one.combination, one.feature): one for one in self.correlations}
        columns = [["", *FEATURES]]
        for scores, _ in self.scored:
            cells = [found[scores.label, feature] for feature in FEATURES]
            columns.append([scores.label, *map(_rho, cells)])
            columns.append(["n", *(str(one.languages) for one in cells)])
        return columns

    def _all_notes(self) -> list[str]:
        return [*self.notes, *(_about_ranking(self.ranking) if self.ranking is not None else [])]


def _rho(one: Correlation) -> str:
    if one.rho is None:
        return MISSING
    if one.low is None or one.high is None:
        return signed(one.rho)
    return _interval(one.rho, one.low, one.high) + (" *" if one.significant else "")


def _interval(value: float, low: float, high: float) -> str:
    return f"{signed(value)} [{signed(low)}, {signed(high)}]"


def _fits(fitted: Sequence[Regression]) -> Grid:
    rows: dict[str, Callable[[Regression], str]] = {
        "languages": lambda one: str(len(one.selection.languages)),
        "families": lambda one: str(one.families),
        "R², unseen families": lambda one: number(one.r2),
        "R² of the mean of the others": lambda one: number(one.r2_of_mean),
        "R², unseen languages": lambda one: number(one.r2_languages),
        "error, unseen families": lambda one: number(one.error),
        "error of the mean of the others": lambda one: number(one.error_of_mean),
    }
    return [["", *rows], *([one.combination, *(text(one) for text in rows.values())] for one in fitted)]


def _coefficients(fitted: Sequence[Regression]) -> Grid:
    features = [name for name in FEATURES if any(name in one.coefficients for one in fitted)]
    columns = [["", *features]]
    for one in fitted:
        cells = [_interval(*one.coefficients[name]) if name in one.coefficients else MISSING for name in features]
        columns.append([one.combination, *cells])
    return columns


def _candidates(ranking: Ranking) -> Grid:
    shown = ranking.candidates[:MOST_CANDIDATES]
    columns = [["", *map(str, range(1, len(shown) + 1))], ["source", *(_named(one.language) for one in shown)]]
    if any(one.predicted is not None for one in shown):
        columns.append(["predicted", *(_or_missing(one.predicted, signed) for one in shown)])
    if any(one.measured is not None for one in shown):
        columns.append(["measured", *(_or_missing(one.measured, number) for one in shown)])
    columns.append(["mean place", *(number(one.distance) for one in shown)])
    columns += [[kind, *(_or_missing(one.features[kind], number) for one in shown)] for kind in DISTANCES]
    columns.append([SAME_SCRIPT, *("yes" if one.features[SAME_SCRIPT] else "no" for one in shown)])
    return columns


def _or_missing(value: float | None, text: Callable[[float], str]) -> str:
    return MISSING if value is None else text(value)


def _qualities(ranking: Ranking) -> Grid:
    words = {"model": "the model", "distances": "mean place by distance", "chance": "by chance"}
    return [
        ["", *(words[method] for method in ranking.qualities)],
        ["NDCG@3", *(number(one.ndcg) for one in ranking.qualities.values())],
        ["mean place of the best source", *(f"{one.best_at:.2f}" for one in ranking.qualities.values())],
    ]


def _about_ranking(ranking: Ranking) -> Iterator[str]:
    yield (
        "Distances: URIEL and Glottolog, 0 near to 1 far; geographic is a share of half the Earth's circumference. "
        "mean place: that among the candidates, 0 nearest to 1 farthest, mean over geographic, genetic and featural."
    )
    if ranking.qualities:
        yield (
            "predicted: how much better than the mean candidate, by a ridge regression on geographic, genetic and "
            "featural distance and the script, fitted without the scores of the target's family. Its quality: targets "
            "of each family ranked by what the others taught; "
            "NDCG@3 as in LangRank (Lin et al., 2019), 1 is the true order."
        )
        if ranking.qualities["model"].ndcg <= ranking.qualities["distances"].ndcg:
            yield "The model ranks unseen families no better than distances do: prefer the mean place."
    if len(ranking.candidates) > MOST_CANDIDATES:
        yield f"The first {MOST_CANDIDATES} of {len(ranking.candidates)} candidates."
    if ranking.left_out:
        by_names: dict[str, list[str]] = {}
        for code, names in ranking.left_out.items():
            by_names.setdefault(", ".join(names), []).append(code)
        listed = "; ".join(f"{names} ({', '.join(codes)})" for names, codes in by_names.items())
        yield f"Not ranked, a distance is missing, {count(len(ranking.left_out), 'candidate')}: {listed}."


def _named(code: str) -> str:
    return f"{code}  {name_of(code)}".rstrip()
