"""Exports in several files beside each other: GGUF as llama.cpp's gguf-split cuts it, safetensors with an index."""

import json
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader
from safetensors import safe_open

import fourcc
from fourcc.errors import OutputError, UsageError
from fourcc.exporters.by_path import export


@pytest.fixture(scope="module")
def model(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped model in Q8_0 and F16."""
    path = tmp_path_factory.mktemp("model") / "model.bin"
    tiny = root / "fourcc" / "example" / "tiny.bin"
    fourcc.convert(tiny, path, format="Q8_0,F16", tokenizer=tiny.with_name("tiny_tokenizer.bin"))
    return path


def names(folder: Path) -> list[str]:
    """Names in a folder."""
    return sorted(path.name for path in folder.iterdir())


def test_gguf_in_several_files(model: Path, tmp_path: Path) -> None:
    """The gguf package reads each; keys are in the first, split.* in all; the tensors are those of one file."""
    one = export(model, tmp_path / "one.gguf")
    made = export(model, tmp_path / "x.gguf", shard_size="100kB")
    count = len(made.shards)
    assert count > 3
    assert [path.name for path in made.shards] == [f"x-{n:05}-of-{count:05}.gguf" for n in range(1, count + 1)]
    assert (made.path, one.shards) == (made.shards[0], ())
    whole = GGUFReader(one.path)
    readers = [GGUFReader(path) for path in made.shards]
    for number, reader in enumerate(readers):
        fields = {name: field.contents() for name, field in reader.fields.items() if name.startswith("split.")}
        assert fields == {"split.no": number, "split.count": count, "split.tensors.count": len(whole.tensors)}
        assert sum(int(tensor.n_bytes) for tensor in reader.tensors) <= 100_000
        others = set(reader.fields) - set(fields) - {"GGUF.version", "GGUF.tensor_count", "GGUF.kv_count"}
        wanted = set(whole.fields) - {"GGUF.version", "GGUF.tensor_count", "GGUF.kv_count"} if number == 0 else set()
        assert others == wanted
    tensors = [tensor for reader in readers for tensor in reader.tensors]
    assert [tensor.name for tensor in tensors] == [tensor.name for tensor in whole.tensors]
    for mine, theirs in zip(tensors, whole.tensors, strict=True):
        assert (mine.tensor_type, list(mine.shape)) == (theirs.tensor_type, list(theirs.shape))
        assert np.array_equal(mine.data, theirs.data)
    assert fourcc.diff(made.shards[2], one.path).identical
    export(made.path, tmp_path / "again.gguf")
    assert (tmp_path / "again.gguf").read_bytes() == one.path.read_bytes()


def test_safetensors_in_several_files(model: Path, tmp_path: Path) -> None:
    """The safetensors package reads each; the index says which has which tensor."""
    (tmp_path / "one").mkdir()
    one = export(model, tmp_path / "one" / "x.safetensors")
    made = export(model, tmp_path / "x.safetensors", shard_size="300kB")
    index = json.loads((tmp_path / "x.safetensors.index.json").read_text())
    assert tmp_path / "x.safetensors.index.json" in made.beside
    assert set(index["weight_map"].values()) == {path.name for path in made.shards}
    with safe_open(one.path, "np") as whole:
        for path in made.shards:
            with safe_open(path, "np") as part:
                for name in part.keys():  # noqa: SIM118 - it is no mapping
                    assert index["weight_map"][name] == path.name
                    assert np.array_equal(part.get_tensor(name), whole.get_tensor(name))
        assert sorted(index["weight_map"]) == sorted(whole.keys())
    assert fourcc.diff(tmp_path / "x.safetensors.index.json", one.path).identical


@pytest.mark.parametrize("suffix", [".gguf", ".safetensors"])
def test_what_fits_one_file_is_one(model: Path, tmp_path: Path, suffix: str) -> None:
    """As without a size, byte for byte, and without an index."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    export(model, tmp_path / "a" / f"x{suffix}")
    made = export(model, tmp_path / "b" / f"x{suffix}", shard_size="1GB")
    assert (made.path, made.shards) == (tmp_path / "b" / f"x{suffix}", ())
    assert names(tmp_path / "a") == names(tmp_path / "b")
    assert all((tmp_path / "a" / n).read_bytes() == (tmp_path / "b" / n).read_bytes() for n in names(tmp_path / "a"))


def test_kinds_that_are_always_one_file(model: Path, tmp_path: Path) -> None:
    """They are refused, and those that are cut are named."""
    with pytest.raises(UsageError, match=r"llama2c-v0 is always one file\. These are cut: gguf, safetensors, folders"):
        export(model, tmp_path / "x.bin", to="llama2c-v0", shard_size="1MB")


def test_what_is_there_already(model: Path, tmp_path: Path) -> None:
    """Nothing is replaced without `force`; files of another cut are never left to be mixed in."""
    made = export(model, tmp_path / "x.gguf", shard_size="100kB")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(UsageError, match=r"x-00001-of-\d+\.gguf: the output exists"):
        export(model, tmp_path / "x.gguf", shard_size="100kB")
    with pytest.raises(UsageError, match=r"files of another cut have this name.* found x-00001-of-.*Remove them"):
        export(model, tmp_path / "x.gguf", shard_size="200kB", force=True)
    with pytest.raises(UsageError, match="input and output are the same file"):
        export(made.path, tmp_path / "x.gguf", shard_size="100kB", force=True)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    (tmp_path / "x.gguf").write_bytes(b"old")
    export(model, tmp_path / "x.gguf", shard_size="100kB", force=True)
    assert names(tmp_path)[0] == made.path.name
    assert not (tmp_path / "x.gguf").exists()


def test_a_failed_rename_leaves_the_old_files(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them, though some of the new ones had their names."""
    export(model, tmp_path / "x.gguf", shard_size="100kB")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    real, calls = Path.rename, []

    def failing(self: Path, target: Path) -> Path:
        if self.parent.name.endswith(".part"):
            calls.append(target)
            if len(calls) == 3:
                raise OSError(5, "disk trouble")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OutputError, match="cannot finish the output: disk trouble"):
        export(model, tmp_path / "x.gguf", shard_size="100kB", force=True)
    monkeypatch.undo()
    left = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file() and path.suffix == ".gguf"}
    assert left == before


def test_an_interrupted_export_goes_on(model: Path, tmp_path: Path) -> None:
    """The files are those of an export that nothing interrupts."""

    def stop(name: str, done: int, total: int) -> None:
        if done > total // 2:
            raise KeyboardInterrupt

    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    export(model, tmp_path / "a" / "x.gguf", shard_size="100kB", threads=1)
    with pytest.raises(KeyboardInterrupt):
        export(model, tmp_path / "b" / "x.gguf", shard_size="100kB", threads=1, progress=stop)
    assert names(tmp_path / "b") == ["x.gguf.journal", "x.gguf.part"]
    made = export(model, tmp_path / "b" / "x.gguf", shard_size="100kB", threads=1, resume=True)
    assert "tensors were done before" in made.notes[0]
    assert names(tmp_path / "a") == names(tmp_path / "b")
    assert all((tmp_path / "a" / n).read_bytes() == (tmp_path / "b" / n).read_bytes() for n in names(tmp_path / "a"))
