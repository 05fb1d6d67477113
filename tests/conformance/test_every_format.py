"""What every built-in format must do, whatever it is: the list of formats is the registry's."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from math import prod
from pathlib import Path

import numpy as np
import pytest

from fourcc import qmatrix
from fourcc.encoding import MatrixEncoder, encode
from fourcc.entries import OWN
from fourcc.errors import NumericError, UsageError
from fourcc.format import Array, Format
from fourcc.qmatrix import QMatrix, numpy_dtype
from fourcc.registry import registry
from fourcc.spec import Geometry, complete
from fourcc.tags import FourCC
from tests.formats.checks import random_parts, same_numbers

TAGS = [tag for tag in registry if registry.entry(tag).distribution == OWN]
ENCODED = [tag for tag in TAGS if registry[tag].encode is not None]
QUANTIZED = [tag for tag in ENCODED if not registry[tag].spec.nonfinite]
FIXED_POINT = [tag for tag in ENCODED if str(tag) != "Q8_B"]  # what was decoded once is encoded without loss
SHAPES = [
    (1, 1),
    (1, 32),
    (3, 64),
    (129, 32),
    (2, 288),
    (131, 1),
    (2, 257),
    (0, 32),
    (2, 0),
    (64,),
    (5,),
    (),
    (2, 3, 4, 32),
]

every = pytest.mark.parametrize("tag", TAGS, ids=str)
every_encoded = pytest.mark.parametrize("tag", ENCODED, ids=str)
every_quantized = pytest.mark.parametrize("tag", QUANTIZED, ids=str)


def fitting(found: Format) -> Iterator[tuple[int, ...]]:
    """The shapes that a format takes."""
    return (shape for shape in SHAPES if found.spec.misfit(shape) is None)


def bell(*shape: int) -> Array:
    """Normal weights, float32."""
    return np.random.default_rng(1).standard_normal(shape, dtype=np.float32)


def heavy(*shape: int) -> Array:
    """Student's t with 3 degrees of freedom, float32."""
    return np.random.default_rng(2).standard_t(3, shape).astype(np.float32)


def all_bytes(encoded: QMatrix) -> dict[str, bytes]:
    """The bytes of every part."""
    return {name: part.tobytes() for name, part in encoded.parts.items()}


def complete_options(found: Format) -> dict[str, object]:
    """Every option at its default."""
    return complete(found.spec.options, {})


@every
def test_names_itself_as_its_files_do(tag: FourCC, root: Path) -> None:
    """One stem in every folder: ``ls`` shows what is missing."""
    stem = str(tag).lower()
    assert registry.entry(tag).name == str(tag)
    for path in (
        f"formats/{stem}.py",
        f"tests/formats/test_{stem}.py",
        f"specs/{stem}.md",
        f"specs/vectors/{stem}.json",
    ):
        assert (root / path).is_file(), f"{path} is missing"


@every
def test_has_vectors_of_its_own(tag: FourCC, root: Path) -> None:
    vectors = json.loads((root / "specs" / "vectors" / f"{str(tag).lower()}.json").read_text(encoding="ascii"))
    assert vectors["tag"] == str(tag)
    assert vectors["provenance"]
    assert any(case["result"] == "valid" for case in vectors["cases"])


@every_encoded
def test_what_it_declares_is_what_it_stores(tag: FourCC) -> None:
    found = registry[tag]
    for shape in fitting(found):
        encoded = encode(bell(*shape), tag)
        spec = found.spec
        assert {name: part.shape for name, part in encoded.parts.items()} == spec.part_shapes(shape, {})
        assert {name: part.dtype for name, part in encoded.parts.items()} == {
            part.name: numpy_dtype(part.dtype) for part in spec.parts
        }
        assert encoded.nbytes == spec.stored_bytes(shape, {})
        assert encoded.bits_per_weight == Fraction(8 * encoded.nbytes, max(1, prod(shape)))


@every_encoded
def test_full_blocks_take_the_nominal_bits(tag: FourCC) -> None:
    assert encode(np.zeros((256, 512), np.float32), tag).bits_per_weight == registry[tag].spec.bits_per_weight()


@every_encoded
@pytest.mark.parametrize("draw", [bell, heavy])
@pytest.mark.parametrize("exponent", [0, -5, -20, 8])
def test_decoded_weights_are_within_the_bound_of_the_page(tag: FourCC, draw: type, exponent: int) -> None:
    found = registry[tag]
    for shape in fitting(found):
        w = (draw(*shape) * 2.0**exponent).astype(np.float32)
        check_bound(tag, w)


@every_encoded
@pytest.mark.parametrize("exponent", [-149, -140, -128, -30, -24, -17])
def test_small_integers_times_a_power_of_two_are_within_the_bound(tag: FourCC, exponent: int) -> None:
    w = ((np.arange(2 * 288).reshape(2, 288) * 37 % 101 - 50) * 2.0**exponent).astype(np.float32)
    check_bound(tag, w)


def check_bound(tag: FourCC, w: Array) -> None:
    """Each weight, in float64."""
    decoded = encode(w, tag).decode()
    assert decoded.shape == w.shape
    if w.ndim > 2:  # blocks never cross experts
        for inner in w:
            check_bound(tag, inner)
        return
    matrix = np.atleast_2d(w).astype(np.float64)
    error = np.abs(decoded.reshape(matrix.shape) - matrix)
    bound = registry[tag].bound
    assert bound is not None
    assert (error <= bound(matrix, Geometry(*matrix.shape))).all()


@every_encoded
def test_zeros_decode_to_zeros(tag: FourCC) -> None:
    for shape in fitting(registry[tag]):
        for zero in (0.0, -0.0):
            decoded = encode(np.full(shape, zero, np.float32), tag).decode()
            assert (decoded == 0).all()
            assert decoded.shape == shape


@every_encoded
def test_the_largest_weights_decode_to_finite_ones_or_are_refused(tag: FourCC) -> None:
    largest = np.finfo(np.float32).max
    for w in (np.full((2, 64), largest), np.where(np.arange(128) % 3, largest, -largest).reshape(2, 64)):
        try:
            encode(w.astype(np.float32), tag)
        except NumericError as error:
            assert f"too large for {tag}; give the tensor another format" in str(error)  # noqa: PT017 - either is right
            assert str(tag) in {"F16", "BF16", "Q4_0", "Q8_0"}
        else:
            check_bound(tag, w.astype(np.float32))


@every_encoded
@pytest.mark.parametrize(("value", "text"), [(np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf")])
def test_nan_and_infinity_are_refused_by_tensor_index_and_count(tag: FourCC, value: float, text: str) -> None:
    found = registry[tag]
    w = bell(4, 64)
    w[2, 7] = w[3, 1] = value
    encoder = MatrixEncoder(found, Geometry(40, 64), complete_options(found), name="layers.0.wq", first_index=10_000)
    with pytest.raises(NumericError) as caught:
        encoder.tile(w, None, 8)
    index = 10_000 + (8 + 2) * 64 + 7
    start = f"tensor 'layers.0.wq': 2 of 256 weights are not finite, the first at flat index {index}: found {text}"
    assert str(caught.value).startswith(start)


@every_encoded
def test_where_and_how_the_weights_lie_in_memory_does_not_matter(tag: FourCC) -> None:
    w = bell(130, 64)
    expected = all_bytes(encode(w, tag))
    wide = np.zeros((260, 128), np.float32)
    wide[::2, ::2] = w
    frozen = w.copy()
    frozen.flags.writeable = False
    unaligned = np.frombuffer(b"\0" + w.tobytes(), np.uint8)[1:].view(np.float32).reshape(w.shape)
    for other in (
        wide[::2, ::2],
        w[::-1, ::-1].copy()[::-1, ::-1],
        np.asfortranarray(w),
        frozen,
        unaligned,
        w.astype(">f4"),
        w.astype(np.float64),
    ):
        assert all_bytes(encode(other, tag)) == expected
    repeated = np.broadcast_to(w[:1], w.shape)
    assert all_bytes(encode(repeated, tag)) == all_bytes(encode(repeated.copy(), tag))


@every_encoded
def test_the_weights_are_left_as_they_were(tag: FourCC) -> None:
    w = bell(4, 64)
    before = w.copy()
    encode(w, tag)
    np.testing.assert_array_equal(w, before)


@every_encoded
def test_experts_are_encoded_each_alone(tag: FourCC) -> None:
    w = bell(2, 3, 130, 64)
    stack = encode(w, tag)
    for i in range(2):
        for j in range(3):
            assert all_bytes(stack[i][j]) == all_bytes(encode(w[i, j], tag))
            np.testing.assert_array_equal(stack[i][j].decode(), stack.decode()[i, j])


@every_encoded
def test_runs_of_whole_blocks_are_independent(tag: FourCC) -> None:
    """So that any number of tiles and threads gives the same bytes."""
    found = registry[tag]
    step = found.spec.block[0]
    assert step is not None
    w = bell(2 * step + 1, 64)
    whole = encode(w, tag)
    for first in range(0, len(w), step):
        alone = encode(w[first : first + step], tag)
        for part in found.spec.parts:
            assert part.rows is not None
            cut = whole.parts[part.name][first // part.rows :][: len(alone.parts[part.name])]
            assert cut.tobytes() == alone.parts[part.name].tobytes()


@every_encoded
def test_tiles_do_not_show(tag: FourCC, monkeypatch: pytest.MonkeyPatch) -> None:
    """A matrix larger than a tile has the bytes, and the weights, that it has in one piece."""
    w = bell(400, 64)
    whole = encode(w, tag)
    decoded = whole.decode()
    monkeypatch.setattr(qmatrix, "TILE_WEIGHTS", 3000)
    assert len(list(qmatrix.tile_bounds(400, 64, registry[tag].spec))) > 3
    assert all_bytes(encode(w, tag)) == all_bytes(whole)
    np.testing.assert_array_equal(whole.decode(), decoded)


@every_encoded
def test_the_same_weights_give_the_same_bytes(tag: FourCC) -> None:
    """Again, and in four threads at once."""
    w = heavy(130, 288)
    expected = all_bytes(encode(w, tag))
    with ThreadPoolExecutor(4) as pool:
        for made in pool.map(lambda _: all_bytes(encode(w, tag)), range(4)):
            assert made == expected


@pytest.mark.parametrize("tag", FIXED_POINT, ids=str)
def test_what_was_decoded_is_encoded_without_loss(tag: FourCC) -> None:
    for draw in (bell, heavy):
        for exponent in (-140, -20, 0):
            w = (draw(130, 288) * 2.0**exponent).astype(np.float32)
            once = encode(w, tag).decode()
            np.testing.assert_array_equal(encode(once, tag).decode(), once)


@every
def test_decodes_to_the_declared_dtype_and_shape(tag: FourCC) -> None:
    found = registry[tag]
    for rows, cols in ((1, 32), (131, 64), (0, 32), (5, 0)):
        decoded = found.decode(random_parts(str(tag), rows, cols, seed=1), Geometry(rows, cols))
        assert decoded.dtype == np.dtype(found.spec.decoded)
        assert decoded.shape == (rows, cols)


@every
def test_any_bytes_decode_the_same_and_stay_as_they_were(tag: FourCC) -> None:
    """A damaged file must not crash, warn or change under decoding."""
    found = registry[tag]
    parts = random_parts(str(tag), 131, 64, seed=2)
    before = {name: part.tobytes() for name, part in parts.items()}
    assert same_numbers(found.decode(parts, Geometry(131, 64)), found.decode(parts, Geometry(131, 64)))
    assert {name: part.tobytes() for name, part in parts.items()} == before


@every_quantized
def test_shows_its_codes(tag: FourCC) -> None:
    found = registry[tag]
    assert found.codes is not None
    codes = found.codes(random_parts(str(tag), 131, 64, seed=3), Geometry(131, 64))
    assert codes.shape == (131, 64)
    assert codes.dtype.kind in "iu"


@every_encoded
def test_a_shape_that_does_not_fit_is_refused_before_work(tag: FourCC) -> None:
    found = registry[tag]
    if found.spec.misfit((2, 33)) is None:
        assert encode(bell(2, 33), tag).decode().shape == (2, 33)
    else:
        with pytest.raises(UsageError, match=rf"{tag} does not fit the shape \(2, 33\): rows of 33 are not a multiple"):
            encode(bell(2, 33), tag)


@every
def test_other_systems_know_it_by_one_id(tag: FourCC) -> None:
    for system, identity in registry[tag].spec.foreign.items():
        assert registry.foreign(system, identity) is registry[tag]
