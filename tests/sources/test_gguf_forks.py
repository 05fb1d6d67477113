"""Numbers of types that forks of llama.cpp use otherwise: the size of the data decides."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from fourcc.errors import SourceError
from fourcc.sources import open_source
from tests.sources.writers import gguf, written

PLAIN = ("z", (8,), 0, bytes(32))


def listed(tmp_path: Path, tensors: Sequence[tuple[str, tuple[int, ...], int, bytes]]) -> tuple[list[str], list[str]]:
    """The tags of the tensors that can be read, the layouts of those that cannot."""
    with open_source(written(tmp_path, "m", gguf([], [*tensors]))) as source:
        return [str(t.tag) for t in source.tensors], [t.layout for t in source.unreadable]


@pytest.mark.parametrize(
    ("number", "shape", "nbytes", "tag"),
    [(39, (4, 64), 136, "MXF4"), (40, (4, 64), 144, "NVF4"), (41, (4, 128), 72, "Q1_0"), (42, (4, 128), 144, "Q2_0")],
)
def test_the_size_of_ggmls_type_is_believed(
    tmp_path: Path, number: int, shape: tuple[int, ...], nbytes: int, tag: str
) -> None:
    assert listed(tmp_path, [("a", shape, number, bytes(nbytes)), PLAIN]) == ([tag, "F32"], [])
    assert listed(tmp_path, [PLAIN, ("a", shape, number, bytes(nbytes))]) == (["F32", tag], [])


@pytest.mark.parametrize(
    ("number", "shape", "nbytes", "layout"),
    [
        (40, (8, 128), 192, "1-bit blocks of PrismML's llama.cpp (ggml type 40, 32 weights in 6 bytes)"),
        (40, (8, 96), 144, "1-bit blocks of PrismML's llama.cpp (ggml type 40, 32 weights in 6 bytes)"),
        (42, (32, 128), 1088, "2-bit blocks of older PrismML's llama.cpp (ggml type 42, 128 weights in 34 bytes)"),
        (42, (8, 128), 192, "1-bit blocks of forks for TurboQuant (ggml type 42, 32 weights in 6 bytes)"),
        (43, (8, 128), 144, "1-bit blocks of forks for TurboQuant (ggml type 43, 128 weights in 18 bytes)"),
    ],
)
def test_the_size_of_a_forks_type_is_the_forks(
    tmp_path: Path, number: int, shape: tuple[int, ...], nbytes: int, layout: str
) -> None:
    """Wherever the tensor stands, it can be listed, and nothing takes it for ggml's."""
    assert listed(tmp_path, [("a", shape, number, bytes(nbytes)), PLAIN]) == (["F32"], [layout])
    assert listed(tmp_path, [PLAIN, ("a", shape, number, bytes(nbytes))]) == (["F32"], [layout])


def test_small_tensors_that_fit_both_follow_the_others(tmp_path: Path) -> None:
    """One block of 128 weights takes 34 or 36 bytes, and 64 with padding."""
    small, large = ("a", (1, 128), 42, bytes(34)), ("b", (32, 128), 42, bytes(1088))
    assert listed(tmp_path, [small, PLAIN]) == (["Q2_0", "F32"], [])
    assert listed(tmp_path, [small, large, PLAIN])[0] == ["F32"]
    assert listed(tmp_path, [large, small, PLAIN])[0] == ["F32"]


def test_a_size_that_fits_neither_names_both(tmp_path: Path) -> None:
    path = written(tmp_path, "m", gguf([], [("a", (32, 128), 42, bytes(1120)), PLAIN]))
    with pytest.raises(SourceError) as caught, open_source(path):
        pass
    text = str(caught.value)
    assert "'a'" in text
    assert "the size of the data is not that of the tensor's type" in text
    assert "found 1120 bytes up to the next tensor" in text
    both = "1152 bytes as Q2_0 (ggml type 42), or 1088 bytes as 2-bit blocks of older PrismML's llama.cpp"
    assert f"expected {both} or 768 bytes as 1-bit blocks of forks for TurboQuant" in text
    assert "made by a fork of llama.cpp that uses the number otherwise" in text


def test_two_tensors_of_two_makers_are_refused(tmp_path: Path) -> None:
    tensors = [("a", (32, 128), 42, bytes(1152)), ("b", (32, 128), 42, bytes(1088)), PLAIN]
    with (
        pytest.raises(SourceError, match="not that of the tensor's type"),
        open_source(written(tmp_path, "m", gguf([], tensors))),
    ):
        pass


def test_a_type_of_unknown_size_is_named(tmp_path: Path) -> None:
    """bitnet.cpp's TL2 has the number of MXFP4, and sizes of its own."""
    path = written(tmp_path, "m", gguf([], [("a", (32, 128), 39, bytes(1000)), PLAIN]))
    with (
        pytest.raises(SourceError, match=r"2176 bytes as MXFP4 \(ggml type 39\), or others as TL2 of bitnet.cpp"),
        open_source(path),
    ):
        pass


def test_a_last_tensor_that_is_cut_is_not_taken_for_a_forks(tmp_path: Path) -> None:
    path = written(tmp_path, "m", gguf([], [PLAIN, ("a", (32, 128), 42, bytes(1152))])[:-32])
    with pytest.raises(SourceError, match="cut or damaged"), open_source(path):
        pass
