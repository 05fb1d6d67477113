"""An opened checkpoint: its tensors, each already in some format, are read a run of rows at a time.

A float checkpoint is no special case: its tensors are in the plain formats. A reader knows its file's ids of layouts
and asks `registry.foreign` for the format, so it names none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import isfinite, prod
from pathlib import Path
from typing import Any, NoReturn, Self

import attrs
import numpy as np

from fourcc.arrays import Array, Parts
from fourcc.container.index import PartRecord, Provider, Scalar, TensorRecord
from fourcc.container.missing_tensor import missing_tensor
from fourcc.container.tensor_mapping import TensorMapping, tensor_fields
from fourcc.dtypes import numpy_dtype
from fourcc.errors import PluginError, SourceError, listed
from fourcc.format import Format
from fourcc.geometry import split_shape
from fourcc.plugins.registry import registry
from fourcc.qmatrix import QMatrix
from fourcc.settings import Params
from fourcc.tags import FourCC, as_tag

Hyper = Mapping[str, Scalar | list[Scalar]]
HyperParams = dict[str, Scalar | list[Scalar]]
_OF_MODELS = frozenset({"generate", "stream", "pieces", "chat", "network", "tokenizer"})
SHOWN = 8  # names in a message


def storable(value: object) -> bool:
    """Whether a value can be a hyper-parameter, so that the index of a model.bin can hold it."""
    if isinstance(value, list):
        return all(storable(item) and not isinstance(item, list) for item in value)
    if isinstance(value, float):
        return isfinite(value)
    return isinstance(value, (bool, str)) or (isinstance(value, int) and -(2**63) <= value < 2**63)


@attrs.frozen(eq=False, repr=False)
class SourceTensor:
    """One tensor of a checkpoint, not yet read.

    Attributes:
        name: in fourcc's spelling (`fourcc.naming`), or as the source spells it where the family is unknown.
        source_name: as the source spells it.
        shape: true shape, (out features, in features) for a matrix.
        tag: the format that it is stored in.
        read: (matrix, first row, last row) -> parts of those rows of one of the leading dimensions' matrices. The parts
            are fresh arrays, or views that stay valid. `first` is a multiple of the block's rows. Parts of the whole
            matrix, or of variable length, come whole.
        params: the format's parameters.
        record: the tensor's record in a model.bin, carried over where the tensor is kept as it is.
        provider: the package whose format encoded it, where a model.bin says so.
        copy: yields a part's bytes, checked, in runs; only a model.bin has it. It needs no format to be installed.
        gathered: bytes that reading some rows holds beside them: of a matrix that has to be read whole, for example.
    """

    name: str
    source_name: str
    shape: tuple[int, ...]
    tag: FourCC = attrs.field(converter=as_tag)
    read: Callable[[int, int, int], Parts]
    params: Params = attrs.field(factory=dict)
    record: TensorRecord | None = None
    provider: Provider | None = None
    copy: Callable[[PartRecord], Iterator[bytes]] | None = None
    gathered: int = 0

    def __repr__(self) -> str:
        return f"<SourceTensor {self.name} {self.tag} {' x '.join(map(str, self.shape)) or 'scalar'}>"

    @classmethod
    def of_array(cls, name: str, array: Array, tag: str | None = None) -> Self:
        """A tensor whose weights are in an array, such as a `numpy.memmap`, which is read a run of rows at a time.

        Args:
            name: of the tensor.
            array: of the tensor's shape.
            tag: a format that stores each weight by itself, as in the array; None: the one for numbers of its dtype.

        Raises:
            SourceError: no installed format holds numbers of this dtype, or the named one stores something else.
            PluginError: the format is missing or broken.
        """
        fmt = registry.foreign("numpy", array.dtype.str) if tag is None else registry[tag]
        if fmt is None:
            raise SourceError("no installed format holds numbers of this dtype", tensor=name, found=array.dtype.str)
        if [part.dtype for part in fmt.parts] != [array.dtype.str]:
            raise SourceError(f"{fmt.tag} does not store weights so", tensor=name, found=array.dtype.str)
        lead, rows, cols = split_shape(array.shape)
        matrices, part = array.reshape(prod(lead), rows, cols), fmt.parts[0].name

        def read(matrix: int, first: int, last: int) -> Parts:
            return {part: np.ascontiguousarray(matrices[matrix, first:last])}

        return cls(name, name, array.shape, fmt.tag, read)

    @property
    def format(self) -> Format:
        """The format that it is stored in. Raises PluginError where it is missing or broken."""
        return registry.find(self.tag, self.provider)

    @property
    def nbytes(self) -> int:
        """Bytes that it takes as it is stored. Raises as `format` does where no model.bin tells."""
        return self.format.stored_bytes(self.shape, self.params) if self.record is None else self.record.nbytes

    def qmatrix(self) -> QMatrix:
        """The whole tensor, read into memory as it is stored.

        Raises:
            PluginError: its format is missing or broken.
            InputError: its bytes are damaged, or the file ends before them.
        """
        made_by = None if self.provider is None else str(self.provider)
        return QMatrix(self.tag, self.shape, self._parts(), self.params, self.name, made_by)

    def decode(self) -> Array:
        """The weights, an array of the tensor's shape. Raises as `qmatrix` does."""
        return self.qmatrix().decode()

    def _parts(self) -> Parts:
        """All parts; those of leading dimensions' matrices are stacked."""
        spec = self.format
        lead, rows, _ = split_shape(self.shape)
        if not prod(self.shape):  # there is nothing to read, and no matrix to stack
            shapes = spec.part_shapes(self.shape, self.params)
            return {part.name: np.zeros(shapes[part.name], numpy_dtype(part.dtype)) for part in spec.parts}
        matrices = [self.read(matrix, 0, rows) for matrix in range(prod(lead))]
        if not lead:
            return matrices[0]
        return {
            name: np.stack([parts[name] for parts in matrices]).reshape(lead + first.shape)
            for name, first in matrices[0].items()
        }


@attrs.frozen
class Unreadable:
    """A tensor whose layout no installed format has: it can only be listed.

    Attributes:
        name: as a `SourceTensor`'s.
        source_name: likewise.
        shape: likewise.
        layout: what the checkpoint's makers call it.
        nbytes: that it takes in the file.
    """

    name: str
    source_name: str
    shape: tuple[int, ...]
    layout: str
    nbytes: int


@attrs.frozen(eq=False, repr=False)
class Source(TensorMapping):
    """An opened checkpoint: tensor name -> QMatrix, and what the files say of the model.

    A tensor is read when it is asked for, and anew each time. `tensors` holds what is known without reading; it is also
    the way to read a few rows at a time.

    Attributes:
        path: as the user gave it.
        kind: for people: ``llama2.c v0``, ``safetensors``, ``GGUF``, ``npz``, ``model.bin``.
        tensors: in the file's order.
        files: every file that tensors are read from, in order; the index has their digests.
        companions: files that were read whole when the source was opened: configuration, tokenizer.
        architecture: the family (``llama``), or None where it is not known. A family of `fourcc.networks` promises its
            names of tensors and hyper-parameters: exports hold the model to them.
        hyper: hyper-parameters in fourcc's words (``specs/container.md``).
        blobs: tokenizer files and the like, name -> contents.
        unreadable: tensors that cannot be read, in the file's order; code that would use one calls `refuse_unreadable`.
        notes: what was left out, or is odd; for stderr.
        policy: the policy that a model.bin was made with, as it is stored; its tensors' records number its rules.
        stated: the architecture as the files state it, where fourcc's word is another: a ``qwen3`` is a ``llama`` here.
        close: closes the files.
    """

    path: Path
    kind: str
    tensors: tuple[SourceTensor, ...]
    files: tuple[Path, ...]
    companions: tuple[Path, ...] = ()
    architecture: str | None = None
    hyper: Hyper = attrs.field(factory=dict)
    blobs: Mapping[str, bytes] = attrs.field(factory=dict)
    unreadable: tuple[Unreadable, ...] = ()
    notes: tuple[str, ...] = ()
    policy: bytes | None = None
    stated: str | None = None
    close: Callable[[], None] = lambda: None
    _known: Mapping[str, SourceTensor | Unreadable] = attrs.field(init=False)

    @_known.default
    def _by_name(self) -> dict[str, SourceTensor | Unreadable]:
        return {tensor.name: tensor for tensor in self.everything}

    def __getitem__(self, name: str) -> QMatrix:
        """A tensor, read whole.

        Raises:
            MissingTensorError: a KeyError, too: no tensor has that name.
            SourceError: its layout is one that no installed format has, or the file is cut.
            UsageError: the source is closed.
            PluginError: its format is missing or broken.
        """
        return self.tensor(name).qmatrix()

    def __getattr__(self, name: str) -> NoReturn:
        """Says what to do for those who look for what a `Model` has."""
        hint = f": it holds tensors. `fourcc.open({str(self.path)!r}, run=True)` opens a Model, which has"
        what = f"a Source has no attribute {name!r}{hint if name in _OF_MODELS else ''}"
        raise AttributeError(what, name=name, obj=self)

    def __contains__(self, name: object) -> bool:
        return name in self._known

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def _fields(self) -> Iterator[dict[str, Any]]:
        tied = bool(self.hyper.get("tied_embeddings", False))
        for each in self.tensors:
            yield tensor_fields(each.name, each.shape, str(each.tag), _bytes_of(each), each.record, tied=tied)
        for other in self.unreadable:
            yield tensor_fields(other.name, other.shape, other.layout, other.nbytes, None, tied=tied)

    def facts(self) -> dict[str, object]:
        """The facts of the model, for people: names and values."""
        hyper = " ".join(f"{name}={value}" for name, value in self.hyper.items())
        return {
            "architecture": self.stated or self.architecture or "unknown",
            "hyper-parameters": hyper or None,
            "files": len(self.files) if len(self.files) > 1 else None,
            "notes": "; ".join(self.notes) or None,
        }

    def tensor(self, name: str) -> SourceTensor:
        """The tensor of that name, not yet read. Raises as `source[name]` does."""
        tensor = self._known.get(name)
        if isinstance(tensor, SourceTensor):
            return tensor
        self.refuse_unreadable(lambda wanted: wanted == name)
        raise missing_tensor(name, self._known, self.path)

    def __repr__(self) -> str:
        return f"<Source {self.path}: {self.kind}, {len(self.tensors)} tensors>"

    @property
    def all_files(self) -> tuple[Path, ...]:
        """Every file that is read: none of them may be an output."""
        return (*self.files, *self.companions)

    @property
    def everything(self) -> tuple[SourceTensor | Unreadable, ...]:
        """All tensors, those that cannot be read last."""
        tensors: tuple[SourceTensor | Unreadable, ...] = (*self.tensors, *self.unreadable)
        return tensors

    def refuse_unreadable(self, wanted: Callable[[str], bool] = lambda name: True) -> None:  # noqa: ARG005 - all names
        """Raises SourceError where a tensor of a wanted name cannot be read; all such are named at once."""
        refused = [tensor for tensor in self.unreadable if wanted(tensor.name)]
        if not refused:
            return
        layouts = ", ".join(sorted({tensor.layout for tensor in refused}))
        shown = listed((f"{tensor.source_name!r} {tensor.layout}" for tensor in refused), SHOWN)
        raise SourceError(
            f"{len(refused)} of {len(self.everything)} tensors are in layouts that no installed "
            f"format has ({layouts}): {shown}",
            file=self.path,
            hint="Install a package whose format declares them, or take another file of the model; "
            "`fourcc convert --exclude` leaves them out.",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _bytes_of(tensor: SourceTensor) -> int | None:
    """Stored bytes; None where the format that would tell is missing or broken."""
    try:
        return tensor.nbytes
    except PluginError:
        return None
