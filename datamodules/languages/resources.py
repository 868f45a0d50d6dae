"""How much text and labelled data languages have: the classes of Joshi et al. (ACL 2020).

They sort 2,485 languages by their unlabelled text (Wikipedia) and their labelled data (LDC and ELRA catalogues) into
six classes, from 0, "the left-behinds", to 5, "the winners", as of 2019. The classes 5 to 1 stand below, as the
authors' list has them (microsoft.github.io/linguisticdiversity, lang2tax.txt; with ISO codes in MaLA-LM's
LangResourceAtlas). What stands in none of them is of class 0, or not in that list at all, which comes to the same, for
then it had no data that could be counted.

The list names languages, not codes. A name of several languages is taken for the standard one or, where there is none,
for the one that a dataset here has (Arabic, Persian, Malay; Quechua, Fula, Oromo). Of a language that is listed twice,
the higher class counts (Sesotho, 1, is "Southern Sotho", 0, too). A class belongs to the script that a language's
Wikipedia is written in, Chinese to both; other scripts had no text of their own that was counted, and have no class,
as languages that somebody made up.
"""

from datamodules.languages.table import LANGUAGES

CLASSES: dict[str, str] = {
    "5": "arb deu eng fra jpn spa zho",
    "4": "cat ces eus fin hin hrv hun ita kor nld pes pol por rus srp swe tur vie",
    # Latin is of class 3 too; no dataset here has it.
    "3": """
        afr arz bel ben bos bul ceb dan ell est glg heb ind kat kaz lat lit lvs ron slk slv tam tgl tha ukr urd uzn zsm
    """,
    # Western Panjabi (pnb) and Konkani (kok) are of class 2 too.
    "2": "amh gle hat hau isl lao mar mlt pan san swh tir tsn wol xho yor zul",
    "1": """
        ace aka als asm ast ayr azb azj bak bam bho bjn bod bug ckb crh cym dik dzo epo ewe fao fij fur fuv gaz gla grn
        guj hye ibo ilo jav kab kan kas kbp khk khm kik kin kir kmr kon lij lim lin lmo ltg ltz lug mai mal min mkd mri
        mya nah nno nob npi nso nya oci ory pag pap pbt plt quy run sag sat scn sin smo sna snd som sot srd ssw sun szl
        tat tel tgk tpi tso tuk tum twi uig vec war ydd yue
    """,
}
"""ISO 639-3 codes of the languages of a class; of class 1, with its 222 languages, those that datasets here have."""

OTHERS = "0"
"""The class of languages that are in no list."""

OTHER_SCRIPTS = frozenset({"ace_Arab", "arb_Latn", "bjn_Arab", "kas_Deva", "min_Arab"})
"""Languages with a class, in scripts other than their Wikipedia's."""


def resource_class(code: str) -> str | None:
    """Returns a language's class, `5` to `0`; None of one that is unknown, drawn from a seed or in `OTHER_SCRIPTS`."""
    known = LANGUAGES.get(code)
    # ISO 639-3 keeps qaa to qtz for private use.
    if known is None or code in OTHER_SCRIPTS or "qaa" <= known.iso639_3 <= "qtz":
        return None
    return next((name for name, codes in CLASSES.items() if known.iso639_3 in codes.split()), OTHERS)
