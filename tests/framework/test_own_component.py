"""The components of docs/own-component.md are added from outside, by their dotted paths, and do all that ours do."""

from __future__ import annotations

import importlib
import io
import sys
from pathlib import Path

import pytest
import torch

from framework.planning.plan import LanguageStage
from framework.store.store import parameter_count, part_of
from tests.framework.conftest import Modulingua
from tests.framework.docs.pages import DOCS, blocks
from tests.framework.tiny import Workspace

LANGUAGE_EMBEDDING = {"combination.language": {"my_components.LanguageEmbedding": {"std": 0.1}}}
SPARSE = {"combination.language": {"sparse_update.SparseUpdate": {"density": 0.05}}}


@pytest.fixture(autouse=True)
def of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writes the modules of the page where Python finds them."""
    for block in blocks(DOCS / "own-component.md"):
        if block.title.endswith(".py"):
            (tmp_path / block.title).write_text(block.body)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.parametrize("changes", [LANGUAGE_EMBEDDING, SPARSE], ids=["embedding", "sparse"])
def test_it_is_trained_stored_explained_and_used(
    changes: dict, workspace: Workspace, modulingua: Modulingua, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = workspace.run(changes)
    assert "swh_Latn" in table
    assert modulingua("components", "verify", "--store", workspace.folder / "store").code == 0
    explained = modulingua("explain", workspace.write(changes))
    assert explained.code == 0, explained.err
    [run] = (file.parent for file in (workspace.folder / "runs").rglob("run.json"))
    monkeypatch.setattr("sys.stdin", io.StringIO("siasa na uchumi\n"))
    answer = modulingua("predict", run, "--language", "swh_Latn")
    assert (answer.code, answer.err) == (0, "")


def test_index_tensors_are_stored_and_stay_in_sums(workspace: Workspace, modulingua: Modulingua) -> None:
    workspace.run(SPARSE)
    stages = workspace.plan(SPARSE).of_type(LanguageStage)
    states = [workspace.store.read(stage.id, stage.backbone.passport) for stage in stages]
    names = ["updates.0.indices", "updates.0.values", "updates.1.indices", "updates.1.values"]
    assert [sorted(part_of(state, "language.sparse")) for state in states] == [names, names]
    assert [stage.parameters for stage in stages] == [parameter_count(state) for state in states]
    store = ["--store", workspace.folder / "store"]
    answer = modulingua("components", "merge", f"0.5*{stages[0].id} + 0.5*{stages[1].id}", *store)
    assert answer.code == 0, answer.err
    [identity] = set(workspace.store.identities()) - {stage.id for stage in workspace.plan(SPARSE).stages}
    merged = workspace.store.read(identity, stages[0].backbone.passport)
    for name, tensor in merged.items():
        values = [state[name] for state in states]
        if name.endswith("indices"):
            assert torch.equal(tensor, values[0])
        else:
            assert not torch.equal(values[0], values[1])
            torch.testing.assert_close(tensor, (values[0] + values[1]) / 2)
    assert modulingua("components", "verify", *store).code == 0


def test_other_indices_cannot_be_summed(workspace: Workspace, modulingua: Modulingua) -> None:
    ids = []
    for seed in (0, 1):
        changes = SPARSE | {"stages.language.seed": seed}
        workspace.run(changes)
        ids.append(workspace.plan(changes).of_type(LanguageStage)[0].id)
    answer = modulingua("components", "merge", f"{ids[0]} + {ids[1]}", "--store", workspace.folder / "store")
    assert answer.code == 2
    assert "cannot be summed: updates.0.indices holds different indices" in answer.err
    assert "Traceback" not in answer.err


SETTINGS = "class Settings(ComponentConfig):\n    kind = 'mine'\n\n"


@pytest.mark.parametrize(
    ("settings", "body", "said"),
    [
        ("", "kind = 'mine'", "its Config is not a subclass of modules.ComponentConfig with a kind"),
        ("class Settings:\n    pass\n\n", "Config = Settings", "its Config is not a subclass"),
        ("class Settings(ComponentConfig):\n    pass\n\n", "Config = Settings", "its Config is not a subclass"),
        (SETTINGS, "Config = Settings", "lacks create"),
    ],
)
def test_an_unfinished_class_is_told_what_it_lacks(
    tmp_path: Path,
    workspace: Workspace,
    modulingua: Modulingua,
    monkeypatch: pytest.MonkeyPatch,
    settings: str,
    body: str,
    said: str,
) -> None:
    monkeypatch.delitem(sys.modules, "unfinished", raising=False)
    importlib.invalidate_caches()
    code = f"from modules import Component, ComponentConfig\n\n{settings}class Mine(Component):\n    {body}\n"
    (tmp_path / "unfinished.py").write_text(code)
    answer = modulingua("plan", workspace.write({"combination.language": {"unfinished.Mine": {}}}))
    assert answer.code == 2
    assert said in answer.err
    assert "Traceback" not in answer.err


def test_a_buffer_of_numbers_is_refused(tmp_path: Path, workspace: Workspace, modulingua: Modulingua) -> None:
    """Sums would take it for a parameter."""
    page = (tmp_path / "sparse_update.py").read_text()
    line = 'update.register_buffer("indices", indices)'
    scaled = page.replace(line, f'{line}; update.register_buffer("scale", torch.ones(1))')
    (tmp_path / "scaled_update.py").write_text(scaled)
    answer = modulingua("plan", workspace.write({"combination.language": {"scaled_update.SparseUpdate": {}}}))
    assert answer.code == 2
    assert "the buffer updates.0.scale holds no whole numbers" in answer.err


def test_its_learning_rate_is_set_by_its_dotted_path(workspace: Workspace) -> None:
    kind = "my_components.LanguageEmbedding"
    rates = {"stages.language.training.learning_rates": {kind: 0.5}}
    workspace.run(LANGUAGE_EMBEDDING)
    slow = workspace.store.read(*_first(workspace, LANGUAGE_EMBEDDING))
    workspace.run(LANGUAGE_EMBEDDING | rates)
    fast = workspace.store.read(*_first(workspace, LANGUAGE_EMBEDDING | rates))
    assert not torch.equal(slow["language.embedding/vector"], fast["language.embedding/vector"])


def _first(workspace: Workspace, changes: dict) -> tuple[str, dict[str, str]]:
    stage = workspace.plan(changes).of_type(LanguageStage)[0]
    return stage.id, stage.backbone.passport
