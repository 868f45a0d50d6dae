"""MasakhaNER 2.0: named entities in the news, in 20 languages of Africa (Adelani et al. 2022)."""

from datamodules.datasets.tagged import TaggingDataset


class MasakhaNer2(TaggingDataset):
    """Persons, organisations, places and dates; sentences are not parallel."""

    name = "masakhaner2"
    hub_id = "masakhane/masakhaner2"
    hub_revision = "refs/convert/parquet"
    configs = {
        "bam_Latn": "bam", "bbj_Latn": "bbj", "ewe_Latn": "ewe", "fon_Latn": "fon", "hau_Latn": "hau",
        "ibo_Latn": "ibo", "kin_Latn": "kin", "lug_Latn": "lug", "luo_Latn": "luo", "mos_Latn": "mos",
        "nya_Latn": "nya", "pcm_Latn": "pcm", "sna_Latn": "sna", "swh_Latn": "swa", "tsn_Latn": "tsn",
        "twi_Latn": "twi", "wol_Latn": "wol", "xho_Latn": "xho", "yor_Latn": "yor", "zul_Latn": "zul",
    }
    labels = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC", "B-DATE", "I-DATE")
