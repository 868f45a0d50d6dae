"""WikiANN: named entities in Wikipedia, tagged by its links (Pan et al. 2017, split by Rahimi et al. 2019)."""

from datamodules.datasets.tagged import TaggingDataset
from datamodules.languages.table import LANGUAGES

_WIKIPEDIAS = """
ace af am ar arz as ast ay az ba be bg bh bn bo bs ca ceb ckb crh cs cy da de el en eo es et eu fa fi fo fr fur ga
gd gl gn gu he hi hr hu hy id ig ilo is it ja jv ka kk km kn ko ku ky lb li lij lmo ln lt lv mg mi min mk ml mn mr
ms mt my ne nl nn no oc or pa pl ps pt qu ro ru rw sa scn sd si sk sl so sq sr su sv sw szl ta te tg th tk tl tr tt
ug uk ur uz vec vi war yi yo zh zh-yue
"""


class WikiAnn(TaggingDataset):
    """Persons, organisations and places, by machine, so that gold has errors; sentences are not parallel.

    Each split of a language has 100, 1,000 or 10,000 sentences, its training split up to 20,000. Of the 176 languages
    those are here whose Wikipedia is one of a FLORES language.
    """

    name = "wikiann"
    hub_id = "unimelb-nlp/wikiann"
    configs = {code: known.wikipedia for code, known in LANGUAGES.items() if known.wikipedia in _WIKIPEDIAS.split()}
    labels = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")
