"""The wheel and the sdist, built: all that is needed is in them, nothing else, and they work outside of a checkout."""

import email
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from tests.layout.source import modules

pytestmark = pytest.mark.thorough
NOT_COPIED = (".*", "build", "dist", "*.egg-info", "__pycache__")
BACKEND = "import sys; from setuptools import build_meta as b; print(getattr(b, 'build_' + sys.argv[1])(sys.argv[2]))"


@pytest.fixture(scope="module")
def built(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheel and the sdist of a copy of the tree: building writes beside the source."""
    folder = tmp_path_factory.mktemp("built")
    tree = folder / "tree"
    shutil.copytree(root, tree, symlinks=True, ignore=shutil.ignore_patterns(*NOT_COPIED))
    files = {}
    for kind in ("wheel", "sdist"):
        command = [sys.executable, "-W", "ignore", "-c", BACKEND, kind, str(folder)]
        ended = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=True)
        files[kind] = folder / ended.stdout.splitlines()[-1]
    return files


@pytest.fixture(scope="module")
def in_wheel(built: dict[str, Path]) -> set[str]:
    """Paths of the files in the wheel."""
    return set(zipfile.ZipFile(built["wheel"]).namelist())


def installed_path(root: Path, path: Path) -> str:
    """The place in the wheel of a file of the checkout."""
    top, *rest = path.relative_to(root).parts
    return PurePosixPath("fourcc", *([] if top == "fourcc" else [top]), *rest).as_posix()


def declared_data(root: Path) -> set[str]:
    """The places in the wheel of the data of packages."""
    tables = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]
    found = set()
    for package, patterns in tables["package-data"].items():
        top = next(name for name in sorted(tables["package-dir"], reverse=True) if f"{package}.".startswith(f"{name}."))
        folder = root / tables["package-dir"][top] / package.removeprefix(top).strip(".").replace(".", "/")
        for pattern in patterns:
            matched = {installed_path(root, path) for path in folder.glob(pattern) if path.is_file()}
            assert matched, f"{package}: {pattern} matches nothing"
            found |= matched
    return found


def test_the_wheel_has_every_module_and_all_data(root: Path, in_wheel: set[str]) -> None:
    """And no tests, no site, no stored bytes."""
    code = {installed_path(root, path) for path in modules(root)}
    held = {name for name in in_wheel if ".dist-info/" not in name}
    assert held == code | declared_data(root)
    assert {"fourcc/example/tiny.bin", "fourcc/specs/q4_0.md", "fourcc/py.typed"} <= held
    assert "fourcc/specs/reference/schemas/verify.json" in held


def test_every_page_of_a_format_is_in_the_wheel(root: Path, in_wheel: set[str]) -> None:
    """`fourcc formats TAG --page` prints it."""
    entries = tomllib.loads((root / "pyproject.toml").read_text())["project"]["entry-points"]["fourcc.formats.1"]
    assert {f"fourcc/specs/{tag.lower()}.md" for tag in entries} <= in_wheel


def test_the_size_that_the_page_states(root: Path, built: dict[str, Path]) -> None:
    """releasing.md says megabytes with one digit; half of one more is worth a look."""
    text = (root / "specs" / "releasing.md").read_text(encoding="utf-8")
    for kind, before in (("wheel", "A wheel has "), ("sdist", "the sdist has ")):
        stated = float(text.partition(before)[2].split()[0])
        assert abs(built[kind].stat().st_size / 1e6 - stated) < 0.5


def test_the_metadata(root: Path, built: dict[str, Path], in_wheel: set[str]) -> None:
    """Licence, typing, extras; no address that leads nowhere."""
    (name,) = (each for each in in_wheel if each.endswith(".dist-info/METADATA"))
    told = email.message_from_bytes(zipfile.ZipFile(built["wheel"]).read(name))
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    assert told["License-Expression"] == "MIT"
    assert any(each.endswith("licenses/LICENSE") for each in in_wheel)
    assert "Typing :: Typed" in told.get_all("Classifier", [])
    assert set(told.get_all("Provides-Extra", [])) == set(project["optional-dependencies"])
    assert len(told.get_all("Project-URL") or []) == len(project.get("urls", {}))


def test_the_sdist_has_what_a_developer_wants(built: dict[str, Path]) -> None:
    """Tests with their data, decisions, stored bytes, the papers at the top, and no cache."""
    with tarfile.open(built["sdist"]) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
    for name in (
        *("CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE", "README.md", "SECURITY.md"),
        *("noxfile.py", "mkdocs.yml", "pyproject.toml", "tests/conftest.py", "tests/fuzz/corpus.tar.xz"),
        *("specs/decisions/README.md", "specs/vectors/q4_0.json", "fourcc/example/tiny.bin"),
        *("formats/q4_0.py", "kernels/q4_0.py", "cli/app.py"),
    ):
        assert name in names, name
    assert not [name for name in names if "__pycache__" in name or name.endswith((".nbi", ".nbc"))]


def test_it_works_outside_of_a_checkout(built: dict[str, Path], tmp_path: Path) -> None:
    """From the unpacked wheel beside its dependencies: the example, a page, the metadata's words."""
    site = tmp_path / "site"
    zipfile.ZipFile(built["wheel"]).extractall(site)  # noqa: S202 - our own
    beside = tmp_path / "beside"
    beside.mkdir()
    for folder in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for entry in Path(folder).iterdir():
            if "fourcc" not in entry.name:
                (beside / entry.name).symlink_to(entry)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(beside)])}

    def run(*words: str) -> str:
        process = [sys.executable, "-S", *words]
        return subprocess.run(process, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout

    told = json.loads(run("-m", "fourcc", "example", "--json"))
    assert (tmp_path / told["model"]).stat().st_size == told["file_bytes"]
    assert run("-m", "fourcc", "formats", "Q4_0", "--page").startswith("# Q4_0")
    words = run("-c", "import fourcc.installation as i; print(i.__file__, i.command('plots'))")
    assert words == f"{site}/fourcc/installation.py pip install 'matplotlib>=3.9'\n"
