"""The component store: whole folders, found by the beginning of an identity, read only onto their own backbone."""

from __future__ import annotations

import dataclasses
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from framework.errors import UserError
from framework.store.store import HISTORY, PASSPORT, WEIGHTS, Passport, Store

BACKBONE = {"name": "xlm-roberta-base", "revision": "e73636d", "weights": "aa" * 32, "tokenizer": "bb" * 32}
STATE = {
    "language.prompt/table": torch.arange(6.0).reshape(2, 3).T,
    "head/linear.bias": torch.zeros(0),
}
CURVE = [{"step": 10.0, "loss": 0.5}, {"step": 20.0, "loss": 0.25, "validation/accuracy": 1.0}]


def passport(identity: str) -> Passport:
    return Passport(
        id=identity,
        stage="language",
        title="prompt · hau_Latn",
        backbone=BACKBONE,
        components={"language.prompt": {"length": 2}},
        languages=["hau_Latn"],
        data=["sha256:00"],
        training={"training": {"steps": 20}, "batch_size": 4},
        parameters=6,
        metrics={"loss": 0.25},
        notes=["Über Noten."],
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "deep" / "store")


def test_what_is_written_is_read(store: Store) -> None:
    assert not store.has("7f3a")
    store.write(passport("7f3a"), STATE, CURVE)
    assert store.has("7f3a")
    read = store.read("7f3a", BACKBONE)
    assert read.keys() == STATE.keys()
    assert all(torch.equal(read[name], tensor) for name, tensor in STATE.items())
    assert store.history("7f3a") == CURVE
    assert dataclasses.replace(store.passport("7f3a"), weights_sha256="") == passport("7f3a")
    assert len(store.passport("7f3a").weights_sha256) == 64


def test_colleagues_can_read_it(store: Store) -> None:
    store.write(passport("7f3a"), STATE, CURVE)
    folder = store.path("7f3a")
    assert all(file.stat().st_mode & stat.S_IROTH for file in (folder, *folder.iterdir()))
    assert folder.stat().st_mode & stat.S_IXOTH


class TestWholeOrNotAtAll:
    @pytest.mark.parametrize("failing", ["safetensors.torch.save_file", "framework.store.store.sha256"])
    def test_an_error_leaves_nothing(self, store: Store, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
        def fail(*_: object, **__: object) -> None:
            raise RuntimeError("the disk is full")

        monkeypatch.setattr(failing, fail)
        with pytest.raises(RuntimeError, match="disk is full"):
            store.write(passport("7f3a"), STATE, CURVE)
        assert list(store.folder.iterdir()) == []
        assert not store.has("7f3a")

    def test_an_error_leaves_what_was_there(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        store.write(passport("7f3a"), STATE, CURVE)

        def fail(*_: object) -> None:
            raise OSError("no space left")

        monkeypatch.setattr("framework.system.atomic_files.os.replace", fail)
        with pytest.raises(OSError, match="no space left"):
            store.write(passport("other"), {}, [])
        monkeypatch.undo()
        assert [path.name for path in store.folder.iterdir()] == ["7f3a"]
        assert store.read("7f3a", BACKBONE).keys() == STATE.keys()

    def test_nothing_appears_under_its_name_before_it_is_whole(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[list[str]] = []
        replace = os.replace

        def watched(source: Path, target: Path) -> None:
            seen.append([store.has("7f3a"), *sorted(path.name for path in Path(source).iterdir())])
            replace(source, target)

        monkeypatch.setattr("framework.system.atomic_files.os.replace", watched)
        store.write(passport("7f3a"), STATE, CURVE)
        assert seen == [[False, WEIGHTS, HISTORY, PASSPORT]]

    def test_what_a_killed_process_left_is_no_component(self, store: Store) -> None:
        store.write(passport("7f3a"), STATE, CURVE)
        store.path("7f3a").rename(store.folder / ".7f3b-killed")
        assert store.readable() == []
        with pytest.raises(UserError, match="no component begins with '7f3'"):
            store.find("7f3")

    def test_writing_again_replaces_it(self, store: Store) -> None:
        store.write(passport("7f3a"), STATE, CURVE)
        store.write(passport("7f3a"), {"x": torch.ones(1)}, [])
        assert store.read("7f3a", BACKBONE).keys() == {"x"}
        assert store.history("7f3a") == []


class TestBackbones:
    @pytest.mark.parametrize("what", ["weights", "tokenizer"])
    def test_another_backbone_is_refused_with_both_hashes(self, store: Store, what: str) -> None:
        store.write(passport("7f3a"), STATE, CURVE)
        with pytest.raises(UserError, match=rf"another backbone.*{what} hash.*{BACKBONE[what][:12]}.*is cccccccccccc$"):
            store.read("7f3a", BACKBONE | {what: "c" * 64, "name": "mine"})

    def test_the_same_content_under_another_name_is_the_same_backbone(self, store: Store) -> None:
        store.write(passport("7f3a"), STATE, CURVE)
        assert store.read("7f3a", BACKBONE | {"name": "copies/xlm-r", "revision": "local"})


class TestFinding:
    @pytest.fixture(autouse=True)
    def filled(self, store: Store) -> None:
        for identity in ("7f3a", "7f4b", "9c1b"):
            store.write(passport(identity), STATE, CURVE)

    def test_the_beginning_is_enough(self, store: Store) -> None:
        assert store.find("9").id == "9c1b"
        assert store.find("7f3a").id == "7f3a"
        assert store.identities() == ["7f3a", "7f4b", "9c1b"]

    def test_a_beginning_of_several_is_refused(self, store: Store) -> None:
        with pytest.raises(UserError, match="'7f' begins 2 components: 7f3a, 7f4b"):
            store.find("7f")
        with pytest.raises(UserError, match="begins 2 components"):
            store.remove("7f")
        assert len(store.readable()) == 3

    def test_an_unknown_one_is_refused_with_the_nearest(self, store: Store) -> None:
        with pytest.raises(UserError, match="no component begins with '9c1d'; did you mean '9c1b'"):
            store.find("9c1d")

    def test_removing(self, store: Store) -> None:
        assert store.remove("7f3") == "7f3a"
        assert not store.path("7f3a").exists()
        assert store.has("7f4b")

    def test_a_damaged_one_can_be_removed_and_not_read(self, store: Store) -> None:
        (store.path("9c1b") / PASSPORT).write_text("{")
        with pytest.raises(UserError, match="not a passport"):
            store.find("9c1b")
        assert store.remove("9c1b") == "9c1b"
        assert len(store.readable()) == 2

    def test_weights_that_are_gone_are_not_called_damaged(self, store: Store) -> None:
        (store.path("9c1b") / WEIGHTS).unlink()
        for read in (lambda: store.read("9c1b", BACKBONE), lambda: store.head_size("9c1b")):
            with pytest.raises(UserError, match=r"9c1b/components\.safetensors: no such file\. .*remove 9c1b"):
                read()

    def test_weights_that_may_not_be_read(self, store: Store, deny: Callable[[Path], None]) -> None:
        deny(store.path("9c1b") / WEIGHTS)
        for read in (lambda: store.read("9c1b", BACKBONE), lambda: store.head_size("9c1b")):
            with pytest.raises(PermissionError, match=r"9c1b/components\.safetensors"):
                read()

    def test_a_folder_that_may_not_be_read_is_named(self, store: Store, deny: Callable[[Path], None]) -> None:
        deny(store.path("9c1b"))
        assert store.identities() == ["7f3a", "7f4b", "9c1b"]
        with pytest.raises(UserError, match=r"9c1b/passport\.json: Permission denied$"):
            store.find("9c1b")

    def test_a_damaged_curve_is_told(self, store: Store) -> None:
        (store.path("9c1b") / HISTORY).write_text('{"step": 1}\n{"st')
        with pytest.raises(UserError, match=r"history\.jsonl is damaged: not a training curve .*remove 9c1b"):
            store.history("9c1b")


def test_an_empty_store_is_no_error(store: Store) -> None:
    assert store.readable() == []
    with pytest.raises(UserError, match="no component begins with 'a'"):
        store.find("a")
