"""The file of costs: what each format costs each unit of a model, in bytes and in damage.

A *unit* is one or more matrices that get the same format; an *option* is one format with its settings. The text is
JSON, with one option a line, in a fixed order, and with numbers of nine significant digits: equal costs are equal
bytes.
`fourcc.calibration.costs_reading` reads it back.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from math import isfinite, prod
from pathlib import Path
from typing import Any

import attrs

from fourcc.errors import UsageError
from fourcc.files.write import AtomicFile, check_target
from fourcc.policy.places import nearest
from fourcc.records import Records
from fourcc.settings import Params, settings_text
from fourcc.tags import FourCC, as_tag

SCHEMA = "fourcc.costs/1"
MEASURED_BITS = (
    3.5  # of the option that is measured, or the nearest: its damage is far above rounding, and not yet wild
)
BEGIN = b"{"  # of the file
DIGITS = 9  # significant digits of every number that is not whole


def rounded(value: float | None) -> float | None:
    """A number as the file has it; None stays None.

    >>> rounded(0.1234567891234)
    0.123456789
    """
    return None if value is None else float(f"{value:.{DIGITS}g}")


@attrs.frozen
class Option:
    """One format that a unit may have.

    Attributes:
        tag: the format.
        params: the layout's parameters, complete.
        options: the encoder's options, complete.
        nbytes: bytes of the unit's parts in this format, without padding.
        output_error: E ||x D^T||^2 / E ||x W^T||^2 over the text, with D the weights' error; None where it is not
            finite.
        kld: KL divergence from the original in nats a token where only this unit has this format: measured, or
            predicted from a measured option.
        seconds: of a product with one activation, on this machine; None where no time was taken.
    """

    tag: FourCC = attrs.field(converter=as_tag)
    params: Params
    options: Params
    nbytes: int
    output_error: float | None = attrs.field(converter=rounded)
    kld: float | None = attrs.field(converter=rounded)
    seconds: float | None = attrs.field(default=None, converter=rounded)

    @property
    def key(self) -> tuple[str, str, str]:
        """Tag and settings as texts, by which options are told apart."""
        return str(self.tag), _json(self.params), _json(self.options)


@attrs.frozen
class Unit:
    """Matrices that get the same format.

    Attributes:
        name: of the unit; that of its tensor, where there is one.
        tensors: their names in fourcc's spelling.
        roles: their roles in the model.
        shapes: their shapes.
        measured: indices of the options whose KL divergence was measured; that of the others is predicted.
        options: by bytes, the smallest first.
    """

    name: str
    tensors: tuple[str, ...]
    roles: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    measured: tuple[int, ...]
    options: tuple[Option, ...]

    @property
    def weights(self) -> int:
        """Number of weights."""
        return sum(map(prod, self.shapes))

    @property
    def reference(self) -> Option:
        """The measured option that is nearest to `MEASURED_BITS`, by which units are compared."""
        candidates = [self.options[index] for index in self.measured] or list(self.options)
        return min(candidates, key=lambda option: abs(self.bits(option) - MEASURED_BITS))

    def bits(self, option: Option) -> float:
        """Bits per weight that an option takes here."""
        return 8 * option.nbytes / max(1, self.weights)


@attrs.frozen
class FixedTensor:
    """A tensor that stays as it is stored: no option applies to it.

    Attributes:
        name: in fourcc's spelling.
        tag: the format that it is stored in.
        nbytes: bytes of its parts.
    """

    name: str
    tag: FourCC = attrs.field(converter=as_tag)
    nbytes: int


@attrs.frozen
class Costs(Records):
    """The costs of each option for each unit of a model.

    Attributes:
        fourcc: version of the program that measured.
        machine: what it measured on: another machine's numbers may differ in their last digits.
        model: digest of the model's tensors (`fourcc.calibration.model_digest`).
        calibration: digest of the calibration that encoders were given; None: there was none.
        text: SHA-256 of the text, hexadecimal.
        tokens: tokens of the text that were measured.
        context: the longest window, in tokens.
        documents: whether the windows are documents.
        feedback: settings of the error feedback that encoders used; None: there was none.
        units: in the model's order.
        fixed: tensors that stay as they are stored, in the model's order.
    """

    fourcc: str
    machine: str
    model: str
    calibration: str | None
    text: str
    tokens: int
    context: int
    documents: bool
    feedback: Mapping[str, object] | None
    units: tuple[Unit, ...]
    fixed: tuple[FixedTensor, ...]

    @property
    def fixed_bytes(self) -> int:
        """Bytes of the tensors that stay as they are stored."""
        return sum(tensor.nbytes for tensor in self.fixed)

    def unit(self, name: str) -> Unit:
        """The unit of that name, or with the tensor of that name. Raises UsageError where there is none."""
        known = {each: unit for unit in self.units for each in (*unit.tensors, unit.name)}
        if name not in known:
            hint = nearest(name, known, 3) or "`fourcc inspect` lists the units of a file of costs."
            raise UsageError("no unit has this name", found=name, hint=hint[:1].upper() + hint[1:])
        return known[name]

    def records(self) -> list[dict[str, Any]]:
        """Each option of each unit, in the file's order.

        Returns:
            For each: ``unit``, its ``tensors``, ``roles`` and ``weights``; the option's ``tag``, ``settings`` (as
            text), ``bits_per_weight``, ``bytes``, ``output_error``, ``kld`` (KL divergence in nats a token where only
            this unit has this format), ``measured`` (whether it was; else it is predicted) and ``seconds`` of a
            product. None where something is not known.
        """
        return [
            option_fields(unit, option) | {"measured": number in unit.measured}
            for unit in self.units
            for number, option in enumerate(unit.options)
        ]

    def _repr_html_(self) -> str:
        """HTML for notebooks: each option if every unit that can have it had it."""
        from fourcc.drawing import notebook

        options: dict[tuple[str, str | None], list[dict[str, Any]]] = {}
        for record in self.records():
            options.setdefault((record["tag"], record["settings"]), []).append(record)
        rows: list[dict[str, Any]] = []
        for (tag, settings), some in options.items():
            sums = {name: sum(each[name] or 0 for each in some) for name in ("bytes", "weights", "kld")}
            bits = 8 * sums["bytes"] / max(1, sums["weights"])
            row = {"tag": tag, "settings": settings, "units": len(some), "bits_per_weight": bits, "kld": sums["kld"]}
            rows.append(row)
        rows.sort(key=lambda row: row["bits_per_weight"])
        caption = "Each option in every unit that can have it; KL divergence in nats a token"
        return notebook.output(notebook.heading(self), notebook.short_table(rows, caption=caption))

    def __repr__(self) -> str:
        return f"<Costs of {len(self.units)} units, on {self.tokens} tokens>"

    def dumps(self) -> str:
        """The text of the file. Raises UsageError for a number that is not finite."""
        tree = attrs.asdict(self, recurse=False)
        units = ",\n".join(_unit_text(unit) for unit in tree.pop("units"))
        fixed = ",\n".join(f"  {_json(_plain(tensor))}" for tensor in tree.pop("fixed"))
        head = "".join(f' "{key}": {_json(value)},\n' for key, value in {"schema": SCHEMA, **tree}.items())
        return f'{{\n{head} "units": [\n{units}\n ],\n "fixed": [\n{fixed}\n ]\n}}\n'

    def encoded(self) -> bytes:
        """The bytes of the file. Raises UsageError for a number that is not finite."""
        return self.dumps().encode("ascii")

    def write(self, path: Path, *, force: bool = False) -> None:
        """Writes the file, whole or not at all.

        Raises:
            UsageError: the file exists and `force` is False, or a number is not finite.
            OutputError: it cannot be written.
        """
        data = self.encoded()
        with AtomicFile(check_target(path, (), force=force)) as file:
            file.write_at(0, data)


def option_fields(unit: Unit, option: Option) -> dict[str, Any]:
    """An option of a unit as a record."""
    settings = settings_text({**option.params, **option.options}.items())
    return {
        "unit": unit.name,
        "tensors": list(unit.tensors),
        "roles": list(unit.roles),
        "weights": unit.weights,
        "tag": str(option.tag),
        "settings": settings or None,
        "bits_per_weight": unit.bits(option),
        "bytes": option.nbytes,
        "output_error": option.output_error,
        "kld": option.kld,
        "seconds": option.seconds,
    }


def by_size(options: Iterable[Option]) -> tuple[Option, ...]:
    """Options in the order of the file: by bytes, then by tag and settings."""
    return tuple(sorted(options, key=lambda option: (option.nbytes, option.key)))


def _unit_text(unit: Unit) -> str:
    tree = attrs.asdict(unit, recurse=False)
    options = ",\n".join(f"    {_json(_plain(option))}" for option in tree.pop("options"))
    head = _json(tree)[:-1]  # without the brace that closes it
    return f'  {head}, "options": [\n{options}\n  ]}}'


def _plain(record: Option | FixedTensor) -> dict[str, object]:
    """A record's fields, with the tag as text."""
    return {**attrs.asdict(record, recurse=False), "tag": str(record.tag)}


def _json(value: object) -> str:
    """JSON in one line. Raises UsageError for a number that is not finite."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{json.dumps(key)}: {_json(item)}' for key, item in value.items())}}}"
    if isinstance(value, float) and not isfinite(value):
        raise UsageError("a file of costs holds only finite numbers", found=value)
    return json.dumps(value)
