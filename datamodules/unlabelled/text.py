"""The text that settings name, read and fingerprinted without torch."""

from collections.abc import Iterator

from datamodules.datasets.registry import dataset
from datamodules.errors import DataError
from datamodules.unlabelled.configs import TextConfig


class MonolingualText:
    """The texts that a config names."""

    def __init__(self, config: TextConfig) -> None:
        self.config = config
        self.dataset = dataset(config.dataset, config.path, config.revision)

    def check(self, language: str) -> None:
        """Raises DataError if a language or split is known to be missing."""
        self.dataset.check(language, self.config.split)
        if self.config.validation_split is not None:
            self.dataset.check(language, self.config.validation_split)

    def fingerprint(self, language: str) -> str:
        """What determines the training texts of a language; reads no row."""
        return self.dataset.fingerprint(language, self.config.split)

    def texts(self, language: str, split: str) -> Iterator[str]:
        """Yields the documents of a language one after the other, blank ones left out.

        Raises:
            DataError: If there is no text at all.
        """
        empty = True
        for example in self.dataset.examples(language, split):
            if text := example.text.strip():
                empty = False
                yield text
        if empty:
            raise DataError(f"{self.dataset.name} {language}: the {split} split holds no text")
