"""The registry: whatever is installed, however broken, disturbs nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from fourcc.errors import DuplicateTagError, MissingFormatError, PluginError, UsageError
from fourcc.format import Format
from fourcc.part import Part
from fourcc.plugins.entries import Entry, installed_entries
from fourcc.plugins.loading import Broken
from fourcc.plugins.registry import Registry
from fourcc.spec import FormatSpec
from fourcc.tags import as_tag
from tests.core.fakes import entry

FAKE = Format(
    tag="Fake",
    name="fake",
    summary="one",
    block=(1, 1),
    parts=(Part("v", "<f4", lambda geom: (geom.cols,)),),
    foreign={"other": 7},
    decode=lambda parts, _: parts["v"],
)


def of(*entries: Entry, allowed: frozenset[str] | None = None) -> Registry:
    """A registry of these entries."""
    return Registry(scan=lambda: entries, allowed=allowed)


def reason(loaded: object, name: str = "Fake") -> str:
    """Why an entry that loads to this object is broken; it is said twice alike, and listed."""
    registry = of(entry(name, loaded))
    for _ in range(2):
        with pytest.raises(PluginError) as caught:
            registry[as_tag(name)]
        assert type(caught.value) is PluginError
    (broken,) = registry.broken()
    assert f"the format {name} of fake 1.0 (fake:{name}) cannot be used: {broken.reason}." in str(caught.value)
    assert "`fourcc formats --broken` lists every such plugin." in str(caught.value)
    return broken.reason


def test_a_format_is_found_by_its_tag() -> None:
    """It is loaded once."""
    registry = of(entry("Fake", FAKE))
    assert list(registry) == [as_tag("Fake")]
    assert as_tag("Fake") in registry
    assert "Fake" in registry
    assert "No such" not in registry
    assert registry[as_tag("Fake")] is registry["Fake"] is FAKE
    assert registry.entry(as_tag("Fake")).owner == "fake 1.0"
    assert registry.broken() == []


def test_the_registry_is_a_mapping() -> None:
    """Tag -> Format: `len`, `get` and `items` are there, and comparing two imports nothing."""
    registry = of(entry("Fake", FAKE))
    assert (len(registry), len(of())) == (1, 0)
    assert registry.get("Fake") is FAKE
    assert registry.get("Nope") is None
    assert dict(registry) == {as_tag("Fake"): FAKE}
    assert of(entry("Fake", AssertionError("loaded"))) != of(entry("Fake", AssertionError("loaded")))
    assert len({registry, registry}) == 1


def test_a_text_is_a_tag_or_is_said_to_be_none() -> None:
    """L6: it was called missing though it was there."""
    registry = of(entry("Fake", FAKE))
    assert registry["Fake"] is FAKE
    with pytest.raises(MissingFormatError, match="no installed package provides the format Q8_0"):
        registry["Q8_0"]
    with pytest.raises(UsageError, match=r"'8_Q' is not a tag: one to four of .*\. `fourcc formats` lists the tags"):
        registry["8_Q"]


def test_owners_of_one_tag_are_sorted() -> None:
    """L10: not in the order of a directory."""
    for names in (("q2", "q1"), ("q1", "q2")):
        registry = of(*(entry("Fake", FAKE, name) for name in names))
        with pytest.raises(DuplicateTagError, match=r"declared by q1 1\.0 and by q2 1\.0"):
            registry["Fake"]
        twins = [attrs.evolve(FAKE, tag=tag) for tag in ("Faka", "Fakb")]
        claims = of(*(entry(str(f.tag), f, name) for f, name in zip(twins, names, strict=True)))
        with pytest.raises(DuplicateTagError, match=r"claimed by Faka of q.* and by Fakb of q"):
            claims.foreign("other", 7)


def test_no_memory_is_no_fault_of_a_plugin() -> None:
    """L7: it is not listed as broken, and may be asked for again."""
    error = OSError("Could not find/load shared object file 'x.so'")
    error.__cause__ = OSError("x.so: failed to map segment from shared object")
    registry = of(entry("Fake", error))
    with pytest.raises(MemoryError):
        registry["Fake"]
    assert registry._loader.broken() == []


def test_missing_format() -> None:
    """E14: the message names the tag and what to install, never a module that a file names."""
    with pytest.raises(MissingFormatError) as caught:
        of()[as_tag("Nope")]
    assert str(caught.value) == (
        "no installed package provides the format Nope. "
        "Install the package that declares Nope in the entry-point group fourcc.formats.1."
    )
    with pytest.raises(MissingFormatError, match=r"It was made with gizmo 2\.1: install that package\."):
        of().find(as_tag("Nope"), "gizmo 2.1")


def test_duplicates_are_named() -> None:
    """E6: both owners; the other tags go on."""
    registry = of(
        entry("Fake", FAKE, "one", "1.0"), entry("Fake", FAKE, "two", "2.0"), entry("Good", FAKE, "two", "2.0")
    )
    with pytest.raises(DuplicateTagError) as caught:
        registry[as_tag("Fake")]
    assert str(caught.value) == (
        "the tag Fake is declared by one 1.0 and by two 2.0. "
        "Uninstall one of them, or name the one to use in FOURCC_PLUGINS."
    )
    assert list(registry) == [as_tag("Fake"), as_tag("Good")]


def test_reserved_tags() -> None:
    """E6: a third party's entry cannot take fourcc's place; it is listed, and ours is used."""
    own = attrs.evolve(FAKE, tag="F32")
    theirs = entry("F32", FAKE, "thief", "6.6")
    registry = of(theirs, entry("F32", own, "fourcc", "0.1"), entry("Fake", FAKE))
    assert registry[as_tag("F32")] is own
    assert registry.broken() == [Broken(theirs, "F32 is reserved: a third party's tag has a lower-case letter")]
    with pytest.raises(PluginError, match=r"X4 cannot be used: thief 6\.6: X4 is reserved"):
        of(entry("X4", FAKE, "thief", "6.6"))[as_tag("X4")]


@pytest.mark.parametrize("name", ["", "toolong", "../x", "\x1b[2J", "x" * (1 << 20)])
def test_names_that_are_no_tags(name: str) -> None:
    """E15: listed as broken; nothing is loaded."""
    registry = of(entry(name, AssertionError("loaded")), entry("Fake", FAKE))
    assert list(registry) == [as_tag("Fake")]
    (broken,) = registry.broken()
    assert "is not a tag" in broken.reason


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ModuleNotFoundError("No module named 'x'"), "ModuleNotFoundError: No module named 'x'"),
        (SyntaxError("bad"), "SyntaxError: bad"),
        (AttributeError("no FAKE"), "AttributeError: no FAKE"),
        (SystemExit(3), "SystemExit: 3"),
        (GeneratorExit(), "GeneratorExit: "),
        (ZeroDivisionError("x"), "ZeroDivisionError: x"),
    ],
)
def test_errors_on_import(error: BaseException, says: str) -> None:
    """E1 to E4: whatever the module raises, `SystemExit` included."""
    assert reason(error) == says


def test_interrupt_on_import_is_the_user_s() -> None:
    """E3: Ctrl-C is no property of the plugin."""
    registry = of(entry("Fake", KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        registry[as_tag("Fake")]
    assert registry._loader.broken() == []


@pytest.mark.parametrize(
    ("loaded", "name", "says"),
    [
        (None, "Fake", "TypeError: fake:Fake is a NoneType, expected a fourcc.Format"),
        (FormatSpec, "Fake", "TypeError: fake:Fake is a type, expected a fourcc.Format"),
        (FAKE, "Fak2", "ValueError: its tag is Fake, its entry point is named Fak2"),
    ],
)
def test_what_is_loaded_must_be_a_format(loaded: object, name: str, says: str) -> None:
    """E4: of the right type and tag."""
    assert reason(loaded, name) == says


def test_allow_list() -> None:
    """FOURCC_PLUGINS: only these, and fourcc's own always."""
    own = attrs.evolve(FAKE, tag="F32")
    entries = [entry("F32", own, "fourcc", "0.1"), entry("Fake", FAKE, "good"), entry("Evil", FAKE, "bad")]
    assert list(of(*entries, allowed=frozenset({"good"}))) == [as_tag("F32"), as_tag("Fake")]
    assert list(of(*entries, allowed=frozenset())) == [as_tag("F32")]
    assert len(list(of(*entries))) == 3


def test_own_formats_come_first() -> None:
    """The others follow in the order of their bytes."""
    names = [("zz", "x"), ("Q8", "fourcc"), ("aa", "x"), ("F32", "fourcc")]
    registry = of(*(entry(name, FAKE, owner) for name, owner in names))
    assert [str(tag) for tag in registry] == ["F32", "Q8", "aa", "zz"]


def test_foreign_ids() -> None:
    """A broken plugin is passed over; nothing is found for an id that nobody has."""
    registry = of(entry("Bad1", SystemExit()), entry("Fake", FAKE))
    assert registry.foreign("other", 7) is FAKE
    assert registry.foreign("other", 8) is None
    assert registry.foreign("ggml", 7) is None


def test_two_plugins_with_one_foreign_id() -> None:
    """Nobody chooses silently how a file is decoded; fourcc's own format has the right of way."""
    other = attrs.evolve(FAKE, tag="Othr")
    both = [entry("Fake", FAKE, "one", "1.0"), entry("Othr", other, "two", "2.0")]
    with pytest.raises(DuplicateTagError) as caught:
        of(*both).foreign("other", 7)
    assert str(caught.value) == (
        "the id 7 of other is claimed by Fake of one 1.0 and by Othr of two 2.0. "
        "Uninstall one of them, or name the one to use in FOURCC_PLUGINS."
    )
    assert of(*both, allowed=frozenset({"two"})).foreign("other", 7) is other
    own = attrs.evolve(FAKE, tag="OWN")
    assert of(*both, entry("OWN", own, "fourcc", "0.1")).foreign("other", 7) is own


def test_trying_a_format_that_is_not_packaged() -> None:
    """It is there inside the block only, and takes the place of an installed one."""
    registry = of(entry("Fake", FAKE, "installed", "1.0"))
    working, new = (attrs.evolve(FAKE, tag=tag) for tag in ("Fake", "New1"))
    with registry.trying(working) as trial, registry.trying(new, ("mine", "0.3")):
        assert registry[as_tag("Fake")] is working is trial
        assert registry.entry(as_tag("Fake")).owner == "unpackaged 0"
        assert registry.entry(as_tag("New1")).owner == "mine 0.3"
        assert list(registry) == [as_tag("Fake"), as_tag("New1")]
    assert registry[as_tag("Fake")] is FAKE
    assert list(registry) == [as_tag("Fake")]
    with pytest.raises(RuntimeError), registry.trying(new):
        raise RuntimeError
    assert as_tag("New1") not in registry


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (attrs.evolve(FAKE, tag="FAKE"), "FAKE is reserved: a third party's tag has a lower-case letter"),
        (attrs.evolve(FAKE, parts=()), "at least one, with different names"),
    ],
)
def test_trying_holds_to_the_contract(found: Format, says: str) -> None:
    """It refuses what a plugin may not do, and nothing of the failure stays."""
    registry = of()
    with pytest.raises(PluginError, match=says), registry.trying(found):
        raise AssertionError
    assert registry.broken() == []
    assert list(registry) == []


def test_import_may_neither_print_nor_move(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """E7: stdout is for data, and a path given stays what it was."""

    def load() -> Format:
        print("hello")  # noqa: T201 - what is tested
        os.chdir(tmp_path)
        return FAKE

    before = Path.cwd()
    registry = of(Entry("Fake", "fake:FAKE", "fake", "1.0", load))
    assert registry[as_tag("Fake")] is FAKE
    assert Path.cwd() == before
    assert capsys.readouterr() == ("", "hello\n")


def distribution(folder: Path, name: str, entry_points: bytes, metadata: bytes | None = None) -> None:
    """A dist-info folder."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    info.joinpath("METADATA").write_bytes(
        metadata or b"Metadata-Version: 2.1\nName: %b\nVersion: 1.0\n" % name.encode()
    )
    info.joinpath("entry_points.txt").write_bytes(entry_points)


def test_damaged_metadata_of_another_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """E5: malformed, not UTF-8, without a name: they hide nothing of the others."""
    distribution(tmp_path, "malformed", b"no section\n[x\n= =\n")
    distribution(tmp_path, "binary", b"\xff\xfe\x00[fourcc.formats.1]")
    distribution(tmp_path, "nameless", b"[fourcc.formats.1]\nNone = x:y\n", b"Metadata-Version: 2.1\n")
    distribution(tmp_path, "good_one", b"[fourcc.formats.1]\nGood = nowhere:GOOD\nBad! = x:y\n")
    distribution(tmp_path, "odd", b"[fourcc.formats.1]\nOdd1 = not a value\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = Registry(scan=installed_entries)
    assert {as_tag("Good"), as_tag("Odd1"), as_tag("F32")} <= set(found)
    assert found.entry(as_tag("Good")).owner == "good-one 1.0"
    assert {str(broken.entry.name) for broken in found.broken()} >= {"Good", "Bad!", "Odd1"}
    assert found[as_tag("F32")].tag == as_tag("F32")


NAMELESS = "its entry-point group {} names no version of the seam, this fourcc has fourcc.formats.1; upgrade seam-less"


@pytest.mark.parametrize(
    ("group", "says"),
    [
        ("fourcc.formats.2", "made for version 2 of the seam, this fourcc has 1; upgrade fourcc"),
        ("fourcc.formats.0", "made for version 0 of the seam, this fourcc has 1; upgrade seam-less"),
        ("fourcc.formats", NAMELESS.format("fourcc.formats")),
        ("fourcc.formats.one", NAMELESS.format("fourcc.formats.one")),
        ("fourcc.formats.1.1", NAMELESS.format("fourcc.formats.1.1")),
    ],
)
def test_other_versions_of_the_seam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group: str, says: str) -> None:
    """Such a plugin is broken, and not imported; the reason says what to upgrade."""
    distribution(tmp_path, "seam_less", f"[{group}]\nElse = seam_less:X\nF32 = seam_less:X\n".encode())
    tmp_path.joinpath("seam_less.py").write_text("import os\nos._exit(7)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = Registry(scan=installed_entries)
    assert "Else" not in found
    assert found["F32"].tag == as_tag("F32")
    with pytest.raises(PluginError) as caught:
        found["Else"]
    assert str(caught.value) == f"the format Else cannot be used: seam-less 1.0: {says}"
    assert {each.reason for each in found.broken() if each.entry.distribution == "seam-less"} == {says}


def test_a_plugin_for_several_versions_of_the_seam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one for this version is used; of the others nothing is said."""
    groups = b"[fourcc.formats]\nBoth = old:X\n[fourcc.formats.1]\nBoth = now:X\n[fourcc.formats.2]\nBoth = new:X\n"
    distribution(tmp_path, "both", groups)
    monkeypatch.syspath_prepend(str(tmp_path))
    found = Registry(scan=installed_entries)
    assert found.entry(as_tag("Both")).target == "now:X"
    assert not [each for each in found._loader.broken() if each.entry.distribution == "both"]


def test_a_tag_in_other_letters() -> None:
    """The author meant another one: `bcas` for an entry point `Bcas`, broken or not."""
    for name, loaded in (("Fake", FAKE), ("FAKE", FAKE)):
        with pytest.raises(MissingFormatError) as caught:
            of(entry(name, loaded))["fake"]
        assert str(caught.value) == (
            f"no installed package provides the format fake. Did you mean {name}, of fake 1.0?"
        )


def test_first_distribution_on_the_path_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stale copy of the same package further back is no duplicate."""
    for number in (1, 2):
        folder = tmp_path / str(number)
        folder.mkdir()
        distribution(folder, "twice", b"[fourcc.formats.1]\nTwic = nowhere:X\n")
        monkeypatch.syspath_prepend(str(folder))
    assert Registry(scan=installed_entries).entry(as_tag("Twic")).owner == "twice 1.0"


def test_a_first_distribution_without_plugins_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version of a package has plugins, but lies further back; a damaged one in front of it hides nothing."""
    for number, points in enumerate((b"[fourcc.formats.1]\nTwic = nowhere:X\n", b"")):
        folder = tmp_path / str(number)
        folder.mkdir()
        distribution(folder, "twice", points)
        distribution(folder, "once", points.replace(b"Twic", b"Once"), *([b"Metadata-Version: 2.1\n"] * number))
        monkeypatch.syspath_prepend(str(folder))
    found = Registry(scan=installed_entries)
    assert as_tag("Twic") not in found
    assert as_tag("Once") in found


def test_listing_imports_nothing() -> None:
    """Neither formats nor numpy are imported."""
    code = (
        "import sys\nfrom fourcc.plugins.registry import registry\ntags = list(registry)\n"
        "print(len(tags) > 15, [n for n in sys.modules if n.startswith('fourcc.formats') or n == 'numpy'])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "True []\n"


@pytest.mark.parametrize(("value", "listed"), [("", "False"), ("other, Late_Comer", "True"), (None, "True")])
def test_allow_list_in_the_environment(tmp_path: Path, value: str | None, listed: str) -> None:
    """E17: empty switches all plugins off; names are compared as package indexes do."""
    distribution(tmp_path, "late.comer", b"[fourcc.formats.1]\nLate = nowhere:X\n")
    environment = {name: text for name, text in os.environ.items() if name != "FOURCC_PLUGINS"}
    environment["PYTHONPATH"] = str(tmp_path)
    if value is not None:
        environment["FOURCC_PLUGINS"] = value
    code = (
        "from fourcc.plugins.registry import registry\nfrom fourcc.tags import as_tag\n"
        "assert as_tag('F32') in registry\nprint(as_tag('Late') in registry)"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True, env=environment) == f"{listed}\n"
