"""The seam holds formats that it was not made for: in memory, through a file, and through a conversion."""

from fractions import Fraction
from math import prod
from pathlib import Path

import attrs
import numpy as np
import pytest

from fourcc.arrays import Array
from fourcc.container.reader import ModelFile
from fourcc.container.verify import verify
from fourcc.conversion.convert import convert
from fourcc.dtypes import itemsize
from fourcc.encoding import encode
from fourcc.errors import UsageError
from fourcc.format import Aids, Format
from fourcc.geometry import Geometry, split_shape
from fourcc.plugins.registry import registry
from fourcc.policy import Policy
from fourcc.qmatrix import QMatrix
from fourcc.tiles import TILE_WEIGHTS
from tests.container.build import write_model
from tests.core.fakes import installed
from tests.core.seam_formats import (
    AWQ,
    BALANCED,
    CODEBOOK,
    COLUMNS,
    ENTROPY,
    GPTQ,
    GRID,
    HADAMARD,
    OUTLIERS,
    TRELLIS,
)

FORMATS = [CODEBOOK, GPTQ, AWQ, TRELLIS, HADAMARD, ENTROPY, OUTLIERS, COLUMNS, GRID, BALANCED]
STACKABLE = [each for each in FORMATS if not each.variable]
LIMIT = {"Cbk4": 0.25, "Gptq": 0.1, "Awqi": 0.15, "Trel": 0.75, "Hada": 0.02}
LIMIT |= {"Zent": 0.02, "Outl": 0.4, "Colu": 0.06, "Grid": 0.06, "Bala": 0.15}
ids = [str(each.tag) for each in FORMATS]


def weights(*shape: int, seed: int = 0) -> Array:
    """Normal, float32."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def aids(cols: int, *lead: int) -> Aids:
    """Calibration data for each matrix of a stack, or for all."""
    random = np.random.default_rng(5)
    hessian = random.normal(size=(*lead, cols, cols)).astype(np.float32)
    return Aids(importance=random.uniform(0.5, 2, (*lead, cols)).astype(np.float32), hessian=hessian)


def error(q: QMatrix, w: Array) -> float:
    """Relative RMSE."""
    return float(np.sqrt(np.square(q.decode() - w).sum() / np.square(w).sum()))


def check_sizes(q: QMatrix, found: Format) -> None:
    """Every part has its declared shape and dtype, and the bits add up."""
    shapes = found.part_shapes(q.shape, q.params)
    for part in found.parts:
        if not part.variable:
            assert q.parts[part.name].shape == shapes[part.name]
            assert q.parts[part.name].nbytes == prod(shapes[part.name]) * itemsize(part.dtype)
    if not found.variable:
        assert q.nbytes == found.stored_bytes(q.shape, q.params)
    assert q.bits_per_weight == (Fraction(8 * q.nbytes, prod(q.shape)) if prod(q.shape) else 0)


def same(one: QMatrix, other: QMatrix) -> bool:
    """Bit for bit."""
    return one.parts.keys() == other.parts.keys() and all(
        one.parts[name].tobytes() == part.tobytes() and one.parts[name].shape == part.shape
        for name, part in other.parts.items()
    )


@pytest.mark.parametrize("found", FORMATS, ids=ids)
@pytest.mark.parametrize("shape", [(1, 32), (19, 64), (2 * TILE_WEIGHTS // 64 + 3, 64), (64,)])
def test_in_memory(found: Format, shape: tuple[int, ...]) -> None:
    """Matrices have one row, several rows or several tiles; one is a vector."""
    w = weights(*shape)
    with installed(found):
        q = encode(w, found.tag, aids=aids(shape[-1]))
        check_sizes(q, found)
        assert error(q, w) < LIMIT[str(found.tag)]


@pytest.mark.parametrize("found", STACKABLE, ids=[str(each.tag) for each in STACKABLE])
def test_experts(found: Format) -> None:
    """Each of a stack is encoded as if it were alone, with calibration data of its own."""
    w, known = weights(2, 3, 9, 32), aids(32, 6)
    with installed(found):
        q = encode(w, found.tag, aids=known)
        check_sizes(q, found)
        for index in range(6):
            alone = encode(w.reshape(6, 9, 32)[index], found.tag, aids=known.of_matrix(index))
            assert same(q[index // 3][index % 3], alone)
            assert np.array_equal(q.decode().reshape(6, 9, 32)[index], alone.decode())


def test_variable_length_has_no_experts() -> None:
    """Said before any work."""
    with (
        installed(ENTROPY),
        pytest.raises(UsageError, match="parts of variable length allow no leading dimensions"),
    ):
        encode(weights(2, 3, 32), "Zent")


@pytest.mark.parametrize("found", FORMATS, ids=ids)
@pytest.mark.parametrize("shape", [(0, 32), (3, 0, 32), (3, 0), (0, 4, 32)])
def test_empty_matrices(tmp_path: Path, found: Format, shape: tuple[int, ...]) -> None:
    """No format is asked; a codebook, and the scales of rows of no columns, are zeros, in memory and in a file."""
    if found.misfit(shape):
        pytest.skip("a part of variable length has no experts")
    w, source = np.zeros(shape, np.float32), tmp_path / "source.npz"
    np.savez(source, w=w)
    policy = Policy.parse(f'version = 1\n[[rule]]\nmatch = "*"\ntag = "{found.tag}"')
    with installed(found):
        q = encode(w, found.tag, aids=aids(shape[-1]))
        check_sizes(q, found)
        assert not any(part.reshape(-1).view(np.uint8).any() for part in q.parts.values())
        write_model(tmp_path / "m", {"w": q})
        convert(source, tmp_path / "n", policy=policy, aids={"w": aids(shape[-1])})
        for path in (tmp_path / "m", tmp_path / "n"):
            assert list(verify(path)) == []
            with ModelFile(path) as model:
                assert same(model["w"], q)
                assert model["w"].decode().shape == shape


@pytest.mark.parametrize("found", FORMATS, ids=ids)
def test_through_a_file(tmp_path: Path, found: Format) -> None:
    """Written, verified, read: the same parts; and listed, verified and copied without the format."""
    tensors = {"a": weights(19, 64), "b": weights(40, 64, seed=1)}
    if not found.variable:
        tensors["experts"] = weights(3, 9, 64, seed=2)
    with installed(found):
        encoded = {name: encode(w, found.tag, aids=aids(64)) for name, w in tensors.items()}
        path = write_model(tmp_path / "m", encoded)
        with ModelFile(path) as model:
            for name, q in encoded.items():
                assert same(model[name], q)
                assert np.array_equal(model[name].decode(), q.decode())
                assert model.record(name).nbytes == q.nbytes
    assert found.tag not in registry
    assert list(verify(path)) == []
    convert(path, tmp_path / "copy")
    with ModelFile(path) as model, ModelFile(tmp_path / "copy") as copied:
        assert all(same(model[name], copied[name]) for name in encoded)


@pytest.mark.parametrize("found", FORMATS, ids=ids)
def test_through_a_conversion(tmp_path: Path, found: Format) -> None:
    """Tile by tile, on threads: the bytes that encoding in memory gives, and one thread gives the same file."""
    shape = (TILE_WEIGHTS // 64 + 5, 64)
    tensors = {"a": weights(*shape), "b": weights(7, 64, seed=1)}
    if not found.variable:
        tensors["c"] = weights(2, 9, 64, seed=2)
    np.savez(tmp_path / "source.npz", **tensors)  # type: ignore[arg-type]
    policy = Policy.parse(f'version = 1\n[[rule]]\nmatch = "*"\ntag = "{found.tag}"')
    known = {name: aids(64) for name in tensors}
    with installed(found):
        for threads in (1, 3):
            convert(tmp_path / "source.npz", tmp_path / f"{threads}", policy=policy, aids=known, threads=threads)
        assert (tmp_path / "1").read_bytes() == (tmp_path / "3").read_bytes()
        with ModelFile(tmp_path / "1") as model:
            for name, w in tensors.items():
                assert same(model[name], encode(w, found.tag, aids=known[name]))
                record = model.record(name)
                assert record.error is not None
                assert record.error.relative_rmse == pytest.approx(error(model[name], w), rel=1e-4)
                assert (record.aids is not None) == bool(found.needs)
    assert list(verify(tmp_path / "1")) == []


def test_from_one_seam_format_to_another(tmp_path: Path) -> None:
    """A source that is itself in blocks of a whole matrix, or of variable length, is decoded on the way."""
    w = weights(300, 64)
    with installed(*FORMATS):
        for found in FORMATS:
            path = write_model(tmp_path / "m", {"w": encode(w, found.tag, aids=aids(64))})
            policy = Policy.parse('version = 1\n[[rule]]\nmatch = "*"\ntag = "Hada"\nparams = { seed = 9 }')
            convert(path, tmp_path / "n", policy=policy, force=True)
            with ModelFile(path) as source, ModelFile(tmp_path / "n") as model:
                assert same(model["w"], encode(source["w"].decode(), "Hada", {"seed": 9}))


def test_parameters_are_part_of_the_layout() -> None:
    """Another group, other shapes; another seed, other bytes and nearly the same weights."""
    w = weights(8, 64)
    with installed(GPTQ, HADAMARD):
        assert encode(w, "Gptq", {"group": 16}, aids=aids(64)).parts["scales"].shape == (8, 4)
        one, two = encode(w, "Hada", {"seed": 1}), encode(w, "Hada", {"seed": 2})
        assert not same(one, two)
        assert np.abs(one.decode() - two.decode()).max() < 0.1
        assert np.abs(attrs.evolve(one, params={"seed": 2}).decode() - w).max() > 0.5


@pytest.mark.parametrize("found", [each for each in FORMATS if each.derived and not (each.turn or each.extra)], ids=str)
@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (129, 9), (260, 40), (3, 100)])
def test_derived_decoders_know_their_blocks(found: Format, shape: tuple[int, int]) -> None:
    """Rows, or runs of a block's rows, decode to what they are within the matrix; whatever blocks are short."""
    if found.misfit(shape):
        pytest.skip("rows are whole blocks")
    with installed(found):
        q = encode(weights(*shape), found.tag, aids=aids(shape[1]))
    height = found.block[0] or shape[0]
    whole = found.decode(q.parts, Geometry(*shape, q.params))
    for first in range(0, shape[0], height):
        last = min(first + height, shape[0])
        some = {part.name: part.cut(q.parts[part.name], first, last) for part in found.parts}
        part = found.decode(some, Geometry(last - first, shape[1], q.params))
        np.testing.assert_array_equal(part, whole[first:last])


def test_products_turn_activations_instead_of_rows() -> None:
    """The two directions of a turn agree."""
    w, x = weights(9, 64), weights(3, 64, seed=7)
    with installed(HADAMARD):
        q = encode(w, "Hada")
    turn, geom = HADAMARD.turn, Geometry(9, 64, q.params)
    assert turn is not None
    rows = weights(9, 64, seed=8)
    np.testing.assert_allclose(turn.back(rows, q.parts, geom) @ x.T, rows @ turn.forward(x, q.parts, geom).T, atol=1e-4)


def test_codes_follow_from_the_one_part_that_has_them() -> None:
    """Also in a record; formats with several such parts, or none, have no codes unless they say how."""
    assert {str(each.tag) for each in FORMATS if each.codes is None} == {"Awqi", "Zent"}
    with installed(HADAMARD, GRID):
        for found, least in ((HADAMARD, -127), (GRID, 0)):
            q = encode(weights(9, 64), found.tag)
            assert found.codes is not None
            codes = found.codes(q.parts, Geometry(9, 64, q.params))
            assert codes.shape == (9, 64)
            assert codes.min() == least


def test_every_fake_is_different() -> None:
    """All that a part may belong to, tiles of whole matrices, records, parameters, aids: each at least once."""
    fields = [field for each in FORMATS for part in each.parts for field in (part, *part.fields)]
    assert {field.reach for field in fields} == {"block", "weight", "row", "column", "matrix", "ragged", "free"}
    assert any(field.packing is not None and field.packing.digits for field in fields)
    assert any(each.block == (None, None) for each in FORMATS)
    assert any(isinstance(each.block[1], str) for each in FORMATS)
    assert any(part.fields for each in FORMATS for part in each.parts)
    assert frozenset().union(*(each.needs for each in FORMATS)) == {"importance", "hessian"}
    assert any(each.variable for each in FORMATS)
    assert any(each.extra for each in FORMATS)
    assert split_shape((3, 9, 64)) == ((3,), 9, 64)
