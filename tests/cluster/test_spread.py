"""Conversions on an executor: the bytes are those of one process, wherever tensors are cut, and whatever they hold."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fourcc
from fourcc.cli.app import main
from fourcc.conversion.plan import plan
from fourcc.conversion.spread import piece_writer as writer_module
from fourcc.conversion.spread import pieces as pieces_module
from fourcc.conversion.spread.pieces import pieces
from fourcc.errors import ClusterError, NumericError
from fourcc.plugins.registry import registry
from fourcc.policy import Policy
from fourcc.sources import open_source
from tests.core import seam_formats
from tests.core.fakes import installed
from tests.feedback.hessians import hessian

ROWS, COLS = 2100, 640
LARGE = "layers.0.feed_forward.w1"
MIXED = """
version = 1
[[rule]]
match = "*w1"
tag = "Q4_0"
[[rule]]
match = "experts"
tag = "Q6_K"
[[rule]]
match = "half"
keep = true
[[rule]]
match = "*"
tag = "F32"
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A matrix of six tiles, experts, a matrix of halves, an empty one, a vector."""
    random = np.random.default_rng(0)
    arrays = {
        LARGE: random.standard_normal((ROWS, COLS), np.float32),
        "experts": random.standard_normal((3, 300, 512), np.float32),
        "half": random.standard_normal((1500, 512)).astype(np.float16),
        "empty": np.zeros((0, 64), np.float32),
        "norm": random.standard_normal(77, np.float32),
    }
    path = tmp_path_factory.mktemp("source") / "source.npz"
    np.savez(path, allow_pickle=False, **arrays)
    return path


@pytest.fixture(scope="module")
def threads() -> Iterator[ThreadPoolExecutor]:
    """Workers of this process."""
    with ThreadPoolExecutor(3) as executor:
        yield executor


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of a tile, and small pages."""
    monkeypatch.setattr(pieces_module, "PIECE_WEIGHTS", 1 << 16)
    monkeypatch.setattr(writer_module, "PAGE", 1 << 12)


def assert_same(source: Path, folder: Path, executor: Any, **how: Any) -> bytes:
    """Converts in one process and on an executor; the bytes are the same, and nothing is left."""
    one, many = folder / "one.bin", folder / "many.bin"
    fourcc.convert(source, one, threads=1, force=True, **how)
    result = fourcc.convert(source, many, executor=executor, force=True, **how)
    assert many.read_bytes() == one.read_bytes()
    assert sorted(path.name for path in folder.iterdir()) == ["many.bin", "one.bin"]
    with fourcc.open(many) as model:
        assert model.digest == result.digest
    return many.read_bytes()


def test_a_mixed_policy_gives_the_same_bytes(source: Path, tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    assert_same(source, tmp_path, threads, policy=MIXED)


def test_tensors_are_cut(source: Path) -> None:
    """Else the other tests would say little."""
    with open_source(source) as opened:
        counts = {step.source.name: len(list(pieces(step))) for step in plan(opened, Policy.parse(MIXED)).steps}
    assert counts == {LARGE: 6, "experts": 3, "half": 3, "empty": 1, "norm": 1}


@pytest.mark.thorough
@pytest.mark.parametrize("tag", [str(tag) for tag in registry if registry[tag].encode is not None])
def test_every_format_gives_the_same_bytes(source: Path, tmp_path: Path, tag: str, threads: ThreadPoolExecutor) -> None:
    if not registry[tag].real:
        pytest.skip("it holds no real numbers; that kept tensors are the same is tested above")
    other = "F16" if tag == "F32" else "F32"
    rules = f'[[rule]]\nmatch = ["{LARGE}", "experts"]\ntag = "{tag}"\nfallback = ["{other}"]\n'
    assert_same(source, tmp_path, threads, policy=f'version = 1\n{rules}[[rule]]\nmatch = "*"\ntag = "F32"\n')


@pytest.mark.parametrize("fmt", [seam_formats.ENTROPY, seam_formats.OUTLIERS], ids=str)
def test_parts_of_variable_length_get_their_places(
    source: Path, tmp_path: Path, fmt: fourcc.Format, threads: ThreadPoolExecutor
) -> None:
    with installed(fmt):
        assert_same(source, tmp_path, threads, format=f"{fmt.tag},F32")


def test_what_spans_a_matrix_is_prepared_once(source: Path, tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    fmt = seam_formats.CODEBOOK
    with installed(fmt), open_source(source) as opened:
        steps = plan(opened, Policy.shorthand(f"{fmt.tag},F32")).steps
        assert len(list(pieces(steps[0]))) == 1
        assert_same(source, tmp_path, threads, format=f"{fmt.tag},F32")


def test_copies_of_a_model(source: Path, tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    first = tmp_path / "models"
    first.mkdir()
    fourcc.convert(source, first / "first.bin", policy=MIXED)
    (tmp_path / "copies").mkdir()
    assert_same(first / "first.bin", tmp_path / "copies", threads)


def test_aids_and_feedback(source: Path, tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    aids = {LARGE: fourcc.Aids(np.arange(COLS, dtype=np.float32) + 1, hessian(COLS))}
    bytes_fed = assert_same(source, tmp_path, threads, format="Q4_0,F32", aids=aids, feedback="gptq")
    assert b"gptq" in bytes_fed


def test_processes_give_the_same_bytes(source: Path, tmp_path: Path) -> None:
    with ProcessPoolExecutor(2) as pool:
        assert_same(source, tmp_path, pool, policy=MIXED)


def test_progress_counts_all_weights(source: Path, tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    seen: list[tuple[str, int, int]] = []
    fourcc.convert(source, tmp_path / "m.bin", policy=MIXED, executor=threads, progress=lambda *each: seen.append(each))
    counts = [done for _, done, _ in seen]
    assert counts == sorted(counts)
    assert counts[-1] == seen[-1][2]
    assert {name for name, _, _ in seen} == {LARGE, "experts", "half", "empty", "norm"}


def test_an_interrupted_conversion_goes_on(source: Path, tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    """On workers or without them; the bytes are those of one run."""

    def stop(name: str, done: int, total: int) -> None:
        if name == "norm":
            raise KeyboardInterrupt

    output = tmp_path / "model.bin"
    fourcc.convert(source, tmp_path / "whole.bin", policy=MIXED)
    with ThreadPoolExecutor(1) as one, pytest.raises(KeyboardInterrupt):
        fourcc.convert(source, output, policy=MIXED, executor=one, progress=stop)
    assert output.with_name("model.bin.journal").exists()
    result = fourcc.convert(source, output, policy=MIXED, executor=threads, resume=True)
    assert any("tensors were done before" in note for note in result.notes)
    assert output.read_bytes() == (tmp_path / "whole.bin").read_bytes()


def test_bad_weights_name_file_tensor_and_worker(tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    weights = np.ones((64, 64), np.float32)
    weights[3, 5] = np.nan
    np.savez(tmp_path / "bad.npz", allow_pickle=False, wq=weights)
    with pytest.raises(NumericError) as raised:
        fourcc.convert(tmp_path / "bad.npz", tmp_path / "model.bin", format="Q4_0,F32", executor=threads)
    text = str(raised.value)
    assert text.startswith(f"{tmp_path / 'bad.npz'}, tensor 'wq', worker process ")
    assert "1 of 4096 weights are not finite, the first at flat index 197" in text
    assert [path.name for path in tmp_path.iterdir()] == ["bad.npz"]


def test_a_worker_that_reads_another_tensor_is_named(
    source: Path, tmp_path: Path, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fourcc.conversion.spread import inputs

    other = tmp_path / "other.npz"
    np.savez(other, allow_pickle=False, **{LARGE: np.ones((3, 3), np.float32)})
    monkeypatch.setattr(inputs, "open_source", lambda _: open_source(other))
    with pytest.raises(ClusterError, match=r"a worker reads another tensor under this name: found .*\(3, 3\)"):
        fourcc.convert(source, tmp_path / "m.bin", format="Q4_0,F32", include=[LARGE], executor=threads)


@pytest.mark.parametrize("fmt", [None, seam_formats.ENTROPY], ids=str)
def test_shards_are_the_same(
    source: Path, tmp_path: Path, threads: ThreadPoolExecutor, fmt: fourcc.Format | None
) -> None:
    """They are those of one process, file by file; also where only encoding tells how long a tensor is."""
    with contextlib.nullcontext() if fmt is None else installed(fmt):
        for name, executor in (("one", None), ("many", threads)):
            (tmp_path / name).mkdir()
            policy = MIXED if fmt is None else Policy.shorthand(f"{fmt.tag},F32")
            output = tmp_path / name / "model.bin"
            fourcc.convert(source, output, policy=policy, shard_size="600KB", executor=executor)
    found = {name: {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("one", "many")}
    assert len(found["one"]) > 3
    assert found["one"] == found["many"]


def test_interrupted_shards_go_on(source: Path, tmp_path: Path) -> None:
    def stop(name: str, done: int, total: int) -> None:
        if name == "norm":
            raise KeyboardInterrupt

    for name in ("one", "many"):
        (tmp_path / name).mkdir()
    fourcc.convert(source, tmp_path / "one" / "model.bin", policy=MIXED, shard_size="600KB")
    with ThreadPoolExecutor(1) as one:
        how: dict[str, Any] = {"policy": MIXED, "shard_size": "600KB", "executor": one}
        with pytest.raises(KeyboardInterrupt):
            fourcc.convert(source, tmp_path / "many" / "model.bin", progress=stop, **how)
        result = fourcc.convert(source, tmp_path / "many" / "model.bin", resume=True, **how)
    assert any("of 5 tensors were done before" in note for note in result.notes)
    found = {name: {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("one", "many")}
    assert found["one"] == found["many"]


@pytest.mark.thorough
def test_a_calibration_with_hessians_is_read_by_workers(tmp_path: Path, root: Path) -> None:
    """Importance for encoders, Hessians for error feedback; workers open the file by its path."""
    example = root / "fourcc" / "example"
    made = ["calibrate", str(example / "tiny.bin"), "-z", str(example / "tiny_tokenizer.bin"), "--hessian", "-q"]
    assert (
        main([*made, "--text", str(example / "heldout.txt"), "--tokens", "2000", "-o", str(tmp_path / "c.calib")]) == 0
    )
    (tmp_path / "out").mkdir()
    with ProcessPoolExecutor(2) as pool:
        calibration = fourcc.open_calibration(tmp_path / "c.calib")
        how: dict[str, Any] = {"format": "Q3_K,IQ4N,F16", "calibration": calibration, "feedback": "gptq"}
        assert b"gptq" in assert_same(example / "tiny.bin", tmp_path / "out", pool, **how)
