"""Words about installing hold for a checkout, a wheel and an index alike."""

import ast
import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from fourcc import installation
from tests.layout.source import modules, tree_of

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DECLARED: dict[str, list[str]] = PROJECT["optional-dependencies"]


@pytest.fixture
def from_a_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pyproject.toml lies beside the package, so that the metadata of the installation speak."""
    monkeypatch.setattr(installation, "checkout", dict)


def test_the_words_name_the_packages_themselves() -> None:
    """Nobody is sent to an index for a package with the name of this one."""
    assert installation.hint("plots") == "Install it beside fourcc: pip install 'matplotlib>=3.9'"
    assert installation.command("tokenizers") == "pip install 'sentencepiece>=0.2' 'tokenizers>=0.21'"


@pytest.mark.parametrize(("extra", "declared"), DECLARED.items())
def test_a_wheel_says_what_a_checkout_says(extra: str, declared: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The metadata hold the requirements of the extra as pyproject.toml has them."""
    assert installation.requirements(extra) == declared
    lines = [f'{each}; extra == "{extra}"' for each in declared]
    monkeypatch.setattr(installation, "checkout", dict)
    monkeypatch.setattr(metadata, "requires", lambda _: ["numpy>=2", 'other>=1; extra == "others"', *lines])
    assert installation.requirements(extra) == declared


@pytest.mark.usefixtures("from_a_wheel")
def test_the_metadata_of_this_installation_are_read() -> None:
    """As setuptools writes them."""
    assert installation.requirements("plots") == ["matplotlib>=3.9"]


@pytest.mark.usefixtures("from_a_wheel")
def test_a_copy_without_metadata_names_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no error that hides the first one."""
    monkeypatch.setattr(installation, "OWN", "no-such-distribution")
    assert installation.requirements("plots") == []


def test_the_project_of_another_folder_is_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that was copied into another project finds that one's pyproject.toml."""
    monkeypatch.setattr(installation, "__file__", str(tmp_path / "fourcc" / "installation.py"))
    assert installation.checkout.__wrapped__() == {}
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "another"\n')
    assert installation.checkout.__wrapped__() == {}


def test_no_message_names_this_project_as_one_to_install(root: Path) -> None:
    """In no text of the package is it something that pip could look for; a folder of the user's own is."""
    for path in modules(root):
        text = path.read_text(encoding="utf-8")
        named = re.findall(r"fourcc\[[a-z]|pip install(?! -e)[^`\n]{0,3}fourcc.*", text)
        assert not named, f"{path}: {named}"


def test_extras_that_the_code_names_are_declared(root: Path) -> None:
    """`installation.hint("x")` of every module finds an extra."""
    named = set()
    for path in modules(root):
        for node in ast.walk(tree_of(path)) if "installation." in path.read_text(encoding="utf-8") else ():
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {"installation.hint", "installation.command"}:
                named.add(ast.literal_eval(node.args[0]))
    assert {"plots", "chat", "tokenizers"} <= named <= set(DECLARED)
