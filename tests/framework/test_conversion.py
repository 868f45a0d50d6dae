"""Components that go to another library's format and come back serve in an experiment."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import adapters
import pytest
import torch

from framework.planning.plan import LanguageStage, TaskStage
from framework.store.store import WEIGHTS
from tests.framework.conftest import Modulingua
from tests.framework.test_reuse import state
from tests.framework.tiny import SOURCE, Workspace, outcome, runs


def imported(workspace: Workspace, modulingua: Modulingua, folder: Path, *words: str) -> str:
    places = ("--backbone", workspace.encoder, "--store", workspace.store.folder)
    answer = modulingua("components", "import", folder, *words, *places)
    assert (answer.code, answer.err) == (0, "")
    return answer.out.split()[0]


def test_an_imported_prompt_is_used_and_found_again(
    trained: Workspace, finished_run: Workspace, modulingua: Modulingua
) -> None:
    swh, hau = trained.plan().of_type(LanguageStage)
    folder = trained.folder / "swahili"
    answer = modulingua(*("components", "export", swh.id, folder, "--format", "peft"), "--store", trained.store.folder)
    assert (answer.code, answer.err) == (0, "")
    words = ("--as", "language", "--language", "swh_Latn")
    identity = imported(trained, modulingua, folder, *words)
    assert identity == imported(trained, modulingua, folder, *words)
    assert identity != imported(trained, modulingua, folder, "--as", "language", "--language", "hau_Latn")
    assert all(torch.equal(tensor, state(trained, swh.id)[name]) for name, tensor in state(trained, identity).items())
    assert modulingua("components", "verify", identity, "--store", trained.store.folder).code == 0
    given = {"reuse": {"language": {"swh_Latn": identity, "hau_Latn": hau.id}}}
    trained.run(given)
    [mine], [theirs] = runs(trained.plan(given)), runs(finished_run.plan())
    assert {place: found[1] for place, found in outcome(mine).items()} == {
        place: found[1] for place, found in outcome(theirs).items()
    }
    assert any("was imported (swahili)" in note for note in mine.record.notes)


def test_an_imported_adapter(trained: Workspace, modulingua: Modulingua) -> None:
    [task] = trained.plan().of_type(TaskStage)
    folder = trained.folder / "topics"
    places = ("--store", trained.store.folder)
    assert modulingua("components", "export", task.id, folder, "--format", "adapters", *places).code == 0
    assert sorted(path.name for path in folder.iterdir()) == ["adapter.safetensors", "adapter_config.json"]
    mine = state(trained, imported(trained, modulingua, folder, "--as", "task"))
    theirs = state(trained, task.id)
    assert mine.keys() == {name for name in theirs if not name.startswith("head/")}  # the head is ours alone
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in mine.items())


def test_mad_x_adapters_of_the_library_serve_whole(workspace: Workspace, modulingua: Modulingua) -> None:
    ids = {}
    for seed, code in enumerate(("swh_Latn", "hau_Latn", SOURCE)):
        model = adapters.AutoAdapterModel.from_pretrained(workspace.encoder)
        model.add_adapter(code, config=adapters.SeqBnInvConfig(reduction_factor=8))
        generator = torch.Generator().manual_seed(seed)
        for name, parameter in model.named_parameters():
            if f".{code}." in name:
                parameter.data = 0.3 * torch.randn(parameter.shape, generator=generator)
        model.save_adapter(str(workspace.folder / code), code, with_head=False)
        ids[code] = imported(workspace, modulingua, workspace.folder / code, "--as", "language", "--language", code)
    kinds = {"adapter": {"reduction_factor": 8}, "invertible": {"place": "embeddings"}}
    changes = {"combination.language": kinds, "reuse": {"language": ids}, "stages.language": None}
    workspace.run(changes)
    [run] = runs(workspace.plan(changes))
    found = outcome(run)
    assert found["own", "swh_Latn"][1] != found["none", "swh_Latn"][1]

    elsewhere = workspace.write(changes | {"combination.language.invertible.place": "words"})
    answer = modulingua("plan", elsewhere)
    assert answer.code == 2
    assert "has invertible.place embeddings; combination.language.invertible says words" in answer.err


def test_a_task_component_without_a_head_where_one_answers(trained: Workspace, modulingua: Modulingua) -> None:
    [task] = trained.plan().of_type(TaskStage)
    folder = trained.folder / "topics"
    places = ("--store", trained.store.folder)
    assert modulingua("components", "export", task.id, folder, "--format", "adapters", *places).code == 0
    identity = imported(trained, modulingua, folder, "--as", "task")
    for given in (identity, f"0.5*{identity} + 0.5*{task.id}"):
        answer = modulingua("plan", trained.write({"reuse": {"task": given}}))
        assert answer.code == 2
        assert "reuse.task" in answer.err
        assert f"{identity} holds no head, and a head answers here: take one that was trained" in answer.err
    whole = state(trained, task.id)
    fewer = {name: tensor[:3] if name.startswith("head/") else tensor for name, tensor in whole.items()}
    trained.store.write(dataclasses.replace(trained.store.passport(task.id), id="e" * 16), fewer, [])
    answer = modulingua("plan", trained.write({"reuse": {"task": "e" * 16}}))
    assert f"{'e' * 16} holds a head of 99 parameters; this task's head has 231" in answer.err
    assert modulingua("plan", trained.write({"reuse": {"task": task.id}})).code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("export", "SWH", "NEW", "--format", "adaptors"), "unknown format 'adaptors'; did you mean 'adapters'?"),
        (("export", "SWH", "NEW", "--format", "adapters"), "this is prompt"),
        (("export", "SWH", "STORE", "--format", "peft"), "holds something else"),
        (("import", "STORE", "--as", "language", "--backbone", "ENCODER"), "--language: a language component needs"),
        (("import", "STORE", "--as", "task", "--backbone", "ENCODER"), "no adapter_config.json here"),
        (("import", "OWN", "--as", "task", "--backbone", "ENCODER"), "`modulingua components pull "),
        (("import", "STORE", "--as", "lang", "--backbone", "ENCODER"), "serves as language or task; did you mean"),
        (("import", "STORE", "--as", "task", "--language", "swa_Latn", "--backbone", "ENCODER"), "swh_Latn"),
    ],
)
def test_mistakes(trained: Workspace, modulingua: Modulingua, words: tuple[str, ...], said: str) -> None:
    named = {
        "SWH": trained.plan().of_type(LanguageStage)[0].id,
        "NEW": trained.folder / "new",
        "STORE": trained.store.folder,
        "OWN": trained.store.path(trained.plan().of_type(LanguageStage)[0].id),
        "ENCODER": trained.encoder,
    }
    before = list(trained.store.folder.rglob(WEIGHTS))
    answer = modulingua("components", *(named.get(word, word) for word in words), "--store", trained.store.folder)
    assert answer.code == 2
    assert said in answer.err
    assert not (trained.folder / "new").exists()
    assert list(trained.store.folder.rglob(WEIGHTS)) == before
