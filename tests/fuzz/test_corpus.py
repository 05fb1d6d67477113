"""Whatever a file holds: an answer, or an error of ours that can be printed, and soon."""

from collections import Counter

import pytest

from tests.fuzz import run
from tests.fuzz.corpus import LARGEST, stored
from tests.fuzz.kinds import MAKERS, case
from tests.fuzz.run import Findings, in_time, put

FRESH = 40  # of each kind, beside the stored ones


def test_the_stored_corpus() -> None:
    """Each case as it stands; what is accepted is read to its end, kept by a conversion, and read again."""
    findings, accepted, refused = Findings(), Counter[str](), Counter[str]()
    for number, made in enumerate(stored()):
        try:
            with in_time(5):
                (accepted if put(made) is None else refused)[made.kind] += 1
        except (Exception, run.SlowError) as error:  # noqa: BLE001 - all are told at once
            findings.note(made.kind, number, error)
    assert not list(findings.lines())
    assert set(accepted) == set(refused) == set(MAKERS)


@pytest.mark.parametrize("kind", MAKERS)
def test_fresh_cases(kind: str) -> None:
    """The mutators' first ones, as they are today."""
    findings = Findings()
    for number in range(FRESH):
        try:
            with in_time(5):
                put(case(kind, number))
        except (Exception, run.SlowError) as error:  # noqa: BLE001 - all are told at once
            findings.note(kind, number, error)
    assert not list(findings.lines())


@pytest.mark.parametrize("kind", MAKERS)
def test_a_case_is_made_of_its_number_alone(kind: str) -> None:
    """So a finding can be shown again."""
    assert case(kind, 7) == case(kind, 7)
    assert len({tuple(case(kind, number).files.values()) for number in range(8)}) > 4


def test_a_finding_is_told_by_its_place() -> None:
    """Findings that come from one line are one; the fuzzer's command prints them so."""
    findings = Findings()
    for number in (3, 4):
        try:
            _ = [][number]
        except IndexError as error:
            findings.note("gguf", number, error)
    (line,) = findings.lines()
    assert line.startswith("     2 times, first 3: gguf: IndexError at test_corpus.py:")


def test_the_corpus_is_small() -> None:
    """It is part of every clone."""
    cases = list(stored())
    assert len(cases) >= 300
    assert max(made.nbytes for made in cases) <= LARGEST
    from tests.fuzz.corpus import ARCHIVE

    assert ARCHIVE.stat().st_size < 300_000
