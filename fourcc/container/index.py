"""The index of a container as values: what a file says of itself, tensor by tensor. Nothing here loads numpy.

The leaves are named tuples, which are cheaper to declare and to create: a listing spends most of its time on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from types import MappingProxyType
from typing import NamedTuple

import attrs

from fourcc.dtypes import DType
from fourcc.tags import FourCC

Scalar = bool | int | float | str
Extra = Mapping[str, object]

NOTHING: Extra = MappingProxyType({})


class PartRecord(NamedTuple):
    """The place of one part.

    Attributes:
        name: the part's name in its format.
        dtype: of one entry.
        shape: stored shape, leading dimensions first.
        offset: of its first byte in the file.
        nbytes: its length.
        sums: XXH3-64 of every chunk, 8 bytes each.
    """

    name: str
    dtype: DType
    shape: tuple[int, ...]
    offset: int
    nbytes: int
    sums: bytes


class ErrorRecord(NamedTuple):
    """The error of an encoded tensor, measured while it was encoded (`fourcc.metrics`).

    Attributes:
        relative_rmse: sqrt(sum e^2 / sum w^2); None where the original is all zero and the error is not.
        sqnr_db: 10 log10(sum w^2 / sum e^2); None where there is no error.
        max_error: max |e|.
    """

    relative_rmse: float | None
    sqnr_db: float | None
    max_error: float


class FeedbackRecord(NamedTuple):
    """The error feedback with which a tensor was encoded.

    Attributes:
        method: ``gptq``.
        damping: what was added to the Hessian's diagonal, as a share of its mean.
        order: of the columns, ``activity`` or ``columns``.
        hessian: BLAKE2b-128 over the Hessian of the inputs, float32.
    """

    method: str
    damping: float
    order: str
    hessian: bytes


class TensorRecord(NamedTuple):
    """One tensor.

    Attributes:
        name: fourcc's spelling.
        source_name: the source's spelling.
        tag: its format.
        shape: true shape.
        params: parameters of the format's layout.
        options: options of its encoder; empty where it was kept as stored.
        parts: the places of its bytes.
        rule: index of the policy's rule that chose the format, from 0.
        encoder_version: of the format that encoded it; None where it was kept as stored.
        error: None where it was kept as stored.
        aids: digest of the calibration data used, or None.
        provider: index into the providers: the one whose format it was written in; None where that is unknown.
        feedback: the error feedback with which it was encoded, or None.
        extra: keys that this version does not know; they are kept when the tensor is copied.
    """

    name: str
    source_name: str
    tag: FourCC
    shape: tuple[int, ...]
    params: Extra
    options: Extra
    parts: tuple[PartRecord, ...]
    rule: int | None = None
    encoder_version: int | None = None
    error: ErrorRecord | None = None
    aids: bytes | None = None
    provider: int | None = None
    feedback: FeedbackRecord | None = None
    extra: Extra = NOTHING

    @property
    def nbytes(self) -> int:
        """Bytes of all parts, without padding."""
        return sum(part.nbytes for part in self.parts)

    @property
    def weights(self) -> int:
        """Number of weights."""
        return prod(self.shape)

    @property
    def bits_per_weight(self) -> float:
        """Stored bits per weight; 0 for an empty tensor."""
        return 8 * self.nbytes / max(1, self.weights)


class BlobRecord(NamedTuple):
    """Bytes of the model that are no tensor: a tokenizer, the policy's text."""

    name: str
    offset: int
    nbytes: int
    sums: bytes


class SourceRecord(NamedTuple):
    """One file that the model was converted from: kind, length, and XXH3-128 of its contents; neither name nor path."""

    kind: str
    nbytes: int
    digest: bytes


class Provider(NamedTuple):
    """A distribution that provides formats of the file's tensors."""

    distribution: str
    version: str

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


@attrs.frozen
class ShardRecord:
    """The place of a file among those that hold a model together.

    Attributes:
        number: from 1, in the order of the tensors.
        count: of the files.
        whole: the id of the one file that they make together, which is the id of the set.
    """

    number: int
    count: int
    whole: bytes


@attrs.frozen
class Index:
    """The whole index: all that a file says of itself.

    Attributes:
        tensors: in the order of their bytes.
        blobs: likewise, after the tensors.
        architecture: the family, or None.
        hyper: hyper-parameters.
        sources: the files that it was converted from.
        providers: the distributions of its tensors' formats.
        requires: features that a reader must know.
        shard: the file's place in a set of shards; None where it is a whole model.
        extra: keys that this version does not know.
    """

    tensors: tuple[TensorRecord, ...]
    blobs: tuple[BlobRecord, ...] = ()
    architecture: str | None = None
    hyper: Mapping[str, Scalar | list[Scalar]] = attrs.field(factory=dict)
    sources: tuple[SourceRecord, ...] = ()
    providers: tuple[Provider, ...] = ()
    requires: tuple[str, ...] = ()
    shard: ShardRecord | None = None
    extra: Extra = attrs.field(factory=dict)

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors, without padding."""
        return sum(tensor.nbytes for tensor in self.tensors)

    @property
    def weights(self) -> int:
        """Number of weights of all tensors."""
        return sum(tensor.weights for tensor in self.tensors)

    @property
    def bits_per_weight(self) -> float:
        """Stored bits per weight over all tensors."""
        return 8 * self.nbytes / max(1, self.weights)


def pack_index(index: Index) -> bytes:
    """The index as msgpack: maps in a fixed order, so that equal indexes give equal bytes."""
    import msgpack

    tree = {
        **_without(index, "shard", "extra"),
        "tensors": [_tensor_tree(tensor) for tensor in index.tensors],
        "blobs": [blob._asdict() for blob in index.blobs],
        "hyper": dict(index.hyper),
        "sources": [source._asdict() for source in index.sources],
        "providers": [provider._asdict() for provider in index.providers],
        **({} if index.shard is None else {"shard": attrs.asdict(index.shard)}),
        **index.extra,
    }
    packed: bytes = msgpack.packb(tree)
    return packed


def _tensor_tree(tensor: TensorRecord) -> dict[str, object]:
    tree = tensor._asdict()
    del tree["extra"]
    feedback = tree.pop("feedback")  # the key is there only where there was some
    return {
        **tree,
        "tag": tensor.tag.code.decode("ascii"),
        "params": dict(tensor.params),
        "options": dict(tensor.options),
        "parts": [part._asdict() for part in tensor.parts],
        "error": None if tensor.error is None else tensor.error._asdict(),
        **({} if feedback is None else {"feedback": feedback._asdict()}),
        **tensor.extra,
    }


def _without(record: attrs.AttrsInstance, *names: str) -> dict[str, object]:
    """A record's fields, in order, one level deep."""
    fields = (field.name for field in attrs.fields(type(record)))
    return {name: getattr(record, name) for name in fields if name not in names}
