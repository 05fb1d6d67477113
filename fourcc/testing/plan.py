"""All checks in their order, with their promises and the reasons to skip them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

import attrs

from fourcc.testing import declared, decoding, independence, inputs, numbers, products, storage, vectors
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
    """

    name: str
    theme: str
    run: Callable[[Subject], Iterator[Finding]]
    skips: tuple[Callable[[Subject], str | None], ...] = ()
    apart: Mapping[str, str] | None = None

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
        except (KeyboardInterrupt, MemoryError):
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


def asks_for_nothing(subject: Subject) -> str | None:
    """Why a check of calibration does not apply."""
    return None if subject.format.needs else "the format asks for no calibration data"


def own_without_vectors(subject: Subject) -> str | None:
    """Why stored bytes are not compared: fourcc's own are part of its tests, and not installed."""
    absent = subject.vectors is None and is_own(subject)
    return "fourcc's own stored bytes are in its repository, not in what is installed" if absent else None


ENCODES = (nothing_encodes,)
MULTIPLIES = (nothing_encodes, nothing_multiplies)

CHECKS = (
    Check(name="declaration", theme="declared", run=declared.declaration),
    Check(name="ids elsewhere", theme="declared", run=declared.foreign_ids),
    Check(name="kernel", theme="declared", run=declared.kernel, skips=(nothing_multiplies,)),
    Check(name="declared size", theme="stored", run=storage.declared_size, skips=ENCODES),
    Check(name="nominal bits", theme="stored", run=storage.nominal_bits),
    Check(name="empty", theme="stored", run=storage.empty, skips=ENCODES),
    Check(name="unfit shapes", theme="stored", run=storage.unfit_shapes, skips=ENCODES),
    Check(name="within the bound", theme="numbers", run=numbers.within_bound, skips=ENCODES),
    Check(name="narrow bound", theme="numbers", run=numbers.wide_bound, skips=ENCODES),
    Check(name="small weights", theme="numbers", run=numbers.small_weights, skips=ENCODES),
    Check(name="large weights", theme="numbers", run=numbers.large_weights, skips=ENCODES),
    Check(name="zeros", theme="numbers", run=numbers.zeros, skips=ENCODES),
    Check(name="idempotence", theme="numbers", run=numbers.idempotence, skips=ENCODES),
    Check(name="NaN refused", theme="numbers", run=numbers.nonfinite_refused, skips=ENCODES),
    Check(name="NaN kept", theme="numbers", run=numbers.nonfinite_kept, skips=(nothing_encodes, holds_nonfinite)),
    Check(name="rows alone", theme="independence", run=independence.rows, skips=ENCODES),
    Check(name="experts", theme="independence", run=independence.experts, skips=ENCODES),
    Check(name="repetition", theme="independence", run=independence.repetition, skips=ENCODES),
    Check(name="threads", theme="independence", run=independence.threads, skips=ENCODES),
    Check(name="processes", theme="independence", run=independence.processes, skips=(nothing_encodes, nothing_imports)),
    Check(name="memory layouts", theme="inputs", run=inputs.memory, skips=ENCODES),
    Check(name="inputs left alone", theme="inputs", run=inputs.left_alone, skips=ENCODES),
    Check(name="calibration", theme="inputs", run=inputs.calibration, skips=(nothing_encodes, asks_for_nothing)),
    Check(name="shape and dtype", theme="decoding", run=decoding.shape_and_dtype),
    Check(name="no warnings", theme="decoding", run=decoding.quiet),
    Check(name="codes", theme="decoding", run=decoding.codes, skips=(nothing_encodes, no_codes)),
    Check(name="surroundings", theme="decoding", run=decoding.surroundings, skips=ENCODES),
    Check(name="damaged parts", theme="decoding", run=decoding.damaged_parts, skips=(nothing_imports,), apart={}),
    Check(
        name="bounds checked",
        theme="decoding",
        run=decoding.checked,
        skips=(*MULTIPLIES, nothing_imports),
        apart={"NUMBA_BOUNDSCHECK": "1"},
    ),
    Check(name="each column", theme="products", run=products.columns, skips=MULTIPLIES),
    Check(name="decode, then multiply", theme="products", run=products.normal_activations, skips=MULTIPLIES),
    Check(
        name="uncompiled",
        theme="products",
        run=products.uncompiled,
        skips=(*MULTIPLIES, nothing_imports),
        apart={"NUMBA_DISABLE_JIT": "1"},
    ),
    Check(name="threads of a product", theme="products", run=products.threads, skips=MULTIPLIES),
    Check(name="NaN in a product", theme="products", run=products.nan_shows, skips=MULTIPLIES),
    Check(name="rows looked up", theme="products", run=products.gathered, skips=MULTIPLIES),
    Check(name="packed size", theme="products", run=products.packed_size, skips=MULTIPLIES),
    Check(name="compiled coders", theme="products", run=products.compiled_coders, skips=MULTIPLIES),
    Check(name="stored bytes", theme="vectors", run=vectors.unchanged, skips=(own_without_vectors,)),
)


def check_named(name: str) -> Check:
    """The check of that name. Raises KeyError where there is none."""
    return {check.name: check for check in CHECKS}[name]
