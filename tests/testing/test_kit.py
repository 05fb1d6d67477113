"""The kit itself: the order of dependence, trials, findings, stored bytes, measures."""

import json
from pathlib import Path
from unittest import SkipTest

import attrs
import pytest

from fourcc.format import Format
from fourcc.part import packed, per_block
from fourcc.testing import CHECKS, Finding, Outcome, Subject, Trial, examine, measure, measured, pinned, trials
from fourcc.testing.examination import measurable
from fourcc.testing.plan import check_named
from tests.testing import broken_formats as broken
from tests.testing.good_formats import GOOD, NIBBLES, OUTLIERS, encode_nibbles


def text_of(outcome: Outcome) -> str:
    return "\n".join(map(str, outcome.findings))


def trial_of(fmt: Format, name: str) -> Trial:
    return next(each for each in trials(fmt) if each.check.name == name)


def test_every_check_has_a_promise_and_a_name_of_its_own() -> None:
    assert len({check.name for check in CHECKS}) == len(CHECKS)
    for check in CHECKS:
        assert check.promise.endswith((".", ":", ";")) or len(check.promise) > 20


def test_checks_stand_on_earlier_ones() -> None:
    """So that one pass in order is enough; what is slow comes last, and nothing quick stands on it."""
    for index, check in enumerate(CHECKS):
        assert set(check.ground) <= {other.name for other in CHECKS[:index]}, check.name
    slow = [check.slow for check in CHECKS]
    assert slow == sorted(slow)
    assert all(check.slow for check in CHECKS if check.apart is not None)


def test_what_was_not_made_is_told_with_the_first_failure() -> None:
    """Through several steps: the root is named, not the check in between."""
    names = ("declared size", "decoding", "repetition", "rows alone", "zeros")
    outcomes = list(examine(Subject.of(attrs.evolve(broken.PART)), [check_named(name) for name in names]))
    assert [outcome.status for outcome in outcomes] == ["failed", *["skipped"] * 4]
    assert {outcome.skipped for outcome in outcomes[1:]} == {"not made: declared size failed"}


def test_a_trial_raises_the_report() -> None:
    """The text that a test runner shows."""
    trial = trial_of(broken.FORMULA, "within the bound")
    assert str(trial) == "For1: within the bound"
    with pytest.raises(AssertionError) as caught:
        trial()
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("For1: Each decoded weight is within the declared bound of its original")
    assert [line.split(":")[0] for line in lines[2:7]] == ["breach", "tried", "found", "expected", "likely cause"]


def test_a_trial_on_fallen_ground_is_skipped() -> None:
    """A test runner shows one failure; the ground is made once for all trials."""
    with pytest.raises(SkipTest, match="not made: declared size failed"):
        trial_of(broken.PART, "zeros")()
    every = trials(GOOD)
    trial = next(each for each in every if each.check.name == "kernel")
    trial()
    assert set(every[0].made) == {"declaration", "kernel"}
    assert all(each.made is trial.made for each in every)


def test_a_format_that_no_process_finds() -> None:
    """Made in a function: what needs a process of its own is skipped, and says why; the rest is examined here."""
    made = broken.broken("Loc1")
    outcome = check_named("damaged parts").outcome(Subject.of(made))
    assert outcome.status == "skipped"
    assert outcome.skipped == "the format is no attribute of a module, so that no other process finds it"
    assert "damaged parts" not in {trial.check.name for trial in trials(made)}
    (outcome,) = examine(Subject.of(made), [check_named("declaration")])
    assert outcome.status == "passed"


def test_experts_of_variable_length_are_skipped() -> None:
    """The limit is the core's, and is said so."""
    outcome = check_named("experts").outcome(Subject.of(OUTLIERS))
    assert outcome.status == "skipped"
    assert outcome.skipped == "parts of variable length allow no leading dimensions"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("two decoders", "`decode` is made from `decode_block`"),
        ("turn", "the format has no turn"),
        ("extra", "the format has no extra weights"),
        ("every code", "the core packs none of its parts"),
    ],
)
def test_what_does_not_apply_is_skipped(name: str, reason: str) -> None:
    assert check_named(name).outcome(Subject.of(GOOD)).skipped == reason


def test_findings_in_words() -> None:
    """A finding shows only the fields that are set."""
    finding = Finding(what="a", found="b", advice="c", note=True)
    assert str(finding) == "noted: a\nfound: b\nwhat to do: c"


def test_stored_bytes_that_change(tmp_path: Path) -> None:
    """The encoder's, and the decoder's; missing, damaged, and another format's files."""
    right = Subject.of(GOOD)
    path = tmp_path / "good.json"
    with right.installed():
        stored = pinned(right)
    path.write_text(json.dumps(stored))
    check = check_named("stored bytes")
    assert check.outcome(Subject.of(GOOD, vectors=path)).status == "passed"
    for found, says in ((broken.LAST, "part 'codes': byte"), (broken.FORMULA, "decode to other weights than before")):
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
        assert says in text_of(check.outcome(Subject.of(broken.LAST, vectors=path)))
    missing = check.outcome(Subject.of(GOOD))
    assert "`fourcc plugin pin Good -o vectors/good.json`" in text_of(missing)


STALE = {
    "another part": (attrs.evolve(NIBBLES, parts=(per_block("scale", "<f4"), packed("codes", bits=4))), "parts ["),
    "another width": (attrs.evolve(NIBBLES, block=16), "part 'scales': "),
    "more bits": (attrs.evolve(NIBBLES, parts=(per_block("scales", "<f4"), packed("codes", bits=5))), "part 'codes': "),
    "a parameter": (attrs.evolve(NIBBLES, params=GOOD.params, encode=encode_nibbles), "parameters ["),
}


@pytest.mark.parametrize(("changed", "says"), STALE.values(), ids=STALE)
def test_a_layout_that_is_no_longer_the_pinned_one(tmp_path: Path, changed: Format, says: str) -> None:
    """One finding, with the command that pins it again; no file that is not installed is named."""
    path = tmp_path / "nibb.json"
    with Subject.of(NIBBLES).installed():
        path.write_text(json.dumps(pinned(Subject.of(NIBBLES))))
    outcome = check_named("stored bytes").outcome(Subject.of(changed, vectors=path))
    assert len(outcome.findings) == 1
    assert outcome.findings[0].what == "the layout is no longer the pinned one"
    assert outcome.findings[0].found.startswith(says)
    assert f"`fourcc plugin pin Nibb -o {path} --force`" in outcome.findings[0].advice
    assert "README" not in text_of(outcome)


def test_measures_go_as_far_as_the_format_does() -> None:
    """All of a right format; of a broken one the bits, and the reason."""
    right = measure(Subject.of(GOOD))
    assert right.bits_per_weight == 9
    assert None not in {right.sqnr_gauss, right.sqnr_heavy, right.encode, right.decode, right.multiply}
    assert not right.trouble
    for found, bits, says in (
        (broken.PART, 9, "does not keep its contract"),
        (broken.NANS, 9, "does not keep its contract"),
        (broken.SYS_EXIT, 9, "SystemExit: 3"),
    ):
        half = measure(Subject.of(found))
        assert half.bits_per_weight == bits
        assert half.sqnr_gauss is None
        assert says in half.trouble


@pytest.mark.thorough
def test_measures_of_what_ends_its_process() -> None:
    """The measures say so, and the others are measured all the same."""
    first, *others = measured(Subject.of(broken.EXIT), limit=10)
    assert (first.tag, first.bits_per_weight, first.sqnr_gauss) == ("Exi1", 9, None)
    assert first.trouble == "it ended with exit code 7"
    assert [each.tag for each in others] == measurable(Subject.of(broken.EXIT))[1:]
    assert all(each.sqnr_gauss for each in others)
    late = measured(Subject.of(broken.ENDLESS_ENCODER), limit=2)[0]
    assert late.trouble.startswith("it did not end within 2 seconds; in never_encodes, ")
