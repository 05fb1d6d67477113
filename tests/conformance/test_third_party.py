"""A third party's format, installed for real, used, and uninstalled again."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

POLICY = """
version = 1

[[rule]]
role = "norm"
tag = "F32"

[[rule]]
role = "attention.*"
tag = "Nf64"

[[rule]]
match = "*"
tag = "F16"
"""


@pytest.fixture(scope="module")
def plugin(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the package was installed, as a scratch environment."""
    folder = tmp_path_factory.mktemp("plugin")
    shutil.copytree(root / "tests" / "plugins" / "fourcc-nf", folder / "package")  # building leaves files behind
    install = [
        "install",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--target",
        folder / "site",
        folder / "package",
    ]
    subprocess.run([sys.executable, "-m", "pip", *install, "--disable-pip-version-check"], check=True)
    return folder / "site"


def fourcc(*arguments: str | Path, site: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command, with or without the plugin."""
    environment = {**os.environ, "PYTHONPATH": "" if site is None else str(site)}
    command = [sys.executable, "-m", "fourcc", *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def model(root: Path, plugin: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose attention matrices are in the plugin's format."""
    folder = tmp_path_factory.mktemp("model")
    (folder / "mixed.toml").write_text(POLICY)
    source, output = root / "fourcc" / "example" / "tiny.bin", folder / "model.bin"
    done = fourcc("convert", source, "-o", output, "--policy", folder / "mixed.toml", site=plugin)
    assert done.returncode == 0, done.stderr
    return output


def test_formats_lists_the_plugin_with_its_provider(plugin: Path) -> None:
    """It stands beside the built-in formats."""
    done = fourcc("formats", site=plugin)
    assert done.returncode == 0
    assert any("Nf64" in line and "fourcc-nf 1.0.0" in line for line in done.stdout.splitlines())


def test_with_the_plugin_everything_works(model: Path, plugin: Path, tmp_path: Path) -> None:
    """Inspect, verify, extract; the provider is recorded."""
    assert fourcc("verify", model, site=plugin).returncode == 0
    told = json.loads(fourcc("inspect", model, "--json", site=plugin).stdout)
    assert "fourcc-nf" in json.dumps(told)
    done = fourcc("extract", model, "layers.0.attention.wq", "-o", tmp_path / "wq.npy", site=plugin)
    assert done.returncode == 0, done.stderr
    assert fourcc("inspect", model, "--tensor", "layers.0.attention.wq", site=plugin).returncode == 0


def test_without_the_plugin_the_file_is_still_readable(model: Path, root: Path, tmp_path: Path) -> None:
    """Inspect, verify, diff and copy need no format."""
    listed = fourcc("inspect", model)
    assert listed.returncode == 0
    assert "Nf64" in listed.stdout
    assert "fourcc-nf" in listed.stdout + listed.stderr
    assert fourcc("verify", model).returncode == 0
    assert fourcc("diff", model, model).returncode == 0
    copied = fourcc("convert", model, "-o", tmp_path / "copy.bin")
    assert copied.returncode == 0, copied.stderr
    assert fourcc("verify", tmp_path / "copy.bin").returncode == 0
    assert fourcc("diff", root / "fourcc" / "example" / "tiny.bin", model).returncode == 1


def test_without_the_plugin_decoding_says_what_to_install(model: Path, tmp_path: Path) -> None:
    """Exit code 5, the tag, and the package that made it; nothing is written."""
    done = fourcc("extract", model, "layers.0.attention.wq", "-o", tmp_path / "wq.npy")
    assert done.returncode == 5
    assert "Nf64" in done.stderr
    assert "fourcc-nf" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_policy_that_names_a_missing_format_is_a_usage_error(root: Path, tmp_path: Path) -> None:
    """Exit code 2, before anything is read or written."""
    (tmp_path / "mixed.toml").write_text(POLICY)
    source = root / "fourcc" / "example" / "tiny.bin"
    done = fourcc("convert", source, "-o", tmp_path / "model.bin", "--policy", tmp_path / "mixed.toml")
    assert done.returncode == 2
    assert "rule[1].tag: no installed package provides the format Nf64" in done.stderr
    assert not (tmp_path / "model.bin").exists()
