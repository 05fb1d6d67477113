"""Stored bytes of a format: they must stay decodable, and their weights must be encoded to the same bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from fourcc import __version__, errors
from fourcc.arrays import Array
from fourcc.dtypes import numpy_dtype
from fourcc.encoding import encode
from fourcc.errors import FourccError, UsageError
from fourcc.qmatrix import QMatrix
from fourcc.testing.decoding import same_numbers
from fourcc.testing.finding import Finding, attempt
from fourcc.testing.subject import Subject
from fourcc.testing.weights import bell, heavy, integers

SCHEMA = "fourcc-vectors-1"
Case = Mapping[str, Any]


def unchanged(subject: Subject) -> Iterator[Finding]:
    """There are stored bytes; they decode, and are encoded, as before."""
    if subject.vectors is None or not subject.vectors.is_file():
        yield Finding(
            what="there are no stored bytes",
            tried="look for vectors/TAG.json, the tag in lower case, beside the format's module",
            cause="nothing would show that a new version of the package reads old files differently",
            advice=f"`fourcc plugin pin {subject.tag} -o vectors/{subject.tag.lower()}.json` writes them. Commit "
            "the file, and never change a case.",
        )
        return
    try:
        stored = json.loads(subject.vectors.read_text(encoding="utf-8"))
        yield from findings(subject, stored)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        found = f"{type(error).__name__}: {error}"
        yield Finding(
            what="the stored bytes cannot be read",
            tried=f"read {subject.vectors.name}",
            found=found,
            advice=f"{_pin(subject)} writes the file anew.",
        )


def _pin(subject: Subject) -> str:
    """The command that pins a format's bytes."""
    return f"`fourcc plugin pin {subject.tag} -o {subject.vectors or 'vectors/TAG.json'} --force`"


def _other_layout(subject: Subject, case: Case) -> str | None:
    """The difference between the layout of a stored case and the format's; None where there is none."""
    spec = subject.format
    declared = {setting.name for setting in spec.params}
    if declared != set(case["params"]):
        return f"parameters {sorted(case['params'])} are stored, {sorted(declared)} declared"
    names = {part.name for part in spec.parts}
    if names != set(case["parts"]):
        return f"parts {sorted(case['parts'])} are stored, {sorted(names)} declared"
    shapes = spec.part_shapes(tuple(case["shape"]), case["params"])
    for part in spec.parts:
        stored, entry = len(case["parts"][part.name]) // 2, numpy_dtype(part.dtype).itemsize
        declared_bytes = prod(shapes[part.name]) * entry
        if stored % entry or (not part.variable and stored != declared_bytes):
            return f"part {part.name!r}: {stored} bytes are stored, {declared_bytes} declared"
    return None


def _stale(subject: Subject, case: Case, found: str) -> Finding:
    return Finding(
        what="the layout is no longer the pinned one",
        tried=f"read case {case['name']!r} of {subject.vectors.name if subject.vectors else 'the stored bytes'}",
        found=found,
        cause="the parts, the block or the parameters have changed since the bytes were pinned",
        advice=f"Before the first release: {_pin(subject)}. After it, files with the old layout exist: give the new "
        "one a new tag.",
    )


def findings(subject: Subject, stored: Case) -> Iterator[Finding]:
    """Findings where a format disagrees with a file of stored bytes.

    Raises:
        KeyError, ValueError, TypeError: the file does not follow the schema.
    """
    if stored["schema"] != SCHEMA or stored["tag"] != subject.tag:
        found = f"schema {stored['schema']!r}, tag {stored['tag']!r}"
        yield Finding(what="the file holds other vectors", found=found, expected=f"{SCHEMA!r}, {subject.tag!r}")
        return
    if not str(stored["provenance"]) or not any(case["result"] == "valid" for case in stored["cases"]):
        yield Finding(what="the stored bytes have no provenance, or no valid case")
    for case in stored["cases"]:
        if case["result"] == "valid" and (other := _other_layout(subject, case)) is not None:
            yield _stale(subject, case, other)
            return
        yield from (_refusal if case["result"] == "invalid" else _valid)(subject, case)


def _valid(subject: Subject, case: Case) -> Iterator[Finding]:
    spec, shape = subject.format, tuple(case["shape"])
    shapes = spec.part_shapes(shape, case["params"])
    parts = {}
    for part in spec.parts:
        flat = np.frombuffer(bytes.fromhex(case["parts"][part.name]), numpy_dtype(part.dtype))
        parts[part.name] = flat if part.variable else flat.reshape(shapes[part.name])
    named = f"case {case['name']!r}"
    if case["input"] is not None:
        encoded = attempt(lambda: _encoded(subject, case), tried=f"encode {named}")
        for name, array in parts.items():
            if encoded.parts[name].tobytes() != array.tobytes():
                yield _changed(subject, named, name, encoded.parts[name], array)
    matrix = QMatrix(spec.tag, shape, parts, case["params"])
    decoded = attempt(matrix.decode, tried=f"decode {named}")
    expected = np.frombuffer(bytes.fromhex(case["decoded"]), spec.decoded).reshape(shape)
    if not same_numbers(decoded, expected):
        yield Finding(
            what="stored bytes decode to other weights than before",
            tried=f"decode {named}",
            found=f"{np.count_nonzero(decoded != expected)} of {decoded.size} weights differ",
            cause="the formula has changed, or the places of parts",
            advice=f"Before the first release: {_pin(subject)}. After it, such files exist: take the change back, or "
            "give the new formula a new tag.",
        )


def _changed(subject: Subject, named: str, name: str, found: Array, expected: Array) -> Finding:
    return Finding(
        what="the encoder gives other bytes than before",
        tried=f"encode {named}",
        found=f"part {name!r}: {_difference(found.tobytes(), expected.tobytes())}",
        expected="the stored bytes",
        cause="the encoder has changed",
        advice=f"Before the first release: {_pin(subject)}. After it: raise encoder_version "
        f"(now {subject.format.encoder_version}), set the input of the "
        "old cases to null, so that they are only decoded, and add new ones.",
    )


def _difference(found: bytes, expected: bytes) -> str:
    if len(found) != len(expected):
        return f"{len(found)} bytes, {len(expected)} stored"
    at = next(index for index, pair in enumerate(zip(found, expected, strict=True)) if pair[0] != pair[1])
    return f"byte {at} is {found[at]:02x}, stored is {expected[at]:02x}"


def _refusal(subject: Subject, case: Case) -> Iterator[Finding]:
    """Findings for weights that must be refused, and for the text of the refusal."""
    tried = f"encode case {case['name']!r}"
    try:
        _encoded(subject, case)
    except FourccError as error:
        if not isinstance(error, getattr(errors, case["error"])):
            yield Finding(
                what="another error than before", tried=tried, found=type(error).__name__, expected=case["error"]
            )
        for text in case["says"]:
            if text not in str(error):
                yield Finding(what="the refusal says something else", tried=tried, found=str(error), expected=text)
    else:
        yield Finding(what="weights that were refused are encoded", tried=tried, expected=case["error"])


def _encoded(subject: Subject, case: Case) -> QMatrix:
    w = np.frombuffer(bytes.fromhex(case["input"]), "<f4").reshape(case["shape"])
    aids = subject.aids(w.shape)
    if "importance" in case:
        aids = attrs.evolve(aids, importance=np.frombuffer(bytes.fromhex(case["importance"]), "<f4"))
    return encode(w, subject.format.tag, case["params"], case["options"], aids=aids)


def pinned(subject: Subject) -> dict[str, object]:
    """The contents of a file of stored bytes for a format, as its encoder gives them now.

    Raises:
        UsageError: the format has no encoder.
        FourccError: as `fourcc.encode` does.
    """
    if subject.format.encode is None:
        raise UsageError(f"the format {subject.tag} has no encoder")
    one, several = (1, subject.plain_shape()[1]), subject.plain_shape(3)
    cases = {
        "ordinary": ("normal weights times 2^-5", bell(several, -5)),
        "outliers": ("Student's t, 3 degrees of freedom", heavy(one)),
        "integers": ("small integers: ties and repetitions", integers(one)),
        "denormal": ("small integers times 2^-149", integers(one, -149)),
        "zeros": ("all weights 0", np.zeros(one, np.float32)),
        "constant": ("all weights 0.3", np.full(one, 0.3, np.float32)),
    }
    version = subject.format.encoder_version
    return {
        "schema": SCHEMA,
        "tag": subject.tag,
        "provenance": f"the format's own encoder, version {version}, pinned by fourcc {__version__}",
        "cases": [_case(subject, name, note, w) for name, (note, w) in cases.items()],
    }


def _case(subject: Subject, name: str, note: str, w: Array) -> dict[str, object]:
    matrix = subject.encoded(w)
    return {
        "name": name,
        "note": note,
        "result": "valid",
        "shape": list(w.shape),
        "params": dict(subject.params),
        "options": dict(subject.options),
        "input": w.astype("<f4").tobytes().hex(),
        "parts": {part: array.tobytes().hex() for part, array in matrix.parts.items()},
        "decoded": matrix.decode().tobytes().hex(),
    }


def read(path: Path) -> Case:
    """The contents of a file of stored bytes. Raises OSError, or ValueError where it is no JSON."""
    stored: Case = json.loads(path.read_text(encoding="ascii"))
    return stored
