"""ONNX files: one MatMulNBits for each matrix, float32 initializers for the rest.

The numbers of fields are those of onnx.proto.
"""

from math import prod

from fourcc import ExportKind, Format, Layout, Params, Policy, Source, Step, registry
from fourcc.errors import UsageError
from fourcc_nbits import BLOCK, NB4S
from fourcc_nbits.protobuf import Hole, Message, length, runs

IR_VERSION, OPSET = 10, 21
DOMAIN = "com.microsoft"
FLOAT, UINT8 = 1, 2  # of TensorProto
INT = 2  # of AttributeProto
MOST = 2**31 - 1  # bytes of a protobuf message


def holds(fmt: Format, params: Params, shape: tuple[int, ...]) -> bool:
    """Matrices in Nb4s, and numbers in float32."""
    return fmt.foreign.get("numpy") == "<f4" or (fmt.tag == NB4S.tag and len(shape) == 2)


def replacement(source: Source, steps: tuple[Step, ...], group: int | None) -> Policy:
    """For tensors in other formats, without `--as`: Nb4s where it fits, float32 elsewhere."""
    return Policy.shorthand(f"{NB4S.tag},F32")


def lay_out(source: Source, steps: tuple[Step, ...]) -> Layout:
    """The file: a protobuf message whose weights are holes."""
    parts = runs(_model(steps))
    if length(parts) > MOST:
        raise UsageError("an ONNX file holds at most 2 GiB", file=source.path, found=f"{length(parts)} bytes")
    places: dict[str, dict[str, int]] = {step.source.name: {} for step in steps}
    pieces, at = dict[int, bytes](), 0
    for part in parts:
        if isinstance(part, Hole):
            name, array = part.name
            places[name][array] = at
        else:
            pieces[at] = part
        at += length([part])
    left_out = ["the network is left out: the file holds the weights, and a product for each matrix"]
    return Layout(steps, places, pieces, at, notes=(*left_out, *(f"{name} is left out" for name in source.blobs)))


def _model(steps: tuple[Step, ...]) -> Message:
    matrices = [step for step in steps if step.decision.tag == NB4S.tag]
    graph = {
        1: [_node(step) for step in matrices],
        2: "weights",
        5: [tensor for step in steps for tensor in _tensors(step)],
        11: [_value(f"{step.source.name}.x", step.source.shape[1]) for step in matrices],
        12: [_value(f"{step.source.name}.y", step.source.shape[0]) for step in matrices],
    }
    return {1: IR_VERSION, 2: "fourcc-nbits", 7: graph, 8: [{1: "", 2: OPSET}, {1: DOMAIN, 2: 1}]}


def _node(step: Step) -> Message:
    name, (rows, cols) = step.source.name, step.source.shape
    sizes = {"K": cols, "N": rows, "bits": 4, "block_size": BLOCK}
    inputs = [f"{name}.{what}" for what in ("x", "codes", "scales")]
    attributes = [{1: key, 3: value, 20: INT} for key, value in sizes.items()]
    return {1: inputs, 2: [f"{name}.y"], 3: name, 4: "MatMulNBits", 5: attributes, 7: DOMAIN}


def _tensors(step: Step) -> list[Message]:
    """The initializers of a tensor; their bytes are holes."""
    name, shape = step.source.name, step.source.shape
    if step.decision.tag != NB4S.tag:
        values = registry[step.decision.tag].parts[0].name
        return [_tensor(name, shape, FLOAT, Hole((name, values), 4 * prod(shape)))]
    rows, blocks = shape[0], shape[1] // BLOCK
    codes = Hole((name, "codes"), rows * blocks * BLOCK // 2)
    scales = Hole((name, "scales"), rows * blocks * 4)
    return [
        _tensor(f"{name}.codes", (rows, blocks, BLOCK // 2), UINT8, codes),
        _tensor(f"{name}.scales", (rows * blocks,), FLOAT, scales),
    ]


def _tensor(name: str, shape: tuple[int, ...], kind: int, data: Hole) -> Message:
    return {1: list(shape), 2: kind, 8: name, 9: data}


def _value(name: str, features: int) -> Message:
    """A float32 (tokens, features)."""
    shape = {1: [{2: "tokens"}, {1: features}]}
    return {1: name, 2: {1: {1: FLOAT, 2: shape}}}


KIND = ExportKind(
    name="onnx",
    summary="a MatMulNBits for each matrix: 4-bit blocks of 32",
    suffix=".onnx",
    holds=holds,
    lay_out=lay_out,
    replacement=replacement,
)
