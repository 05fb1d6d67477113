"""The files of a repository that are fetched, and what is said where it is not one model."""

from pathlib import Path

import pytest

import fourcc
from fourcc.errors import SourceError
from fourcc.example import CHECKPOINT, FOLDER
from fourcc.sources import open_source
from fourcc.sources.elsewhere import RANGES, Transfer
from tests.hub.conftest import NAME, converted
from tests.hub.server import Contents, LocalHub, Repo, Stored

NOTHING = Stored(b"x" * 5000)


def asked_for(hub: LocalHub) -> set[str]:
    """Names of the files that were asked for."""
    return {request.path.rpartition("/")[2] for request in hub.requests if request.at != "info"}


def test_only_the_files_of_the_model(hub: LocalHub, sharded: Path) -> None:
    """Config, tokenizer, index and the files that the index names; no pickle, no picture, no second set of weights."""
    repo = hub.add(NAME, sharded)
    own = set(repo.files)
    beside = ("pytorch_model.bin", "consolidated.safetensors", "onnx/model.onnx", "figure.png", "original/params.json")
    repo.files |= dict.fromkeys(beside, NOTHING)
    for transfer in (Transfer(), RANGES):
        hub.requests.clear()
        open_source(NAME, None, transfer).close()
        assert asked_for(hub) <= own


def test_a_split_gguf(hub: LocalHub, tmp_path: Path) -> None:
    """All files of the set, and of no other."""
    whole = FOLDER / CHECKPOINT
    fourcc.export(whole, tmp_path / "m.gguf")
    data = Stored((tmp_path / "m.gguf").read_bytes())
    names = [f"Q8/m-0000{n}-of-00003.gguf" for n in (1, 2, 3)]
    hub.repos[NAME] = Repo({**dict.fromkeys(names, data), "Q4/m-00001-of-00002.gguf": data, "Q4/x.gguf": data})
    for source in (f"{NAME}/Q8", f"{NAME}/{names[0]}"):
        hub.requests.clear()
        open_source(source, None, RANGES).close()
        assert asked_for(hub) == {name.removeprefix("Q8/") for name in names}


@pytest.mark.parametrize(
    ("files", "inside", "message"),
    [
        (
            ["b.gguf", "a.gguf"],
            "",
            (
                "hf://org/model: the repository holds more than one model: a.gguf, b.gguf. "
                "Name one of them: hf://org/model/a.gguf"
            ),
        ),
        (
            ["model.safetensors", "a.gguf"],
            "",
            (
                "hf://org/model: the repository holds more than one model: model.safetensors, a.gguf. "
                "Name one of them: hf://org/model/model.safetensors"
            ),
        ),
        (
            ["Q4/m-00001-of-00002.gguf", "Q4/m-00002-of-00002.gguf", "Q8/m.gguf"],
            "",
            (
                "hf://org/model: the repository holds no safetensors and no GGUF file here. It has "
                "Q4/m-00001-of-00002.gguf, Q8/m.gguf. Name one of them: hf://org/model/Q4/m-00001-of-00002.gguf"
            ),
        ),
        (
            ["pytorch_model.bin", "config.json"],
            "",
            (
                "hf://org/model: the repository holds no safetensors and no GGUF file here. It has pytorch_model.bin: "
                "a pickle can execute code, and is neither downloaded nor read."
            ),
        ),
        (
            ["a.safetensors", "b.safetensors"],
            "",
            (
                "hf://org/model: several safetensors files and no index: a.safetensors, b.safetensors. "
                "Name one of them: hf://org/model/a.safetensors"
            ),
        ),
        (
            ["a.gguf"],
            "c.gguf",
            (
                "hf://org/model/c.gguf: the repository has no such file or folder. It has a.gguf. "
                "Name one of them: hf://org/model/a.gguf"
            ),
        ),
        (["README.md"], "", "hf://org/model: the repository holds no safetensors and no GGUF file here"),
    ],
)
def test_not_one_model(hub: LocalHub, files: list[str], inside: str, message: str) -> None:
    """Messages say what there is, and how it is named."""
    held: dict[str, Contents] = dict.fromkeys(files, NOTHING)
    hub.repos[NAME] = Repo(held)
    for transfer in (Transfer(), RANGES):
        with pytest.raises(SourceError) as caught:
            open_source(f"{NAME}/{inside}".rstrip("/"), None, transfer)
        assert str(caught.value) == message
    assert asked_for(hub) == set()


def test_a_model_bin_alone(hub: LocalHub, sharded: Path, tmp_path: Path) -> None:
    """It is the repository's model, where there are no safetensors and no GGUF."""
    fourcc.convert(sharded, tmp_path / "model.bin")
    whole = Stored((tmp_path / "model.bin").read_bytes())
    hub.repos[NAME] = Repo({"model.bin": whole, "README.md": Stored(b"x"), "pytorch_model.bin": NOTHING})
    for transfer in (RANGES, Transfer()):
        with open_source(NAME, None, transfer) as source:
            assert source.kind == "model.bin"


@pytest.mark.parametrize("way", ["download", "ranges", "stream"])
def test_a_model_bin_in_shards(hub: LocalHub, sharded: Path, tmp_path: Path, way: str) -> None:
    """A set is named by its repository, its list or one of its files, and converted as it is here."""
    here = tmp_path / "here"
    here.mkdir()
    fourcc.convert(sharded, here / "model.bin", shard_size="400kB")
    hub.add(NAME, here).files["m-00001-of-00002.bin"] = NOTHING
    own = {path.name for path in here.iterdir()}
    made = converted(here, tmp_path / "here.bin", Transfer())
    for name in (f"{NAME}/model.index.json", f"{NAME}/{min(each for each in own if each.endswith('.bin'))}"):
        assert converted(name, tmp_path / "there.bin", Transfer(way, tmp_path)) == made
    assert asked_for(hub) <= own
    del hub.repos[NAME].files["m-00001-of-00002.bin"]
    assert converted(NAME, tmp_path / "there.bin", Transfer(way, tmp_path)) == made


def test_what_is_no_checkpoint_costs_its_first_bytes(hub: LocalHub) -> None:
    """A file of no known kind is told as one before it is fetched, where no plugin could know it."""
    hub.repos[NAME] = Repo({"w.data": Stored(b"\x01\x02nothing" + bytes(4 << 20))})
    sent: list[int] = []
    hub.on_bytes = lambda _, count: sent.append(count)
    with pytest.raises(SourceError, match=r"^hf://org/model@0123456789ab/w.data: not a checkpoint"):
        open_source(f"{NAME}/w.data", None, RANGES)
    assert sum(sent) < 100_000


@pytest.mark.parametrize("head", [b"PK\x03\x04", b"\x80\x02}q"])
def test_a_pickle_is_not_downloaded(hub: LocalHub, head: bytes) -> None:
    """Even by its name: a few bytes tell."""
    hub.repos[NAME] = Repo({"w.bin": Stored(head + bytes(1 << 20))})
    sent: list[int] = []
    hub.on_bytes = lambda _, count: sent.append(count)
    with pytest.raises(SourceError) as caught:
        open_source(f"{NAME}/w.bin")
    assert str(caught.value) == (
        "hf://org/model/w.bin: a pickle can execute code, and is neither downloaded nor read. "
        "Take a model whose weights are safetensors."
    )
    assert sum(sent) < 5


def test_an_index_that_lies(hub: LocalHub, sharded: Path) -> None:
    """Files that it names and nobody has are named, as of a folder here."""
    repo = hub.add(NAME, sharded)
    del repo.files["model-00003-of-00004.safetensors"]
    for transfer in (Transfer(), RANGES):
        with pytest.raises(SourceError, match="1 of 4 files that the index names are missing: model-00003-of-00004"):
            open_source(NAME, None, transfer)
