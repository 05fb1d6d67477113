"""Faults that fuzzing found: a file each, and the outcomes that it may have. See `tests.fuzz.run`."""

import errno
import json
import re
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import fourcc
from fourcc.cli.app import main
from fourcc.errors import FourccError, SourceError, TableError
from fourcc.policy import Policy
from fourcc.sources import open_source
from tests.container.forge import forge, index_of, padded, part, sums, tensor
from tests.fuzz.attempt import attempted
from tests.sources import writers as w
from tests.sources.writers_weight_only import checkpoint

HUGE = 2**62


def one_tensor(shape: str, begin: object, end: object) -> bytes:
    """A safetensors file of no bytes, its header's numbers as text: JSON has no bound for them."""
    text = f'{{"a":{{"dtype":"F32","shape":{shape},"data_offsets":[{begin},{end}]}}}}'
    return w.framed(text.encode())


NUMBERS = {
    "309 digits": (one_tensor("[1" + "0" * 309 + ",0]", 0, 0), r"found shape \[10{309}, 0\], expected a list of integ"),
    "4300 digits, end": (one_tensor("[0]", 0, "9" * 4300), r"found data_offsets \[0, 9+\.\.\. \(1039 char"),
    "4300 digits, both": (one_tensor("[1]", "9" * 4300, "9" * 4300), "data_offsets"),
    "10^2200 twice": (one_tensor("[1" + "0" * 2200 + ",1" + "0" * 2200 + "]", 0, 0), "expected a list of integers"),
    "2^63": (one_tensor("[9223372036854775808,0]", 0, 0), r"found shape \[9223372036854775808, 0\], expected a list"),
    "0 and 2^62": (one_tensor("[0,4611686018427387904]", 0, 0), "no memory can hold an array of that shape"),
}


@pytest.mark.parametrize(("data", "what"), NUMBERS.values(), ids=NUMBERS)
def test_integers_without_bounds(tmp_path: Path, data: bytes, what: str) -> None:
    """N1, M3: refused with file and tensor, in a message that can be printed."""
    path = w.written(tmp_path, "s.safetensors", data)
    with pytest.raises(SourceError, match=what) as caught:
        open_source(path)
    assert str(caught.value).startswith(f"{path}, tensor 'a', byte 8: ") or "tensor 'a'" in str(caught.value)
    assert len(str(caught.value)) < 3000


def npz_header(shape: str) -> bytes:
    """An .npz of one array without bytes."""
    import io
    import zipfile

    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("w.npy", b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text)
    return out.getvalue()


EMPTY_AND_HUGE: dict[str, Callable[[Path, list[int]], Path]] = {
    "model.bin": lambda path, shape: forge(
        path, index_of([tensor("w", shape, [part("w", b"", 64, shape)])], []), payload=b""
    ),
    "safetensors": lambda path, shape: w.written(path.parent, path.name, one_tensor(str(shape), 0, 0)),
    "GGUF": lambda path, shape: w.written(path.parent, path.name, w.gguf([], [("w", tuple(shape), 0, b"")])),
    "npz": lambda path, shape: w.written(path.parent, path.name, npz_header(str(tuple(shape)))),
}


@pytest.mark.parametrize("shape", [[0, HUGE], [HUGE, 0], [0, 2**40, 2**22], [0, 2**61]])
@pytest.mark.parametrize("kind", EMPTY_AND_HUGE)
def test_an_empty_tensor_of_huge_dimensions(tmp_path: Path, kind: str, shape: list[int]) -> None:
    """M3: numpy can make no such array though it has no bytes; refused on opening, wherever it is said."""
    path = EMPTY_AND_HUGE[kind](tmp_path / "m", shape)
    with pytest.raises(FourccError, match=r"no memory can hold|fewer than 2\^63 bytes|is too large|F32") as caught:
        open_source(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("dtype", ["I8", "BOOL", "F64"])
def test_the_bound_is_one_for_all_formats(tmp_path: Path, dtype: str) -> None:
    """M3: statistics and products compute with more bytes than are stored."""
    data = one_tensor(f"[0,{2**60}]", 0, 0).replace(b'"F32"', f'"{dtype}"'.encode())
    header = data[8:]
    with pytest.raises(SourceError, match="no memory can hold an array of that shape"):
        open_source(w.written(tmp_path, "m", len(header).to_bytes(8, "little") + header))


@pytest.mark.parametrize("kind", EMPTY_AND_HUGE)
def test_the_largest_empty_tensor(tmp_path: Path, kind: str) -> None:
    """M3, the other side of the bound: opened, and read for what it is."""
    path = EMPTY_AND_HUGE[kind](tmp_path / "m", [0, 2**60 - 1])
    assert attempted(path) is None
    if kind == "model.bin":
        with fourcc.open(path) as model:
            assert model["w"].decode().shape == (0, 2**60 - 1)


@pytest.mark.parametrize("shape", [[2**59, 1, 0], [2**59, 0, 1], [2**20, 2**39, 0, 0]])
@pytest.mark.parametrize("policy", [None, "Q8_0"])
def test_very_many_empty_matrices(tmp_path: Path, shape: list[int], policy: str | None) -> None:
    """Found by `tests.fuzz.run`: a conversion went through 2^59 matrices without a weight, one by one."""
    path, out = w.written(tmp_path, "m.safetensors", one_tensor(str(shape), 0, 0)), tmp_path / "out.bin"
    fourcc.convert(path, out, policy=policy and Policy.shorthand(f"{policy},F32"))
    with fourcc.open(out) as model:
        assert model["a"].decode().shape == tuple(shape)
    assert fourcc.verify(out) == ()


NAMES = ["token_embd.weight", "output.weight", "output_norm.weight", "rope_freqs.weight"]
NAMES += [f"blk.0.{name}.weight" for name in w.GGUF_NAMES.values()]
NAMES += [f"blk.0.attn_{kind}.bias" for kind in "qkv"]


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "qwen3"])
@pytest.mark.parametrize("name", NAMES)
def test_a_gguf_tensor_without_dimensions(tmp_path: Path, architecture: str, name: str) -> None:
    """N2: a scalar is a tensor like any other; where a matrix is meant it is refused, or noted."""
    keys = w.gguf_llama_keys(w.HEADER, architecture)
    path = w.written(tmp_path, "m.gguf", w.gguf(keys, [(name, (), 0, bytes(4))]))
    error = attempted(path)
    assert error is None or "tensor" in str(error)


@pytest.mark.parametrize("name", ["token_embd.weight", "blk.0.attn_q_norm.weight"])
def test_a_gguf_tensor_without_dimensions_alone(tmp_path: Path, name: str) -> None:
    """N2: no other key beside the architecture."""
    keys = [w.gguf_key("general.architecture", 8, "qwen2")]
    path = w.written(tmp_path, "m.gguf", w.gguf(keys, [(name, (), 0, bytes(4))]))
    attempted(path)


@pytest.fixture
def misfit(tmp_path: Path) -> Path:
    """N5: a model.bin whose parts are not what their format declares; digest and sums are right."""
    tree = index_of([tensor("w", [2, 2, 3], [part("w", b"", 64, [0])])], [])
    return forge(tmp_path / "m.bin", tree, payload=b"")


@pytest.mark.parametrize(
    "use",
    [
        lambda q: q[0],
        list,
        lambda q: list(q.matrices()),
        lambda q: q.decode(),
        lambda q: list(q.tiles()),
        lambda q: next(iter(q)),
    ],
    ids=["item", "list", "matrices", "decode", "tiles", "iter"],
)
def test_parts_that_do_not_fit(misfit: Path, use: Callable[[object], object]) -> None:
    """N5: compared before anything goes through them."""
    with (
        fourcc.open(misfit) as model,
        pytest.raises(TableError, match="'w': part 'values' does not fit the format F32"),
    ):
        use(model["w"])


def test_parts_that_do_not_fit_are_damage(misfit: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """N5: `verify` said "no damage"."""
    (damage,) = fourcc.verify(misfit)
    assert damage.tensor == "w"
    assert damage.what == "part 'values' does not fit the format F32: found (0,) <f4, expected (2, 2, 3) <f4"
    assert (damage.offset, damage.nbytes) == (64, 0)
    assert main(["verify", str(misfit)]) == 1
    said = capsys.readouterr().out
    assert "tensor 'w': part 'values' does not fit the format F32: found (0,) <f4, expected (2, 2, 3) <f4\n" in said
    assert said.endswith("1 damaged place\n")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"dtype": "<f2", "nbytes": 4}, r"found \(1, 2\) <f2, expected \(1, 2\) <f4"),
        ({"name": "codes"}, r"wrong parts: found \['codes'\], expected \['values'\]"),
    ],
)
def test_other_misfits(tmp_path: Path, change: dict[str, object], says: str) -> None:
    """N5: another dtype, another part; the file is honest in all else."""
    data = bytes(int(str(change.get("nbytes", 8))))
    made = {**part("w", data, 64, [1, 2]), **change}
    made["sums"] = sums("w", str(made["name"]), data)
    path = forge(tmp_path / "m.bin", index_of([tensor("w", [2], [made])], []), payload=padded(data))
    assert [re.search(says, damage.what) is not None for damage in fourcc.verify(path)] == [True]
    with pytest.raises(TableError, match=says):
        fourcc.convert(path, tmp_path / "out.bin")


def test_a_format_that_is_not_installed_is_not_asked(tmp_path: Path) -> None:
    """A file can be verified, and copied, whatever is installed."""
    tree = index_of([tensor("w", [2], [part("w", b"", 64, [0])], tag="Nope")], [])
    path = forge(tmp_path / "m.bin", tree, payload=b"")
    assert fourcc.verify(path) == ()
    fourcc.convert(path, tmp_path / "out.bin")


def test_parts_that_do_not_fit_are_not_copied(misfit: Path, tmp_path: Path) -> None:
    """N5: the sums of such a file are right, and it is wrong all the same."""
    out = tmp_path / "out.bin"
    with pytest.raises(
        TableError, match=r"m\.bin, tensor 'w': part 'values' does not fit the format F32: found \(0,\)"
    ):
        fourcc.convert(misfit, out)
    assert not out.exists()


def gptq_with(tmp_path: Path, ending: str, shape: list[int]) -> Path:
    """N7: a checkpoint in GPTQ's or compressed-tensors' layout, one tensor's shape replaced by one of no elements."""
    kind = "gptq" if ending == "g_idx" else "compressed"
    arrays, config, _ = checkpoint(next(each for each in kinds() if each.startswith(kind)))
    arrays.pop(name := next((each for each in arrays if each.endswith(f"q_proj.{ending}")), f"x.{ending}"), None)
    if name.startswith("x."):
        name = next(each for each in arrays if each.endswith("q_proj.weight_packed")).replace("weight_packed", ending)
    folder = tmp_path / "folder"
    folder.mkdir()
    data = w.safetensors(arrays)
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    end = len(data) - 8 - length
    header[name] = w.entry("I32" if ending == "g_idx" else "I64", shape, [end, end])
    w.written(folder, "model.safetensors", w.framed(json.dumps(header).encode(), data[8 + length :]))
    w.written(folder, "config.json", config)
    return folder


def kinds() -> list[str]:
    """The kinds of weight-only checkpoints that the tests can write."""
    from tests.sources.writers_weight_only import KINDS

    return list(KINDS)


@pytest.mark.parametrize("ending", ["g_idx", "weight_shape"])
@pytest.mark.parametrize("shape", [[0, 2**33, 1], [0, 2**33], [0], [0, HUGE, HUGE], [0, HUGE]])
def test_a_part_without_elements(tmp_path: Path, ending: str, shape: list[int]) -> None:
    """N7: its shape is compared before it is read; nothing asks for 32 GiB."""
    with pytest.raises(SourceError, match=r"does not name a group|two numbers|too many dim|no memory"):
        open_source(gptq_with(tmp_path, ending, shape))


def test_a_read_is_compared_with_the_file(tmp_path: Path) -> None:
    """N7's root: no memory is taken for what the file cannot hold."""
    from fourcc.files.read import ReadFile

    file = ReadFile(w.written(tmp_path, "m", b"12345"), SourceError)
    assert file.read(1, 4) == b"2345"
    with pytest.raises(SourceError, match=f"m, byte 5: the file ends too early, expected {2**50 - 4} more bytes"):
        file.read(1, 2**50)
    file.close()


@pytest.mark.parametrize("length", [243, 244, 300, 5000])
def test_a_shard_s_long_name(tmp_path: Path, length: int) -> None:
    """N10: no file has it, so it is missing, as any other."""
    name = "x" * length + ".safetensors"
    path = w.written(tmp_path, "m.safetensors.index.json", {"metadata": {}, "weight_map": {"a": name}})
    with pytest.raises(SourceError, match="1 of 1 files that the index names are missing: xxx") as caught:
        open_source(path)
    assert caught.value.exit_code == 3


HYPER = {
    "factors that are texts": {"rope_scaling.type": "factors", "rope_scaling.factors": ["a", "b"]},
    "seq_len is a truth value": {"seq_len": True},
    "seq_len beyond all": {"seq_len": HUGE},
    "a factor of 5e-324": {"rope_scaling.type": "linear", "rope_scaling.factor": 5e-324},
    "factors of 0": {"rope_scaling.type": "factors", "rope_scaling.factors": [0, 0]},
}


@pytest.mark.parametrize("changes", HYPER.values(), ids=HYPER)
@pytest.mark.filterwarnings("error")
def test_hyper_parameters(tmp_path: Path, changes: dict[str, object]) -> None:
    """N8: answered or refused, without warnings; a model never gives NaN in silence."""
    from tests.fuzz.hyper import honest_model, logits_of

    try:
        logits = logits_of(honest_model(tmp_path / "m.bin", changes))
    except FourccError as error:
        assert str(error)  # noqa: PT017 - or an answer
    else:
        assert np.isfinite(logits).all()


def test_an_error_of_the_disk_is_no_missing_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """N10's other side: only a name that cannot be counts as missing."""
    from fourcc.files.beside import file_in

    def fail(_: Path) -> bool:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "is_symlink", fail)
    with pytest.raises(OSError, match="Input/output error"):
        file_in(tmp_path, "m")


def test_gguf_magic_is_as_the_writers_have_it() -> None:
    """The seeds of the corpus are files of the kinds that they stand for."""
    assert w.gguf([], []).startswith(b"GGUF" + struct.pack("<I", 3))
