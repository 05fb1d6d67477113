"""Surroundings in which a page's commands run: an environment of its own, and a folder with a model to work on."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

COMMANDS = ("dask", "fourcc", "pip", "pytest")
COLUMNS = "100"


def environment(folder: Path) -> dict[str, str]:
    """A virtual environment that sees what is installed here, with commands of its own; pip needs no network in it."""
    venv.create(folder, with_pip=False, symlinks=True)
    binaries = folder / "bin"
    python = binaries / "python"
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(subprocess.check_output([python, "-c", code], text=True).strip())
    (packages / "parent.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    for name in COMMANDS:
        script = binaries / name
        script.write_text(f'#!/bin/sh\nexec "{python}" -m {name} "$@"\n')
        script.chmod(0o755)
    (binaries / "ruff").symlink_to(Path(sysconfig.get_path("scripts")) / "ruff")
    kept = {name: text for name, text in os.environ.items() if name not in {"PYTHONPATH", "FOURCC_PLUGINS", "HF_TOKEN"}}
    return {
        **kept,
        "PATH": f"{binaries}:{os.environ['PATH']}",
        "VIRTUAL_ENV": str(folder),
        "COLUMNS": COLUMNS,
        "NO_COLOR": "1",
        "DASK_TEMPORARY_DIRECTORY": str(folder / "dask"),
        "PIP_NO_BUILD_ISOLATION": "0",  # which switches it off
        "PIP_NO_DEPS": "1",
        "PIP_NO_INDEX": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


def made_example(folder: Path) -> Path:
    """The files that `fourcc example` makes, in a folder: once for all pages."""
    example = folder / "example"
    subprocess.run([sys.executable, "-m", "fourcc", "example", "-q", example], check=True)
    return example


def furnish(folder: Path, example: Path) -> None:
    """Gives a folder what the pages speak of: ``example/``, and ``my-model/``, which stands for the reader's model."""
    folder.mkdir()
    shutil.copytree(example, folder / "example")
    shutil.copytree(example / "hf", folder / "my-model")
