"""The component store for a person to read: a table of it, one component's passport, what is damaged."""

from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from framework.errors import UserError, file_error
from framework.store.store import WEIGHTS, Passport, Store, backbone_name
from framework.store.usage import counted, runs_with
from framework.system.stored_files import Unreadable

STAGES = ("pretrain", "language", "task")
"""The order in which components are listed."""


def print_components(store: Store, words: list[str], console: Console) -> None:
    """Prints one line per component: by stage, then by what it is and its languages.

    Args:
        store: The components.
        words: Only lines that hold all of these, whatever their case.
        console: Where to print.
    """
    identities = store.identities()
    if not identities:
        console.print(f"{store.folder}/ holds no components yet", highlight=False)
        return
    passports: list[Passport] = []
    unreadable: dict[str, str] = {}
    for identity in identities:
        try:
            passports.append(store.passport(identity))
        except Unreadable as error:
            unreadable[identity] = str(error)
        except UserError:
            pass  # listed as damaged
    rows = [(passport, _row(store, passport)) for passport in sorted(passports, key=_place)]
    shown = [(passport, row) for passport, row in rows if all(word.lower() in " ".join(row).lower() for word in words)]
    table = Table(box=None, header_style="bold")
    for column in ("id", "stage", "what", "backbone"):
        table.add_column(column, no_wrap=column == "id")
    for column in ("steps", "loss", "MB"):
        table.add_column(column, justify="right")
    table.add_column("made", no_wrap=True)
    for _, row in shown:
        table.add_row(*row)
    console.print(table)
    stages = Counter(passport.stage for passport, _ in shown)  # in the order of the lines
    total = sum(_size(store, passport) for passport, _ in shown)
    kinds = ", ".join(f"{count} {stage}" for stage, count in stages.items())
    filtered = f" of {len(rows)}" if words else ""
    console.print(f"\n {len(shown)}{filtered} components ({kinds or 'none'}), {total / 1e6:,.1f} MB", highlight=False)
    for identity, reason in unreadable.items():
        console.print(f" {identity} cannot be read: {reason}", highlight=False, markup=False, soft_wrap=True)
    if damaged := sorted(set(identities) - {passport.id for passport in passports} - unreadable.keys()):
        console.print(
            f" not readable: {', '.join(damaged)}; `modulingua components verify` says what to do", highlight=False
        )


def print_passport(store: Store, prefix: str, runs: Path, console: Console) -> None:
    """Prints what a component is, where it came from and which runs used it."""
    passport = store.find(prefix)
    backbone, made = passport.backbone, passport.made
    libraries = ", ".join(f"{name} {made[name]}" for name in ("torch", "transformers", "adapters") if name in made)
    lines = {
        "id": passport.id,
        "backbone": f"{backbone_name(passport.backbone)} (weights {backbone['weights'][:12]}…, "
        f"tokenizer {backbone['tokenizer'][:12]}…)",
        "trained": " · ".join(
            filter(None, [how_trained(passport), _loss(store, passport), f"{passport.parameters:,} parameters"])
        ),
        "languages": ", ".join(passport.languages) or "–",
        "data": ", ".join(passport.data) or "–",
        "ended with": ", ".join(f"{name} {value:.3f}" for name, value in passport.metrics.items()) or "–",
        "depends on": ", ".join(passport.needs) or "–",
        "made": f"{made.get('time', '?')} by modulingua {made.get('modulingua', '?')} ({libraries}) · "
        f"commit {made.get('commit', '?')}",
        **({"pulled": f"from {passport.pulled_from}"} if passport.pulled_from else {}),
        "notes": " ".join(passport.notes) or "–",
        "used by": counted(runs_with(passport.id, store, runs)) + f" in {runs}/",
    }
    console.print(f"{passport.stage} · {passport.title}", highlight=False)
    for name, value in lines.items():
        console.print(f"  {name:<11}{value}", highlight=False, soft_wrap=True)


def print_findings(store: Store, prefixes: list[str], console: Console) -> bool:
    """Prints which components are damaged or cannot be read, how, and what to do; says whether all are whole.

    Args:
        store: The components.
        prefixes: Beginnings of ids; all of the store if none.
        console: Where to print.

    Raises:
        UserError: There is no store, or a prefix begins none or several.
    """
    from framework.store.verification import Finding, verify

    if not store.folder.is_dir():
        raise UserError(f"there is no store at {store.folder}")
    identities = [store.one(prefix) for prefix in prefixes] or store.identities()
    findings: list[Finding] = []
    for identity in identities:
        try:
            findings.append(verify(store.path(identity), identity))
        except (Unreadable, OSError) as error:
            reason = file_error(error) if isinstance(error, OSError) else error
            console.print(f"{identity} cannot be read: {reason}", highlight=False, markup=False, soft_wrap=True)
    damaged = [finding for finding in findings if finding.faults]
    for finding in damaged:
        console.print(f"{finding.id} is damaged: {store.path(finding.id)}/", highlight=False, soft_wrap=True)
        for fault in finding.faults:
            console.print(f"  {fault}", highlight=False, soft_wrap=True)
    unchecked = Counter(finding.unchecked for finding in findings if finding.unchecked)
    for reason, count in unchecked.items():
        console.print(f"shapes of {count} not compared: {reason}", highlight=False, soft_wrap=True)
    console.print(f"{len(findings) - len(damaged)} of {len(identities)} components are whole", highlight=False)
    if damaged:
        console.print(
            "what to do: `modulingua components remove ID`, and the next run trains it again (or pull it again)",
            highlight=False,
            soft_wrap=True,
        )
    return len(findings) == len(identities) and not damaged


def origin(passport: Passport) -> str:
    """Names where it was pulled from, as a backbone is named on screen."""
    place, at, commit = passport.pulled_from.partition("@")
    return f"{place}{at}{commit[:7]}"


def how_trained(passport: Passport) -> str:
    """Says how it was trained: `masked, 5,000 steps × 64`; or that it was not, but imported or merged."""
    training = passport.training
    if "training" not in training:
        return str(training.get("made_by", "not trained here"))
    objective = ", ".join(training.get("objective") or ())
    steps = f"{training['training']['steps']:,} steps × {training['batch_size']}"
    precision = f"precision {training['precision']}" if "precision" in training else ""
    return ", ".join(filter(None, [objective, steps, precision]))


def _row(store: Store, passport: Passport) -> list[str]:
    training: dict[str, Any] = passport.training.get("training") or {}
    return [
        passport.id,
        passport.stage,
        f"{passport.title} · pulled from {origin(passport)}" if passport.pulled_from else passport.title,
        backbone_name(passport.backbone),
        f"{training['steps']:,}" if training else "–",
        f"{passport.metrics['loss']:.2f}" if "loss" in passport.metrics else "–",
        f"{_size(store, passport) / 1e6:,.1f}",
        passport.made.get("time", "")[:10],
    ]


def _place(passport: Passport) -> tuple[int, str, str]:
    stage = STAGES.index(passport.stage) if passport.stage in STAGES else len(STAGES)
    return stage, passport.title, passport.id


def _size(store: Store, passport: Passport) -> int:
    file = store.path(passport.id) / WEIGHTS
    return file.stat().st_size if file.is_file() else 0


def _loss(store: Store, passport: Passport) -> str:
    """Says how the training loss went: `loss 2.31 → 1.87`."""
    try:
        losses = [row["loss"] for row in store.history(passport.id) if "loss" in row]
    except UserError:
        return ""
    return f"loss {losses[0]:.2f} → {losses[-1]:.2f}" if losses else ""
