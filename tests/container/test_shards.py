"""A model in shards is the model: cut, read and joined; whatever the output's name stood for before is replaced."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fourcc
from fourcc.container.index import pack_index
from fourcc.container.layout import TAIL_BYTES, Tail, aligned, file_digest, pack_head
from fourcc.container.reader import ModelFile
from fourcc.container.resharding import join, split
from fourcc.container.shard_names import numbered
from fourcc.encoding import encode
from fourcc.errors import ChecksumError, IndexDamageError, InputError, OutputError, UsageError
from fourcc.qmatrix import QMatrix
from fourcc.tags import as_tag
from tests.container.build import assorted, normal, write_model
from tests.core.fakes import installed
from tests.core.seam_formats import ENTROPY, OUTLIERS

BLOBS = {"policy.toml": b"version = 1\n", "tokenizer.json": bytes(range(256)) * 5, "empty": b""}


def written(folder: Path, tensors: Mapping[str, QMatrix], name: str = "whole.bin") -> Path:
    """A model.bin with blobs."""
    return write_model(folder / name, tensors, BLOBS)


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """Ten tensors, some empty."""
    return written(tmp_path, assorted())


def shards(folder: Path) -> list[Path]:
    """The shards in a folder."""
    return sorted(path for path in folder.iterdir() if numbered(path.name))


def ways(folder: Path) -> Iterator[Path]:
    """Each path that leads to a set that is alone in its folder."""
    yield folder
    yield from folder.glob("*.index.json")
    yield from shards(folder)


# -- cutting and joining


def test_every_shard_is_a_container(whole: Path, tmp_path: Path) -> None:
    """Head, parts, index, tail; number, count and the whole's id; the first has the blobs, all the rest in all."""
    (tmp_path / "set").mkdir()
    made = split(whole, tmp_path / "set" / "m", shard_size=2048)
    with ModelFile(whole) as model:
        wanted, digest = model.index, model.digest
    assert made.path == tmp_path / "set" / "m.index.json"
    assert made.files == tuple(shards(tmp_path / "set"))
    assert len(made.files) > 3
    tensors = []
    for number, path in enumerate(made.files, 1):
        assert path.name == f"m-{number:05}-of-{len(made.files):05}.bin"
        data = path.read_bytes()
        tail = Tail.unpack(data[-TAIL_BYTES:])
        assert data[:64] == pack_head()
        assert tail.file_bytes == len(data)
        with ModelFile(path) as model:
            member = model.members[number - 1]
        index = member.index
        assert file_digest(data[:64], data[tail.index_offset : -TAIL_BYTES]) == tail.digest == member.tail.digest
        assert index.shard is not None
        assert (index.shard.number, index.shard.count, index.shard.whole) == (number, len(made.files), digest)
        assert index.requires == ("shards",)
        assert (index.architecture, index.hyper, index.providers) == (
            wanted.architecture,
            wanted.hyper,
            wanted.providers,
        )
        assert [blob.name for blob in index.blobs] == (list(BLOBS) if number == 1 else [])
        tensors += [tensor.name for tensor in index.tensors]
    assert tensors == [tensor.name for tensor in wanted.tensors]


def test_a_shard_takes_tensors_until_the_next_one_is_too_much(tmp_path: Path) -> None:
    """Bytes of parts with their padding; one that is larger alone has a shard of its own."""
    sizes = {"a": 16, "b": 16, "c": 17, "huge": 100, "d": 1, "none": 0, "e": 31}  # runs of 64 bytes
    tensors = {name: encode(np.zeros(16 * runs, np.float32), "F32") for name, runs in sizes.items()}
    whole = written(tmp_path, tensors)
    made = split(whole, tmp_path / "m", shard_size=32 * 64)
    with ModelFile(made.path) as model:
        held = [[tensor.name for tensor in member.index.tensors] for member in model.members]
    assert held == [["a", "b"], ["c"], ["huge"], ["d", "none", "e"]]


def _fits(whole: Path, largest: int) -> bool:
    """Whether all tensors have room in one shard."""
    with ModelFile(whole) as model:
        return sum(aligned(part.nbytes) for tensor in model.index.tensors for part in tensor.parts) <= largest


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.lists(st.integers(0, 5), min_size=1, max_size=8),
    largest=st.integers(1, 900),
    variable=st.sampled_from([None, ENTROPY, OUTLIERS]),
)
def test_join_of_split(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], largest: int, variable: object
) -> None:
    """`join` gives the bytes of the whole file; every tensor is read as from there."""
    folder = tmp_path_factory.mktemp("set")
    with installed(ENTROPY, OUTLIERS):
        tag = "F32" if variable is None else str(variable.tag)  # type: ignore[attr-defined]
        tensors = {
            f"t{number}": encode(normal(size, 12, seed=number), tag if number % 2 else "F16")
            for number, size in enumerate(sizes)
        }
        whole = written(folder, tensors)
        if sum(tensor.nbytes > 0 for tensor in fourcc.open(whole).index.tensors) < 2 or _fits(whole, largest):
            with pytest.raises(UsageError, match="the model fits one shard"):
                split(whole, folder / "m", shard_size=largest)
            return
        made = split(whole, folder / "m", shard_size=largest)
        join(made.path, folder / "joined.bin")
        assert (folder / "joined.bin").read_bytes() == whole.read_bytes()
        with ModelFile(made.files[-1]) as model, ModelFile(whole) as other:
            assert model.index == other.index
            assert model.digest == other.digest
            for name in tensors:
                for part, array in other[name].parts.items():
                    assert np.array_equal(model[name].parts[part], array)
        with ModelFile(made.path) as model:
            for member in model.members:
                held = sum(aligned(part.nbytes) for tensor in member.index.tensors for part in tensor.parts)
                assert held <= largest or sum(tensor.nbytes > 0 for tensor in member.index.tensors) == 1


@pytest.mark.parametrize("tag", ["Zent", "Outl", "Q8_0", None])
def test_join_of_a_conversion_to_shards(root: Path, tmp_path: Path, tag: str | None) -> None:
    """It gives the bytes of one conversion; the shards are those that `split` cuts, those of variable length too."""
    tiny = root / "fourcc" / "example" / "tiny.bin"
    with installed(ENTROPY, OUTLIERS):
        chosen = None if tag is None else f"{tag},F16"
        one = fourcc.convert(tiny, tmp_path / "one.bin", format=chosen, exclude=["layers.[123]*"])
        (tmp_path / "a").mkdir()
        (tmp_path / "b").mkdir()
        made = fourcc.convert(
            tiny, tmp_path / "a" / "m.bin", format=chosen, exclude=["layers.[123]*"], shard_size="20kB"
        )
        assert (made.path, made.digest, made.index) == (tmp_path / "a" / "m.index.json", one.digest, one.index)
        split(one.path, tmp_path / "b" / "m", shard_size="20kB")
        join(tmp_path / "a", tmp_path / "joined.bin")
    assert (tmp_path / "joined.bin").read_bytes() == one.path.read_bytes()
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "b").iterdir())
    assert len(names) > 3
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in names)


def test_a_format_that_is_missing(whole: Path, tmp_path: Path) -> None:
    """Shards are cut, listed, copied and joined without it; keys that are not known here come through."""
    with ModelFile(whole) as model:
        data, tail = whole.read_bytes(), model.members[0].tail
        tensors = [
            tensor._replace(tag=as_tag("Nope"), extra={"novel": [1, {"x": b"y"}]}) if tensor.name == "norm" else tensor
            for tensor in model.index.tensors
        ]
        packed = pack_index(attrs.evolve(model.index, tensors=tuple(tensors), extra={"more": "of it"}))
    end = tail.index_offset + len(packed) + TAIL_BYTES
    digest = file_digest(pack_head(), packed)
    novel = tmp_path / "novel.bin"
    novel.write_bytes(data[: tail.index_offset] + packed + Tail(tail.index_offset, len(packed), end, digest).pack())
    made = split(novel, tmp_path / "m", shard_size=2048)
    join(made.path, tmp_path / "joined.bin")
    assert (tmp_path / "joined.bin").read_bytes() == novel.read_bytes()
    fourcc.convert(made.path, tmp_path / "kept.bin")
    with ModelFile(tmp_path / "kept.bin") as model:
        assert model.record("norm").extra == {"novel": [1, {"x": b"y"}]}


def test_a_set_is_cut_anew(whole: Path, tmp_path: Path) -> None:
    """`split` takes a set as well as a file."""
    first = split(whole, tmp_path / "a", shard_size=2048)
    second = split(first.path, tmp_path / "b", shard_size=4096)
    assert len(second.files) < len(first.files)
    join(second.path, tmp_path / "joined.bin")
    assert (tmp_path / "joined.bin").read_bytes() == whole.read_bytes()


def test_an_index_in_another_spelling_is_not_cut(whole: Path, tmp_path: Path) -> None:
    """Joining would not give the file again, so splitting refuses."""
    with ModelFile(whole) as model:
        data, tail, packed = whole.read_bytes(), model.members[0].tail, pack_index(model.index)
    assert packed[:1] == b"\x87"
    longer = b"\xde\x00\x07" + packed[1:]  # the map's length in 16 bits
    end = tail.index_offset + len(longer) + TAIL_BYTES
    digest = file_digest(pack_head(), longer)
    odd = tmp_path / "odd.bin"
    odd.write_bytes(data[: tail.index_offset] + longer + Tail(tail.index_offset, len(longer), end, digest).pack())
    with pytest.raises(UsageError, match="is not spelled as fourcc spells it"):
        split(odd, tmp_path / "m", shard_size=2048)


def test_what_there_is_nothing_to_do_with(whole: Path, tmp_path: Path) -> None:
    """One file is not joined, a small one not cut, a size is one."""
    with pytest.raises(UsageError, match="the model is one file: there is nothing to join"):
        join(whole, tmp_path / "x.bin")
    with pytest.raises(
        UsageError, match=r"the model fits one shard: there is nothing to split: found \d+ bytes of tensors"
    ):
        split(whole, tmp_path / "m", shard_size="1GB")
    with pytest.raises(UsageError, match="no size of a file is spelled so: found 'much', expected 5GB, 500MB, 2GiB"):
        split(whole, tmp_path / "m", shard_size="much")
    with pytest.raises(UsageError, match="bad value of --shard-size: found 0, expected at least a byte"):
        split(whole, tmp_path / "m", shard_size=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["whole.bin"]


# -- reading


def test_each_way_leads_to_all(whole: Path, tmp_path: Path) -> None:
    """The folder, the list, each shard: one mapping of all tensors, one id; views are not copied."""
    (tmp_path / "set").mkdir()
    split(whole, tmp_path / "set" / "m", shard_size=2048)
    with ModelFile(whole) as other:
        for way in ways(tmp_path / "set"):
            with fourcc.open(way) as model:
                assert isinstance(model, fourcc.ModelFile)
                assert (model.path, list(model), model.digest) == (way, list(other), other.digest)
                assert model.records() == other.records()
                assert model.blob("tokenizer.json") == BLOBS["tokenizer.json"]
                assert model.facts() == {**other.facts(), "shards": len(model.files)}
                view = next(iter(model["layers.0.w1"].parts.values()))
                assert not view.flags.owndata
                assert not view.flags.writeable
                model.let_go("layers.0.w1")
    del view


def test_views_outlive_the_file(whole: Path, tmp_path: Path) -> None:
    """As those of one file do; nothing else is to be had once it is closed."""
    made = split(whole, tmp_path / "m", shard_size=2048)
    with ModelFile(made.path) as model:
        q = model["experts"]
    assert np.isfinite(q.decode()).all()
    with pytest.raises(UsageError, match="the file is closed"):
        model["experts"]
    with pytest.raises(UsageError, match="the file is closed"):
        model.blob("policy.toml")


def test_damage_is_named_with_its_shard(whole: Path, tmp_path: Path) -> None:
    """File and offset are the shard's; other tensors do not matter."""
    made = split(whole, tmp_path / "m", shard_size=2048)
    with ModelFile(made.path) as model:
        number = next(n for n, member in enumerate(model.members) if member.index.tensors[0].name == "layers.0.w1")
        part = model.members[number].index.tensors[0].parts[0]
    path = made.files[number]
    data = bytearray(path.read_bytes())
    data[part.offset] ^= 1
    path.write_bytes(data)
    says = rf"{path.name}, tensor 'layers.0.w1', byte {part.offset}: part '{part.name}' is damaged"
    with ModelFile(made.files[0]) as model:
        assert model["layers.0.wq"].name == "layers.0.wq"
        with pytest.raises(ChecksumError, match=says):
            model["layers.0.w1"]
    with pytest.raises(ChecksumError, match=says):
        join(made.path, tmp_path / "joined.bin")
    assert not (tmp_path / "joined.bin").exists()


@pytest.mark.parametrize("cut", [False, True])
def test_a_change_of_any_shard_is_noticed(whole: Path, tmp_path: Path, cut: bool) -> None:
    """One that was written to, or cut, while the model was open."""
    made = split(whole, tmp_path / "m", shard_size=2048)
    path = made.files[2]
    says = "the file was cut while it was read" if cut else "the file changed while it was read"
    with (
        pytest.raises(IndexDamageError, match=f"{path.name}: {says}"),
        ModelFile(made.path) as model,
        model.unchanged(),
    ):
        path.write_bytes(path.read_bytes()[: -1 if cut else None])


def test_a_folder_of_one_file(whole: Path, tmp_path: Path) -> None:
    """It stands for the file; with two it is refused."""
    with fourcc.open(tmp_path) as model:
        assert model.path == tmp_path
    written(tmp_path, assorted(), "other.bin")
    with pytest.raises(InputError, match=r"the folder holds more than one model: other\.bin and whole\.bin\. Name one"):
        fourcc.open(tmp_path)
    assert whole.exists()


# -- where shards go


def one(tmp_path: Path, name: str = "m.bin", seed: int = 0, size: int | None = 4096, **more: bool) -> None:
    """Converts a small checkpoint to shards, or with no size to one file."""
    np.savez(tmp_path / "source.npz", **{f"t{number}": normal(16, 32, seed=seed + number) for number in range(6)})
    fourcc.convert(tmp_path / "source.npz", tmp_path / name, shard_size=size, **more)  # type: ignore[arg-type]
    (tmp_path / "source.npz").unlink()


def names(folder: Path) -> list[str]:
    """Names in a folder."""
    return sorted(path.name for path in folder.iterdir())


THREE = ["m-00001-of-00003.bin", "m-00002-of-00003.bin", "m-00003-of-00003.bin", "m.index.json"]


@pytest.mark.parametrize("name", ["m.bin", "m", "m.index.json"])
def test_names_of_shards(tmp_path: Path, name: str) -> None:
    """The output gives the name, whether it is that of the file, of the list or of none."""
    one(tmp_path, name)
    assert names(tmp_path) == THREE


@pytest.mark.parametrize(
    ("name", "file"), [("m.bin", "m.bin"), ("m", "m"), ("m.index.json", "m.bin"), ("v1.5", "v1.5")]
)
def test_one_shard_is_one_file(tmp_path: Path, name: str, file: str) -> None:
    """It has no number and no list, and is what a conversion without a size gives."""
    one(tmp_path, name, size=1 << 20)
    assert names(tmp_path) == [file]
    one(tmp_path, "plain.bin", size=None)
    assert (tmp_path / file).read_bytes() == (tmp_path / "plain.bin").read_bytes()


def test_an_output_named_as_a_shard(tmp_path: Path) -> None:
    """Its name would be taken for a shard of itself."""
    with pytest.raises(UsageError, match=r"has the name of a shard, and shards get their names from it.*expected NAME"):
        one(tmp_path, "m-00001-of-00003.bin")


@pytest.mark.parametrize("before", [4096, 2048, 1 << 20, None])
def test_what_was_there_is_replaced_as_a_whole(tmp_path: Path, before: int | None) -> None:
    """More shards, fewer, or one file: without `force` nothing happens, with it nothing of the old is left."""
    one(tmp_path, size=before)
    old = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(UsageError, match=r"the output exists\. --force replaces it"):
        one(tmp_path, seed=9)
    (tmp_path / "source.npz").unlink()
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == old
    one(tmp_path, seed=9, force=True)
    assert names(tmp_path) == THREE
    assert fourcc.verify(tmp_path) == ()
    one(tmp_path, size=1 << 20, force=True)
    assert names(tmp_path) == ["m.bin"]


def test_what_is_not_ours_is_not_replaced(tmp_path: Path) -> None:
    """A pickle may have such a name."""
    (tmp_path / "m-00001-of-00002.bin").write_bytes(b"\x80\x02pickle")
    with pytest.raises(UsageError, match=r"a file that is no shard of a model\.bin has the name of one"):
        one(tmp_path, force=True)


def test_inputs_are_not_outputs(whole: Path, tmp_path: Path) -> None:
    """Neither a shard, nor the list, nor the file."""
    made = split(whole, tmp_path / "m", shard_size=2048)
    for source in (made.path, made.files[1], whole):
        for output in (made.files[0], made.path):
            with pytest.raises(
                UsageError, match=r"(the output exists|input and output are the same file|nothing to join)"
            ):
                join(source, output)
    for source in (made.path, made.files[0]):
        with pytest.raises(UsageError, match="input and output are the same file"):
            split(source, tmp_path / "m", shard_size=4096, force=True)
        with pytest.raises(UsageError, match="input and output are the same file"):
            fourcc.convert(source, tmp_path / "m.bin", shard_size=4096, force=True)
    assert fourcc.verify(made.path) == ()
    split(whole, tmp_path / "whole", shard_size=4096)  # the file keeps its name
    assert whole.exists()


def test_a_failed_rename_leaves_the_old_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some of the new files have their names by then: they lose them again."""
    one(tmp_path)
    old = {path: path.read_bytes() for path in tmp_path.iterdir()}
    real, calls = Path.rename, []

    def failing(self: Path, target: Path) -> Path:
        if self.parent.name.endswith(".part") and target.parent == tmp_path:
            calls.append(target)
            if len(calls) == 3:
                raise OSError(5, "disk trouble")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OutputError, match="cannot finish the output: disk trouble"):
        one(tmp_path, seed=9, force=True)
    monkeypatch.undo()
    (tmp_path / "source.npz").unlink()
    left = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file() and path.suffix != ".journal"}
    assert left == old


def test_too_little_space(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused before anything is written."""
    made = split(whole, tmp_path / "m", shard_size=2048)
    monkeypatch.setattr("fourcc.files.write.RESERVE", 1 << 62)
    for act in (
        lambda: join(made.path, tmp_path / "x.bin"),
        lambda: split(whole, tmp_path / "n", shard_size=2048),
    ):
        with pytest.raises(OutputError, match="not enough space on the disk"):
            act()
    assert not list(tmp_path.glob("[xn]*"))


def test_the_list(whole: Path, tmp_path: Path) -> None:
    """Files with lengths and ids, the home of each tensor, the set's id; as its schema says."""
    made = split(whole, tmp_path / "m", shard_size=2048)
    root = json.loads(made.path.read_text())
    assert list(root) == ["format", "version", "id", "shards", "tensors"]
    assert (root["format"], root["version"], root["id"]) == ("fourcc-shards", 1, made.digest.hex())
    with ModelFile(made.path) as model:
        assert root["shards"] == [
            {"file": path.name, "bytes": path.stat().st_size, "id": member.tail.digest.hex()}
            for path, member in zip(made.files, model.members, strict=True)
        ]
        assert root["tensors"] == {
            tensor.name: path.name
            for path, member in zip(made.files, model.members, strict=True)
            for tensor in member.index.tensors
        }
