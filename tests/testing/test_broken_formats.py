"""The kit finds what is broken on purpose, and says what a person needs to know of it."""

import json
from pathlib import Path

import pytest

from fourcc.format import Format
from fourcc.plugins.registry import registry
from fourcc.testing import CHECKS, Finding, Outcome, Subject, Trial, examine, pinned, trials
from fourcc.testing.plan import check_named
from fourcc.testing.process import outcomes_apart
from tests.kernels.one_of_each_kind import DEAR
from tests.testing import broken_formats as broken

# The format, the check that must fail, and what its report must say.
BROKEN = [
    (broken.SIZE, "declared size", "for part 'codes'", "the last block is short: 1 of 32 columns"),
    (broken.DTYPE, "declared size", "float64 for part 'scales'", "float32"),
    (broken.PART, "declared size", "parts ['codes']", "parts ['codes', 'scales']"),
    (broken.SETTING, "declared size", "with group = 64", "for part 'scales'"),
    (broken.NOMINAL, "nominal bits", "found: 9 bits", "expected: 4 bits"),
    (broken.LAST, "within the bound", "all of them are in", "short"),
    (broken.FORMULA, "within the bound", "came back as", "spread over the matrix"),
    (broken.DIVISION, "zeros", "all 0.0", "not finite"),
    (broken.LARGE, "large weights", "the largest float32", "came back as"),
    (broken.SMALL, "small weights", "integers up to 50 times 2^-", "came back as"),
    (broken.ZERO, "zeros", "a matrix of zeros does not come back as zeros", "a scale of 0"),
    (broken.SWALLOWS, "NaN kept", "NaN or infinity is not given back", "nonfinite=False"),
    (broken.TILE, "rows alone", "part 'scales' differs", "looks beyond its block"),
    (broken.STATE, "repetition", "the same weights give other bytes", "state that outlives a call"),
    (broken.THREAD, "threads", "bytes depend on threads", "the thread's own number"),
    (broken.BUFFER, "threads", "bytes depend on threads", "memory that threads share"),
    (broken.DITHER, "repetition", "the same weights give other bytes", "a random generator"),
    (broken.INPUT, "declared size", "read-only", "broken_formats.py"),
    (broken.STORED, "inputs left alone", "read-only", "parts that are read-only"),
    (broken.BEYOND, "surroundings", "decode reads beyond the parts", "as_strided"),
    (broken.BEYOND, "damaged parts", "it was killed by SIGSEGV", "in reads_on"),
    (broken.WILD, "damaged parts", "it was killed by SIGSEGV", "beyond a part"),
    (broken.EXIT, "damaged parts", "it ended with exit code 7", "ends the process itself"),
    (broken.DOUBLES, "shape and dtype", "float64", "astype(np.float32)"),
    (broken.PADDING, "declared size", "decode of the format", "the last block is short"),
    (broken.CODES, "codes", "the codes are not integers of the matrix's shape", "integers"),
    (broken.BLOCK, "each column", "column 31 of each block", "`decode` is normative"),
    (broken.KERNEL, "each column", "the kernel leaves the last column out", "the decoded weight"),
    (broken.NAMED, "kernel", "kernel='fourcc.kernels.kernel:KERNEL'", "has no attribute 'KERNEL'"),
    (broken.FOREIGN, "ids elsewhere", "the id 2 of ggml belongs to fourcc's own", "would never be read as Fgn1"),
    (broken.SILENT, "declaration", "the summary is empty", "one line of text"),
]


def subject(found: Format) -> Subject:
    return Subject.of(found)


def text_of(outcome: Outcome) -> str:
    return "\n".join(map(str, outcome.findings))


@pytest.mark.parametrize(
    ("found", "check", "says", "more"), BROKEN, ids=[f"{each[0].tag}-{each[1]}" for each in BROKEN]
)
def test_what_is_broken_is_found(found: Format, check: str, says: str, more: str) -> None:
    outcome = check_named(check).outcome(subject(found))
    assert outcome.status == "failed", text_of(outcome)
    assert says in text_of(outcome)
    assert more in text_of(outcome)
    assert found.tag not in registry


def test_there_are_twenty_at_least() -> None:
    assert len({id(each[0]) for each in BROKEN}) >= 20


def test_another_hash_seed_shows() -> None:
    outcome = check_named("processes").outcome(subject(broken.HASH))
    assert outcome.status == "failed", text_of(outcome)
    assert "PYTHONHASHSEED" in text_of(outcome)
    assert "the order of a set" in text_of(outcome)


def right_trials() -> list[object]:
    """The checks of the format that the broken ones are made of; the dear ones are thorough."""
    found = [trial for trial in trials(broken.GOOD) if trial.check.name != "stored bytes"]
    return [pytest.param(each, marks=pytest.mark.thorough) if each.check.name in DEAR else each for each in found]


@pytest.mark.parametrize("trial", right_trials(), ids=str)
def test_what_they_are_made_of_is_right(trial: Trial) -> None:
    """It has one note: denormal scales have few bits, so weights move when they are encoded again."""
    outcome = trial()
    assert not outcome.findings or trial.check.name == "idempotence", text_of(outcome)


@pytest.mark.parametrize(
    ("found", "check", "says"),
    [
        (broken.WARNS, "no warnings", "RuntimeWarning"),
        (broken.VALUES, "kernel", "its block decoder cannot run on several rows at once"),
        (broken.TILE, "declaration", "no error bound is declared"),
        (broken.IDLE, "calibration", "the calibration data that the format asks for make no difference"),
    ],
    ids=["warns", "values", "bound", "idle"],
)
def test_what_breaks_nothing_is_noted(found: Format, check: str, says: str) -> None:
    outcome = check_named(check).outcome(subject(found))
    assert outcome.status == "noted", text_of(outcome)
    assert says in text_of(outcome)


def test_a_crash_does_not_end_the_examination() -> None:
    """Every check that crashes gives its own finding, and the next checks are made."""
    names = ("declaration", "declared size", "zeros", "nominal bits")
    outcomes = list(examine(subject(broken.EXIT), [check for check in CHECKS if check.name in names]))
    assert [outcome.check for outcome in outcomes] == [check.name for check in CHECKS if check.name in names]
    assert {outcome.check: outcome.status for outcome in outcomes} == {
        "declaration": "passed",
        "declared size": "failed",
        "nominal bits": "passed",
        "zeros": "failed",
    }


@pytest.mark.thorough
def test_what_never_ends_is_ended() -> None:
    """The check ends after a limit, and the finding says so."""
    (outcome,) = outcomes_apart(subject(broken.ENDLESS), [("zeros", "numbers")], {}, limit=2)
    assert outcome.status == "failed"
    assert "it did not end within 2 seconds" in text_of(outcome)


def test_stored_bytes_that_change(tmp_path: Path) -> None:
    """The encoder's, and the decoder's; missing, damaged, and another format's files."""
    right = Subject.of(broken.GOOD)
    path = tmp_path / "good.json"
    with right.installed():
        stored = pinned(right)
    path.write_text(json.dumps(stored))
    check = check_named("stored bytes")
    assert check.outcome(Subject.of(broken.GOOD, vectors=path)).status == "passed"
    for found, says in ((broken.DITHER, "part 'codes': byte"), (broken.FORMULA, "decode to other weights than before")):
        path.write_text(json.dumps({**stored, "tag": str(found.tag)}))
        outcome = check.outcome(Subject.of(found, vectors=path))
        assert outcome.status == "failed"
        assert says in text_of(outcome)
    for text, says in (
        ("{", "cannot be read"),
        ("{}", "KeyError"),
        (json.dumps(stored), "the file holds other vectors"),
    ):
        path.write_text(text)
        assert says in text_of(check.outcome(Subject.of(broken.DITHER, vectors=path)))
    missing = check.outcome(Subject.of(broken.GOOD))
    assert "fourcc plugin pin" in text_of(missing)


def test_a_trial_raises_the_report() -> None:
    """The text that a test runner shows."""
    trial = next(each for each in trials(broken.FORMULA) if each.check.name == "within the bound")
    assert str(trial) == "For1: within the bound"
    with pytest.raises(AssertionError) as caught:
        trial()
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("For1: Each decoded weight is within the declared bound of its original")
    assert [line.split(":")[0] for line in lines[2:7]] == ["breach", "tried", "found", "expected", "likely cause"]


def test_a_format_that_no_process_finds() -> None:
    """Made in a function: what needs a process of its own is skipped, and says why."""
    made = broken.broken("Loc1")
    outcome = check_named("damaged parts").outcome(Subject.of(made))
    assert outcome.status == "skipped"
    assert outcome.skipped == "the format is no attribute of a module, so that no other process finds it"
    assert "damaged parts" not in {trial.check.name for trial in trials(made)}


def test_findings_in_words() -> None:
    """A finding shows only the fields that are set."""
    finding = Finding(what="a", found="b", advice="c", note=True)
    assert str(finding) == "noted: a\nfound: b\nwhat to do: c"


def test_every_check_has_a_promise_and_a_name_of_its_own() -> None:
    assert len({check.name for check in CHECKS}) == len(CHECKS)
    for check in CHECKS:
        assert check.promise.endswith((".", ":", ";")) or len(check.promise) > 20
