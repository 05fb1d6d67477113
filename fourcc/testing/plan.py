"""All checks in their order, with their promises and the reasons to skip them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

import attrs

from fourcc.testing import (
    agreement,
    declared,
    decoding,
    independence,
    inputs,
    levels,
    numbers,
    products,
    storage,
    vectors,
)
from fourcc.testing.finding import Finding, FoundError, Outcome, raised
from fourcc.testing.process import outcomes_apart
from fourcc.testing.subject import Subject, is_own, nothing_encodes, nothing_imports

MOST_FINDINGS = 3  # findings of one check: further ones repeat them


@attrs.frozen(kw_only=True, eq=False)
class Check:
    """One promise that a format must keep.

    Attributes:
        name: unique.
        theme: the group that it belongs to.
        run: yields a finding for each breach.
        skips: functions that give the reason why the check does not apply to a subject, or None.
        apart: environment variables of its own process, where it may crash its process; None: it needs none.
        ground: names of earlier checks; where one of them failed, this check would only repeat it, and is not made.
        slow: whether a quick examination leaves it out.
    """

    name: str
    theme: str
    run: Callable[[Subject], Iterator[Finding]]
    skips: tuple[Callable[[Subject], str | None], ...] = ()
    apart: Mapping[str, str] | None = None
    ground: tuple[str, ...] = ()
    slow: bool = False

    @property
    def promise(self) -> str:
        """The promise, in a sentence."""
        return (self.run.__doc__ or "").strip().partition("\n")[0]

    def skipped(self, subject: Subject) -> str | None:
        """Why the check does not apply, or None."""
        return next((reason for skip in self.skips if (reason := skip(subject)) is not None), None)

    def outcome(self, subject: Subject) -> Outcome:
        """Makes the check, in a process of its own where it needs one."""
        skipped = self.skipped(subject)
        if self.apart is None or skipped is not None:
            return self.here(subject)
        return next(outcomes_apart(subject, [(self.name, self.theme)], self.apart))

    def here(self, subject: Subject) -> Outcome:
        """Makes the check in this process."""
        skipped, start = self.skipped(subject), time.perf_counter()
        findings = () if skipped is not None else tuple(self._findings(subject))
        seconds = round(time.perf_counter() - start, 3)
        return Outcome(check=self.name, theme=self.theme, findings=findings, skipped=skipped, seconds=seconds)

    def _findings(self, subject: Subject) -> Iterator[Finding]:
        """The first few findings; an unexpected exception of the format is a finding, too."""
        count = 0
        try:
            with subject.installed():
                for finding in self.run(subject):
                    yield finding
                    count += 1
                    if count == MOST_FINDINGS:
                        return
        except FoundError as error:
            yield error.finding
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - a format may raise SystemExit
            yield raised(error, tried=self.promise)


def nothing_multiplies(subject: Subject) -> str | None:
    """Why a check of products does not apply."""
    return None if subject.format.real else "the format holds no real numbers"


def holds_nonfinite(subject: Subject) -> str | None:
    """Why a check that NaN is kept does not apply."""
    return None if subject.format.nonfinite else "NaN and infinity are refused by the core"


def no_codes(subject: Subject) -> str | None:
    """Why a check of codes does not apply."""
    return None if subject.format.codes is not None else "the format shows no codes"


def puts_no_codes_back(subject: Subject) -> str | None:
    """Why a check of levels does not apply."""
    return None if subject.format.with_codes is not None else "the format takes no other codes"


def asks_for_nothing(subject: Subject) -> str | None:
    """Why a check of calibration does not apply."""
    return None if subject.format.sees else "the format asks for no calibration data"


def has_no_settings(subject: Subject) -> str | None:
    """Why a check of settings does not apply."""
    return None if subject.format.params or subject.format.options else "the format has no settings"


def has_one_decoder(subject: Subject) -> str | None:
    """Why its decoders are not compared."""
    fmt = subject.format
    if fmt.decode_block is None:
        return "the format has no block decoder"
    if fmt.derived:
        return "`decode` is made from `decode_block`"
    free = any(part.reach == "free" for part in fmt.block_parts)
    return "parts with a `tail` have no share in a block: products are compared instead" if free else None


def has_no_turn(subject: Subject) -> str | None:
    """Why a check of the turn does not apply."""
    return None if subject.format.turn is not None else "the format has no turn"


def has_no_extra(subject: Subject) -> str | None:
    """Why a check of extra weights does not apply."""
    return None if subject.format.extra is not None else "the format has no extra weights"


def packs_nothing(subject: Subject) -> str | None:
    """Why a check of packed codes does not apply."""
    packed = any(part.packing is not None for part in subject.format.parts)
    return None if packed else "the core packs none of its parts"


def stacks_nothing(subject: Subject) -> str | None:
    """Why a check of experts does not apply."""
    return subject.format.misfit((2, *subject.plain_shape()), subject.params)


def own_without_vectors(subject: Subject) -> str | None:
    """Why stored bytes are not compared: fourcc's own are part of its tests, and not installed."""
    absent = subject.vectors is None and is_own(subject)
    return "fourcc's own stored bytes are in its repository, not in what is installed" if absent else None


ENCODES = (nothing_encodes,)
MULTIPLIES = (nothing_encodes, nothing_multiplies)
APART = (*MULTIPLIES, nothing_imports)

# What each check stands on. A fault that fails a check would fail those that stand on it, too.
DECLARED, SIZED = ("declaration",), ("declared size",)
DECODES = ("declared size", "decoding")
REPEATS = ("decoding", "repetition")
ALONE = (*REPEATS, "rows alone")
BOUND = (*ALONE, "zeros", "within the bound")
MULTIPLY = ("decoding", "surroundings", "kernel", "two decoders", "turn")
COLUMNS = (*MULTIPLY, "each column")


def _checks(theme: str, *rows: tuple[object, ...]) -> tuple[Check, ...]:
    """Checks of a theme: each row has a name, what runs, the reasons to skip it, and its ground."""
    return tuple(
        Check(name=name, theme=theme, run=run, skips=skips, ground=ground)  # type: ignore[arg-type]  # rows of one kind
        for name, run, skips, ground in rows
    )


def _apart(theme: str, name: str, run: Callable[[Subject], Iterator[Finding]], **variables: str) -> Check:
    """A check in a process of its own, which takes long."""
    skips = APART if variables else (nothing_imports,)
    ground = COLUMNS if variables else ("surroundings", "decoding")
    return Check(name=name, theme=theme, run=run, skips=skips, apart=variables, ground=ground, slow=True)


CHECKS = (
    *_checks(
        "declared",
        ("declaration", declared.declaration, (), ()),
        ("ids elsewhere", declared.foreign_ids, (), DECLARED),
        ("kernel", declared.kernel, (nothing_multiplies,), DECLARED),
    ),
    *_checks(
        "stored",
        ("nominal bits", storage.nominal_bits, (), DECLARED),
        ("declared size", storage.declared_size, ENCODES, DECLARED),
        ("extra", agreement.extra, (nothing_encodes, has_no_extra), SIZED),
        ("turn", agreement.turned, (nothing_encodes, has_no_turn), SIZED),
        ("decoding", decoding.decodes, ENCODES, (*SIZED, "extra", "turn")),
        ("empty", storage.empty, ENCODES, DECODES),
        ("unfit shapes", storage.unfit_shapes, ENCODES, DECODES),
    ),
    *_checks(
        "independence",
        ("surroundings", decoding.surroundings, ENCODES, DECODES),
        ("repetition", independence.repetition, ENCODES, (*DECODES, "surroundings")),
        ("rows alone", independence.rows, ENCODES, REPEATS),
        ("experts", independence.experts, (nothing_encodes, stacks_nothing), ALONE),
        ("two decoders", agreement.two_decoders, (nothing_encodes, has_one_decoder), REPEATS),
    ),
    *_checks(
        "numbers",
        ("zeros", numbers.zeros, ENCODES, ALONE),
        ("within the bound", numbers.within_bound, ENCODES, (*ALONE, "zeros")),
        ("narrow bound", numbers.wide_bound, ENCODES, BOUND),
        ("small weights", numbers.small_weights, ENCODES, BOUND),
        ("large weights", numbers.large_weights, ENCODES, BOUND),
        ("idempotence", numbers.idempotence, ENCODES, (*BOUND, "small weights")),
        ("NaN refused", numbers.nonfinite_refused, ENCODES, DECODES),
        ("NaN kept", numbers.nonfinite_kept, (nothing_encodes, holds_nonfinite), DECODES),
    ),
    *_checks(
        "inputs",
        ("memory layouts", inputs.memory, ENCODES, ALONE),
        ("inputs left alone", inputs.left_alone, ENCODES, ALONE),
        ("calibration", inputs.calibration, (nothing_encodes, asks_for_nothing), ALONE),
        ("settings", inputs.settings, (nothing_encodes, has_no_settings), ALONE),
    ),
    *_checks(
        "decoding",
        ("shape and dtype", decoding.shape_and_dtype, (), DECODES),
        ("no warnings", decoding.quiet, (), DECODES),
        ("codes", decoding.codes, (nothing_encodes, no_codes), DECODES),
        ("codes put back", levels.put_back, (nothing_encodes, no_codes, puts_no_codes_back), DECODES),
        ("every code", decoding.every_code, (nothing_encodes, packs_nothing), DECODES),
    ),
    *_checks(
        "products",
        ("each column", products.columns, MULTIPLIES, MULTIPLY),
        ("decode, then multiply", products.normal_activations, MULTIPLIES, COLUMNS),
        ("NaN in a product", products.nan_shows, MULTIPLIES, COLUMNS),
        ("rows looked up", products.gathered, MULTIPLIES, COLUMNS),
        ("packed size", products.packed_size, MULTIPLIES, COLUMNS),
        ("compiled coders", products.compiled_coders, MULTIPLIES, COLUMNS),
    ),
    *_checks("vectors", ("stored bytes", vectors.unchanged, (own_without_vectors,), ALONE)),
    Check(name="threads", theme="apart", run=independence.threads, skips=ENCODES, ground=ALONE, slow=True),
    Check(
        name="threads of a product",
        theme="apart",
        run=products.threads,
        skips=MULTIPLIES,
        ground=COLUMNS,
        slow=True,
    ),
    Check(
        name="processes",
        theme="apart",
        run=independence.processes,
        skips=(nothing_encodes, nothing_imports),
        ground=ALONE,
        slow=True,
    ),
    _apart("apart", "damaged parts", decoding.damaged_parts),
    _apart("apart", "bounds checked", decoding.checked, NUMBA_BOUNDSCHECK="1"),
    _apart("apart", "uncompiled", products.uncompiled, NUMBA_DISABLE_JIT="1"),
)


def check_named(name: str) -> Check:
    """The check of that name. Raises KeyError where there is none."""
    return {check.name: check for check in CHECKS}[name]
