"""What README.md says about the quickstart, checked on README's own table and on a whole run on this machine.

Figures differ by processor, so no digit of the table is compared: only the statements below the table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from framework.execution.runner import run_experiment
from framework.reports.compare.final_table import print_final_table

ROOT = Path(__file__).parents[1]
TASK = "task adapter"
ADAPTER = "language adapter + task adapter"
PROMPT = "language prompt + task adapter"
WITHOUT, WRONG = "· no language component", "· wrong language's"


@dataclass(frozen=True)
class Line:
    """A row of the table."""

    means: list[float]
    """Mean accuracy in each of the three zero-shot languages."""
    low: float
    """Lower end of the macro average's interval."""
    high: float
    """Its upper end."""


def lines_of(text: str) -> dict[str, Line]:
    """Returns the rows of the table in a text; the controls' names begin with that of their combination."""
    found: dict[str, Line] = {}
    combination = ""
    for line in text.splitlines():
        if interval := re.search(r"\[([.\d]+), ([.\d]+)\]\s*$", line):
            label = re.split(r"\s{2,}", line)[0]
            combination = combination if label.startswith("·") else label
            means = [float(mean) for mean in re.findall(r"([.\d]+) ±", line)]
            name = label if label == combination else f"{combination} {label}"
            found[name] = Line(means[-3:], float(interval[1]), float(interval[2]))
    return found


def check_statements(text: str) -> None:
    """Checks what README says below its table."""
    lines = lines_of(text)
    task, adapter, prompt = lines[TASK], lines[ADAPTER], lines[PROMPT]
    # A language adapter under the task adapter improves all three languages.
    assert all(ours > theirs + 0.03 for ours, theirs in zip(adapter.means, task.means, strict=True)), text
    assert adapter.low > task.high, text
    # Without it, or with another language's, the gain is gone.
    assert lines[f"{ADAPTER} {WITHOUT}"] == task, text
    assert adapter.low > lines[f"{ADAPTER} {WRONG}"].high, text
    # A language prompt of two vectors does not reach that.
    assert adapter.low > prompt.high, text


def test_the_statements_hold_for_the_table_in_the_readme() -> None:
    check_statements((ROOT / "README.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("row", "figures"),
    [
        (ADAPTER, ".950 ± .002  .600 ± .010  .820 ± .010  .790 ± .010  .800 [.780, .820]"),  # E gains nothing
        (ADAPTER, ".950 ± .002  .790 ± .010  .820 ± .010  .790 ± .010  .800 [.600, 1.000]"),
        (WITHOUT, ".790 ± .010  .820 ± .010  .790 ± .010  .800 [.780, .820]"),
        (WRONG, ".790 ± .010  .820 ± .010  .790 ± .010  .800 [.780, .820]"),
        (PROMPT, ".950 ± .002  .790 ± .010  .820 ± .010  .790 ± .010  .800 [.780, .820]"),
    ],
)
def test_a_table_that_contradicts_a_statement_fails(row: str, figures: str) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    changed, count = re.subn(rf"(?m)^{re.escape(row)}  .*$", f"{row}  {figures}", readme, count=1)
    assert count == 1
    with pytest.raises(AssertionError):
        check_statements(changed)


@pytest.mark.quickstart
@pytest.mark.timeout(3600)
def test_the_statements_hold_on_this_machine(tmp_path: Path) -> None:
    console = Console(file=StringIO(), width=160)
    folders = [f"store={tmp_path / 'store'}", f"runs={tmp_path / 'runs'}"]
    plan = run_experiment(ROOT / "experiments" / "quickstart.yaml", folders, console)
    print_final_table(plan, console)
    check_statements(console.file.getvalue())
