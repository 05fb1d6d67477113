"""safetensors in several files: the index is not trusted, and what is missing is named before anything is read."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from fourcc.errors import SourceError
from fourcc.sources import open_source
from tests.sources.writers import decoded, written
from tests.sources.writers import safetensors as pack

A, B = (np.full((2, 3), value, "<f4") for value in (1, 2))
FIRST, SECOND = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
INDEX = "model.safetensors.index.json"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model in two files, with an index."""
    written(tmp_path, FIRST, pack({"a": A}))
    written(tmp_path, SECOND, pack({"b": B}))
    written(tmp_path, INDEX, {"metadata": {"total_size": 48}, "weight_map": {"a": FIRST, "b": SECOND}})
    return tmp_path


def index(folder: Path, weight_map: object, **metadata: object) -> Path:
    """Replaces the index."""
    return written(folder, INDEX, {"metadata": metadata, "weight_map": weight_map})


@pytest.mark.parametrize("name", ["", INDEX])
def test_folder_or_index(folder: Path, name: str) -> None:
    """Both name the model; every file that is read is listed."""
    with open_source(folder / name) as source:
        assert source.path == folder / name
        assert [path.name for path in source.files] == [FIRST, SECOND]
        assert [path.name for path in source.companions] == [INDEX]
        assert source.notes == ()
        found = decoded(source)
    assert np.array_equal(found["a"], A)
    assert np.array_equal(found["b"], B)


def test_numbered_files_without_an_index(folder: Path) -> None:
    """The numbers say that the set is complete."""
    (folder / INDEX).unlink()
    with open_source(folder) as source:
        assert [path.name for path in source.files] == [FIRST, SECOND]
        assert list(decoded(source)) == ["a", "b"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "it looks like a Git LFS pointer"),
        (b"<!DOCTYPE html><html><body>429</body></html>", "it looks like a web page; the download went wrong"),
        (bytes(64), "it looks like nothing but zeros"),
    ],
)
@pytest.mark.parametrize("indexed", [True, False])
def test_a_shard_that_is_no_safetensors_file(folder: Path, data: bytes, said: str, *, indexed: bool) -> None:
    """Named as what it is, with or without an index; a pointer that was never fetched is the usual accident."""
    if not indexed:
        (folder / INDEX).unlink()
    (folder / SECOND).write_bytes(data)
    with pytest.raises(SourceError, match=f"{SECOND}: not a safetensors file: {said}"):
        open_source(folder)


def test_numbered_files_with_a_gap(folder: Path) -> None:
    """The missing ones are named."""
    (folder / INDEX).unlink()
    for number in (1, 3):
        (folder / (FIRST if number == 1 else SECOND)).rename(folder / f"m-{number:05}-of-00004.safetensors")
    with pytest.raises(SourceError, match=r"no m-00002-of-00004\.safetensors, m-00004-of-00004\.safetensors"):
        open_source(folder)


def test_unrelated_files(folder: Path) -> None:
    """There is neither an index nor numbers, so the user must choose."""
    (folder / INDEX).unlink()
    written(folder, "other.safetensors", pack({"c": A}))
    with pytest.raises(SourceError, match=r"several safetensors files and no index: .*Name one of them"):
        open_source(folder)


def test_missing_files_are_all_named(folder: Path) -> None:
    """They are named before a byte of the others is read."""
    index(folder, {"a": FIRST, "b": "x.safetensors", "c": "y.safetensors"})
    with pytest.raises(SourceError, match=r"2 of 3 files that the index names are missing: x\.safe.*, y\.safetensors"):
        open_source(folder)


def test_missing_tensors_are_named(folder: Path) -> None:
    """The index lists what no file has."""
    index(folder, {"a": FIRST, "b": SECOND, "c": SECOND, "d": FIRST})
    with pytest.raises(
        SourceError, match=r"the files lack 2 tensors \('c', 'd'\): found no such tensor in model-00002"
    ):
        open_source(folder)


def test_tensor_in_another_file(folder: Path) -> None:
    """The index and the files disagree."""
    index(folder, {"a": FIRST, "b": FIRST})
    written(folder, FIRST, pack({"a": A, "c": B}))
    with pytest.raises(SourceError, match="the files lack 1 tensor"):
        open_source(folder)
    index(folder, {"a": SECOND, "b": FIRST})
    written(folder, FIRST, pack({"a": A}))
    with pytest.raises(SourceError, match=f"tensor 'a': the tensor is in another file: found {FIRST}"):
        open_source(folder)


def test_tensor_in_two_files(folder: Path) -> None:
    """The index gives each name to one file, so the copy in the other is passed over; a note tells."""
    written(folder, SECOND, pack({"a": A + 1, "b": B}))
    with open_source(folder) as source:
        assert np.array_equal(decoded(source)["a"], A)
        assert source.notes == (f"1 tensor ('a') is passed over in {SECOND}: the index names another file",)
    written(folder, FIRST, pack({"a": A, "c": A}))
    index(folder, {"c": FIRST, "a": SECOND, "b": SECOND})
    with open_source(folder) as source:
        assert np.array_equal(decoded(source)["a"], A + 1)


def test_tensor_in_two_files_without_a_word_of_it(folder: Path) -> None:
    """If no index names the file, nobody can tell which one counts."""
    index(folder, {"a": FIRST, "b": SECOND})
    written(folder, FIRST, pack({"a": A, "c": B}))
    written(folder, SECOND, pack({"b": B, "c": B}))
    with pytest.raises(SourceError, match=f"tensor 'c': the tensor is in {FIRST} and in {SECOND}"):
        open_source(folder)
    (folder / INDEX).unlink()
    with pytest.raises(SourceError, match=f"tensor 'c': the tensor is in {FIRST} and in {SECOND}"):
        open_source(folder)


def test_unlisted_tensor_is_noted(folder: Path) -> None:
    """It is taken, and told."""
    written(folder, SECOND, pack({"b": B, "c": A}))
    with open_source(folder) as source:
        assert list(decoded(source)) == ["a", "b", "c"]
        assert source.notes[0] == "the index does not list 1 tensor ('c'): read all the same"


@pytest.mark.parametrize("total", [47, "48", True, 1e9])
def test_wrong_total_size_is_noted(folder: Path, total: object) -> None:
    """It is wrong in many published models."""
    index(folder, {"a": FIRST, "b": SECOND}, total_size=total)
    with open_source(folder) as source:
        assert source.notes == (f"the index states a total_size of {total!r}, the tensors have 48 bytes",)


@pytest.mark.parametrize(
    "name",
    [
        *("../x.safetensors", "/etc/passwd", "/etc/x.safetensors", "a\\b.safetensors", "sub/x.safetensors"),
        *("con", ".", "", "x.bin", "c:x.safetensors", "a\0.safetensors", 1, None),
    ],
)
def test_index_that_leads_out(folder: Path, name: object) -> None:
    """Only names of safetensors files beside it are followed."""
    path = index(folder, {"a": FIRST, "b": name})
    with pytest.raises(SourceError, match=r"tensor 'b': the index leads out of its folder") as caught:
        open_source(path)
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize("weight_map", [{}, [], None, "x"])
def test_index_without_a_map(folder: Path, weight_map: object) -> None:
    """Nothing to read."""
    index(folder, weight_map)
    with pytest.raises(SourceError, match="the index has no 'weight_map', or an empty one"):
        open_source(folder)


def test_index_with_a_key_twice(folder: Path) -> None:
    """The last would win silently."""
    written(folder, INDEX, f'{{"weight_map": {{"a": "{FIRST}", "a": "{SECOND}"}}}}'.encode())
    with pytest.raises(SourceError, match="the key 'a' stands twice"):
        open_source(folder)


def test_link_out_of_the_folder(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A downloaded folder does not reach into the rest of the disk."""
    outside = tmp_path_factory.mktemp("outside") / "secret.safetensors"
    (folder / FIRST).rename(outside)
    (folder / FIRST).symlink_to(outside)
    with pytest.raises(SourceError, match=r"a symbolic link that leads out of its folder: found .*secret"):
        open_source(folder)
    with open_source(folder / FIRST) as source:
        assert list(decoded(source)) == ["a"], "a link that the user names is followed"


def test_link_within_the_folder(folder: Path) -> None:
    """Such a link is harmless."""
    (folder / FIRST).rename(folder / "blob")
    (folder / FIRST).symlink_to("blob")
    with open_source(folder) as source:
        assert list(decoded(source)) == ["a", "b"]


def test_links_of_the_hub_cache(folder: Path) -> None:
    """Hugging Face's cache: snapshots/REVISION/NAME -> ../../blobs/HASH."""
    snapshot, blobs = folder / "snapshots" / "abc", folder / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    for number, name in enumerate((FIRST, SECOND, INDEX)):
        digest = f"{number:064x}"
        (folder / name).rename(blobs / digest)
        (snapshot / name).symlink_to(f"../../blobs/{digest}")
    with open_source(snapshot) as source:
        assert list(decoded(source)) == ["a", "b"]


@pytest.mark.parametrize("to", ["file", "folder", "nothing"])
def test_a_link_of_the_hub_cache_ends_at_the_blob(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, to: str
) -> None:
    """M6: a blob that is a link again would lead anywhere; one archive can bring both."""
    snapshot, blobs = folder / "snapshots" / "abc", folder / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    secret = tmp_path_factory.mktemp("outside") / "private.safetensors"
    if to == "file":
        (folder / FIRST).rename(secret)
    elif to == "folder":
        secret.mkdir()
    (blobs / ("b" * 64)).symlink_to(secret)
    (snapshot / "model.safetensors").symlink_to(f"../../blobs/{'b' * 64}")
    with pytest.raises(SourceError, match=r"a symbolic link that leads out of its folder: found \.\./\.\./blobs/bbb"):
        open_source(snapshot)


def test_the_cache_s_folder_of_blobs_is_no_link(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """M6: nor is what lies on the way to the blob."""
    snapshot, elsewhere = folder / "snapshots" / "abc", tmp_path_factory.mktemp("outside")
    snapshot.mkdir(parents=True)
    (folder / FIRST).rename(elsewhere / ("c" * 40))
    (folder / "blobs").symlink_to(elsewhere)
    (snapshot / "model.safetensors").symlink_to(f"../../blobs/{'c' * 40}")
    with pytest.raises(SourceError, match="leads out of its folder"):
        open_source(snapshot)


def test_a_blob_that_is_missing(folder: Path) -> None:
    """A download that was not finished: a link to nothing, and no intruder."""
    snapshot = folder / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / "model.safetensors").symlink_to(f"../../blobs/{'d' * 40}")
    with pytest.raises(SourceError, match="a symbolic link to nothing"):
        open_source(snapshot)


def test_links_in_a_circle(folder: Path) -> None:
    """The error is one of ours or of the system, none of Python's own."""
    (folder / FIRST).unlink()
    (folder / FIRST).symlink_to(SECOND)
    (folder / SECOND).unlink()
    (folder / SECOND).symlink_to(FIRST)
    with pytest.raises((SourceError, OSError)):
        open_source(folder)


@pytest.mark.parametrize("inside", [True, False])
def test_numbered_files_that_are_links(folder: Path, tmp_path_factory: pytest.TempPathFactory, *, inside: bool) -> None:
    """M6: without an index as with one."""
    (folder / INDEX).unlink()
    home = folder if inside else tmp_path_factory.mktemp("outside")
    (folder / FIRST).rename(home / "a")
    (folder / FIRST).symlink_to(home / "a")
    if inside:
        with open_source(folder) as source:
            assert list(decoded(source)) == ["a", "b"]
        return
    with pytest.raises(SourceError, match="a symbolic link that leads out of its folder"):
        open_source(folder)


@pytest.mark.parametrize("kind", ["fifo", "folder", "link to a device"])
def test_no_regular_file(folder: Path, kind: str) -> None:
    """Nothing hangs, nothing is endless."""
    (folder / FIRST).unlink()
    if kind == "fifo":
        os.mkfifo(folder / FIRST)
    elif kind == "folder":
        (folder / FIRST).mkdir()
    else:
        (folder / FIRST).symlink_to("/dev/zero")
    with pytest.raises(SourceError, match=r"not a regular file|leads out of its folder"):
        open_source(folder)


def test_empty_shard(folder: Path) -> None:
    """Its length tells that it is empty."""
    written(folder, FIRST, b"")
    with pytest.raises(SourceError, match="too short for a header: found 0 bytes"):
        open_source(folder)


def test_files_are_closed_after_an_error(folder: Path) -> None:
    """No descriptor is left."""
    descriptors = Path("/proc/self/fd")
    if not descriptors.exists():
        pytest.skip("the system does not list open files")
    before = len(list(descriptors.iterdir()))
    written(folder, SECOND, pack({"a": B}))
    with pytest.raises(SourceError):
        open_source(folder)
    assert len(list(descriptors.iterdir())) == before


def test_real_index(data: Path) -> None:
    """Equal to what the reference reads from each file."""
    path = data / "devstral_slice" / INDEX
    truth = {}
    for name in (FIRST, SECOND):
        truth |= safetensors.numpy.load_file(path.parent / name)
    with open_source(path) as source:
        found = decoded(source)
    assert found.keys() == truth.keys() == json.loads(path.read_text())["weight_map"].keys()
    assert all(np.array_equal(found[name], truth[name]) for name in truth)
