"""Releases: enters what a version says of itself, or builds and tries what would be published. It uploads nothing.

    python -m tests.release prepare 0.2.0 --address https://host/owner/fourcc
    python -m tests.release               # refuses what is not ready; dist/ has the files, the notes and a conda recipe
    python -m tests.release --rehearse    # goes on where it would refuse; nothing of it is to be published

It wants the extra `release`, and network for the packages that are installed beside fourcc.
"""

from __future__ import annotations

import argparse
import datetime as dt
import shutil
import sys
import tempfile
from pathlib import Path

from tests.release import facts
from tests.release.building import built, checked, digest, exported, tried
from tests.release.checks import complaints, git
from tests.release.recipe import recipe

ROOT = Path(__file__).resolve().parents[2]
NOWHERE = "https://address.invalid/fourcc"  # a rehearsal's, where none is known


def release(root: Path, out: Path) -> None:
    """Builds, checks and tries the files of the last commit, and says what they are."""
    version = str(facts.versions(root)["fourcc/__init__.py"])
    address = facts.project(root).get("urls", {}).get("Homepage", NOWHERE)
    shutil.rmtree(out, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="fourcc-release-") as folder:
        tree = exported(root, Path(folder), address)
        files = built(tree, out, git(root, "log", "-1", "--format=%ct"))
    checked(files)
    for file in files:
        _say(f"\n{file.name}, {file.stat().st_size} bytes, in a fresh environment:")
        for command in tried(file, version):
            _say(f"  {command}")
    sdist = files[-1]
    (out / "notes.md").write_text(facts.notes(root, version) + "\n", encoding="utf-8")
    source = f"{address}/releases/download/v{version}/{sdist.name}"
    (out / "recipe.yaml").write_text(recipe(root, source, digest(sdist)), encoding="utf-8")
    _say("\nsha256")
    for file in files:
        _say(f"{digest(file)}  {file.name}")
    _say(f"\nNothing was uploaded. {out}: the files, notes.md, recipe.yaml")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    """Runs the command; 1 where the tree is not ready."""
    parser = argparse.ArgumentParser(prog="python -m tests.release", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rehearse", action="store_true", help="go on with a tree that is not ready")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder for the files (default: dist)")
    step = parser.add_subparsers(dest="step").add_parser("prepare", help="enter version, day and address")
    step.add_argument("version")
    step.add_argument("--address", help="of the project, https://...; once given it is known")
    given = parser.parse_args(arguments)
    if given.step == "prepare":
        facts.prepare(ROOT, given.version, dt.datetime.now(dt.UTC).date().isoformat(), given.address)
        return 0
    found = complaints(ROOT)
    for each in found:
        _say(f"not ready: {each}")
    if found and not given.rehearse:
        return 1
    release(ROOT, given.out)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
