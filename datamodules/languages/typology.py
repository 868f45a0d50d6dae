"""How far apart two languages are: on the map, by descent, and in what their grammars and sounds are like.

The data are those of URIEL (Littell et al., EACL 2017) with the lineages and coordinates of Glottolog, as the package
`urielplus` ships them (Khan et al., COLING 2025; CC BY-SA 4.0). They are read as files: the package itself takes half a
minute to start, unpickles, and writes into its own folder. Nothing is imputed: what no source has attested is None.

A notebook needs no YAML:

    typology().distances("eng_Latn", "fra_Latn")["geographic"]   # 0.03 of half the Earth's circumference
"""

import functools
import importlib.util
import itertools
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt

from datamodules.errors import DataError
from datamodules.languages.table import rows_of

TYPOLOGICAL = {"syntactic": "S_", "phonological": "P_", "inventory": "INV_", "featural": ""}
"""Distances between vectors of attested features, with the beginning of these features' names."""
DISTANCES = ("geographic", "genetic", *TYPOLOGICAL)
LEAST_SHARED = 20
"""Features that two languages must both be attested for: a distance over a few of them is chance."""

INDIVIDUAL = {"est": "ekk", "grn": "gug", "zho": "cmn"}
"""The language that a macro-language's code stands for, as FLORES+ has it; Glottolog places no macro-languages."""
NO_DESCENT = ("Artificial Language", "Mixed Language", "Pidgin", "Unclassifiable")
"""What Glottolog keeps in the place of a family where there is none."""


class Typology:
    """What is known of the world's languages."""

    def __init__(self, folder: Path) -> None:
        """Reads the database in the folder of the package `urielplus`.

        Raises:
            DataError: If its files are not there.
        """
        tables, features = folder / "database" / "urielplus_csvs", folder / "database" / "original_uriel"
        try:
            codes = {row["iso_code"].strip(): row["glottocode"] for row in rows_of(tables / "uriel_glottocode_map.csv")}
            places = {row["language_id"]: row for row in rows_of(tables / "lang_fam_geo.csv")}
            with np.load(features / "features.npz", allow_pickle=False) as archive:
                names, known = archive["feats"].astype(str), archive["langs"].astype(str)
                self._attested = archive["data"]  # [languages, features, sources]; -1 is not attested
        except (OSError, KeyError, ValueError) as error:
            raise DataError(f"{folder}: not the data of urielplus 1.3 ({error})") from None
        self._places = {iso: places[code] for iso, code in codes.items() if code in places}
        self._row = {iso: row for row, iso in enumerate(known.tolist())}
        self._columns = {kind: np.char.startswith(names, prefix) for kind, prefix in TYPOLOGICAL.items()}

    def distances(self, first: str, second: str) -> dict[str, float | None]:
        """Measures how far apart two languages are; scripts play no part.

        `geographic` is the great-circle distance as a share of half the Earth's circumference. The others are angles
        between vectors, 2 arccos(cos) / pi, as URIEL+ has them: `genetic` of the groups of the family tree that hold
        the languages, `syntactic`, `phonological` and `inventory` (of sounds) of the features that both are attested
        for, `featural` of these three together. 0 is near, 1 is far.

        Args:
            first: FLORES code.
            second: FLORES code.

        Returns:
            A number for each of `DISTANCES`, or None where one of the languages has no data for it.
        """
        one, other = (_iso(code) for code in (first, second))
        measured = {kind: self._typological(one, other, columns) for kind, columns in self._columns.items()}
        return {"geographic": self._geographic(one, other), "genetic": self._genetic(one, other), **measured}

    def _geographic(self, one: str, other: str) -> float | None:
        here, there = (self._coordinates(iso) for iso in (one, other))
        if here is None or there is None:
            return None
        (latitude, longitude), (latitude2, longitude2) = here, there
        haversine = (
            math.sin((latitude2 - latitude) / 2) ** 2
            + math.cos(latitude) * math.cos(latitude2) * math.sin((longitude2 - longitude) / 2) ** 2
        )
        return 2 * math.asin(min(1.0, math.sqrt(haversine))) / math.pi

    def _coordinates(self, iso: str) -> tuple[float, float] | None:
        """Latitude and longitude in radians."""
        place = self._places.get(iso)
        if place is None or not place["latitude"]:
            return None
        return math.radians(float(place["latitude"])), math.radians(float(place["longitude"]))

    def _genetic(self, one: str, other: str) -> float | None:
        lineages = [self._lineage(iso) for iso in (one, other)]
        if not all(lineages):
            return None
        shared = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(*lineages, strict=False)))
        return _angle(shared / math.sqrt(len(lineages[0]) * len(lineages[1])))

    def _lineage(self, iso: str) -> list[str]:
        """The groups that hold a language, from its family down; of an isolate it is itself."""
        place = self._places.get(iso)
        if place is None:
            return []
        groups = [group.strip() for group in place["lineage"].split(",") if group.strip()]
        if groups and groups[0] in NO_DESCENT:
            return []
        return groups or [place["language_id"]]

    def _typological(self, one: str, other: str, columns: npt.NDArray[np.bool_]) -> float | None:
        if one not in self._row or other not in self._row:
            return None
        # A feature is there if any source says so, as in URIEL's union.
        first, second = (self._attested[self._row[iso]].max(axis=1) for iso in (one, other))
        both = columns & (first >= 0) & (second >= 0)
        if both.sum() < LEAST_SHARED:
            return None
        sizes = float(first[both].sum() * second[both].sum())
        return _angle(float(first[both] @ second[both]) / math.sqrt(sizes)) if sizes else None


@functools.cache
def typology() -> Typology:
    """Opens the database; it is read once (about two seconds).

    Raises:
        DataError: If the package that carries it is not installed.
    """
    package = importlib.util.find_spec("urielplus")
    if package is None or package.submodule_search_locations is None:
        raise DataError("no data about languages: pip install 'urielplus>=1.3.2,<1.4'")
    return Typology(Path(package.submodule_search_locations[0]))


def _iso(code: str) -> str:
    iso = code.split("_")[0]
    return INDIVIDUAL.get(iso, iso)


def _angle(cosine: float) -> float:
    return 2 * math.acos(min(1.0, cosine)) / math.pi
