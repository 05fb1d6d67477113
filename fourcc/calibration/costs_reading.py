"""Reads a file of costs; everything that it says is checked before it is believed."""

from __future__ import annotations

import json
import re
import stat
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from fourcc.calibration.costs import SCHEMA, Costs, FixedTensor, Option, Unit, by_size
from fourcc.container.fields import ARRAY, MAP, NUMBER, TEXT, FieldKind, Fields, Schema
from fourcc.errors import InputError, UnknownVersionError
from fourcc.files.signatures import looks_like
from fourcc.tags import as_tag

T = TypeVar("T")
LARGEST = 1e300  # of any cost: sums over units stay finite
MAX_BYTES = 64 << 20  # a model of 1,000 units with 50 options each has a file of 10 MB
AGAIN = "`fourcc measure` writes such a file."
FLAG = FieldKind(frozenset({bool}), "true or false")
POSITIVE = FieldKind(frozenset({int, float}), "a number from 0 on")

# Every key of every object, as in the table of specs/costs.md.
OPTION: Schema = {
    "tag": TEXT,
    "params": MAP,
    "options": MAP,
    "nbytes": NUMBER,
    "output_error": POSITIVE.or_nil(),
    "kld": POSITIVE.or_nil(),
    "seconds": POSITIVE.or_nil(),
}
UNIT: Schema = {
    "name": TEXT,
    "tensors": ARRAY,
    "roles": ARRAY,
    "shapes": ARRAY,
    "measured": ARRAY,
    "options": ARRAY,
}
FIXED: Schema = {"name": TEXT, "tag": TEXT, "nbytes": NUMBER}
COSTS: Schema = {
    "schema": TEXT,
    "fourcc": TEXT,
    "machine": TEXT,
    "model": TEXT,
    "calibration": TEXT.or_nil(),
    "text": TEXT,
    "tokens": NUMBER,
    "context": NUMBER,
    "documents": FLAG,
    "feedback": MAP.or_nil(),
    "units": ARRAY,
    "fixed": ARRAY,
}


def is_costs(path: Path) -> bool:
    """Whether a path is a regular file that begins as a file of costs does."""
    start = re.compile(rb'\s*\{\s*"schema"\s*:\s*"fourcc\.costs/')
    return path.is_file() and start.match(_first_bytes(path, 200)) is not None


def read_costs(path: str | Path) -> Costs:
    """The costs in a file.

    Raises:
        InputError: it is no file of costs, it is damaged, or of another version of the layout.
        OSError: it cannot be read.
    """
    path = Path(path)
    if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for its writer
        raise InputError("a file of costs is a regular file", file=path, hint=AGAIN)
    data = _first_bytes(path, MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise InputError("the file of costs is too long", file=path, expected=f"at most {MAX_BYTES} bytes", hint=AGAIN)
    return parse_costs(data, path)


def _first_bytes(path: Path, count: int) -> bytes:
    with path.open("rb") as file:
        return file.read(count)


def parse_costs(data: bytes, file: object) -> Costs:
    """The costs that a text spells; `file` is for messages. Raises InputError."""
    try:
        tree = json.loads(data.decode("utf-8"), object_pairs_hook=_pairs, parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise InputError(f"this is no file of costs: {looks_like(data)}", file=file, hint=AGAIN) from error
    except (ValueError, RecursionError) as error:  # of which UnicodeDecodeError is one
        raise InputError(f"the file of costs is no JSON: {error}", file=file, hint=AGAIN) from error
    if not isinstance(tree, dict):
        raise InputError("the file of costs is no JSON object", file=file, found=type(tree).__name__, hint=AGAIN)
    _check_schema(tree.get("schema"), file)
    fields = Fields(tree, COSTS, file, "costs")
    _check_known(fields, COSTS)
    units = tuple(map(_unit, fields.maps("units", UNIT)))
    fixed = tuple(map(_fixed, fields.maps("fixed", FIXED)))
    _check_names(fields, units, fixed)
    return Costs(
        **{key: tree[key] for key in COSTS if key not in {"schema", "units", "fixed"}}, units=units, fixed=fixed
    )


def _pairs(items: list[tuple[str, object]]) -> dict[str, object]:
    tree = dict(items)
    if len(tree) != len(items):
        raise ValueError("a key twice in one object")
    return tree


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"the number {name}")


def _check_schema(found: object, file: object) -> None:
    """Raises UnknownVersionError for another version of the layout, InputError for anything else."""
    if found == SCHEMA:
        return
    if isinstance(found, str) and found.startswith(f"{SCHEMA.partition('/')[0]}/"):
        what = "the file of costs has a layout that this version does not know"
        raise UnknownVersionError(what, file=file, found=found, expected=SCHEMA, hint="Upgrade fourcc.")
    raise InputError("this is no file of costs", file=file, found=f"schema {found!r}", expected=SCHEMA, hint=AGAIN)


def _check_known(fields: Fields, schema: Schema) -> None:
    """Refuses keys that the layout does not have: a slip of somebody who edited the file."""
    for key in fields.tree:
        if key not in schema:
            fields.fail(key, fields.tree[key], f"only the keys {', '.join(schema)}")


def _unit(fields: Fields) -> Unit:
    tree = fields.tree
    fields.tensor = fields.name()
    _check_known(fields, UNIT)
    options = tuple(map(_option, fields.maps("options", OPTION, tensor=fields.tensor)))
    _check_options(fields, options)
    tensors = _texts(fields, "tensors")
    shapes = tuple(fields.dimensions("shapes", shape, least=0) for shape in tree["shapes"])
    if len(shapes) != len(tensors):
        fields.fail("shapes", tree["shapes"], f"{len(tensors)} shapes, one a tensor")
    measured = tree["measured"]
    if any(type(index) is not int or not 0 <= index < len(options) for index in measured):
        fields.fail("measured", measured, f"indices of the unit's {len(options)} options")
    return Unit(tree["name"], tensors, _texts(fields, "roles"), shapes, tuple(measured), options)


def _option(fields: Fields) -> Option:
    tree = fields.tree
    _check_known(fields, OPTION)
    for key in ("output_error", "kld", "seconds"):
        if tree[key] is not None and not 0 <= tree[key] <= LARGEST:
            fields.fail(key, tree[key], f"{POSITIVE.words}, at most {LARGEST:g}")
    for key in ("params", "options"):
        _check_settings(fields, key)
    return Option(_tag(fields), *(tree[key] for key in OPTION if key != "tag"))


def _check_settings(fields: Fields, key: str) -> None:
    values: Iterable[Any] = fields.tree[key].values()
    if any(type(value) not in {bool, int, float, str} or value in {float("inf"), -float("inf")} for value in values):
        fields.fail(key, fields.tree[key], "settings: texts, finite numbers, true or false")


def _check_options(fields: Fields, options: tuple[Option, ...]) -> None:
    if not options:
        fields.fail("options", [], "at least one option")
    twice = _twice(option.key for option in options)
    if twice is not None:
        fields.fail("options", " ".join(twice), "each option once")
    if options != by_size(options):
        fields.fail("options", [option.nbytes for option in options], "the options in order of their bytes")


def _tag(fields: Fields) -> str:
    try:
        as_tag(fields.tree["tag"])
    except ValueError:
        fields.fail("tag", fields.tree["tag"], "one to four of A-Z a-z 0-9 _, the first a letter")
    text: str = fields.tree["tag"]
    return text


def _texts(fields: Fields, key: str) -> tuple[str, ...]:
    values = fields.tree[key]
    if not values or any(type(value) is not str or not value for value in values):
        fields.fail(key, values, "at least one text")
    return tuple(values)


def _fixed(fields: Fields) -> FixedTensor:
    fields.tensor = fields.name()
    _check_known(fields, FIXED)
    return FixedTensor(fields.tensor, _tag(fields), fields.tree["nbytes"])


def _check_names(fields: Fields, units: Iterable[Unit], fixed: Iterable[FixedTensor]) -> None:
    """Refuses a unit, or a tensor, that the file names twice."""
    names = [unit.name for unit in units]
    tensors = [*(name for unit in units for name in unit.tensors), *(tensor.name for tensor in fixed)]
    for listed in (names, tensors):
        twice = _twice(listed)
        if twice is not None:
            fields.fail("units", twice, "each unit and each tensor once")


def _twice(values: Iterable[T]) -> T | None:
    """The first value that comes more than once; None where there is none."""
    return next((value for value, count in Counter(values).items() if count > 1), None)
