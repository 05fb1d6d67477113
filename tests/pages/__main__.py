"""Keeps the pages true: does what they say, and compares what is printed with what they show.

    python -m tests.pages                     all pages
    python -m tests.pages README.md --update  write the real output into the page
    python -m tests.pages --command main      print the README's first set-up command; `tests`: the second

`tests/pages/blocks.py` says what happens to which block. Each page has a folder of its own, in which lie ``example/``,
as `fourcc example` makes it, and ``my-model/``, a copy of ``example/hf``.
"""

import argparse
import difflib
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.pages.blocks import setup_commands
from tests.pages.surroundings import made_example

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
FOLDERS = ("specs/tutorial", "specs/howto")
GUIDE = ROOT / "specs" / "writing-a-format.md"
SETUP = ("main", "tests")
AT_ONCE = 2  # pages


def pages() -> list[Path]:
    """The pages whose commands are run; the longest first."""
    folders = [path for name in FOLDERS for path in sorted((ROOT / name).glob("*.md"))]
    return [GUIDE, README, *folders]


def difference(shown: str, real: str, name: str) -> str:
    """The places where a page shows something else than what happens."""
    lines = (text.splitlines(keepends=True) for text in (shown, real))
    return "".join(difflib.unified_diff(*lines, f"{name}, shown", f"{name}, real"))


def held(page: Path, example: Path, *, update: bool) -> bool:
    """Whether a page is true; prints where it is not, or corrects it. `example`: what `fourcc example` made."""
    from tests.pages.replay import corrected
    from tests.pages.tables import renewed

    start, shown = time.perf_counter(), page.read_text(encoding="utf-8")
    try:
        real = corrected(renewed(shown), example)
    except RuntimeError as error:
        sys.stdout.write(f"{page.name}: a command failed: {error}\n")
        return False
    if update:
        page.write_text(real, encoding="utf-8")
    else:
        sys.stdout.write(difference(shown, real, page.name))
    sys.stdout.write(f"{time.perf_counter() - start:5.1f} s  {page.name}\n")
    return update or real == shown


def stop(pool: ThreadPoolExecutor) -> None:
    """Ends the commands that run, and has no further page begin."""
    from tests.pages.replay import INTERRUPTED

    INTERRUPTED.set()
    pool.shutdown(wait=True, cancel_futures=True)


def main() -> int:
    """Parses, then checks or updates."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="*", type=Path, metavar="PAGE")
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--command", choices=SETUP)
    args = parser.parse_args()
    if args.command:
        sys.stdout.write(setup_commands(README.read_text(encoding="utf-8"))[SETUP.index(args.command)])
        return 0
    with TemporaryDirectory() as scratch, ThreadPoolExecutor(AT_ONCE) as pool:
        example = made_example(Path(scratch))
        futures = [pool.submit(held, page, example, update=args.update) for page in args.pages or pages()]
        try:
            found = [future.result() for future in futures]
        except KeyboardInterrupt:
            stop(pool)
            return 130
    return 0 if all(found) else 1


if __name__ == "__main__":
    sys.exit(main())
