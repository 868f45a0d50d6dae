"""The datasets are read from repositories as they are on the hub, by small copies; see repositories.yaml."""

from __future__ import annotations

from pathlib import Path

import pytest

from datamodules import DATASETS, DataError, LabelledDataset, dataset
from tests.datamodules.repositories import PAGE, PUBLISHED, ROWS, page
from tests.datamodules.test_hub import Serve, serve  # noqa: F401

SCRIPTS = ("masakhaner2", "mlqa", "nusax")
"""Datasets whose main branch is a script; all of their languages are read here."""


def test_every_dataset_of_the_hub_is_in_the_table() -> None:
    assert set(PUBLISHED) == {name for name, known in DATASETS.items() if known.hub_id}
    for name, published in PUBLISHED.items():
        known = DATASETS[name]
        assert (known.hub_id, known.hub_revision or "main") == (published.id, published.branch)
        assert set(published.splits) == set(known.splits)


def test_the_table_of_the_page_is_that_of_the_file() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_dataset_is_read_as_it_is_published(name: str, serve: Serve, tmp_path: Path) -> None:  # noqa: F811
    repository = PUBLISHED[name].repository()
    found = dataset(name)
    languages = found.languages if name in SCRIPTS else found.languages[:2]
    with serve(repository) as requests:
        for language in languages:
            for split in set(found.splits) - set(found.absent.get(language, ())):
                fingerprint = found.fingerprint(language, split)
                assert fingerprint.startswith(f"{repository.id}@{found.source.snapshot.commit}/")  # type: ignore[attr-defined]
                examples = list(found.examples(language, split))
                assert examples
                assert len(examples) == ROWS or name == "tydiqa"  # there all languages are in the same files
                if isinstance(found, LabelledDataset):
                    assert all(found.gold(example) for example in examples)
    assert len([request for request in requests if "/api/" in request]) == 1
    # A copy on this machine, as `hf download` makes one, is read alike.
    copy = tmp_path / "copy"
    for path, content in repository.resolve(PUBLISHED[name].branch)[1].items():
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        (copy / path).write_bytes(content)
    split = next(iter(found.splits))
    here = list(dataset(name, str(copy)).examples(languages[-1], split))
    assert here == list(found.examples(languages[-1], split))


def test_flores_plus_has_other_names_for_some_codes() -> None:
    flores = dataset("flores")
    renamed = {"ajp_Arab": "apc_Arab_sout3123", "apc_Arab": "apc_Arab_nort3139", "est_Latn": "ekk_Latn"}
    assert {code: flores.config_of(code) for code in renamed} == renamed
    for code, name in {"kon_Latn": "Kituba", "tzm_Tfng": "Standard Moroccan", "twi_Latn": "Asante Twi"}.items():
        assert code not in flores.languages
        with pytest.raises(DataError, match=rf"^flores has no '{code}': in its place FLORES\+ has .*{name}.*; leave"):
            flores.check(code, "test")
