"""The made-up formats with a turn: what they turn, how they choose scales, and that they go through a conversion."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

import fourcc
from fourcc import Aids, Feedback, Format, Geometry, registry
from fourcc.testing import Subject, trials
from fourcc.testing.plan import check_named
from tests.lanes.calibration import smollm, tales
from tests.lanes.calibration.subject import Counts
from tests.lanes.calibration.turned import turned_rows
from tests.lanes.calibration.turned_formats import FORMATS, PLAIN, ROTATED, SCALED, mixed, rotated, scales, signs

OUTLIER, STRENGTH = 5, 40.0  # a channel, by how much its inputs are stronger


def encoded(w: np.ndarray, fmt: Format, aids: Aids, feedback: Feedback | None = None) -> np.ndarray:
    """The weights as they decode."""
    with registry.trying(fmt):
        decoded: np.ndarray = fourcc.encode(w, fmt.tag, aids=aids, feedback=feedback).decode()
    return decoded


@pytest.mark.parametrize("fmt", [ROTATED, SCALED], ids=str)
def test_both_ways_of_the_turn_agree(fmt: Format) -> None:
    with registry.trying(fmt):
        assert not list(check_named("turn").run(Subject.of(fmt)))


def test_plain_blocks_are_those_of_q4_0() -> None:
    """An importance, which Q4_0 would take into account, changes nothing."""
    w = np.random.default_rng(0).standard_normal((8, 96)).astype(np.float32)
    aids = Aids(importance=np.arange(96, dtype=np.float32))
    np.testing.assert_array_equal(encoded(w, PLAIN, aids), fourcc.encode(w, "Q4_0").decode())


@pytest.mark.parametrize("cols", [64, 128, 160])
def test_a_rotation_is_signs_and_a_hadamard_matrix(cols: int) -> None:
    """Sylvester's, by the number of common ones of row and column; what is left behind the last 64 only has signs."""
    matrix = np.eye(cols)
    for at in range(0, cols - 63, 64):
        block = [[(-1) ** (i & j).bit_count() / 8 for j in range(64)] for i in range(64)]
        matrix[at : at + 64, at : at + 64] = block
    one = np.eye(cols, dtype=np.float32)
    np.testing.assert_array_equal(mixed(one), matrix)
    np.testing.assert_array_equal(rotated(one, {}, Geometry(1, cols)), np.diag(signs(cols)) @ matrix)
    assert 0.3 < (signs(cols) < 0).mean() < 0.7


def test_a_rotated_format_is_a_rotation_of_q4_0() -> None:
    w = np.random.default_rng(1).standard_normal((4, 128)).astype(np.float32)
    v = fourcc.encode(rotated(w, {}, Geometry(4, 128)), "Q4_0").decode()
    np.testing.assert_allclose(encoded(w, ROTATED, Aids()), mixed(v) * signs(128), atol=1e-6)


def test_scales_are_powers_of_the_inputs_strength() -> None:
    """(E x^2)^(a/2), with a median of 1; a column without inputs has a scale, too."""
    none, quarter, half = scales(np.array([1, 1, 256, 16, 1], np.float32))
    assert none.tolist() == [1] * 5
    np.testing.assert_allclose(half, [1, 1, 4, 2, 1])
    np.testing.assert_allclose(quarter, np.sqrt(half), rtol=1e-6)
    assert all((each > 0).all() for each in scales(np.array([0, 1, 1], np.float32)))
    assert all((each == 1).all() for each in scales(np.zeros(3, np.float32)))


def test_scales_help_where_a_channel_is_strong() -> None:
    """And they are those of the least output error, found again by trying all three from outside."""
    w = np.random.default_rng(2).standard_normal((64, 64)).astype(np.float32)
    strong = np.ones(64, np.float32)
    strong[OUTLIER] = STRENGTH**2
    aids = Aids(importance=strong)
    errors = [
        (strong * (fourcc.encode(w * each, "Q4_0").decode() / each - w) ** 2).sum(dtype=np.float64)
        for each in scales(strong)
    ]
    found = (strong * (encoded(w, SCALED, aids) - w) ** 2).sum(dtype=np.float64)
    assert found == pytest.approx(min(errors), rel=1e-4)
    assert found < 0.8 * errors[0]


@pytest.mark.parametrize("kind", FORMATS)
def test_feedback_lowers_the_output_error(kind: str) -> None:
    """Through the turn: the error of the outputs, not that of the weights."""
    random = np.random.default_rng(3)
    x = random.standard_normal((400, 64)) @ random.standard_normal((64, 64))
    hessian = (x.T @ x / len(x)).astype(np.float32)
    aids = Aids(importance=np.diag(hessian).copy(), hessian=hessian)
    w = random.standard_normal((32, 64)).astype(np.float32)
    errors = [encoded(w, FORMATS[kind], aids, each) - w for each in (None, Feedback())]
    without, fed = (float(((e @ hessian) * e).sum()) for e in errors)
    assert fed < 0.6 * without


@pytest.fixture(scope="module")
def calibrated(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short calibration of our own model, with Hessians."""
    models, calib = root / "fourcc" / "example", tmp_path_factory.mktemp("calibrated") / "m.calib"
    tokenizer = models / "tiny_tokenizer.bin"
    fourcc.calibrate(
        models / "tiny.bin",
        models / "heldout.txt",
        calib,
        hessian=True,
        tokens=100,
        tokenizer=tokenizer,
        documents=True,
    )
    return calib


@pytest.mark.parametrize("kind", FORMATS)
def test_a_model_is_converted_and_evaluated(root: Path, tmp_path: Path, calibrated: Path, kind: str) -> None:
    """With error feedback; matrices of 176 columns do not fit blocks of 32."""
    models, fmt, out = root / "fourcc" / "example", FORMATS[kind], tmp_path / "m.bin"
    model, reading = models / "tiny.bin", {"tokenizer": models / "tiny_tokenizer.bin", "documents": True}
    data = fourcc.open_calibration(calibrated)
    with registry.trying(fmt):
        made = fourcc.convert(model, out, format=f"{fmt.tag},Q8_0,F32", calibration=data, feedback="gptq")
        assert sum(record.tag == fmt.tag for record in made.index.tensors) > 8
        found = fourcc.evaluate(
            out, models / "heldout.txt", reference=model, tokens=100, activations="exact", **reading
        )
    assert found.divergence is not None
    assert 0 < found.divergence.mean < 0.1


@pytest.mark.thorough
@pytest.mark.parametrize("fmt", FORMATS.values(), ids=str)
def test_the_whole_kit(fmt: Format) -> None:
    """But for stored bytes, which the formats have none of, and for checks in other processes."""
    with registry.trying(fmt):
        for trial in trials(fmt):
            if trial.check.theme not in {"apart", "vectors"}:
                trial()


def test_rows_are_wired(tmp_path: Path) -> None:
    """Six rows of the SmolLM2 model; nothing is measured until a row is asked."""
    (tmp_path / "tinystories_train_1000.json").write_text(json.dumps(["A story."] * 20), encoding="utf-8")
    names = [row.name for row in smollm.rows(smollm.subject(tmp_path / "none.gguf", tmp_path, tmp_path))]
    found = [name.removeprefix("smollm2-turned-") for name in names if name.startswith("smollm2-turned-")]
    assert found == [*FORMATS, *(f"{kind}-feedback" for kind in FORMATS)]


@pytest.mark.thorough
def test_rows_are_measured(tmp_path: Path) -> None:
    """On a model that is no part of the repository, with few tokens: KLDs by the plain format's; scales take bytes."""
    data = Path(os.environ.get("FOURCC_DATA", ""))
    if not (data / "tales5M.bin").is_file():
        pytest.skip("FOURCC_DATA names no folder of real models")
    subject = tales.subject(data, tmp_path)
    subject.counts = Counts(600, 100, 200)
    rows = {row.name.removeprefix("tales5M-turned-"): row for row in turned_rows(subject)}
    plain, scaled, fed = (rows[name].find() for name in ("plain", "scaled", "scaled-feedback"))
    assert (plain.value, plain.figures["KLD"]) == (1, plain.figures["plain"])
    assert scaled.value == pytest.approx(scaled.figures["KLD"] / plain.figures["KLD"])
    assert 0.3 < fed.value < scaled.value < 1.3
    assert scaled.figures["bytes"] > plain.figures["bytes"]
