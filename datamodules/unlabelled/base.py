"""Monolingual text and the batches of a language stage.

A corpus may be as large as a Wikipedia, so documents are read one after the other, never all into memory; the files of
a repository on the hub are downloaded, one by one, when their rows are reached. What a row is and how a batch is made
of rows is a matter of the `Batching`, of which there are several, each in a file of its own: `masking`,
`span_corruption`, `causal`, `prefix_lm`, `packing`. What they share is here: text, order, ranks, workers, validation
and resuming.
"""

import functools
import itertools
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar

from torch.utils.data import DataLoader
from transformers import PreTrainedTokenizerBase

from datamodules.batching.loaders import (
    Batch,
    HasLength,
    ResumableData,
    evaluation_loader,
    global_batches,
    shuffled_epochs,
    training_loader,
)
from datamodules.unlabelled.configs import TextConfig
from datamodules.unlabelled.text import MonolingualText

IGNORED = -100
"""Label of a position that is not to be predicted."""

_SHUFFLE_BUFFER = 10_000


class MonolingualRow(HasLength, Protocol):
    """Text of one language that fills a row."""

    @property
    def language(self) -> str:
        """FLORES code."""


Row = TypeVar("Row", bound=MonolingualRow)
Reader = Callable[[], Iterator[Row]]
"""Starts reading rows from the first one, always in the same order."""


class Batching(ABC, Generic[Row]):
    """One way to make batches of monolingual text; `TextConfig.batching_class` names it."""

    def __init__(self, config: TextConfig, tokenizer: PreTrainedTokenizerBase, seed: int) -> None:
        """Raises DataError if the tokenizer does not suit."""
        self.config = config
        self.tokenizer = tokenizer
        self.seed = seed

    @abstractmethod
    def reader(self, text: MonolingualText, language: str, split: str) -> Reader[Row]:
        """Returns the reader of the rows of a language."""

    @abstractmethod
    def __call__(self, rows: Sequence[Row], numbers: Sequence[int]) -> Batch:
        """Makes a batch of at least one row.

        With the seed, a row's number in the stream determines what is drawn for it.
        """


class MonolingualData(ResumableData):
    """Rows of one or several languages; several are mixed in equal parts.

    The batches are those of the config's `Batching`. They all hold `input_ids` and `attention_mask` [B, T] long,
    `labels` long with -100 where nothing is to be predicted, and `language`, a list of B strings. What is drawn for
    a row depends on the seed and on the row's number in the stream of global batches, not on ranks or workers;
    each epoch has its own.

    >>> from transformers import AutoTokenizer
    >>> from datamodules import MaskingConfig, MonolingualData
    >>> tokenizer = AutoTokenizer.from_pretrained("experiments/quickstart/backbone")
    >>> config = MaskingConfig("synthetic-text", max_length=32)
    >>> data = MonolingualData(config, tokenizer, languages=["qaa_Latn", "qae_Latn"], batch_size=4)
    >>> batch = next(iter(data.train_dataloader()))
    >>> batch["input_ids"].shape, batch["language"]
    (torch.Size([4, 32]), ['qae_Latn', 'qaa_Latn', 'qaa_Latn', 'qaa_Latn'])
    """

    def __init__(
        self,
        config: TextConfig,
        tokenizer: PreTrainedTokenizerBase,
        *,
        languages: Sequence[str],
        batch_size: int = 32,
        eval_batch_size: int = 64,
        seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        """Checks languages and splits; reads nothing yet.

        Args:
            config: Which text, and what is made of it.
            tokenizer: Of the backbone.
            languages: FLORES codes.
            batch_size: Rows of a training batch, over all ranks.
            eval_batch_size: The same in validation.
            seed: Determines the order of the rows and all that is drawn for them.
            num_workers: Processes that tokenise.

        Raises:
            DataError: If a language or split is missing, or the tokenizer does not suit.
        """
        super().__init__()
        self.config = config
        self.text = MonolingualText(config)
        self.batching: Batching[Any] = config.batching(tokenizer, seed)
        self.languages = list(languages)
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size
        self.seed = seed
        self.num_workers = num_workers
        for language in self.languages:
            self.text.check(language)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Endless batches; stop by the number of steps."""
        split = self.config.split
        readers = {language: self.batching.reader(self.text, language, split) for language in self.languages}
        stream = functools.partial(_training_stream, readers, self.batch_size, self.seed)
        return training_loader(stream, self.batching, self.batch_size, self.skip, self.num_workers)

    def val_dataloader(self) -> DataLoader[Batch] | list[DataLoader[Batch]]:
        """The first rows of the validation split, always drawn alike; without such a split, no loader."""
        split = self.config.validation_split
        if split is None:
            return []
        rows: list[MonolingualRow] = []
        for language in self.languages:
            read = self.batching.reader(self.text, language, split)
            rows += itertools.islice(read(), self.config.validation_blocks)
        return evaluation_loader(rows, self.batching, self.eval_batch_size, self.num_workers)


def _training_stream(readers: dict[str, Reader[Row]], batch_size: int, seed: int) -> Iterator[list[Row]]:
    epochs = [shuffled_epochs(read, _SHUFFLE_BUFFER, f"{seed}/{language}") for language, read in readers.items()]
    if len(epochs) > 1:
        epochs = [iter([_mixture([itertools.chain.from_iterable(each) for each in epochs], seed)])]
    # rows are of about the same length, nothing is gained by sorting them: hence window=1
    return global_batches(epochs[0], batch_size, str(seed), window=1)


def _mixture(streams: list[Iterator[Row]], seed: int) -> Iterator[Row]:
    """Takes each next row from a stream chosen at random, all equally likely."""
    generator = random.Random(f"{seed}/mixture")
    while True:
        yield next(generator.choice(streams))
