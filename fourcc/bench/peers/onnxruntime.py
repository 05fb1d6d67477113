"""onnxruntime: its product with 4-bit blocks of 32, MatMulNBits, the activations quantized to int8 inside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import numpy as np

from fourcc.arrays import Array
from fourcc.bench.matrices import activations
from fourcc.bench.peers.peer import Candidate, Coder, PeerSubject, absent
from fourcc.bench.products import MANY, shortened
from fourcc.bench.timing import Series

NEAREST = 2  # ggml's id of 4-bit blocks of 32
BLOCK = 32
INT8 = 4  # accuracy_level: activations quantized to int8
OPSET, DOMAIN = 21, "com.microsoft"


class OnnxRuntime:
    """The peer."""

    name = "onnxruntime"
    package = "onnxruntime"

    def missing(self) -> str | None:
        """Why it cannot be measured."""
        return absent("onnxruntime", "onnx")

    def products(self, subject: PeerSubject) -> Iterator[Candidate]:
        """Products of 4-bit blocks: one graph of many products, a session for each number of threads."""
        matrix = subject.foreign("ggml", NEAREST)
        if matrix is None or subject.cols % BLOCK:
            return
        codes, scales = _blocks(subject.values())
        many = subject.copies(codes.nbytes + scales.nbytes)
        for count in subject.counts:
            some = shortened(many, subject.rows * subject.cols, count)
            model = _model(codes, scales, some, count)
            for threads in subject.threads:
                run = _session(model, threads, activations(count, subject.cols))
                name = f"onnxruntime {subject.rows} x {subject.cols}, n = {count}, {threads} threads"
                series = Series(name, run, repeats=3 if count < MANY else 1)
                yield Candidate("4-bit MatMulNBits", str(matrix.tag), count, threads, some, series)

    def coders(self, subject: PeerSubject) -> Iterator[Coder]:  # noqa: ARG002 - a peer's signature
        """No coding: onnxruntime encodes when a model is made, not when it runs."""
        return iter(())


def _blocks(values: Array) -> tuple[Array, Array]:
    """Codes (rows, blocks, 16), two neighbours a byte, and float32 scales; the zero point is 8."""
    blocks = values.reshape(len(values), -1, BLOCK)
    scales = np.abs(blocks).max(axis=-1) / np.float32(7)  # (rows, blocks)
    q = (np.rint(blocks / scales[..., None]) + 8).astype(np.uint8)
    return q[..., ::2] | q[..., 1::2] << 4, scales


def _model(codes: Array, scales: Array, products: int, count: int) -> bytes:
    """A model of `products` products with the same activations."""
    onnx: Any = import_module("onnx")
    helper = onnx.helper
    rows, blocks = scales.shape
    sizes = {"K": blocks * BLOCK, "N": rows, "bits": 4, "block_size": BLOCK, "accuracy_level": INT8}
    nodes, tensors, outputs = [], [], []
    for index in range(products):
        named = [f"{what}{index}" for what in ("codes", "scales", "y")]
        nodes.append(helper.make_node("MatMulNBits", ["x", *named[:2]], named[2:], domain=DOMAIN, **sizes))
        tensors += [
            onnx.numpy_helper.from_array(np.roll(array, index, axis=0), name)  # equal weights would be stored once
            for name, array in zip(named, (codes, scales), strict=False)
        ]
        outputs.append(helper.make_tensor_value_info(named[2], onnx.TensorProto.FLOAT, [count, rows]))
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [count, blocks * BLOCK])
    graph = helper.make_graph(nodes, "products", [x], outputs, tensors)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, 1)]
    model: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()
    return model


def _session(model: bytes, threads: int, x: Array) -> Callable[[], object]:
    """A function that computes all of a model's products; its threads do not spin while others are measured."""
    ort: Any = import_module("onnxruntime")
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    binding.bind_cpu_input("x", x)
    for each in session.get_outputs():
        binding.bind_output(each.name)
    return lambda: session.run_with_iobinding(binding)


PEER = OnnxRuntime()
