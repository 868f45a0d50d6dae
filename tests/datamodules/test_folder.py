from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow.parquet
import pytest

from datamodules import DataError
from datamodules.sources.base import Folder
from tests.datamodules.conftest import Write


def rows(
    folder: Path, columns: tuple[str, ...] = ("text",), optional: tuple[str, ...] = ()
) -> list[dict[str, object]]:
    return list(Folder(folder).rows("eng", "train", columns, optional))


def test_rows_come_in_order_with_the_wanted_columns_only(write: Write) -> None:
    folder = write("eng/train", [{"text": str(n), "extra": n, "other": n} for n in range(2500)])
    assert rows(folder, ("text",), ("extra", "absent")) == [{"text": str(n), "extra": n} for n in range(2500)]


def test_a_split_in_several_files_is_read_in_their_order(write: Write) -> None:
    write("eng/train-00001-of-00002", [{"text": "b"}])
    folder = write("eng/train-00000-of-00002", [{"text": "a"}])
    assert rows(folder) == [{"text": "a"}, {"text": "b"}]
    assert Folder(folder).fingerprint("eng", "train").startswith("sha256:")


def test_what_is_missing_is_said(write: Write) -> None:
    folder = write("eng/train", [{"texts": "a", "label": 1}])
    message = rf"^{folder}/eng/train.parquet: there is no column 'text'; did you mean 'texts'\?; found: texts, label$"
    with pytest.raises(DataError, match=message):
        rows(folder)
    with pytest.raises(DataError, match=rf"^folder {folder}: 'eng' has no split 'test'; found: train$"):
        Folder(folder).check("eng", "test")
    with pytest.raises(DataError, match=rf"^folder {folder} has no 'engl'; did you mean 'eng'\?$"):
        Folder(folder).check("engl", "train")
    with pytest.raises(DataError, match=rf"^{folder}/eng/train.parquet is a file, not a folder$"):
        Folder(folder / "eng" / "train.parquet").check("eng", "train")
    with pytest.raises(DataError, match=rf"^folder {folder}/nowhere does not exist$"):
        Folder(folder / "nowhere").check("eng", "train")


def test_a_file_that_is_no_parquet_is_refused(write: Write) -> None:
    folder = write("eng/train", [{"text": "a"}])
    file = folder / "eng" / "train.parquet"
    file.write_bytes(b"not parquet at all")
    with pytest.raises(DataError, match=rf"^{file} cannot be read as parquet: .*") as error:
        rows(folder)
    assert "\n" not in str(error.value)


def test_a_file_that_is_damaged_inside_is_refused(write: Write) -> None:
    folder = write("eng/train", [{"text": f"text {n * n}"} for n in range(5000)])
    file = folder / "eng" / "train.parquet"
    content = bytearray(file.read_bytes())
    assert pyarrow.parquet.read_metadata(file).num_rows == 5000
    content[100:4000] = bytes(3900)
    file.write_bytes(content)
    with pytest.raises(DataError, match=rf"^{file} cannot be read as parquet: .*") as error:
        rows(folder)
    assert "\n" not in str(error.value)


def test_a_fingerprint_tells_contents_and_not_places(write: Write, tmp_path: Path) -> None:
    folder = write("one/eng/train", [{"text": "a"}]) / "one"
    elsewhere = tmp_path / "two"
    shutil.copytree(folder, elsewhere)
    first = Folder(folder).fingerprint("eng", "train")
    assert Folder(elsewhere).fingerprint("eng", "train") == first
    write("one/eng/train", [{"text": "another"}])
    assert Folder(folder).fingerprint("eng", "train") != first


def test_a_fingerprint_is_the_sum_that_anybody_can_compute(real_data: Path) -> None:
    manifest = (real_data / "MANIFEST.json").read_text(encoding="utf-8")
    fingerprint = Folder(real_data / "sib200").fingerprint("swh_Latn", "test")
    assert fingerprint.removeprefix("sha256:") in manifest
