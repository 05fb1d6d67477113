"""The maker of ``specs/vectors/<stem>.json``.

``python -m tests.vectors.make_vectors STEM ...`` is a separate act, never part of a test run: a vector, once published,
is for ever. The bytes do not come from the code that they judge: those of ggml's formats are ggml's or gguf's (which
the environment must have), all others those of `tests.naive` and `tests.naive_importance`, written from the pages.
"""

import json
import platform
import sys
import warnings
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path

import attrs

from fourcc.bench.peers.ggml_library import library
from tests import naive, naive_importance
from tests.vectors.cases import CASES, Invalid, Valid

SCHEMA = "fourcc-vectors-1"
FOLDER = Path(__file__).resolve().parents[2] / "specs" / "vectors"
# Parameters where a case is silent.
PARAMS = {tag: {"group": 64} for tag in ("Q8_F", "Q8_G", "Q4_L", "Q8_L")} | {
    tag: {"group": 128} for tag in ("Q8_Z", "Q4_Z", "F8_G")
}
# Tags whose bytes are gguf's, and the names that they have there.
GGML = {tag: tag for tag in ("Q4_0", "Q8_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K")}
GGML |= {"IQ4N": "IQ4_NL", "IQ4X": "IQ4_XS", "MXF4": "MXFP4", "NVF4": "NVFP4", "TQ1": "TQ1_0", "TQ2": "TQ2_0"}
# Of ggml, and without an encoder here.
DECODED_ALONE = {"IQ1M": "IQ1_M", "IQ1S": "IQ1_S", "IQ2S": "IQ2_S", "IQ2X": "IQ2_XS", "IQ2Y": "IQ2_XXS"}
DECODED_ALONE |= {"IQ3S": "IQ3_S", "IQ3Y": "IQ3_XXS"}
# Tags whose bytes and weights are those of ggml's C code, and their numbers: gguf does not know them.
UNKNOWN_TO_GGUF = {"Q1_0": 41, "Q2_0": 42}
# Of those the ones that gguf does not encode, or not as ggml does: their bytes are those of ggml's own quantizer.
SEARCHED = set(GGML) - {"Q4_0", "Q8_0"}
DECODED = {
    "F64": "d",
    "I8": "b",
    "I16": "h",
    "I32": "i",
    "I64": "q",
    "U8": "B",
    "U16": "H",
    "U32": "I",
    "U64": "Q",
    "BOOL": "?",
}


def vector_file(stem: str) -> dict[str, object]:
    """The contents of a format's file."""
    tag = stem.upper()
    return {
        "schema": SCHEMA,
        "tag": tag,
        "provenance": provenance(tag),
        "cases": [invalid(case) if isinstance(case, Invalid) else valid(tag, case) for case in CASES[stem]],
    }


def provenance(tag: str) -> str:
    """The provenance of the bytes."""
    plain = _provenance(tag)
    if tag == "Q4_0":
        return f"{plain}; with an importance: {_of_ggml()}"
    if tag in naive_importance.WEIGHTED:
        return f"{plain}; with an importance, and by hqq: {_of_python(tag, 'naive_importance')}"
    return plain


def _provenance(tag: str) -> str:
    if tag in UNKNOWN_TO_GGUF:
        return f"quantizer and decoder of ggml {library().version()}, on x86-64"
    if tag in DECODED_ALONE:
        return f"random bytes, decoded by gguf {version('gguf')}"
    if tag in SEARCHED:
        return _of_ggml()
    if tag in GGML:
        return f"quantize and dequantize of gguf {version('gguf')} with numpy {version('numpy')}, on x86-64"
    return _of_python(tag, "naive")


def _of_ggml() -> str:
    made_by = f"quantizer of ggml {library().version()}"
    return f"{made_by}, decoded by gguf {version('gguf')}, on x86-64"


def _of_python(tag: str, module: str) -> str:
    return f"tests/{module}.py, plain Python {platform.python_version()}, written from specs/{tag.lower()}.md"


def invalid(case: Invalid) -> dict[str, object]:
    """Weights that are refused."""
    return {
        "name": case.name,
        "note": case.note,
        "result": "invalid",
        "shape": case.shape,
        "params": {},
        "options": {},
        "input": naive.write("f", case.weights).hex(),
        "error": case.error,
        "says": case.says,
    }


def valid(tag: str, case: Valid) -> dict[str, object]:
    """Weights, parts and what they decode to."""
    options, params = dict(case.options), PARAMS.get(tag, {}) | case.params
    if tag == "Q4_A" and case.weights is not None:
        options.setdefault("method", "kmeans")
    parts, decoded = _maker(tag, case)(tag, case, options, params)
    return {
        "name": case.name,
        "note": case.note,
        "result": "valid",
        "shape": case.shape,
        "params": params,
        "options": options,
        "input": None if case.weights is None else naive.write("f", case.weights).hex(),
        **({} if case.importance is None else {"importance": naive.write("f", case.importance).hex()}),
        "parts": {name: data.hex() for name, data in parts.items()},
        "decoded": decoded.hex(),
    }


def _maker(tag: str, case: Valid) -> Callable[..., tuple[naive.Bytes, bytes]]:
    """The maker of the bytes of a case."""
    if tag in UNKNOWN_TO_GGUF:
        return by_ggml_alone
    ours = tag not in GGML | DECODED_ALONE or (tag == "MXF4" and case.importance is not None)
    return by_naive if ours else by_gguf


def by_naive(tag: str, case: Valid, options: dict[str, object], params: dict[str, int]) -> tuple[naive.Bytes, bytes]:
    """Parts and decoded weights in plain Python."""
    parts = case.parts
    if parts is None:
        assert case.weights is not None
        if options.get("method") == "hqq" or (case.importance is not None and options.get("method") != "equal-count"):
            encode = partial(naive_importance.WEIGHTED[tag], importance=case.importance)
        else:
            encode = naive.ENCODERS[tag]
        parts = encode(case.weights, *case.shape, {**options, **params})
    return parts, naive.write(DECODED.get(tag, "f"), naive.DECODERS[tag](parts, *case.shape, **params))


def by_gguf(tag: str, case: Valid, *_: object) -> tuple[naive.Bytes, bytes]:
    """Parts and decoded weights of the package gguf."""
    import gguf
    import numpy as np

    kind = gguf.GGMLQuantizationType[(GGML | DECODED_ALONE)[tag]]
    if (tag in SEARCHED or case.importance is not None) and case.parts is None:
        case = attrs.evolve(case, parts={"blocks": by_ggml(kind, case)})
    with warnings.catch_warnings(action="ignore"):  # it divides by scales of 0
        if case.parts is None:
            blocks = gguf.quants.quantize(np.array(case.weights, np.float32).reshape(case.shape), kind)
        else:
            blocks = np.frombuffer(case.parts["blocks"], np.uint8).reshape(case.shape[0], -1)
        decoded = gguf.quants.dequantize(blocks, kind)
    return {"blocks": blocks.tobytes()}, decoded.astype("<f4").tobytes()


def by_ggml_alone(tag: str, case: Valid, *_: object) -> tuple[naive.Bytes, bytes]:
    """Parts and decoded weights of ggml's C code."""
    import numpy as np

    kind = UNKNOWN_TO_GGUF[tag]
    blocks = by_ggml(kind, case) if case.parts is None else case.parts["blocks"]
    stored, w = np.frombuffer(blocks, np.uint8), np.empty(case.shape, "<f4")
    library().to_float(kind)(stored.ctypes.data, w.ctypes.data, w.size)
    return {"blocks": blocks}, w.tobytes()


def by_ggml(kind: int, case: Valid) -> bytes:
    """Blocks that ggml's own quantizer makes."""
    import numpy as np

    rows, cols = case.shape
    w = np.array(case.weights, np.float32).reshape(case.shape)
    importance = None if case.importance is None else np.array(case.importance, np.float32)
    blocks = np.zeros(rows * library().row_bytes(kind, cols), np.uint8)
    library().quantize(kind, w.ctypes.data, blocks.ctypes.data, rows, cols, importance)
    return blocks.tobytes()


def main(stems: list[str]) -> int:
    """Writes the files of the stems that are named."""
    unknown = sorted(set(stems) - set(CASES))
    if unknown or not stems:
        print(f"name one or more of {' '.join(CASES)}", file=sys.stderr)
        return 2
    for stem in stems:
        text = json.dumps(vector_file(stem), indent=1) + "\n"
        (FOLDER / f"{stem}.json").write_text(text, encoding="ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
