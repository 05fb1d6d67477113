"""The stored corpus: mutated files of which each is refused, or read, in a way of its own.

Made by ``python -m tests.fuzz.run --keep N --seed S`` from the mutators of `tests.fuzz.kinds`; nothing in it was
downloaded or written by another program. It is an archive of bytes and not of numbers, so that it stays what it is when
the mutators change. In it: ``KIND/NUMBER/FILE``.
"""

import io
import re
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.fuzz.attempt import Refusal, place
from tests.fuzz.kinds import Case, case
from tests.fuzz.run import in_time, put

ARCHIVE = Path(__file__).parent / "corpus.tar.xz"
LARGEST = 40_000  # bytes of a case
ALIKE = 2  # cases that are read to their end, of one kind and length

_PARTICULAR = re.compile(r"'[^']*'|\"[^\"]*\"|/\S+|[0-9][0-9a-fx.]*|\[[^\]]*\]|\([^)]*\)")


def stored() -> Iterator[Case]:
    """The cases, in their order."""
    files: dict[str, dict[str, bytes]] = {}
    with tarfile.open(ARCHIVE) as archive:
        for member in archive:
            home, _, name = member.name.rpartition("/")
            data = archive.extractfile(member)
            assert data is not None
            files.setdefault(home, {})[name] = data.read()
    for home, contents in files.items():
        yield Case(home.partition("/")[0], contents)


def manner(made: Case, refusal: Refusal | None) -> str:
    """How a case is refused, but for names, numbers and paths; how it is read, for what is in it."""
    if refusal is None:
        return f"{made.kind} read, {made.nbytes // 64}"
    return f"{made.kind} {type(refusal).__name__} {_PARTICULAR.sub('*', str(refusal))[:160]}"


def keep(kinds: list[str], seed: int, count: int) -> str:
    """Writes the archive anew: of so many cases of each kind those that end in a manner of their own, findings too."""
    seen: Counter[str] = Counter()
    with tarfile.open(ARCHIVE, "w:xz") as archive:
        for kind in kinds:
            for number in range(seed, seed + count):
                made = case(kind, number)
                if made.nbytes > LARGEST:
                    continue
                try:
                    with in_time():
                        said = manner(made, put(made))
                except Exception as error:  # noqa: BLE001 - a finding is worth keeping, too
                    said = place(error)
                if seen[said] < (ALIKE if " read, " in said else 1):
                    _add(archive, made, number)
                seen[said] += 1
    return f"{ARCHIVE.name}: {ARCHIVE.stat().st_size} bytes, {len(seen)} manners\n"


def _add(archive: tarfile.TarFile, made: Case, number: int) -> None:
    for name, data in made.files.items():
        member = tarfile.TarInfo(f"{made.kind}/{number}/{name}")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
