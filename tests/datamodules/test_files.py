"""Files and folders as users have them: what cannot be read is one message, and nothing is waited for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from datamodules import DataError
from datamodules.sources.file_patterns import language_files, reason
from datamodules.sources.files import is_file, is_folder, names_in, open_file, user_path


def test_a_regular_file_is_opened(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "link").symlink_to("a")
    with open_file(tmp_path / "link") as stream:
        assert stream.read() == b"x"
    assert names_in(tmp_path) == ["a", "link"]
    assert names_in(tmp_path / "nowhere") == []


def make_circle(path: Path) -> None:
    path.symlink_to(path.name)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (Path.mkdir, r"/data is a folder, not a file$"),
        (os.mkfifo, r"/data is a named pipe, not a file$"),
        (make_circle, r"/data cannot be read: Too many levels of symbolic links$"),
        (lambda path: path.symlink_to("nowhere"), r"/data is a link to nowhere, which does not exist$"),
        (lambda path: path.with_name("date").touch(), r"^there is no file .*/data; did you mean 'date'\?$"),
    ],
    ids=["folder", "pipe", "circle", "link", "nothing"],
)
def test_what_is_no_file_is_not_opened(make: object, message: str, tmp_path: Path) -> None:
    assert callable(make)
    make(tmp_path / "data")
    with pytest.raises(DataError, match=message):
        open_file(tmp_path / "data")


def test_a_pointer_of_git_lfs_is_not_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n")
    with pytest.raises(DataError, match=r"/a\.csv is only a pointer of Git LFS; `git lfs pull` in its repo"):
        open_file(tmp_path / "a.csv")


@pytest.mark.parametrize(("name", "message"), [("x" * 300, "File name too long"), ("a\0b", "is not a path: embedded")])
def test_a_name_that_no_file_can_have(name: str, message: str, tmp_path: Path) -> None:
    for access in (is_file, is_folder, names_in, open_file):
        with pytest.raises(DataError, match=message) as error:
            access(tmp_path / name)
        assert len(str(error.value)) < 350


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything; tests/hostile has the same as another user")
def test_what_may_not_be_read(tmp_path: Path) -> None:
    for path, make in ((tmp_path / "file", Path.touch), (tmp_path / "folder", Path.mkdir)):
        make(path)
        path.chmod(0)
        with pytest.raises(DataError, match=f"^{path} cannot be read: Permission denied$"):
            open_file(path) if path.is_file() else names_in(path)


def test_a_home_that_is_not_there_is_a_folder_like_any_other() -> None:
    assert user_path("~nobody-of-that-name/data") == Path("~nobody-of-that-name/data")
    assert user_path("~/data") == Path.home() / "data"


@pytest.mark.parametrize(
    ("pattern", "files"),
    [
        ("test-{language}.csv", ["test-spa.csv"]),
        ("{language}/test-{language}.csv", ["es/test-es.csv"]),
        ("{language}/{language}/a-{language}.csv", ["es/es/a-es.csv"]),
        ("{language}{language}.csv", ["eses.csv"]),
        ("[v2] {language}*.csv", ["[v2] spa_Latn*.csv"]),
        ("../data/{language}/x.csv", ["es/x.csv"]),
        ("./{language}.csv", ["es.csv"]),
    ],
)
@pytest.mark.parametrize("absolute", [False, True])
def test_patterns_find_their_files(pattern: str, files: list[str], absolute: bool, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for name in (*files, "es/test-spa.csv", "v spa_Latn.csv", "es/es/a-spa.csv", "spa_Latnes.csv"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).touch()
    found = language_files(Path("/nowhere") if absolute else data, f"{data}/{pattern}" if absolute else pattern)
    assert {code: file.resolve() for code, file in found.by_language.items()} == {"spa_Latn": data / files[0]}


def test_files_whose_code_is_of_no_use_are_named(tmp_path: Path) -> None:
    for code in ("zh", "cn", "ZH", "spa", "eng_Latn"):
        (tmp_path / f"test-{code}.csv").touch()
    (tmp_path / "test-hau.csv").mkdir()
    (tmp_path / "._spa.csv").touch()
    assert "._spa" not in [code for code, _ in language_files(tmp_path, "{language}.csv").others]
    found = language_files(tmp_path, "test-{language}.csv")
    assert list(found.by_language) == ["eng_Latn", "spa_Latn"]
    assert sorted(reason(*other) for other in found.others) == [
        f"{tmp_path}/test-ZH.csv: unknown language 'ZH'; nearest: zho_Hans (Chinese (Simplified)), "
        "zho_Hant (Chinese (Traditional))",
        f"{tmp_path}/test-cn.csv: unknown language 'cn'; nearest: cni_Latn (Asháninka), scn_Latn (Sicilian)",
        f"{tmp_path}/test-hau.csv: this is not a file",
        f"{tmp_path}/test-zh.csv: the language 'zh' may be zho_Hans or zho_Hant; write one of these",
    ]


def test_two_files_of_one_language_are_refused(tmp_path: Path) -> None:
    for code in ("es", "spa"):
        (tmp_path / f"{code}.csv").touch()
    with pytest.raises(DataError, match=r"/es\.csv and .*/spa\.csv are both of spa_Latn: remove or rename one"):
        language_files(tmp_path, "{language}.csv")
