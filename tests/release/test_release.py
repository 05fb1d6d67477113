"""Releases: what is refused, what `prepare` enters, the conda recipe."""

import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.release import checks, facts
from tests.release.recipe import recipe

ADDRESS = "https://host.example/owner/fourcc"
PLACES = ("pyproject.toml", "CITATION.cff", "CHANGELOG.md", "fourcc/__init__.py")


def commit(tree: Path) -> None:
    """Commits everything."""
    who = ("-c", "user.name=x", "-c", "user.email=x@x.invalid", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "add", "-A"], cwd=tree, check=True)
    subprocess.run(["git", *who, "commit", "-qm", "x"], cwd=tree, check=True)


@pytest.fixture
def tree(root: Path, tmp_path: Path) -> Path:
    """A repository with the files that state versions, committed."""
    (tmp_path / "fourcc").mkdir()
    for name in PLACES:
        shutil.copy(root / name, tmp_path / name)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    commit(tmp_path)
    return tmp_path


@pytest.fixture
def ready(tree: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One that was prepared for a version, and committed."""
    monkeypatch.setattr(checks, "_classifiers", lambda _: [])
    facts.prepare(tree, "9.8.7", "2031-05-06", ADDRESS)
    commit(tree)
    return tree


def test_a_prepared_tree_is_ready(ready: Path) -> None:
    """All places say the same version; the changelog's entries are the version's notes."""
    assert checks.complaints(ready) == []
    assert set(facts.versions(ready).values()) == {"9.8.7"}
    assert facts.project(ready)["urls"] == {
        "Homepage": ADDRESS,
        "Source": ADDRESS,
        "Issues": f"{ADDRESS}/issues",
        "Changelog": f"{ADDRESS}/blob/main/CHANGELOG.md",
    }
    cited = f"version: 9.8.7\ndate-released: 2031-05-06\nrepository-code: {ADDRESS}\n"
    assert cited in (ready / "CITATION.cff").read_text()
    assert facts.notes(ready, "9.8.7").startswith("### Added")
    assert tomllib.loads((ready / "pyproject.toml").read_text())["project"]["scripts"]


def test_the_next_version_needs_no_address(ready: Path) -> None:
    """It is known by then, and nothing is entered twice."""
    facts.prepare(ready, "9.9.0", "2031-07-08", None)
    assert set(facts.versions(ready).values()) == {"9.9.0"}
    for name, text in (("CITATION.cff", "repository-code:"), ("pyproject.toml", "[project.urls]")):
        assert (ready / name).read_text().count(text) == 1
    assert facts.notes(ready, "9.8.7").startswith("### Added")


def test_without_an_address_nothing_is_prepared(tree: Path) -> None:
    """An address that leads nowhere is worse than none."""
    with pytest.raises(ValueError, match=r"--address https.* is needed"):
        facts.prepare(tree, "9.8.7", "2031-05-06", None)
    assert subprocess.check_output(["git", "status", "--porcelain"], cwd=tree) == b""
    assert any("[project.urls] has no Homepage, Source, Issues, Changelog" in each for each in checks.complaints(tree))


def test_what_is_refused(ready: Path) -> None:
    """A tree that is not clean, versions that differ, entries without a version, a version that there was."""
    subprocess.run(["git", "tag", "v9.8.7"], cwd=ready, check=True)
    page = ready / "CITATION.cff"
    page.write_text(page.read_text().replace("version: 9.8.7", "version: 9.8.6"))
    log = ready / "CHANGELOG.md"
    log.write_text(log.read_text().replace("## Unreleased\n", "## Unreleased\n\n- Something.\n"))
    assert checks.complaints(ready) == [
        "the tree is not clean: CHANGELOG.md, CITATION.cff",
        "the tag v9.8.7 exists already: that version was released",
        "the versions differ: fourcc/__init__.py 9.8.7, CITATION.cff 9.8.6, CHANGELOG.md 9.8.7",
        "CHANGELOG.md has entries under Unreleased: `prepare` makes them the version's",
    ]


def test_every_classifier_is_known(root: Path) -> None:
    """An index refuses a package with another one."""
    known = pytest.importorskip("trove_classifiers", reason="trove-classifiers is in the extra `release`").classifiers
    assert not set(facts.project(root)["classifiers"]) - set(known)


def test_the_recipe_has_the_versions_of_the_package(root: Path) -> None:
    """Every requirement stands in it by conda's name with the same limits."""
    yaml = pytest.importorskip("yaml", reason="PyYAML comes with gguf, of the extra `test`")
    page = yaml.safe_load(recipe(root, "https://host.example/fourcc-1.tar.gz", "00" * 32))
    project = facts.project(root)
    names = {"msgpack-python": "msgpack", "python-xxhash": "xxhash"}
    run = [each.split(" ", 1) for each in page["requirements"]["run"]]
    assert run[0] == ["python", ">=${{ python_min }}"]
    assert [names.get(name, name) + "".join(limits) for name, *limits in run[1:]] == project["dependencies"]
    assert page["context"] == {"version": facts.versions(root)["fourcc/__init__.py"], "python_min": "3.11"}
    entries = [f"{name} = {value}" for name, value in project["scripts"].items()]
    assert page["build"]["python"]["entry_points"] == entries
    backend = tomllib.loads((root / "pyproject.toml").read_text())["build-system"]["requires"]
    assert [each.replace(" ", "") for each in page["requirements"]["host"][2:]] == backend
    assert page["about"]["summary"] == project["description"]
    assert page["about"]["license"] == project["license"]
    assert set(page) <= {
        "schema_version",
        "context",
        "package",
        "source",
        "build",
        "requirements",
        "tests",
        "about",
        "extra",
    }
