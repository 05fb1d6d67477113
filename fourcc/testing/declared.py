"""Checks of a format's declaration, before any weight is touched."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from fourcc import compute
from fourcc.errors import PluginError
from fourcc.plugins.entries import OWN
from fourcc.plugins.registry import registry
from fourcc.testing.finding import Finding, attempt
from fourcc.testing.subject import Subject, is_own


def declaration(subject: Subject) -> Iterator[Finding]:
    """The declaration does not contradict itself, and tells people what they need to know."""
    spec = subject.format
    attempt(spec.check, tried="check the declaration", advice="Mend the FormatSpec.")
    for name in ("name", "summary"):
        if not str(getattr(spec, name)).strip() or "\n" in getattr(spec, name):
            yield Finding(
                what=f"the {name} is empty, or of several lines",
                found=repr(getattr(spec, name)),
                expected="one line of text",
                cause="it is what `fourcc formats` shows",
                advice=f"Say in the FormatSpec's `{name}` what the format is.",
            )
    if spec.encoder_version < 1:
        yield Finding(what="bad encoder_version", found=str(spec.encoder_version), expected="1 or more")
    if subject.format.encode is not None and subject.format.bound is None:
        yield Finding(
            what="no error bound is declared",
            cause="Format.bound is None",
            advice="Derive on the format's page how far a decoded weight may be from its original, and declare it as "
            "`bound=`: (weights, geom) -> float64 (rows, cols). Until then the kit can only test that decoding is "
            "better than zeros.",
            note=True,
        )


def foreign_ids(subject: Subject) -> Iterator[Finding]:
    """No other format has its ids in other systems."""
    spec = subject.format
    for system, identity in spec.foreign.items():
        for tag in registry:
            with contextlib.suppress(PluginError):
                ours = registry.entry(tag).distribution == OWN
                if ours and (other := registry[tag]) is not subject.format and other.foreign.get(system) == identity:
                    yield Finding(
                        what=f"the id {identity} of {system} belongs to fourcc's own {tag}",
                        found=f"foreign = {dict(spec.foreign)}",
                        cause=f"a file of {system} would never be read as {spec.tag}",
                        advice="Leave the id out of `foreign`.",
                    )
    if is_own(subject):
        for system, identity in spec.foreign.items():
            if registry.foreign(system, identity) is not subject.format:
                yield Finding(what=f"the id {identity} of {system} leads to another format")


def kernel(subject: Subject) -> Iterator[Finding]:
    """Its products have a kernel: its own, or one made from its block decoder; else a note says why not."""
    fmt = subject.format
    attempt(
        lambda: compute.kernel_of(fmt, subject.params),
        tried="make the kernel of the format",
        cause="`kernel` is the name `module:attribute` of a fourcc.kernels.kernel.Kernel, or a function that takes the "
        "parameters by name and returns one",
    )
    if fmt.kernel is None and fmt.decode_block is not None and (reason := compute.why_decoded(fmt, subject.params)):
        yield Finding(
            what="the block decoder is not used: products decode the whole matrix first",
            found=reason,
            advice="`fourcc formats TAG` says the same. For the faster rung see specs/writing-a-format.md, "
            "'What a block decoder may do'.",
            note=True,
        )
