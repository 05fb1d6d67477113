"""A model's tensors as files of another project have them: joined, one by one, columns for rows, pairs in halves.

The way back of `fourcc.sources.family_tensors`. Rows move whole, so blocks along them stay as they are; a tensor whose
blocks span several rows is decoded, and so is one that is written with columns for rows.
"""

from __future__ import annotations

from fractions import Fraction
from math import prod

import attrs

from fourcc.arrays import Array
from fourcc.conversion.pipeline import Step
from fourcc.errors import UsageError, listed
from fourcc.exporters.rows import as_numbers
from fourcc.naming import GGUF, split_name
from fourcc.networks.network import Network
from fourcc.networks.spelling import JoinedRows, StackedMatrices
from fourcc.plugins.registry import registry
from fourcc.sources.arrangement import Merged, OneOf, Picked, Shifted, Turned, halves_order, inverse, joined_orders
from fourcc.sources.extent import whole_parts
from fourcc.sources.family_names import spelling_of, their_name, unusual
from fourcc.sources.source import Source, SourceTensor

ROTATED = (".attention.wq", ".attention.wk", ".attention.q_norm", ".attention.k_norm")
_SHOWN = 4


@attrs.frozen(eq=False)
class FamilySteps:
    """The steps of an export in a family's arrangement.

    Attributes:
        source: the model.
        network: its network.
        spelling: one of `fourcc.naming`'s.
        halves: whether row i of a head turns with row i + half in the file.
    """

    source: Source
    network: Network
    spelling: str
    halves: bool

    def named(self, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        """The steps by the names of the file.

        Raises:
            UsageError: tensors that the file has as one are in different formats, or rows cannot be put in its order.
        """
        by_name = {step.source.name: step for step in steps}
        found: list[Step] = []
        done: set[str] = set()
        for name, step in by_name.items():
            joined = self._joined(name)
            if name in done:
                continue
            if joined is not None and all(part in by_name for part in joined[1]):
                parts = [by_name[part] for part in joined[1]]
                done |= set(joined[1])
                found += self._as_one(joined[0], parts)
            else:
                found += self._alone(step)
        return tuple(found)

    # -- tensors that are one there

    def _joined(self, name: str) -> tuple[JoinedRows, tuple[str, ...]] | None:
        """How the file joins a tensor with others, and the names of all of them."""
        template, layer, ending = split_name(name)
        for joined in spelling_of(self.network).joined:
            if template in joined.parts and self.spelling in joined.names:
                return joined, tuple(part.replace("*", str(layer)) + ending for part in joined.parts)
        return None

    def _as_one(self, joined: JoinedRows, parts: list[Step]) -> list[Step]:
        """The tensor that joins the parts; parts of several formats stay apart where the file's readers take that."""
        kinds = {(step.decision.tag, repr(sorted(step.decision.params.items()))) for step in parts}
        names = [their_name(self.network, self.spelling, step.source.name) for step in parts]
        if len(kinds) > 1 and self.spelling in joined.apart and None not in names:
            return [self._renamed(self._arranged(step), str(name)) for step, name in zip(parts, names, strict=True)]
        if len(kinds) > 1:
            raise UsageError(
                f"the file has {', '.join(step.source.name for step in parts)} as one tensor, so they need one format",
                file=self.source.path,
                found=listed((str(tag) for tag, _ in sorted(kinds)), _SHOWN),
                hint="--as TAG, or a policy, gives them one.",
            )
        arranged = self._alike([self._arranged(step) for step in parts])
        return [self._merged(joined, arranged)]

    def _alike(self, steps: list[Step]) -> list[Step]:
        """The steps with sources of one format: decoded, where they differ or have parts that belong to the whole."""
        tags = {(step.source.tag, repr(sorted(step.source.params.items()))) for step in steps}
        if len(tags) == 1 and not whole_parts(steps[0].source.format) and _moves(steps[0].source):
            return steps
        return [attrs.evolve(step, source=as_numbers(step.source)) for step in steps]

    def _merged(self, joined: JoinedRows, steps: list[Step]) -> Step:
        first = steps[0].source
        columns = split_name(first.name)[2] == ".bias"
        axis = len(first.shape) - (1 if columns else 2)
        sizes = [step.source.shape[axis] for step in steps]
        heads = self.source.hyper.get("n_heads") if self.spelling in joined.by_head else None
        alternating = self.spelling in joined.alternating
        orders = joined_orders(sizes, heads if isinstance(heads, int) else None, alternating=alternating)
        shape = (*first.shape[:axis], sum(sizes), *first.shape[axis + 1 :])
        read = Merged(tuple(step.source.read for step in steps), tuple(orders), columns).read
        template, layer, ending = split_name(first.name)
        name = joined.names[self.spelling].replace("*", str(layer)) + (ending or ".weight")
        source = attrs.evolve(first, shape=shape, read=read, copy=None, record=None)
        whole = self._resized(attrs.evolve(steps[0], source=source), shape)
        upright = self._turned(whole, template)
        return self._renamed(upright, unusual(spelling_of(self.network), self.spelling, name))

    # -- a tensor by itself

    def _alone(self, step: Step) -> list[Step]:
        """The tensor as it is there: a stack as its matrices, where the file has these one by one."""
        template, _, ending = split_name(step.source.name)
        for stacked in spelling_of(self.network).stacked:
            if template == stacked.into and not ending and self._is_single(stacked):
                return self._singles(stacked, self._arranged(step))
        step = self._turned(self._arranged(step), template)
        name = their_name(self.network, self.spelling, step.source.name)
        return [step if name is None else self._renamed(step, name)]

    def _is_single(self, stacked: StackedMatrices) -> bool:
        """Whether files of today have the matrices one by one: GGUF's have not, though older ones did."""
        return self.spelling in stacked.names and self.spelling != GGUF

    def _singles(self, stacked: StackedMatrices, step: Step) -> list[Step]:
        _, layer, _ = split_name(step.source.name)
        count, *rest = step.source.shape
        template = stacked.names[self.spelling].replace("*", str(layer))
        row = len(rest) == 1
        source = step.source if not row or _moves(step.source) else as_numbers(step.source)
        return [
            self._renamed(
                self._resized(
                    attrs.evolve(
                        step,
                        source=attrs.evolve(
                            source,
                            shape=tuple(rest),
                            read=OneOf(source.read, number, row).read,
                            copy=None,
                            record=None,
                        ),
                    ),
                    tuple(rest),
                ),
                template.replace("#", str(number)) + ".weight",
            )
            for number in range(count)
        ]

    # -- rows

    def _arranged(self, step: Step) -> Step:
        """The step, which reads rotated rows in the file's order."""
        tensor = step.source
        if not self.halves or not tensor.name.removesuffix(".bias").endswith(ROTATED):
            return step
        columns = len(tensor.shape) == 1 or "_norm" in tensor.name
        order = inverse(self._order(tensor, tensor.shape[-1] if columns else tensor.shape[-2]))
        movable = tensor.format.block == (1, 1) if columns else _moves(tensor)
        tensor = tensor if movable else as_numbers(tensor)
        read = Picked(tensor.read, order, columns, whole_parts(tensor.format)).read
        return attrs.evolve(step, source=attrs.evolve(tensor, read=read, copy=None))

    def _order(self, tensor: SourceTensor, size: int) -> Array:
        head = self.source.hyper.get("head_dim")
        turned = self.source.hyper.get("rope_dim", head)
        if type(head) is not int or head % 2 or size % head or type(turned) is not int or not 0 < turned <= head:
            raise UsageError(
                "the rows of this tensor cannot be put into the order of the exported file",
                file=self.source.path,
                tensor=tensor.name,
                found=f"shape {list(tensor.shape)}, head_dim {head}",
                expected="heads of one even width",
            )
        return halves_order(size, head, turned)

    def _turned(self, step: Step, template: str) -> Step:
        """The step with columns for rows, where the files of the family have the tensor so."""
        if template not in spelling_of(self.network).transposed.get(self.spelling, ()) or len(step.source.shape) < 2:
            return step
        if split_name(step.source.name)[2] == ".bias" or not registry[step.decision.tag].real:
            return step
        plain = step.source.format.block == (1, 1) and step.source.format.real
        tensor = step.source if plain else as_numbers(step.source)
        *lead, rows, cols = tensor.shape
        read = Turned(tensor.read, rows).read
        held = tensor.gathered + tensor.format.stored_bytes((rows, cols), tensor.params)
        source = attrs.evolve(tensor, shape=(*lead, cols, rows), read=read, copy=None, record=None, gathered=held)
        return self._resized(attrs.evolve(step, source=source), source.shape)

    def _renamed(self, step: Step, name: str) -> Step:
        return attrs.evolve(step, source=attrs.evolve(step.source, name=name))

    def _resized(self, step: Step, shape: tuple[int, ...]) -> Step:
        """The step with a decision for another shape in the same format."""
        before = step.decision
        nbytes = registry[before.tag].stored_bytes(shape, before.params)
        bits = Fraction(8 * nbytes, max(1, prod(shape)))
        info = attrs.evolve(before.tensor, shape=shape)
        return attrs.evolve(step, decision=attrs.evolve(before, tensor=info, nbytes=nbytes, bits_per_weight=bits))


def _moves(tensor: SourceTensor) -> bool:
    """Whether whole rows of its parts can be read in another order."""
    return all(part.rows in (1, None) and not part.variable for part in tensor.format.parts)


# -- what norms have beside their weights


def with_offset(source: Source, steps: tuple[Step, ...], wanted: float) -> tuple[Source, tuple[Step, ...]]:
    """The model with another number that is added to the weights of norms when it runs.

    Args:
        source: the model.
        steps: its tensors.
        wanted: the number that readers of the file add.

    Returns:
        The model, whose hyper-parameter says so, and the tensors; where it differs, norms are float32.
    """
    stated = source.hyper.get("norm_offset", 0.0)
    by = float(str(stated)) - wanted
    hyper = {name: value for name, value in source.hyper.items() if name != "norm_offset"}
    source = attrs.evolve(source, hyper={**hyper, **({"norm_offset": wanted} if wanted else {})})
    return source, steps if not by else tuple(_shifted(step, by) if _is_norm(step) else step for step in steps)


def _is_norm(step: Step) -> bool:
    template, _, ending = split_name(step.source.name)
    return not ending and "norm" in template.rpartition(".")[2]


def _shifted(step: Step, by: float) -> Step:
    tensor = as_numbers(step.source)
    source = attrs.evolve(tensor, read=Shifted(tensor.read, by).read, copy=None)
    if step.decision.tag == tensor.tag or not step.decision.keep:
        return attrs.evolve(step, source=source)
    nbytes = tensor.format.stored_bytes(tensor.shape, {})
    decision = attrs.evolve(step.decision, tag=tensor.tag, params={}, nbytes=nbytes, bits_per_weight=Fraction(32))
    return attrs.evolve(step, source=source, decision=decision)
