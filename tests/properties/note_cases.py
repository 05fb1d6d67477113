"""A checkpoint, what was made of it and what was noted: all that a check of a note may look at."""

import contextlib
import json
import warnings
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import attrs
import gguf
import numpy as np
import safetensors.numpy

import fourcc
from fourcc.conversion.carrying_out import execute
from fourcc.conversion.plan import plan
from fourcc.errors import FourccError
from fourcc.execution import Execution
from fourcc.exporters import FOLDERS, KINDS
from fourcc.exporters.export import check_targets, execute_export, plan_export
from fourcc.exporters.forced_pre import with_pre
from fourcc.exporters.layout import ExportKind
from fourcc.policy import Policy
from fourcc.sources import open_source
from tests.properties.note_models import Model
from tests.sources.writers import Arrays, decoded, written

# Every kind of file, and one folder: the others say the same.
TRIED: dict[str, ExportKind] = {**KINDS, "compressed-tensors": FOLDERS["compressed-tensors"]}


@attrs.define(eq=False)
class Case:
    """A model that was converted and exported.

    Attributes:
        model: what was tried.
        folder: where it lies.
        path: the checkpoint.
        notes: (where it was said, the note); where is ``source``, ``convert`` or a kind of export.
        refusals: where -> the error that ended it.
    """

    model: Model
    folder: Path
    path: Path
    notes: list[tuple[str, str]] = attrs.field(factory=list)
    refusals: dict[str, FourccError] = attrs.field(factory=dict)

    # -- what came

    @cached_property
    def config(self) -> dict[str, object]:
        """The config.json."""
        found: dict[str, object] = json.loads((self.path / "config.json").read_bytes())
        return found

    @cached_property
    def files(self) -> dict[str, Arrays]:
        """The safetensors files by name, read by their own package."""
        folder = self.path if self.path.is_dir() else self.path.parent
        return {path.name: safetensors.numpy.load_file(path) for path in folder.glob("*.safetensors")}

    @property
    def stored(self) -> Arrays:
        """The tensors of one such file."""
        (found,) = self.files.values()
        return found

    @cached_property
    def came(self) -> gguf.GGUFReader:
        """The GGUF file, read by its own package, which has keys of its own called ``GGUF.``."""
        data = self.path.read_bytes().replace(b"GGUF.", b"guf_.")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return gguf.GGUFReader(written(self.folder, "read.gguf", data))

    # -- what was made

    @property
    def bin(self) -> Path:
        """The model.bin."""
        return self.folder / "out.bin"

    @cached_property
    def kept(self) -> Arrays:
        """Its tensors, decoded."""
        with open_source(self.bin) as source:
            return decoded(source)

    @cached_property
    def hyper(self) -> dict[str, object]:
        """Its hyper-parameters."""
        with fourcc.open(self.bin) as model:
            return dict(model.index.hyper)

    @cached_property
    def blobs(self) -> dict[str, bytes]:
        """Its blobs."""
        with fourcc.open(self.bin) as model:
            return {blob.name: model.blob(blob.name) for blob in model.index.blobs}

    @cached_property
    def refusal(self) -> str:
        """Why it is not run; empty where it is."""
        with fourcc.open(self.bin) as model:
            return refused(lambda: model.network(threads=1))

    def output(self, kind: str) -> Path:
        """An exported file, or folder."""
        return self.folder / f"out-{kind}" / f"model{TRIED[kind].suffix or '.bin'}"

    @property
    def fields(self) -> dict[str, object]:
        """The keys of the exported GGUF file."""
        return {key: field.contents() for key, field in self.exported.fields.items()}

    @cached_property
    def exported(self) -> gguf.GGUFReader:
        """The exported GGUF file, read by its own package."""
        return gguf.GGUFReader(self.output("gguf"))


def refused(call) -> str:  # type: ignore[no-untyped-def]  # noqa: ANN001 - anything to call
    """The text of what it raises; empty where it raises nothing."""
    try:
        call()
    except FourccError as error:
        return str(error)
    return ""


def case_of(model: Model, folder: Path) -> Case:
    """Makes a model, opens, converts and exports it to each kind of file, and runs it where it says so."""
    (folder / "in").mkdir()
    case = Case(model, folder, model.make(folder / "in"))
    chosen = Policy.chosen(format=model.policy or None, recipe=model.recipe or None)
    policy = chosen if model.policy or model.recipe else None
    tokenizer = folder / "in" / model.tokenizer if model.tokenizer else None
    for where, notes in _steps(case, policy, tokenizer):
        case.notes += [(where, note) for note in notes]
    return case


def _steps(case: Case, policy: Policy | None, tokenizer: Path | None) -> Iterator[tuple[str, list[str]]]:
    exclude = case.model.exclude
    with open_source(case.path, tokenizer) as came:
        source = with_pre(came, case.model.pre)
        said = list(source.notes)
        yield "source", said
        with _noted(case, "convert"):
            found = execute(
                plan(source, Policy.chosen(policy=policy), exclude=exclude), case.bin, Execution(threads=1)
            ).notes
            assert list(found[: len(said)]) == said
            yield "convert", list(found[len(said) :])
        for kind, tried in TRIED.items():
            with _noted(case, kind):
                case.output(kind).parent.mkdir()
                planned = plan_export(source, tried, policy, exclude=exclude, instead=case.model.instead)
                done = execute_export(
                    planned, check_targets(planned, case.output(kind), force=False), Execution(threads=1)
                )
                yield kind, [*planned.layout.notes, *done.notes]


@contextlib.contextmanager
def _noted(case: Case, where: str) -> Iterator[None]:
    """A refusal is kept."""
    try:
        yield
    except FourccError as error:
        case.refusals[where] = error


def with_only(case: Case, name: str, tensors: Arrays) -> Arrays:
    """The tensors that fourcc reads from a copy of the folder with these tensors and the same config."""
    copy = case.folder / name
    copy.mkdir(exist_ok=True)
    written(copy, "config.json", case.config)
    safetensors.numpy.save_file(tensors, copy / "model.safetensors")
    with open_source(copy) as source:
        return decoded(source)


def sqnr(original: np.ndarray, found: np.ndarray) -> float:
    """Signal over noise in dB."""
    noise = float(((original.astype(float) - found) ** 2).sum())
    return float("inf") if noise == 0 else 10 * float(np.log10(float((original.astype(float) ** 2).sum()) / noise))
