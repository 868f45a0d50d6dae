from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from transformers import PreTrainedTokenizerFast

from datamodules import DataError, ParallelConfig, ParallelData, ParallelText, RowError
from tests.datamodules.conftest import Write


def from_file(file: Path, **options: Any) -> ParallelText:
    return ParallelText(ParallelConfig(file=str(file), **options))


def both(text: ParallelText, language: str = "swh_Latn") -> list[tuple[str, str]]:
    return [(pair.target, pair.pivot) for pair in text.pairs(language)]


def test_sentences_meet_their_translations(real_data: Path) -> None:
    text = ParallelText(ParallelConfig("sib200", path=str(real_data / "sib200")))
    pairs = {pair.id: pair for pair in text.pairs("deu_Latn")}
    assert len(pairs) == 701
    assert pairs["431"].pivot.startswith("Turkey is encircled by seas on three sides: the Aegean Sea")
    assert pairs["431"].target.startswith("Die Türkei ist auf drei Seiten von Meeren umgeben")
    assert pairs["1936"].pivot.startswith("In 1994, this conflict led to")
    assert pairs["1936"].target.startswith("1994 führte dieser Konflikt zur")


def test_pairs_are_joined_by_id_and_not_by_place(write: Write) -> None:
    rows = {"eng": ["3 c", "1 a", "2 b"], "ind": ["1 A", "2 B", "4 D"], "jav": ["2 b2", "1  "]}
    for code, lines in rows.items():
        parsed = [
            dict(zip(("id", "text"), line.split(" ", 1), strict=True), label="neutral") for line in lines
        ]
        folder = write(f"{code}/train", parsed)
    text = ParallelText(ParallelConfig("nusax", path=str(folder)))
    assert both(text, "ind_Latn") == [("A", "a"), ("B", "b")]
    assert both(text, "jav_Latn") == [("b2", "b")]  # the blank one is left out
    assert text.fingerprint("ind_Latn") != text.fingerprint("jav_Latn")


TABLES = {
    "tsv": 'target\tpivot\n"sema habari\t"say hello\nNA\tnull\n',
    "csv": 'pivot,target,more\n"""say hello","""sema habari",1\nnull,NA,2\n',
    "jsonl": '{"target": "\\"sema habari", "pivot": "\\"say hello"}\n{"pivot": "null", "target": "NA"}\n',
}


@pytest.mark.parametrize("kind", TABLES)
def test_a_file_of_ones_own(kind: str, tmp_path: Path) -> None:
    file = tmp_path / f"pairs.{kind}"
    file.write_text(TABLES[kind], encoding="utf-8")
    assert both(from_file(file)) == [('"sema habari', '"say hello'), ("NA", "null")]


def test_one_file_for_each_language_or_one_column(write: Write) -> None:
    for code in ("swh_Latn", "hau_Latn"):
        folder = write(code, [{"target": code, "pivot": "x"}])
    each = from_file(folder / "{language}.parquet")
    assert both(each, "hau_Latn") == [("hau_Latn", "x")]
    folder = write("all", [{"swh_Latn": "s", "hau_Latn": "h", "eng_Latn": "e"}])
    one = from_file(folder / "all.parquet", target_column="{language}", pivot_column="eng_Latn")
    assert both(one, "hau_Latn") == [("h", "e")]
    assert one.fingerprint("hau_Latn") != one.fingerprint("swh_Latn")


def test_a_file_of_a_language_may_have_any_code(write: Write) -> None:
    for code in ("es", "zh"):
        folder = write(f"pairs-{code}", [{"target": code, "pivot": "x"}])
    each = from_file(folder / "pairs-{language}.parquet")
    assert both(each, "spa_Latn") == [("es", "x")]
    message = r"no file .*/pairs-zho_Hans\.parquet; not taken: .*/pairs-zh\.parquet: the language"
    with pytest.raises(DataError, match=message):
        each.check("zho_Hans")
    write("pairs-spa_Latn", [{"target": "spa_Latn", "pivot": "x"}])
    with pytest.raises(DataError, match=r"pairs-es\.parquet and .*/pairs-spa_Latn\.parquet are both of spa_Latn"):
        each.check("spa_Latn")


def test_mistakes_in_a_file_are_said(write: Write, tmp_path: Path) -> None:
    folder = write("pairs", [{"swahili": "a", "pivot": "b"}])
    message = rf"^{folder}/pairs.parquet: there is no column 'target'; found: swahili, pivot$"
    with pytest.raises(DataError, match=message):
        both(from_file(folder / "pairs.parquet"))
    message = rf"^there is no file {folder}/pair.parquet; did you mean 'pairs.parquet'\?$"
    with pytest.raises(DataError, match=message):
        from_file(folder / "pair.parquet").check("swh_Latn")
    with pytest.raises(DataError, match=r"pairs.doc cannot be read: the name must end with .csv, .tsv, .*"):
        from_file(folder / "pairs.doc").check("swh_Latn")
    with pytest.raises(DataError, match=r"^unknown language 'swa_Latn'; nearest: swh_Latn"):
        from_file(folder / "pairs.parquet").check("swa_Latn")
    write("blank", [{"target": "a", "pivot": " "}, {"target": None, "pivot": "b"}])
    with pytest.raises(DataError, match="no pair of swh_Latn and eng_Latn holds text on both sides$"):
        both(from_file(folder / "blank.parquet"))
    for name, content in (("broken.jsonl", b"{not json"), ("broken.parquet", b"PAR1"), ("none.tsv", b"")):
        (tmp_path / name).write_bytes(content)
        message = " cannot be read as parquet: .+|, line 1: this is not JSON: .+|: there is no column 'target'; .+"
        with pytest.raises(DataError, match=f"^{tmp_path}/{name}({message})$"):
            both(from_file(tmp_path / name))


def test_what_is_read_are_pairs_with_text_and_errors(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"target": "a", "pivot": " "}\n{"target": "b", "pivot": "B"}\n3\n')
    text = from_file(tmp_path / "a.jsonl")
    assert [getattr(one, "target", str(one)[-50:]) for one in text.read("swh_Latn")] == [
        "b",
        'line 3: this is not a JSON object such as {"target": …}'[-50:],
    ]
    with pytest.raises(RowError, match="line 3: this is not a JSON object"):
        both(text)


def test_mistakes_in_the_config_are_said() -> None:
    for options in ({}, {"dataset": "sib200", "file": "a.tsv"}):
        with pytest.raises(ValidationError, match="parallel text needs either 'dataset' or 'file'"):
            ParallelConfig(**options)
    with pytest.raises(ValidationError, match="the language stage may not use a test split"):
        ParallelConfig("sib200", split="test")
    with pytest.raises(DataError, match="dataset 'masakhanews' .*; parallel: flores, mlqa, nusax, sib200"):
        ParallelText(ParallelConfig("masakhanews"))
    with pytest.raises(
        DataError, match="flores has no devtest split for swh_Latn, only validation and test$"
    ):
        ParallelText(ParallelConfig("flores", split="devtest")).check("swh_Latn")


def test_the_name_of_the_source() -> None:
    assert ParallelConfig("sib200").source_name == "sib200"
    assert ParallelConfig(file="some/where/pairs.tsv").source_name == "pairs.tsv"


def test_a_batch(write: Write, tokenizer: PreTrainedTokenizerFast) -> None:
    rows = [
        {"target": " ".join(["w1"] * (n + 1)), "pivot": " ".join(["w2"] * (10 - n)), "name": n}
        for n in range(10)
    ]
    config = ParallelConfig(file=str(write("pairs", rows) / "pairs.parquet"), max_length=8)
    made = ParallelData(config, tokenizer, languages=["swh_Latn", "hau_Latn"], batch_size=4)
    batches = list(itertools.islice(made.train_dataloader(), 10))
    assert (
        len({pair for batch in batches[:5] for pair in zip(batch["language"], batch["id"], strict=True)})
        == 20
    )
    for batch in batches:
        assert set(batch) == {
            *("input_ids", "attention_mask", "pivot_input_ids", "pivot_attention_mask", "language", "id")
        }
        for place, name in enumerate(batch["id"]):
            n = int(name.rpartition("-")[2])
            assert batch["attention_mask"][place].sum() == min(8, n + 3)
            assert batch["pivot_attention_mask"][place].sum() == min(8, 12 - n)
        for side in ("", "pivot_"):
            assert batch[f"{side}attention_mask"].sum(1).max() == batch[f"{side}input_ids"].shape[1]


def test_a_run_resumes_where_it_stopped(write: Write, tokenizer: PreTrainedTokenizerFast) -> None:
    folder = write("pairs", [{"target": f"w{n}", "pivot": f"w{n}"} for n in range(30)])
    config = ParallelConfig(file=str(folder / "pairs.parquet"))
    whole, rest = (ParallelData(config, tokenizer, languages=["swh_Latn"], batch_size=4) for _ in range(2))
    rest.skip = 9
    ids = [batch["id"] for batch in itertools.islice(whole.train_dataloader(), 14)]
    assert [batch["id"] for batch in itertools.islice(rest.train_dataloader(), 5)] == ids[9:]


def test_mistakes_are_said_before_anything_is_read(tokenizer: PreTrainedTokenizerFast, write: Write) -> None:
    folder = write("eng/train", [{"id": 1, "text": "a", "label": "neutral"}])
    config = ParallelConfig("nusax", path=str(folder))
    with pytest.raises(DataError, match="has no 'ind'"):
        ParallelData(config, tokenizer, languages=["ind_Latn"])
