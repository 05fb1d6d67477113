"""Plugins' kinds of checkpoints: when they are asked, and what becomes of theirs that are odd."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import fourcc
from fourcc import Source, SourceKind, SourceTensor
from fourcc.errors import PluginError, SourceError
from fourcc.plugins.entries import SOURCES, Entry
from fourcc.sources import PLUGGED, plugged_sources
from tests.core.test_kinds import entry
from tests.sources.writers import gguf_llama, llama, written

WEIGHTS = np.arange(6, dtype=np.float32).reshape(2, 3)
Install = Callable[..., None]


def odd_source(path: Path) -> Source:
    """A source of one tensor."""
    return Source(path=path, kind="odd", tensors=(SourceTensor.of_array("w", WEIGHTS),), files=(path,))


def odd(name: str = "odd", **changes: object) -> SourceKind:
    """A kind of files that begin with ``ODD``."""
    given = {"recognises": lambda path, head: head.startswith(b"ODD") or path.name == "odd", "open": odd_source}
    return SourceKind(name=name, **{**given, **changes})


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs plugins: entries, or kinds of the package `fake`."""

    def put(*plugins: SourceKind | Entry) -> None:
        entries = [each if isinstance(each, Entry) else entry(each.name, each) for each in plugins]
        kinds = plugged_sources(["GGUF"])
        monkeypatch.setattr(kinds, "_scan", lambda group: entries)
        monkeypatch.setattr("fourcc.sources.PLUGGED", kinds)

    return put


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of the odd kind."""
    path = tmp_path / "a.odd"
    path.write_bytes(b"ODD!" * 10)
    return path


def test_a_file_that_nothing_else_recognises(install: Install, file: Path, tmp_path: Path) -> None:
    """It is opened, converted, and listed among what was expected."""
    install(odd())
    with fourcc.open(file) as source:
        assert source.kind == "odd"
        assert np.array_equal(source["w"].decode(), WEIGHTS)
    fourcc.convert(file, tmp_path / "model.bin")
    with fourcc.open(tmp_path / "model.bin") as model:
        assert np.array_equal(model["w"].decode(), WEIGHTS)
    (tmp_path / "none").write_bytes(b"\x01\x02\xff")
    with pytest.raises(SourceError, match=r"llama2\.c, odd"):
        fourcc.open(tmp_path / "none")


def test_a_folder(install: Install, tmp_path: Path) -> None:
    """Plugins are shown a folder in which no kind of this package's lies."""
    install(odd())
    (tmp_path / "odd").mkdir()
    (tmp_path / "even").mkdir()
    with fourcc.open(tmp_path / "odd") as source:
        assert source.kind == "odd"
    with pytest.raises(SourceError, match="no model in this folder"):
        fourcc.open(tmp_path / "even")


def test_a_usual_file_asks_no_plugin(install: Install, tmp_path: Path) -> None:
    """Nothing is even looked for where a file has a mark of this package's kinds."""
    install(odd(recognises=lambda path, head: pytest.fail("asked")))
    with fourcc.open(written(tmp_path, "m.gguf", gguf_llama(*llama()))) as source:
        assert source.kind == "GGUF"
    assert fourcc.sources.PLUGGED._entries is None


def test_a_usual_file_looks_at_no_metadata(tmp_path: Path) -> None:
    """Measured in a process of its own."""
    path = written(tmp_path, "m.gguf", gguf_llama(*llama()))
    code = f"import fourcc.sources as s; s.open_source({str(path)!r}).close(); print(s.PLUGGED._entries)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "None\n"


def test_a_plugin_comes_before_a_guess(install: Install, root: Path) -> None:
    """llama2.c's first version has no mark."""
    install(odd(recognises=lambda path, head: True))
    with fourcc.open(root / "fourcc" / "example" / "tiny.bin") as source:
        assert source.kind == "odd"


def test_two_that_claim_a_file(install: Install, file: Path) -> None:
    """Nobody chooses silently how a file is read."""
    install(odd(), odd("strange"))
    with pytest.raises(PluginError) as caught:
        fourcc.open(file)
    assert str(caught.value) == (
        f"{file}: the file is claimed by odd of fake 1.0 and by strange of fake 1.0. "
        "Uninstall one of them, or name the one to use in FOURCC_PLUGINS."
    )


def test_broken_ones_are_named_where_nothing_fits(install: Install, file: Path) -> None:
    """One that cannot be imported, and one that fails when it is asked; others go on."""

    def fails(path: Path, head: bytes) -> bool:
        raise ZeroDivisionError("oh")

    install(entry("bad", ImportError("no x")), odd("sick", recognises=fails))
    with pytest.raises(SourceError) as caught:
        fourcc.open(file)
    assert str(caught.value).endswith(
        "Plugins that cannot be used: bad of fake 1.0 (ImportError: no x), "
        "sick of fake 1.0 (recognises fails: ZeroDivisionError: oh)."
    )
    install(entry("bad", ImportError("no x")), odd("sick", recognises=fails), odd())
    assert fourcc.open(file).close() is None


def several(path: Path) -> Source:
    """A source with two tensors of one name."""
    return Source(path=path, kind="odd", tensors=odd_source(path).tensors * 2, files=(path,))


def reading(path: Path) -> Source:
    """A source whose tensors cannot be read."""

    def read(matrix: int, first: int, last: int) -> dict[str, object]:
        raise LookupError("lost")

    tensor = SourceTensor("w", "w", (2, 3), "F32", read)
    return Source(path=path, kind="odd", tensors=(tensor,), files=(path,))


def with_hyper(value: object) -> Callable[[Path], Source]:
    """An `open` whose source has a hyper-parameter."""
    return lambda path: Source(path=path, kind="odd", tensors=(), files=(path,), hyper={"dim": value})


OPEN = r"open of the source odd \(fake 1\.0\) does not keep its contract: found "


@pytest.mark.parametrize(
    ("opening", "says"),
    [
        (lambda path: 1 / 0, OPEN + "ZeroDivisionError: division by zero"),
        (lambda path: sys.exit(3), OPEN + "SystemExit: 3"),
        (lambda path: None, OPEN + "a NoneType, expected a fourcc.Source"),
        (several, OPEN + "1 names of several tensors: 'w'"),
        (with_hyper(np.int64(3)), OPEN + r"hyper-parameter 'dim' is np\.int64\(3\)"),
        (reading, r"read of the source odd \(fake 1\.0\) does not keep its contract: found LookupError: lost"),
    ],
)
def test_what_is_opened_is_checked(
    install: Install, file: Path, tmp_path: Path, opening: Callable[[Path], Source], says: str
) -> None:
    """The error names the function and the package."""
    install(odd(open=opening))
    with pytest.raises(PluginError, match=says):
        fourcc.convert(file, tmp_path / "model.bin")
    assert not (tmp_path / "model.bin").exists()


def test_errors_on_the_file_are_the_plugin_s_own(install: Install, file: Path) -> None:
    """A plugin raises SourceError as every reader does."""

    def damaged(path: Path) -> Source:
        raise SourceError("cut", file=path)

    install(odd(open=damaged))
    with pytest.raises(SourceError, match="cut"):
        fourcc.open(file)


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (4, 2, 3), (0, 3), (2, 0)])
def test_a_tensor_of_an_array(shape: tuple[int, ...]) -> None:
    """It may have any number of dimensions, and is read a run of rows at a time."""
    array = np.arange(np.prod(shape, dtype=int), dtype=np.float32).reshape(shape)
    tensor = SourceTensor.of_array("w", array)
    assert np.array_equal(tensor.decode(), array)
    assert tensor.decode().shape == shape


def test_arrays_that_are_no_tensors() -> None:
    """A dtype that no format stores, and a format that stores something else."""
    with pytest.raises(SourceError, match="no installed format holds numbers of this dtype: found >f4"):
        SourceTensor.of_array("w", WEIGHTS.astype(">f4"))
    for tag in ("F16", "Q8_0"):
        with pytest.raises(SourceError, match=f"{tag} does not store weights so: found <f4"):
            SourceTensor.of_array("w", WEIGHTS, tag)
    halves = SourceTensor.of_array("w", (WEIGHTS.view("<u4") >> 16).astype("<u2"), "BF16")
    assert np.array_equal(halves.decode(), WEIGHTS)


def test_the_environment_allows_plugins(tmp_path: Path) -> None:
    """FOURCC_PLUGINS, and the group of the seam's version: found in the metadata of installed packages."""
    info = tmp_path / "odd-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odd\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{SOURCES}]\nodd = nowhere:X\n")
    code = "from fourcc.sources import PLUGGED; print(PLUGGED.names())"
    for value, names in ((None, "['odd']\n"), ("odd", "['odd']\n"), ("", "[]\n")):
        environment = {name: text for name, text in os.environ.items() if name != "FOURCC_PLUGINS"}
        environment |= {"PYTHONPATH": str(tmp_path)} | ({} if value is None else {"FOURCC_PLUGINS": value})
        assert subprocess.check_output([sys.executable, "-c", code], text=True, env=environment) == names
    assert PLUGGED is fourcc.sources.PLUGGED
