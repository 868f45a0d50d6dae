"""Every command that the documentation shows works, on stand-ins for models and data.

The commands of a page run in their order, in a folder that has the page's own files (blocks with a `title`) too, and
the runs that it speaks of. A command that no rule below covers fails.
"""

from __future__ import annotations

import contextlib
import glob
import importlib
import importlib.util
import io
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
import typer
from typer.exceptions import TyperException

from framework.cli import app
from tests.framework.conftest import Modulingua
from tests.framework.docs import standins
from tests.framework.docs.pages import PAGES, commands, files, inline_code, page_name
from tests.framework.tiny import ROOT

PLACEHOLDERS = {
    "EXPERIMENT.yaml": "experiments/sib200/prompt-adapter.yaml",
    "backbone.name=FacebookAI/xlm-roberta-base": "backbone.name=models/xlm-roberta-base",
}
"""Words that stand for a user's own or for what the hub has, and what they stand for here."""
NOT_RUN = {
    "launch": "submits to a cluster, but for --dry-run",
    "status": "asks a cluster",
    "cancel": "asks a cluster",
    "sync": "speaks to W&B",
    "dashboard": "speaks to W&B, but for --dry-run",
    "components push": "names a component of somebody's store",
    "components pull": "asks the hub",
    "components export": "names a component of somebody's store",
    "components import": "reads a file from elsewhere",
    "components merge": "names components of somebody's store",
}
"""Commands that are only read by the command line, and the plan is made of the experiment that they name."""
RUN_ELSEWHERE = {"experiments/soft_language_prompts/": "test_soft_language_prompts.py runs them, which takes its time"}
"""Experiments that are only planned here."""
REAL_DATA = (
    *("experiments/masakhaner2/zero-shot.yaml", "runs/masakhaner2-zero-shot"),
    *("experiments/xnli/zero-shot.yaml", "runs/xnli-zero-shot"),
    *("experiments/sib200/label-words.yaml", "runs/sib200-label-words"),
)
"""Experiments, and their runs, whose data or backbone have no stand-in; other tests plan them."""
OUTSIDE = {
    "git": "fetches the repository",
    "cd": "goes into it",
    "hf": "asks the hub",
}
"""Words that are not ours: their lines are left alone."""
PIPED = ("printf", "echo", "cat")
"""What may stand before a pipe."""

SHOWING = [page for page in PAGES if commands(page)]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return standins.build(tmp_path_factory.mktemp("standins"))


@pytest.fixture
def checkout(tmp_path: Path, shared: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to run the commands of one page in."""
    monkeypatch.chdir(standins.checkout(tmp_path, shared))
    monkeypatch.syspath_prepend(str(tmp_path))  # for PYTHONPATH=., which a process reads when it starts
    return tmp_path


Shell = Callable[[str], None]


@pytest.fixture
def shell(checkout: Path, modulingua: Modulingua, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Carries out a line, or says that no rule covers it."""

    def call(line: str) -> None:
        words = split(line)
        assert words, line
        *before, last = parts(words)
        assert all(command[0] in PIPED for command in before), f"no rule covers the beginning of: {line}"
        told = subprocess.run(before[0], capture_output=True, text=True, check=True).stdout if before else ""
        with monkeypatch.context() as here:
            while "=" in last[0]:
                name, _, value = last.pop(0).partition("=")
                here.setenv(name, value)
            rule = RULES.get(Path(last[0]).name)
            assert rule, f"no rule covers: {line} (output stands in a fence marked `text`)"
            rule(line, last[1:], told, modulingua, here)

    return call


def split(line: str) -> list[str]:
    """The words of a line as a shell sees them; `<`, `>` and `|` are words of their own."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="<>|")
    lexer.whitespace_split = True
    return [PLACEHOLDERS.get(word, word) for word in lexer]


def parts(words: list[str]) -> list[list[str]]:
    """The commands of a pipe."""
    found: list[list[str]] = [[]]
    for word in words:
        if word == "|":
            found.append([])
        else:
            found[-1].append(word)
    return found


def run_modulingua(
    line: str, words: list[str], told: str, modulingua: Modulingua, here: pytest.MonkeyPatch
) -> None:
    words, read, written = redirected(words)
    read_by_the_command_line(words)
    elsewhere = words[0] == "run" and words[1].startswith(tuple(RUN_ELSEWHERE))
    not_run = words[0] in NOT_RUN or " ".join(words[:2]) in NOT_RUN
    if elsewhere or (not_run and "--dry-run" not in words):
        if not words[1].endswith(".yaml"):
            return
        words = ["plan", *words[1:]]
    if any(word.startswith(REAL_DATA) for word in words):
        return
    make_runs(words, modulingua)
    here.setattr(sys, "stdin", io.StringIO(Path(read).read_text() if read else told))
    answer = modulingua(*expanded(words))
    assert answer.code == 0, f"{line}\n{answer.out}{answer.err}"
    if written:
        Path(written).write_text(answer.out)


def make_runs(words: list[str], modulingua: Modulingua) -> None:
    """Runs the experiment whose runs a command speaks of, where the page has not done so."""
    wanted = {name for word in words if (name := Path(word).parts[1:2]) and word.startswith("runs/")}
    for [name] in wanted:
        if Path("runs", name).exists():
            continue
        [file] = [file for file in Path("experiments").rglob("*.yaml") if f"\nname: {name}\n" in file.read_text()]
        assert modulingua("run", file).code == 0, file


def redirected(words: list[str]) -> tuple[list[str], str, str]:
    """Takes `< file` and `> file` from the words."""
    files = {"<": "", ">": ""}
    for sign in files:
        if sign in words:
            place = words.index(sign)
            files[sign] = words[place + 1]
            words = words[:place] + words[place + 2 :]
    return words, files["<"], files[">"]


def expanded(words: list[str]) -> list[str]:
    """What a shell makes of `*`."""
    found: list[str] = []
    for word in words:
        matches = sorted(glob.glob(word)) if "*" in word else []
        found += matches or [word]
    return found


def read_by_the_command_line(words: list[str]) -> None:
    """Fails where there is no such command, or it has no such option."""
    command, rest = typer.main.get_command(app), list(words)
    while hasattr(command, "commands"):
        name = rest.pop(0) if rest else ""
        assert name in command.commands, f"there is no command: modulingua {' '.join(words)}"
        command = command.commands[name]
    try:
        command.make_context(words[0], rest)
    except TyperException as error:
        raise AssertionError(f"modulingua {' '.join(words)}: {error}") from error


def run_make(line: str, words: list[str], *_: object) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    [target] = [word for word in words if "=" not in word]
    assert re.search(rf"^{re.escape(target)}:", makefile, flags=re.MULTILINE), f"there is no target: {line}"


def run_python(line: str, words: list[str], *_: object) -> None:
    """A file that the page shows is run. A module's own tests run it; here it has to be there."""
    if Path(words[0]).is_file():
        runpy.run_path(words[0])
        return
    assert words[0] == "-m", f"no rule covers: {line}"
    assert importlib.util.find_spec(words[1]), f"there is no module: {line}"


def run_pytest(line: str, words: list[str], *_: object) -> None:
    missing = [word for word in words if "/" in word and not (ROOT / word).exists()]
    assert not missing, f"there is no such test: {line}"


def leave_alone(*_: object) -> None:
    """A line that is not ours."""


RULES: dict[str, Callable[..., None]] = {
    "modulingua": run_modulingua,
    "make": run_make,
    "python": run_python,
    "pytest": run_pytest,
    **dict.fromkeys(OUTSIDE, leave_alone),
}


@pytest.mark.pages
@pytest.mark.parametrize("page", SHOWING, ids=page_name)
def test_the_commands_of_a_page_run(page: Path, shell: Shell, checkout: Path) -> None:
    for name, text in files(page).items():
        file = checkout / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(standins.smaller(text) if name.endswith(".yaml") else text, encoding="utf-8")
    with forgotten(files(page)):
        for line in commands(page):
            shell(line)


@contextlib.contextmanager
def forgotten(names: Iterable[str]) -> Iterator[None]:
    """Modules that a page shows are imported for this page alone."""
    importlib.invalidate_caches()
    yield
    for name in names:
        sys.modules.pop(Path(name).stem, None)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("modulingua fly experiments/quickstart.yaml", "there is no command"),
        ("modulingua plan experiments/quickstart.yaml --loudly", "No such option"),
        ("modulingua plan experiments/gone.yaml", "there is no such experiment file"),
        ("modulingua plan experiments/quickstart.yaml seed=[0]", "unknown key"),
        ("modulingua launch experiments/quickstart.yaml slurm.nodse=1", "did you mean 'nodes'"),
        ("make coffee", "there is no target"),
        ("python -m tests.gone", "there is no module"),
        ("pytest tests/gone", "there is no such test"),
        ("wget http://example.org", "no rule covers"),
    ],
)
def test_a_line_that_cannot_work_is_found(line: str, reason: str, shell: Shell) -> None:
    with pytest.raises(AssertionError, match=reason):
        shell(line)


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_commands_named_in_a_sentence_are_there(page: Path) -> None:
    known = typer.main.get_command(app).commands
    for code in inline_code(page):
        program, *words = code.removeprefix(".venv/bin/").split()
        if program == "modulingua" and words:
            assert words[0] in known or words[0].startswith("-"), code
        if program == "make" and words:
            run_make(code, words[:1])
