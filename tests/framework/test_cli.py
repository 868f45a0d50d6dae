"""The commands about components and tokens, and how progress is told."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from framework.execution import progress
from framework.execution.progress import StageProgress, duration
from framework.planning.plan import TaskStage
from tests.framework.conftest import Modulingua
from tests.framework.tiny import SOURCE, TARGETS, Workspace, command_line

HEAVY = {"torch", "transformers", "adapters", "lightning", "datasets", "matplotlib", "sklearn", "wandb"}
HUB = "huggingface_hub"
CODE = f"""
import sys
from framework.cli import main
try:
    main()
finally:
    print("imported:", *sorted({HEAVY | {HUB}} & sys.modules.keys()))
"""


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["components", "list", "--store", "STORE"],
        ["components", "show", "TASK", "--store", "STORE", "--runs", "RUNS"],
        ["compare", "RUNS", "--group", "family", "--out", "TABLE"],
        ["plan", "EXPERIMENT"],
        ["plan", "EXPERIMENT", "seeds=[0, 1]", "combination.task.lora.rank=2"],
        ["plan", "EXPERIMENT", "seed=[0]"],
        ["status", "EXPERIMENT"],
    ],
    ids=lambda words: " ".join(words[:3]),
)
def test_what_trains_nothing_imports_no_heavy_library(
    finished_run: Workspace, tmp_path: Path, modulingua: Modulingua, words: list[str]
) -> None:
    """Whether it does is what a command's start takes its time for: 1 s without, 10 s with all of them."""
    # This process finds out what the backbone is, and how large the components are.
    [task] = finished_run.plan().of_type(TaskStage)
    for overrides in ([], ["combination.task.lora.rank=2"]):
        assert modulingua("plan", finished_run.write(), *overrides).code == 0
    places = {
        "STORE": finished_run.folder / "store",
        "RUNS": finished_run.folder / "runs",
        "TASK": task.id,
        "TABLE": tmp_path / "table.md",
        "EXPERIMENT": finished_run.write(),
    }
    done = command_line(*(places.get(word, word) for word in words), code=CODE)
    assert done.returncode == (2 if "seed=[0]" in words else 0), done.stderr
    hub = [HUB] if words[0] in {"plan", "status"} else []  # the others read files only
    assert done.stdout.splitlines()[-1].split() == ["imported:", *hub]


class TestComponents:
    def test_they_are_listed(self, finished_run: Workspace, modulingua: Modulingua) -> None:
        answer = modulingua("components", "list", "--store", finished_run.folder / "store")
        assert (answer.code, answer.err) == (0, "")
        for passport in finished_run.store.readable():
            [line] = [line for line in answer.out.splitlines() if passport.id in line]
            assert passport.stage in line
            assert passport.title in line
            assert passport.made["time"][:10] in line

    def test_an_empty_store_says_so(self, workspace: Workspace, modulingua: Modulingua) -> None:
        answer = modulingua("components", "list", "--store", workspace.folder / "store")
        assert (answer.code, answer.out) == (0, f"{workspace.folder / 'store'}/ holds no components yet\n")

    def test_one_is_shown_by_the_beginning_of_its_id(self, finished_run: Workspace, modulingua: Modulingua) -> None:
        [task] = finished_run.plan().of_type(TaskStage)
        answer = modulingua("components", "show", task.id[:6], "--store", finished_run.folder / "store")
        assert (answer.code, answer.err) == (0, "")
        assert answer.out.splitlines()[0] == f"task · {task.title}"
        passport = finished_run.store.passport(task.id)
        known = [task.id, "4 steps × 4", f"{passport.parameters:,} parameters", SOURCE, *passport.data]
        known += [passport.backbone["weights"][:12], passport.backbone["tokenizer"][:12], passport.made["commit"]]
        assert all(word in answer.out for word in known)

    def test_an_unknown_one_is_a_mistake(self, finished_run: Workspace, modulingua: Modulingua) -> None:
        answer = modulingua("components", "show", "zz", "--store", finished_run.folder / "store")
        assert (answer.code, answer.out) == (2, "")
        assert "no component begins with 'zz'" in answer.err

    def test_one_is_removed(self, workspace: Workspace, finished_run: Workspace, modulingua: Modulingua) -> None:
        workspace.copy_of(finished_run.folder / "store", "store")
        victim = workspace.store.readable()[0].id
        answer = modulingua("components", "remove", victim[:8], "--store", workspace.folder / "store")
        assert (answer.code, answer.out) == (0, f"removed {victim}\n")
        assert not workspace.store.has(victim)
        assert len(workspace.store.readable()) == 2


def test_tokens_are_reported_by_language(workspace: Workspace, modulingua: Modulingua) -> None:
    answer = modulingua("tokenization", workspace.write())
    assert (answer.code, answer.err) == (0, "")
    lines = {line.split()[0]: " ".join(line.split()[1:]) for line in answer.out.splitlines()[1:]}
    assert list(lines) == [SOURCE, *TARGETS]
    # Each word is a token of the tiny tokenizer's, and no text is as long as 24 tokens.
    assert re.fullmatch(r"Swahili test 14 1\.00 0\.0% 0\.00%", lines["swh_Latn"])
    assert lines[SOURCE].startswith("English train 28 ")  # what is only a source may have no test split
    assert workspace.files() == {}


def test_help_names_the_commands(modulingua: Modulingua) -> None:
    answer = modulingua("--help")
    assert answer.code == 0
    for command in ("run", "plan", "compare", "predict", "tokenization", "components"):
        assert re.search(rf"\b{command}\b", answer.out)


class TestProgress:
    @pytest.fixture
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        """The time, in one entry that a test sets."""
        now = [0.0]
        monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
        return now

    def follow(self, console: Console, clock: list[float], *, fail: bool = False) -> None:
        with StageProgress(console, "[ 1/12] task · adapter", 100, lambda: "  (then 22 min)") as stage:
            for step in range(1, 101):
                clock[0] += 1
                stage.update(step, f"loss {1 / step:.2f}")
                if fail and step == 40:
                    raise KeyboardInterrupt

    def test_without_a_terminal_plain_lines_come_every_few_seconds(self, clock: list[float]) -> None:
        printed = io.StringIO()
        self.follow(Console(file=printed, width=120, force_terminal=False), clock)
        lines = printed.getvalue().splitlines()
        assert lines[0] == "[ 1/12] task · adapter  16/100  loss 0.06  1:24 left  (then 22 min)"
        assert len(lines) == 6 + 1
        assert lines[-1] == "[ 1/12] task · adapter · 1:40"
        assert all(line.isprintable() for line in lines)

    def test_on_a_terminal_one_line_moves_and_a_plain_one_stays(self, clock: list[float]) -> None:
        printed = io.StringIO()
        self.follow(Console(file=printed, width=120, force_terminal=True, highlight=False), clock)
        assert "\x1b[" in printed.getvalue()
        assert "61/100" in printed.getvalue()
        assert printed.getvalue().splitlines()[-1].endswith("[ 1/12] task · adapter · 1:40")

    def test_a_stage_that_is_broken_off_is_not_said_to_be_done(self, clock: list[float]) -> None:
        printed = io.StringIO()
        with pytest.raises(KeyboardInterrupt):
            self.follow(Console(file=printed, width=120, force_terminal=False), clock, fail=True)
        assert " · 0:40" not in printed.getvalue()

    def test_a_run_tells_what_it_does(self, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(progress, "PLAIN_EVERY", 0.0)
        lines = workspace.run({"combination": {}, "seeds": [0, 1]}).splitlines()
        assert all(line.isprintable() for line in lines)
        told = [line for line in lines if line.startswith("[")]
        assert re.fullmatch(r"\[1/4\] task · head only · seed 0  1/4 *", told[0])
        assert re.fullmatch(r"\[1/4\] task · head only · seed 0  2/4 .* +0:\d\d left", told[1])
        last = told[3]
        assert last.startswith("[1/4] task · head only · seed 0  4/4  ")
        assert re.search(r" loss \d\.\d+ .* 0:00 left$", last)
        assert re.search(r" dev accuracy \d\.\d+ ", last)
        assert re.fullmatch(r"\[1/4\] task · head only · seed 0 · 0:\d\d", told[4])
        assert "[3/4] evaluate · head only · seed 0  2/2  own: swh_Latn, hau_Latn  0:00 left" in told
        # What is left after a stage can be told only once a stage of each kind was timed.
        assert not any("(then" in line for line in told[:-2])

    @pytest.mark.parametrize(
        ("seconds", "words"),
        [
            (0, "0:00"),
            (31.9, "0:31"),
            (599, "9:59"),
            (1320, "22 min"),
            (5940, "99 min"),
            (5999, "1 h 40 min"),
            (11100, "3 h 05 min"),
        ],
    )
    def test_durations_are_written_as_people_do(self, seconds: float, words: str) -> None:
        assert duration(seconds) == words
