"""Which files hold a split: the layouts of repositories, by their README or by names."""

from __future__ import annotations

import pytest

from datamodules import DataError
from datamodules.sources.layout import Layout, Listed, read_card


def files(*paths: str, config: str = "hau", split: str = "train", header: str = "") -> list[str]:
    card = read_card(f"---\n{header}\n---\n# About\n", "README.md") if header else {}
    return Layout("repository", Listed(paths), card).files(config, split)


@pytest.mark.parametrize(
    "paths",
    [
        ["hau/train.parquet"],
        ["hau/train-00000-of-00002.parquet", "hau/train-00001-of-00002.parquet"],
        ["hau/train-00000-of-00001-4f3b2a.parquet"],
        ["hau/train-1-of-2.parquet", "hau/train-2-of-2.parquet"],
        ["hau/train/0000.parquet", "hau/train/0001.parquet"],
        ["data/hau/train.tsv"],
        ["data/hau/train.csv"],
        ["data/hau/train.jsonl"],
        ["data/hau/train.json"],
        ["hau/train.tsv.gz"],
        ["hau/train-0000.jsonl.gz", "hau/train-0001.jsonl.gz"],
        ["train/hau.json.gz"],
        ["data/hau/train-00000-of-00001.parquet"],
    ],
    ids=lambda paths: paths[0],
)
def test_a_split_is_found_by_names(paths: list[str]) -> None:
    others = ["hau/train/dataset_info.json", "hau/train/state.json"]
    others += ["hau/._train.tsv", "hau/train/._0000.parquet", "hau/._train-00000-of-00002.parquet"]
    others += ["README.md", "hau/test.parquet", "data/hau/dev.tsv", "ibo/train.parquet", "hau.py", "train.parquet"]
    assert files(*paths, *others) == paths


def test_what_belongs_to_no_config_is_the_default() -> None:
    assert files("data/train-00000-of-00001.parquet", config="default") == ["data/train-00000-of-00001.parquet"]
    assert files("train/a.csv", "train/b.csv", config="default") == ["train/a.csv", "train/b.csv"]


def test_a_validation_split_may_be_called_dev() -> None:
    assert files("hau/dev.tsv", split="validation") == ["hau/dev.tsv"]
    assert files("hau/dev.tsv", "hau/validation.tsv", split="validation") == ["hau/validation.tsv"]
    with pytest.raises(DataError, match=r"^repository: 'hau' has no split 'test'; found: dev$"):
        files("hau/dev.tsv", split="test")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("configs: [{config_name: hau, data_files: 'a/x-*.tsv'}]", ["a/x-1.tsv", "a/x-2.tsv"]),
        ("configs: [{config_name: hau, data_files: [a/x-2.tsv, ./b/y.csv]}]", ["a/x-2.tsv", "b/y.csv"]),
        ("configs: [{config_name: hau, data_files: [{split: train, path: 'b/*'}]}]", ["b/y.csv"]),
        ("configs: [{config_name: hau, data_files: [{split: train, path: [b/y.csv, a/x-1.tsv]}]}]", None),
        ("configs: [{config_name: hau, data_dir: a, data_files: [{split: train, path: x-1.*}]}]", ["a/x-1.tsv"]),
        ("configs: [{config_name: hau, data_dir: ./c/d/}]", ["c/d/train.csv"]),
        ("configs: [{config_name: hau, data_dir: gone}]", ["hau/train.tsv"]),
        ("configs: [{config_name: hau, sep: '\\t', data_files: [{split: train, path: 'a/x-2*'}]}]", ["a/x-2.tsv"]),
        ('configs: [{config_name: hau, sep: "\\t", data_files: [{split: train, path: a/x-1.tsv}]}]', ["a/x-1.tsv"]),
        ("configs: [{config_name: hau, delimiter: ',', data_files: [{split: train, path: b/y.csv}]}]", ["b/y.csv"]),
        ("configs: [{config_name: hau, data_files: [{split: train, path: '**/y.csv'}]}]", ["b/y.csv", "c/d/y.csv"]),
        ("configs: [{config_name: hau, data_files: [{split: train, path: 'c/**/y*'}]}]", ["c/d/y.csv"]),
        # the README of a repository whose files were arranged anew
        ("configs: [{config_name: hau, data_files: gone/*.tsv}]", ["hau/train.tsv"]),
        ("license: mit", ["hau/train.tsv"]),
    ],
)
def test_the_list_of_a_readme_is_kept(header: str, expected: list[str] | None) -> None:
    tree = ["a/x-1.tsv", "a/x-2.tsv", "a/notes.txt", "b/y.csv", "c/d/y.csv", "c/d/train.csv", "hau/train.tsv"]
    assert files(*tree, header=header) == (expected or ["b/y.csv", "a/x-1.tsv"])


@pytest.mark.parametrize(
    ("paths", "reason"),
    [
        (["ibo/train.tsv"], "has no 'hau'"),
        (["haus/train.tsv"], "has no 'hau'; did you mean 'haus'?"),
        (["hau/notes.txt"], ": 'hau' has no file that is read (parquet, csv, tsv, jsonl, json; all but"),
        (["hau/partial-train/0000.parquet"], ": 'hau' has no split 'train'; found: partial-train"),
        (["hau/train.tsv", "hau/train.csv"], ": 'hau' has two sources of the split 'train', "),
        (["hau/train.tsv", "data/hau/train.tsv"], ": 'hau' has two sources of the split 'train', "),
        (["hau/train.parquet", "hau/train/0000.parquet"], ": 'hau' has two sources of the split 'train', "),
        (
            ["hau/train-00001-of-00002.parquet"],
            "has only 1 of 2 files of a split: hau/train-00001-of-00002.parquet; missing: 00000-of-00002; copy the",
        ),
        (["hau/train-0.parquet", "hau/train-00000-of-00001.parquet"], ": 'hau' has two sources of the split 'train', "),
    ],
)
def test_what_is_missing_or_may_be_two_things_is_said(paths: list[str], reason: str) -> None:
    with pytest.raises(DataError) as error:
        files(*paths)
    assert str(error.value).removeprefix("repository").lstrip().startswith(reason.lstrip())


@pytest.mark.parametrize("folder", ["hau/train-", "hau/train/train-", "hau/train/"])
@pytest.mark.parametrize(
    ("shards", "reason"),
    [
        ("00000-of-00001 00000-of-00001-6b2e", ": {0} and {1} are the same part of a split: remove one of them"),
        ("0-of-2 0-of-2-6b2e", ": {0} and {1} are the same part of a split: "),
        ("0-of-2 1-of-2 1-of-2-6b2e", ": {1} and {2} are the same part of a split: "),
        ("0-of-3 2-of-3 2-of-3-0a1b", ": {1} and {2} are the same part of a split: "),
        ("00000-of-00003 00002-of-00003", " has only 2 of 3 files of a split: {0}, {1}; missing: 00001-of-00003; "),
        ("7-of-9", " has only 1 of 9 files of a split: {0}; missing: 0-of-9, 1-of-9, 2-of-9, …; copy the "),
        ("0-of-2 0-of-3 1-of-2", ": {0} is one of 2 files of a split, {1} one of 3: remove those "),
        ("0-of-2 1-of-2 2-of-2", ": {2} is beyond the last part of a split, which is 1"),
    ],
)
def test_numbered_files_are_all_there_each_once(folder: str, shards: str, reason: str) -> None:
    paths = sorted(f"{folder}{shard}.parquet" for shard in shards.split())
    with pytest.raises(DataError) as error:
        files(*paths)
    assert str(error.value).startswith(f"repository{reason.format(*paths)}")


def test_a_copy_that_a_browser_made_is_a_part_too() -> None:
    with pytest.raises(DataError, match="are the same part of a split"):
        files("hau/train/a-0-of-1.csv", "hau/train/a-0-of-1 (1).csv")


def test_a_readme_may_put_a_split_together_of_several_series() -> None:
    header = "configs: [{config_name: hau, data_files: [a/*, b/*]}]"
    paths = ["a/x-0-of-1.csv", "a/y-0-of-2.csv", "a/y-1-of-2.csv", "b/x-0-of-1.csv", "b/0000.csv"]
    assert sorted(files(*paths, header=header)) == sorted(paths)
    with pytest.raises(DataError, match="b/x-0-of-1-6b2e.csv and b/x-0-of-1.csv are the same part of a split"):
        files(*paths, "b/x-0-of-1-6b2e.csv", header=header)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("a: [", "README.md: its header is not YAML: "),
        ("- a", "README.md: its header is not a mapping"),
        ("configs: [{config_name: hau, data_files: 'https://x.org/a.csv'}]", "the files of 'hau' lie elsewhere"),
        ("configs: [{config_name: hau, data_dir: ../other}]", r"the files of 'hau' lie elsewhere \(\.\./other\)"),
        (
            "configs: [{config_name: hau, sep: ';', data_files: [{split: train, path: hau/train.tsv}]}]",
            r"^repository: by README\.md, cells of 'hau' are separated by ';', but hau/train\.tsv is read with '\\t';",
        ),
    ],
)
def test_a_readme_that_cannot_be_used_is_refused(header: str, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        files("hau/train.tsv", header=header)


def test_what_the_readme_says_of_one_config_is_no_matter_to_others() -> None:
    header = "configs: [{config_name: ibo, data_files: 'https://x.org/a.csv'}, {config_name: yor, sep: '|'}]"
    assert files("hau/train.tsv", "ibo/train.tsv", header=header) == ["hau/train.tsv"]
    with pytest.raises(DataError, match="the files of 'ibo' lie elsewhere"):
        files("hau/train.tsv", "ibo/train.tsv", header=header, config="ibo")


@pytest.mark.parametrize("header", ["configs: 5", "configs: [[hau]]", "configs: [{data_files: {a: 1}}]", "{}", "7: 8"])
def test_a_header_that_says_nothing_of_files_is_no_matter(header: str) -> None:
    assert files("hau/train.tsv", header=header) == ["hau/train.tsv"]


def test_names_of_labels_are_those_of_the_readme() -> None:
    header = """
dataset_info:
- config_name: hau
  features:
  - {name: text, dtype: string}
  - {name: label, dtype: {class_label: {names: {'0': negative, '1': neutral, '10': odd, '2': positive}}}}
  - {name: tags, sequence: {class_label: {names: [O, B-PER]}}}
"""
    layout = Layout("repository", Listed(["hau/train.tsv"]), read_card(f"---{header}---\n", "README.md"))
    assert layout.label_names("hau") == {
        "label": ["negative", "neutral", "positive", "odd"],
        "tags": ["O", "B-PER"],
    }
    assert layout.label_names("ibo") == {}
