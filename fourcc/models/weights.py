"""The weights of a network of the Llama family: its matrices, packed for their kernels, and its vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import attrs
import numpy as np

from fourcc.compute.buffers import Buffer
from fourcc.errors import InputError, UsageError
from fourcc.networks.llama import LAYER, LLAMA

if TYPE_CHECKING:
    from fourcc.arrays import Floats
    from fourcc.compute.packed import Packed
    from fourcc.models.architecture import Architecture
    from fourcc.qmatrix import QMatrix

# Matrices of a layer that are multiplied with the same inputs.
SHARING = (
    ("attention.wq", "attention.wk", "attention.wv"),
    ("attention.wo",),
    ("feed_forward.w1", "feed_forward.w3"),
    ("feed_forward.w2",),
)
EMBEDDING, OUTPUT = "tok_embeddings", "output"
FindTensor = Callable[[str], "QMatrix | None"]


@attrs.frozen
class Inputs:
    """Inputs that some matrices share.

    Attributes:
        names: of the matrices.
        cols: columns of each.
    """

    names: tuple[str, ...]
    cols: int


@attrs.frozen(eq=False)
class LayerWeights:
    """The weights of a layer, without optional tensors that the model lacks.

    Attributes:
        start: what the names of its tensors begin with: ``layers.0.``
        matrices: by the rest of their names: ``attention.wq``.
        vectors: norms and biases, float32 (1, columns and zeros up to a buffer's width).
    """

    start: str
    matrices: Mapping[str, Packed]
    vectors: Mapping[str, Floats]

    @property
    def inputs(self) -> list[Inputs]:
        """The inputs of its matrices, in the order in which they are computed."""
        return [Inputs(tuple(self.start + end for end in ends), self.matrices[ends[0]].cols) for ends in SHARING]

    @property
    def names(self) -> list[str]:
        """Full names of its matrices."""
        return [self.start + end for end in self.matrices]

    def with_matrices(self, replaced: Mapping[str, Packed]) -> LayerWeights:
        """The layer with other matrices in place of its own, by full names; names of other layers are passed over."""
        matrices = {end: replaced_by(replaced, self.start + end, own) for end, own in self.matrices.items()}
        return attrs.evolve(self, matrices=matrices)

    def with_ranges(self, ranges: Mapping[str, Floats]) -> LayerWeights:
        """The layer with static ranges by full names, as `Weights.with_ranges` takes them."""
        matrices = {end: _with_range(own, ranges.get(self.start + end)) for end, own in self.matrices.items()}
        return attrs.evolve(self, matrices=matrices)


@attrs.frozen(eq=False)
class Weights:
    """All weights of a network.

    Attributes:
        embedding: rows are looked up by token.
        layers: in order.
        norm: float32 (1, dim and zeros up to a buffer's width).
        output: the classifier; `embedding` itself where it is tied.
    """

    embedding: Packed
    layers: tuple[LayerWeights, ...]
    norm: Floats
    output: Packed

    @property
    def matrices(self) -> tuple[Packed, ...]:
        """The matrices that are multiplied, in the order of the network."""
        return (*(matrix for layer in self.layers for matrix in layer.matrices.values()), self.output)

    def with_ranges(self, ranges: Mapping[str, Floats]) -> Weights:
        """The weights with static ranges of the activations that their products take, where kernels heed any.

        Args:
            ranges: float32 (columns / 32,) by names of matrices; those that have none are left as they are.
        """
        layers = tuple(layer.with_ranges(ranges) for layer in self.layers)
        output = _with_range(self.output, ranges.get(self.output_name))
        embedding = output if self.output is self.embedding else self.embedding
        return attrs.evolve(self, embedding=embedding, layers=layers, output=output)

    @property
    def output_name(self) -> str:
        """The name of the classifier's matrix."""
        return EMBEDDING if self.output is self.embedding else OUTPUT


def _with_range(matrix: Packed, ranges: Floats | None) -> Packed:
    return matrix if ranges is None else matrix.with_ranges(ranges)


def replaced_by(replaced: Mapping[str, Packed], name: str, own: Packed) -> Packed:
    """The matrix that takes the place of `own`, or `own` itself. Raises UsageError where its shape is another."""
    given = replaced.get(name, own)
    if (given.rows, given.cols) != (own.rows, own.cols):
        raise UsageError(
            "a matrix cannot take this one's place",
            tensor=name,
            found=(given.rows, given.cols),
            expected=(own.rows, own.cols),
        )
    return given


class WeightsLoader:
    """Loads the tensors that a network declares, and no others.

    Args:
        architecture: the network's sizes.
        find: name -> the tensor, or None where there is none.
        packed: called with a matrix's name once it is packed for its kernel.
    """

    def __init__(self, architecture: Architecture, find: FindTensor, packed: Callable[[str], None]) -> None:
        self._sizes, self._find, self._packed = architecture, find, packed
        self._hyper = attrs.asdict(architecture, recurse=False)

    def load(self) -> Weights:
        """All weights. Raises InputError where a tensor is missing, or has another shape than the sizes say."""
        embedding = self._matrix(EMBEDDING)
        layers = tuple(self._layer(f"layers.{layer}.") for layer in range(self._sizes.n_layers))
        norm = self._vector("norm")
        tied = self._find(OUTPUT) is None if self._sizes.tied is None else self._sizes.tied
        return Weights(embedding, layers, norm, embedding if tied else self._matrix(OUTPUT))

    def _layer(self, start: str) -> LayerWeights:
        present = [end for end, tensor in LAYER.items() if tensor.needed or self._find(start + end) is not None]
        vectors = {end: self._vector(start + end) for end in present if len(LAYER[end].dims) == 1}
        matrices = {end: self._matrix(start + end) for end in present if end not in vectors}
        return LayerWeights(start, matrices, vectors)

    def _matrix(self, name: str) -> Packed:
        packed = self._tensor(name).packed
        self._packed(name)
        return packed

    def _vector(self, name: str) -> Floats:
        """A norm's weights or a bias, with zeros behind it up to the buffer's width."""
        weights = self._tensor(name).decode().astype(np.float32)
        buffer = Buffer(1, weights.size)
        buffer.floats[0, : weights.size] = weights
        return buffer.floats

    def _tensor(self, name: str) -> QMatrix:
        declared, tensor = LLAMA.tensor(name), self._find(name)
        assert declared is not None
        if tensor is None:
            raise InputError("this model cannot be run: a tensor is missing", tensor=name)
        shape = declared.sizes(self._hyper)
        if tensor.shape != shape:
            raise InputError("this model cannot be run", tensor=name, found=tensor.shape, expected=shape)
        return tensor
