"""The user's mistakes: exit code 2 and one message that says where, what and what instead; nothing is written."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from framework.errors import exit_on_user_error
from framework.planning.plan import LanguageStage, TaskStage
from framework.store.store import PASSPORT, WEIGHTS, Store
from tests.framework.conftest import Answer, Modulingua
from tests.framework.tiny import LABELS, Workspace, build_encoder, command_line, read_rows, write_rows
from tests.modules import tiny

Changes = dict[str, Any]


class Case(NamedTuple):
    """A mistake in an experiment."""

    changes: Changes | Callable[[Workspace], Changes]
    key: str
    """The key that the message names."""
    at: str
    """Text of the line that it points at."""
    words: tuple[str, ...]
    """What the message says."""
    last: bool = False
    """It points at the last such line, not at the first."""


def with_config(**settings: Any) -> Callable[[Workspace], Changes]:
    """A backbone with more in its `config.json`."""

    def changes(workspace: Workspace) -> Changes:
        folder = workspace.copy_of(workspace.encoder, "backbone")
        known = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(known | settings))
        return {"backbone.name": str(folder)}

    return changes


def without_file(name: str) -> Callable[[Workspace], Changes]:
    """A backbone that lacks a file, with a pickle in its place."""

    def changes(workspace: Workspace) -> Changes:
        folder = workspace.copy_of(workspace.encoder, "backbone")
        (folder / name).rename(folder / "pytorch_model.bin")
        return {"backbone.name": str(folder)}

    return changes


def without_head(**changes: Any) -> Callable[[Workspace], Changes]:
    """A backbone without a trained language-modelling head, learning from masked text."""

    def all_changes(workspace: Workspace) -> Changes:
        folder = build_encoder(workspace.folder / "backbone", lm_head=False)
        return {"backbone.name": str(folder)} | (changes or workspace.masked)

    return all_changes


def pretrain_without_head(workspace: Workspace) -> Changes:
    folder = build_encoder(workspace.folder / "backbone", lm_head=False)
    pretrain = {"languages": ["swh_Latn"], "objective": {"masked": workspace.text}, "training": {"steps": 1}}
    return {"backbone.name": str(folder), "pretrain": pretrain}


def vocabulary_without_unknown(workspace: Workspace) -> Changes:
    folder = build_encoder(workspace.folder / "backbone")
    file = folder / "tokenizer_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "unk_token": None}))
    pretrain = {"languages": ["swh_Latn"], "objective": {"masked": workspace.text}, "training": {"steps": 1}}
    return {"backbone.name": str(folder), "pretrain": pretrain | {"reduce_vocabulary": True}}


def packed(model_type: str, components: dict[str, Any]) -> Callable[[Workspace], Changes]:
    def changes(workspace: Workspace) -> Changes:
        return {
            "backbone.name": str(tiny.build(workspace.folder / "backbone", model_type)),
            "combination.language": components,
            "stages.language.objective": {"causal": workspace.text | {"packed": True}},
            "stages.task.answer.classification_head.pooling": "last",
        }

    return changes


def answering(model_type: str, answer: dict[str, Any], **changes: Any) -> Callable[[Workspace], Changes]:
    """A model of some type, without language components, that answers so."""

    def all_changes(workspace: Workspace) -> Changes:
        return {
            "backbone.name": str(tiny.build(workspace.folder / "backbone", model_type)),
            "combination.language": {},
            "stages.language": None,
            "stages.task.answer": answer,
            **changes,
        }

    return all_changes


def pretrain(languages: list[str]) -> Callable[[Workspace], Changes]:
    def changes(workspace: Workspace) -> Changes:
        objective = {"masked": workspace.text}
        return {"pretrain": {"languages": languages, "objective": objective, "training": {"steps": 1}}}

    return changes


def pretrain_by_alignment(workspace: Workspace) -> Changes:
    objective = workspace.experiment["stages"]["language"]["objective"]
    return {"pretrain": {"languages": ["swh_Latn"], "objective": objective, "training": {"steps": 1}}}


def without_split(code: str, split: str) -> Callable[[Workspace], Changes]:
    def changes(workspace: Workspace) -> Changes:
        texts = workspace.copy_of(workspace.texts, "texts")
        (texts / code / f"{split}.parquet").unlink()
        parallel = "stages.language.objective.alignment.parallel.path"
        return {"data.path": str(texts), parallel: str(workspace.texts)}

    return changes


def leaking(workspace: Workspace) -> Changes:
    texts = workspace.copy_of(workspace.texts, "texts")
    train, test = (read_rows(texts / "eng_Latn" / f"{split}.parquet") for split in ("train", "test"))
    test[3]["text"] = f" {train[5]['text']}\n"
    write_rows(texts / "eng_Latn" / "test.parquet", test)
    return {"data.path": str(texts), "languages.targets": ["swh_Latn", "eng_Latn"]}


def reusing(workspace: Workspace) -> Changes:
    texts = workspace.copy_of(workspace.texts, "texts")
    shutil.copy(texts / "eng_Latn" / "train.parquet", texts / "swh_Latn" / "test.parquet")
    return {"data.path": str(texts), "data.held_out": 0.2}


def reusing_a_copy(workspace: Workspace) -> Changes:
    rows = [f"w{n} w{n + 20},{'yes' if n % 2 else 'no'}" for n in range(20)]
    for name in ("mine.csv", "copy.csv"):
        (workspace.folder / name).write_text("\n".join(["text,label", *rows]))
    files = {"train": {"eng_Latn": "mine.csv"}, "test": {"swh_Latn": "copy.csv"}}
    data = {"name": "table", "path": str(workspace.folder), "files": files, "held_out": 0.2, "max_length": 24}
    return {"data": data, "combination.language": {}, "languages.targets": ["swh_Latn"]}


def on_nothing(workspace: Workspace) -> Changes:
    return {"data": None, "combination": {}, "stages": {}}


WORDS = {label: f"w{number}" for number, label in enumerate(LABELS)}

TASK_TEXT = "stages.task.training"
PARALLEL = "stages.language.objective.alignment.parallel"
MASKED = "stages.language.objective.masked"

MISTAKES: dict[str, Case] = {
    # spelling
    "a section": Case({"langauges": {}}, "langauges", "langauges:", ("did you mean 'languages'?", "known: backbone,")),
    "a key": Case({"stages.task.bach_size": 4}, "stages.task.bach_size", "bach_size:", ("mean 'batch_size'?",)),
    "a key that belongs elsewhere": Case(
        {"targets": ["swh_Latn"]}, "targets", "targets:", ("did you mean 'languages.targets'?",), last=True
    ),
    "a key that belongs below": Case(
        {"stages.task.training.lr": 0.1},
        "stages.task.training.lr",
        "lr:",
        ("did you mean 'stages.task.training.optimizer.lr'?",),
        last=True,
    ),
    "a component's key": Case(
        {"combination.task.adapter.reduction_facto": 4},
        "combination.task.adapter.reduction_facto",
        "reduction_facto:",
        ("unknown key", "did you mean 'reduction_factor'?"),
    ),
    "a component": Case(
        {"combination.task": {"adaptor": {}}}, "combination.task.adaptor", "adaptor:", ("did you mean 'adapter'?",)
    ),
    "a role": Case({"combination.tasks": {"lora": {}}}, "combination.tasks", "tasks:", ("did you mean 'task'?",)),
    "a choice": Case(
        {"stages.task.choose": "bst"},
        "stages.task.choose",
        "choose:",
        ("not one of best, last, average; did you mean 'best'?",),
    ),
    "a dataset": Case({"data.name": "sib20"}, "data.name", "name: sib20", ("did you mean 'sib200'?",)),
    "a language": Case(
        {"languages.targets": ["swh_Latn", "swa_Latn"]},
        "languages.targets[1]",
        "swa_Latn",
        ("unknown language 'swa_Latn'", "nearest: swh_Latn (Swahili)"),
    ),
    "an objective": Case(
        {"stages.language.objective": {"alignmnt": {}}},
        "stages.language.objective.alignmnt",
        "alignmnt:",
        ("did you mean 'alignment'?",),
    ),
    "an objective's key": Case(
        {f"{PARALLEL}.pivto": "x"}, f"{PARALLEL}.pivto", "pivto:", ("unknown key; did you mean 'pivot'?",)
    ),
    "a kind with a learning rate": Case(
        {f"{TASK_TEXT}.learning_rates": {"promt": 0.1}},
        f"{TASK_TEXT}.learning_rates.promt",
        "promt:",
        ("did you mean 'prompt'?",),
    ),
    "a class of one's own": Case(
        {"combination.task": {"no.such.Part": {}}},
        "combination.task.no.such.Part",
        "no.such.Part:",
        ("cannot be imported",),
    ),
    "an objective that is none": Case(
        {"stages.language.objective": {"json.JSONDecoder": {}}},
        "stages.language.objective.json.JSONDecoder",
        "json.JSONDecoder:",
        ("is not a subclass of framework.objectives.base.Objective",),
    ),
    # types and numbers
    "text for a list": Case({"seeds": "banana"}, "seeds", "seeds:", ('"banana" is not a list',)),
    "text for a number": Case(
        {"combination.language.prompt.length": "ten"},
        "combination.language.prompt.length",
        " length:",
        ('"ten" is not a whole number',),
    ),
    "a list for a mapping": Case({"languages": ["swh_Latn"]}, "languages", "languages:", ("is not a mapping",)),
    "text for a component": Case(
        {"combination.task.adapter": "seq_bn"}, "combination.task.adapter", "adapter:", ('"seq_bn" is not a mapping',)
    ),
    "no steps": Case({f"{TASK_TEXT}.steps": 0}, f"{TASK_TEXT}.steps", "steps: 0", ("must be at least 1 (found 0)",)),
    "only warm-up": Case(
        {f"{TASK_TEXT}.warmup_steps": 4}, f"{TASK_TEXT}.warmup_steps", "warmup_steps: 4", ("below steps (4)",)
    ),
    "a prompt of no length": Case(
        {"combination.language.prompt.length": 0},
        "combination.language.prompt.length",
        "length: 0",
        ("leave the prompt out",),
    ),
    "a number without end": Case(
        {f"{TASK_TEXT}.optimizer.lr": float("inf")}, "", "lr: .inf", ("not valid YAML: .inf is not a finite number",)
    ),
    "no rows in a batch": Case(
        {"stages.task.batch_size": 0}, "stages.task.batch_size", "batch_size: 0", ("must be at least 1 (found 0)",)
    ),
    "no rows in a test batch": Case(
        {"stages.evaluate": {"batch_size": -1}},
        "stages.evaluate.batch_size",
        "batch_size: -1",
        ("must be at least 1",),
    ),
    "a seed twice": Case({"seeds": [1, 2, 1]}, "seeds", "seeds:", ("a seed is given twice",)),
    "no seed": Case({"seeds": []}, "seeds", "seeds:", ("names no seed",)),
    "a seed below zero": Case({"seeds": [0, -1]}, "seeds[1]", "- -1", ("-1 is not a seed",)),
    "a seed too large": Case(
        {"stages.language.seed": 2**40}, "stages.language.seed", "seed: 1099", ("is not a seed: 0 to 4294967295",)
    ),
    "a name that is no folder's": Case({"name": "a/b"}, "name", "name: a/b", ("'a/b' names the folder",)),
    "two objectives": Case(
        {"stages.language.objective.masked": {}},
        "stages.language.objective",
        "objective:",
        ("must name one objective",),
    ),
    # answers
    "two answers": Case(
        {"stages.task.answer.span_head": {}}, "stages.task.answer", "answer:", ("must name one answer",)
    ),
    "no such answer": Case(
        {"stages.task.answer": {"label_word": {}}},
        "stages.task.answer.label_word",
        "label_word",
        ("unknown answer 'label_word'; did you mean 'label_words'?",),
    ),
    "an answer of another task": Case(
        {"stages.task.answer": {"tagging_head": {}}},
        "stages.task.answer.tagging_head",
        "tagging_head",
        ("not for classification (sib200); use classification_head",),
    ),
    "an answer of other families": Case(
        {"stages.task.answer": {"generation": {"template": "{text}"}}},
        "stages.task.answer.generation",
        "generation",
        ("not for the encoder ", "use classification_head"),
    ),
    "a template without a text": Case(
        {"stages.task.answer": {"label_words": {"template": "Topic:"}}},
        "stages.task.answer.label_words.template",
        "template: 'Topic:'",
        ("has no place for the {text}",),
    ),
    "a template with another place": Case(
        {"stages.task.answer": {"label_words": {"template": "{txt}"}}},
        "stages.task.answer.label_words.template",
        "template: '{txt}'",
        ("has no place for {txt}", "'text'"),
    ),
    "a template for pairs": Case(
        answering("llama", {"label_words": {"template": "{text} {second_text}", "words": WORDS}}),
        "stages.task.answer.label_words.template",
        "template: '{text} {second_text}'",
        ("sib200 holds single texts",),
    ),
    "labels that no answer tells apart": Case(
        answering("llama", {"label_words": {"template": "{text}", "words": WORDS | {"travel": WORDS["sports"]}}}),
        "stages.task.answer.label_words.words",
        "words:",
        ("are encoded as the same tokens",),
        last=True,
    ),
    "words that the tokenizer does not know": Case(
        answering("llama", {"label_words": {"template": "{text}", "words": WORDS | {"travel": "zzz"}}}),
        "stages.task.answer.label_words.words",
        "words:",
        ("'travel' is called 'zzz'", "encodes as unknown tokens"),
        last=True,
    ),
    "words that would be read as another label": Case(
        answering("llama", {"generation": {"template": "{text}", "words": WORDS | {"travel": "W3."}}}),
        "stages.task.answer.generation.words",
        "words:",
        ("'w3', once written, would not be read as 'sports'",),
        last=True,
    ),
    "a language's template for pairs": Case(
        answering(
            "llama",
            {"label_words": {"template": "{text}", "templates": {"swh_Latn": "{text} {second_text}"}, "words": WORDS}},
        ),
        "stages.task.answer.label_words.templates.swh_Latn",
        "swh_Latn: ",
        ("sib200 holds single texts",),
    ),
    "an answer behind too long a text": Case(
        answering("llama", {"generation": {"template": "{text}", "words": WORDS}}, **{"data.max_length": 30}),
        "data.max_length",
        "max_length: 30",
        ("30 tokens of text, 0 of prompts and 30 of answers exceed the 40 positions",),
    ),
    "words for no label": Case(
        answering("llama", {"label_words": {"template": "{text}", "words": WORDS | {"sport": "w1"}}}),
        "stages.task.answer.label_words.words.sport",
        "sport: w1",
        ("is no label of sib200; did you mean 'sports'?",),
    ),
    "examples before what is trained on": Case(
        answering("llama", {"label_words": {"template": "{text}", "words": WORDS, "examples": {"count": 2}}}),
        "stages.task.answer.label_words.examples",
        "examples:",
        ("examples are shown only where nothing is trained",),
    ),
    "two optimisers for one stage": Case(
        {"stages.task.training.optimizers": {"adapter": {"name": "adafactor"}}},
        "stages.task.training.optimizers",
        "optimizers:",
        ("a stage has one optimiser, and is to train adapter by adafactor and head by adamw",),
    ),
    "an optimiser of nothing": Case(
        {"stages.task.training.optimizers": {"adaptor": {}}},
        "stages.task.training.optimizers.adaptor",
        "adaptor:",
        ("'adapter'",),
    ),
    "nothing says how to train": Case(
        {"stages.task.training": None}, "stages.task.training", "training: null", ("something to train",)
    ),
    "a shared backbone that writes": Case(
        answering("llama", {"generation": {"template": "{text}", "words": WORDS}}, **{"trainer.shard_backbone": True}),
        "trainer.shard_backbone",
        "shard_backbone:",
        ("cannot write",),
    ),
    "a column that could be translated": Case(
        {"data.translated": {"txt": "text_en"}}, "data.name", "name: sib200", ("has no column 'txt'",)
    ),
    "a column of translations that is not there": Case(
        {"data.translated": {"text": "text_en"}, "languages.targets": ["swh_Latn"]},
        "languages.targets[0]",
        "- swh_Latn",
        ("text_en",),
    ),
    # backbones
    "float16 on T5": Case(
        answering("t5", {"classification_head": {}}, **{"backbone.precision": "fp16"}),
        "backbone.precision",
        "precision: fp16",
        ("exceed the range of float16", "use bf16 or 32"),
    ),
    "float16 without a GPU": Case(
        {"backbone.precision": "fp16"}, "backbone.precision", "precision: fp16", ("float16 is for GPUs",)
    ),
    "no such backbone": Case(
        {"backbone.name": "./no/such/folder"}, "backbone.name", "name: ./no", ("there is no such folder",)
    ),
    "remote code": Case(
        with_config(auto_map={"AutoModel": "foreign.Model"}),
        "backbone.name",
        "/backbone",
        ("config.json is refused", "'auto_map' can make transformers run foreign code"),
    ),
    "an attention from elsewhere": Case(
        with_config(_attn_implementation_internal="foreign/kernel"),
        "backbone.name",
        "/backbone",
        ("config.json is refused", "_attn_implementation_internal"),
    ),
    "an attention from elsewhere, deeper down": Case(
        with_config(text_config={"attn_implementation": "foreign/kernel"}),
        "backbone.name",
        "/backbone",
        ("config.json is refused", "attn_implementation"),
    ),
    "a decoder": Case(
        with_config(model_type="bert-generation"),
        "backbone.name",
        "/backbone",
        ("model type 'bert-generation' is not supported", "supported: bert,"),
    ),
    "pickled weights that are none": Case(
        without_file("model.safetensors"),
        "backbone.name",
        "/backbone",
        ("pytorch_model.bin cannot be read as PyTorch weights",),
    ),
    "no tokenizer": Case(without_file("tokenizer.json"), "backbone.name", "/backbone", ("has no tokenizer",)),
    "masked text without a trained head": Case(
        without_head(),
        "stages.language.objective",
        "objective:",
        ("has no trained language-modelling head", "use `alignment`"),
    ),
    "pretraining without a trained head": Case(
        pretrain_without_head,
        "pretrain.objective",
        "objective:",
        ("has no trained language-modelling head",),
        last=True,
    ),
    "pretraining by alignment": Case(
        pretrain_by_alignment,
        "pretrain.objective",
        "objective:",
        ("cannot train the backbone itself; use `masked`",),
        last=True,
    ),
    "a vocabulary without an unknown token": Case(
        vocabulary_without_unknown,
        "pretrain.reduce_vocabulary",
        "reduce_vocabulary: true",
        ("has no unknown token",),
        last=True,
    ),
    "packed rows on a backbone that cannot read them": Case(
        packed("bloom", {"adapter": {"reduction_factor": 8}}),
        "stages.language.objective.causal.packed",
        "packed: true",
        ("(bloom) cannot read packed rows", "ALiBi"),
    ),
    "a prompt behind BOS on packed rows": Case(
        packed("llama", {"prompt": {"length": 2, "position": "after_bos"}}),
        "combination.language.prompt",
        "prompt:",
        ("position before_bos",),
    ),
    "pretraining on no language": Case(pretrain([]), "pretrain.languages", "languages: []", ("names no language",)),
    "pretraining on a language twice": Case(
        pretrain(["swh_Latn", "swh_Latn"]), "pretrain.languages[1]", "- swh_Latn", ("given twice",), last=True
    ),
    # data and languages
    "a language without data": Case(
        {"languages.targets": ["yor_Latn"]}, "languages.targets[0]", "yor_Latn", ("has no 'yor_Latn'",)
    ),
    "a language of another dataset": Case(
        {"languages.targets": ["pcm_Latn"]},
        "languages.targets[0]",
        "pcm_Latn",
        ("'pcm_Latn' is not a language of sib200",),
    ),
    "a language twice": Case(
        {"languages.targets": ["swh_Latn", "swh_Latn"]},
        "languages.targets[1]",
        "- swh_Latn",
        ("swh_Latn is given twice",),
        last=True,
    ),
    "no target": Case({"languages.targets": []}, "languages.targets", "targets:", ("no language to test on",)),
    "no source": Case({"languages.source": []}, "languages.source", "source:", ("no language to learn the task in",)),
    "no training split": Case(
        without_split("eng_Latn", "train"),
        "languages.source[0]",
        "- eng_Latn",
        ("has no split 'train'; found: test, validation",),
    ),
    "no test split": Case(
        without_split("hau_Latn", "test"),
        "languages.targets[1]",
        "- hau_Latn",
        ("has no split 'test'; found: train, validation",),
    ),
    "a dataset that declares no training split": Case(
        {"data.name": "afrisenti", "languages.source": ["gaz_Latn"], "languages.targets": ["hau_Latn"]},
        "languages.source[0]",
        "gaz_Latn",
        ("afrisenti has no train split for gaz_Latn", "languages with train: amh_Ethi"),
    ),
    "texts without labels": Case({"data.name": "texts"}, "data.name", "name: texts", ("'texts' has no labels",)),
    "a leak": Case(
        leaking,
        "languages.source[0]",
        "- eng_Latn",
        ("1 of the 14 test texts of eng_Latn are also in its training or validation split", "as a target its score"),
    ),
    "a training file that is another language's test file": Case(
        reusing,
        "languages.targets[0]",
        "- swh_Latn",
        ("the test split of swh_Latn is the train split of eng_Latn: its score would be leaked",),
    ),
    "a table whose training file is copied as another language's test file": Case(
        reusing_a_copy,
        "languages.targets[0]",
        "- swh_Latn",
        ("the test split of swh_Latn is the train split of eng_Latn: its score would be leaked",),
    ),
    "parallel test text": Case(
        {f"{PARALLEL}.split": "test"}, f"{PARALLEL}.split", "split: test", ("may not use a test split",)
    ),
    "monolingual test text": Case(
        {"stages.language.objective": {"masked": {"text": {"dataset": "texts", "path": ".", "split": "test"}}}},
        f"{MASKED}.text.split",
        "split: test",
        ("may not use a test split; use train or validation",),
    ),
    "monolingual test text for validation": Case(
        {"stages.language.objective": {"masked": {"text": {"validation_split": "test"}}}},
        f"{MASKED}.text.validation_split",
        "validation_split:",
        ("may not use a test split",),
    ),
    "no parallel text": Case(
        {f"{PARALLEL}.dataset": "afrisenti"},
        "stages.language.objective",
        "objective:",
        ("no translations of each other",),
    ),
    "no monolingual text": Case(
        lambda workspace: workspace.masked | {f"{MASKED}.text.path": str(workspace.folder)},
        "stages.language.objective",
        "objective:",
        ("has no 'eng_Latn'",),
    ),
    "all languages of no dataset": Case(
        lambda workspace: {
            "data": None,
            "combination.task": {},
            "languages.targets": ["all"],
            f"{PARALLEL}.path": str(workspace.texts),
        },
        "languages.targets",
        "targets:",
        ("[all] means the languages of the dataset",),
    ),
    # what cannot work together
    "nothing to train": Case(on_nothing, "combination", "combination:", ("nothing to train",)),
    "a component of nothing": Case(
        {"combination.task.adapter.leave_out": [0, 1]},
        "combination.task.adapter",
        "adapter:",
        ("leave_out leaves out all 2 layers",),
    ),
    "a layer that is not there": Case(
        {"combination.task.adapter.leave_out": [2]}, "combination.task.adapter", "adapter:", ("names layer 2",)
    ),
    "a component too narrow": Case(
        {"combination.task.adapter.reduction_factor": 33},
        "combination.task.adapter",
        "adapter:",
        ("reduction_factor 33 exceeds the hidden size 32",),
    ),
    "the whole backbone for each language": Case(
        {"combination.language": {"full": {}}}, "combination.language.full", "full:", ("`pretrain` trains it",)
    ),
    "no language stage": Case({"stages.language": None}, "stages.language", "language: null", ("is required",)),
    "no task stage": Case({"stages.task": None}, "stages.task", "task: null", ("is required",)),
    "task components without data": Case(
        lambda workspace: {"data": None, f"{PARALLEL}.path": str(workspace.texts)},
        "combination.task",
        "task:",
        ("need labelled data",),
    ),
    "no positions left": Case(
        {"combination.task.prompt": {"length": 20}},
        "data.max_length",
        "max_length:",
        ("24 tokens of text and 23 of prompts exceed the 40 positions",),
    ),
    "no positions left in training": Case(
        {"data.train_max_length": 38}, "data.train_max_length", "train_max_length:", ("exceed the 40 positions",)
    ),
    "a prefix that leaves no room for text": Case(
        {"data.text_prefix": "w1 w2 w3 w4 ", "data.max_length": 6},
        "data.max_length",
        "max_length: 6",
        ("data.text_prefix takes 4 of 6 tokens and special tokens 2, which leaves no room for the text",),
    ),
    "rows that do not divide": Case(
        {"trainer.devices": 2, "stages.task.batch_size": 3},
        "stages.task.batch_size",
        "batch_size: 3",
        ("3 rows do not divide over 2 devices",),
    ),
    "an objective that the family lacks": Case(
        {"stages.language.objective": {"causal": {}}},
        "stages.language.objective",
        "objective:",
        ("not for the encoder", "only for decoder; use alignment or language_modeling or masked"),
    ),
    "a shared backbone that is trained": Case(
        {"trainer": {"devices": 2, "shard_backbone": True}, "combination": {"task": {"full": {}}}},
        "trainer.shard_backbone",
        "shard_backbone:",
        ("only a frozen backbone can be shared out, and task full trains it",),
    ),
    "more devices than there are": Case(
        {"trainer": {"devices": 4096, "accelerator": "cpu"}, "stages.task.batch_size": 4096},
        "trainer.devices",
        "devices:",
        ("4096 devices are required; this machine has",),
    ),
    # more than any machine can do
    "an optional number below its range": Case(
        {"stages.task.k_shot": 0}, "stages.task.k_shot", "k_shot: 0", ("must be at least 1, or null (found 0)",)
    ),
    "a batch of a billion": Case(
        {"stages.task.batch_size": 10**9},
        "stages.task.batch_size",
        "batch_size: 1000000000",
        ("must be at most 16,384",),
    ),
    "a prompt of a billion": Case(
        {"combination.language.prompt.length": 10**9},
        "combination.language.prompt.length",
        " length:",
        ("must be at most 10,000 (found 1000000000)",),
    ),
    "a rate beyond float32": Case(
        {f"{TASK_TEXT}.optimizer.lr": 1e308}, f"{TASK_TEXT}.optimizer.lr", "lr: 1.0e+308", ("must be at most 1e+30",)
    ),
    "a billion beams": Case(
        {"stages.task.answer": {"generation": {"template": "{text}", "beams": 10**9}}},
        "stages.task.answer.generation.beams",
        "beams:",
        ("must be at most 64",),
    ),
    "more runs than anybody reads": Case({"seeds": list(range(2000))}, "seeds", "seeds:", ("2,000 runs", "1,000")),
    "a name that no file system takes": Case({"name": "x" * 101}, "name", "name: xxx", ("101 bytes are too many",)),
    "a kind of dots": Case({"combination.task": {"..": {}}}, "combination.task...", "..:", ("cannot be imported",)),
    "a template with a format": Case(
        {"stages.task.answer": {"label_words": {"template": "{text:d}"}}},
        "stages.task.answer.label_words.template",
        "template:",
        ("formats {text}, which is text",),
    ),
    "a template with a conversion": Case(
        {"stages.task.answer": {"label_words": {"template": "{text}", "templates": {"swh_Latn": "{text!z}"}}}},
        "stages.task.answer.label_words",
        "label_words:",
        ("templates: that of swh_Latn formats {text}",),
    ),
    # slurm
    "GPUs and devices that disagree": Case(
        {"slurm": {"gpus": 2}, "trainer.accelerator": "gpu"},
        "slurm.gpus",
        "gpus: 2",
        ("2 GPUs on each node, but trainer.devices is 1",),
    ),
    "GPUs for processes that use none": Case(
        {"slurm": {"gpus": 1}}, "slurm.gpus", "gpus: 1", ("1 GPUs, but trainer.accelerator is cpu",)
    ),
    "nodes that disagree": Case(
        {"slurm": {"nodes": 4}}, "slurm.nodes", "nodes: 4", ("4 nodes, but trainer.num_nodes is 1",)
    ),
    "a time that Slurm cannot read": Case(
        {"slurm": {"time": "2 hours"}}, "slurm.time", "time:", ("'2 hours' is not a time as Slurm writes it",)
    ),
    "a time shorter than the warning": Case(
        {"slurm": {"stages": {"task": {"time": "1:30"}}}},
        "slurm.stages.task.time",
        "time:",
        ("90 seconds, but the warning comes 120 before the end",),
    ),
    "an option that launch writes": Case(
        {"slurm": {"extra": ["--exclude=n1", "-J bash"]}}, "slurm.extra[1]", "-J bash", ("launch writes --job-name",)
    ),
    "no option": Case({"slurm": {"extra": ["exclude"]}}, "slurm.extra[0]", "- exclude", ("not an option of sbatch",)),
    "a resource": Case(
        {"slurm": {"stages": {"task": {"partion": "x"}}}}, "slurm.stages.task.partion", "partion:", ("'partition'?",)
    ),
    "a template that is not there": Case(
        {"slurm": {"template": "no.sbatch"}}, "slurm.template", "template:", ("no.sbatch cannot be read",)
    ),
    # the grid
    "a grid over an unknown section": Case({"grid.sedes": [1, 2]}, "sedes", "sedes:", ("did you mean 'seeds'?",)),
    "a grid over an unknown key": Case(
        {"grid.combination.task.adapter.reduction": [1, 2]},
        "combination.task.adapter.reduction",
        "combination.task.adapter.reduction:",
        ("did you mean 'reduction_factor'?",),
        last=True,
    ),
    "a wrong value in a grid": Case(
        {"grid.combination.task": [{}, {"adaptor": {}}]},
        "combination.task.adaptor",
        "combination.task:",
        ("did you mean 'adapter'?",),
        last=True,
    ),
    "a grid over controls": Case(
        {"grid.stages.evaluate.controls": [[], ["wrong"]]},
        "grid.stages.evaluate.controls",
        "stages.evaluate.controls:",
        ("differ only in stages.evaluate, which a run's identity does not contain",),
    ),
    "a grid over the batch size of tests": Case(
        {"grid.combination.task": [{}, {"adapter": {}}], "grid.stages.evaluate.batch_size": [2, 4]},
        "grid.stages.evaluate.batch_size",
        "stages.evaluate.batch_size:",
        ("they would be one run, with the settings of the first; give one value",),
    ),
    "a grid over workers": Case(
        {"grid.trainer.num_workers": [0, 1]}, "grid.trainer.num_workers", "trainer.num_workers:", ("only in trainer,",)
    ),
    "a grid of no list": Case({"grid.seeds": 3}, "grid.seeds", "seeds: 3", ("must be a list",)),
}


def tree(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


def is_refused(answer: Answer) -> None:
    assert answer.code == 2, answer
    assert answer.out == ""
    assert "Traceback" not in answer.err


def line_of(file: Path, text: str, *, last: bool = False) -> int:
    """The first or the last line that holds the text."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return [number for number, line in enumerate(lines, start=1) if text in line][-1 if last else 0]


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_an_experiment(name: str, workspace: Workspace, modulingua: Modulingua) -> None:
    case = MISTAKES[name]
    file = workspace.write(case.changes(workspace) if callable(case.changes) else case.changes)
    before = tree(workspace.folder)
    answer = modulingua("run", file)
    is_refused(answer)
    heading, *mistakes = answer.err.splitlines()
    assert re.fullmatch(rf"{re.escape(str(file))} has \d+ mistakes?:", heading)
    place = rf" +line {line_of(file, case.at, last=case.last)} +{re.escape(case.key)}  +"
    told = [mistake for mistake in mistakes if re.match(place, mistake)]
    assert told, answer.err
    assert any(all(word in mistake for word in case.words) for mistake in told), answer.err
    assert tree(workspace.folder) == before


def test_all_mistakes_come_together(workspace: Workspace, modulingua: Modulingua) -> None:
    file = workspace.folder / "experiment.yaml"
    file.write_text(
        f"""\
name: seven
backbone: {{name: {workspace.encoder}, precison: "32"}}
combination:
  task: {{adaptor: {{}}}}
data: {{name: sib200, path: "${{data.pth}}", max_length: x}}
languages:
  source: [eng_Latn]
  targets: [hau_Latn, swa_Latn]
stages:
  task: {{training: {{steps: many}}}}
seeds: banana
"""
    )
    before = tree(workspace.folder)
    for command in ("plan", "run", "tokenization"):
        answer = modulingua(command, file)
        is_refused(answer)
        assert [line.split()[:3] for line in answer.err.splitlines()[1:]] == [
            ["line", "2", "backbone.precison"],
            ["line", "4", "combination.task.adaptor"],
            ["line", "10", "stages.task.training.steps"],
            ["line", "5", "data.path"],
            ["line", "5", "data.max_length"],
            ["line", "11", "seeds"],
            ["line", "8", "languages.targets[1]"],
        ], answer.err
        assert answer.err.startswith(f"{file} has 7 mistakes:")
        assert tree(workspace.folder) == before


def test_a_mistake_in_an_extended_file_is_placed_there(workspace: Workspace, modulingua: Modulingua) -> None:
    workspace.write({"seeds": "banana"}, name="base.yaml")
    file = workspace.folder / "child.yaml"
    file.write_text("extends: [base.yaml]\nname: child\n")
    answer = modulingua("run", file, "stages.task.batch_size=x")
    is_refused(answer)
    assert f"  base.yaml line {line_of(workspace.folder / 'base.yaml', 'seeds:')}  seeds" in answer.err
    assert re.search(r"command line +stages\.task\.batch_size +\"x\" is not a whole number", answer.err)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("extends: [experiment.yaml]\n", ["circle: experiment.yaml -> experiment.yaml"]),
        ("extends: [gone.yaml]\n", ["line 1", "extends[0]", "there is no file gone.yaml"]),
        ("name: a\nname: b\n", ["line 2", "'name' is given twice"]),
        ("name: [\n", ["line 2", "not valid YAML"]),
        ("a: 1\nb: {name: ${a}, c: 2}\n", ["line 2", 'between braces or brackets a reference needs quotes: "${key}"']),
        ("name: ${nowhere}\n", ["line 1", "name", "'nowhere' not found"]),
        ("", ["backbone", "is required", "combination", "languages", "stages"]),
    ],
)
def test_a_file_that_cannot_be_read(workspace: Workspace, modulingua: Modulingua, text: str, words: list[str]) -> None:
    file = workspace.folder / "experiment.yaml"
    file.write_text(text)
    answer = modulingua("run", file)
    is_refused(answer)
    assert all(word in answer.err for word in words), answer.err
    assert tree(workspace.folder) == [file]


def test_a_command_line_that_cannot_be_read(workspace: Workspace, modulingua: Modulingua) -> None:
    missing = modulingua("run", workspace.folder / "gone.yaml")
    is_refused(missing)
    assert missing.err.strip() == f"{workspace.folder / 'gone.yaml'}: there is no such experiment file"
    word = modulingua("run", workspace.write(), "seeds")
    is_refused(word)
    assert "an override is written key=value" in word.err
    misspelt = modulingua("rum", workspace.write())
    is_refused(misspelt)
    assert "No such command 'rum'" in misspelt.err


@pytest.mark.parametrize("command", ["plan", "run"])
@pytest.mark.parametrize("below", ["", "below"])
@pytest.mark.parametrize("key", ["store", "runs"])
def test_a_folder_that_cannot_be_written(
    workspace: Workspace, modulingua: Modulingua, key: str, below: str, command: str
) -> None:
    # Not a folder without permission to write: root has it everywhere.
    (workspace.folder / "file").write_text("")
    place = workspace.folder / "file" / below
    answer = modulingua(command, workspace.write({key: str(place)}))
    is_refused(answer)
    folder = place / "tiny" if key == "runs" else place  # that of the experiment
    assert answer.err.strip() == f"{key}: cannot write in the folder {folder}: Not a directory"
    assert workspace.files() == {}


def test_of_many_mistakes_the_first_are_shown(workspace: Workspace, modulingua: Modulingua) -> None:
    file = workspace.write({"languages.targets": [f"x{number}_Latn" for number in range(300)], "name": "x" * 10_000})
    answer = modulingua("run", file)
    is_refused(answer)
    assert len(answer.err.splitlines()) < 30
    assert len(answer.err) < 10_000


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 10 bytes."),
    ],
)
def test_memory_that_runs_out(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"), exit_on_user_error():
        raise error
    assert capsys.readouterr().err.startswith("out of memory: lower the batch_size")


class TestDamagedComponents:
    """A run that needs a component which is not what its place says: it is refused, with the way out."""

    def refused(self, workspace: Workspace, modulingua: Modulingua) -> str:
        before = workspace.files()
        answer = modulingua("run", workspace.write())
        assert answer.code == 2, answer
        assert "Traceback" not in answer.err
        assert workspace.files() == before
        return answer.err

    @pytest.fixture(params=[LanguageStage, TaskStage])
    def victim(self, trained: Workspace, request: pytest.FixtureRequest) -> Path:
        """The folder of a component that the run needs."""
        stage = trained.plan().of_type(request.param)[0]
        assert trained.store.has(stage.id)
        return trained.store.path(stage.id)

    def test_of_another_backbone(
        self, trained: Workspace, victim: Path, modulingua: Modulingua, shared_files: Path
    ) -> None:
        other = build_encoder(trained.folder / "other", seed=1)
        elsewhere = Workspace(trained.folder, other, trained.texts, trained.corpus)
        stages = elsewhere.plan({"store": str(trained.folder / "others")}).stages
        elsewhere.run({"store": str(trained.folder / "others"), "runs": str(trained.folder / "others")})
        kind = Store(trained.folder / "store").passport(victim.name).stage
        foreign = Store(trained.folder / "others").path(next(stage.id for stage in stages if stage.kind == kind))
        shutil.rmtree(victim)
        shutil.copytree(foreign, victim)
        message = self.refused(trained, modulingua)
        theirs, mine = (stages[0].backbone.info.weights_hash, trained.plan().stages[0].backbone.info.weights_hash)
        assert f"{victim}: trained on another backbone" in message
        assert theirs[:12] in message
        assert mine[:12] in message

    def test_of_another_stage(self, trained: Workspace, modulingua: Modulingua) -> None:
        first, second = (stage.id for stage in trained.plan().of_type(LanguageStage))
        shutil.rmtree(trained.store.path(second))
        shutil.copytree(trained.store.path(first), trained.store.path(second))
        assert f"the passport is that of {first}" in self.refused(trained, modulingua)

    def test_with_a_changed_weight(self, trained: Workspace, victim: Path, modulingua: Modulingua) -> None:
        content = bytearray((victim / WEIGHTS).read_bytes())
        content[-1] ^= 1
        (victim / WEIGHTS).write_bytes(content)
        message = self.refused(trained, modulingua)
        assert f"{victim / WEIGHTS}: damaged or cut short" in message
        assert f"`modulingua components remove {victim.name}`" in message

    def test_cut_short(self, trained: Workspace, victim: Path, modulingua: Modulingua) -> None:
        (victim / WEIGHTS).write_bytes((victim / WEIGHTS).read_bytes()[:-7])
        assert f"{victim / WEIGHTS}: damaged or cut short" in self.refused(trained, modulingua)

    def test_without_weights(self, trained: Workspace, victim: Path, modulingua: Modulingua) -> None:
        (victim / WEIGHTS).unlink()
        assert f"{victim / WEIGHTS}: no such file" in self.refused(trained, modulingua)

    @pytest.mark.parametrize("text", ['{"id": ', "[]", "{}", "nothing", b"\xff\xfe"])
    def test_with_a_damaged_passport(
        self, trained: Workspace, victim: Path, modulingua: Modulingua, text: str | bytes
    ) -> None:
        (victim / PASSPORT).write_bytes(text.encode() if isinstance(text, str) else text)
        message = self.refused(trained, modulingua)
        assert f"{victim / PASSPORT} is damaged: not a passport" in message
        assert f"`modulingua components remove {victim.name}`" in message

    def test_with_a_passport_of_other_types(self, trained: Workspace, victim: Path, modulingua: Modulingua) -> None:
        passport = json.loads((victim / PASSPORT).read_text())
        (victim / PASSPORT).write_text(json.dumps(passport | {"backbone": "xlm-roberta-base"}))
        assert "not a passport that this version can read (backbone" in self.refused(trained, modulingua)

    def test_the_way_out_works(self, trained: Workspace, victim: Path, modulingua: Modulingua) -> None:
        good = (victim / WEIGHTS).read_bytes()
        (victim / WEIGHTS).write_bytes(b"")
        message = self.refused(trained, modulingua)
        command = re.search(r"`modulingua (components remove \w+)`", message)
        assert command is not None
        answer = modulingua(*command[1].split(), "--store", trained.folder / "store")
        assert answer.code == 0
        trained.run()
        assert (victim / WEIGHTS).read_bytes() == good


class TestEmptyTexts:
    """Text that turns out to be none when it is read."""

    def test_labelled(self, workspace: Workspace, modulingua: Modulingua) -> None:
        texts = workspace.copy_of(workspace.texts, "texts")
        rows = read_rows(texts / "eng_Latn" / "train.parquet")
        rows[4]["text"] = "  "
        write_rows(texts / "eng_Latn" / "train.parquet", rows)
        answer = modulingua("run", workspace.write({"data.path": str(texts), "combination.language": {}}))
        assert answer.code == 2
        row = f"  {texts / 'eng_Latn' / 'train.parquet'}, row 5: the text is empty"
        assert answer.err.splitlines()[:2] == ["tiny: 1 of 70 rows cannot be used:", row]
        assert {Path(file).parts[0] for file in workspace.files()} == {"texts"}

    def test_monolingual(self, workspace: Workspace, modulingua: Modulingua) -> None:
        corpus = workspace.copy_of(workspace.corpus, "corpus")
        write_rows(corpus / "eng_Latn" / "train.parquet", [{"text": " "}, {"text": ""}])
        answer = modulingua("run", workspace.write(workspace.masked | {f"{MASKED}.text.path": str(corpus)}))
        assert answer.code == 2
        assert answer.err.strip() == "texts eng_Latn: the train split holds no text"
        assert {Path(file).parts[0] for file in workspace.files()} == {"corpus"}


@pytest.mark.filterwarnings("ignore:Encountered `nan` values")
def test_a_training_that_diverges(workspace: Workspace, modulingua: Modulingua) -> None:
    changes = {"combination": {"task": {"full": {}}}, "stages.task.training.optimizer.lr": 1e30}
    answer = modulingua("run", workspace.write(changes))
    assert answer.code == 2
    assert re.fullmatch("the training diverged: at step 4 the loss is (nan|inf); lower the learning rate\n", answer.err)
    assert workspace.files() == {}


class TestNothingIsWritten:
    def test_of_the_yaml(self, workspace: Workspace, modulingua: Modulingua) -> None:
        file = workspace.write({"combination.task": {"adaptor": {}}, "seeds": [0, 0]})
        before = tree(workspace.folder)
        answer = modulingua("plan", file)
        assert (answer.code, answer.out) == (2, "")
        assert answer.err.splitlines()[0] == f"{file} has 2 mistakes:"
        assert "did you mean 'adapter'?" in answer.err
        assert len(answer.err.splitlines()) == 3
        assert tree(workspace.folder) == before

    def test_of_a_folder(self, workspace: Workspace, modulingua: Modulingua) -> None:
        file = workspace.write({"runs": str(workspace.encoder / "config.json" / "runs")})
        answer = modulingua("run", file)
        assert (answer.code, answer.out) == (2, "")
        assert answer.err.startswith("runs: cannot write in the folder")
        assert len(answer.err.splitlines()) == 1
        assert workspace.files() == {}

    def test_of_the_data_in_a_process_of_its_own(self, workspace: Workspace) -> None:
        texts = workspace.copy_of(workspace.texts, "texts")
        write_rows(texts / "eng_Latn" / "train.parquet", [{"index_id": 0, "category": "travel", "text": ""}])
        answer = command_line("run", workspace.write({"data.path": str(texts), "combination.language": {}}))
        assert (answer.returncode, answer.stdout) == (2, "")
        row = f"  {texts / 'eng_Latn' / 'train.parquet'}, row 1: the text is empty"
        assert answer.stderr.splitlines()[:2] == ["tiny: 1 of 43 rows cannot be used:", row]


@pytest.mark.parametrize(
    ("changes", "keys"),
    [
        (
            {"data.name": "sib20", "languages.targets": ["all"], "stages.language.objective": {"causal": {}}},
            ["data.name", "stages.language.objective"],
        ),
        (
            {
                "data.name": "sib20",
                "stages.language.jointly": True,
                "combination.language": {"prompt": {"length": 2}, "adapter": {}},
                "stages.language.training.optimizers": {"prompt": {"name": "adafactor"}},
            },
            ["data.name", "stages.language.training.optimizers"],
        ),
        ({"combination.task": {"adaptor": {}}}, ["combination.task.adaptor"]),
    ],
)
def test_one_mistake_neither_hides_another_nor_makes_one(
    workspace: Workspace, modulingua: Modulingua, changes: dict[str, Any], keys: list[str]
) -> None:
    answer = modulingua("plan", workspace.write(changes))
    lines = [line.split() for line in answer.err.splitlines()[1:]]
    assert [word for line in lines for word in line if word in keys] == keys, answer.err
    assert len(lines) == len(keys), answer.err
