"""The title and the notes of a comparison: how to read it, what is missing, what differs."""

from collections.abc import Callable, Iterator, Sequence

from framework.reports.compare.groups import Grouping
from framework.reports.compare.layout import MISSING, SOURCE, STAR, number
from framework.reports.compare.pivot import Pivot
from framework.reports.compare.score_rows import Cell, Row, families_of
from framework.results.metrics import SCORINGS, Metric
from framework.results.run_folder import LanguageResult, RunFolder
from framework.results.run_groups import RunGroup
from framework.results.statistics import RESAMPLES
from framework.wording import count

RESAMPLING = {
    "parallel": " (the same in all languages, whose test sets are parallel)",
    "per language": " (in each language on its own)",
    "mixed": " (the same in those languages whose test sets are parallel)",
    "alone": "",
}
"""Words of the legend for `MacroAverage.resampling`, and for a single language."""
NAMED = 3
"""Number of languages that a note names."""


def title(groups: list[RunGroup], rows: list[Row], languages: list[str], metric: Metric) -> str:
    """Returns metric, dataset, backbone, source languages and number of target languages."""
    backbones = {group.record.backbone for group in groups}
    sources = {" + ".join(group.record.source) for group in groups}
    trained_on = {language for row in rows for language, cell in row.cells.items() if cell.source}
    backbone = backbones.pop() if len(backbones) == 1 else f"{len(backbones)} backbones"
    source = sources.pop() if len(sources) == 1 else "several sources"
    targets = count(len(set(languages) - trained_on), "language")
    return " · ".join([metric.shown, groups[0].record.dataset, backbone, f"{source} → {targets}"])


def how_to_read(
    groups: list[RunGroup], rows: list[Row], macro_languages: list[str], table: Pivot | None = None
) -> Iterator[str]:
    """Explains the signs and intervals in the table of all rows and in a pivot."""
    several = any(len(row.seeds) > 1 for row in rows)
    if several:
        yield "±: standard deviation over seeds."
    averages = [row.macro for row in rows if row.macro is not None]
    if averages:
        resamples = f"{RESAMPLES:,} bootstrap resamples of examples"
        resamples += RESAMPLING["alone" if len(macro_languages) == 1 else averages[0].resampling]
        how = f"± 1.96 standard errors over {resamples}"
        if several:
            how = (
                "± √(t² s²/n + 1.96² c), with s the standard deviation of the n seeds' averages, t of n - 1 degrees of "
                f"freedom, and c their covariance over {resamples}, but at least 1.96 standard errors over these; it "
                "holds for these languages and other trainings, at least so often (Banerjee, Sankhyā 1960)"
            )
        yield f"macro: mean over {count(len(macro_languages), 'language')}, zero-shot; [95 % interval]: {how}."
        cells = [] if table is None else [(cell.label, cell.average) for cell in table.cells.values()]
        found = [*((row.combination, row.macro) for row in rows), *cells]
        of_one = {label for label, average in found if average is not None and len(average.seeds) == 1}
        trained = any(group.label in of_one and group.record.trained for group in groups)
        limits = ["± 1.96 standard errors over the resamples"] if several else []
        limits += ["over test-set sampling only: variation over trainings is not covered"] if trained else []
        if of_one and limits:
            yield f"With one seed the interval is {', and '.join(limits)}."
    if any(cell.source for row in rows for cell in row.cells.values()):
        yield f"{SOURCE}: the task was trained on this language; not zero-shot, not in the macro average."
    if any(row.control != "own" for row in rows):
        yield "·: the row above, tested without its language components or with those of another language."


def about_differences(rows: list[Row], baseline: str | None) -> Iterator[str]:
    """Explains the stars, and says which differences are not paired by seeds."""
    compared = {row.combination: row.difference for row in rows if row.difference is not None}
    sizes = {what: sum(one.adjusted_p is not None for one in tests) for what, tests in families_of(rows).items()}
    listed = ", ".join(f"{what} ({size:,})" for what, size in sizes.items() if size)
    if listed:
        yield (
            f"{STAR}: differs from {baseline} at a false discovery rate of 5 %: compared example by example and, where "
            "both have the same seeds, seed by seed; p is the least level whose interval, made as that of macro "
            "averages, does not hold 0, and is corrected by Benjamini and Hochberg over each of these families of "
            f"tests: {listed}. The intervals are not corrected."
        )
    untested = [row.combination for row in rows if any(one.adjusted_p is None for one in row.by_language.values())]
    if untested:
        yield (
            f"No test and no star, for one of the two has one seed: {_some(untested)}. One training cannot tell "
            "whether another would differ too, and the interval of the difference is about these trainings only."
        )
    for row in rows:
        if row.by_language and row.combination not in untested:
            signs = [one.difference.mean > 0 for one in row.by_language.values() if one.significant]
            others = len(row.by_language) - len(signs)
            yield (
                f"Of {count(len(row.by_language), 'language')}, {row.combination} is better than {baseline} in "
                f"{signs.count(True)} and worse in {signs.count(False)}; in {others} the test finds no difference."
            )
    if listed:
        yield "No star: not significant at these numbers of examples and seeds, which is not evidence of no difference."
    unpaired = [label for label, one in compared.items() if not one.difference.seeds_paired]
    if unpaired:
        yield f"Paired by examples but not by seeds, as {baseline} has others: {'; '.join(unpaired)}."


def about_groups(rows: list[Row], groupings: Sequence[Grouping], macro_languages: list[str]) -> Iterator[str]:
    """Names the sources of the groupings, and the languages in no group."""
    for grouping in groupings:
        yield from grouping.refusals
        if grouping.groups:
            yield f"{grouping.name}: {grouping.source}."
            outside = [language for language in grouping.ungrouped if language in macro_languages]
            if outside:
                yield f"{grouping.name}: in no group, for nothing is known of them: {', '.join(outside)}."
    if any(grouping.groups for grouping in groupings):
        yield "In brackets: how many languages of the macro average are in a group; its average is over them."


def about_runs(groups: list[RunGroup], empty: list[RunFolder]) -> Iterator[str]:
    """Describes the runs; if they differ, by row."""
    facts: dict[str, Callable[[RunGroup], str]] = {
        "seeds": lambda group: ", ".join(map(str, group.seeds)),
        "examples a language": _examples,
        "backbone": lambda group: group.record.backbone,
        "backbone.precision": lambda group: group.record.precision or "not recorded",
        "source": lambda group: ", ".join(group.record.source),
    }
    for name, fact in facts.items():
        labels: dict[str, list[str]] = {}
        for group in groups:
            labels.setdefault(fact(group), []).append(group.label)
        if len(labels) > 1:
            listed = "; ".join(f"{what} ({', '.join(which)})" for what, which in labels.items())
            yield f"{name}: {listed}."
        elif name not in ("backbone", "source"):  # the title has these
            yield f"{name}: {next(iter(labels))}."
    skipped = {result.language: result.skipped for result in _all_results(groups) if result.skipped}
    if skipped:
        listed = _some([f"{number:,} of {language}" for language, number in skipped.items()])
        yield f"Test rows left out because they cannot be used: {listed}."
    notes = [note for group in groups for run in group.runs.values() for note in run.record.notes]
    yield from dict.fromkeys(notes)
    if empty:
        yield f"No results yet: {'; '.join(f'{run.record.label}, seed {run.record.seed}' for run in empty)}."


def _examples(group: RunGroup) -> str:
    sizes = {result.examples for result in _all_results([group])}
    return f"{min(sizes):,}" if len(sizes) == 1 else f"{min(sizes):,} to {max(sizes):,}"


def about_gaps(rows: list[Row], languages: list[str], macro_languages: list[str]) -> Iterator[str]:
    """Says which tests are missing, and which languages are not averaged."""
    if any(row.lacks(language) for row in rows for language in languages):
        yield f"{MISSING}: not tested, or not with all seeds."
    for row in rows:
        gaps = [f"{language} (seed {', '.join(map(str, seeds))})" for language, seeds in row.missing.items()]
        if gaps:
            yield f"Still to test: {row.full_label} in {_some(gaps)}."
    left_out = [
        language
        for language in languages
        if language not in macro_languages and any(row.zero_shot(language) for row in rows if not row.missing)
    ]
    if left_out and macro_languages:
        yield f"Not in the macro average, for not every row has it zero-shot: {_some(left_out)}."
    elif left_out:
        yield "No macro average: there is no language that every row has zero-shot."
    for row in rows:
        without = [language for language in macro_languages if language not in row.cells]
        if row.macro is not None and without:
            yield f"{row.full_label}: macro without {_some(without)}, which has no language components."


def about_language_components(groups: list[RunGroup]) -> Iterator[str]:
    """Names the wrong languages' components, and says that intervals do not cover the training of components."""
    donors = {
        f"{result.component_language} in {result.language}"
        for result in _all_results(groups)
        if result.control == "wrong"
    }
    if donors:
        yield f"Wrong language's: those of {_some(sorted(donors))}."
    if any(_shared_by_seeds(group) for group in groups):
        yield (
            "Language components were trained once and serve all seeds: the seeds, their intervals and tests tell of "
            "other trainings of the task, not of the language components."
        )


def _shared_by_seeds(group: RunGroup) -> bool:
    """Says whether a language component is the same in several seeds."""
    of_runs = [
        {identity for name, identity in run.record.components.items() if name.startswith("language ")}
        for run in group.runs.values()
    ]
    return len(of_runs) > 1 and bool(set.intersection(*of_runs))


def about_data(groups: list[RunGroup]) -> Iterator[str]:
    """Names different versions of the test data, and dependences between examples."""
    by_language: dict[str, dict[str, list[str]]] = {}
    by_commit: dict[str, list[str]] = {}
    for group in groups:
        for result in _all_results([group]):
            if result.data:
                by_language.setdefault(result.language, {}).setdefault(result.data, []).append(group.label)
                by_commit.setdefault(_commit(result.data), []).append(result.language)
    for language, by_data in by_language.items():
        if len(by_data) > 1:
            listed = "; ".join(f"{data} ({', '.join(dict.fromkeys(labels))})" for data, labels in by_data.items())
            yield f"{language} was tested on different data: {listed}."
    commits = {commit: list(dict.fromkeys(languages)) for commit, languages in by_commit.items() if commit}
    if len(commits) > 1:
        listed = "; ".join(f"{commit} ({_some(languages)})" for commit, languages in commits.items())
        yield f"Languages were tested on different versions of the data: {listed}."
    yield from filter(None, [SCORINGS[groups[0].record.task].dependent])


def _commit(data: str) -> str:
    """Returns repository and commit of a fingerprint of the hub's data; empty for that of a file."""
    return data.rsplit("/", 2)[0] if "@" in data else ""


def about_labels(groups: list[RunGroup], rows: list[Row], languages: list[str]) -> Iterator[str]:
    """Says which labels a test set lacks, and how often these were predicted."""
    labels = {result.language: set(result.labels) for result in _all_results(groups)}
    known = set().union(*labels.values())
    lacking: dict[str, list[str]] = {}
    for language in languages:
        absent = ", ".join(sorted(known - labels.get(language, known)))
        if absent:
            lacking.setdefault(absent, []).append(language)
    if lacking:
        listed = "; ".join(f"{', '.join(where)}: {absent}" for absent, where in lacking.items())
        yield f"Labels that do not occur in a test set: {listed}."
    what = "Predictions of a label that does not occur in the test set"
    yield from _rates(what, rows, lambda cell: cell.foreign_rate)


def about_unparsed(rows: list[Row]) -> Iterator[str]:
    """Says how often a generated text could not be parsed."""
    yield from _rates("Answers that could not be read, and count as wrong", rows, lambda cell: cell.unparsed_rate)


def _rates(what: str, rows: list[Row], rate_of: Callable[[Cell], float]) -> Iterator[str]:
    """Lists the languages with a nonzero rate for each row, the highest first."""
    for row in rows:
        rates = {language: rate_of(cell) for language, cell in row.cells.items() if rate_of(cell) > 0}
        if rates:
            worst_first = sorted(rates, key=lambda language: -rates[language])
            listed = _some([f"{language} {number(rates[language])}" for language in worst_first])
            yield f"{what}, {row.full_label}: {listed}."


def _all_results(groups: list[RunGroup]) -> Iterator[LanguageResult]:
    return (result for group in groups for _, result in group.by_seed())


def _some(items: Sequence[str]) -> str:
    first = ", ".join(items[:NAMED])
    return first if len(items) <= NAMED else f"{first} and {len(items) - NAMED} more"
