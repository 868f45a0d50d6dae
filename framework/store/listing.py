"""The component store for a person to read: a table of it, a component's passport and the runs that used it, damage."""

from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from framework.errors import UserError, file_error
from framework.results.run_folder import RunFolder, read_runs
from framework.store.store import WEIGHTS, Passport, Store, backbone_name
from framework.system.stored_files import Unreadable
from framework.wording import count

STAGES = ("pretrain", "language", "task")
"""The order in which components are listed."""


def print_components(store: Store, words: list[str], console: Console) -> None:
    """Prints a line per component that holds all of the words, in any case: by stage, then by title."""
    identities = store.identities()
    if not identities:
        console.print(f"{store.folder}/ holds no components yet")
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
    identity_column, time_column = Column("id", no_wrap=True), Column("made", no_wrap=True)
    numbers = [Column(header, justify="right") for header in ("steps", "loss", "MB")]
    table = Table(identity_column, "stage", "what", "backbone", *numbers, time_column, box=None, header_style="bold")
    for _, row in shown:
        table.add_row(*row)
    console.print(table)
    stages = Counter(passport.stage for passport, _ in shown)  # in the order of the lines
    total = sum(_size(store, passport) for passport, _ in shown)
    kinds = ", ".join(f"{number} {stage}" for stage, number in stages.items())
    filtered = f" of {len(rows)}" if words else ""
    console.print(f"\n {len(shown)}{filtered} components ({kinds or 'none'}), {total / 1e6:,.1f} MB")
    for identity, reason in unreadable.items():
        console.print(f" {identity} cannot be read: {reason}", soft_wrap=True)
    if damaged := sorted(set(identities) - {passport.id for passport in passports} - unreadable.keys()):
        console.print(f" not readable: {', '.join(damaged)}; `modulingua components verify` says what to do")


def print_passport(store: Store, prefix: str, runs: Path, console: Console) -> None:
    """Prints what a component is, where it came from and which runs used it."""
    passport = store.find(prefix)
    backbone, made = passport.backbone, passport.made
    libraries = ", ".join(f"{name} {made[name]}" for name in ("torch", "transformers", "adapters") if name in made)
    trained = filter(None, [how_trained(passport), _loss(store, passport), f"{passport.parameters:,} parameters"])
    used = runs_with(passport.id, store, runs)
    experiments = {run.record.experiment for run in used}
    used_by = f"{count(len(used), 'run')} in {count(len(experiments), 'experiment')}" if used else "no run"
    lines = {
        "id": passport.id,
        "backbone": f"{backbone_name(backbone)} (weights {backbone['weights'][:12]}…, "
        f"tokenizer {backbone['tokenizer'][:12]}…)",
        "trained": " · ".join(trained),
        "languages": ", ".join(passport.languages) or "–",
        "data": ", ".join(passport.data) or "–",
        "ended with": ", ".join(f"{name} {value:.3f}" for name, value in passport.metrics.items()) or "–",
        "depends on": ", ".join(passport.needs) or "–",
        "made": f"{made.get('time', '?')} by modulingua {made.get('modulingua', '?')} ({libraries}) · "
        f"commit {made.get('commit', '?')}",
        **({"pulled": f"from {passport.pulled_from}"} if passport.pulled_from else {}),
        "notes": " ".join(passport.notes) or "–",
        "used by": f"{used_by} in {runs}/",
    }
    console.print(f"{passport.stage} · {passport.title}")
    for name, value in lines.items():
        console.print(f"  {name:<11}{value}", soft_wrap=True)


def print_findings(store: Store, prefixes: list[str], console: Console) -> bool:
    """Prints which components are damaged or cannot be read, how, and what to do; says whether all are whole.

    Those whose ids begin with the prefixes are checked; without prefixes, all of the store.

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
            console.print(f"{identity} cannot be read: {reason}", soft_wrap=True)
    damaged = [finding for finding in findings if finding.faults]
    for finding in damaged:
        console.print(f"{finding.id} is damaged: {store.path(finding.id)}/", soft_wrap=True)
        for fault in finding.faults:
            console.print(f"  {fault}", soft_wrap=True)
    unchecked = Counter(finding.unchecked for finding in findings if finding.unchecked)
    for reason, number in unchecked.items():
        console.print(f"shapes of {number} not compared: {reason}", soft_wrap=True)
    console.print(f"{len(findings) - len(damaged)} of {len(identities)} components are whole")
    if damaged:
        advice = "what to do: `modulingua components remove ID`, and the next run trains it again (or pull it again)"
        console.print(advice, soft_wrap=True)
    return len(findings) == len(identities) and not damaged


def runs_with(identity: str, store: Store, runs: Path) -> list[RunFolder]:
    """Returns the runs of a folder that used a component, directly or through a dependent component of the store."""
    try:
        found = read_runs([runs])
    except UserError:  # no runs, or one that cannot be read: `compare` says so
        return []
    needs = {passport.id: passport.needs for passport in store.readable()}
    dependent = {identity}
    while more := {other for other, below in needs.items() if not dependent.isdisjoint(below)} - dependent:
        dependent |= more
    return [run for run in found if not dependent.isdisjoint(run.record.components.values())]


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
    place, at, commit = passport.pulled_from.partition("@")
    return [
        passport.id,
        passport.stage,
        f"{passport.title} · pulled from {place}{at}{commit[:7]}" if place else passport.title,
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
