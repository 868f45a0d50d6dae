"""The model card of a shared component: what it is, how it was trained, how it did, and how to use it."""

import re
from collections.abc import Iterator

import yaml
from huggingface_hub import HfApi

from framework.errors import UserError
from framework.languages import name_of
from framework.results.metrics import metrics_of
from framework.results.run_folder import RunFolder
from framework.results.run_groups import RunGroup, group_runs
from framework.store.listing import how_trained
from framework.store.store import Passport, backbone_name

UNKNOWN = "unknown: check"
"""What is said of a licence that nobody told."""


def card(passport: Passport, runs: list[RunFolder], place: str) -> str:
    """Writes the README.md of a component that can be pulled from a place, with the scores of the runs that used it."""
    header = yaml.safe_dump(_header(passport), sort_keys=False, allow_unicode=True)
    return "\n".join(
        [
            f"---\n{header}---",
            f"# {passport.title}\n",
            f"A component of the {passport.stage} stage for `{backbone_name(passport.backbone)}`, made with "
            "Modulingua: a part that is put on the frozen backbone.\n",
            "## What it is\n",
            *_what(passport),
            "\n## How it was trained\n",
            *_training(passport),
            "\n## Scores\n",
            *_scores(passport, runs),
            "\n## How to use it\n",
            *_use(passport, place),
            "",
        ]
    )


def _header(passport: Passport) -> dict[str, object]:
    """Returns the front matter; the hub knows a backbone only where that came from the hub."""
    of_hub = passport.backbone["revision"] != "local"
    return {
        "library_name": "modulingua",
        "language": list(dict.fromkeys(code.partition("_")[0] for code in passport.languages)),
        **({"base_model": passport.backbone["name"]} if of_hub else {}),
        "tags": ["modulingua", "cross-lingual-transfer", passport.stage, *passport.kinds],
    }


def _what(passport: Passport) -> Iterator[str]:
    for slot, settings in passport.components.items():
        yield f"- `{slot}`: {', '.join(f'{key} {value}' for key, value in settings.items()) or 'no settings'}"
    yield f"- languages: {', '.join(map(_named, passport.languages)) or '–'}"
    yield f"- {passport.parameters:,} parameters"
    name = backbone_name(passport.backbone)
    weights, tokenizer = (passport.backbone[what][:12] for what in ("weights", "tokenizer"))
    yield f"- backbone: `{name}`; only that of these hashes is taken: weights `{weights}`, tokenizer `{tokenizer}`"
    if passport.needs:
        yield f"- depends on: {', '.join(f'`{need}`' for need in passport.needs)}"


def _named(code: str) -> str:
    name = name_of(code)
    return f"{code} ({name})" if name else code


def _training(passport: Passport) -> Iterator[str]:
    yield f"- {how_trained(passport)}"
    for name, value in passport.metrics.items():
        yield f"- {name}: {value:.3f} at the end"
    for fingerprint in passport.data:
        yield f"- data: `{fingerprint}`, licence {_licence(fingerprint)}"
    made = passport.made
    version, commit = made.get("modulingua", "?"), made.get("commit", "?")
    yield f"- made {made.get('time', '?')} by Modulingua {version}, commit {commit}"
    yield from (f"- note: {note}" for note in passport.notes)


def _licence(fingerprint: str) -> str:
    """Asks the hub under which licence a dataset stands; what came from a folder has none that is known here."""
    found = re.match(r"([\w.-]+/[\w.-]+)@([0-9a-f]{40})/", fingerprint)
    if found is None:
        return UNKNOWN
    try:
        told = HfApi().dataset_info(found[1], revision=found[2]).card_data
    except (OSError, ValueError):
        return UNKNOWN
    licence = told.get("license") if told is not None else None
    return ", ".join([licence] if isinstance(licence, str) else licence or []) or UNKNOWN


def _scores(passport: Passport, runs: list[RunFolder]) -> Iterator[str]:
    try:
        groups, _ = group_runs(runs)
    except UserError:  # of an older version, say; `compare` tells what is wrong
        groups = []
    if not groups:
        yield "No run that used it lay beside it when it was shared."
        return
    yield "| experiment | combination | dataset | seeds | languages | score |"
    yield "|---|---|---|--:|--:|---|"
    for group in groups:
        yield from _of_group(passport, group)
    yield "\nMeans over seeds and languages; the languages that the task was learnt in are left out."


def _of_group(passport: Passport, group: RunGroup) -> Iterator[str]:
    record = group.record
    metric = next(iter(metrics_of(record.task, record.positive)))
    own = group.results["own"]
    if passport.stage == "language":  # it acts in its own languages alone
        own = {code: of_seeds for code, of_seeds in own.items() if code in passport.languages}
    scores = [result.scores[metric] for of_seeds in own.values() for result in of_seeds.values() if not result.source]
    if scores:
        cells = [record.experiment, group.label, record.dataset, len(group.seeds), len(own)]
        yield f"| {' | '.join(map(str, cells))} | {metric} {sum(scores) / len(scores):.3f} |"


def _use(passport: Passport, place: str) -> Iterator[str]:
    role = "task" if passport.stage == "task" else "language"
    combination = yaml.safe_dump({role: passport.kinds}, sort_keys=False, default_flow_style=True, width=1000).strip()
    yield f"```\nmodulingua components pull {place}\n```\n"
    yield "An experiment with the same settings then uses it instead of training it. Any other one names it:\n"
    # Quoted, or YAML would take an id such as 12e45678 for a number.
    named = f'"{passport.id}"'
    given = named if role == "task" else f"{{{', '.join(f'{code}: {named}' for code in passport.languages)}}}"
    yield f"```yaml\ncombination: {combination}\nreuse: {{{role}: {given}}}\n```"
