"""Languages: the FLORES codes that Modulingua uses everywhere, with their names, scripts and families.

A code is an ISO 639-3 language and an ISO 15924 script, `swh_Latn`. The table holds the 205 languages of
SIB-200 and those that the other datasets add. Datasets have codes of their own (`swa`, `sw`): each maps
them in its own file.
"""

import difflib
from collections.abc import Collection
from dataclasses import dataclass

from datamodules.errors import DataError


@dataclass(frozen=True)
class Language:
    """A language in one script."""

    code: str
    """FLORES code: `swh_Latn`."""
    name: str
    """English name: `Swahili`."""
    family: str
    """Highest family in Glottolog's sense; `isolate` and `constructed` where there is none."""
    wikipedia: str | None
    """Code of its Wikipedia (mostly ISO 639-1): `sw`. None where there is none in this script."""
    macro_codes: tuple[str, ...]
    """Other codes that datasets use for it, such as its macro-language: `swa`."""

    @property
    def iso639_3(self) -> str:
        """The language without its script: `swh`."""
        return self.code.split("_")[0]

    @property
    def script(self) -> str:
        """ISO 15924 script: `Latn`."""
        return self.code.split("_")[1]

    @property
    def all_codes(self) -> tuple[str, ...]:
        """All that a dataset may call it, the most exact first: `swh_Latn`, `swh`, `swa`, `sw`."""
        wikipedia = (self.wikipedia,) if self.wikipedia else ()
        return tuple(dict.fromkeys((self.code, self.iso639_3, *self.macro_codes, *wikipedia)))


def language(code: str) -> Language:
    """Looks a language up.

    Args:
        code: FLORES code.

    Raises:
        DataError: If no such language is known, with the nearest ones.
    """
    if code not in LANGUAGES:
        raise DataError(f"unknown language '{code}'{nearest_languages(code)}")
    return LANGUAGES[code]


NEAR = 0.6
"""How similar two spellings are, from 0 to 1, of which the one is offered for the other."""


def nearest_languages(text: str, among: Collection[str] | None = None) -> str:
    """Words for the languages nearest to what somebody wrote.

    Args:
        text: A misspelt code, another kind of code (`swa`, `sw`) or an English name.
        among: FLORES codes to choose from; None for all that are known.

    Returns:
        "; nearest: swh_Latn (Swahili)", or an empty string where nothing is near.
    """
    known = [LANGUAGES[code] for code in (LANGUAGES if among is None else among) if code in LANGUAGES]
    scored = sorted(
        ((_similarity(text, candidate), candidate) for candidate in known), key=lambda pair: -pair[0]
    )
    best = [pair for pair in scored[:3] if pair[0] >= NEAR]
    if best and best[0][0] == 1:
        best = [pair for pair in best if pair[0] == 1]
    names = ", ".join(f"{candidate.code} ({candidate.name})" for _, candidate in best)
    return f"; nearest: {names}" if names else ""


def _similarity(text: str, candidate: Language) -> float:
    """1 where `text` is another name of the candidate, less where it only looks like one."""
    wanted = text[:100].strip().lower()
    spellings = [spelling.lower() for spelling in (*candidate.all_codes, candidate.name)]
    if wanted in spellings or wanted.split("_")[0] in spellings[1:]:
        return 1.0
    matchers = (difflib.SequenceMatcher(None, wanted, spelling) for spelling in spellings)
    # The quick ratio is an upper bound, and most languages stay below what `nearest_languages` asks for.
    return max(matcher.ratio() if matcher.quick_ratio() >= NEAR else 0.0 for matcher in matchers)


# code | English name | family | code of its Wikipedia | macro-language and other codes
_TABLE = """
ace_Arab | Acehnese (Arabic script) | Austronesian
ace_Latn | Acehnese (Latin script) | Austronesian | ace
acm_Arab | Mesopotamian Arabic | Afro-Asiatic
acq_Arab | Ta'izzi-Adeni Arabic | Afro-Asiatic
aeb_Arab | Tunisian Arabic | Afro-Asiatic
afr_Latn | Afrikaans | Indo-European | af
ajp_Arab | South Levantine Arabic | Afro-Asiatic
aka_Latn | Akan | Atlantic-Congo
als_Latn | Tosk Albanian | Indo-European | sq | sqi
amh_Ethi | Amharic | Afro-Asiatic | am
apc_Arab | North Levantine Arabic | Afro-Asiatic
arb_Arab | Modern Standard Arabic | Afro-Asiatic | ar | ara
arb_Latn | Modern Standard Arabic (Romanised) | Afro-Asiatic
arq_Arab | Algerian Arabic | Afro-Asiatic
ars_Arab | Najdi Arabic | Afro-Asiatic
ary_Arab | Moroccan Arabic | Afro-Asiatic | ary
arz_Arab | Egyptian Arabic | Afro-Asiatic | arz
asm_Beng | Assamese | Indo-European | as
ast_Latn | Asturian | Indo-European | ast
awa_Deva | Awadhi | Indo-European | awa
ayr_Latn | Central Aymara | Aymaran | ay | aym
azb_Arab | South Azerbaijani | Turkic | azb
azj_Latn | North Azerbaijani | Turkic | az | aze
bak_Cyrl | Bashkir | Turkic | ba
bam_Latn | Bambara | Mande | bm
ban_Latn | Balinese | Austronesian | ban
bbc_Latn | Toba Batak | Austronesian
bbj_Latn | Ghomálá' | Atlantic-Congo
bel_Cyrl | Belarusian | Indo-European | be
bem_Latn | Bemba | Atlantic-Congo
ben_Beng | Bengali | Indo-European | bn
bho_Deva | Bhojpuri | Indo-European | bh
bjn_Arab | Banjar (Arabic script) | Austronesian
bjn_Latn | Banjar (Latin script) | Austronesian | bjn
bod_Tibt | Standard Tibetan | Sino-Tibetan | bo
bos_Latn | Bosnian | Indo-European | bs
bug_Latn | Buginese | Austronesian | bug
bul_Cyrl | Bulgarian | Indo-European | bg
bzd_Latn | Bribri | Chibchan
cat_Latn | Catalan | Indo-European | ca
ceb_Latn | Cebuano | Austronesian | ceb
ces_Latn | Czech | Indo-European | cs
cjk_Latn | Chokwe | Atlantic-Congo
ckb_Arab | Central Kurdish | Indo-European | ckb
cni_Latn | Asháninka | Arawakan
crh_Latn | Crimean Tatar | Turkic | crh
cym_Latn | Welsh | Indo-European | cy
dan_Latn | Danish | Indo-European | da
deu_Latn | German | Indo-European | de
dik_Latn | Southwestern Dinka | Nilotic | din
dyu_Latn | Dyula | Mande
dzo_Tibt | Dzongkha | Sino-Tibetan | dz
ell_Grek | Greek | Indo-European | el
eng_Latn | English | Indo-European | en
epo_Latn | Esperanto | constructed | eo
est_Latn | Estonian | Uralic | et
eus_Latn | Basque | isolate | eu
ewe_Latn | Ewe | Atlantic-Congo | ee
fao_Latn | Faroese | Indo-European | fo
fij_Latn | Fijian | Austronesian | fj
fin_Latn | Finnish | Uralic | fi
fon_Latn | Fon | Atlantic-Congo | fon
fra_Latn | French | Indo-European | fr
fur_Latn | Friulian | Indo-European | fur
fuv_Latn | Nigerian Fulfulde | Atlantic-Congo | ff | ful
gaz_Latn | West Central Oromo | Afro-Asiatic | om | orm
gla_Latn | Scottish Gaelic | Indo-European | gd
gle_Latn | Irish | Indo-European | ga
glg_Latn | Galician | Indo-European | gl
grn_Latn | Guarani | Tupian | gn
guj_Gujr | Gujarati | Indo-European | gu
hat_Latn | Haitian Creole | Indo-European | ht
hau_Latn | Hausa | Afro-Asiatic | ha
hch_Latn | Wixarika | Uto-Aztecan
heb_Hebr | Hebrew | Afro-Asiatic | he
hin_Deva | Hindi | Indo-European | hi
hne_Deva | Chhattisgarhi | Indo-European
hrv_Latn | Croatian | Indo-European | hr
hun_Latn | Hungarian | Uralic | hu
hye_Armn | Armenian | Indo-European | hy
ibo_Latn | Igbo | Atlantic-Congo | ig
ilo_Latn | Ilocano | Austronesian | ilo
ind_Latn | Indonesian | Austronesian | id
isl_Latn | Icelandic | Indo-European | is
ita_Latn | Italian | Indo-European | it
jav_Latn | Javanese | Austronesian | jv
jpn_Jpan | Japanese | Japonic | ja
kab_Latn | Kabyle | Afro-Asiatic | kab
kac_Latn | Jingpho | Sino-Tibetan
kam_Latn | Kamba | Atlantic-Congo
kan_Knda | Kannada | Dravidian | kn
kas_Arab | Kashmiri (Arabic script) | Indo-European | ks
kas_Deva | Kashmiri (Devanagari script) | Indo-European
kat_Geor | Georgian | Kartvelian | ka
kaz_Cyrl | Kazakh | Turkic | kk
kbp_Latn | Kabiyè | Atlantic-Congo | kbp
kea_Latn | Kabuverdianu | Indo-European
khk_Cyrl | Halh Mongolian | Mongolic | mn | mon
khm_Khmr | Khmer | Austroasiatic | km
kik_Latn | Kikuyu | Atlantic-Congo | ki
kin_Latn | Kinyarwanda | Atlantic-Congo | rw
kir_Cyrl | Kyrgyz | Turkic | ky
kmb_Latn | Kimbundu | Atlantic-Congo
kmr_Latn | Northern Kurdish | Indo-European | ku | kur
knc_Arab | Central Kanuri (Arabic script) | Saharan
knc_Latn | Central Kanuri (Latin script) | Saharan | - | kau
kon_Latn | Kikongo | Atlantic-Congo | kg
kor_Hang | Korean | Koreanic | ko
lao_Laoo | Lao | Tai-Kadai | lo
lij_Latn | Ligurian | Indo-European | lij
lim_Latn | Limburgish | Indo-European | li
lin_Latn | Lingala | Atlantic-Congo | ln
lit_Latn | Lithuanian | Indo-European | lt
lmo_Latn | Lombard | Indo-European | lmo
ltg_Latn | Latgalian | Indo-European | ltg
ltz_Latn | Luxembourgish | Indo-European | lb
lua_Latn | Luba-Kasai | Atlantic-Congo
lug_Latn | Ganda | Atlantic-Congo | lg
luo_Latn | Luo | Nilotic
lus_Latn | Mizo | Sino-Tibetan
lvs_Latn | Standard Latvian | Indo-European | lv | lav
mad_Latn | Madurese | Austronesian | mad
mag_Deva | Magahi | Indo-European
mai_Deva | Maithili | Indo-European | mai
mal_Mlym | Malayalam | Dravidian | ml
mar_Deva | Marathi | Indo-European | mr
min_Arab | Minangkabau (Arabic script) | Austronesian
min_Latn | Minangkabau (Latin script) | Austronesian | min
mkd_Cyrl | Macedonian | Indo-European | mk
mlt_Latn | Maltese | Afro-Asiatic | mt
mni_Beng | Meitei (Bengali script) | Sino-Tibetan
mos_Latn | Mossi | Atlantic-Congo
mri_Latn | Maori | Austronesian | mi
mya_Mymr | Burmese | Sino-Tibetan | my
nah_Latn | Nahuatl | Uto-Aztecan | nah
nij_Latn | Ngaju | Austronesian
nld_Latn | Dutch | Indo-European | nl
nno_Latn | Norwegian Nynorsk | Indo-European | nn
nob_Latn | Norwegian Bokmål | Indo-European | no | nor nb
npi_Deva | Nepali | Indo-European | ne | nep
nqo_Nkoo | N'Ko | Mande | nqo
nso_Latn | Northern Sotho | Atlantic-Congo | nso
nus_Latn | Nuer | Nilotic
nya_Latn | Nyanja | Atlantic-Congo | ny
oci_Latn | Occitan | Indo-European | oc
ory_Orya | Odia | Indo-European | or | ori
oto_Latn | Otomi | Otomanguean
pag_Latn | Pangasinan | Austronesian | pag
pan_Guru | Eastern Panjabi | Indo-European | pa
pap_Latn | Papiamento | Indo-European | pap
pbt_Arab | Southern Pashto | Indo-European | ps | pus
pcm_Latn | Nigerian Pidgin | Indo-European | pcm
pes_Arab | Western Persian | Indo-European | fa | fas
plt_Latn | Plateau Malagasy | Austronesian | mg | mlg
pol_Latn | Polish | Indo-European | pl
por_Latn | Portuguese | Indo-European | pt
prs_Arab | Dari | Indo-European
qaa_Latn | Synthetic A | constructed
qab_Latn | Synthetic B | constructed
qac_Latn | Synthetic C | constructed
qad_Latn | Synthetic D | constructed
qae_Latn | Synthetic E | constructed
qaf_Latn | Synthetic F | constructed
qag_Latn | Synthetic G | constructed
quy_Latn | Ayacucho Quechua | Quechuan | qu | que
ron_Latn | Romanian | Indo-European | ro
run_Latn | Rundi | Atlantic-Congo | rn
rus_Cyrl | Russian | Indo-European | ru
sag_Latn | Sango | Atlantic-Congo | sg
san_Deva | Sanskrit | Indo-European | sa
sat_Olck | Santali | Austroasiatic | sat
scn_Latn | Sicilian | Indo-European | scn
shn_Mymr | Shan | Tai-Kadai | shn
shp_Latn | Shipibo-Konibo | Pano-Tacanan
sin_Sinh | Sinhala | Indo-European | si
slk_Latn | Slovak | Indo-European | sk
slv_Latn | Slovenian | Indo-European | sl
smo_Latn | Samoan | Austronesian | sm
sna_Latn | Shona | Atlantic-Congo | sn
snd_Arab | Sindhi | Indo-European | sd
som_Latn | Somali | Afro-Asiatic | so
sot_Latn | Southern Sotho | Atlantic-Congo | st
spa_Latn | Spanish | Indo-European | es
srd_Latn | Sardinian | Indo-European | sc
srp_Cyrl | Serbian | Indo-European | sr
ssw_Latn | Swati | Atlantic-Congo | ss
sun_Latn | Sundanese | Austronesian | su
swe_Latn | Swedish | Indo-European | sv
swh_Latn | Swahili | Atlantic-Congo | sw | swa
szl_Latn | Silesian | Indo-European | szl
tam_Taml | Tamil | Dravidian | ta
taq_Latn | Tamasheq (Latin script) | Afro-Asiatic
taq_Tfng | Tamasheq (Tifinagh script) | Afro-Asiatic
tar_Latn | Rarámuri | Uto-Aztecan
tat_Cyrl | Tatar | Turkic | tt
tel_Telu | Telugu | Dravidian | te
tgk_Cyrl | Tajik | Indo-European | tg
tgl_Latn | Tagalog | Austronesian | tl
tha_Thai | Thai | Tai-Kadai | th
tir_Ethi | Tigrinya | Afro-Asiatic | ti
tpi_Latn | Tok Pisin | Indo-European | tpi
tsn_Latn | Tswana | Atlantic-Congo | tn
tso_Latn | Tsonga | Atlantic-Congo | ts
tuk_Latn | Turkmen | Turkic | tk
tum_Latn | Tumbuka | Atlantic-Congo | tum
tur_Latn | Turkish | Turkic | tr
twi_Latn | Twi | Atlantic-Congo | tw
tzm_Tfng | Central Atlas Tamazight | Afro-Asiatic
uig_Arab | Uyghur | Turkic | ug
ukr_Cyrl | Ukrainian | Indo-European | uk
umb_Latn | Umbundu | Atlantic-Congo
urd_Arab | Urdu | Indo-European | ur
uzn_Latn | Northern Uzbek | Turkic | uz | uzb
vec_Latn | Venetian | Indo-European | vec
vie_Latn | Vietnamese | Austroasiatic | vi
war_Latn | Waray | Austronesian | war
wol_Latn | Wolof | Atlantic-Congo | wo
xho_Latn | Xhosa | Atlantic-Congo | xh
ydd_Hebr | Eastern Yiddish | Indo-European | yi | yid
yor_Latn | Yoruba | Atlantic-Congo | yo
yue_Hant | Yue Chinese | Sino-Tibetan | zh-yue
zho_Hans | Chinese (Simplified) | Sino-Tibetan | zh
zho_Hant | Chinese (Traditional) | Sino-Tibetan | - | zh
zsm_Latn | Standard Malay | Austronesian | ms | msa
zul_Latn | Zulu | Atlantic-Congo | zu
"""


def _read_table() -> dict[str, Language]:
    languages = {}
    for line in _TABLE.strip().splitlines():
        fields = line.split(" | ")
        code, name, family, wikipedia, others = fields + ["-", ""][len(fields) - 3 :]
        known = None if wikipedia == "-" else wikipedia
        languages[code] = Language(code, name, family, known, tuple(others.split()))
    return languages


LANGUAGES: dict[str, Language] = _read_table()
"""All known languages by FLORES code."""


def _meanings() -> dict[str, tuple[str, ...]]:
    meanings: dict[str, tuple[str, ...]] = {}
    for known in LANGUAGES.values():
        for code in known.all_codes:
            meanings[code] = (*meanings.get(code, ()), known.code)
    return meanings


MEANINGS: dict[str, tuple[str, ...]] = _meanings()
"""The FLORES codes that each code of a language may mean: one for `sw`, two for `zh`; a FLORES code means itself."""


def flores_code(code: str) -> str:
    """Returns the FLORES code that a code of a language means.

    Args:
        code: As a user's files have it: `swh_Latn`, `swh`, `swa` or `sw`.

    Raises:
        DataError: If it means none, or several.
    """
    meanings = MEANINGS.get(code, ())
    if len(meanings) > 1:
        raise DataError(f"the language '{code}' may be {' or '.join(meanings)}; write one of these")
    if not meanings:
        raise DataError(f"unknown language '{code}'{nearest_languages(code)}")
    return meanings[0]
