"""Weights go to numpy, DLPack and torch without a copy where they can, and come from torch and ml_dtypes."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

import fourcc
from fourcc.errors import UsageError
from fourcc.exchange import as_array

WEIGHTS = np.random.default_rng(7).normal(size=(4, 64)).astype(np.float32)
WITHOUT_NUMPY = {"BF16": "bfloat16", "F8E4": "float8_e4m3fn", "F8E5": "float8_e5m2", "F8E8": "float8_e8m0fnu"}


@pytest.fixture(scope="module")
def torch() -> Any:
    """The package, where it is installed."""
    return pytest.importorskip("torch", reason="torch is no dependency")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model.bin with a matrix in each of some formats."""
    folder = tmp_path_factory.mktemp("exchange")
    numbers = {name: WEIGHTS.astype(getattr(ml_dtypes, kind)) for name, kind in WITHOUT_NUMPY.items()}
    numbers["F8E8"] = np.abs(WEIGHTS).astype(ml_dtypes.float8_e8m0fnu)
    tensors = {
        **numbers,
        "F32": WEIGHTS,
        "F16": WEIGHTS.astype(np.float16),
        "I32": np.arange(6, dtype=np.int32),
        "Q": WEIGHTS,
    }
    save_file(tensors, folder / "m.safetensors")
    text = 'version = 1\n[[rule]]\nmatch = "Q"\ntag = "Q8_0"\n[[rule]]\nmatch = "*"\nkeep = true\n'
    fourcc.convert(folder / "m.safetensors", folder / "m.bin", policy=text)
    return folder / "m.bin"


@pytest.fixture
def model(path: Path) -> Iterator[fourcc.Model]:
    """It, opened."""
    with fourcc.open(path) as opened:
        assert isinstance(opened, fourcc.Model)
        yield opened


def test_numpy_shares_plain_numbers(model: fourcc.Model) -> None:
    """`asarray` copies nothing, `array` does; what is not stored as numpy has it is decoded."""
    plain = model["F32"]
    shared = np.asarray(plain)
    assert np.shares_memory(shared, plain.parts["values"])
    assert not shared.flags.writeable
    assert shared.tolist() == WEIGHTS.tolist()
    own = np.array(plain)
    assert own.flags.writeable
    assert not np.shares_memory(own, shared)
    assert np.shares_memory(np.asarray(plain, copy=False), shared)
    assert np.asarray(plain, np.float64).dtype == np.float64
    for name in ("BF16", "Q"):
        assert np.asarray(model[name]).dtype == np.float32
        assert np.asarray(model[name]).tolist() == model[name].decode().tolist()
        with pytest.raises(ValueError, match="copy=False cannot be kept"):
            np.asarray(model[name], copy=False)


def test_all_tensors_at_once(model: fourcc.Model) -> None:
    """As a dict of arrays, in the file's order."""
    arrays = model.to_numpy()
    assert list(arrays) == list(model)
    assert all(array.shape == model[name].shape for name, array in arrays.items())
    assert (arrays["F16"].dtype, arrays["I32"].dtype, arrays["Q"].dtype) == (np.float16, np.int32, np.float32)


def test_dlpack(model: fourcc.Model) -> None:
    """Numpy reads it as any other library would: plain numbers share memory, others are decoded."""
    shared = np.from_dlpack(model["F32"])  # type: ignore[arg-type]
    assert np.shares_memory(shared, model["F32"].parts["values"])
    assert np.from_dlpack(model["Q"]).tolist() == model["Q"].decode().tolist()  # type: ignore[arg-type]
    assert model["F32"].__dlpack_device__() == (1, 0)
    part = model["Q"].parts["blocks"].view(np.uint8)
    assert np.shares_memory(np.from_dlpack(part), part)


def test_a_reader_that_knows_no_read_only_arrays_gets_a_copy(model: fourcc.Model) -> None:
    """So does one that asks for it; one that allows no copy is refused."""
    assert model["F32"].__dlpack__() is not None
    with pytest.raises(BufferError, match="read-only"):
        model["F32"].__dlpack__(copy=False)
    with pytest.raises(BufferError, match="copy=False cannot be kept"):
        model["Q"].__dlpack__(copy=False, max_version=(1, 0))
    assert model["F32"].__dlpack__(copy=False, max_version=(1, 0)) is not None


def test_torch_gets_the_stored_numbers(model: fourcc.Model, torch: Any) -> None:
    """In their own types, bit by bit; codes are decoded to float32."""
    tensors = model.to_torch()
    assert list(tensors) == list(model)
    for name, kind in WITHOUT_NUMPY.items():
        assert tensors[name].dtype == getattr(torch, kind)
        assert tensors[name].float().numpy().tolist() == model[name].decode().tolist()
    types = {"F32": torch.float32, "F16": torch.float16, "I32": torch.int32, "Q": torch.float32}
    assert {name: tensors[name].dtype for name in types} == types
    assert tensors["Q"].numpy().tolist() == model["Q"].decode().tolist()
    assert tensors["I32"].tolist() == list(range(6))
    assert model["BF16"].to_torch().equal(tensors["BF16"])


def test_torch_shares_the_file_and_may_write(path: Path, torch: Any) -> None:
    """Writes stay in this process: neither the file nor the model's own views change."""
    before = path.read_bytes()
    with fourcc.open(path) as model:
        one, other = model.to_torch(), model.to_torch()
        assert one["BF16"].data_ptr() == other["BF16"].data_ptr()  # the same pages
        one["F32"].mul_(2)
        assert other["F32"].numpy().tolist() == (2 * WEIGHTS).tolist()
        assert model["F32"].decode().tolist() == WEIGHTS.tolist()
    assert one["F32"].sum().item() == pytest.approx(2 * float(WEIGHTS.sum()), rel=1e-5)  # after it was closed, too
    assert path.read_bytes() == before


def test_torch_reads_by_dlpack(model: fourcc.Model, torch: Any) -> None:
    """The tensor, and its parts."""
    assert torch.from_dlpack(model["F32"]).numpy().tolist() == WEIGHTS.tolist()
    own = fourcc.encode(WEIGHTS, "F32")
    assert torch.from_dlpack(own).data_ptr() == own.parts["values"].ctypes.data
    assert own.to_torch().data_ptr() == own.parts["values"].ctypes.data


def test_a_source_gives_torch_its_own_memory(path: Path, torch: Any) -> None:
    """Tensors of other files are read when they are asked for."""
    with fourcc.open(path.with_suffix(".safetensors")) as source:
        tensors = source.to_torch()
        tensors["BF16"].zero_()
        assert tensors["F8E4"].dtype == torch.float8_e4m3fn
        assert source["BF16"].decode().any()


def test_torch_tensors_are_taken(torch: Any) -> None:
    """Without a copy where numpy has the type; with or without a gradient; as weights and as activations."""
    tensor = torch.from_numpy(WEIGHTS.copy())
    assert as_array(tensor).ctypes.data == tensor.data_ptr()
    assert as_array(torch.nn.Parameter(tensor)).ctypes.data == tensor.data_ptr()
    matrix = fourcc.encode(tensor, "Q8_0")
    assert matrix.parts["blocks"].tobytes() == fourcc.encode(WEIGHTS, "Q8_0").parts["blocks"].tobytes()
    x = torch.from_numpy(np.random.default_rng(1).normal(size=(64, 3)).astype(np.float32))
    assert (matrix @ x).tolist() == (matrix @ x.numpy()).tolist()
    assert matrix.matmul(x.T.bfloat16()).tolist() == matrix.matmul(x.T.bfloat16().float().numpy()).tolist()
    short = fourcc.encode(tensor.bfloat16(), "F32").decode()
    assert short.tolist() == tensor.bfloat16().float().tolist()
    with pytest.raises(UsageError, match="the weights are no plain array: found Tensor: "):
        fourcc.encode(tensor.to_sparse(), "F32")
    with pytest.raises(UsageError, match=r"the memory of another device: found meta\..*x\.cpu\(\)"):
        fourcc.encode(torch.zeros(4, 4, device="meta"), "F32")


@pytest.mark.parametrize("kind", ["bfloat16", "float8_e4m3fn", "float8_e5m2", "int4"])
def test_numbers_of_ml_dtypes_are_taken(kind: str) -> None:
    """As jax has them."""
    some = WEIGHTS.astype(getattr(ml_dtypes, kind))
    assert fourcc.encode(some, "F32").decode().tolist() == some.astype(np.float32).tolist()
    assert (fourcc.encode(some, "F32") @ np.eye(64, dtype=ml_dtypes.bfloat16)).shape == (4, 64)


class Elsewhere:
    """An array on a GPU, by DLPack's numbers."""

    def __dlpack_device__(self) -> tuple[int, int]:
        return (2, 0)


class Short:
    """A tensor as torch's, of a type that numpy does not have; torch is not needed to see what is done with it."""

    def __init__(self, values: np.ndarray[Any, Any]) -> None:
        self.values, self.wide, self.device = values, False, SimpleNamespace(type="cpu")

    def detach(self) -> Self:
        """Itself."""
        return self

    def float(self) -> "Short":
        """In 32 bits."""
        wide = Short(self.values)
        wide.wide = True
        return wide

    def numpy(self) -> np.ndarray[Any, Any]:
        """Refused by torch for a short type."""
        if not self.wide:
            raise TypeError("Got unsupported ScalarType BFloat16")
        return self.values


def test_tensors_without_torch() -> None:
    """A tensor is known by what it can do."""
    assert as_array(Short(WEIGHTS)) is WEIGHTS  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="the activations are in the memory of another device: found DLPack's 2"):
        as_array(Elsewhere(), "activations")  # type: ignore[arg-type]


def test_a_missing_torch_is_named(model: fourcc.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is read."""
    monkeypatch.setitem(sys.modules, "torch", None)
    for value in (model, model["F32"], model["Q"]):
        with pytest.raises(UsageError, match=r"to_torch needs the package torch, .* pip install torch$"):
            value.to_torch()


def test_where_no_private_mapping_can_be_had(model: fourcc.Model, torch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file larger than memory and swap may have none: its plain tensors are then copied."""
    import mmap

    model["F32"]  # the file is mapped

    def refused(*_: object, **__: object) -> None:
        raise OSError("Cannot allocate memory")

    monkeypatch.setattr(mmap, "mmap", refused)
    tensor = model.to_torch()["F32"]
    assert tensor.numpy().tolist() == WEIGHTS.tolist()
    tensor.zero_()
    assert model["F32"].decode().any()
