"""Plugins' kinds of files to export to: how they are chosen, and what becomes of odd ones."""

import sys
from collections.abc import Callable
from pathlib import Path

import attrs
import numpy as np
import pytest

import fourcc
from fourcc import ExportKind, Layout, Source, Step
from fourcc.errors import PluginError, UsageError
from fourcc.exporters import plugged_exporters
from fourcc.plugins.entries import EXPORTERS, Entry
from tests.core.test_kinds import entry

Install = Callable[..., None]
HEAD = b"ODD!"
WEIGHTS = np.arange(6, dtype=np.float32).reshape(2, 3)


def lay_out(source: Source, steps: tuple[Step, ...]) -> Layout:
    """A magic, and the tensors one after the other."""
    places, at = {}, len(HEAD)
    for step in steps:
        places[step.source.name] = {step.source.format.parts[0].name: at}
        at += step.decision.nbytes
    return Layout(steps, places, {0: HEAD}, at, {"beside.txt": b"x"})


def odd(name: str = "odd", **changes: object) -> ExportKind:
    """A kind of file."""
    given = {
        "summary": "one",
        "suffix": ".odd",
        "holds": lambda fmt, params, shape: str(fmt.tag) == "F32",
        "lay_out": lay_out,
        **changes,
    }
    return ExportKind(name=name, **given)


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs plugins: entries, or kinds of the package `fake`."""

    def put(*plugins: ExportKind | Entry) -> None:
        entries = [each if isinstance(each, Entry) else entry(each.name, each, group=EXPORTERS) for each in plugins]
        kinds = plugged_exporters(["gguf"])
        monkeypatch.setattr(kinds, "_scan", lambda group: entries)
        monkeypatch.setattr("fourcc.exporters.PLUGGED", kinds)

    return put


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A checkpoint of two tensors."""
    np.savez(tmp_path / "w.npz", a=WEIGHTS, b=WEIGHTS + 1)
    return tmp_path / "w.npz"


@pytest.mark.parametrize(("name", "to"), [("m.odd", None), ("m.ODD", None), ("m.bin", "odd")])
def test_a_file_is_written(install: Install, source: Path, tmp_path: Path, name: str, to: str | None) -> None:
    """Chosen by the suffix, or by name; with the file beside it."""
    install(odd())
    fourcc.export(source, tmp_path / name, to=to)
    assert (tmp_path / name).read_bytes() == HEAD + WEIGHTS.tobytes() + (WEIGHTS + 1).tobytes()
    assert (tmp_path / "beside.txt").read_bytes() == b"x"


def test_own_kinds_come_first(install: Install, source: Path, tmp_path: Path) -> None:
    """A suffix or name of this package's looks at no plugin."""
    install(odd(suffix=".gguf"), odd("gguf"))
    fourcc.export(source, tmp_path / "m.gguf")
    fourcc.export(source, tmp_path / "n.odd", to="gguf")
    assert fourcc.exporters.PLUGGED._entries is None
    assert {(tmp_path / name).read_bytes()[:4] for name in ("m.gguf", "n.odd")} == {b"GGUF"}


def test_no_kind(install: Install, source: Path, tmp_path: Path) -> None:
    """The kinds that there are are listed, plugins' too; broken ones are named."""
    install(odd(), entry("bad", ImportError("no x"), group=EXPORTERS))
    with pytest.raises(UsageError, match=r"--to 'even' is no kind .* expected one of gguf, .*, bad, odd"):
        fourcc.export(source, tmp_path / "m", to="even")
    with pytest.raises(UsageError) as caught:
        fourcc.export(source, tmp_path / "m.even")
    assert str(caught.value).endswith("bad, odd. bad of fake 1.0 cannot be used: ImportError: no x.")
    with pytest.raises(PluginError, match=r"the exporter bad of fake 1\.0 .* cannot be used: ImportError: no x"):
        fourcc.export(source, tmp_path / "m.even", to="bad")


def test_two_with_one_suffix(install: Install, source: Path, tmp_path: Path) -> None:
    """The name decides."""
    install(odd(), odd("strange"))
    with pytest.raises(
        PluginError, match=r"the suffix \.odd is claimed by odd of fake 1\.0 and by strange of fake 1\.0"
    ):
        fourcc.export(source, tmp_path / "m.odd")
    fourcc.export(source, tmp_path / "m.odd", to="strange")


def changed(**fields: Callable[[Layout], object]) -> Callable[[Source, tuple[Step, ...]], Layout]:
    """A `lay_out` whose layout has other fields."""

    def function(source: Source, steps: tuple[Step, ...]) -> Layout:
        layout = lay_out(source, steps)
        return attrs.evolve(layout, **{name: value(layout) for name, value in fields.items()})

    return function


def reads(source: Source, steps: tuple[Step, ...]) -> Layout:
    """A layout whose first step reads otherwise, and fails."""

    def read(matrix: int, first: int, last: int) -> dict[str, object]:
        raise LookupError("lost")

    first = attrs.evolve(steps[0], source=attrs.evolve(steps[0].source, read=read))
    return lay_out(source, (first, *steps[1:]))


WHOSE = r" of the exporter odd \(fake 1\.0\) does not keep its contract: found "


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"holds": lambda fmt, params, shape: 1 / 0}, "holds" + WHOSE + "ZeroDivisionError"),
        ({"check": lambda source, steps: sys.exit(2)}, "check" + WHOSE + "SystemExit: 2"),
        ({"lay_out": lambda source, steps: None}, "lay_out" + WHOSE + "a NoneType, expected a fourcc.Layout"),
        ({"lay_out": changed(places=lambda layout: {})}, "lay_out" + WHOSE + "no place for 'values' of 'a'"),
        ({"lay_out": changed(nbytes=lambda layout: 40)}, "lay_out" + WHOSE + "bytes beyond the file's 40"),
        (
            {"lay_out": changed(pieces=lambda layout: {0: HEAD * 2})},
            "lay_out" + WHOSE + "'values' of 'a' begins at 4, before the end 8 of a piece",
        ),
        ({"lay_out": changed(pieces=lambda layout: {0: "text"})}, "lay_out" + WHOSE + "a piece is no bytes"),
        (
            {"lay_out": changed(beside=lambda layout: {"../x": b""})},
            "lay_out" + WHOSE + r"'\.\./x' is no name of a file beside it",
        ),
        ({"lay_out": reads}, "read" + WHOSE + "LookupError: lost"),
        (
            {"holds": lambda fmt, params, shape: False, "replacement": lambda source, steps, group: "F32"},
            "replacement" + WHOSE + "a str, expected a fourcc.Policy",
        ),
    ],
)
def test_what_a_plugin_returns_is_checked(
    install: Install, source: Path, tmp_path: Path, changes: dict[str, object], says: str
) -> None:
    """The error names the function and the package; nothing is written."""
    install(odd(**changes))
    with pytest.raises(PluginError, match=says):
        fourcc.export(source, tmp_path / "m.odd")
    assert [path.name for path in tmp_path.iterdir()] == ["w.npz"]


def test_a_plugin_replaces_formats(install: Install, source: Path, tmp_path: Path) -> None:
    """Weights that it cannot hold become those that it says."""
    install(odd(replacement=lambda source, steps, group: fourcc.Policy.shorthand("F32")))
    fourcc.export(source, tmp_path / "m.odd", format="F16")
    assert (tmp_path / "m.odd").read_bytes()[4:] == WEIGHTS.tobytes() + (WEIGHTS + 1).tobytes()
