"""Mutates without end and prints what may not come, by type and innermost line of ours.

::

    python -m tests.fuzz.run --minutes 10                 all kinds in turn, from the time as seed
    python -m tests.fuzz.run --minutes 2 --kind gguf --seed 7
    python -m tests.fuzz.run --show gguf 70012            one case again, with its traceback
    python -m tests.fuzz.run --keep 12000                 makes the stored corpus anew: see `tests.fuzz.corpus`

A finding is mended, with a test of its kind in `tests/fuzz/test_found.py`. A coverage-guided fuzzer (atheris) around
`case` and `put` finds more per hour; none is needed here.
"""

import argparse
import contextlib
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs

from tests.fuzz.attempt import Refusal, attempted, attempted_policy, attempted_tokenizer, place
from tests.fuzz.kinds import MAKERS, Case, case

SECONDS = 2.0  # of the processor, for one case
ADDRESS_SPACE = 4 << 30


class SlowError(BaseException):
    """A case took too long; no handler of errors may swallow it."""


@attrs.define
class Findings:
    """The outcomes that are faults.

    Attributes:
        first: kind and place -> number of the first case.
        count: how often.
    """

    first: dict[str, int] = attrs.field(factory=dict)
    count: Counter[str] = attrs.field(factory=Counter)

    def note(self, kind: str, number: int, error: BaseException) -> None:
        """Adds one."""
        name = f"{kind}: {place(error)}"
        self.first.setdefault(name, number)
        self.count[name] += 1

    def lines(self) -> Iterator[str]:
        """One a kind of finding."""
        for name, count in self.count.most_common():
            yield f"{count:6} times, first {self.first[name]}: {name}"


def put(made: Case) -> Refusal | None:
    """Puts a case to its reader; raises what may not come."""
    if made.kind == "policy":
        try:
            text = made.files["m"].decode()
        except UnicodeDecodeError:
            return None
        return attempted_policy(text)
    if made.kind.startswith("tokenizer."):
        return attempted_tokenizer(made.kind, made.files["m"])
    with TemporaryDirectory() as name:
        folder = Path(name)
        for file, data in made.files.items():
            (folder / file).write_bytes(data)
        return attempted(folder / "m" if "m" in made.files else folder)


@contextlib.contextmanager
def in_time(seconds: float = SECONDS) -> Iterator[None]:
    """Raises SlowError where the block takes longer than so many seconds of the processor."""

    def stop(*_: object) -> None:
        raise SlowError(f"more than {seconds} s")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def fuzz(kinds: list[str], seed: int, minutes: float) -> tuple[Findings, Counter[str], Counter[str]]:
    """Findings, executions and acceptances by kind."""
    findings, done, accepted = Findings(), Counter[str](), Counter[str]()
    end, number = time.monotonic() + 60 * minutes, seed
    while time.monotonic() < end:
        for kind in kinds:
            try:
                made = case(kind, number)
                with in_time():
                    accepted[kind] += put(made) is None
            except (Exception, SlowError) as error:  # noqa: BLE001 - that is what is looked for
                findings.note(kind, number, error)
            done[kind] += 1
        number += 1
    return findings, done, accepted


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--kind", choices=MAKERS, action="append")
    parser.add_argument("--show", nargs=2, metavar=("KIND", "NUMBER"))
    parser.add_argument("--keep", type=int, metavar="N")
    given = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    if given.show:
        sys.stdout.write(f"{put(case(given.show[0], int(given.show[1])))}\n")
        return 0
    if given.keep:
        from tests.fuzz.corpus import keep

        sys.stdout.write(keep(given.kind or list(MAKERS), given.seed, given.keep))
        return 0
    findings, done, accepted = fuzz(given.kind or list(MAKERS), given.seed, given.minutes)
    for kind, count in done.items():
        sys.stdout.write(f"{kind}: {count} cases, {accepted[kind]} accepted\n")
    sys.stdout.write("\n".join([*findings.lines(), f"{len(findings.count)} findings, seed {given.seed}", ""]))
    return bool(findings.count)


if __name__ == "__main__":
    sys.exit(main())
