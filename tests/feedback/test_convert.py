"""Error feedback in `convert`: which tensors get it, what the file says of it, and what is refused."""

import contextlib
import hashlib
import re
from pathlib import Path

import numpy as np
import pytest

import fourcc
from fourcc.container.index import FeedbackRecord, TensorRecord
from fourcc.container.reader import ModelFile
from fourcc.conversion.plan import plan
from fourcc.errors import FourccError, TableError, UsageError
from fourcc.feedback.feedback import Feedback
from fourcc.format import Format
from fourcc.plugins.registry import registry
from fourcc.policy import Policy
from fourcc.sources import open_source
from tests.container.forge import forge, honest
from tests.core.fakes import installed
from tests.core.seam_formats import GRID, TRELLIS
from tests.feedback.hessians import hessian
from tests.testing import broken_formats as broken

WQ, EMBEDDING, NORM = "layers.0.attention.wq", "tok_embeddings", "norm"
H = hessian(64)
AIDS = {name: fourcc.Aids(None, H) for name in (WQ, EMBEDDING)}


ENDING = {"EXIT", "SEGFAULT", "ENDLESS", "ENDLESS_ENCODER", "ENDLESS_BLOCK"}  # the process, or never
BROKEN = [name for name, fmt in vars(broken).items() if isinstance(fmt, Format) and fmt.encode and name not in ENDING]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A matrix, an embedding and a norm."""
    random = np.random.default_rng(0)
    arrays = {WQ: random.standard_normal((40, 64)), EMBEDDING: random.standard_normal((30, 64)), NORM: np.ones(64)}
    np.savez(tmp_path / "source.npz", **{name: array.astype(np.float32) for name, array in arrays.items()})
    return tmp_path / "source.npz"


def records(path: Path) -> dict[str, TensorRecord]:
    with ModelFile(path) as model:
        return {record.name: record for record in model.index.tensors}


def test_matrices_get_it_and_embeddings_do_not(source: Path, tmp_path: Path) -> None:
    plain, fed = tmp_path / "plain.bin", tmp_path / "fed.bin"
    fourcc.convert(source, plain, format="Q4_0,F16", aids=AIDS)
    fourcc.convert(source, fed, format="Q4_0,F16", aids=AIDS, feedback="gptq")
    digest = hashlib.blake2b(H.tobytes(), digest_size=16).digest()
    assert records(fed)[WQ].feedback == FeedbackRecord("gptq", 0.01, "activity", digest)
    assert {name for name, record in records(fed).items() if record.feedback is not None} == {WQ}
    with fourcc.open(plain) as one, fourcc.open(fed) as two, np.load(source) as original:
        same = {name: one[name].decode().tobytes() == two[name].decode().tobytes() for name in one}
        alone = fourcc.encode(original[WQ], "Q4_0", aids=AIDS[WQ], feedback="gptq")
        assert two[WQ].parts["blocks"].tobytes() == alone.parts["blocks"].tobytes()
    assert same == {WQ: False, EMBEDDING: True, NORM: True}
    errors = [records(path)[WQ].error for path in (plain, fed)]
    assert errors[0] is not None
    assert errors[1] is not None
    assert (errors[1].sqnr_db or 0) < (errors[0].sqnr_db or 0)  # of the weights


def test_a_file_without_it_has_no_key_for_it(source: Path, tmp_path: Path) -> None:
    """So its bytes are those of older versions."""
    fourcc.convert(source, tmp_path / "plain.bin", format="Q4_0,F16", aids=AIDS)
    fourcc.convert(source, tmp_path / "fed.bin", format="Q4_0,F16", aids=AIDS, feedback=Feedback(damping=0.5))
    assert b"feedback" not in (tmp_path / "plain.bin").read_bytes()
    assert b"feedback" in (tmp_path / "fed.bin").read_bytes()
    made = records(tmp_path / "fed.bin")[WQ].feedback
    assert made is not None
    assert made.damping == 0.5


def test_threads_do_not_change_the_bytes(source: Path, tmp_path: Path) -> None:
    outputs = [tmp_path / f"{threads}.bin" for threads in (1, 3)]
    for threads, output in zip((1, 3), outputs, strict=True):
        fourcc.convert(source, output, format="Q4_0,F16", aids=AIDS, feedback="gptq", threads=threads)
    assert outputs[0].read_bytes() == outputs[1].read_bytes()


def test_it_is_kept_where_the_tensor_is_copied(source: Path, tmp_path: Path) -> None:
    fourcc.convert(source, tmp_path / "first.bin", format="Q4_0,F16", aids=AIDS, feedback="gptq")
    fourcc.convert(tmp_path / "first.bin", tmp_path / "second.bin")
    assert records(tmp_path / "second.bin")[WQ].feedback == records(tmp_path / "first.bin")[WQ].feedback


def test_a_format_that_cannot_take_it_has_no_record(source: Path, tmp_path: Path) -> None:
    """A trellis whose block is a row; blocks of several rows have codes of weights, so they can."""
    for fmt, taken in ((TRELLIS, False), (GRID, True)):
        with installed(fmt):
            policy = Policy.shorthand(f"{fmt.tag},F32")
            fourcc.convert(source, tmp_path / "made.bin", policy=policy, aids=AIDS, feedback="gptq", force=True)
            assert (records(tmp_path / "made.bin")[WQ].feedback is not None) == taken


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_format_gives_errors_of_ours_alone(source: Path, tmp_path: Path, name: str) -> None:
    """Whether the plan asks how it takes feedback, or the conversion; nothing is left behind."""
    with contextlib.suppress(FourccError, MemoryError), registry.trying(getattr(broken, name)):
        policy = Policy.shorthand(f"{getattr(broken, name).tag},F32")
        with open_source(source) as opened:
            assert plan(opened, policy, aids=AIDS, feedback="gptq").file_bytes > 0
        fourcc.convert(source, tmp_path / "made.bin", policy=policy, aids=AIDS, feedback="gptq")
        (tmp_path / "made.bin").unlink()
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize(
    ("aids", "message"),
    [
        ({}, "error feedback needs Hessians, and there is none. Give a calibration that was made with"),
        ({WQ: fourcc.Aids(np.ones(64, np.float32))}, "error feedback needs Hessians, and there is none"),
        ({EMBEDDING: fourcc.Aids(None, H)}, "error feedback needs Hessians, and there is none"),
        ({WQ: fourcc.Aids(None, H[:3])}, f"tensor '{WQ}': the hessian does not fit: found (3, 64), expected (64, 64)"),
    ],
    ids=["nothing", "importance", "embedding", "shape"],
)
def test_refused(source: Path, tmp_path: Path, aids: dict[str, fourcc.Aids], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        fourcc.convert(source, tmp_path / "model.bin", format="Q4_0,F16", aids=aids, feedback="gptq")
    assert not (tmp_path / "model.bin").exists()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "tensors: bad 'feedback': found None, expected a map"),
        ("gptq", "bad 'feedback': found 'gptq', expected a map"),
        ({"method": "gptq"}, "feedback: bad 'damping': found 'nothing', expected the key to be there"),
        (
            {"method": "gptq", "damping": 0.1, "order": "columns", "hessian": "ab"},
            "feedback: bad 'hessian': found 'ab'",
        ),
        ({"method": "gptq", "damping": 1, "order": "columns", "hessian": b""}, "feedback: bad 'damping': found 1"),
    ],
    ids=str,
)
def test_a_damaged_record(tmp_path: Path, value: object, message: str) -> None:
    tree = honest()
    tree["tensors"][0]["feedback"] = value
    with pytest.raises(TableError, match=re.escape(message.removeprefix("tensors: "))):
        ModelFile(forge(tmp_path / "m", tree))
