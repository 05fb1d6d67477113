"""What the tests of one format share: holding it to its vectors, and to `tests.naive`."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fourcc import errors
from fourcc.encoding import encode
from fourcc.format import Aids, Array, Parts
from fourcc.qmatrix import QMatrix, numpy_dtype
from fourcc.registry import registry
from fourcc.spec import Geometry, complete
from fourcc.tags import as_tag
from tests import naive

FOLDER = Path(__file__).resolve().parents[2] / "specs" / "vectors"
Case = dict[str, Any]


def load(stem: str) -> dict[str, Any]:
    """A format's vector file; it is an error where there is none."""
    found: dict[str, Any] = json.loads((FOLDER / f"{stem}.json").read_text(encoding="ascii"))
    return found


def check_vectors(stem: str) -> None:
    """Every case of a format's file: encoding gives exactly these bytes, decoding exactly these weights."""
    found = load(stem)
    assert found["schema"] == "fourcc-vectors-1"
    assert found["tag"] == stem.upper()
    assert found["cases"]
    for case in found["cases"]:
        (check_invalid if case["result"] == "invalid" else check_valid)(found["tag"], case)


def check_valid(tag: str, case: Case) -> None:
    """Weights to parts, where there are weights; parts to weights."""
    spec = registry[as_tag(tag)].spec
    shape = tuple(case["shape"])
    shapes = spec.part_shapes(shape, case["params"])
    parts = {
        part.name: np.frombuffer(bytes.fromhex(case["parts"][part.name]), numpy_dtype(part.dtype)).reshape(
            shapes[part.name]
        )
        for part in spec.parts
    }
    if case["input"] is not None:
        made = encode(weights_of(case), tag, case["params"], case["options"])
        for name, part in parts.items():
            assert made.parts[name].tobytes() == part.tobytes(), f"{tag} {case['name']}: part {name}"
    decoded = QMatrix(as_tag(tag), shape, parts, case["params"]).decode()
    expected = np.frombuffer(bytes.fromhex(case["decoded"]), spec.decoded).reshape(shape)
    assert same_numbers(decoded, expected), f"{tag} {case['name']}: decoded weights"


def check_invalid(tag: str, case: Case) -> None:
    """Weights that are refused, and what the refusal says."""
    with pytest.raises(getattr(errors, case["error"])) as caught:
        encode(weights_of(case), tag, case["params"], case["options"])
    for text in case["says"]:
        assert text in str(caught.value), f"{tag} {case['name']}"


def check_naive(tag: str, w: Array, options: dict[str, object] | None = None) -> None:
    """A matrix's parts, and what they decode to, are those of the plain Python written from the page."""
    parts = encoded(tag, w, options)
    chosen = complete(registry[as_tag(tag)].spec.options, options or {})
    slow = naive.ENCODERS[tag](w.reshape(-1).tolist(), *w.shape, chosen)
    for name, data in slow.items():
        assert parts[name].tobytes() == data, f"part {name}"
    check_naive_decode(tag, parts, *w.shape)


def check_naive_decode(tag: str, parts: Parts, rows: int, cols: int) -> None:
    """Parts decode to what the plain Python makes of their bytes."""
    found = registry[as_tag(tag)]
    fast = found.decode(parts, Geometry(rows, cols))
    slow = naive.DECODERS[tag]({name: part.tobytes() for name, part in parts.items()}, rows, cols)
    assert same_numbers(fast, np.array(slow, found.spec.decoded).reshape(rows, cols))


def encoded(tag: str, w: Array, options: dict[str, object] | None = None) -> Parts:
    """A matrix's parts, from the format alone: float32 (rows, cols) in, any scale out."""
    found = registry[as_tag(tag)]
    assert found.encode is not None
    chosen = complete(found.spec.options, options or {})
    return found.encode(np.ascontiguousarray(w, np.float32), None, Geometry(*w.shape), chosen, Aids())


def random_parts(tag: str, rows: int, cols: int, seed: int) -> Parts:
    """Parts of random bytes, as no encoder would make them."""
    spec = registry[as_tag(tag)].spec
    random = np.random.default_rng(seed)
    return {
        name: np.frombuffer(random.bytes(int(np.prod(shape)) * dtype.itemsize), dtype).reshape(shape)
        for part in spec.parts
        for name, shape, dtype in [(part.name, part.shape(Geometry(rows, cols)), numpy_dtype(part.dtype))]
    }


def check_carried_integers(stem: str) -> None:
    """A format of integers decodes every bit pattern to itself and takes no float weights."""
    tag = stem.upper()
    check_vectors(stem)
    parts = random_parts(tag, 16, 16, seed=1)
    check_naive_decode(tag, parts, 16, 16)
    assert registry[as_tag(tag)].decode(parts, Geometry(16, 16)).tobytes() == parts["values"].tobytes()
    with pytest.raises(errors.UsageError) as caught:
        encode(np.zeros((2, 2), np.float32), tag)
    assert str(caught.value) == f"the format {tag} has no encoder"


def weights_of(case: Case) -> Array:
    """The case's input, float32 of its shape."""
    return np.frombuffer(bytes.fromhex(case["input"]), "<f4").reshape(case["shape"])


def same_numbers(left: Array, right: Array) -> bool:
    """Whether two arrays hold the same bits; any NaN is as good as another."""
    if left.dtype != right.dtype or left.shape != right.shape:
        return False
    if left.dtype.kind != "f":
        return left.tobytes() == right.tobytes()
    nan = np.isnan(left)
    return bool((nan == np.isnan(right)).all()) and left[~nan].tobytes() == right[~nan].tobytes()
