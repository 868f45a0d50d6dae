"""What `modulingua sync` sends where: what is given, another entity's books, and what another process is at."""

from __future__ import annotations

import json

import pytest

from framework.planning.plan import LanguageStage
from framework.store.merging import merge
from framework.system.locks import stage_lock_if_free
from framework.tracking.stage_content import component_name
from tests.framework.conftest import Modulingua
from tests.framework.tiny import TARGETS, Workspace
from tests.wandb_server import WandbServer

SWH, HAU = TARGETS


@pytest.fixture
def trained(workspace: Workspace, finished_run: Workspace) -> Workspace:
    """The language components of the finished experiment, and nothing else of it."""
    for stage in finished_run.plan().of_type(LanguageStage):
        finished_run.copy_of(finished_run.store.path(stage.id), str(workspace.store.path(stage.id)))
    return workspace


def test_what_is_given_is_sent_before_what_stands_on_it(
    trained: Workspace, server: WandbServer, modulingua: Modulingua
) -> None:
    parts = [stage.id for stage in trained.plan().of_type(LanguageStage)]
    given = merge(trained.store, [f"0.5*{parts[0]} + 0.5*{parts[1]}"], HAU).id
    changes = {"languages.targets": [HAU], "reuse.language": {HAU: given}}
    trained.run(changes)
    task, evaluation = (stage.id for stage in trained.plan(changes).stages)
    answer = modulingua("sync", trained.write(changes))
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines()[-1] == "5 of 5 sent"
    sent = list(server.runs)
    assert set(sent[:2]) == set(parts)
    assert sent[2:] == [given, task, evaluation]
    assert set(server.runs[given].uses) == set(map(component_name, parts))
    assert set(server.runs[evaluation].uses) == {component_name(given), component_name(task)}
    assert {component_name(identity) for identity in sent[:-1]} <= server.artifacts.keys()


def test_books_are_kept_by_server_entity_and_project(
    trained: Workspace, server: WandbServer, modulingua: Modulingua, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, other = trained.plan().of_type(LanguageStage)
    trained.store.remove(other.id)
    file = trained.write()
    curve = trained.store.history(stage.id)

    def sync(*words: str) -> str:
        return modulingua("sync", file, *words).out.splitlines()[-1]

    assert sync() == "1 of 1 sent"
    assert sync() == "0 of 1 sent; 1 were there already"
    # Another login, whose entity has nothing yet.
    server.entity = "other"
    server.runs.clear()
    server.forget_artifacts()
    assert sync() == "1 of 1 sent"
    assert len(server.runs[stage.id].history) == len(curve) > 0
    assert component_name(stage.id) in server.artifacts
    assert sync("tracking.project=elsewhere") == "1 of 1 sent"
    server.entity = "team"
    assert sync() == "0 of 1 sent; 1 were there already"
    # Other ids, under which nothing was sent yet.
    assert sync("tracking.run_suffix=b") == "1 of 1 sent"
    assert len(server.runs[f"{stage.id}-b"].history) == len(curve)
    assert sync("tracking.run_suffix=b") == "0 of 1 sent; 1 were there already"
    books = json.loads((trained.store.folder / ".wandb" / stage.id / "wandb/sent.json").read_text())
    places = ("team/modulingua", "other/modulingua", "other/elsewhere", "team/modulingua#b")
    assert set(books) == {f"{server.url}/{place}" for place in places}


def test_what_another_process_is_at_is_left_out(
    trained: Workspace, server: WandbServer, modulingua: Modulingua
) -> None:
    busy, free = trained.plan().of_type(LanguageStage)
    file = trained.write()
    with stage_lock_if_free(trained.store.claim(busy.id)) as mine:
        assert mine
        answer = modulingua("sync", file)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines() == [
        f"[1/2] language · {busy.title}: left out, for another process is at it",
        f"[2/2] language · {free.title}",
        "1 of 2 sent; call sync again for 1 that other processes are at",
    ]
    assert list(server.runs) == [free.id]
    assert modulingua("sync", file).out.splitlines()[-1] == "1 of 2 sent; 1 were there already"
    assert set(server.runs) == {busy.id, free.id}
