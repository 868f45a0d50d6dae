"""Components that are shared: through a folder, and through the hub with the real client and a stand-in for it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from safetensors.torch import load_file

from framework.planning.plan import EvaluateStage, LanguageStage, TaskStage
from framework.store.identities import recomputed
from framework.store.sharing import push
from framework.store.store import HISTORY, PASSPORT, WEIGHTS, Store, read_passport
from tests.framework.conftest import Modulingua
from tests.framework.test_store_commands import rewrite
from tests.framework.tiny import Workspace, runs
from tests.hub_server import Repository, hub_server, use_hub

FILES = {WEIGHTS, HISTORY, PASSPORT}


def store_of(workspace: Workspace) -> tuple[str, Path]:
    return "--store", workspace.folder / "store"


@pytest.fixture
def task(finished_run: Workspace) -> str:
    """The identity of the task component; it stands on nothing, for English is the pivot."""
    [stage] = finished_run.plan().of_type(TaskStage)
    return str(stage.id)


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory, finished_run: Workspace) -> Workspace:
    """A folder in which the task component stands on a pretraining and on a language component."""
    workspace = Workspace(
        tmp_path_factory.mktemp("pretrained"), finished_run.encoder, finished_run.texts, finished_run.corpus
    )
    pretrain = {
        "languages": ["swh_Latn"],
        "objective": {"masked": workspace.text},
        "training": {"steps": 1},
        "batch_size": 4,
    }
    workspace.run({"pretrain": pretrain, "languages.targets": ["swh_Latn"], **workspace.masked})
    return workspace


class TestFolders:
    def test_what_is_pushed_is_pulled(
        self, finished_run: Workspace, workspace: Workspace, task: str, modulingua: Modulingua
    ) -> None:
        shared = workspace.folder / "shared"
        places = (*store_of(finished_run), "--runs", finished_run.folder / "runs")
        assert modulingua("components", "push", task[:6], shared, *places).code == 0
        assert {file.name for file in shared.iterdir()} == FILES | {"README.md"}
        answer = modulingua("components", "pull", shared, *store_of(workspace))
        assert (answer.code, answer.err) == (0, "")
        assert f"put into the store: {task}" in answer.out
        for name in (WEIGHTS, HISTORY):
            assert (workspace.store.path(task) / name).read_bytes() == (
                finished_run.store.path(task) / name
            ).read_bytes()
        assert "checked: files, hashes, but no shapes (backbone './encoder': there is no such folder); " in answer.out
        assert "how it was trained is what its publisher says" in answer.out
        again = modulingua("components", "pull", shared, *store_of(workspace))
        assert f"was there already: {task}" in again.out

    def test_an_experiment_uses_what_was_pulled(
        self, finished_run: Workspace, workspace: Workspace, modulingua: Modulingua
    ) -> None:
        for number, identity in enumerate(finished_run.store.identities()):
            modulingua("components", "push", identity, workspace.folder / f"shared{number}", *store_of(finished_run))
            modulingua("components", "pull", workspace.folder / f"shared{number}", *store_of(workspace))
        assert [stage.kind for stage in workspace.plan().todo] == ["evaluate"]
        before = workspace.files()
        workspace.run()
        assert before.items() <= workspace.files().items()

    def test_what_was_pulled_says_so(
        self, finished_run: Workspace, workspace: Workspace, modulingua: Modulingua
    ) -> None:
        hau, shared = finished_run.plan().of_type(LanguageStage)[-1].id, workspace.folder / "shared"
        modulingua("components", "push", hau, shared, *store_of(finished_run))
        modulingua("components", "pull", shared, *store_of(workspace))
        assert workspace.store.passport(hau).pulled_from == str(shared)
        assert f"pulled     from {shared}" in modulingua("components", "show", hau, *store_of(workspace)).out
        assert "pulled from" in modulingua("components", "list", *store_of(workspace)).out
        assert f"note: pulled from {shared}, whose publisher states how they were trained: {hau}" in (
            modulingua("plan", workspace.write()).out
        )
        workspace.run()
        [run] = runs(workspace.plan())
        note = f"Component {hau} was pulled from a folder: its publisher states how it was trained."
        assert note in run.record.notes
        merged = modulingua("components", "merge", f"2*{hau}", *store_of(workspace)).out.split()[0]
        assert note in workspace.store.passport(merged).notes
        assert workspace.store.passport(finished_run.plan().of_type(TaskStage)[0].id).pulled_from == ""

    def test_the_passport_tells_nothing_of_the_machine(self, pretrained: Workspace, workspace: Workspace) -> None:
        task = self.task(pretrained)
        push(
            pretrained.store,
            task,
            str(workspace.folder / "shared"),
            workspace.folder / "runs",
            alone=False,
            private=False,
        )
        files = [file for file in (workspace.folder / "shared").rglob("*") if file.suffix in (".json", ".jsonl", ".md")]
        assert len(files) == 2 * (1 + len(pretrained.store.passport(task).needs)) + 1
        text = "".join(file.read_text() for file in files)
        assert pretrained.store.passport(task).backbone["name"] == str(pretrained.encoder)
        assert "./encoder" in text
        for private in (pretrained.encoder.parent, pretrained.folder, Path.home(), Path.cwd()):
            assert str(private) not in text
        for passport in (read_passport(file.parent) for file in files if file.name == PASSPORT):
            assert "command" not in passport.made

    @pytest.mark.parametrize("merged", [True, False])
    def test_an_id_that_is_not_that_of_the_content_is_refused(
        self, finished_run: Workspace, workspace: Workspace, modulingua: Modulingua, merged: bool
    ) -> None:
        victim = finished_run.plan().of_type(LanguageStage)[-1].id
        passport = finished_run.store.passport(victim)
        parents = {"made_by": "merge", "parents": [{"weight": 1.0, "components": ["0" * 16]}]}
        training = parents if merged else {"made_by": "imported from elsewhere"}
        state = load_file(finished_run.store.path(victim) / WEIGHTS)
        shared = Store(workspace.folder / "shared")
        shared.write(replace(passport, training=training), state, [])
        answer = modulingua("components", "pull", shared.path(victim), *store_of(workspace))
        assert answer.code == 2
        assert "its id is not that of its content" in answer.err
        assert workspace.store.identities() == []
        known = recomputed(replace(passport, training=training), state)
        assert known is not None
        shared.write(replace(passport, training=training, id=known), state, [])
        assert modulingua("components", "pull", shared.path(known), *store_of(workspace)).code == 0

    def test_a_sum_of_what_is_not_readable_is_refused(
        self, finished_run: Workspace, workspace: Workspace, task: str, modulingua: Modulingua
    ) -> None:
        shared = shutil.copytree(finished_run.store.path(task), workspace.folder / "shared")
        passport = json.loads((shared / PASSPORT).read_text())
        passport["training"] = {"made_by": "merge", "parents": [7]}
        (shared / PASSPORT).write_text(json.dumps(passport))
        answer = modulingua("components", "pull", shared, *store_of(workspace))
        assert answer.code == 2
        assert "training: parents.0: Input should be a valid dictionary" in answer.err

    def test_the_card_says_what_it_is(
        self, finished_run: Workspace, workspace: Workspace, task: str, modulingua: Modulingua
    ) -> None:
        shared = workspace.folder / "shared"
        modulingua("components", "push", task, shared, *store_of(finished_run), "--runs", finished_run.folder / "runs")
        _, header, text = (shared / "README.md").read_text().split("---\n", 2)
        assert yaml.safe_load(header) == {
            "library_name": "modulingua",
            "language": ["eng"],
            "tags": ["modulingua", "cross-lingual-transfer", "task", "adapter"],
        }
        [run] = finished_run.plan().of_type(EvaluateStage)
        own = [result.scores["accuracy"] for result in run.folder.results() if result.control == "own"]
        assert f"| tiny | {run.experiment.label} | sib200 | 1 | 2 | accuracy {sum(own) / 2:.3f} |" in text
        assert "licence unknown: check" in text
        assert "4 steps × 4" in text
        assert f'reuse: {{task: "{task}"}}' in text

    def test_needs_come_along(self, pretrained: Workspace, workspace: Workspace, modulingua: Modulingua) -> None:
        task, shared = self.task(pretrained), workspace.folder / "shared"
        assert modulingua("components", "push", task, shared, *store_of(pretrained)).code == 0
        pulled = modulingua("components", "pull", shared, *store_of(workspace))
        assert pulled.code == 0
        assert workspace.store.identities() == sorted({task, *pretrained.store.passport(task).needs})
        assert "MISSING" not in pulled.out

    def test_a_component_of_a_pretrained_backbone_is_not_exported(
        self, pretrained: Workspace, workspace: Workspace, modulingua: Modulingua
    ) -> None:
        task = self.task(pretrained)
        words = (task, workspace.folder / "new", "--format", "adapters", *store_of(pretrained))
        answer = modulingua("components", "export", *words)
        assert answer.code == 2
        pretraining = pretrained.store.passport(task).backbone["weights"]
        assert f"its backbone was trained by the pretrain stage {pretraining}, and other libraries" in answer.err
        assert not (workspace.folder / "new").exists()

    def test_needs_that_are_left_out_are_told(
        self, pretrained: Workspace, workspace: Workspace, modulingua: Modulingua
    ) -> None:
        task, shared = self.task(pretrained), workspace.folder / "shared"
        modulingua("components", "push", task, shared, "--alone", *store_of(pretrained))
        pulled = modulingua("components", "pull", shared, *store_of(workspace))
        assert f"MISSING: {', '.join(pretrained.store.passport(task).needs)}" in pulled.out
        assert workspace.store.identities() == [task]

    @staticmethod
    def task(workspace: Workspace) -> str:
        [passport] = [passport for passport in workspace.store.readable() if passport.stage == "task"]
        assert passport.needs
        return passport.id

    @pytest.mark.parametrize(
        ("damage", "said"),
        [
            (lambda folder: (folder / WEIGHTS).write_bytes(b"x"), "damaged"),
            (lambda folder: rewrite(folder, lambda state: state, id="../../../evil"), "is no component's id"),
            (lambda folder: (folder / HISTORY).unlink(), "missing"),
            (lambda folder: (folder / PASSPORT).unlink(), "no component here"),
        ],
    )
    def test_what_is_damaged_is_not_taken(
        self,
        finished_run: Workspace,
        workspace: Workspace,
        task: str,
        modulingua: Modulingua,
        damage: Callable[[Path], None],
        said: str,
    ) -> None:
        shared = shutil.copytree(finished_run.store.path(task), workspace.folder / "shared")
        damage(shared)
        answer = modulingua("components", "pull", shared, *store_of(workspace))
        assert answer.code == 2
        assert said in answer.err
        assert workspace.store.identities() == []
        assert sorted(path.name for path in workspace.folder.iterdir() if path.name != "store") == ["shared"]

    def test_only_its_own_files_are_taken(
        self, finished_run: Workspace, workspace: Workspace, task: str, modulingua: Modulingua
    ) -> None:
        shared = shutil.copytree(finished_run.store.path(task), workspace.folder / "shared")
        (shared / "pytorch_model.bin").write_bytes(b"evil")
        answer = modulingua("components", "pull", shared, *store_of(workspace))
        assert answer.code == 0
        assert "checked: files, hashes, shapes;" in answer.out
        assert {file.name for file in workspace.store.path(task).iterdir()} == FILES

    def test_a_folder_of_something_else_is_left_alone(
        self, finished_run: Workspace, workspace: Workspace, task: str, modulingua: Modulingua
    ) -> None:
        (workspace.folder / "photos").mkdir()
        (workspace.folder / "photos" / "cat.jpg").write_bytes(b"cat")
        answer = modulingua("components", "push", task, workspace.folder / "photos", *store_of(finished_run))
        assert answer.code == 2
        assert "holds something else" in answer.err
        assert [file.name for file in (workspace.folder / "photos").iterdir()] == ["cat.jpg"]


class TestHub:
    @pytest.fixture
    def hub(
        self, modulingua: Modulingua, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Callable[..., tuple[int, str, str]]:
        """Calls a command that knows a hub of its own; gives what it left."""

        def call(endpoint: str, *words: str | Path, token: str = "hf_any") -> tuple[int, str, str]:
            use_hub(endpoint, tmp_path / "hub", monkeypatch)
            monkeypatch.setenv("HF_TOKEN", token)
            done = modulingua(*words)
            return done.code, done.out, done.err

        return call

    def test_there_and_back(
        self, finished_run: Workspace, workspace: Workspace, task: str, hub: Callable[..., tuple[int, str, str]]
    ) -> None:
        repositories: list[Repository] = []
        with hub_server(repositories) as endpoint:
            code, out, err = hub(endpoint, "components", "push", task, "someone/topics", *store_of(finished_run))
            assert (code, err) == (0, "")
            [repository] = repositories
            assert f"someone/topics/commit/{repository.sha(-1)}" in out
            sha, files = repository.resolve("main")
            assert set(files) == FILES | {"README.md", ".gitattributes"}
            assert files[WEIGHTS] == (finished_run.store.path(task) / WEIGHTS).read_bytes()
            repository.commits.append({"README.md": b"empty"})  # type: ignore[attr-defined]
            code, out, err = hub(endpoint, "components", "pull", "someone/topics", *store_of(workspace))
            assert code == 2
            assert "someone/topics: no component here" in err
            pinned = ("components", "pull", "someone/topics", "--revision", sha)
            code, out, _ = hub(endpoint, *pinned, *store_of(workspace))
            assert code == 0
            assert f"put into the store: {task}" in out
        assert json.loads((workspace.store.path(task) / PASSPORT).read_text())["id"] == task
        pulled, made = Store(workspace.folder / "store").passport(task), finished_run.store.passport(task)
        assert pulled.pulled_from == f"someone/topics@{sha}"
        private: dict[str, Any] = {"pulled_from": "", "backbone": made.backbone, "made": made.made}
        assert replace(pulled, **private) == made

    @pytest.mark.parametrize(
        ("words", "token", "said"),
        [
            (("pull", "someone/nothing"), "hf_any", "someone/nothing: the hub has no such repository"),
            (("pull", "no such name!"), "hf_any", "this is neither a folder nor a repository's name"),
            (("push", "TASK", "someone/mine"), "", "someone/mine: the hub refuses: HF_TOKEN is not set"),
        ],
    )
    def test_what_goes_wrong_is_one_line(
        self,
        finished_run: Workspace,
        task: str,
        hub: Callable[..., tuple[int, str, str]],
        words: tuple[str, ...],
        token: str,
        said: str,
    ) -> None:
        given = [task if word == "TASK" else word for word in words]
        with hub_server([]) as endpoint:
            code, _, err = hub(endpoint, "components", *given, *store_of(finished_run), token=token)
        assert code == 2
        assert said in err
        assert len(err.splitlines()) == 1
