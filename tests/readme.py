"""Keeps the README true: runs its examples and compares what they print with what it shows.

    python tests/readme.py                 run every example, fail where the output differs
    python tests/readme.py --update        run every example, write the real output into the README
    python tests/readme.py --command main  print the first set-up command; `tests`: the second

A ``console`` block holds lines ``$ command``, each followed by the standard output that it must print. A ``python``
block is run as a script; a ``text`` block that follows it holds its output. All run one after the other in a scratch
folder that has the repository's ``tests`` and ``specs``. The first two ``sh`` blocks are the set-up commands, which
`.ci/run` runs.
"""

import argparse
import difflib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
BLOCK = re.compile(r"^```(console|python|text|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SETUP = {"main": 0, "tests": 1}


def setup_command(text: str, name: str) -> str:
    """The set-up command of that name."""
    commands = [body for kind, body in BLOCK.findall(text) if kind == "sh"]
    return str(commands[SETUP[name]])


def run(command: list[str], folder: Path) -> str:
    """A command's standard output; its errors go to ours."""
    environment = {**os.environ, "COLUMNS": "120", "NO_COLOR": "1"}
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE}
    done = subprocess.run(command, cwd=folder, env=environment, text=True, check=False, **quiet)
    return done.stdout


def replayed(text: str, folder: Path) -> Iterator[tuple[str, str]]:
    """Each block as it stands, and as it should stand."""
    printed = ""
    for match in BLOCK.finditer(text):
        kind, body = match.groups()
        if kind == "console":
            commands = re.findall(r"^\$ (.*(?:(?<=\\)\n.*)*)", body, re.MULTILINE)
            outputs = [f"$ {command}\n{run(['bash', '-c', command], folder)}" for command in commands]
            yield match[0], f"```console\n{''.join(outputs)}```"
        elif kind == "python":
            printed = run([sys.executable, "-c", body], folder)
        elif kind == "text" and printed:
            yield match[0], f"```text\n{printed}```"
            printed = ""


def corrected(text: str) -> str:
    """The README with the real output of every example."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name in ("tests", "specs"):
            (folder / name).symlink_to(ROOT / name)
        for shown, real in replayed(text, folder):
            text = text.replace(shown, real, 1)
    return text


def main() -> int:
    """Parses, then checks or updates."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--command", choices=SETUP)
    args = parser.parse_args()
    text = README.read_text()
    if args.command:
        print(setup_command(text, args.command), end="")
        return 0
    real = corrected(text)
    if args.update:
        README.write_text(real)
    elif real != text:
        sys.stdout.writelines(
            difflib.unified_diff(*(t.splitlines(keepends=True) for t in (text, real)), "shown", "real")
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
