"""Tiny stand-ins for the models and the data that the documentation's commands name, in a folder like a checkout's."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from datamodules.datasets.masakhanews import MasakhaNews
from datamodules.datasets.sib200 import Sib200
from tests.framework.test_soft_language_prompts import write_hub
from tests.framework.tiny import LANGUAGES, ROOT, build_corpus, build_encoder, build_texts, join_pairs, write_rows
from tests.modules import tiny

MODELS, DATA = "models", "data"
"""Where the documentation has local copies: `backbone.name=models/multilingual-e5-small data.path=data/sib200`."""
STORE = "store"
"""The component store, which pages share: what one of them has trained, the next one finds."""
TEXTS = "texts.txt"
"""New texts, one a line, for `predict`."""

SMALLER = {
    r"\bsteps: \d+": "steps: 2",
    r"\bwarmup_steps: \d+": "warmup_steps: 0",
    r"\bvalidate_every: \d+": "validate_every: 2",
    r"^seeds: .*": "seeds: [0]",
    r"^name: .*": r'\g<0>\ntracking: {mode: "off"}',
}
"""What makes a YAML a matter of seconds."""
HERE = {
    r"dataset: wikipedia\b": f"dataset: texts, path: {DATA}/texts",
    r"name: squad\b": f"name: squad, path: {DATA}/squad",
}
"""What a YAML would read from the hub."""


def build(folder: Path) -> Path:
    """Writes what every page shares: the models, the data and an empty store."""
    encoder = build_encoder(folder / MODELS / "multilingual-e5-small", max_position_embeddings=514)
    join_pairs(encoder)
    (folder / MODELS / "xlm-roberta-base").symlink_to(encoder)
    tiny.build(folder / MODELS / "mt0-base", "mt5")
    tiny.build(folder / MODELS / "smollm2-135m-instruct", "llama", max_position_embeddings=2048)
    for name, three in (("sib200", build_texts(folder / "three")), ("texts", build_corpus(folder / "corpus"))):
        (folder / DATA / name).mkdir(parents=True)
        for number, code in enumerate(dict.fromkeys([*LANGUAGES, *Sib200.configs])):
            (folder / DATA / name / code).symlink_to(three / LANGUAGES[number % len(LANGUAGES)])
    for code, config in MasakhaNews.configs.items():
        labels = MasakhaNews(str(folder)).labels_in(code)
        for split in ("train", "validation", "test"):
            rows = [{"headline": split, "text": f"w{n}", "category": label} for n, label in enumerate(2 * labels)]
            write_rows(folder / DATA / "masakhanews" / config / f"{split}.parquet", rows)
    for dataset in ("wikiann", "xnli", "xquad", "squad"):
        write_hub(folder / DATA / dataset, dataset)
    (folder / STORE).mkdir()
    return folder


def checkout(folder: Path, shared: Path) -> Path:
    """Makes a folder look like a checkout whose experiments are small and find their data here."""
    for name in (MODELS, DATA, STORE):
        (folder / name).symlink_to(shared / name)
    shutil.copytree(ROOT / "experiments", folder / "experiments")
    for file in (folder / "experiments").rglob("*.yaml"):
        text = smaller(file.read_text(encoding="utf-8"))
        if file.parent.name == "backbones":
            text = re.sub(r"^  name: .*", f"  name: {MODELS}/{file.stem}", text, flags=re.MULTILINE)
        if file.parent.name == "data":
            text = re.sub(r"^  path: null", f"  path: {DATA}/{file.stem}", text, flags=re.MULTILINE)
        file.write_text(text, encoding="utf-8")
    (folder / TEXTS).write_text("w1 w2 w3\n\nw4 w5\n")
    return folder


def smaller(text: str) -> str:
    """A YAML that takes seconds and needs no hub."""
    for pattern, instead in (SMALLER | HERE).items():
        text = re.sub(pattern, instead, text, flags=re.MULTILINE)
    return text
