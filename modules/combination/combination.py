"""A backbone and the components in its slots, as one model."""

import contextlib
import functools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from modules.backbone.backbone import Backbone, seeded
from modules.backbone.packed_masks import packed_inputs
from modules.combination.batch_rows import Rows, put_together, rolled
from modules.combination.generate import generate_tokens
from modules.combination.kv_cache import DECODING_STATES, DecodingState
from modules.combination.score import Continuations, continuation_log_probs, likelihoods_at, padded
from modules.components.base import Component
from modules.components.base_config import ROLES, ComponentConfig
from modules.components.registry import component_class
from modules.errors import ModulesError, did_you_mean

Run = Callable[[Sequence[Component], list[int]], Tensor]
"""Computes something for each of some rows, on which the given components act."""


class Combination(nn.Module):
    """A backbone with components: those of a row's language act on it, and those without a language on every row.

    >>> from modules import BackboneConfig, Combination, load_backbone
    >>> from modules.components import BottleneckConfig, SoftPromptConfig
    >>> backbone = BackboneConfig("experiments/quickstart/backbone", precision="32", random_init_seed=0)
    >>> combination = Combination(load_backbone(backbone))
    >>> prompt = combination.add("language", "prompt", SoftPromptConfig(length=2), language="swh_Latn", seed=0)
    >>> adapter = combination.add("task", "adapter", BottleneckConfig(reduction_factor=2), seed=0)
    >>> texts = combination.backbone.tokenizer(["du tole"], return_tensors="pt")
    >>> combination.encode(texts["input_ids"], texts["attention_mask"], ["swh_Latn"]).shape
    torch.Size([1, 5, 64])
    """

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone
        self._components = nn.ModuleDict()
        self.synchronised_passes: Callable[[int], int] = lambda own: own
        """Maps this rank's number of forward passes to the number that every rank must run; see
        `modules.training.sharding`."""
        self.shared = False
        """Whether ranks share its layers."""

    def add(
        self,
        role: str,
        kind: str,
        config: ComponentConfig,
        *,
        language: str | None = None,
        language_name: str | None = None,
        seed: int,
    ) -> Component:
        """Adds an untrained component; nothing else draws from the seed.

        Args:
            role: `language` or `task`.
            kind: A key of `CONFIGS`, or the dotted path of a class.
            config: An instance of that class's `Config`.
            language: FLORES code of the only language that it acts on; None acts on every row.
            language_name: English name that initial texts call the language by.
            seed: Draws its first values.

        Raises:
            ModulesError: If it cannot work on this backbone, or its place is taken.
        """
        if role not in ROLES:
            raise ModulesError(f"unknown role {role!r}{did_you_mean(role, ROLES)}; known: {', '.join(ROLES)}")
        class_ = component_class(kind)
        if not isinstance(config, class_.Config):
            raise ModulesError(f"{role} {kind} needs a {class_.Config.__name__}, not a {type(config).__name__}")
        # Module names hold no dots, and the `adapters` library reserves some plain words.
        name = "-".join(("component", role, *([language] if language else []), config.kind))
        if name in self._components:
            raise ModulesError(f"{role} {config.kind}: there is one for {language or 'every language'} already")
        if reason := config.incompatibility(self.backbone.info):
            raise ModulesError(f"{role} {config.kind}: {reason}")
        with seeded(seed):
            component = class_.create(config, self.backbone, name=name, language=language_name)
        component.config, component.name, component.named = config, name, kind
        component.role, component.language = role, language
        for parameter in component.own_parameters().values():
            parameter.requires_grad_(False)
        self._components[name] = component
        self.to(self.backbone.embeddings.weight.device)
        return component

    def remove(self, component: Component) -> None:
        """Takes a component out again."""
        component.detach()
        del self._components[component.name]

    def components(self, role: str | None = None, language: str | None = None) -> list[Component]:
        """Returns the components in the order in which they act, those of one role or language where it is given."""
        present = [component for component in self._components.values() if isinstance(component, Component)]
        chosen = [one for one in present if role in (None, one.role) and language in (None, one.language)]
        return sorted(chosen, key=lambda component: ROLES.index(component.role))

    def train_only(self, components: Iterable[Component], *modules: nn.Module) -> None:
        """Makes exactly these components and modules, such as a head, trainable; nothing else decides what is.

        Raises:
            ModulesError: If nothing would be trained.
        """
        self.requires_grad_(False)
        trained = [parameter for component in components for parameter in component.own_parameters().values()]
        trained += [parameter for module in modules for parameter in module.parameters()]
        if not trained:
            raise ModulesError("there is nothing to train: no component and no head learns in this stage")
        for parameter in trained:
            parameter.requires_grad_(True)

    def encode(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        languages: Sequence[str] | None = None,
        token_type_ids: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        documents: Tensor | None = None,
    ) -> Tensor:
        """Returns the hidden states of the text, each row seen through the components that act on its language.

        In an encoder-decoder they are the decoder's, which reads the text a second time, as transformers' sequence
        classifiers have it do (Lewis et al., 2020, section 3.1), or reads what it is given. Prompts stand before the
        encoder's text only.

        Args:
            input_ids: [batch, time], padded at the end or at the beginning.
            attention_mask: [batch, time], 1 at tokens.
            languages: For each row the FLORES code of the language whose components act; a language without
                components, or an empty text, leaves only those that act on every row. None is that for all rows.
            token_type_ids: [batch, time], 1 at the second text of a pair; left out by a backbone that knows no such
                types. None is 0 everywhere, which prompts have too.
            decoder_input_ids: [batch, decoder time], what the decoder of an encoder-decoder reads, padded at the end.
            documents: [batch, time], where a row of a decoder holds several documents, padded at the end: the number of
                each token's document, which sees itself and the prompts alone, as if the others were not there.

        Returns:
            [batch, time, hidden size], aligned with `input_ids`: the positions of prompts are cut out; or aligned with
            `decoder_input_ids`, where they are given.

        Raises:
            ModulesError: If prompts and text together exceed the backbone's positions, or the backbone or a component
                cannot tell documents of a row apart.
        """
        padding = attention_mask.argmax(dim=1)  # before the text
        # Prompts and positions begin where a row does: encode rows that begin at once, and put them back.
        text = Rows(input_ids, attention_mask, token_type_ids, decoder_input_ids, documents).rolled(padding)
        hidden = self._mixed(languages, len(padding), lambda acting, rows: self._encode(acting, text.at(rows)))
        return hidden if decoder_input_ids is not None or not padding.any() else rolled(hidden, -padding)

    def _mixed(self, languages: Sequence[str] | None, rows: int, run: Run) -> Tensor:
        """Returns what `run` gives for each row, those that the same components act on in one pass."""
        groups = self._groups(languages, rows) or {(): []}
        found = put_together([(rows, run(acting, rows)) for acting, rows in groups.items()])
        for _ in range(self.synchronised_passes(len(groups)) - len(groups)):
            # Where ranks share layers, one with fewer passes takes part in the others', forward and backward.
            # It draws nothing from the generators, so that what is drawn later is as without sharing.
            with torch.random.fork_rng(devices=[found.device] if found.is_cuda else []):
                spare = run(next(iter(groups)), [0])
            found = found + 0.0 * spare.sum()
        return found

    @torch.no_grad()
    def encode_backbone(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Returns the hidden states [batch, time, hidden size] of the backbone alone, without dropout or gradient.

        Raises:
            ModulesError: If a component changes the backbone itself, so that what it was is no longer there.
        """
        if changing := [component.name for component in self.components() if component.config.changes_backbone]:
            raise ModulesError(f"the bare backbone is no longer there: {changing[0]} changes its weights")
        training = self.backbone.training
        self.backbone.eval()
        try:
            return self._encode((), Rows(input_ids, attention_mask))
        finally:
            self.backbone.train(training)

    def lm_logits(self, vectors: Tensor, languages: Sequence[str] | None = None) -> Tensor:
        """Returns logits over the vocabulary for chosen hidden states.

        Args:
            vectors: Hidden states [number, hidden size].
            languages: For each of them the language of its row, as in `encode`.

        Returns:
            [number, vocabulary size], by the tokenizer's ids; minus infinity for tokens that were dropped.

        Raises:
            ModulesError: If the backbone was loaded without its language model head.
        """
        logits = self.kept_logits(vectors, languages)
        vocabulary = self.backbone.vocabulary
        if vocabulary is None:
            return logits
        return logits.new_full((len(logits), len(vocabulary.rows)), -torch.inf).index_copy(1, vocabulary.kept, logits)

    def kept_logits(self, vectors: Tensor, languages: Sequence[str] | None = None) -> Tensor:
        """Returns what `lm_logits` does for the tokens alone that are left in the vocabulary, which may be few of all.

        Returns:
            [number, rows], in which `Backbone.rows` finds a token; without a reduced vocabulary all by their ids.
        """
        groups = self._groups(languages, len(vectors))
        if len(groups) < 2:
            return self._lm_logits(next(iter(groups), ()), vectors)
        parts = [(rows, self._lm_logits(acting, vectors[rows])) for acting, rows in groups.items()]
        return put_together(parts)

    @torch.no_grad()
    def generate(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        languages: Sequence[str] | None = None,
        *,
        max_new_tokens: int,
        beams: int = 1,
    ) -> tuple[list[list[int]], Tensor]:
        """Generates a continuation (decoder) or an output sequence (encoder-decoder) per row.

        Components act as in `encode`. Switch to evaluation mode before. This is not for a backbone that ranks share:
        they would have to write equally long.

        Args:
            input_ids: [batch, time], padded at the end or at the beginning.
            attention_mask: [batch, time], 1 at tokens.
            languages: For each row the language whose components act, as in `encode`.
            max_new_tokens: Most tokens that are written; fewer where one of them ends the text.
            beams: Width of the beam search; 1 takes the most likely token each time.

        Returns:
            For each row the tokens that were written, without special ones; and their mean log-likelihoods [batch],
            that of the token which ends the text included, in float32 at least.

        Raises:
            ModulesError: If the backbone is an encoder, has no language model head or is shared, or if prompts, text
                and new tokens together exceed its positions.
        """
        if self.shared:
            raise ModulesError("a backbone that ranks share cannot write: let each rank have its own")
        text = self._text_to_go_on_from(input_ids, attention_mask)
        tokenizer = self.backbone.tokenizer
        special = set(tokenizer.all_special_ids)
        written: dict[int, list[int]] = {}

        def run(acting: Sequence[Component], rows: list[int]) -> Tensor:
            reading = self._read(acting, text.at(rows), max_new_tokens - 1)  # the last is not read again
            logits = functools.partial(self._lm_logits, acting)
            found = generate_tokens(
                reading,
                logits,
                max_new_tokens=max_new_tokens,
                beams=beams,
                ends=self.backbone.ends,
                padding=tokenizer.pad_token_id,
            )
            for row, one in zip(rows, found, strict=True):
                written[row] = [token for token in one if token not in special]
            tokens, mask = padded([[one] for one in found], input_ids.device)
            return continuation_log_probs(reading, logits, tokens, mask)[:, 0] / mask.sum(dim=-1)[:, 0]

        scores = self._mixed(languages, len(input_ids), run)
        return [written[row] for row in range(len(input_ids))], scores

    def continuation_log_likelihoods(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        continuations: Continuations,
        languages: Sequence[str] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Returns how likely continuations of each row's text are, such as the words for its possible labels.

        A text is read once, whatever the number of its continuations. They end where they end: a token that ends the
        text is weighed only where it is given.

        Args:
            input_ids: [batch, time], padded at the end or at the beginning.
            attention_mask: [batch, time], 1 at tokens.
            continuations: For each row equally many, each the numbers of one or more tokens.
            languages: For each row the language whose components act, as in `encode`.

        Returns:
            The sums of their tokens' log-likelihoods [batch, continuations], in float32 at least, with gradients to
            what is trained; and their numbers of tokens [batch, continuations].

        Raises:
            ModulesError: As `generate`; or if rows have different numbers of continuations or none, or one is empty.
        """
        if len({len(row) for row in continuations}) > 1 or not all(row and all(row) for row in continuations):
            raise ModulesError("every row needs equally many continuations, each of one or more tokens")
        text = self._text_to_go_on_from(input_ids, attention_mask)
        longest = max(len(one) for row in continuations for one in row)
        # One token each takes one pass less: where ranks share layers, all take as many as one of them needs.
        tokens, mask = padded(continuations, input_ids.device, at_least=self.synchronised_passes(min(longest, 2)))

        def run(acting: Sequence[Component], rows: list[int]) -> Tensor:
            logits = functools.partial(self._lm_logits, acting)
            if tokens.shape[1] == 1:
                # What is learnt from has one, the right one, and is read together with it.
                hidden = self._encode_through(acting, text.at(rows), tokens[rows, 0])
                return likelihoods_at(hidden, logits, tokens[rows, 0], mask[rows, 0])[:, None]
            reading = self._read(acting, text.at(rows), tokens.shape[2] - 1)
            return continuation_log_probs(reading, logits, tokens[rows], mask[rows])

        return self._mixed(languages, len(input_ids), run), mask.sum(dim=-1)

    def _groups(self, languages: Sequence[str] | None, rows: int) -> dict[tuple[Component, ...], list[int]]:
        """Returns for each set of components that act together the numbers of its rows."""
        languages = languages or [""] * rows
        components = self.components()
        acting = {
            language: tuple(component for component in components if component.language in (None, language))
            for language in {"", *languages}
        }
        groups: dict[tuple[Component, ...], list[int]] = defaultdict(list)
        for row, language in enumerate(languages):
            groups[acting[language]].append(row)
        return groups

    def _activate(self, acting: Sequence[Component]) -> None:
        from adapters.composition import Stack

        for component in self.components():
            component.enabled = component in acting
        names = [component.stack_name for component in acting if component.stack_name is not None]
        # What the library's set_active_adapters does, without its walk over all layers to undo merged LoRAs.
        self.backbone.model.adapters_config.active_setup = Stack(*names) if names else None

    def _encode(self, acting: Sequence[Component], text: Rows) -> Tensor:
        self._activate(acting)
        further = 0 if text.decoder_ids is None else text.decoder_ids.shape[1] - 1
        embeddings, attention_mask, front, behind = self._prompted(acting, text, further)
        more: dict[str, Any] = {"attention_mask": attention_mask}
        if text.documents is not None:
            more |= self._packed(text.documents, front, behind, embeddings.dtype)
        if text.types is not None and getattr(self.backbone.model.config, "type_vocab_size", 0) > 1:
            before, after = (text.types.new_zeros(len(text.types), number) for number in (front, behind))
            more["token_type_ids"] = _with_prompts([before], text.types, [after])
        decodes = self.backbone.info.family == "encoder-decoder"
        if decodes:
            read = self.backbone.shifted(text.ids) if text.decoder_ids is None else text.decoder_ids
            more["decoder_inputs_embeds"] = self._embed(acting, read)
        with self._embedding_last(acting, front, behind):
            hidden: Tensor = self.backbone.model(inputs_embeds=embeddings, **more).last_hidden_state
        return hidden if decodes else _text_of(hidden, front, behind)

    def _encode_through(self, acting: Sequence[Component], text: Rows, tokens: Tensor) -> Tensor:
        """Returns the hidden states that tokens [rows, time] behind texts are predicted from, all in one pass."""
        if self.backbone.info.family == "encoder-decoder":
            return self._encode(acting, text._replace(decoder_ids=self.backbone.shifted(tokens)))
        # The last one predicts nothing. Behind a text that is padded, tokens move up to its end.
        behind, time = tokens[:, :-1], text.ids.shape[1]
        length = text.mask.sum(dim=1)
        ids = torch.cat([rolled(text.ids, length), behind], dim=1)
        mask = torch.cat([rolled(text.mask, length), torch.ones_like(behind)], dim=1)
        hidden = self._encode(acting, Rows(ids, mask).rolled(time - length))
        return rolled(hidden, length - time)[:, time - 1 :]

    def _text_to_go_on_from(self, input_ids: Tensor, attention_mask: Tensor) -> Rows:
        """Returns rows that begin at once; refuses a backbone that cannot go on from a text, or lacks words."""
        if self.backbone.vocabulary is not None:
            raise ModulesError(f"the vocabulary of {self.backbone.info.name} was reduced: answers may lack their words")
        if self.backbone.info.family not in DECODING_STATES:
            raise ModulesError(
                f"{self.backbone.info.name} is an {self.backbone.info.family}, which cannot go on from a text; "
                f"a {' or an '.join(DECODING_STATES)} can"
            )
        return Rows(input_ids, attention_mask).rolled(attention_mask.argmax(dim=1))

    def _read(self, acting: Sequence[Component], text: Rows, further: int) -> DecodingState:
        """Returns a reading of texts, which can go on for so many tokens."""
        self._activate(acting)
        embeddings, mask, _, _ = self._prompted(acting, text, further)
        embed = functools.partial(self._embed, acting)
        return DECODING_STATES[self.backbone.info.family](self.backbone, embed, embeddings, mask)

    def _prompted(self, acting: Sequence[Component], text: Rows, further: int) -> tuple[Tensor, Tensor, int, int]:
        """Returns the embeddings of prompts and text [rows, positions, embedding size] and the mask [rows, positions].

        The numbers are those of the prompts' vectors in front of the first token and behind it. `further` tokens
        must find room too.
        """
        rows = len(text.ids)
        prompts = [(component.config.after_bos, component.prompt()) for component in acting]
        before = [prompt.expand(rows, -1, -1) for after_bos, prompt in prompts if prompt is not None and not after_bos]
        after = [prompt.expand(rows, -1, -1) for after_bos, prompt in prompts if prompt is not None and after_bos]
        front, behind = (sum(prompt.shape[1] for prompt in some) for some in (before, after))
        self._check_length(text.ids.shape[1], front + behind, further)
        embeddings = _with_prompts(before, self._embed(acting, text.ids), after)
        attention_mask = torch.cat([text.mask.new_ones(rows, front + behind), text.mask], dim=1)
        return embeddings, attention_mask, front, behind

    def _packed(self, documents: Tensor, front: int, behind: int, dtype: torch.dtype) -> dict[str, Any]:
        """Returns the mask and the positions of rows that hold several documents, with prompts in front of them."""
        form = self.backbone.info.architecture.packed_mask
        if form is None:
            raise ModulesError(self.backbone.info.packing_incompatibility())
        if behind:
            raise ModulesError("a prompt behind BOS cannot be shared by the documents of a row")
        return packed_inputs(documents, front, dtype, form, self.backbone.model.config)

    def _embed(self, acting: Sequence[Component], ids: Tensor) -> Tensor:
        """Returns the embeddings of token numbers, as the components change them."""
        embeddings: Tensor = self.backbone.embeddings(ids)
        for component in acting:
            if not component.after_embedding_layer:
                embeddings = component.embed(embeddings)
        return embeddings

    @contextlib.contextmanager
    def _embedding_last(self, acting: Sequence[Component], front: int, behind: int) -> Iterator[None]:
        """Has components that embed last change the text's embeddings on their way into the layers.

        So many vectors of prompts stand in front of the first token, and right behind it.
        """
        last = [component for component in acting if component.after_embedding_layer]
        if not last:
            yield
            return

        def change(module: nn.Module, inputs: Any, embeddings: Tensor) -> Tensor:
            text = _text_of(embeddings, front, behind)
            for component in last:
                text = component.embed(text)
            between = embeddings[:, front + 1 : front + 1 + behind]
            return _with_prompts([embeddings[:, :front]], text, [between])

        assert self.backbone.embedder is not None  # else the component was refused
        hook = self.backbone.embedder.register_forward_hook(change)
        try:
            yield
        finally:
            hook.remove()

    def _check_length(self, text: int, prompts: int, further: int) -> None:
        info, most = self.backbone.info, self.backbone.info.max_positions
        if info.family == "encoder-decoder":
            if further >= most:
                raise ModulesError(f"{further + 1} tokens of the decoder exceed the {most} positions of {info.name}")
            further = 0  # of the encoder's positions they take none
        if text + prompts + further > most:
            raise ModulesError(
                f"{text} tokens and prompts of {prompts}{f', with {further} tokens behind,' if further else ''} exceed "
                f"the {most} positions of {info.name}: cut the text to {most - prompts - further} tokens"
            )

    def _lm_logits(self, acting: Sequence[Component], vectors: Tensor) -> Tensor:
        if self.backbone.lm_head is None:
            raise ModulesError(f"{self.backbone.info.name} was loaded without its language model head")

        embedding = sorted(acting, key=lambda component: component.after_embedding_layer)

        def unembed(vectors: Tensor) -> Tensor:
            for component in reversed(embedding):
                vectors = component.unembed(vectors)
            return vectors

        logits: Tensor = self.backbone.lm_head(vectors, unembed)
        return logits


def _with_prompts(before: Sequence[Tensor], text: Tensor, after: Sequence[Tensor]) -> Tensor:
    """Returns a text's vectors [rows, time, ...] with those of prompts in front of its first token and behind it."""
    return torch.cat([*before, text[:, :1], *after, text[:, 1:]], dim=1)


def _text_of(vectors: Tensor, front: int, behind: int) -> Tensor:
    """Returns the text's vectors [rows, time, size] of those with prompts in front of its first token and behind it."""
    return torch.cat([vectors[:, front : front + 1], vectors[:, front + 1 + behind :]], dim=1)
