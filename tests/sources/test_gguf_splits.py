"""GGUF in several files: any of them brings all, from its name; a set that is not one is refused."""

from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFWriter

from fourcc.errors import SourceError
from fourcc.sources import open_source
from tests.sources.writers import decoded, gguf, gguf_key, gguf_llama_keys, gguf_name, llama, written


def split(folder: Path, count: int = 3, *, total: int | None = None, numbers: tuple[int, ...] = ()) -> list[Path]:
    """A Llama in so many files; the last arguments tell lies."""
    h, tensors = llama()
    named = [(gguf_name(name), array.shape, 0, array.tobytes()) for name, array in tensors.items()]
    paths = []
    for i in range(count):
        keys = gguf_llama_keys(h) if i == 0 else []
        keys += [
            gguf_key("split.no", 2, numbers[i] if numbers else i),
            gguf_key("split.count", 2, count),
            gguf_key("split.tensors.count", 5, len(named) if total is None else total),
        ]
        paths.append(written(folder, f"m-{i + 1:05}-of-{count:05}.gguf", gguf(keys, named[i::count])))
    return paths


@pytest.mark.parametrize("which", [0, 1, 2])
def test_any_file_brings_all(tmp_path: Path, which: int) -> None:
    """Tensors come from all files, keys from the first."""
    paths = split(tmp_path)
    _, tensors = llama()
    with open_source(paths[which]) as source:
        found = decoded(source)
        assert (source.files, source.hyper["dim"], source.notes) == (tuple(paths), 12, ())
    assert list(found) == list(tensors)
    assert all(np.array_equal(found[name], tensors[name]) for name in tensors)


def test_a_folder_of_them(tmp_path: Path) -> None:
    """The folder is one model."""
    paths = split(tmp_path)
    with open_source(tmp_path) as source:
        assert source.files == tuple(paths)


def test_two_models_in_a_folder(tmp_path: Path) -> None:
    """The user must name one of them."""
    split(tmp_path)
    split(tmp_path, 2)
    with pytest.raises(SourceError, match=r"holds more than one model: m-00001-of-00002.gguf and"):
        open_source(tmp_path)


def test_files_of_the_reference_writer(tmp_path: Path) -> None:
    """The gguf package split the model."""
    _, tensors = llama()
    writer = GGUFWriter(tmp_path / "m.gguf", "llama", split_max_tensors=8)
    for name, array in tensors.items():
        writer.add_tensor(gguf_name(name), array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert not (tmp_path / "m.gguf").exists()
    with open_source(tmp_path) as source:
        assert len(source.files) == 3
        assert all(np.array_equal(array, tensors[name]) for name, array in decoded(source).items())
        assert {tensor.name for tensor in source.tensors} == set(tensors)


def test_missing_files_are_all_named(tmp_path: Path) -> None:
    """So one try tells all that is to be downloaded."""
    paths = split(tmp_path)
    paths[0].unlink()
    paths[2].unlink()
    with pytest.raises(SourceError, match=r"there is no m-00001-of-00003.gguf, m-00003-of-00003.gguf. Down"):
        open_source(paths[1])


def test_renamed_file(tmp_path: Path) -> None:
    """Its name does not tell the others' any more."""
    renamed = split(tmp_path)[0].rename(tmp_path / "model.gguf")
    with pytest.raises(SourceError, match=r"found model.gguf, expected NAME-00001-of-00003.gguf. Give the files back"):
        open_source(renamed)


def test_files_that_do_not_belong_together(tmp_path: Path) -> None:
    """Two parts that were swapped; too few tensors; one tensor twice."""
    paths = split(tmp_path, numbers=(0, 2, 1))
    with pytest.raises(SourceError, match="another part of a split model: found 2 of 3, expected 1 of 3, counted"):
        open_source(paths[0])
    paths = split(tmp_path, total=99)
    with pytest.raises(SourceError, match="wrong number of tensors in a split model: found 20, expected 99"):
        open_source(paths[0])
    paths = split(tmp_path)
    keys = [gguf_key("split.no", 2, 1), gguf_key("split.count", 2, 3)]
    more = [(f"x{i}", (1,), 0, bytes(4)) for i in range(6)]
    written(tmp_path, paths[1].name, gguf(keys, [("token_embd.weight", (12,), 0, bytes(48)), *more]))
    with pytest.raises(SourceError, match=r"'token_embd.weight': the tensor is in two files of the split model"):
        open_source(paths[0])


def test_a_link_out_of_the_folder(tmp_path: Path) -> None:
    """A set that was downloaded cannot name files of ours."""
    (tmp_path / "a").mkdir()
    paths = split(tmp_path / "a")
    outside = paths[1].rename(tmp_path / "outside.gguf")
    paths[1].symlink_to(outside)
    with pytest.raises(SourceError, match="a symbolic link that leads out of its folder"):
        open_source(paths[0])
