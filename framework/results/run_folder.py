"""The files of a run: how they are written and read.

    runs/<experiment>/<folder>/
      run.json                                   RunRecord: what the run is
      experiment.yaml                            the experiment with all its settings, written by the runner
      README.md                                  how to reproduce it
      predictions/<control>/<language>.parquet   each example's gold and predicted answer
      results/<control>/<language>.json          LanguageResult: the scores of these predictions

Each file is written atomically, and a result only after its predictions: an interrupted run goes on with the results
that are missing.
"""

import dataclasses
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict, StringConstraints, TypeAdapter
from pydantic.dataclasses import dataclass

from framework.errors import UserError
from framework.results.metrics import SCORINGS, Metric, Task, metrics_of
from framework.system.atomic_files import names_in, write_whole
from framework.system.stored_files import Damaged, first_line, read_stored, read_stored_yaml, stored_bytes
from framework.validation import rename_keys
from modules.training.unparsed import UNPARSED

if TYPE_CHECKING:
    import pyarrow

Control = Literal["own", "none", "wrong"]
"""Which language components act in a test: the language's own, none, or another language's."""
CONTROLS: tuple[Control, ...] = get_args(Control)

FileName = Annotated[str, StringConstraints(pattern=r"^[\w-]+$")]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class RunRecord:
    """What a run is: one combination of an experiment, with one seed."""

    id: str
    """The run's identity: a hexadecimal hash of all that determines its results."""
    experiment: str
    """The experiment's name."""
    label: str
    """The combination in words: `language prompt + task adapter`."""
    seed: int
    combination: dict[str, Any]
    """The combination as resolved from the YAML: role, kind, settings."""
    settings: dict[str, Any]
    """The grid's values for this run: `{"combination.task.prompt.length": 20}`."""
    backbone: str
    """The backbone's name and revision."""
    dataset: str
    """The dataset's name."""
    source: list[str]
    """The languages (FLORES codes) that the task was trained on."""
    precision: str = ""
    """`32`, `bf16` or `fp16`; empty in runs of older versions."""
    task: Task = "classification"
    """The dataset's task."""
    positive: str | None = None
    """The positive class, for datasets that are also scored by the F1 of one class."""
    own_metrics: dict[str, str] = dataclasses.field(default_factory=dict)
    """Metrics of the user's own beside the task's: dotted paths by names."""
    parallel: bool = False
    """Whether the dataset says that examples of two languages with the same id are translations of each other."""
    labels: list[str] = dataclasses.field(default_factory=list)
    """All labels in the order of the head's outputs; empty in runs of older versions."""
    components: dict[str, str] = dataclasses.field(default_factory=dict)
    """Ids in the component store by use: `{"language prompt hau_Latn": "7f3a…"}`."""
    notes: list[str] = dataclasses.field(default_factory=list)
    """Sentences that are printed under tables of the results."""
    versions: dict[str, str] = dataclasses.field(default_factory=dict)
    """The versions of the libraries that made the run."""
    commit: str = ""
    """The git commit of Modulingua; empty when unknown."""
    command: str = ""
    """The command line that made the run."""
    recipe: str = ""
    """A hash of all that determines the results except the seed. Only runs of one recipe are averaged as
    seeds of one another: otherwise runs with different numbers of steps would be taken for seeds."""
    answering: dict[str, Any] = dataclasses.field(default_factory=dict)
    """The values of `experiment.yaml` that determine the answers, by dotted key, to detect edits of that file; empty in
    runs of older versions."""

    @property
    def metrics(self) -> list[str]:
        """The names of all metrics, the task's main one first."""
        return [*metrics_of(self.task, self.positive), *self.own_metrics]

    @property
    def trained(self) -> bool:
        """Whether anything was trained for it; otherwise the backbone answered as it is."""
        # The runner lists all trained components and heads; a run that was made otherwise may list none.
        return bool(self.components) or any(self.combination.values())


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class LanguageResult:
    """The scores of one run in one language, under one control."""

    language: FileName
    """The language (FLORES code)."""
    control: Control
    component_language: str
    """The language (FLORES code) whose components acted; empty for none."""
    identity: str
    """A hash of what determined this result; a result of another identity does not count as done."""
    examples: int
    """Number of tested examples."""
    labels: list[str]
    """The labels that occur in gold, sorted; empty where gold is no label."""
    scores: dict[str, float]
    """The task's metrics and the user's own, by their names."""
    foreign_rate: float
    """Share of the predictions whose label does not occur in the language's gold; 0 where gold is no label."""
    unparsed_rate: float
    """Share of the predictions that could not be parsed; they count as wrong."""
    source: bool = False
    """Whether the task was trained on this language, so that the result is not zero-shot."""
    data: str = ""
    """Fingerprint of the test data; empty when unknown."""
    components: list[str] = dataclasses.field(default_factory=list)
    """Identities of the language stages whose components acted."""
    skipped: int = 0
    """Unusable rows of the test split that were left out (`data.bad_rows: skip`)."""

    @classmethod
    def of(
        cls,
        predictions: "Predictions",
        *,
        task: Task,
        positive: str | None = None,
        own_metrics: Mapping[str, Metric] = MappingProxyType({}),
        language: str,
        **fields: Any,
    ) -> "LanguageResult":
        """Scores predictions; the arguments are the fields of the same names, here or in `RunRecord`."""
        gold, predicted = predictions.gold, predictions.predicted
        metrics = {**metrics_of(task, positive), **own_metrics}
        scores = {name: metric.score(gold, predicted, language) for name, metric in metrics.items()}
        labels = sorted(set(gold)) if SCORINGS[task].gold_is_label else []
        known = {*labels, UNPARSED}
        foreign = sum(answer not in known for answer in predicted) if labels else 0
        return cls(
            language=language,
            examples=len(predictions),
            labels=labels,
            scores=scores,
            foreign_rate=foreign / len(predicted),
            unparsed_rate=predicted.count(UNPARSED) / len(predicted),
            **fields,
        )


class Predictions:
    """The predictions for the examples of one language.

    They are sorted by id, because the order of a test depends on batches and ranks: so predictions of two runs on the
    same examples can be compared row by row.

    Attributes:
        id: The examples' ids, sorted, each once.
        gold: The correct answers.
        predicted: The predicted answers.
        confidence: float32 [examples]: a probability where the answer has one.
    """

    def __init__(
        self, id: Iterable[str], gold: Iterable[str], predicted: Iterable[str], confidence: npt.ArrayLike
    ) -> None:
        """Takes the predictions in any order.

        Raises:
            ValueError: The columns differ in length, or an id occurs twice: an example was tested twice (a sampler
                that pads does this), or the dataset's ids are not unique.
        """
        ids, golds, guesses = list(id), list(gold), list(predicted)
        chances = np.asarray(confidence, dtype=np.float32).reshape(-1)
        if not len(ids) == len(golds) == len(guesses) == len(chances):
            raise ValueError(
                f"columns of different lengths: {len(ids)} ids, {len(golds)} gold answers, "
                f"{len(guesses)} predicted answers, {len(chances)} confidences"
            )
        order = sorted(range(len(ids)), key=ids.__getitem__)
        self.id: list[str] = [ids[row] for row in order]
        self.gold: list[str] = [golds[row] for row in order]
        self.predicted: list[str] = [guesses[row] for row in order]
        self.confidence: npt.NDArray[np.float32] = chances[order]
        for first, second in zip(self.id, self.id[1:], strict=False):
            if first == second:
                raise ValueError(f"example '{first}' occurs more than once")

    def __len__(self) -> int:
        return len(self.id)


_RECORD = TypeAdapter(RunRecord)
_RESULT = TypeAdapter(LanguageResult)

_TESTED_AGAIN = "Remove it and run the experiment again: it does what is missing"


class RunFolder:
    """The folder of one run."""

    def __init__(self, path: str | Path, identities: Mapping[tuple[Control, str], str] | None = None) -> None:
        """Takes the folder, which need not exist yet.

        Args:
            path: The folder.
            identities: The results that count, by control and language; others in the folder (of former targets, of
                older data) are ignored. None counts all.
        """
        self.path = Path(path)
        self.identities = identities

    @property
    def claim(self) -> Path:
        """The lock file of the process that tests this run."""
        return self.path / ".claim"

    @cached_property
    def record(self) -> RunRecord:
        """The record of the run.

        Raises:
            UserError: `run.json` is missing or damaged.
        """
        with _advising("Remove it and run the experiment again: it is made from the results"):
            return read_stored(self.path / "run.json", _RECORD, "a run's record")

    @cached_property
    def experiment(self) -> dict[str, Any]:
        """The experiment as resolved from its YAML, without the defaults of the schema; empty if the file is missing.

        Raises:
            UserError: The file cannot be read, or holds no mapping.
        """
        path = self.path / "experiment.yaml"
        found = read_stored_yaml(path) if path.exists() else {}
        for key in ("backbone", "pretrain", "data"):
            if not isinstance(found.get(key) or {}, dict):
                raise Damaged(f"{path} is damaged: {key} is no mapping")
        rename_keys(found)
        return found

    def write_record(self, record: RunRecord) -> None:
        """Writes `run.json`, and before it a README.md on how to reproduce the run."""
        write_whole(self.path / "README.md", _readme(record).encode())
        write_whole(self.path / "run.json", _RECORD.dump_json(record, indent=1) + b"\n")
        self.record = record

    def has(self, control: Control, language: str, identity: str) -> bool:
        """Whether there is a result of this identity; a file that cannot be read counts as missing."""
        path = self._result_path(control, language)
        try:
            result = read_stored(path, _RESULT, "a result")
        except UserError:
            return False
        return result.identity == identity and self._predictions_path(control, language).is_file()

    def write(self, result: LanguageResult, predictions: Predictions) -> None:
        """Writes the predictions, then the result.

        Raises:
            ValueError: The result is of another number of examples.
        """
        if result.examples != len(predictions):
            raise ValueError(f"a result over {result.examples} examples with {len(predictions)} predictions")
        result_path = self._result_path(result.control, result.language)
        # An older result must never exist together with the new predictions.
        result_path.unlink(missing_ok=True)
        write_whole(self._predictions_path(result.control, result.language), _as_parquet(predictions))
        write_whole(result_path, _RESULT.dump_json(result, indent=1) + b"\n")

    def results(self) -> list[LanguageResult]:
        """Returns the results that count, by control (own, none, wrong) and language.

        Raises:
            UserError: A file is damaged, or holds another result than its name says.
        """
        wanted = self.identities
        results = [
            self.result(control, path.stem)
            for control in CONTROLS
            for path in map(Path, names_in(self.path / "results" / control))
            if path.suffix == ".json" and (wanted is None or (control, path.stem) in wanted)
        ]
        return [one for one in results if wanted is None or wanted[one.control, one.language] == one.identity]

    def result(self, control: Control, language: str) -> LanguageResult:
        """Reads the result of one language.

        Raises:
            UserError: The file is missing or damaged, or holds another result.
        """
        path = self._result_path(control, language)
        with _advising(_TESTED_AGAIN):
            result = read_stored(path, _RESULT, "a result")
        if (result.control, result.language) != (control, language):
            raise UserError(f"{path}: holds the result of {result.language} under '{result.control}'")
        return result

    def predictions(self, control: Control, language: str) -> Predictions:
        """Reads the predictions of one language.

        Raises:
            UserError: The file is missing, damaged or not readable.
        """
        path = self._predictions_path(control, language)
        if not path.is_file():
            raise UserError(f"{path}: missing, though its result is there")
        with _advising(_TESTED_AGAIN):
            content = stored_bytes(path)  # an unreadable file is not called damaged
            try:
                return _from_parquet(content)
            except (OSError, ValueError, KeyError) as error:
                raise Damaged(f"{path} is damaged: not a file of predictions ({first_line(error)})") from None

    def _result_path(self, control: Control, language: str) -> Path:
        return self.path / "results" / control / f"{language}.json"

    def _predictions_path(self, control: Control, language: str) -> Path:
        return self.path / "predictions" / control / f"{language}.parquet"


def _columns() -> "pyarrow.Schema":
    import pyarrow as pa  # not above: most commands read no predictions

    return pa.schema(
        [("id", pa.string()), ("gold", pa.string()), ("predicted", pa.string()), ("confidence", pa.float32())]
    )


def _as_parquet(predictions: Predictions) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = [predictions.id, predictions.gold, predictions.predicted, predictions.confidence]
    buffer = pa.BufferOutputStream()
    pq.write_table(pa.table(columns, schema=_columns()), buffer)
    return bytes(buffer.getvalue().to_pybytes())


def _from_parquet(content: bytes) -> Predictions:
    """Raises ValueError, or what else the columns lead to, if the file does not hold predictions."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = _columns()
    try:
        # ParquetFile is faster for small files than read_table.
        with pq.ParquetFile(pa.BufferReader(content)) as file:
            table = file.read(columns=columns.names)
        if table.schema != columns:
            table = table.cast(columns)
    except pa.ArrowException as error:
        raise ValueError(str(error)) from None
    if unfilled := [name for name in columns.names if table[name].null_count]:
        raise ValueError(f"rows without {unfilled[0]}")
    ids, gold, predicted = (table[name].to_pylist() for name in ("id", "gold", "predicted"))
    # Not by to_numpy, which imports pandas.
    return Predictions(ids, gold, predicted, np.from_dlpack(table["confidence"].combine_chunks()))


@contextmanager
def _advising(advice: str) -> Iterator[None]:
    """Adds to errors about damaged files what to do about them."""
    try:
        yield
    except Damaged as error:
        raise Damaged(f"{error}. {advice}") from None


def read_runs(sources: Iterable[str | Path | RunFolder]) -> list[RunFolder]:
    """Finds runs.

    Args:
        sources: Runs, their folders, or folders above them.

    Returns:
        The runs, each once, in the order of the sources and of the folder names below each.

    Raises:
        UserError: A path does not exist or holds no run, or a run's record cannot be read.
    """
    runs: dict[Path, RunFolder] = {}
    for source in sources:
        path = source.path if isinstance(source, RunFolder) else Path(source)
        if not path.is_dir():
            raise UserError(f"{path}: no such folder")
        found = [source] if isinstance(source, RunFolder) else list(_runs_below(path))
        if not found:
            raise UserError(f"{path}: no runs here (a run's folder holds a run.json)")
        for run in found:
            _ = run.record  # reports a damaged record before any table is made
            runs.setdefault(run.path.resolve(), run)
    return list(runs.values())


def _runs_below(path: Path) -> Iterator[RunFolder]:
    for folder, below, files in os.walk(path, onerror=_raise):
        if "run.json" in files:
            below.clear()
            yield RunFolder(folder)
        below.sort()


def _raise(error: OSError) -> None:
    raise error


def _readme(record: RunRecord) -> str:
    made_by = f" at commit `{record.commit}`" if record.commit else ""
    again = f"Get it again{made_by}: `{record.command}`\n" if record.command else ""
    return f"# {record.label} · seed {record.seed}\n\nA run of `{record.experiment}`. {again}".rstrip() + "\n"
