"""How much text of each language a backbone was pretrained on, where that has been published."""

_XLM_R = """
eng_Latn 300.8, vie_Latn 137.3, rus_Cyrl 278, ind_Latn 148.3, pes_Arab 111.6, swe_Latn 85, ron_Latn 61.4, deu_Latn 66.6,
fra_Latn 56.8, spa_Latn 53.3, nob_Latn 49, por_Latn 49.1, dan_Latn 45.6, hun_Latn 58.4, ukr_Cyrl 84.6, fin_Latn 54.3,
pol_Latn 44.6, kor_Hang 54.2, bul_Cyrl 57.5, nld_Latn 29.3, ita_Latn 30.2, ell_Grek 46.9, slk_Latn 23.2, heb_Hebr 31.6,
hrv_Latn 20.5, arb_Arab 28, tur_Latn 20.9, ces_Latn 16.3, lit_Latn 13.7, tha_Thai 71.7, cat_Latn 10.1, hin_Deva 20.2,
slv_Latn 10.3, zsm_Latn 8.5, lvs_Latn 8.8, als_Latn 5.4, est_Latn 6.1, srp_Cyrl 9.1, azj_Latn 6.5, urd_Arab 5.7,
tam_Taml 12.2, tgl_Latn 3.1, jpn_Jpan 69.3, ben_Beng 8.4, isl_Latn 3.2, glg_Latn 2.9, kaz_Cyrl 6.4, kat_Geor 9.1,
mkd_Cyrl 4.8, hye_Armn 5.5, bel_Cyrl 4.3, mal_Mlym 7.6, swh_Latn 1.6, eus_Latn 2, zho_Hans 46.9, tel_Telu 4.7,
khk_Cyrl 3, sin_Sinh 3.6, afr_Latn 1.3, npi_Deva 3.8, zho_Hant 16.6, mar_Deva 2.8, kan_Knda 3.3, epo_Latn 0.9,
cym_Latn 0.8, guj_Gujr 1.9, pbt_Arab 0.7, kir_Cyrl 1.2, uzn_Latn 0.7, gle_Latn 0.5, amh_Ethi 0.8, pan_Guru 0.8,
kmr_Latn 0.4, som_Latn 0.4, hau_Latn 0.3, mya_Mymr 0.4, snd_Arab 0.4, khm_Khmr 1.5, ory_Orya 0.6, ydd_Hebr 0.3,
uig_Arab 0.4, plt_Latn 0.2, jav_Latn 0.2, gla_Latn 0.1, lao_Laoo 0.6, san_Deva 0.3, bos_Latn 0.1, xho_Latn 0.1,
sun_Latn 0.1, gaz_Latn 0.1, asm_Beng 0.1
"""


def _read(table: str) -> dict[str, float]:
    pairs = (entry.split() for entry in table.replace("\n", " ").split(","))
    return {code: float(size) for code, size in pairs}


PRETRAINING_TEXT: dict[str, dict[str, float]] = {"xlm-r": _read(_XLM_R)}
"""GiB of text by FLORES code, by the name of a corpus. A language that a corpus does not list was not pretrained on.

`xlm-r`: CC-100, Conneau et al. (ACL 2020), appendix A, table 6, of XLM-R and of what is built on it. The text of a
macro-language is counted as that of its standard language (Arabic as `arb_Arab`). The table has Burmese twice, 1.6 and
0.4, and does not say which of them is in Zawgyi: the released corpus does, where Zawgyi has four times as much (178 MB
and 46 MB compressed, data.statmt.org/cc-100). Printings of the table differ in Swedish (77.8 or 85); 85 is that of
the repository mayhewsw/multilingual-data-stats, whose maintainer asked the authors about this very row.
Languages that the table of codes lacks (Latin, Breton, Western Frisian, romanised text) are left out.
"""
