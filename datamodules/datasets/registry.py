"""The datasets that have a name, and how a name in a config becomes a dataset."""

import importlib

from datamodules.datasets.afrisenti import AfriSenti
from datamodules.datasets.afrixnli import AfriXnli
from datamodules.datasets.americas_nli import AmericasNli
from datamodules.datasets.base import Dataset, DatasetConfig, LabelledDataset
from datamodules.datasets.held_out import HeldOut
from datamodules.datasets.masakhaner2 import MasakhaNer2
from datamodules.datasets.masakhanews import MasakhaNews
from datamodules.datasets.mlqa import Mlqa
from datamodules.datasets.nusax import NusaX
from datamodules.datasets.sib200 import Sib200
from datamodules.datasets.squad import Squad
from datamodules.datasets.synthetic import Synthetic, SyntheticText
from datamodules.datasets.table import Table
from datamodules.datasets.texts import FloresPlus, FolderTexts, Wikipedia
from datamodules.datasets.train_on import Transfer
from datamodules.datasets.tydiqa import TydiQa
from datamodules.datasets.wikiann import WikiAnn
from datamodules.datasets.xnli import Xnli
from datamodules.datasets.xquad import Xquad
from datamodules.errors import DataError, first_line, nearest

_CLASSES: tuple[type[Dataset], ...] = (
    AfriSenti, AfriXnli, AmericasNli, FloresPlus, FolderTexts, MasakhaNer2, MasakhaNews, Mlqa, NusaX, Sib200, Squad,
    Synthetic, SyntheticText, Table, WikiAnn, TydiQa, Wikipedia, Xnli, Xquad,
)

DATASETS: dict[str, type[Dataset]] = {known.name: known for known in _CLASSES}
"""All datasets that have a name."""

DECLARED = ("name", "columns", "task")
"""What a labelled dataset of the user's own must say of itself."""


def dataset_class(name: str) -> type[Dataset]:
    """The class that a name in a config means: a registered name, or the dotted path of a subclass of `Dataset`.

    Raises:
        DataError: If there is no such dataset.
    """
    if name in DATASETS:
        return DATASETS[name]
    module_name, _, class_name = name.rpartition(".")
    if not module_name:
        raise DataError(
            f"unknown dataset '{name}'{nearest(name, DATASETS)}; known: {', '.join(DATASETS)}, "
            "or the dotted path of your own class"
        )
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError, TypeError, ValueError, RecursionError) as error:
        raise DataError(f"dataset '{name}' cannot be imported: {first_line(error)}") from error
    if not (isinstance(found, type) and issubclass(found, Dataset)):
        raise DataError(f"dataset '{name}' is not a subclass of datamodules.Dataset")
    return found


def dataset(name: str, path: str | None = None, revision: str | None = None) -> Dataset:
    """Makes a dataset that reads from a local folder, or from the hub at a branch, tag or commit; see `dataset_class`.

    Raises:
        DataError: If there is no such dataset.
    """
    return dataset_class(name).from_config(DatasetConfig(name, path, revision))


def labelled_dataset(config: DatasetConfig) -> LabelledDataset:
    """The dataset that a config describes; it may be trained on another one, and its validation data be held out.

    Raises:
        DataError: If there is no such dataset or it has no labels.
    """
    found = _labelled(config)
    if (other := config.train_on) is not None:
        found = Transfer(found, _labelled(DatasetConfig(other.name, other.path, other.revision)))
    return found if config.held_out is None else HeldOut(found, config.train_split, config.held_out)


def _labelled(config: DatasetConfig) -> LabelledDataset:
    found = dataset_class(config.name).from_config(config)
    if not isinstance(found, LabelledDataset):
        labelled = [known.name for known in _CLASSES if issubclass(known, LabelledDataset)]
        raise DataError(f"dataset '{config.name}' has no labels; labelled datasets: {', '.join(labelled)}")
    if lacking := [name for name in DECLARED if not hasattr(found, name)]:
        raise DataError(f"dataset '{config.name}' lacks {', '.join(lacking)}")
    if unknown := sorted(config.translated.keys() - {*found.columns, *found.optional_columns}):
        known = ", ".join((*found.columns, *found.optional_columns))
        raise DataError(f"{found.name} has no column '{unknown[0]}' that could be translated; it has {known}")
    if config.translated:
        found.translated = config.translated
    found.bad_rows = config.bad_rows
    return found
