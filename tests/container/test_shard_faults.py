"""Shards that do not make a model: each fault is named with its file, by those who open and those who verify."""

import shutil
from pathlib import Path

import pytest

import fourcc
from fourcc.container.reader import ModelFile
from fourcc.container.verify import damages
from fourcc.errors import IndexDamageError, InputError, UnknownVersionError
from tests.container import shard_faults
from tests.container.shard_faults import FAULTS, LIST, shard, ways


@pytest.fixture(scope="module")
def sets(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sets of two runs, in `a` and `b`."""
    folder = tmp_path_factory.mktemp("sets")
    source = root / "fourcc" / "example" / "tiny.bin"
    fourcc.convert(source, folder / "model.bin", format="Q8_0,F16")
    shard_faults.made(folder / "model.bin", folder / "a", folder / "b")
    return folder


@pytest.fixture
def spoilt(sets: Path, tmp_path: Path) -> Path:
    """A set of one's own."""
    return Path(shutil.copytree(sets / "a", tmp_path / "set"))


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_is_named(sets: Path, spoilt: Path, name: str) -> None:
    """Whichever way leads there, an error that names the file, or, past a bad list, the model itself."""
    fault = FAULTS[name]
    fault.make(spoilt, sets / "b")
    with ModelFile(sets / "model.bin") as model:
        index = model.index
    for way in ways(spoilt):
        by_list = way.name == LIST or (way == spoilt and (spoilt / LIST).exists())
        if (fault.lists and not by_list) or (name == "a whole model" and way.name == fault.at):
            with ModelFile(way) as model:
                assert model.index == index or not fault.lists
            continue
        with pytest.raises(InputError, match=fault.says) as caught:
            ModelFile(way)
        assert Path(str(caught.value.file)).name in {fault.at, way.name} | {path.name for path in spoilt.iterdir()}
        assert caught.value.hint


@pytest.mark.parametrize("name", FAULTS)
def test_verify_finds_every_fault(sets: Path, spoilt: Path, name: str) -> None:
    """By each way, and says which file it is in; nothing is found in a whole set."""
    fault = FAULTS[name]
    assert fourcc.verify(spoilt) == ()
    fault.make(spoilt, sets / "b")
    for way in ways(spoilt):
        if way.name == fault.at and name in {"empty", "a whole model"}:  # no model, or one
            continue
        found = list(damages(way))
        assert found, way
        if fault.at and way.name != fault.at:
            assert fault.at in {damage.file for damage in found}


def test_verify_names_the_damaged_shard(spoilt: Path) -> None:
    """And goes on with the others."""
    for number in (1, 3):
        path = shard(spoilt, number)
        data = bytearray(path.read_bytes())
        data[70] ^= 1
        path.write_bytes(data)
    shard(spoilt, 2).unlink()
    found = fourcc.verify(shard(spoilt, 1))
    assert [(damage.file, damage.what) for damage in found] == [
        (shard(spoilt, 1).name, "bytes differ from their checksum"),
        (shard(spoilt, 2).name, "the shard is missing"),
        (shard(spoilt, 3).name, "bytes differ from their checksum"),
    ]


def test_verify_of_a_damaged_shard_looks_at_all(spoilt: Path) -> None:
    """Its index is gone, but its name tells the others."""
    path = shard(spoilt, 2)
    path.write_bytes(path.read_bytes()[:900])
    shard(spoilt, 3).unlink()
    assert [damage.file for damage in fourcc.verify(path)] == [path.name, shard(spoilt, 3).name]


def test_a_renamed_shard(sets: Path, spoilt: Path) -> None:
    """Its siblings cannot be known; the others miss it."""
    renamed = shard(spoilt, 2).rename(spoilt / "other.bin")
    says = r"other\.bin: shard 2 of 3 of a model, under another name.* expected NAME-00002-of-00003\.bin\. Give"
    with pytest.raises(IndexDamageError, match=says):
        ModelFile(renamed)
    assert len(fourcc.verify(renamed)) == 1
    with pytest.raises(
        InputError, match=r"more than one model: m\.index\.json and other\.bin \(shard 2 of 3 of a model\)"
    ):
        ModelFile(spoilt)
    with pytest.raises(IndexDamageError, match="1 of 3 shards is missing"):
        ModelFile(shard(spoilt, 1))
    assert (sets / "a").exists()


def test_a_set_that_is_renamed_as_a_whole(spoilt: Path) -> None:
    """It opens by its shards and its folder; the list names files that are gone."""
    for number in (1, 2, 3):
        shard(spoilt, number).rename(spoilt / f"n-{number:05}-of-00003.bin")
    with pytest.raises(IndexDamageError, match="3 of 3 shards are missing"):
        ModelFile(spoilt / LIST)
    (spoilt / LIST).unlink()
    for way in (spoilt, spoilt / "n-00002-of-00003.bin"):
        assert fourcc.verify(way) == ()
        ModelFile(way).close()


def test_a_complete_set_opens_without_its_list(spoilt: Path) -> None:
    """All that it says stands in the shards."""
    (spoilt / LIST).unlink()
    for way in ways(spoilt):
        assert fourcc.verify(way) == ()
        ModelFile(way).close()


def test_two_sets_in_a_folder(sets: Path, spoilt: Path) -> None:
    """Leftovers of another cut are not mixed in: the folder is refused, a list or a shard is not."""
    for path in (sets / "b").glob("n-*"):
        shutil.copy(path, spoilt)
    with pytest.raises(InputError, match=r"more than one model: m\.index\.json and n-00001-of-00002\.bin\. Name one"):
        ModelFile(spoilt)
    assert fourcc.verify(spoilt / LIST) == ()
    assert fourcc.verify(spoilt / "n-00001-of-00002.bin") == ()


def test_a_link_out_of_the_folder(spoilt: Path, tmp_path: Path) -> None:
    """A set that somebody shares cannot name files of ours."""
    outside = shard(spoilt, 2).rename(tmp_path / "outside.bin")
    shard(spoilt, 2).symlink_to(outside)
    for way in (spoilt / LIST, shard(spoilt, 1)):
        with pytest.raises(InputError, match="a symbolic link that leads out of its folder"):
            ModelFile(way)


def test_older_readers_refuse_a_shard(spoilt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They do not know the feature, and would take a part for the model."""
    monkeypatch.setattr("fourcc.container.parse.FEATURES", frozenset())
    with pytest.raises(UnknownVersionError, match="requires the feature 'shards', which this version does not know"):
        ModelFile(shard(spoilt, 1))
