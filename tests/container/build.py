"""Honest containers, made by the writer from arrays in memory."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from fourcc.container.index import ErrorRecord, Index, Provider, SourceRecord, TensorRecord
from fourcc.container.writer import Writer
from fourcc.encoding import encode
from fourcc.files.write import AtomicFile
from fourcc.qmatrix import QMatrix


def write_model(path: Path, tensors: Mapping[str, QMatrix], blobs: Mapping[str, bytes] | None = None) -> Path:
    """Writes tensors and blobs; every matrix of a tensor as one tile."""
    with AtomicFile(path) as out:
        writer = Writer(out)
        for name, q in tensors.items():
            writer.add(add_tensor(writer, name, q))
        for name, data in (blobs or {}).items():
            writer.blob(name, data)
        writer.finish(Index(tensors=()))
    return path


def add_tensor(writer: Writer, name: str, q: QMatrix) -> TensorRecord:
    """Writes a tensor's parts and gives its record."""
    parts = writer.tensor(name, q.format, q.shape, q.params)
    for matrix in q.matrices():
        parts.write(matrix, first_row=0)
    return TensorRecord(
        name=name,
        source_name=f"their.{name}",
        tag=q.tag,
        shape=q.shape,
        params=q.params,
        options={},
        parts=parts.finish(),
    )


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    """Seeded weights, float32."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def assorted() -> dict[str, QMatrix]:
    """One tensor of several formats each, a stack of experts, a vector, a scalar, and empty ones."""
    return {
        "embedding": encode(normal(7, 64), "F16"),
        "layers.0.wq": encode(normal(64, 64, seed=1), "Q8_0"),
        "layers.0.wk": encode(normal(32, 64, seed=2), "Q8_A"),
        "layers.0.w1": encode(normal(16, 64, seed=3), "Q4_A"),
        "experts": encode(normal(3, 4, 32, seed=4), "Q8_0"),
        "experts.plain": encode(normal(2, 3, 5, seed=5), "F32"),
        "norm": encode(normal(64, seed=6), "F32"),
        "scalar": encode(normal(seed=7), "F32"),
        "no.rows": encode(np.zeros((0, 32), np.float32), "Q8_0"),
        "no.experts": encode(np.zeros((0, 4, 32), np.float32), "Q8_0"),
    }


def write_example(path: Path) -> Path:
    """The worked example of ``specs/container.md``: a vector in F32 and a row in Q8_0."""
    with AtomicFile(path) as out:
        writer = Writer(out)
        writer.add(add_tensor(writer, "a", encode(np.array([1, -2], np.float32), "F32")))
        row = add_tensor(writer, "b", encode(np.eye(1, 32, dtype=np.float32), "Q8_0"))
        measured = ErrorRecord(relative_rmse=6.10352e-05, sqnr_db=84.2884, max_error=6.10352e-05)
        writer.add(row._replace(rule=0, encoder_version=1, error=measured, provider=0))
        writer.blob("policy.toml", b"version = 1\n")
        about = Index(
            tensors=(),
            architecture="llama",
            hyper={"dim": 32},
            sources=(SourceRecord("safetensors", 3, bytes(range(16))),),
            providers=(Provider("fourcc", "0.1.0"),),
        )
        writer.finish(about)
    return path
