"""Weight tensors of ggml, and graphs of their products; ggml's memory for them is freed with them."""

from __future__ import annotations

import weakref

import attrs

from fourcc.bench.matrices import activations
from fourcc.bench.peers.ggml_library import FLOAT, NO, NODES, Library
from fourcc.qmatrix import QMatrix


@attrs.define(eq=False, slots=False)
class GraphWeights:
    """Tensors of one matrix, each a copy.

    Attributes:
        tensors: their addresses.
        cols: of each.
    """

    tensors: list[int]
    cols: int


def weights_in(ggml: Library, matrix: QMatrix, kind: int, count: int, buffer_type: int) -> GraphWeights:
    """`count` tensors of a matrix in a buffer of a type."""
    rows, cols = matrix.shape
    (blocks,) = matrix.parts.values()
    context = ggml.context(count)
    weights = GraphWeights([ggml.base.ggml_new_tensor_2d(context, kind, cols, rows) for _ in range(count)], cols)
    buffer = ggml.base.ggml_backend_alloc_ctx_tensors_from_buft(context, buffer_type)
    if not buffer:
        raise MemoryError("ggml has no memory for the weights")
    weakref.finalize(weights, ggml.free, buffer=buffer, context=context)
    for each in weights.tensors:
        ggml.base.ggml_backend_tensor_set(each, blocks.ctypes.data, 0, blocks.nbytes)
    return weights


class Products:
    """The products of some weights with the same activations.

    Args:
        ggml: the library.
        weights: kept as long as this is.
        some: number of the weights that are used.
        count: activations.
    """

    def __init__(self, ggml: Library, weights: GraphWeights, some: int, count: int) -> None:
        base = ggml.base
        if some >= NODES:
            raise ValueError(f"a graph of {some} products")
        context = ggml.context(some + 1)
        x = base.ggml_new_tensor_2d(context, FLOAT, weights.cols, count)
        self._ggml, self._weights, self._graph = ggml, weights, base.ggml_new_graph_custom(context, NODES, NO)
        for each in weights.tensors[:some]:
            base.ggml_build_forward_expand(self._graph, base.ggml_mul_mat(context, each, x))
        allocator = base.ggml_gallocr_new(base.ggml_backend_get_default_buffer_type(ggml.backend))
        if not base.ggml_gallocr_alloc_graph(allocator, self._graph):
            raise MemoryError("ggml has no memory for the graph")
        weakref.finalize(self, ggml.free, allocator=allocator, context=context)
        values = activations(count, weights.cols)
        base.ggml_backend_tensor_set(x, values.ctypes.data, 0, values.nbytes)

    def __call__(self) -> None:
        """Computes the products."""
        status = self._ggml.base.ggml_backend_graph_compute(self._ggml.backend, self._graph)
        if status:
            raise RuntimeError(f"ggml_backend_graph_compute: {status}")
