"""The files of llama2.c's forks: recognised by content and size, decoded as their own readers do, and run."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fourcc.cli.app import main
from fourcc.errors import SourceError
from fourcc.geometry import Geometry
from fourcc.sources import open_source
from tests.cli.making import Run, Runner
from tests.examples import examples
from tests.sources.test_fuzz import QUICK, survives
from tests.sources.writers import Arrays, decoded, llama, llama2c_v0, written
from tests.sources.writers_forks import awq_file, header, maxima, minimum, qmatrix

BLOCKS = {"dim": 256, "hidden": 512, "heads": 4, "kv_heads": 4, "layers": 2, "vocab": 300, "seq": 16}
FIRST = {"tok_embeddings": "q8_b", "wq": "q8_a", "wk": "q8_a", "wv": "q8_a", "wo": "q8_a", "w1": "q8_b", "w2": "q8_b"}
FIRST |= {"w3": "q8_b", "output": "q8_b"}
BINS = {"wq": "q4_a", "wk": "q4_a", "wv": "q4_a", "wo": "q4_a", "tok_embeddings": "q4_a"}
Made = tuple[bytes, Arrays]


def small(*, shared: bool = True, **changes: int) -> tuple[dict[str, int], Arrays]:
    """A model whose vocabulary is that of the tokenizers that tests make."""
    return llama(shared=shared, seed=3, **{"vocab": 300, "seq": 16, **changes})


def tokenizer() -> bytes:
    """llama2.c's tokenizer of 300 tokens: three marks, every byte, and letters."""
    texts = [b"<unk>", b"\n<s>\n", b"\n</s>\n", *(f"<0x{i:02X}>".encode() for i in range(256))]
    texts += [bytes([32 + i]) for i in range(41)]
    entries = b"".join(struct.pack("<fI", -float(i), len(text)) + text for i, text in enumerate(texts))
    return struct.pack("<I", max(map(len, texts))) + entries


SAMPLES: dict[str, Callable[[], Made]] = {
    "13 maxima": lambda: maxima(*small(kv_heads=3)),
    "minimum": lambda: minimum(*small(), 8, rope=False),
    "minimum, tables": lambda: minimum(*small(), 8, rope=True),
    "minimum, output": lambda: minimum(*small(shared=False), 8, rope=True),
    "4 bits": lambda: minimum(*small(), 4, rope=True),
    "4 bits, odd rows": lambda: minimum(*small(hidden=9), 4, rope=True),
    "QMatrix": lambda: qmatrix(*small(**BLOCKS), FIRST),
    "QMatrix, output": lambda: qmatrix(*small(shared=False, **BLOCKS), FIRST),
    "QMatrix, bins": lambda: qmatrix(*small(**BLOCKS), BINS),
    "AWQ": lambda: awq_file(*small(shared=False, **BLOCKS)),
}
KINDS = {
    "13 maxima": ("llama2.c (13 maxima, int8)", {"Q8_T"}),
    "minimum": ("llama2.c (minimum and scale, uint8)", {"Q8_M"}),
    "4 bits": ("llama2.c (minimum and scale, 4 bits)", {"Q4_M"}),
    "QMatrix": ("llama2.c QMatrix", {"Q8_A", "Q8_B", "F32"}),
    "QMatrix, bins": ("llama2.c QMatrix", {"Q4_A", "F32"}),
    "AWQ": ("llama2.c QMatrix", {"Q4_Z", "F32"}),
}
every = pytest.mark.parametrize("name", SAMPLES)


@pytest.fixture
def fourcc(capsys: pytest.CaptureFixture[str]) -> Runner:
    """Runs the command line in this process."""

    def call(*arguments: object) -> Run:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Run(code, captured.out, captured.err)

    return call


@every
def test_weights_are_those_of_the_forks_own_reader(tmp_path: Path, name: str) -> None:
    data, truth = SAMPLES[name]()
    with open_source(written(tmp_path, "m.bin", data)) as source:
        found = decoded(source)
        assert set(found) == set(truth)
        for tensor, expected in truth.items():
            assert found[tensor].tobytes() == expected.astype("<f4").tobytes(), tensor
        kind, tags = KINDS.get(name, (source.kind, {str(tensor.tag) for tensor in source.tensors}))
        assert (source.kind, {str(tensor.tag) for tensor in source.tensors}) == (kind, tags)
        assert source.hyper["tied_embeddings"] == ("output" not in truth)


@every
def test_a_row_alone_is_that_row(tmp_path: Path, name: str) -> None:
    """Rows of formats with blocks along rows are permuted, in Hugging Face's order too."""
    data, truth = SAMPLES[name]()
    with open_source(written(tmp_path, "m.bin", data)) as source:
        for tensor in source.tensors:
            if tensor.format.block[0] == 1 and len(tensor.shape) == 2:
                parts = tensor.read(0, 2, 4)
                rows = tensor.format.decode(parts, Geometry(2, tensor.shape[1], tensor.params))
                np.testing.assert_array_equal(rows, truth[tensor.name][2:4])


@pytest.mark.parametrize("name", ["QMatrix", "QMatrix, bins"])
def test_parts_are_the_records_bytes(tmp_path: Path, name: str) -> None:
    data, _ = SAMPLES[name]()
    with open_source(written(tmp_path, "m.bin", data)) as source:
        for tensor in source.tensors:
            parts = tensor.read(0, 0, tensor.shape[0] if len(tensor.shape) == 2 else 1)
            run = b"".join(parts[part.name].tobytes() for part in tensor.format.parts)
            assert run in data


@every
def test_convert_inspect_run_and_eval(tmp_path: Path, name: str, fourcc: Runner) -> None:
    """The commands are run as a user runs them."""
    data, truth = SAMPLES[name]()
    source, text = written(tmp_path, "m.bin", data), written(tmp_path, "t.txt", b"Once upon a time. " * 9)
    tokens, model = written(tmp_path, "tok.bin", tokenizer()), tmp_path / "model.bin"
    assert f"{len(truth)} tensors" in fourcc("inspect", source).out
    assert fourcc("convert", source, "-o", model, "--tokenizer", tokens).code == 0
    assert "layers.1.feed_forward.w2" in fourcc("inspect", model).out
    ran = fourcc("run", model, "-t", "0", "-n", "8", "-i", "Once")
    assert ran.code == 0, ran.err
    measured = fourcc("eval", model, "--text", text)
    assert measured.code == 0, measured.err
    assert "perplexity" in measured.out


def test_a_layout_that_has_version_0s_size_is_version_0(tmp_path: Path) -> None:
    h, tensors = small()
    with open_source(written(tmp_path, "m.bin", llama2c_v0(h, tensors))) as source:
        assert source.kind == "llama2.c v0"


@pytest.mark.parametrize("change", [-1, 1])
@pytest.mark.parametrize("name", ["13 maxima", "minimum", "4 bits"])
def test_a_byte_more_or_less_is_no_such_file(tmp_path: Path, name: str, change: int) -> None:
    data, _ = SAMPLES[name]()
    with pytest.raises(SourceError, match="the file's length is not what its header asks for"):
        open_source(written(tmp_path, "m.bin", data[:change] if change < 0 else data + b"\0"))


@pytest.mark.parametrize("name", ["QMatrix", "AWQ"])
def test_cut_records(tmp_path: Path, name: str) -> None:
    data, _ = SAMPLES[name]()
    with pytest.raises(SourceError, match=r"the file is cut, or there is no record before .*blocks of 64 weights"):
        open_source(written(tmp_path, "m.bin", data[:-1]))
    with pytest.raises(SourceError, match="bytes follow the last tensor"):
        open_source(written(tmp_path, "m.bin", data + b"\0"))


def test_a_record_that_contradicts_the_header(tmp_path: Path) -> None:
    h, tensors = small(**BLOCKS)
    data, _ = qmatrix(h, tensors, FIRST)
    bad = data.replace(b"q8_a" + struct.pack("<ii", 256, 256), b"q8_a" + struct.pack("<ii", 256, 128), 1)
    with pytest.raises(SourceError) as caught:
        open_source(written(tmp_path, "m.bin", bad))
    assert (
        "the record of layers.0.attention.wq contradicts the header: found q8_a of 256 x 128, expected 256 x 256"
        in str(caught.value)
    )
    assert "the exporters know no n_kv_heads" in str(caught.value).lower()


def test_awq_of_a_shape_that_it_cannot_have(tmp_path: Path) -> None:
    h = {"dim": 12, "hidden": 10, "layers": 1, "heads": 3, "kv_heads": 3, "vocab": 7, "seq": 5}
    data = header(h, unshared=True) + bytes(4 * 12 * 8) + b"q_aw" + struct.pack("<ii", 12, 12) + bytes(9999)
    with pytest.raises(
        SourceError, match="AWQ's layout does not fit the shape: found 12 x 12, expected multiples of 8"
    ):
        open_source(written(tmp_path, "m.bin", data))


@pytest.mark.parametrize(
    "name",
    [name if name in {"4 bits", "QMatrix"} else pytest.param(name, marks=pytest.mark.thorough) for name in SAMPLES],
)
@settings(QUICK, max_examples=examples(40).max_examples)
@given(data=st.data())
def test_damaged(name: str, data: st.DataObject) -> None:
    """A few bytes replaced, perhaps cut: an error of ours, or a source that can be read to its end."""
    damaged = bytearray(SAMPLES[name]()[0])
    near = st.integers(0, min(len(damaged), 400) - 1) | st.integers(-min(len(damaged), 300), -1)
    for at in data.draw(st.lists(near, min_size=1, max_size=4)):
        damaged[at] = data.draw(st.sampled_from([0, 1, 2, 8, 0x7F, 0x80, 0xFF]) | st.integers(0, 255))
    cut = data.draw(st.none() | st.integers(0, len(damaged)))
    survives(bytes(damaged[:cut]))
