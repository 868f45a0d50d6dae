"""Features of languages that scores may depend on: distance to the source, script, tokens, pretraining text."""

import csv
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from datamodules import DISTANCES, LANGUAGES, PRETRAINING_TEXT, nearest_languages, tokenization_report, typology
from datamodules.errors import DataError, first_line
from datamodules.errors import NetworkError as NoData
from framework.errors import UserError, did_you_mean
from framework.languages import script_of
from framework.planning.reopen import reopen
from framework.results.metrics.normalization import LETTERS
from framework.results.run_folder import RunFolder
from modules import ModulesError, inspect_backbone, load_tokenizer
from modules.errors import NetworkError as NoBackbone

Sizes = Mapping[str, float]
"""GiB of pretraining text by FLORES code; 0 for languages that are not listed."""

SAME_FAMILY, SAME_SCRIPT = "same family", "same script"
TOKENS, UNKNOWN, TEXT = "tokens per word", "unknown tokens", "pretraining text"

FEATURES = (*DISTANCES, SAME_FAMILY, SAME_SCRIPT, TOKENS, UNKNOWN, TEXT)
REGRESSION = ("geographic", "genetic", "featural", SAME_SCRIPT, TOKENS, UNKNOWN, TEXT)
"""Features of the regression: few, and none that is part of another, as the syntactic distance is of the featural."""

Values = dict[str, float | None]
"""A language's value for each of `FEATURES`; None where it has none."""


@dataclass(frozen=True)
class Features:
    """The features of some languages as targets of one source."""

    by_language: dict[str, Values]
    notes: list[str]
    """Why a feature is missing for all languages."""

    @property
    def families(self) -> int:
        """The number of families of the languages."""
        return len({family_of(code) for code in self.by_language})

    def column(self, feature: str) -> dict[str, float | None]:
        """Returns one feature by language."""
        return {code: own[feature] for code, own in self.by_language.items()}


def features_of(source: Collection[str], languages: Collection[str], run: RunFolder, sizes: Sizes | None) -> Features:
    """Collects the features of languages.

    Args:
        source: FLORES codes that the task was trained on; for each distance the nearest counts.
        languages: FLORES codes of the targets.
        run: A run with whose tokenizer and texts tokens are counted.
        sizes: Pretraining text; None if unknown.
    """
    tokens, notes = _tokens(run, languages)
    if sizes is None:
        notes.append(f"No {TEXT}: the runs do not record it; --pretraining names a published one or a file.")
    by_language = {
        language: {**pair_features(source, language), **tokens.get(language, {TOKENS: None, UNKNOWN: None})}
        | {TEXT: None if sizes is None else math.log2(1 + 1024 * sizes.get(language, 0.0))}
        for language in languages
    }
    return Features(by_language, notes)


def pair_features(source: Collection[str], target: str) -> Values:
    """Measures a target against its source: the distances, and whether family and script are the same."""
    measured = [typology().distances(code, target) for code in source]
    values: Values = {}
    for kind in DISTANCES:
        known = [distances[kind] for distances in measured]
        # If the distance to one source is unknown, that source may be the nearest.
        values[kind] = None if None in known else min(value for value in known if value is not None)
    families = {family_of(code) for code in source}
    values[SAME_FAMILY] = float(family_of(target) in families) if target in LANGUAGES else None
    script = script_of(target)
    values[SAME_SCRIPT] = None if script is None else float(script in map(script_of, source))
    return values


def family_of(code: str) -> str:
    """Returns a language's family; for a language without one, or an unknown one, a name of its own."""
    family = LANGUAGES[code].family if code in LANGUAGES else ""
    return family if family not in ("", "isolate", "constructed") else f"{code.split('_')[0]} alone"


def _tokens(run: RunFolder, languages: Collection[str]) -> tuple[dict[str, Values], list[str]]:
    """Counts tokens with the run's tokenizer on its test texts, where both are still available."""
    try:
        experiment = reopen(run)[0]
        tokenizer = load_tokenizer(inspect_backbone(experiment.backbone))
        rows = tokenization_report(experiment.dataset, tokenizer, languages)
    except (UserError, DataError, ModulesError, NoData, NoBackbone, OSError) as error:
        reason = first_line(error)
        return {}, [f"No {TOKENS} and no {UNKNOWN}: {run.path} needs its backbone's tokenizer and its data ({reason})."]
    counted: dict[str, Values] = {
        row.language: {
            # Scripts without spaces between words have no count of words.
            TOKENS: None if script_of(row.language) in LETTERS else row.tokens_per_word,
            UNKNOWN: row.unknown_share,
        }
        for row in rows
    }
    return counted, []


def read_sizes(name: str | None) -> Sizes | None:
    """Reads the amount of text that a backbone was pretrained on.

    Args:
        name: One of `PRETRAINING_TEXT`, or a CSV file with the columns `language` and `gib`; None for unknown.

    Raises:
        UserError: There is no such name or file, or the file is no such table.
    """
    if name is None or name in PRETRAINING_TEXT:
        return None if name is None else PRETRAINING_TEXT[name]
    file = Path(name)
    if not file.is_file():
        near = did_you_mean(name, PRETRAINING_TEXT)
        raise UserError(f"--pretraining {name}: neither a file nor one of {', '.join(PRETRAINING_TEXT)}{near}")
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            table = csv.DictReader(stream)
            if not {"language", "gib"} <= set(table.fieldnames or ()):
                raise UserError(f"{file}: needs the columns language and gib (has {', '.join(table.fieldnames or ())})")
            return dict(_size(row, f"{file}: line {table.line_num}") for row in table)
    except UnicodeDecodeError:
        raise UserError(f"{file}: not a CSV file in UTF-8") from None


def _size(row: dict[str, str], place: str) -> tuple[str, float]:
    """Returns the language of a row and its GiB of text."""
    code = row["language"]
    if code not in LANGUAGES:
        raise UserError(f"{place}: unknown language '{code}'{nearest_languages(code)}")
    try:
        size = float(row["gib"])
    except (TypeError, ValueError):
        size = math.nan
    if not (math.isfinite(size) and size >= 0):
        raise UserError(f"{place}: gib must be a number, 0 or more (is {row['gib']!r})")
    return code, size
