"""Settings are made and local data is fingerprinted without the heavy libraries: a YAML is checked in a second."""

import json
import subprocess
import sys
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

ROOT = Path(__file__).parent.parent
HEAVY = ("adapters", "datasets", "lightning", "scipy", "torch", "torchmetrics", "transformers")
ASSERTION = f"""
import sys
loaded = {set(HEAVY)} & sys.modules.keys()
assert not loaded, loaded
"""
IMPORTS = """
import datamodules
for name in datamodules.__all__:
    if not (name.endswith("Data") or name == "seen_tokens"):
        getattr(datamodules, name)
import modules
for name in modules.__all__:
    if name.endswith("Config"):
        getattr(modules, name)
"""
LABELLED = """
from datamodules import DatasetConfig, ExamplesConfig, TrainOnConfig, dataset_class, draw_examples, labelled_dataset
from datamodules.datasets.overlap import find_leak, training_contents
config = DatasetConfig("sib200", path="labelled")
another = TrainOnConfig("sib200", "labelled")
transfer = labelled_dataset(DatasetConfig("sib200", path="labelled", held_out=0.5, train_on=another))
for found in (labelled_dataset(config), transfer):
    found.verify()
    assert found.fingerprint("eng_Latn", "test").startswith("sha256:") and training_contents(found, ["eng_Latn"])
    assert find_leak(found, "eng_Latn") is None
assert len(draw_examples(labelled_dataset(config), ExamplesConfig(1), "eng_Latn", seed=0)) == 1
"""
UNLABELLED = """
from datamodules import MaskingConfig, MonolingualText, ParallelConfig, ParallelText
text = MonolingualText(MaskingConfig(dataset="texts", path="texts"))
text.check("swh_Latn")
assert text.fingerprint("swh_Latn").startswith("sha256:") and list(text.texts("swh_Latn", "train"))
for name in ("pairs.jsonl", "pairs.csv", "pairs.parquet"):
    pairs = ParallelText(ParallelConfig(file=name))
    pairs.check("swh_Latn")
    assert pairs.fingerprint("swh_Latn").startswith("sha256:")
    assert [pair.pivot for pair in pairs.pairs("swh_Latn")] == ["Good day."]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Local data in each format: a labelled dataset, monolingual texts, and pairs."""
    labelled = tmp_path / "labelled" / "data" / "eng_Latn"
    labelled.mkdir(parents=True)
    for split in ("train", "dev", "test"):
        rows = [f"{number}\ttravel\tA text {number} of {split}." for number in range(4)]
        (labelled / f"{split}.tsv").write_text("\n".join(["index_id\tcategory\ttext", *rows]) + "\n")
    (tmp_path / "texts" / "swh_Latn").mkdir(parents=True)
    (tmp_path / "texts" / "swh_Latn" / "train.jsonl").write_text('{"text": "Habari ya asubuhi."}\n')
    pair = {"target": "Siku njema.", "pivot": "Good day."}
    (tmp_path / "pairs.jsonl").write_text(json.dumps(pair) + "\n")
    (tmp_path / "pairs.csv").write_text("target,pivot\nSiku njema.,Good day.\n")
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([pair]), tmp_path / "pairs.parquet")
    return tmp_path


@pytest.mark.parametrize("code", [IMPORTS, LABELLED, UNLABELLED], ids=["imports", "labelled", "unlabelled"])
def test_no_heavy_library_is_imported(code: str, folder: Path) -> None:
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}{ASSERTION}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
