"""The repositories of datasets as they are on the hub: for the table in docs/datasets.md, and for the stand-in hub.

`.venv/bin/python -m tests.datamodules.repositories` writes the table into the page.
"""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from datasets import ClassLabel, Dataset, Features, Sequence, Value

from datamodules import DATASETS
from tests.hub_server import Repository

TABLE = Path(__file__).with_name("repositories.yaml")
PAGE = Path(__file__).parents[2] / "docs" / "datasets.md"
BEGIN, END = "<!-- made by tests.datamodules.repositories -->", "<!-- end -->"
ROWS = 12


@dataclasses.dataclass(frozen=True)
class Published:
    """One entry of the table."""

    name: str
    id: str
    files: str
    readme: str
    splits: dict[str, str]
    """Our name of each split -> that in the paths of files."""
    columns: dict[str, str]
    gated: str
    licence: str
    seen: str
    branch: str = "main"

    def repository(self) -> Repository:
        """A small copy: all configs and files, a few rows each."""
        files = {path: self._file(path, config, split) for config, split, path in self._paths()}
        if self.readme != "none":
            files["README.md"] = f"---\n{json.dumps(self._card())}\n---\n# About\n".encode()
        if self.branch == "main":
            return Repository("datasets", self.id, [files])
        script = {"README.md": b"---\n{}\n---\n", f"{self.id.partition('/')[2]}.py": b"import datasets"}
        beside = {".gitattributes": b"", "duckdb/index.duckdb": b"\x00"}
        return Repository("datasets", self.id, [script], {self.branch: files | beside})

    def _paths(self) -> Iterator[tuple[str, str, str]]:
        dataset = DATASETS[self.name]()
        places = {
            dataset.place_of(language, split)[0]: None
            for language in dataset.languages
            for split in dataset.splits
            if split not in dataset.absent.get(language, ())
        }
        for config in places:
            for split in self.splits.values():
                yield config, split, self.files.format(config=config, split=split)

    def _card(self) -> dict[str, Any]:
        card: dict[str, Any] = {"license": "other"}
        if self.readme == "lists":
            theirs = {file: DATASETS[self.name].splits[ours] for ours, file in self.splits.items()}
            listed: dict[str, list[dict[str, str]]] = {}
            for config, split, path in self._paths():
                listed.setdefault(config, []).append({"split": theirs[split], "path": path})
            card["configs"] = [{"config_name": config, "data_files": files} for config, files in listed.items()]
        if not self.files.endswith(".parquet") and "class" in self.columns.values():
            features = [
                {"name": column, "dtype": {"class_label": {"names": dict(enumerate(self._labels))}}}
                for column, kind in self.columns.items()
                if kind == "class"
            ]
            card["dataset_info"] = [{"config_name": config, "features": features} for config in listed]
        return card

    @property
    def _labels(self) -> list[str]:
        return list(getattr(DATASETS[self.name](), "labels", ()))

    def _file(self, path: str, config: str, split: str) -> bytes:
        columns = self.columns.items()
        rows = [{column: self._cell(kind, config, split, row) for column, kind in columns} for row in range(ROWS)]
        if path.endswith(".jsonl"):
            return "".join(f"{json.dumps(row)}\n" for row in rows).encode()
        if path.endswith(".tsv"):
            lines = [list(self.columns), *([str(cell) for cell in row.values()] for row in rows)]
            return "".join("\t".join(line) + "\n" for line in lines).encode()
        label = ClassLabel(names=self._labels) if self._labels else None
        kinds = {
            "class": label,
            "classes": Sequence(label),
            "words": Sequence(Value("string")),
            "answers": {"text": [Value("string")], "answer_start": [Value("int32")]},
        }
        features = Features({column: kinds.get(kind, Value("string")) for column, kind in self.columns.items()})
        file = io.BytesIO()
        Dataset.from_list(rows, features).to_parquet(file)
        return file.getvalue()

    def _cell(self, kind: str, config: str, split: str, row: int) -> Any:
        labels = len(self._labels) or 1
        values = {
            "text": lambda: f"{config} {split} {row}",
            "number": lambda: row,
            "name": lambda: self._labels[row % labels],
            "class": lambda: row % labels,
            "words": lambda: [config, str(row)],
            "classes": lambda: [row % 2, 0],
            "answers": lambda: {"text": [config], "answer_start": [0]},
            "language": lambda: f"{list(DATASETS[self.name].configs.values())[row % 9]}-{row}",
        }
        return values[kind]()


PUBLISHED = {entry["name"]: Published(**entry) for entry in yaml.safe_load(TABLE.read_text(encoding="utf-8"))}


def table() -> str:
    """The table of the page."""
    lines = ["| dataset | repository, branch | files | README | columns | gated | licence | seen |", "|---" * 8 + "|"]
    for one in PUBLISHED.values():
        columns = ", ".join(f"`{column}` {kind}" for column, kind in one.columns.items())
        splits = ", ".join(one.splits.values())
        cells = (
            *(f"`{one.name}`", f"`{one.id}`, {one.branch}", f"`{one.files}` ({splits})"),
            *(one.readme, columns, one.gated, one.licence, one.seen),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def page() -> str:
    """The page with the table as it should be."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
