"""The units of a measurement: which of a model's matrices get a format together, and which tensors get none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod

import attrs

from fourcc.calibration.costs import FixedTensor, Option, Unit
from fourcc.errors import UsageError, listed
from fourcc.naming import layer, roles
from fourcc.policy.asked_formats import TargetFormat
from fourcc.sources.source import Source, SourceTensor

EMBEDDING, OUTPUT = "embedding", "output"
GROUPED = {role.rpartition(".")[2]: role for role in ("attention.q", "attention.k", "attention.v", "attention.o")} | {
    role.rpartition(".")[2]: role for role in ("ffn.gate", "ffn.up", "ffn.down")
}  # the word for a role -> the role
MATRICES = frozenset({EMBEDDING, OUTPUT, *GROUPED.values()})
HINT = "A group is words with + between them, such as q+k+v,gate+up: " + ", ".join(GROUPED) + "."

SHOWN = 3  # names in a note

Group = frozenset[str]  # of roles


@attrs.frozen(eq=False)
class PlannedUnit:
    """Matrices of one layer that are to be measured together.

    Attributes:
        tensors: of the source.
        roles: of the tensors, each once.
        options: those that fit all tensors, in the order in which they were asked for.
    """

    tensors: tuple[SourceTensor, ...]
    roles: tuple[str, ...]
    options: tuple[TargetFormat, ...]

    @property
    def name(self) -> str:
        """The tensors' names with + between them; what the first one's name begins with is said once."""
        first, *others = [tensor.name for tensor in self.tensors]
        start = first.rpartition(".")[0] + "."
        return "+".join([first, *(name.removeprefix(start) for name in others)])

    def stage(self, layers: int) -> int:
        """The stage of the network that it belongs to: its layer; -1 for the embedding, `layers` for the classifier."""
        number = layer(self.tensors[0].name)
        return number if number is not None else -1 if self.looked_up else layers

    @property
    def looked_up(self) -> bool:
        """Whether it is the embedding, of which rows are looked up."""
        return EMBEDDING in self.roles

    @property
    def weights(self) -> int:
        """Number of weights."""
        return sum(prod(tensor.shape) for tensor in self.tensors)


@attrs.frozen(eq=False)
class PlannedUnits:
    """All tensors of a model, in its order.

    Attributes:
        options: the formats to try.
        units: what is measured.
        fixed: what stays as it is stored.
        notes: on options and tensors that are left out.
    """

    options: tuple[TargetFormat, ...]
    units: tuple[PlannedUnit, ...]
    fixed: tuple[FixedTensor, ...]
    notes: tuple[str, ...]


def asked_groups(text: str | Iterable[str] | None) -> tuple[Group, ...]:
    """The groups of roles that a text asks for.

    Args:
        text: ``q+k+v,gate+up``, or such texts without commas; None: no group.

    Raises:
        UsageError: a word is no role, or comes twice.
    """
    if text is None:
        return ()
    pieces = text.split(",") if isinstance(text, str) else list(text)
    words = [[word.strip() for word in piece.split("+")] for piece in pieces]
    seen: set[str] = set()
    for word in (word for each in words for word in each):
        if word not in GROUPED:
            raise UsageError("a group has an unknown word", found=word, hint=HINT)
        if word in seen:
            raise UsageError("a role is in two groups", found=word, hint=HINT)
        seen.add(word)
    return tuple(frozenset(GROUPED[word] for word in each) for each in words)


def planned_units(
    source: Source,
    options: Sequence[TargetFormat],
    groups: Sequence[Group] = (),
    spare: Sequence[TargetFormat] = (),
) -> PlannedUnits:
    """The units of a model.

    Args:
        source: the opened model.
        options: the formats to try.
        groups: roles whose matrices within a layer make one unit.
        spare: further formats, which are tried, too, where a matrix fits none of the options. Where there are some,
            nobody asked for the options, so no notes tell which of them do not fit.

    Raises:
        UsageError: no option fits any matrix.
        SourceError: a tensor has a layout that no installed format has.
    """
    tied = bool(source.hyper.get("tied_embeddings", False))
    source.refuse_unreadable(lambda _: True)
    gathered: dict[object, list[SourceTensor]] = {}
    for tensor in source.tensors:
        gathered.setdefault(_key(tensor, groups), []).append(tensor)
    matrices = [tensors for key, tensors in gathered.items() if key is not None]
    first = [_unit(tensors, options, tied=tied) for tensors in matrices]
    bare = [each.name for each in first if not each.options] if spare else []
    tried = (*options, *spare) if bare else tuple(options)
    unions = [_unit(tensors, tried, tied=tied) for tensors in matrices] if bare else first
    units = tuple(unit for unit in unions if unit.options)
    if not units:
        found = ", ".join(str(option.format.tag) for option in tried)
        raise UsageError("no option fits a matrix of this model", file=source.path, found=found)
    measured = {tensor.name for unit in units for tensor in unit.tensors}
    fixed = tuple(_fixed(tensor) for tensor in source.tensors if tensor.name not in measured)
    notes = _spare_notes(bare, unions) if spare else _notes(unions, options)
    return PlannedUnits(tried, units, fixed, (*notes, *_stack_notes(source)))


def _key(tensor: SourceTensor, groups: Sequence[Group]) -> object:
    """The key that all tensors of one unit share; None for a tensor that is in none."""
    (role,) = roles(tensor.name)
    if len(tensor.shape) != 2 or role not in MATRICES or not tensor.format.real or not prod(tensor.shape):
        return None
    group = next((number for number, each in enumerate(groups) if role in each), None)
    return tensor.name if group is None else (layer(tensor.name), group)


def _unit(tensors: Sequence[SourceTensor], options: Sequence[TargetFormat], *, tied: bool) -> PlannedUnit:
    all_roles = dict.fromkeys(role for tensor in tensors for role in roles(tensor.name, tied=tied))
    fitting = [each for each in options if all(_fits(tensor, each) for tensor in tensors)]
    return PlannedUnit(tuple(tensors), tuple(all_roles), tuple(fitting))


def _fits(tensor: SourceTensor, option: TargetFormat) -> bool:
    return option.format.misfit(tensor.shape, option.params) is None


def _fixed(tensor: SourceTensor) -> FixedTensor:
    return FixedTensor(tensor.name, tensor.tag, tensor.nbytes)


def _notes(units: Sequence[PlannedUnit], options: Sequence[TargetFormat]) -> Iterable[str]:
    """Notes on options that do not fit some units, and on units that none fits."""
    for option in options:
        lacking = [unit for unit in units if option not in unit.options]
        if lacking:
            tensor = next(each for each in lacking[0].tensors if not _fits(each, option))
            reason = option.format.misfit(tensor.shape, option.params)
            yield f"{option.format.tag} does not fit {len(lacking)} of {len(units)} units: {reason}"
    yield from _bare_notes(units)


def _spare_notes(bare: Sequence[str], units: Sequence[PlannedUnit]) -> Iterable[str]:
    """Notes on units that only the spare formats fit, and on those that none fits."""
    if bare:
        names = listed(bare, SHOWN)
        yield f"no usual option fits {len(bare)} of {len(units)} units: {names}; all quantized formats are tried"
    yield from _bare_notes(units)


def _bare_notes(units: Sequence[PlannedUnit]) -> Iterable[str]:
    bare = [unit.name for unit in units if not unit.options]
    if bare:
        yield f"no option fits {len(bare)} of {len(units)} units, which stay as they are stored: {listed(bare, SHOWN)}"


def _stack_notes(source: Source) -> Iterable[str]:
    """A note on stacks of experts."""
    stacks = [each.name for each in source.tensors if len(each.shape) > 2 and not MATRICES.isdisjoint(roles(each.name))]
    if stacks:
        yield f"stacks of experts are not measured, and stay as they are stored: {listed(stacks, SHOWN)}"


def notes_on(planned: PlannedUnits, measured: Sequence[Unit]) -> Iterable[str]:
    """Notes on options that could not hold the weights of some units, and on those that lose nothing in some."""
    pairs = list(zip(planned.units, measured, strict=True))
    for target in planned.options:
        tag, fitting = target.format.tag, [unit for plan, unit in pairs if target in plan.options]
        found = [(unit.name, option) for unit in fitting for option in unit.options if _is(option, target)]
        missing = [unit.name for unit in fitting if unit.name not in dict(found)]
        if missing:
            yield f"{tag} cannot hold the weights of {len(missing)} of {len(pairs)} units: {listed(missing, SHOWN)}"
        exact = [name for name, option in found if option.output_error == 0]
        if exact:
            yield f"{tag} loses nothing in {len(exact)} of {len(pairs)} units: {listed(exact, SHOWN)}"


def _is(option: Option, target: TargetFormat) -> bool:
    """Whether an option of the file is the format that was asked for."""
    return (option.tag, option.params, option.options) == (target.format.tag, target.params, target.options)
