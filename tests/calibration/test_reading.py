"""Reading calibration files: those of llama.cpp, stored and made up, and files that are damaged or lie."""

import base64
import contextlib
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fourcc
from fourcc.calibration.calibration import Calibration, CalibrationText
from fourcc.calibration.reading import open_calibration
from fourcc.errors import InputError
from tests.calibration.comparing import differs
from tests.calibration.test_collecting import collected, work
from tests.calibration.writing import ARRAY, FOREIGN, OWN, QUERY, STRING, SUMS, UINT32, UINT64, dat, entry, imatrix
from tests.lanes import llama_imatrix
from tests.sources.writers import gguf_key

WQ = "layers.0.attention.wq"
DEFAULT = (f"{QUERY}.in_sum2", f"{QUERY}.counts")


def opened(tmp_path: Path, data: bytes) -> Calibration:
    """The calibration in some bytes."""
    path = tmp_path / "some.imatrix"
    path.write_bytes(data)
    return open_calibration(path)


# -- llama.cpp's files


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Calibration:
    """Our calibration on the tokens that the stored files were made from."""
    folder = tmp_path_factory.mktemp("ours")
    tiny = llama_imatrix.MODELS / "tiny.bin"
    fourcc.convert(tiny, folder / "model.bin", tokenizer=tiny.with_name("tiny_tokenizer.bin"))
    return llama_imatrix.ours(folder / "model.bin", folder)


@pytest.mark.parametrize("kind", llama_imatrix.KINDS)
def test_llama_cpp_sees_the_same_importance(root: Path, tmp_path: Path, ours: Calibration, kind: str) -> None:
    """In files that it wrote; it leaves out the classifier of a tied model."""
    stored = json.loads((root / "tests" / "vectors" / "imatrix.json").read_text())
    theirs = opened(tmp_path, base64.b64decode(stored["files"][kind]))
    assert len(theirs.statistics) == 28
    assert set(ours.statistics) - set(theirs.statistics) == {"tok_embeddings"}
    assert differs(theirs, ours) < 1e-4
    assert theirs.texts == (CalibrationText("heldout.txt"),)
    assert (theirs.model, theirs.tokens) == (None, None)
    assert (theirs.kind, theirs.context) == (("imatrix GGUF", 64) if kind == "gguf" else ("imatrix .dat", None))


def test_foreign_sums_and_counts(tmp_path: Path) -> None:
    """A single matrix, whose dimensions of 1 may be left out, and of experts."""
    experts = {
        "blk.1.ffn_up_exps.weight.in_sum2": np.array([[4, 8], [0, 0], [3, 3]], "<f4"),
        "blk.1.ffn_up_exps.weight.counts": np.array([[2], [0], [3]], "<f4"),
        "odd.weight.in_sum2": np.array([1, 2, 3], "<f4"),
        "odd.weight.counts": np.array([1], "<f4"),
    }
    found = opened(tmp_path, imatrix({**SUMS, **experts, "odd.weight.in_sum": np.zeros(3, "<f4")}))
    assert found.statistics[WQ].importance.tolist() == [[0.5, 1, 0.5, 2]]
    assert found.statistics["layers.1.feed_forward.experts.w3"].importance.tolist() == [[2, 4], [1, 1], [1, 1]]
    assert found.statistics["odd.weight"].importance.tolist() == [[1, 2, 3]]
    assert (found.kind, found.context, found.hessian(WQ)) == ("imatrix GGUF", 512, None)
    assert found.texts == (CalibrationText("a.txt"), CalibrationText("b.txt"))


def test_the_older_kind(tmp_path: Path) -> None:
    """Values are mean squares times calls; what follows the entries may be missing."""
    entries = (entry(QUERY, 4, [2, 4, 1, 8]), entry("odd", 0, [1, 1]))
    for end in (b"", struct.pack("<i", 7), struct.pack("<ii", 7, 5) + b"a.txt"):
        found = opened(tmp_path, dat(*entries, end=end))
        assert found.statistics[WQ].importance.tolist() == [[0.5, 1, 0.25, 2]]
        assert found.statistics["odd"].importance.tolist() == [[1, 1]]
        assert found.texts == ((CalibrationText("a.txt"),) if len(end) > 4 else ())
    assert (found.kind, found.tokens, found.context, found.model) == ("imatrix .dat", None, None, None)


# -- damage

BAD = "some.imatrix, tensor 'blk.0.attn_q.weight"
DAMAGED = f"{BAD}.*': the calibration is damaged"
WRONG: dict[str, tuple[bytes, str]] = {
    "another type": (imatrix(keys=[gguf_key("general.type", STRING, "model")]), "no calibration: found general.type ="),
    "another version": (imatrix(keys=[*FOREIGN, gguf_key("fourcc.calibration.version", UINT32, 2)]), "another version"),
    "a version that is no number": (
        imatrix(keys=[*FOREIGN, gguf_key("fourcc.calibration.version", STRING, "x")]),
        "'fourcc.calibration.version' has a value of another kind: found 'x', expected int",
    ),
    "no tensors": (imatrix({}), "the calibration is empty"),
    "sums alone": (imatrix({DEFAULT[0]: SUMS[DEFAULT[0]]}), "weight': a matrix has only one of two tensors, expected"),
    "counts alone": (imatrix({DEFAULT[1]: SUMS[DEFAULT[1]]}), "a matrix has only one of two tensors"),
    "sums that are not finite": (imatrix({**SUMS, DEFAULT[0]: np.array([np.nan], "<f4")}), DAMAGED),
    "negative sums": (imatrix({**SUMS, DEFAULT[0]: np.array([-1], "<f4")}), f"{DAMAGED}: found one that is negative"),
    "integer sums": (imatrix({**SUMS, DEFAULT[0]: np.array([1], "<i4")}), "found ggml type 26, expected ggml type 0"),
    "negative counts": (imatrix({**SUMS, DEFAULT[1]: np.array([-4], "<f4")}), f"{DAMAGED}: found one that is no count"),
    "counts that are not whole": (imatrix({**SUMS, DEFAULT[1]: np.array([4.5], "<f4")}), "found one that is no count"),
    "infinite counts": (imatrix({**SUMS, DEFAULT[1]: np.array([np.inf], "<f4")}), "found one that is no count"),
    "sums of no whole matrix": (
        imatrix({**SUMS, DEFAULT[1]: np.array([4, 4, 4], "<f4")}),
        "found 4 sums, expected a multiple of 3, the counts",
    ),
    "other exact counts": (imatrix({**SUMS, f"{QUERY}.tokens": np.array([5], "<i8")}), r"found \[5\], expected \[4"),
    "another number of exact counts": (imatrix({**SUMS, f"{QUERY}.tokens": np.array([4, 4], "<i8")}), DAMAGED),
    "a range of NaN": (imatrix({**SUMS, f"{QUERY}.in_min": np.array([[np.nan] * 4], "<f4")}), "or NaN"),
    "a range of other columns": (imatrix({**SUMS, f"{QUERY}.in_max": np.array([[1]], "<f4")}), DAMAGED),
    "magnitudes of other bins": (imatrix({**SUMS, f"{QUERY}.magnitudes": np.ones((1, 1, 9), "<i4")}), DAMAGED),
    "negative magnitudes": (imatrix({**SUMS, f"{QUERY}.magnitudes": -np.ones((1, 1, 256), "<i4")}), "negative count"),
    "a Hessian of other columns": (imatrix({**SUMS, f"{QUERY}.hessian": np.ones((3, 3), "<f4")}), r"found \(3, 3\)"),
    "shared with nobody": (
        imatrix(keys=[*OWN, gguf_key("fourcc.shared.matrices", ARRAY, ["x"], STRING)]),
        "do not go together: found 'x', which has no sums",
    ),
    "shared by one too many": (
        imatrix(keys=[*OWN, gguf_key("fourcc.shared.matrices", ARRAY, [QUERY], STRING)]),
        "do not go together: found 1 and 0 names",
    ),
    "texts that are numbers": (
        imatrix(keys=[FOREIGN[0], gguf_key("imatrix.datasets", ARRAY, [1, 2], UINT32)]),
        "'imatrix.datasets' has a value of another kind",
    ),
    "a digest too few": (
        imatrix(keys=[*OWN, gguf_key("fourcc.texts", ARRAY, ["x"], STRING)]),
        "do not go together: found 1, expected 2 digests",
    ),
    "tokens that are a text": (imatrix(keys=[*OWN, gguf_key("fourcc.tokens", STRING, "x")]), "value of another kind"),
    "an empty file": (b"", "the file ends within the number of entries"),
    "another file": (
        b"\x01\x02\x03\xff and so on",
        "neither an imatrix in GGUF, nor one of the older kind",
    ),
    "a document": (b"%PDF-1.7 and so on", "this is no calibration: it looks like a PDF document. `fourcc calib"),
    "no entries": (dat(), "this is no calibration: it looks like nothing but zeros"),
    "more entries than there are": (dat(entry("a", 1, [1]), count=2), "neither an imatrix"),
    "a cut entry": (
        dat(entry("a", 1, [1, 2, 3]))[:-5],
        "the number of values cannot be true: found 3, expected 1 to 1",
    ),
    "a false number of values": (dat(entry("a", 1, [1], 2**30)), "the number of values cannot be true"),
    "negative calls": (dat(entry("a", -1, [1])), "the number of calls cannot be true: found -1"),
    "values that are not finite": (dat(entry("a", 1, [np.inf])), "'a', byte 17: the calibration is damaged"),
    "a name that is no text": (dat(entry("a", 1, [1]).replace(b"a", b"\xff")), "nor one of the older kind: found b"),
    "one name for two": (dat(entry("a", 1, [1]), entry("a", 1, [1])), "'a', byte 21: two entries have this name"),
    "a name that is cut": (dat(entry("a", 1, [1]), end=struct.pack("<ii", 1, 9) + b"x"), "ends within the text's name"),
    "more than there is": (dat(entry("a", 1, [1]), end=struct.pack("<ii", 1, 1) + b"xyz"), "found 2 more bytes"),
}


@pytest.mark.parametrize("problem", WRONG)
def test_what_is_wrong_is_said(tmp_path: Path, problem: str) -> None:
    """Each with the file's name."""
    data, says = WRONG[problem]
    with pytest.raises(InputError, match=says) as raised:
        opened(tmp_path, data)
    assert raised.value.file == str(tmp_path / "some.imatrix")


def test_a_cut_tensor(tmp_path: Path) -> None:
    """The file is shorter than its head says."""
    with pytest.raises(InputError, match=r"counts': the calibration is damaged: found a file of \d+ bytes, expected"):
        opened(tmp_path, imatrix()[:-32])


def test_counts_beyond_those_of_float32(tmp_path: Path) -> None:
    """Exact ones lie beside those that llama.cpp reads."""
    many = 2**24 + 1
    tensors = {**SUMS, DEFAULT[1]: np.array([many], "<f4"), f"{QUERY}.tokens": np.array([many], "<i8")}
    assert opened(tmp_path, imatrix(tensors)).statistics[WQ].counts.tolist() == [many]


def test_a_hessian_whose_diagonal_is_wrong(tmp_path: Path) -> None:
    """The mean squares say what it has to be."""
    keys = [*OWN, gguf_key("fourcc.tokens", UINT64, 4)]
    right = np.diag([0.5, 1, 0, 2]).astype("<f4")
    found = opened(tmp_path, imatrix({**SUMS, f"{QUERY}.hessian": right}, keys))
    np.testing.assert_array_equal(found.hessian(WQ), right)
    damaged = opened(tmp_path, imatrix({**SUMS, f"{QUERY}.hessian": right + np.eye(4, dtype="<f4")}, keys))
    with pytest.raises(InputError, match=r"wq': the Hessian is damaged: its diagonal is not the mean squares"):
        damaged.hessian(WQ)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file of ours."""
    return collected(tmp_path_factory.mktemp("whole") / "model.calib", work()).path.read_bytes()


@given(draw=st.data())
def test_damage_gives_errors_of_ours_alone(
    whole: bytes, tmp_path_factory: pytest.TempPathFactory, draw: st.DataObject
) -> None:
    """Wherever a byte is changed or the file ends."""
    older = draw.draw(st.booleans())
    data = bytearray(dat(entry(QUERY, 4, [2, 4, 1]), entry("b", 1, [1])) if older else whole[:6000])
    at = draw.draw(st.integers(0, len(data) - 1))
    data[at] = draw.draw(st.integers(0, 255))
    kept = data[: draw.draw(st.integers(0, len(data)))] if draw.draw(st.booleans()) else data
    with contextlib.suppress(InputError):
        opened(tmp_path_factory.getbasetemp(), bytes(kept) + (b"" if older else whole[6000:]))


def everything(found: Calibration) -> list[object]:
    """All that a calibration says."""
    about = [found.kind, found.model, found.texts, found.tokens, found.context]
    each = [
        (name, some.squares, some.counts, some.minimum, some.maximum, some.magnitudes, found.hessian(name))
        for name, some in found.statistics.items()
    ]
    return [*about, *([part.tobytes() if isinstance(part, np.ndarray) else part for part in one] for one in each)]


@given(draw=st.data())
def test_no_changed_byte_is_believed(
    whole: bytes, tmp_path_factory: pytest.TempPathFactory, draw: st.DataObject
) -> None:
    """Each is an error, or lies where nothing is read: between tensors, and in the name of the checksums."""
    folder = tmp_path_factory.getbasetemp()
    intact = everything(opened(folder, whole))
    head = draw.draw(st.booleans())  # or anywhere; most of the file are histograms and Hessians
    data, at = bytearray(whole), draw.draw(st.integers(0, 6000 if head else len(whole) - 1))
    data[at] ^= 1 << draw.draw(st.integers(0, 7))
    try:
        found = everything(opened(folder, bytes(data)))
    except InputError:
        return
    assert found == intact


def test_a_damaged_sum_is_named(whole: bytes, tmp_path: Path) -> None:
    """With both checksums, and what to do."""
    squares = opened(tmp_path, whole).statistics[WQ].squares.astype("<f4").tobytes()
    damaged = bytearray(whole)
    damaged[whole.index(squares)] ^= 1
    says = r"in_sum2': the calibration is damaged: found checksum [0-9a-f]{16}, expected [0-9a-f]{16}\. Calibrate the"
    with pytest.raises(InputError, match=says):
        opened(tmp_path, bytes(damaged))
