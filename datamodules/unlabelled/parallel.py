"""Batches of sentences and their translations, for aligning a language with a pivot."""

import functools
import itertools
from collections.abc import Iterator, Sequence

from torch.utils.data import DataLoader
from transformers import PreTrainedTokenizerBase

from datamodules.batching.loaders import Batch, ResumableData, global_batches, shuffled_epochs, training_loader
from datamodules.batching.tokenization import padded, token_ids
from datamodules.unlabelled.configs import ParallelConfig
from datamodules.unlabelled.pairs import Pair, ParallelText

_SHUFFLE_BUFFER = 100_000


class ParallelData(ResumableData):
    """Pairs of one or several languages with the pivot; several are mixed.

    Batches: `input_ids` and `attention_mask` [B, T] long of the languages, `pivot_input_ids` and
    `pivot_attention_mask` [B, S] long of the pivot, `language` and `id` lists of B strings.

    >>> from transformers import AutoTokenizer
    >>> from datamodules import ParallelConfig, ParallelData
    >>> tokenizer = AutoTokenizer.from_pretrained("experiments/quickstart/backbone")
    >>> config = ParallelConfig("synthetic", pivot="qaa_Latn")
    >>> data = ParallelData(config, tokenizer, languages=["qae_Latn"], batch_size=2)
    >>> batch = next(iter(data.train_dataloader()))
    >>> batch["input_ids"].shape, batch["pivot_input_ids"].shape, batch["id"]
    (torch.Size([2, 8]), torch.Size([2, 7]), ['train-00923', 'train-00819'])
    """

    def __init__(
        self,
        config: ParallelConfig,
        tokenizer: PreTrainedTokenizerBase,
        *,
        languages: Sequence[str],
        batch_size: int = 32,
        seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        """Checks languages and splits; reads nothing yet.

        Args:
            config: Which translations.
            tokenizer: Of the backbone.
            languages: FLORES codes of the languages to align.
            batch_size: Rows of a batch, over all ranks.
            seed: Determines the order of the rows.
            num_workers: Processes that tokenise.

        Raises:
            DataError: If the dataset, a language, a split or a file is missing.
        """
        super().__init__()
        self.config = config
        self.text = ParallelText(config)
        self.tokenizer = tokenizer
        self.languages = list(languages)
        self.batch_size = batch_size
        self.seed = seed
        self.num_workers = num_workers
        for language in self.languages:
            self.text.check(language)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Endless batches of pairs; stop by the number of steps."""
        stream = functools.partial(_training_stream, self.text, self.languages, self.batch_size, self.seed)
        collate = functools.partial(_collate, self.config, self.tokenizer)
        return training_loader(stream, collate, self.batch_size, self.skip, self.num_workers)


def _collate(
    config: ParallelConfig, tokenizer: PreTrainedTokenizerBase, pairs: Sequence[Pair], _numbers: Sequence[int]
) -> Batch:
    def encoded(texts: list[str]) -> Batch:
        return padded(token_ids(tokenizer, texts, config.max_length, config.text_prefix), tokenizer.pad_token_id)

    batch = encoded([pair.target for pair in pairs])
    batch |= {f"pivot_{key}": value for key, value in encoded([pair.pivot for pair in pairs]).items()}
    batch["language"] = [pair.language for pair in pairs]
    batch["id"] = [pair.id for pair in pairs]
    return batch


def _training_stream(text: ParallelText, languages: list[str], batch_size: int, seed: int) -> Iterator[list[Pair]]:
    def read() -> Iterator[Pair]:
        return itertools.chain.from_iterable(map(text.pairs, languages))

    return global_batches(shuffled_epochs(read, _SHUFFLE_BUFFER, str(seed)), batch_size, str(seed))
