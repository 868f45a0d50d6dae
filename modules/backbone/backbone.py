"""A pretrained transformer, loaded safely, frozen, and ready for components."""

import contextlib
import dataclasses
import functools
import logging
import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from modules.backbone import pretrained_files
from modules.backbone.architectures import QKV
from modules.backbone.construction import build_model, load_model, model_class
from modules.backbone.devices import resolve_precision
from modules.backbone.info import BackboneConfig, BackboneInfo
from modules.backbone.inspection import inspect_backbone
from modules.backbone.tokenizer import load_tokenizer
from modules.backbone.transformers_calls import build_config, quiet, reason_of
from modules.backbone.weights import load_weights, not_finite, weight_files
from modules.errors import ModulesError

LIGHTNING_PRECISIONS = {"32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}
"""Lightning's names of the precisions."""


class LanguageModelHead(nn.Module):
    """What turns hidden states into logits over the vocabulary."""

    def __init__(
        self,
        modules: dict[str, nn.Module],
        output: nn.Module,
        *,
        soft_cap: float | None = None,
        scale: float = 1.0,
        bias: Tensor | None = None,
    ) -> None:
        """Takes the parts.

        Args:
            modules: The modules, by their Hugging Face names in the order of use.
            output: The last layer within them.
            soft_cap: Logits are squeezed between its negative and itself, as in Gemma 2; None leaves them.
            scale: Multiplies the hidden states, as in T5 whose output layer is its embeddings.
            bias: Added to the logits [1, vocabulary size], as in BART; never trained.
        """
        super().__init__()
        self.parts = nn.ModuleDict(modules)
        self.register_buffer("bias", bias, persistent=False)
        self._output = (output,)  # not a second time among the submodules
        self._soft_cap = soft_cap
        self._scale = scale

    @property
    def output(self) -> nn.Module:
        """The last layer."""
        return self._output[0]

    def forward(self, hidden: Tensor, before_output: Callable[[Tensor], Tensor]) -> Tensor:
        """Returns logits.

        Args:
            hidden: [number, hidden size].
            before_output: Changes the vectors [number, embedding size] that the output layer is applied to.

        Returns:
            Logits [number, rows], one row for each token of the vocabulary, or of what is left of it.
        """
        hook = self.output.register_forward_pre_hook(lambda _, inputs: (before_output(inputs[0]),))
        hidden = hidden * self._scale
        try:
            for part in self.parts.values():
                hidden = part(hidden)
        finally:
            hook.remove()
        if isinstance(self.bias, Tensor):
            hidden = hidden + self.bias
        if self._soft_cap is not None:
            return torch.tanh(hidden / self._soft_cap) * self._soft_cap
        return hidden


class ReducedVocabulary(nn.Module):
    """Which tokens are left in a vocabulary that `modules.backbone.vocabulary` reduced, and where."""

    kept: Tensor
    """Ids of the tokens [number], ascending: that of each row."""
    rows: Tensor
    """The row of each token [vocabulary size]; that of the unknown token where it was dropped."""

    def __init__(self, kept: Tensor, size: int, unknown: int) -> None:
        """Numbers the rows of `kept` ids, ascending, of `size` tokens; `unknown` is that of the unknown token."""
        super().__init__()
        self.register_buffer("kept", kept, persistent=False)
        own = torch.arange(len(kept), device=kept.device)
        rows = own[kept == unknown].repeat(size)
        rows[kept] = own
        self.register_buffer("rows", rows, persistent=False)


class Backbone(nn.Module):
    """A frozen transformer, its tokenizer and, where asked for, its language model head; `load_backbone` makes it."""

    def __init__(
        self, model: nn.Module, lm_head: LanguageModelHead | None, tokenizer: Any, info: BackboneInfo, precision: str
    ) -> None:
        super().__init__()
        self.model: Any = model
        """The base model of transformers, prepared by the `adapters` library."""
        self.lm_head = lm_head
        self.tokenizer = tokenizer
        self.info = info
        self.precision = precision
        """The name that Lightning has for it: "32-true" or "bf16-mixed"."""
        self.vocabulary: ReducedVocabulary | None = None
        """What is left of the vocabulary, where it was reduced."""
        self.requires_grad_(False)
        # Taken down now, since components will add parameters of theirs.
        self._own_names = {name for name, _ in model.named_parameters()}

    @property
    def embeddings(self) -> nn.Embedding:
        """The word embeddings."""
        embeddings: nn.Embedding = self.model.get_input_embeddings()
        return embeddings

    @property
    def embedder(self) -> nn.Module | None:
        """What turns word embeddings into what the layers read, where that is one module; see `Architecture`."""
        path = self.info.architecture.embeddings
        return None if path is None else self.model.get_submodule(path)

    @property
    def tokens(self) -> Tensor:
        """Ids of the tokens that have embeddings of their own [number], ascending."""
        if self.vocabulary is None:
            return torch.arange(len(self.tokenizer))
        return self.vocabulary.kept[self.vocabulary.kept < len(self.tokenizer)].cpu()

    def rows(self, tokens: Tensor) -> Tensor:
        """Returns the rows in which the language model's output layer has tokens of any shape, given by their ids."""
        return tokens if self.vocabulary is None else self.vocabulary.rows[tokens]

    @property
    def layers(self) -> nn.ModuleList:
        """The transformer layers, from the first; the encoder's before its decoder's."""
        paths = (self.info.architecture.layers, self.info.architecture.decoder_layers)
        stacks = [self.model.get_submodule(path) for path in paths if path]
        return nn.ModuleList(layer for stack in stacks for layer in stack.children())

    def shifted(self, ids: Tensor) -> Tensor:
        """Returns `ids` [batch, time] shifted right by one, behind the decoder start token."""
        config = self.model.config
        start = config.eos_token_id if config.decoder_start_token_id is None else config.decoder_start_token_id
        return torch.cat([torch.full_like(ids[:, :1], start), ids[:, :-1]], dim=1)

    @property
    def ends(self) -> list[int]:
        """The tokens that a text ends with: the tokenizer's, and those that `config.json` names."""
        named = self.model.config.eos_token_id
        ends = {self.tokenizer.eos_token_id, *(named if isinstance(named, list) else [named])}
        return sorted(ends - {None})

    def linears(self, number: int) -> dict[str, nn.Module]:
        """Returns what a LoRA may target in a transformer layer, by the names of `Architecture.linears`."""
        architecture = self.info.architecture
        first = len(list(self.model.get_submodule(architecture.layers).children()))
        paths = architecture.linears if number < first else architecture.decoder_linears
        layer = self.layers[number]
        gated = getattr(self.model.config, "is_gated_act", False)
        if gated:  # of the two halves of T5's unit the one that is gated, as in Llama's
            paths = {name: f"{path}_1" if path.endswith(".wi") else path for name, path in paths.items()}
        return {name: layer.get_submodule(path) for name, path in paths.items()}

    def own_parameters(self) -> dict[str, nn.Parameter]:
        """Returns the parameters, without those of components, by Hugging Face name; tied ones come once."""
        place = self.info.architecture.base_model
        prefix = self.model.base_model_prefix if place is None else place
        parameters = {
            f"{prefix}.{name}".lstrip("."): parameter
            for name, parameter in self.model.named_parameters()
            if name in self._own_names
        }
        if self.lm_head is not None:
            tied = {id(parameter) for parameter in parameters.values()}
            parameters |= {
                name: parameter
                for name, parameter in self.lm_head.parts.named_parameters()
                if id(parameter) not in tied
            }
        return parameters


def load_backbone(config: BackboneConfig, with_lm_head: bool = False) -> Backbone:
    """Loads a backbone: float32 weights, frozen, in evaluation mode.

    Args:
        config: Which one.
        with_lm_head: Whether to load its language model head too.

    Raises:
        ModulesError: If it cannot be had, is not safe to load, is not supported, has no trained head or cannot be
            computed in the precision.
    """
    info = inspect_backbone(config, weights=True)
    if with_lm_head and not info.has_lm_head:
        raise ModulesError(f"backbone {config.name!r} has no trained language model head")
    if reason := info.precision_incompatibility(config.precision):
        raise ModulesError(reason)
    tokenizer = load_tokenizer(info)
    # Loading draws numbers too, for weights that it then replaces: nobody else's are to depend on it.
    with quiet(), seeded(config.random_init_seed or 0):
        model = _load_weights(info, with_lm_head) if config.random_init_seed is None else _draw_weights(info)
        precision = LIGHTNING_PRECISIONS[resolve_precision(config).precision]
        backbone = _assemble(model, info, with_lm_head, tokenizer, precision).eval()
        _try(backbone)
        return backbone


def fetch_backbone(config: BackboneConfig) -> list[Path]:
    """Downloads the files that loading a backbone reads, as far as they are not here, and returns them.

    Raises:
        ModulesError: If it cannot be had, is not safe to load or is not supported.
    """
    folder = inspect_backbone(config, weights=True).folder
    small = [folder / name for name in (pretrained_files.CONFIG, *pretrained_files.TOKENIZER_FILES)]
    weights = weight_files(folder)[1] if config.random_init_seed is None else []
    return [*filter(Path.is_file, small), *weights]


def save_backbone(backbone: Backbone, folder: Path) -> None:
    """Writes a backbone, without its components, as a folder that `load_backbone` reads.

    Raises:
        ModulesError: If its vocabulary was reduced, so that its tokenizer does not fit its weights.
    """
    from safetensors.torch import save_file

    if backbone.vocabulary is not None:
        raise ModulesError(f"the vocabulary of {backbone.info.name} was reduced: its tokenizer is not that of a folder")
    folder.mkdir(parents=True, exist_ok=True)
    for name in pretrained_files.TOKENIZER_FILES:
        if (backbone.info.folder / name).is_file():
            # Copied rather than saved: a tokenizer's state changes with use, and its hash must not.
            shutil.copyfile(backbone.info.folder / name, folder / name)
    info = backbone.info
    build_config(info.model_type, info.settings).to_json_file(folder / pretrained_files.CONFIG)
    state = {name: parameter.detach().cpu().contiguous() for name, parameter in backbone.own_parameters().items()}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})


@functools.lru_cache(maxsize=4)
def skeleton(info: BackboneInfo, with_lm_head: bool = False) -> Backbone:
    """Returns a backbone of the right shapes without weights or tokenizer, for counting parameters."""
    with torch.device("meta"), quiet():
        model = build_model(info.model_type, info.settings, with_lm_head)
        return _assemble(model, info, with_lm_head, tokenizer=None, precision="32-true")


def _load_weights(info: BackboneInfo, with_lm_head: bool) -> nn.Module:
    model = load_model(info.model_type, info.settings, load_weights(info.folder), with_lm_head)[0]
    if not all(bool(parameter.isfinite().all()) for parameter in model.parameters()):
        raise ModulesError(not_finite(info.folder))
    return model


def _try(backbone: Backbone) -> None:
    """Refuses a backbone that cannot compute two tokens: shapes of weights do not show every wrong setting."""
    try:
        with torch.no_grad():
            ids = torch.zeros(1, 2, dtype=torch.long)
            mask, embedded = torch.ones_like(ids), backbone.embeddings(ids)
            decoded = {}
            if backbone.info.family == "encoder-decoder":
                decoded["decoder_inputs_embeds"] = backbone.embeddings(backbone.shifted(ids))
            hidden = backbone.model(inputs_embeds=embedded, attention_mask=mask, **decoded).last_hidden_state
            if backbone.lm_head is not None:
                backbone.lm_head(hidden[0], lambda vectors: vectors)
            if not hidden.isfinite().all():
                raise ValueError("the hidden states are not finite")
    except Exception as error:  # A wrong value fails in as many ways as there are settings.
        raise ModulesError(f"config.json of {backbone.info.name} cannot be used: {reason_of(error)}") from error


def _draw_weights(info: BackboneInfo) -> nn.Module:
    needed = 4 * sum(parameter.numel() for parameter in skeleton(info).own_parameters().values())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > memory:
        what = f"its weights take {needed / 2**30:,.0f} GiB, and this machine has {memory / 2**30:,.0f}"
        raise ModulesError(f"backbone {info.name!r} cannot be drawn: {what}")
    # Always with the head, so that the other weights do not depend on whether somebody needs it.
    model: nn.Module = build_model(info.model_type, info.settings, with_lm_head=True)
    return model


def _assemble(model: Any, info: BackboneInfo, with_lm_head: bool, tokenizer: Any, precision: str) -> Backbone:
    import adapters

    architecture = info.architecture
    head = None
    if with_lm_head:
        head = LanguageModelHead(
            {name: getattr(model, name) for name in architecture.lm_head},
            model.get_output_embeddings(),
            soft_cap=getattr(model.config, "final_logit_softcapping", None),
            scale=info.hidden_size**-0.5 if architecture.scaled_head and model.config.tie_word_embeddings else 1.0,
            bias=getattr(model, "final_logits_bias", None),
        )
    base = _base_model(model, info)
    adapters.init(base, interface=_interface(info))
    if architecture.past_key_value:
        for layer in base.get_submodule(architecture.layers):
            layer.register_forward_pre_hook(_with_cache, with_kwargs=True)
    return Backbone(base, head, tokenizer, info, precision)


def _with_cache(layer: nn.Module, inputs: Any, named: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Gives a layer of `adapters` the cache by the name that it knows: it silently ignores any other name."""
    return inputs, {"past_key_value" if name == "past_key_values" else name: value for name, value in named.items()}


def _base_model(model: Any, info: BackboneInfo) -> Any:
    """Returns the model without its language model head."""
    place = info.architecture.base_model
    if place is None:
        return model.base_model
    if place:
        return getattr(model, place, model)
    base_class = model_class(info.model_type, with_lm_head=False)
    if isinstance(model, base_class):
        return model
    # T5's language model has the parts of the base model and no base model: one is put together of them.
    with torch.device("meta"):
        base = base_class(model.config)
    for name, _ in list(base.named_children()):
        setattr(base, name, getattr(model, name))
    return base


def _interface(info: BackboneInfo) -> Any:
    """Returns where the `adapters` library finds the parts of a model that it does not know natively, or None."""
    from adapters import AdapterModelInterface
    from adapters.wrappers.interfaces import get_adapter_interface

    architecture = info.architecture
    if not architecture.plugged_in:
        return None
    # Preparing the model for the library's LoRA gives fused projections a random bias.
    methods = ["bottleneck"]
    if architecture.interface:
        paths = architecture.linears
        attention = paths["attention_output"].rpartition(".")[0]
        inside = {name: path.removeprefix(f"{attention}.") for name, path in paths.items()}
        projections = {f"attn_{name[0]}_proj": inside[name] for name in QKV}
        return AdapterModelInterface(
            adapter_methods=methods,
            model_layers=architecture.layers,
            layer_self_attn=attention,
            layer_cross_attn=None,
            attn_o_proj=inside["attention_output"],
            layer_intermediate_proj=paths["feed_forward_in"],
            layer_output_proj=paths["feed_forward_out"],
            **({"attn_qkv_proj": inside["query"]} if architecture.fused_qkv else projections),
            **architecture.interface,
        )
    # With norms behind the sublayers (Gemma 2 and 3) its hooks all use the last layer's: they are left to the model.
    known = get_adapter_interface(info.model_type)
    return dataclasses.replace(known, adapter_methods=methods, layer_ln_1=None, layer_ln_2=None, base_model=None)


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draws from torch's CPU generator with a seed, and puts its state back afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


class _InactiveAdapters(logging.Filter):
    """Drops the library's warning of inactive adapters: here they are a choice, not an oversight."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "none are activated" not in record.getMessage()


logging.getLogger("adapters.model_mixin").addFilter(_InactiveAdapters())
# The library's T5 speaks to transformers in words that this version still knows.
warnings.filterwarnings("ignore", message=".*`past_key_value` is deprecated.*", category=FutureWarning)
