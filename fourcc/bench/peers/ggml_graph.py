"""Weight tensors of ggml, and graphs of their products."""

from __future__ import annotations

from collections.abc import Callable

from fourcc.bench.matrices import activations
from fourcc.bench.peers.ggml_library import FLOAT, NO, NODES, Library
from fourcc.qmatrix import QMatrix


def weight_tensors(ggml: Library, matrix: QMatrix, kind: int, count: int, buffer_type: int) -> list[int]:
    """So many weight tensors, each the same matrix."""
    rows, cols = matrix.shape
    (blocks,) = matrix.parts.values()
    context = ggml.context(count)
    made = [ggml.base.ggml_new_tensor_2d(context, kind, cols, rows) for _ in range(count)]
    if not ggml.base.ggml_backend_alloc_ctx_tensors_from_buft(context, buffer_type):
        raise MemoryError("ggml has no memory for the weights")
    for each in made:
        ggml.base.ggml_backend_tensor_set(each, blocks.ctypes.data, 0, blocks.nbytes)
    return made


def products_of(ggml: Library, weights: list[int], cols: int, count: int) -> Callable[[], None]:
    """The products of all weights with the same activations."""
    base = ggml.base
    if len(weights) >= NODES:
        raise ValueError(f"a graph of {len(weights)} products")
    context = ggml.context(len(weights) + 1)
    x = base.ggml_new_tensor_2d(context, FLOAT, cols, count)
    graph = base.ggml_new_graph_custom(context, NODES, NO)
    for each in weights:
        base.ggml_build_forward_expand(graph, base.ggml_mul_mat(context, each, x))
    allocator = base.ggml_gallocr_new(base.ggml_backend_get_default_buffer_type(ggml.backend))
    if not base.ggml_gallocr_alloc_graph(allocator, graph):
        raise MemoryError("ggml has no memory for the graph")
    values = activations(count, cols)
    base.ggml_backend_tensor_set(x, values.ctypes.data, 0, values.nbytes)

    def compute() -> None:
        status = base.ggml_backend_graph_compute(ggml.backend, graph)
        if status:
            raise RuntimeError(f"ggml_backend_graph_compute: {status}")

    return compute
