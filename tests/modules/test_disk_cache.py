"""What is found out of files is found once, and again when anything changes that it depends on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from modules import BackboneConfig, count_parameters, disk_cache, inspect_backbone
from modules.backbone import inspection
from modules.disk_cache import cached
from tests.modules import tiny

ROOT = Path(__file__).parents[2]
SLOW = ("torch", "transformers", "adapters", "lightning")


class Finder:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> int:
        self.calls += 1
        return 7


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MODULINGUA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(disk_cache, "_FOUND", {})
    return tmp_path / "cache"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(disk_cache, "SETTLED", 0.0)
    file = tmp_path / "weights"
    file.write_bytes(b"1")
    return file


def another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_cache, "_FOUND", {})


def test_another_process_finds_what_one_found(cache: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = Finder()
    for _ in range(2):
        assert cached(int, find, files=[file], what="number") == 7
        another_process(monkeypatch)
    assert find.calls == 1
    assert [json.loads(entry.read_text()) for entry in cache.iterdir()] == [7]


@pytest.mark.parametrize("change", ["content", "key", "code", "absent"])
def test_whatever_it_depends_on_makes_it_look_again(
    change: str, cache: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find, key = Finder(), "number"
    cached(int, find, files=[file], what=key)
    match change:
        case "content":
            file.write_bytes(b"2")  # of the same size
        case "key":
            key = "another"
        case "code":
            monkeypatch.setattr(disk_cache, "_code", lambda: "another version")
        case "absent":
            file.unlink()
    cached(int, find, files=[file], what=key)
    assert find.calls == 2


def test_a_file_that_was_just_written_is_looked_at_each_time(cache: Path, tmp_path: Path) -> None:
    """Two changes within one tick of the clock could not be told apart."""
    file, find = tmp_path / "weights", Finder()
    file.write_bytes(b"1")
    for _ in range(2):
        cached(int, find, files=[file])
    assert find.calls == 2
    assert not cache.exists()


def test_a_cache_that_cannot_be_used_is_none(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = Finder()
    cache.write_text("a file in place of the folder")
    for _ in range(2):
        assert cached(int, find) == 7
        another_process(monkeypatch)
    assert find.calls == 2


def test_a_damaged_entry_is_replaced(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = Finder()
    cached(int, find)
    [entry] = cache.iterdir()
    entry.write_text("[")
    another_process(monkeypatch)
    assert cached(int, find) == 7
    assert json.loads(entry.read_text()) == 7


def test_a_backbone_is_inspected_once_and_then_without_torch(
    cache: Path, folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_cache, "SETTLED", 0.0)
    path = folder("xlm-roberta")
    info = inspect_backbone(BackboneConfig(name=str(path)))
    assert inspection.special_tokens(info) == 2
    assert inspection.text_tokens(info, tiny.WORDS[0]) >= 1
    parameters = count_parameters(info)
    code = (
        "import sys\n"
        "from modules import BackboneConfig, disk_cache, count_parameters, inspect_backbone, special_tokens\n"
        "disk_cache.SETTLED = 0.0\n"
        f"info = inspect_backbone(BackboneConfig(name={str(path)!r}))\n"
        f"assert special_tokens(info) == 2 and count_parameters(info) == {parameters}\n"
        f"assert info.weights_hash == {info.weights_hash!r}\n"
        f"print([name for name in {SLOW} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=os.environ, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_odd_names_and_links_to_nowhere_are_no_reason_to_fail(
    cache: Path, folder: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_cache, "SETTLED", 0.0)
    model = shutil.copytree(folder("bert"), tmp_path / "model")
    (model / os.fsdecode(b"notes-\xe9.txt")).write_text("")
    (model / "gone.json").symlink_to("nowhere")
    info = inspect_backbone(BackboneConfig(name=str(model)))
    assert inspect_backbone(BackboneConfig(name=str(model))) == info
    monkeypatch.setattr(disk_cache.importlib.metadata, "version", raise_import_error)
    disk_cache._code.cache_clear()
    assert cached(int, Finder()) == 7
    disk_cache._code.cache_clear()


def raise_import_error(library: str) -> str:
    raise ImportError(library)
