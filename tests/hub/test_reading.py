"""A model on a hub is read as a folder of this machine is: downloaded, by ranges, file after file."""

from pathlib import Path

import numpy as np
import pytest

import fourcc
from fourcc.conversion.carrying_out import execute
from fourcc.conversion.plan import plan
from fourcc.errors import SourceError, UsageError
from fourcc.example import CHECKPOINT, FOLDER
from fourcc.files.write import check_target
from fourcc.policy import Policy
from fourcc.sources import open_source
from fourcc.sources.elsewhere import RANGES, Transfer
from tests.hub.conftest import NAME, converted, leftovers
from tests.hub.server import COMMIT, LocalHub, Repo, Stored

WAYS = ("download", "ranges", "stream")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, sharded: Path) -> dict[str, Path]:
    """The shipped model in several kinds of files."""
    folder = tmp_path_factory.mktemp("made")
    fourcc.export(FOLDER / CHECKPOINT, folder / "tiny.gguf")
    fourcc.export(FOLDER / CHECKPOINT, folder / "tiny.safetensors")
    fourcc.convert(sharded, folder / "model.bin")
    np.savez_compressed(folder / "tiny.npz", a=np.ones((40, 64), "<f4"), b=np.arange(9000, dtype="<f4"))
    return {path.suffix: path for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("way", WAYS)
def test_the_same_bytes(hub: LocalHub, sharded: Path, expected: bytes, tmp_path: Path, way: str) -> None:
    """However the bytes come, and on whichever number of threads; nothing is left over."""
    hub.add(NAME, sharded)
    for threads in (1, 3):
        assert converted(NAME, tmp_path / "model.bin", Transfer(way, tmp_path), threads) == expected
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("suffix", [".gguf", ".safetensors", ".bin", ".npz"])
def test_each_kind_of_file(hub: LocalHub, made: dict[str, Path], tmp_path: Path, way: str, suffix: str) -> None:
    """A file by its name in the repository is read as the same file here."""
    path = made[suffix]
    hub.repos[NAME] = Repo({f"sub/{each.name}": Stored(each.read_bytes()) for each in made.values()})
    here = converted(path, tmp_path / "here.bin", Transfer())
    for name in (
        f"{NAME}/sub/{path.name}",
        f"hf://{NAME}@main/sub/{path.name}",
        f"hf://{NAME}/sub/{path.name}@{COMMIT}",
    ):
        assert converted(name, tmp_path / "there.bin", Transfer(way, tmp_path)) == here


@pytest.mark.parametrize("way", WAYS)
def test_an_address(hub: LocalHub, made: dict[str, Path], tmp_path: Path, way: str) -> None:
    """A file of another server; the user's token is not sent there."""
    path = made[".gguf"]
    hub.repos[NAME] = Repo({path.name: Stored(path.read_bytes())})
    here = converted(path, tmp_path / "here.bin", Transfer())
    url = f"{hub.cdn}/{NAME}/{path.name}?signature=SECRET"
    for _ in range(2):
        assert converted(url, tmp_path / "there.bin", Transfer(way, tmp_path)) == here
    assert {request.at for request in hub.requests} == {"cdn"}
    assert leftovers(tmp_path) == []


def test_addresses_of_the_hub(hub: LocalHub, sharded: Path, made: dict[str, Path]) -> None:
    """A model's page, a file's page, and a file's address name the model or the file."""
    repo = hub.add(NAME, sharded)
    repo.files["tiny.GGUF".lower()] = Stored(made[".gguf"].read_bytes())
    for page, kind in (
        ("tree/main/", None),
        ("blob/main/tiny.gguf", "GGUF"),
        (f"resolve/{COMMIT}/tiny.gguf", "GGUF"),
    ):
        if kind is None:
            with pytest.raises(SourceError, match="more than one model: model"):
                open_source(f"{hub.address}/{NAME}/{page}")
            continue
        with open_source(f"{hub.address}/{NAME}/{page}", None, RANGES) as source:
            assert source.kind == kind


def test_looking_costs_headers_only(hub: LocalHub, sharded: Path) -> None:
    """A plan fetches no weights, and keeps nothing but small files in the cache."""
    hub.add(NAME, sharded)
    sent: list[int] = []
    hub.on_bytes = lambda _, count: sent.append(count)
    with open_source(NAME, None, RANGES) as source:
        plan(source, Policy.chosen(format="Q8_0,F16"))
        total = sum(path.stat().st_size for path in source.files)
        used = sum(path.stat().st_blocks * 512 for path in source.files)
    assert total > 1_400_000
    assert sum(sent) < 120_000
    assert used < 200_000


def test_a_token_goes_to_the_hub_alone(
    hub: LocalHub, sharded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hub gets it, the server of the large files does not; a private model can be read with it."""
    hub.add(NAME, sharded, private=True)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    for way in WAYS:
        converted(NAME, tmp_path / "model.bin", Transfer(way, tmp_path))
    tokens = {(request.at, request.token) for request in hub.requests}
    assert tokens == {("info", "Bearer hf_secret"), ("resolve", "Bearer hf_secret"), ("cdn", None)}


@pytest.mark.parametrize("threads", [1, 4])
def test_a_stream_has_one_file_on_the_disk(hub: LocalHub, sharded: Path, tmp_path: Path, threads: int) -> None:
    """While a file is fetched the others are empty, but for their headers; each is fetched as a whole once."""
    hub.add(NAME, sharded)
    lengths, most = [path.stat().st_size for path in sharded.glob("*.safetensors")], 0

    def look(_: str, count: int) -> None:
        nonlocal most
        there = [path.stat().st_blocks * 512 for path in tmp_path.glob(".fourcc-hub-*/org/model/*.safetensors")]
        most = max(most, sum(there) + count)

    hub.on_bytes = look
    converted(NAME, tmp_path / "model.bin", Transfer("stream", tmp_path), threads)
    hub.on_bytes = lambda *_: None
    assert most < max(lengths) + 200_000
    whole = [
        request.path
        for request in hub.requests
        if request.at == "cdn" and request.range in {f"bytes=0-{n - 1}" for n in lengths}
    ]
    assert sorted(whole) == sorted(
        {request.path for request in hub.requests if ".safetensors" in request.path and request.at == "cdn"}
    )


def test_what_is_left_out_is_still_digested(hub: LocalHub, sharded: Path, tmp_path: Path) -> None:
    """A stream that uses one tensor records the same digests of all files as a conversion of the folder."""
    hub.add(NAME, sharded)

    def made_of(source: str | Path, name: str, transfer: Transfer) -> bytes:
        with open_source(source, None, transfer) as opened:
            planned = plan(opened, Policy.keep(), include=["norm"])
            execute(planned, check_target(tmp_path / name, opened.all_files, force=False))
        return (tmp_path / name).read_bytes()

    assert made_of(NAME, "a.bin", Transfer("stream", tmp_path)) == made_of(sharded, "b.bin", Transfer())


def test_tensors_read_at_random(hub: LocalHub, sharded: Path, tmp_path: Path) -> None:
    """Emptied files are read again as ranges, and give the same weights."""
    hub.add(NAME, sharded)
    rng = np.random.default_rng(5)
    with open_source(sharded) as here, open_source(NAME, None, Transfer("stream", tmp_path)) as there:
        fourcc.files.backing.use_whole(there.files)
        for number in rng.integers(0, len(here.tensors), 40):
            tensor = here.tensors[number]
            assert np.array_equal(tensor.decode(), there.tensors[number].decode()), tensor.name


def test_a_file_that_changes_after_it_was_emptied(hub: LocalHub, sharded: Path, tmp_path: Path) -> None:
    """Bytes that are fetched again have to be those that were checked."""
    repo = hub.add(NAME, sharded)
    with open_source(NAME, None, Transfer("stream", tmp_path)) as there:
        fourcc.files.backing.use_whole(there.files)
        first, last = there.tensors[0], there.tensors[-1]
        first.decode()
        last.decode()
        for name, contents in repo.files.items():
            repo.files[name] = Stored(bytes(byte ^ 1 for byte in contents.data)) if name.endswith("s") else contents
        with pytest.raises(
            SourceError, match=r"model@0123456789ab/model-0000\d-of-00004.safetensors.*: the file changed"
        ):
            first.decode()


def test_the_cache_is_used(hub: LocalHub, sharded: Path, expected: bytes, tmp_path: Path) -> None:
    """A model is not downloaded twice, whatever the way; without a network it is found."""
    import huggingface_hub

    hub.add(NAME, sharded)
    converted(NAME, tmp_path / "model.bin", Transfer())
    hub.requests.clear()
    for way in WAYS:
        assert converted(NAME, tmp_path / "model.bin", Transfer(way, tmp_path)) == expected
    assert {request.at for request in hub.requests} <= {"info", "resolve"}
    assert all(request.method == "HEAD" for request in hub.requests if request.at == "resolve")
    hub.requests.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
        assert converted(NAME, tmp_path / "model.bin", Transfer()) == expected
        with pytest.raises(SourceError, match=r"^hf://org/other: not in huggingface_hub's cache, and HF_HUB_OFFLINE"):
            open_source("hf://org/other")
    assert hub.requests == []


def test_what_lies_here_comes_first(
    hub: LocalHub, sharded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of that name is taken, and where its owner's folder is here, nobody else is asked."""
    hub.add(NAME, sharded)
    (tmp_path / "org").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="org/model"):
        open_source(NAME)
    (tmp_path / NAME).symlink_to(sharded)
    with open_source(NAME) as source:
        assert source.files[0].is_relative_to(Path("org"))
    assert hub.requests == []


def test_a_stream_of_what_lies_here(sharded: Path, tmp_path: Path) -> None:
    """Refused, with advice."""
    with pytest.raises(UsageError, match="there is nothing to stream"):
        fourcc.convert(sharded, tmp_path / "model.bin", stream=True)


def test_wild_names_are_passed_over(hub: LocalHub, sharded: Path, expected: bytes, tmp_path: Path) -> None:
    """Names that lead out of the folder make no file."""
    from tests.hub.server import Fault

    hub.add(NAME, sharded)
    for way in WAYS:
        hub.faults = [Fault("info", "wild")]
        assert converted(NAME, tmp_path / "model.bin", Transfer(way, tmp_path)) == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "model.bin"]


def test_opened_from_python(hub: LocalHub, sharded: Path) -> None:
    """`fourcc.open` fetches what is read; a model that runs is downloaded."""
    hub.add(NAME, sharded)
    with fourcc.open(NAME) as there, fourcc.open(sharded) as here:
        assert np.array_equal(there["norm"].decode(), here["norm"].decode())
    assert not any(path.suffix == ".safetensors" for path in Path(_cache()).rglob("*"))
    with fourcc.open(NAME, run=True) as model:
        assert model.generate("One day", max_tokens=2)


def _cache() -> str:
    import huggingface_hub

    return str(huggingface_hub.constants.HF_HUB_CACHE)
