"""The kit finds what is broken on purpose, once, and says what a person needs to know of it."""

import warnings
from pathlib import Path

import pytest

from fourcc.format import Format
from fourcc.plugins.registry import registry
from fourcc.testing import CHECKS, Check, Outcome, Subject, Trial, examine, trials
from fourcc.testing.order import Fallen
from fourcc.testing.plan import check_named
from fourcc.testing.process import outcomes_apart
from tests.kernels.one_of_each_kind import DEAR
from tests.testing import broken_formats as broken
from tests.testing import good_formats as good

FILE = "broken_formats.py:"  # the author's own line is named

# The format, the one check that fails, and what its report says.
FAILED = [
    (broken.ROWS_SHAPE, "declared size", "for part 'codes'", "it has the shape of the rows", FILE),
    (broken.TRANSPOSED, "declared size", "for part 'codes'", "it is transposed", FILE),
    (broken.AXIS, "declared size", "(6, 1) float32 for part 'scales'", "an axis of 1 was kept", FILE),
    (broken.PACKED, "declared size", "for part 'codes'", "packed already: the core packs them", FILE),
    (broken.FLOAT_CODES, "declared size", "part 'codes' holds float32, not integers", ".astype(np.int8)", FILE),
    (broken.LARGE_CODE, "declared size", "part 'codes' cannot hold 16", "block 1, weight 1", "clip(0, 15)"),
    (broken.PART, "declared size", "`encode` gives no part 'scales'", "parts ['codes']", FILE),
    (broken.MORE_PARTS, "declared size", "gives a part 'offsets' that is not declared", FILE),
    (broken.TUPLE, "declared size", "`encode` returns no parts", "a tuple", FILE),
    (broken.SETTING, "declared size", "with group = 64", "for part 'scales'", FILE),
    (broken.TAIL, "declared size", "(3, 2) float64 for part 'values'", "(3, 2) float32", FILE),
    (broken.NAME, "declared size", "KeyError: 'size'", "a setting that the format does not declare", FILE),
    (broken.ODD, "declared size", "OddError: a OddError that cannot be shown", FILE),
    (broken.ODD_TEXT, "declared size", "ValueError: odd", FILE),
    (broken.SYS_EXIT, "declared size", "SystemExit: 3", "it ends the process: sys.exit()", FILE),
    (broken.MEMORY, "declared size", "Unable to allocate 48.0 PiB", "it asks for more memory than there is", FILE),
    (broken.DEEP, "declared size", "RecursionError", "it calls itself without end", FILE),
    (broken.INPUT, "declared size", "read-only", "it writes to what it is given", FILE),
    (broken.NOMINAL, "nominal bits", "found: 9 bits", "expected: 4 bits"),
    (broken.LAST, "within the bound", "all of them are in", "short: 1 of 32 columns"),
    (broken.FILLED, "within the bound", "all of them are in", "zeros fill it up", "a mean counts them"),
    (broken.FORMULA, "within the bound", "came back as", "spread over the matrix"),
    (broken.TIGHT, "within the bound", "the bound on the page is too narrow"),
    (broken.NO_BOUND, "within the bound", "the bound is not valid", "(3, 1)"),
    (broken.DIVISION, "zeros", "all 0.0", "NaN in row 0, column 0, from finite parts"),
    (broken.ZERO, "zeros", "a matrix of zeros does not come back as zeros", "a scale of 0"),
    (broken.LARGE, "large weights", "the largest float32", "came back as"),
    (broken.SMALL, "small weights", "integers up to 50 times 2^-", "came back as"),
    (broken.SWALLOWS, "NaN kept", "NaN or infinity is not given back", "nonfinite=False"),
    (broken.NANS, "decoding", "for finite parts of the format's own encoder", "row 0, column 0: scales = ", FILE),
    (broken.STORED, "decoding", "read-only", "it writes to what it is given", FILE),
    (broken.NEXT_BLOCK, "decoding", "broken_formats.py:", "entry 32 of 32"),
    (broken.DOUBLES, "decoding", "(3, 64) float64", "astype(np.float32)"),
    (broken.PADDING, "decoding", "found: (3, 64) float32", "the last block is short"),
    (broken.ROLLS, "decoding", "the same parts give other weights", "a random generator"),
    (broken.OUTSIDE, "extra", "`extra` gives a place outside the matrix", "expected: 0 .. 2", FILE),
    (broken.EXTRA_KIND, "extra", "`extra` gives other values", "finite float32", FILE),
    (broken.TURN, "turn", "the two ways of the turn disagree", "is not the transpose of `back`", FILE),
    (broken.ROUNDED, "turn", "`forward` is not linear", FILE),
    (broken.BEYOND, "surroundings", "decode reads beyond the parts", "as_strided"),
    (broken.DITHER, "repetition", "the same weights give other bytes", "a random generator", FILE),
    (broken.STATE, "repetition", "the same weights give other bytes", "state that outlives a call", FILE),
    (broken.TILE, "rows alone", "part 'scales' differs", "looks beyond its block", FILE),
    (broken.OTHER_BOOK, "rows alone", "part 'book' belongs to the whole matrix", "in `prepare`", FILE),
    (broken.DISAGREE, "two decoders", "column 31 of each block; row 0", "`decode` is normative", FILE),
    (broken.CODES, "codes", "the codes are not integers of the matrix's shape", "integers"),
    (broken.NOT_BACK, "codes put back", "part 'scales' differs", "expected: the same bytes", "Format.repacked"),
    (broken.LEVELS, "codes put back", "the level of a code is not what it decodes to", "Leave `grid` out"),
    (broken.KERNEL, "each column", "a product is not decode-then-multiply", "the decoded weight"),
    (broken.NAMED, "kernel", "kernel='fourcc.kernels.kernel:KERNEL'", "has no attribute 'KERNEL'"),
    (broken.FOREIGN, "ids elsewhere", "the id 2 of ggml belongs to fourcc's own", "would never be read as Fgn1"),
    (broken.SILENT, "declaration", "the summary is empty", "one line of text"),
    (broken.CONTRADICTS, "declaration", "uses ['gradient']", "importance can be asked for"),
    (broken.THREAD, "threads", "bytes depend on threads", "the thread's own number"),
    (broken.BUFFER, "threads", "bytes depend on threads", "memory that threads share"),
]

# What breaks nothing: the format, the check that notes it, and what it says.
NOTED = [
    (broken.WARNS, "no warnings", "RuntimeWarning"),
    (broken.VALUES, "kernel", "the block decoder is not used"),
    (broken.FLOOR, "kernel", "the block decoder is not used"),
    (broken.POWER, "kernel", "the block decoder is not used"),
    (broken.TILE, "declaration", "no error bound is declared"),
    (broken.IDLE, "calibration", "the calibration data that the format asks for make no difference"),
    (broken.USES, "calibration", "Use `blocks.importance`"),
    (broken.OPTION, "settings", "the option 'rounds' makes no difference"),
    (broken.UNUSED, "every code", "the code 0 decodes to nan"),
]

# Checks in processes of their own, and how each crash is told.
CRASHES = [
    (broken.BEYOND, "damaged parts", "it was killed by SIGSEGV", "in reads_on"),
    (broken.WILD, "damaged parts", "it was killed by SIGSEGV", "beyond a part"),
    (broken.EXIT, "decoding", "it ended with exit code 7", "ends the process itself"),
    (broken.SEGFAULT, "decoding", "it was killed by SIGSEGV", "in reads_nothing"),
    (broken.ENDLESS, "decoding", "it did not end within 3 seconds", "in never_ends"),
    (broken.ENDLESS_ENCODER, "declared size", "it did not end within 3 seconds", "in never_encodes"),
    (broken.ENDLESS_BLOCK, "decoding", "it did not end within 3 seconds", "in never_ends_a_block"),
]
KEPT = [check for check in CHECKS if check.apart is None and check.name not in {"stored bytes", "processes"}]


def made(found: Format, checks: list[Check]) -> list[Outcome]:
    """The outcomes of checks in this process, none of them made on fallen ground."""
    subject, fallen, outcomes = Subject.of(found), Fallen(), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in an examination: a warning is no exception
        for check in checks:
            outcomes.append(fallen.unmade(check, subject) or check.here(subject))
            fallen.count(outcomes[-1])
    return outcomes


def text_of(outcome: Outcome) -> str:
    return "\n".join(map(str, outcome.findings))


def names_of(outcomes: list[Outcome], status: str) -> list[str]:
    return [outcome.check for outcome in outcomes if outcome.status == status]


def first_to(name: str) -> list[Check]:
    """The checks up to that one."""
    return KEPT[: 1 + [check.name for check in KEPT].index(name)]


failed = pytest.mark.parametrize(
    ("found", "check", "says"),
    [(found, check, says) for found, check, *says in FAILED],
    ids=[f"{each[0].tag}-{each[1]}" for each in FAILED],
)


@failed
def test_what_is_broken_is_found(found: Format, check: str, says: list[str]) -> None:
    """The check fails, with the cause; no check before it does."""
    checks = first_to(check) if check != "threads" else [check_named("threads")]
    outcomes = made(found, checks)
    assert names_of(outcomes, "failed") == [check], text_of(outcomes[-1])
    for text in says:
        assert text in text_of(outcomes[-1])
    assert found.tag not in registry


@pytest.mark.thorough
@failed
def test_one_fault_fails_once(found: Format, check: str, says: list[str]) -> None:
    """All checks but those that may end the process: one fails, and what stands on it is not made."""
    outcomes = made(found, KEPT)
    assert names_of(outcomes, "failed") == [check], says
    for outcome in outcomes:
        stands = any(
            each.check in check_named(outcome.check).ground for each in outcomes if each.after or each.check == check
        )
        assert outcome.after == (check if stands and (outcome.skipped or "").startswith("not made: ") else None)


def test_there_are_forty_at_least() -> None:
    assert len({id(each[0]) for each in [*FAILED, *NOTED, *CRASHES]}) >= 60


@pytest.mark.parametrize(("found", "check", "says"), NOTED, ids=[f"{each[0].tag}-{each[1]}" for each in NOTED])
def test_what_breaks_nothing_is_noted(found: Format, check: str, says: str) -> None:
    (outcome,) = made(found, [check_named(check)])
    assert outcome.status == "noted", text_of(outcome)
    assert says in text_of(outcome)


@pytest.mark.thorough
@pytest.mark.parametrize("found", [each[0] for each in NOTED], ids=[str(each[0].tag) for each in NOTED])
def test_what_is_noted_does_not_fail(found: Format) -> None:
    expected = ["rows alone"] if found is broken.TILE else []
    assert names_of(made(found, KEPT), "failed") == expected


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("found", "check", "says", "more"), CRASHES, ids=[f"{each[0].tag}-{each[1]}" for each in CRASHES]
)
def test_a_crash_is_told(found: Format, check: str, says: str, more: str) -> None:
    """The finding tells the check in which it happened, how, and in which function; the rest is made."""
    checks = [check_named(name) for name in dict.fromkeys(("declaration", "declared size", check, "nominal bits"))]
    outcomes = list(examine(Subject.of(found), checks, limit=3))
    assert names_of(outcomes, "failed") == [check]
    told = next(text_of(outcome) for outcome in outcomes if outcome.check == check)
    assert says in told
    assert more in told
    assert {"declaration", "nominal bits"} <= set(names_of(outcomes, "passed"))


def test_a_crash_does_not_end_the_examination() -> None:
    """Every check that crashes gives its own finding; what stands on it is not made, and the next checks are."""
    names = ("declaration", "nominal bits", "declared size", "decoding", "zeros")
    outcomes = list(examine(Subject.of(broken.EXIT), [check_named(name) for name in names]))
    assert [(outcome.check, outcome.status) for outcome in outcomes] == [
        ("declaration", "passed"),
        ("nominal bits", "passed"),
        ("declared size", "passed"),
        ("decoding", "failed"),
        ("zeros", "skipped"),
    ]
    assert outcomes[-1].skipped == "not made: decoding failed"


@pytest.mark.thorough
def test_what_never_ends_is_ended() -> None:
    """The check ends after a limit, and the finding says so, and where it was."""
    (outcome,) = outcomes_apart(Subject.of(broken.ENDLESS), [("zeros", "numbers")], {}, limit=2)
    assert outcome.status == "failed"
    assert "breach: it does not end" in text_of(outcome)
    assert "it did not end within 2 seconds; in never_ends, " in text_of(outcome)


@pytest.mark.thorough
def test_another_hash_seed_shows() -> None:
    outcome = check_named("processes").outcome(Subject.of(broken.HASH))
    assert outcome.status == "failed", text_of(outcome)
    assert "PYTHONHASHSEED" in text_of(outcome)
    assert "the order of a set" in text_of(outcome)


RIGHT = (good.GOOD, good.NIBBLES, good.BOOK, good.TURNED, good.OUTLIERS)
# Denormal scales have few bits, so weights move when they are encoded again; only one has a bound.
USUAL = {"idempotence", "declaration", "narrow bound", "kernel"}


def is_left_to_thorough_runs(check: Check, fmt: Format) -> bool:
    """Dear checks, and products but those of the first and the last format: each compiles kernels for itself."""
    return check.name in DEAR or (check.theme == "products" and fmt not in {good.GOOD, good.TURNED})


@pytest.mark.parametrize("found", RIGHT, ids=[str(each.tag) for each in RIGHT])
def test_what_they_are_made_of_is_right(found: Format) -> None:
    """No check fails; few note anything."""
    outcomes = made(found, [check for check in KEPT if not is_left_to_thorough_runs(check, found)])
    assert not names_of(outcomes, "failed"), "\n".join(map(text_of, outcomes))
    assert set(names_of(outcomes, "noted")) <= USUAL, "\n".join(map(text_of, outcomes))


@pytest.mark.thorough
@pytest.mark.parametrize(
    "trial",
    [each for fmt in RIGHT for each in trials(fmt) if is_left_to_thorough_runs(each.check, fmt)],
    ids=str,
)
def test_the_dear_checks_of_what_is_right(trial: Trial) -> None:
    assert not trial().findings


def test_stored_bytes_have_a_file() -> None:
    """Beside the module of the format's functions, though the core decodes."""
    assert Subject.of(good.GOOD).vectors is None
    assert Subject.of(good.GOOD, vectors=Path("x.json")).vectors == Path("x.json")
