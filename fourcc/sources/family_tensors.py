"""Tensors of another project's file as a network has them: apart, stacked, upright, pairs of rows side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from fourcc.arrays import Array
from fourcc.errors import SourceError, listed
from fourcc.geometry import Geometry
from fourcc.naming import split_name
from fourcc.networks.network import Network
from fourcc.networks.spelling import JoinedRows
from fourcc.sources.arrangement import Picked, Stack, Turned, halves_order, joined_orders
from fourcc.sources.extent import whole_parts
from fourcc.sources.family_names import Place, spelling_of
from fourcc.sources.source import Hyper, Source, SourceTensor

_ROTATED = (".attention.wq", ".attention.wk", ".attention.q_norm", ".attention.k_norm")
_SHOWN = 4


@attrs.frozen(eq=False)
class FamilyFile:
    """A file of another project, as far as its tensors' arrangement goes.

    Attributes:
        source: the opened file.
        network: the model's.
        spelling: one of `fourcc.naming`'s.
        hyper: the model's hyper-parameters.
        halves: whether row i of a head turns with row i + half.
    """

    source: Source
    network: Network
    spelling: str
    hyper: Hyper
    halves: bool

    def tensors(self, placed: Iterable[tuple[SourceTensor, Place | None]]) -> list[SourceTensor]:
        """The tensors by our names and in our arrangement; those without a place stay as they are.

        Raises:
            SourceError: a tensor cannot be brought into our arrangement, or a stack is not whole.
        """
        found: list[SourceTensor] = []
        stacks: dict[str, dict[int, SourceTensor]] = {}
        for tensor, place in placed:
            if place is None:
                found.append(tensor)
            elif place.stacked is not None:
                stacks.setdefault(place.parts[0], {})[place.number] = tensor
            elif place.joined is not None:
                found += self._apart(tensor, place.parts, place.joined)
            else:
                found.append(self._arranged(attrs.evolve(tensor, name=place.parts[0])))
        return [*found, *(self._arranged(self._stack(name, singles)) for name, singles in stacks.items())]

    # -- several as one

    def _stack(self, name: str, singles: Mapping[int, SourceTensor]) -> SourceTensor:
        """The stack of single matrices, or of vectors."""
        first, count = singles[min(singles)], 1 + max(singles)
        missing = [number for number in range(min(count, len(singles) + 1)) if number not in singles]
        if missing:
            what = f"number {missing[0]} of the tensors that are one here is missing"
            raise SourceError(what, file=self.source.path, tensor=name, found=first.source_name)
        ordered = [singles[number] for number in range(count)]
        kinds = {(tensor.tag, tensor.shape, repr(sorted(tensor.params.items()))) for tensor in ordered}
        if len(kinds) > 1:
            found = listed((f"{tag} {list(shape)}" for tag, shape, _ in sorted(kinds, key=repr)), _SHOWN)
            what = "the tensors that are one here are stored differently"
            raise SourceError(what, file=self.source.path, tensor=name, found=found, expected="one format and shape")
        stack = Stack(tuple(tensor.read for tensor in ordered), vectors=len(first.shape) == 1)
        return attrs.evolve(first, name=name, shape=(count, *first.shape), read=stack.read)

    # -- one as several

    def _apart(self, tensor: SourceTensor, names: tuple[str, ...], joined: JoinedRows) -> list[SourceTensor]:
        """The parts of a tensor that joins them."""
        tensor = self._upright(tensor, names[0])
        vector = self._is_vector(names[0])
        axis = -1 if vector else -2
        sizes = [self._rows(name) for name in names]
        if tensor.shape[axis:][:1] != (sum(sizes),):
            raise SourceError(
                f"the tensor does not join {', '.join(names)}",
                file=self.source.path,
                tensor=tensor.source_name,
                found=f"shape {list(tensor.shape)}",
                expected=f"{' + '.join(map(str, sizes))} rows",
            )
        heads = self.hyper.get("n_heads") if self.spelling in joined.by_head else None
        alternating = self.spelling in joined.alternating
        orders = joined_orders(sizes, heads if isinstance(heads, int) else None, alternating=alternating)
        parts = []
        for name, size, order in zip(names, sizes, orders, strict=True):
            shape = (*tensor.shape[:axis], size) if vector else (*tensor.shape[:axis], size, tensor.shape[-1])
            part = attrs.evolve(tensor, name=name, shape=shape)
            turned = self._order(part)
            picked = order if turned is None else order[turned]
            parts.append(self._picked(part, picked, columns=vector))
        return parts

    def _rows(self, name: str) -> int:
        """Rows of one of our tensors, entries of a bias; those of a stack of one matrix."""
        declared = self.network.tensor(name)
        sizes = () if declared is None else declared.sizes(self.hyper)
        row = sizes[-1] if self._is_vector(name) else sizes[-2] if len(sizes) > 1 else None
        if row is None:
            what = "the hyper-parameters do not say how many rows a part of a joined tensor has"
            raise SourceError(what, file=self.source.path, tensor=name)
        return row

    def _is_vector(self, name: str) -> bool:
        """Whether the tensor is a bias, whose entries belong to rows: of each expert, in a stack."""
        return split_name(name)[2] == ".bias"

    # -- one in another arrangement

    def _arranged(self, tensor: SourceTensor) -> SourceTensor:
        tensor = self._upright(tensor, tensor.name)
        tensor = self._with_a_row(tensor)
        order = self._order(tensor)
        return tensor if order is None else self._picked(tensor, order, columns=self._by_columns(tensor))

    def _upright(self, tensor: SourceTensor, name: str) -> SourceTensor:
        """The tensor with rows for columns, where the family's files have it so; blocks of weights never lie so."""
        template, _, ending = split_name(name)
        turned = spelling_of(self.network).transposed.get(self.spelling, ())
        if ending == ".bias" or template not in turned or not tensor.format.real or tensor.format.block != (1, 1):
            return tensor
        *lead, rows, cols = tensor.shape
        matrix = tensor.format.stored_bytes((rows, cols), tensor.params)
        read = Turned(tensor.read, rows).read
        return attrs.evolve(tensor, shape=(*lead, cols, rows), read=read, gathered=tensor.gathered + matrix)

    def _with_a_row(self, tensor: SourceTensor) -> SourceTensor:
        """The tensor; a matrix of one row that the file has as a vector gets its row."""
        declared = self.network.tensor(tensor.name)
        single = declared is not None and declared.dims[:1] == ("1",) and len(tensor.shape) == 1
        return attrs.evolve(tensor, shape=(1, *tensor.shape)) if single else tensor

    def _by_columns(self, tensor: SourceTensor) -> bool:
        return len(tensor.shape) == 1 or "_norm" in tensor.name

    def _order(self, tensor: SourceTensor) -> Array | None:
        """The order of rows that brings pairs together; None where nothing turns."""
        if not self.halves or not tensor.name.removesuffix(".bias").endswith(_ROTATED):
            return None
        head, size = self.hyper.get("head_dim"), (0, 1, *tensor.shape)[-1 if self._by_columns(tensor) else -2]
        turned = self.hyper.get("rope_dim", head)
        blocks = self._by_columns(tensor) and tensor.format.parts[0].shape(Geometry(1, 2)) != (1, 2)
        fits = (
            type(head) is int and type(turned) is int and not (head % 2 or turned % 2 or turned > head or size % head)
        )
        single = not tensor.shape  # one number has no rows
        if not fits or blocks or single:
            raise SourceError(
                "the rows cannot be brought into fourcc's order, in which pairs that are rotated are neighbours",
                file=self.source.path,
                tensor=tensor.source_name,
                found=f"shape {list(tensor.shape)}, head_dim {head}",
                expected="heads of one even width",
            )
        assert isinstance(head, int)
        assert isinstance(turned, int)
        return halves_order(size, head, turned)

    def _picked(self, tensor: SourceTensor, order: Array, *, columns: bool) -> SourceTensor:
        spec = tensor.format
        if columns and spec.parts[0].shape(Geometry(1, 2)) != (1, 2):
            what = "a vector of quantized blocks cannot be rearranged"
            raise SourceError(what, file=self.source.path, tensor=tensor.source_name)
        read = Picked(tensor.read, order, columns, whole_parts(spec)).read
        return attrs.evolve(tensor, read=read, copy=None)
