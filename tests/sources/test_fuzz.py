"""Whatever the bytes are: a source, or an error of ours or of the system; and what opens can be read to its end."""

import io
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fourcc.errors import FourccError
from fourcc.sources import open_source
from tests.examples import examples
from tests.sources.writers import (
    config,
    decoded,
    gguf_key,
    gguf_llama,
    llama,
    llama2c_v0,
    llama2c_v1,
    llama2c_v2,
    safetensors,
    to_hf,
    tokenizer_bin,
)


def archive(save: object) -> bytes:
    """An .npz."""
    out = io.BytesIO()
    save(out, a=np.ones((2, 3), "<f4"), b=np.zeros(4, "<f8"))  # type: ignore[operator]
    return out.getvalue()


H, TENSORS = llama(layers=1)
VALID = {
    "v0": llama2c_v0(H, TENSORS),
    "v1": llama2c_v1(H, TENSORS),
    "v2": llama2c_v2(H, TENSORS, 4)[0],
    "safetensors": safetensors({"a": np.ones((2, 3), "<f4"), "b": np.zeros(4, "|i1")}, {"k": "v"}),
    "gguf": gguf_llama(H, TENSORS, gguf_key("tokenizer.ggml.tokens", 9, ["a", "b"], 8)),
    "npz": archive(np.savez),
    "compressed": archive(np.savez_compressed),
}
QUICK = settings(examples(150), suppress_health_check=[HealthCheck.too_slow])


def survives(data: bytes, *, name: str = "m", beside: dict[str, bytes] | None = None) -> None:
    """Opens and reads; only errors that are meant may come."""
    with tempfile.TemporaryDirectory() as folder:
        for other, contents in (beside or {}).items():
            (Path(folder) / other).write_bytes(contents)
        path = Path(folder) / name
        path.write_bytes(data)
        try:
            with open_source(path) as source:
                decoded(source)
        except (FourccError, OSError) as error:
            assert str(error)  # noqa: PT017 - most inputs are refused, some are not


@QUICK
@given(st.binary(max_size=300))
def test_noise(data: bytes) -> None:
    """Random bytes are refused or read, and never crash."""
    survives(data)


@QUICK
@given(
    st.sampled_from([b"GGUF\3\0\0\0", b"24ka\1\0\0\0", b"24ka\2\0\0\0", b"PK\3\4", b"\x10\0\0\0\0\0\0\0{"]), st.binary()
)
def test_noise_behind_a_magic(start: bytes, data: bytes) -> None:
    """Random bytes that reach the readers."""
    survives(start + data)


@pytest.mark.parametrize("kind", VALID)
@settings(QUICK)
@given(data=st.data())
def test_mutated(kind: str, data: st.DataObject) -> None:
    """A valid file with a few bytes replaced, most of them in its head or its tail; perhaps cut."""
    damaged = bytearray(VALID[kind])
    near = st.integers(0, min(len(damaged), 900) - 1) | st.integers(-min(len(damaged), 300), -1)
    for at in data.draw(st.lists(near, min_size=1, max_size=4)):
        damaged[at] = data.draw(st.sampled_from([0, 1, 2, 8, 0x7F, 0x80, 0xFF]) | st.integers(0, 255))
    cut = data.draw(st.none() | st.integers(0, len(damaged)))
    survives(bytes(damaged[:cut]))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 70) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)


@settings(QUICK)
@given(st.dictionaries(st.sampled_from([*config(H), "head_dim", "rope_scaling", "rope_parameters"]), JSON))
def test_config_of_any_values(changes: dict[str, object]) -> None:
    """A config in which any key has any value."""
    import json

    settings_text = json.dumps({**config(H), **changes}).encode()
    survives(safetensors(to_hf(H, TENSORS)), beside={"config.json": settings_text})


@settings(QUICK)
@given(st.binary(max_size=200) | st.binary(max_size=50).map(lambda noise: tokenizer_bin(3) + noise))
def test_tokenizer_of_any_bytes(data: bytes) -> None:
    """The bytes are given as a model's tokenizer file."""
    with tempfile.TemporaryDirectory() as folder:
        model, given_file = Path(folder) / "m", Path(folder) / "t"
        model.write_bytes(VALID["v0"])
        given_file.write_bytes(data)
        try:
            open_source(model, given_file).close()
        except FourccError as error:
            assert str(given_file) in str(error)  # noqa: PT017 - some are tokenizers
