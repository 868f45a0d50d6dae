"""The commands that look at the component store: what they say of whole and of damaged components."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file
from torch import Tensor

from framework.planning.plan import LanguageStage, TaskStage
from framework.store.store import PASSPORT, WEIGHTS
from framework.system.atomic_files import sha256
from tests.framework.conftest import Modulingua
from tests.framework.tiny import Workspace


def rewrite(folder: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]], **passport: object) -> None:
    """Changes the weights of a component as somebody would who mends its hash too."""
    save_file(change(load_file(folder / WEIGHTS)), folder / WEIGHTS)
    known = json.loads((folder / PASSPORT).read_text())
    (folder / PASSPORT).write_text(json.dumps(known | {"weights_sha256": sha256(folder / WEIGHTS)} | passport))


class TestVerify:
    def test_whole_ones(self, finished_run: Workspace, modulingua: Modulingua) -> None:
        answer = modulingua("components", "verify", "--store", finished_run.folder / "store")
        assert (answer.code, answer.err, answer.out) == (0, "", "3 of 3 components are whole\n")

    @pytest.mark.parametrize("name", ["absent", "file"])
    def test_no_store(self, tmp_path: Path, modulingua: Modulingua, name: str) -> None:
        (tmp_path / "file").write_text("")
        answer = modulingua("components", "verify", "--store", tmp_path / name)
        assert (answer.code, answer.out, answer.err) == (2, "", f"there is no store at {tmp_path / name}\n")

    @pytest.mark.parametrize(
        ("damage", "said"),
        [
            (lambda folder: (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-3]), "SHA-256"),
            (lambda folder: (folder / WEIGHTS).unlink(), "components.safetensors is missing"),
            (lambda folder: (folder / PASSPORT).write_text("{"), "not a passport"),
            (lambda folder: rewrite(folder, lambda state: {n: t / 0 for n, t in state.items()}), "not finite"),
            (lambda folder: rewrite(folder, lambda state: {n: t[1:].clone() for n, t in state.items()}), "should be"),
            (lambda folder: rewrite(folder, lambda state: {n + "x": t for n, t in state.items()}), "is missing"),
            (lambda folder: rewrite(folder, lambda state: state, parameters=7), "the passport says 7"),
            (lambda folder: rewrite(folder, lambda state: state, id="0" * 16), f"the passport is that of {'0' * 16}"),
        ],
    )
    def test_damaged_ones(
        self, trained: Workspace, modulingua: Modulingua, damage: Callable[[Path], None], said: str
    ) -> None:
        victim = trained.plan().of_type(LanguageStage)[0].id
        damage(trained.store.path(victim))
        answer = modulingua("components", "verify", "--store", trained.folder / "store")
        assert answer.code == 1
        assert answer.out.startswith(f"{victim} is damaged")
        assert said in answer.out
        assert "2 of 3 components are whole" in answer.out
        assert "modulingua components remove" in answer.out

    def test_some_of_them(self, trained: Workspace, modulingua: Modulingua) -> None:
        victim, whole = (stage.id for stage in trained.plan().of_type(LanguageStage))
        (trained.store.path(victim) / WEIGHTS).unlink()
        assert modulingua("components", "verify", whole[:8], "--store", trained.folder / "store").code == 0
        assert modulingua("components", "verify", victim, whole, "--store", trained.folder / "store").code == 1

    def test_the_backbone_needs_no_weights(self, trained: Workspace, tmp_path: Path, modulingua: Modulingua) -> None:
        bare = shutil.copytree(trained.encoder, tmp_path / "bare", ignore=shutil.ignore_patterns("*.safetensors"))
        victim = trained.store.path(trained.plan().of_type(LanguageStage)[0].id)
        backbone = json.loads((victim / PASSPORT).read_text())["backbone"] | {"name": str(bare)}
        rewrite(victim, lambda state: {name: tensor[1:].clone() for name, tensor in state.items()}, backbone=backbone)
        answer = modulingua("components", "verify", victim.name, "--store", trained.folder / "store")
        assert "should be" in answer.out
        assert "not compared" not in answer.out

    def test_without_the_backbone_at_hand(self, trained: Workspace, modulingua: Modulingua) -> None:
        for folder in (trained.store.path(stage) for stage in trained.store.identities()):
            backbone = json.loads((folder / PASSPORT).read_text())["backbone"] | {"name": "./gone"}
            rewrite(folder, lambda state: state, backbone=backbone)
        answer = modulingua("components", "verify", "--store", trained.folder / "store")
        assert answer.code == 0
        assert "shapes of 3 not compared: backbone './gone': there is no such folder" in answer.out


def test_one_says_which_runs_used_it(finished_run: Workspace, modulingua: Modulingua) -> None:
    [task], language = finished_run.plan().of_type(TaskStage), finished_run.plan().of_type(LanguageStage)[0]
    places = ("--store", finished_run.folder / "store", "--runs", finished_run.folder / "runs")
    for stage in (task, language):
        assert "used by    1 run in 1 experiment in" in modulingua("components", "show", stage.id, *places).out
    nowhere = modulingua("components", "show", task.id, *places[:3], finished_run.folder / "nowhere")
    assert "used by    no run" in nowhere.out


def test_a_word_chooses_what_is_listed(trained: Workspace, modulingua: Modulingua) -> None:
    answer = modulingua("components", "list", "HAU", "prompt", "--store", trained.folder / "store")
    assert len([line for line in answer.out.splitlines() if "language" in line and "prompt" in line]) == 1
    assert " 1 of 3 components (1 language)" in answer.out


def test_a_damaged_one_does_not_hide_the_others(trained: Workspace, modulingua: Modulingua) -> None:
    victim = trained.store.identities()[0]
    (trained.store.path(victim) / PASSPORT).write_text("{")
    answer = modulingua("components", "list", "--store", trained.folder / "store")
    assert answer.code == 0
    assert " 2 components" in answer.out
    assert f"not readable: {victim};" in answer.out


def test_one_that_may_not_be_read_is_not_called_damaged(
    trained: Workspace, modulingua: Modulingua, deny: Callable[[Path], None]
) -> None:
    [first, second, _] = trained.store.identities()
    deny(trained.store.path(first))
    deny(trained.store.path(second) / WEIGHTS)
    listed = modulingua("components", "list", "--store", trained.folder / "store")
    assert listed.code == 0
    assert " 2 components" in listed.out
    reason = f"{first} cannot be read: {trained.store.path(first) / PASSPORT}: Permission denied"
    assert f" {reason}\n" in listed.out
    assert "not readable" not in listed.out
    verified = modulingua("components", "verify", "--store", trained.folder / "store")
    assert verified.code == 1
    assert f"{reason}\n" in verified.out
    assert f"{second} cannot be read: {trained.store.path(second) / WEIGHTS}: Permission denied\n" in verified.out
    assert "1 of 3 components are whole" in verified.out
    assert "remove" not in verified.out
