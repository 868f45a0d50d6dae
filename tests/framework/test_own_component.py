"""The components of docs/own-component.md are added from outside, by their dotted paths, and do all that ours do."""

from __future__ import annotations

import io
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


def test_an_old_class_is_told_what_it_lacks(
    tmp_path: Path, workspace: Workspace, modulingua: Modulingua
) -> None:
    (tmp_path / "old_kind.py").write_text(
        "from modules import Component\n\n"
        "class Settings:\n    pass\n\n"
        "class Old(Component):\n    kind = 'old'\n    Config = Settings\n"
    )
    answer = modulingua("plan", workspace.write({"combination.language": {"old_kind.Old": {}}}))
    assert answer.code == 2
    assert "its Config is not a subclass of modules.ComponentConfig" in answer.err
