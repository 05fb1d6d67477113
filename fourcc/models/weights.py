"""The weights of a network: its matrices, packed for their kernels, and its vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import attrs
import numpy as np

from fourcc.compute.buffers import Buffer
from fourcc.errors import InputError, UsageError
from fourcc.networks.steps import LayerStep, sharing

if TYPE_CHECKING:
    from fourcc.arrays import Floats
    from fourcc.compute.packed import Packed
    from fourcc.compute.stacks import PackedStack
    from fourcc.models.architecture import Architecture
    from fourcc.qmatrix import QMatrix

EMBEDDING, OUTPUT, NORM = "tok_embeddings", "output", "norm"
POSITIONS = "position_embeddings"
STACKED = 3  # dimensions of a stack of matrices
LAYER = "layers.*."  # what the names of a layer's tensors begin with in a declaration
FindTensor = Callable[[str], "QMatrix | None"]


@attrs.frozen
class Inputs:
    """Inputs that some matrices share.

    Attributes:
        names: of the matrices, or of stacks of them.
        cols: columns of each.
        matrices: of each stack, which multiply inputs of their own; 1 where these are no stacks.
    """

    names: tuple[str, ...]
    cols: int
    matrices: int = 1


@attrs.frozen(eq=False)
class LayerWeights:
    """The weights of a layer, without optional tensors that the model lacks.

    Attributes:
        start: what the names of its tensors begin with: ``layers.0.``
        steps: that compute it.
        matrices: by the rest of their names: ``attention.wq``.
        vectors: norms and biases, float32 (1, columns and zeros up to a buffer's width); norms of each head one behind
            the other; biases of stacks have a row for each matrix.
        stacks: of experts' matrices, by the rest of their names: ``feed_forward.experts.w1``.
    """

    start: str
    steps: tuple[LayerStep, ...]
    matrices: Mapping[str, Packed]
    vectors: Mapping[str, Floats]
    stacks: Mapping[str, PackedStack] = attrs.field(factory=dict)

    @property
    def inputs(self) -> list[Inputs]:
        """The inputs of its matrices, in the order in which they are computed."""
        return list(map(self._inputs, sharing(self.steps, frozenset((*self.matrices, *self.stacks)))))

    def _inputs(self, ends: tuple[str, ...]) -> Inputs:
        names, stack = tuple(self.start + end for end in ends), self.stacks.get(ends[0])
        return Inputs(names, self.matrices[ends[0]].cols) if stack is None else Inputs(names, stack.cols, len(stack))

    @property
    def names(self) -> list[str]:
        """Full names of its matrices, stacks left out."""
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
        output: the classifier; `embedding` itself where it is tied.
        positions: rows are looked up by position; None: the network has none such.
        vectors: those of no layer, by name: the last norm, float32 (1, dim and zeros up to a buffer's width).
    """

    embedding: Packed
    layers: tuple[LayerWeights, ...]
    output: Packed
    positions: Packed | None
    vectors: Mapping[str, Floats]

    @property
    def matrices(self) -> tuple[Packed, ...]:
        """The matrices that are multiplied, in the order of the network; stacks are left out."""
        return (*(matrix for layer in self.layers for matrix in layer.matrices.values()), self.output)

    @property
    def stacks(self) -> tuple[PackedStack, ...]:
        """The stacks of matrices that are multiplied, in the order of the network."""
        return tuple(stack for layer in self.layers for stack in layer.stacks.values())

    def with_ranges(self, ranges: Mapping[str, Floats]) -> Weights:
        """The weights with static ranges of the activations that their products take, where kernels heed any.

        Args:
            ranges: float32 (columns / 32,) by names of matrices; those that have none are left as they are.
        """
        layers = tuple(layer.with_ranges(ranges) for layer in self.layers)
        output = _with_range(self.output, ranges.get(self.output_name))
        embedding = output if self.output is self.embedding else self.embedding
        return attrs.evolve(self, embedding=embedding, layers=layers, output=output)

    def inputs_of(self, number: int) -> list[Inputs]:
        """The inputs of a layer's matrices, in the order in which they are computed."""
        return self.layers[number].inputs

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
        architecture: the network, and its sizes.
        find: name -> the tensor, or None where there is none.
        packed: called with a matrix's name once it is packed for its kernel.
        has: whether there is a tensor of a name; None: it is looked for.
    """

    def __init__(
        self,
        architecture: Architecture,
        find: FindTensor,
        packed: Callable[[str], None],
        has: Callable[[str], bool] | None = None,
    ) -> None:
        self._sizes, self._find, self._packed = architecture, find, packed
        self._has = has or (lambda name: find(name) is not None)
        self._declared = architecture.network.tensors
        self._hyper = attrs.asdict(architecture, recurse=False)

    def load(self) -> Weights:
        """All weights. Raises InputError where a tensor is missing, or has another shape than the sizes say."""
        embedding = self.embedding()
        layers = tuple(self.layer(number) for number in range(self._sizes.n_layers))
        output = embedding if self.tied else self.output()
        return Weights(embedding, layers, output, self.positions(), self.vectors())

    @property
    def tied(self) -> bool:
        """Whether the classifier is the embedding."""
        return not self._has(OUTPUT) if self._sizes.tied is None else self._sizes.tied

    def embedding(self) -> Packed:
        """The embedding. Raises as `load`, as do the others."""
        return self._matrix(EMBEDDING)

    def output(self) -> Packed:
        """The classifier of a network that is not tied."""
        return self._matrix(OUTPUT)

    def positions(self) -> Packed | None:
        """The embeddings of positions; None: the network has none."""
        return self._matrix(POSITIONS) if POSITIONS in self._declared else None

    def vectors(self) -> dict[str, Floats]:
        """The vectors of no layer."""
        ends = [name for name, tensor in self._declared.items() if "*" not in name and len(tensor.dims) == 1]
        return {name: self._vector(name) for name in ends if self._is_there(name)}

    def layer(self, number: int) -> LayerWeights:
        """The weights of a layer."""
        start, present = self._start(number), self._ends(number)
        vectors = {end: self._vector(start + end) for end in present if self._is_vector(end)}
        stacks = {end: self._stack(start + end) for end in present if self._is_stack(end)}
        others = [end for end in present if end not in vectors and end not in stacks]
        matrices = {end: self._matrix(start + end) for end in others}
        return LayerWeights(start, self._sizes.steps, matrices, vectors, stacks)

    def inputs_of(self, number: int) -> list[Inputs]:
        """The inputs of a layer's matrices, as `LayerWeights.inputs`, for which no tensor is loaded."""
        present = frozenset(end for end in self._ends(number) if not self._is_vector(end))
        return [self._inputs(number, ends) for ends in sharing(self._sizes.steps, present)]

    def check(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Checks that all tensors are there, by the shapes of those that are. Raises as `load`."""
        names = [EMBEDDING, *([] if self.tied else [OUTPUT]), *([POSITIONS] if POSITIONS in self._declared else [])]
        names += [name for name, tensor in self._declared.items() if "*" not in name and len(tensor.dims) == 1]
        names = [name for name in names if name in (EMBEDDING, OUTPUT) or self._is_there(name)]
        for number in range(self._sizes.n_layers):
            names += [self._start(number) + end for end in self._ends(number)]
        for name in names:
            self._refuse_misfit(name, shapes.get(name))

    def _refuse_misfit(self, name: str, found: tuple[int, ...] | None) -> None:
        declared = self._sizes.network.tensor(name)
        assert declared is not None
        if found is None:
            raise InputError("this model cannot be run: a tensor is missing", tensor=name)
        shape = declared.sizes(self._hyper)
        if found != shape:
            raise InputError("this model cannot be run", tensor=name, found=found, expected=shape)

    def _inputs(self, number: int, ends: tuple[str, ...]) -> Inputs:
        sizes = [size or 0 for size in self._declared[LAYER + ends[0]].sizes(self._hyper)]
        names = tuple(self._start(number) + end for end in ends)
        return Inputs(names, sizes[-1], sizes[0] if self._is_stack(ends[0]) else 1)

    def _start(self, number: int) -> str:
        return LAYER.replace("*", str(number))

    def _ends(self, number: int) -> list[str]:
        """The ends of the names of a layer's tensors."""
        ends = [name.removeprefix(LAYER) for name in self._declared if name.startswith(LAYER)]
        return [end for end in ends if self._is_there(self._start(number) + end, LAYER + end, number)]

    def _is_stack(self, end: str) -> bool:
        """Whether a layer's tensor is a stack of experts' matrices."""
        return not self._is_vector(end) and len(self._declared[LAYER + end].dims) == STACKED

    def _is_vector(self, end: str) -> bool:
        """Whether a layer's tensor is a bias or a norm, though each head may have a row of its own."""
        return len(self._declared[LAYER + end].dims) == 1 or end.endswith(("norm", ".bias"))

    def _is_there(self, name: str, template: str | None = None, layer: int = 0) -> bool:
        """Whether a tensor is to be loaded: it is there, or is needed and its absence is an error."""
        declared = self._declared[name if template is None else template]
        return self._has(name) or (declared.is_needed(self._hyper) and declared.is_in(layer, self._hyper))

    def _matrix(self, name: str) -> Packed:
        packed = self._tensor(name).packed
        self._packed(name)
        return packed

    def _stack(self, name: str) -> PackedStack:
        stack = self._tensor(name).packed_stack
        self._packed(name)
        return stack

    def _vector(self, name: str) -> Floats:
        """A norm's weights or a bias, or biases of a stack, with zeros behind each up to the buffer's width."""
        weights = self._tensor(name).decode().astype(np.float32)
        if name.endswith("norm"):
            weights += np.float32(self._sizes.norm_offset)
        rows = weights.reshape(1, -1) if name.endswith("norm") else np.atleast_2d(weights)
        buffer = Buffer(*rows.shape)
        buffer.floats[:, : buffer.width] = rows
        return buffer.floats

    def _tensor(self, name: str) -> QMatrix:
        tensor = self._find(name)
        self._refuse_misfit(name, None if tensor is None else tensor.shape)
        assert tensor is not None
        return tensor
