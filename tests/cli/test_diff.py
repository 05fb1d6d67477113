"""`fourcc diff`."""

import re
from pathlib import Path

import attrs
import numpy as np
import pytest

import fourcc
from fourcc.container.index import Index
from tests.cli.making import ODD, Runner, rewrite_index, write_safetensors


def difference(run: Runner, folder: Path, a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> dict[str, object]:  # type: ignore[type-arg]
    """The JSON object of two safetensors files, without its schema and paths."""
    paths = write_safetensors(folder / "a.safetensors", a), write_safetensors(folder / "b.safetensors", b)
    document = run("diff", *paths, "--json").document
    assert document.pop("schema") == "fourcc.diff/1"
    assert (document.pop("a"), document.pop("b")) == tuple(map(str, paths))
    return document


def test_identical(run: Runner, model: Path) -> None:
    """The exit code is 0."""
    ended = run("diff", model, model)
    assert (ended.code, ended.out) == (0, "identical\n")
    assert run("diff", model, model, "-q").out == ""


def test_kept_weights_are_identical_across_kinds(run: Runner, tiny: Path, tmp_path: Path) -> None:
    """A checkpoint and what it was converted to without a policy hold the same."""
    run("convert", tiny, "-o", tmp_path / "model.bin")
    assert run("diff", tiny, tmp_path / "model.bin").code == 0


def test_the_error_is_the_one_measured_while_encoding(run: Runner, tiny: Path, model: Path) -> None:
    """A is the original."""
    ended = run("diff", tiny, model, "--json")
    assert ended.code == 1
    found = {each["name"]: each for each in ended.document["tensors"]}
    with fourcc.open(model) as opened:
        error = opened.record(ODD).error
    assert error is not None
    assert found[ODD]["tags"] == ["F32", "Q8_0"]
    assert found[ODD]["changes"] == [{"what": "tag", "a": "F32", "b": "Q8_0"}]
    for name in ("relative_rmse", "sqnr_db", "max_error"):
        assert found[ODD]["values"][name] == pytest.approx(getattr(error, name), rel=1e-5)
    assert found["norm"]["identical"]
    assert found["norm"]["values"] is None


def test_text(run: Runner, tiny: Path, model: Path) -> None:
    """A line for what is said otherwise, a table of the tensors that differ, a summary."""
    ended = run("diff", tiny, model)
    lines = ended.out.splitlines()
    assert lines[0].startswith("blob ")
    assert lines[0].endswith(": absent in A, 4857 bytes in B")
    assert re.split(r" {2,}", lines[1]) == [
        "tensor",
        "tags",
        "bytes",
        "rel RMSE",
        "SQNR dB",
        "max error",
        "differing",
    ]
    assert lines[2].startswith("tok_embeddings")
    assert "F32 -> Q8_0  differ" in lines[2]
    assert lines[-1] == "29 tensors differ, 9 are identical"


def test_measures(run: Runner, tmp_path: Path) -> None:
    """Worked out by hand: w = (3, 4), e = (0, 1); NaN equals NaN."""
    nan = np.nan
    a = {"w": np.array([[3, 4]], np.float32), "n": np.array([nan, 1], np.float32)}
    b = {"w": np.array([[3, 3]], np.float32), "n": np.array([nan, 2], np.float32)}
    found = difference(run, tmp_path, a, b)
    w, n = found["tensors"]  # type: ignore[misc]
    assert w["values"] == pytest.approx({"relative_rmse": 0.2, "sqnr_db": 13.9794, "max_error": 1, "differing": 1})
    assert (n["values"]["differing"], n["values"]["max_error"]) == (1, 1)


@pytest.mark.parametrize(("one", "other"), [(np.inf, 5), (5, np.nan)])
def test_infinity_against_a_number(run: Runner, tmp_path: Path, one: float, other: float) -> None:
    """It counts as differing and is left out of the sums."""
    a, b = {"w": np.array([1, one], np.float32)}, {"w": np.array([1, other], np.float32)}
    (w,) = difference(run, tmp_path, a, b)["tensors"]  # type: ignore[misc]
    assert w["values"] == {"relative_rmse": 0.0, "sqnr_db": None, "max_error": 0.0, "differing": 1}


def test_integers_are_compared_exactly(run: Runner, tmp_path: Path) -> None:
    """Two that float64 cannot tell apart."""
    a, b = {"w": np.array([2**62, 7])}, {"w": np.array([2**62 + 1, 7])}
    (w,) = difference(run, tmp_path, a, b)["tensors"]  # type: ignore[misc]
    assert w["values"]["differing"] == 1


def test_tensors_and_shapes(run: Runner, tmp_path: Path) -> None:
    """Tensors that only one file has, or that differ in shape, are listed."""
    one = np.ones((2, 3), np.float32)
    found = difference(run, tmp_path, {"x": one, "y": one}, {"y": one.T.copy(), "z": one})
    assert (found["only_a"], found["only_b"], found["identical"]) == (["x"], ["z"], False)
    (y,) = found["tensors"]  # type: ignore[misc]
    assert y["changes"] == [{"what": "shape", "a": [2, 3], "b": [3, 2]}]
    assert y["values"] is None
    ended = run("diff", tmp_path / "a.safetensors", tmp_path / "b.safetensors")
    assert ended.out.splitlines()[:3] == ["only in A: x", "only in B: z", "y: shape: (2, 3) in A, (3, 2) in B"]


def test_what_the_index_says(run: Runner, model: Path, tmp_path: Path) -> None:
    """Differences of architecture, hyper-parameters and encoder versions are listed."""

    def edit(index: Index) -> Index:
        tensors = tuple(t._replace(encoder_version=9) if t.name == ODD else t for t in index.tensors)
        return attrs.evolve(index, architecture="other", hyper={**index.hyper, "dim": 97}, tensors=tensors)

    rewrite_index(model, tmp_path / "b.bin", edit)
    ended = run("diff", model, tmp_path / "b.bin")
    assert ended.code == 1
    assert "architecture: llama in A, other in B\n" in ended.out
    assert "hyper-parameter dim: 96 in A, 97 in B\n" in ended.out
    assert f"{ODD}: encoder version: 1 in A, 9 in B\n" in ended.out


def test_an_unknown_format_is_compared_by_its_bytes(run: Runner, unknown: Path, model: Path) -> None:
    """Equal bytes are equal; where the other is in another format, it says that it cannot decode."""
    assert run("diff", unknown, unknown).code == 0
    ended = run("diff", unknown, model)
    assert ended.code == 1
    assert f"{ODD}: cannot be decoded: no installed package provides the format Nope" in ended.out
    entry = next(each for each in run("diff", unknown, model, "--json").document["tensors"] if each["name"] == ODD)
    assert (entry["values"], entry["same_bytes"]) == (None, False)
    assert entry["undecoded"].startswith("no installed package provides the format Nope")


def test_damage_is_an_error(run: Runner, model: Path, tmp_path: Path) -> None:
    """Exit code 3: nothing can be said of bytes that are not what they were."""
    with fourcc.open(model) as opened:
        offset = opened.record(ODD).parts[0].offset
    bad = bytearray(model.read_bytes())
    bad[offset] ^= 1
    (tmp_path / "bad.bin").write_bytes(bad)
    ended = run("diff", model, tmp_path / "bad.bin")
    assert ended.code == 3
    assert "is damaged" in ended.err
