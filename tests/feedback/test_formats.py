"""Codes of formats: taken out and put back they leave the bytes, and their levels are the weights."""

import re

import attrs
import numpy as np
import pytest

import fourcc
from fourcc.arrays import Array, Parts
from fourcc.errors import PluginError
from fourcc.feedback import correction
from fourcc.feedback.way import way_of
from fourcc.format import Format
from fourcc.geometry import Geometry
from fourcc.plugins.registry import registry
from fourcc.qmatrix import QMatrix
from fourcc.settings import complete
from tests.core import seam_formats
from tests.core.fakes import installed
from tests.feedback.hessians import hessian, output_error

ROWS, COLS = 6, 512
CODED = [tag for tag in registry if registry[tag].codes is not None]
BUILT_IN = [tag for tag in CODED if registry[tag].with_codes is not None]
TRELLISES = {"TC2", "TC3", "TC4"}  # a code decides several weights
MADE_UP = [value for value in vars(seam_formats).values() if isinstance(value, Format)]
PLAIN = {"Awqi", "Trel", "Zent"}  # their codes are not of single weights


def weights(rows: int = ROWS, cols: int = COLS) -> Array:
    return np.random.default_rng(5).standard_normal((rows, cols)).astype(np.float32) / 8


def stored(fmt: Format) -> tuple[Parts, Geometry]:
    """Parts of a matrix: encoded, or random where nothing encodes."""
    if fmt.encode is not None:
        made = fourcc.encode(weights(), fmt.tag)
        return made.parts, Geometry(ROWS, COLS, made.params)
    geom = Geometry(ROWS, COLS, complete(fmt.params, {}))
    random = np.random.default_rng(0)
    found = {}
    for part in fmt.parts:
        size = int(np.prod(part.shape(geom)))
        floats = part.dtype == "<f4"
        values = random.standard_normal(size) if floats else random.integers(0, 4, size)
        found[part.name] = values.astype(part.dtype).reshape(part.shape(geom))
    return found, geom


@pytest.mark.parametrize("tag", BUILT_IN, ids=str)
def test_codes_that_are_put_back_leave_the_bytes(tag: fourcc.FourCC) -> None:
    fmt = registry[tag]
    parts, geom = stored(fmt)
    before = {name: part.tobytes() for name, part in parts.items()}
    assert fmt.codes is not None
    assert fmt.with_codes is not None
    codes = fmt.codes(parts, geom)
    back = fmt.with_codes(parts, codes, geom)
    assert {name: part.tobytes() for name, part in back.items()} == before
    other = fmt.with_codes(parts, np.zeros_like(codes), geom)
    assert not fmt.codes(other, geom).any()
    assert {name: part.tobytes() for name, part in parts.items()} == before  # they are left alone


@pytest.mark.parametrize("tag", BUILT_IN, ids=str)
def test_levels_are_what_codes_decode_to(tag: fourcc.FourCC) -> None:
    fmt = registry[tag]
    parts, geom = stored(fmt)
    assert fmt.codes is not None
    assert fmt.with_codes is not None
    assert fmt.grid is not None
    grid = fmt.grid(parts, geom)
    random = np.random.default_rng(1).integers(grid.low, grid.high + 1, (ROWS, COLS))
    for codes in (fmt.codes(parts, geom), random):
        decoded, levels = fmt.decode(fmt.with_codes(parts, codes, geom), geom), grid.at(codes)
        assert np.array_equal(np.isnan(decoded), np.isnan(levels))
        assert np.nanmax(np.abs(levels - decoded)) <= 2e-6 * np.nanmax(np.abs(grid.levels))


@pytest.mark.parametrize("tag", sorted(TRELLISES))
def test_a_trellis_gets_feedback_block_by_block(tag: str) -> None:
    assert {str(each) for each in CODED} - {str(each) for each in BUILT_IN} == TRELLISES
    assert way_of(registry[tag], Geometry(64, 64), complete(registry[tag].options, {})) == "blocks"
    w, h = weights(64, 64), hessian(64)
    plain, fed = (fourcc.encode(w, tag, aids=fourcc.Aids(None, h), feedback=each) for each in (None, "gptq"))
    errors = [output_error(each.decode().astype(np.float64) - w, h) for each in (plain, fed)]
    assert errors[1] < 0.9 * errors[0]


def test_uneven_levels_are_all_kept() -> None:
    even = {str(tag): registry[tag].grid(*stored(registry[tag])).even for tag in BUILT_IN}  # type: ignore[misc]
    assert {tag for tag, lie_evenly in even.items() if not lie_evenly} == {
        "F8_G",
        "FP4",
        "IQ4N",
        "IQ4X",
        "MXF4",
        "NF4",
        "NV4T",
        "NVF4",
        "Q1_0",  # two levels: there is none between them to leave out
        "Q4_A",
    }


@pytest.mark.parametrize("tag", [tag for tag in BUILT_IN if registry[tag].encode is not None], ids=str)
def test_feedback_lowers_the_output_error(tag: fourcc.FourCC) -> None:
    """And raises that of the weights."""
    w, h = weights(16, 256), hessian(256)
    aids = fourcc.Aids(h.diagonal().copy(), h)
    plain, fed = fourcc.encode(w, tag, aids=aids), fourcc.encode(w, tag, aids=aids, feedback="gptq")
    errors = [each.decode().astype(np.float64) - w for each in (plain, fed)]
    assert output_error(errors[1], h) < 0.9 * output_error(errors[0], h)
    assert np.square(errors[1]).sum() > np.square(errors[0]).sum()
    assert scales_of(registry[tag], fed) == scales_of(registry[tag], plain)


def scales_of(fmt: Format, matrix: QMatrix) -> dict[str, bytes]:
    """All that is stored but the codes, which are set to the same for every matrix."""
    assert fmt.with_codes is not None
    geom = Geometry(*matrix.shape, matrix.params)
    return {
        name: part.tobytes() for name, part in fmt.with_codes(matrix.parts, np.zeros(matrix.shape, int), geom).items()
    }


@pytest.mark.parametrize("fmt", MADE_UP, ids=lambda fmt: str(fmt.tag))
def test_formats_of_every_kind(fmt: Format) -> None:
    """Codebooks, act-order, rotation, outliers, blocks of several rows: those with codes of weights gain."""
    w, h = weights(32, 64), hessian(64)
    aids = fourcc.Aids(h.diagonal().copy(), h)
    with installed(fmt):
        plain, fed = fourcc.encode(w, fmt.tag, aids=aids), fourcc.encode(w, fmt.tag, aids=aids, feedback="gptq")
        errors = [output_error(each.decode().astype(np.float64) - w, h) for each in (plain, fed)]
    if str(fmt.tag) in PLAIN:
        assert all(plain.parts[name].tobytes() == fed.parts[name].tobytes() for name in plain.parts)
    else:
        assert errors[1] < 0.9 * errors[0]


def test_a_format_whose_levels_are_wrong_gets_no_feedback() -> None:
    """Its codes decide more than their own weight, whatever it says."""
    wrong = attrs.evolve(registry["Q4_0"], tag="Wrng", foreign={}, grid=registry["Q4_0"].grid)
    assert way_of(wrong, Geometry(2, 64), {}) == "codes"
    grids = registry["Q4_0"].grid
    assert grids is not None

    def shifted(parts: Parts, geom: Geometry) -> fourcc.Grid:
        grid = grids(parts, geom)
        return attrs.evolve(grid, levels=grid.levels + np.float32(1))

    assert way_of(attrs.evolve(wrong, grid=shifted), Geometry(2, 64), {}) == "blocks"


def test_what_with_codes_gives_is_checked() -> None:
    def lossy(parts: Parts, codes: Array, geom: Geometry) -> Parts:
        made = registry["Q8_G"].with_codes(parts, codes, geom)  # type: ignore[misc]
        return {**made, "q": made["q"].astype(np.int16)} if len(made["q"]) == ROWS else made

    fmt = attrs.evolve(registry["Q8_G"], tag="Loss", foreign={}, with_codes=lossy, code_range=(-127, 127))
    with installed(fmt), pytest.raises(PluginError, match=re.escape("with_codes of the format Loss")):
        fourcc.encode(weights(), "Loss", aids=fourcc.Aids(hessian=hessian(COLS)), feedback="gptq")


@pytest.mark.parametrize("tag", BUILT_IN, ids=str)
def test_levels_of_a_few_rows_are_those_of_the_tile(tag: fourcc.FourCC, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of zeros have even levels; those of a codebook are still told one by one, however the tile is cut."""
    fmt = registry[tag]
    if fmt.encode is None:
        pytest.skip("the format has no encoder")
    mixed = np.concatenate([np.zeros((16, COLS), np.float32), weights(17)])
    made = fourcc.encode(mixed, tag)
    geom = Geometry(len(mixed), COLS, made.params)
    assert fmt.grid is not None
    whole = fmt.grid(made.parts, geom)
    monkeypatch.setattr(correction, "LEVELS", 1)
    runs = list(correction.grids_by_rows(fmt, made.parts, geom))
    assert len(runs) > 1 or fmt.block[0] != 1
    assert np.array_equal(np.concatenate([grid.levels for *_, grid in runs], axis=1), whole.levels, equal_nan=True)
