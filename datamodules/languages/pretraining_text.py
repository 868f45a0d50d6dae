"""How much text of each language a backbone was pretrained on, where that has been published."""

from pathlib import Path

from datamodules.languages.table import rows_of

PRETRAINING_TEXT: dict[str, dict[str, float]] = {
    "xlm-r": {row["language"]: float(row["gib"]) for row in rows_of(Path(__file__).with_name("xlm_r_text.tsv"))}
}
"""GiB of text by FLORES code, by the name of a corpus. A language that a corpus does not list was not pretrained on.

`xlm-r`: CC-100, Conneau et al. (ACL 2020), appendix A, table 6, of XLM-R and of what is built on it. The text of a
macro-language is counted as that of its standard language (Arabic as `arb_Arab`). The table has Burmese twice, 1.6 and
0.4, and does not say which of them is in Zawgyi: the released corpus does, where Zawgyi has four times as much (178 MB
and 46 MB compressed, data.statmt.org/cc-100). Printings of the table differ in Swedish (77.8 or 85); 85 is that of
the repository mayhewsw/multilingual-data-stats, whose maintainer asked the authors about this very row.
Languages that the table of codes lacks (Latin, Breton, Western Frisian, romanised text) are left out.
"""
