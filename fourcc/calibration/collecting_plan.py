"""The units of a calibration's work, and the places of everything in the file: known before a text is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import attrs

from fourcc.calibration.layer_batches import LayerBatch, passes_of
from fourcc.calibration.layout import About, CalibrationLayout, lay_out
from fourcc.calibration.partial_file import OffsetFile, WindowStates
from fourcc.calibration.run_facts import windows_digest
from fourcc.calibration.running_sums import RunningSums, sums_bytes
from fourcc.compute import target_name
from fourcc.errors import UsageError
from fourcc.models.window_batches import Batch, batches_of
from fourcc.naming import roles

if TYPE_CHECKING:
    from fourcc.calibration.calibration import Calibration
    from fourcc.files.facts import Facts
    from fourcc.files.journal import Record
    from fourcc.models.staged import StagedNetwork
    from fourcc.models.weights import Inputs
    from fourcc.models.windows import Window


@attrs.frozen(eq=False)
class Work:
    """The work of a calibration.

    Attributes:
        about: what is known of the result before it is collected.
        windows: runs of tokens, each of which begins at position 0.
        hessian: whether Hessians are collected, too; none of stacks, each matrix of which would have one.
        merged: a calibration that is added; its About is part of ours already. None: there is none.
        without: globs of roles that no Hessian is collected for.
        network: what its numbers depend on besides tensors, as `network_facts` gives it.
    """

    about: About
    windows: tuple[Window, ...]
    hessian: bool = False
    merged: Calibration | None = None
    without: tuple[str, ...] = ()
    network: Facts = attrs.field(factory=dict)

    def facts(self) -> dict[str, object]:
        """All that the bytes of the file depend on, by name."""
        from fourcc import __version__

        return {
            "fourcc": __version__,
            "SIMD target": target_name(),
            "model": self.about.model,
            **self.network,
            "texts": [text.digest for text in self.about.texts],
            "names of texts": [text.name for text in self.about.texts],
            "tokens": self.about.tokens,
            "context": self.about.context,
            "windows": windows_digest(self.windows),
            "Hessians": self.hessian,
            "roles without Hessians": list(self.without),
            "merged calibration": None if self.merged is None else self.merged.digest,
        }

    def hessians_of(self, inputs: Iterable[Inputs]) -> frozenset[str]:
        """The first names of the inputs that Hessians are collected of."""
        return frozenset(each.names[0] for each in inputs if self.hessian and each.matrices == 1 and self._wants(each))

    def _wants(self, inputs: Inputs) -> bool:
        """Whether one of the matrices with these inputs has a role that Hessians are collected for."""
        return not all(any(fnmatchcase(role, glob) for glob in self.without) for role in roles_of(inputs))


def roles_of(inputs: Inputs) -> list[str]:
    """The roles of the matrices with these inputs."""
    return [role for name in inputs.names for role in roles(name)]


@attrs.frozen(eq=False)
class CollectingPlan:
    """The units of the work, and the places of everything in the file.

    Attributes:
        work: what is collected.
        batches: of the windows.
        layers: the inputs that are watched in each layer; the last are the classifier's.
        hessians: first names of the inputs that Hessians are collected of.
        layout: of the calibration file.
        shape: tokens of all windows, and columns of a state.
    """

    work: Work
    batches: tuple[Batch, ...]
    layers: tuple[tuple[Inputs, ...], ...]
    hessians: frozenset[str]
    layout: CalibrationLayout
    shape: tuple[int, int]

    @classmethod
    def of(cls, staged: StagedNetwork, work: Work) -> CollectingPlan:
        """The plan for a network."""
        layers = tuple(tuple(staged.inputs_of(number)) for number in range(staged.layers + 1))
        inputs = [each for some in layers for each in some]
        _refuse_idle(work, inputs)
        hessians = work.hessians_of(inputs)
        shape = (sum(len(window.tokens) for window in work.windows), staged.width)
        return cls(work, batches_of(work.windows), layers, hessians, lay_out(work.about, inputs, hessians), shape)

    @property
    def units(self) -> int:
        """Number of units of work."""
        return len(self.layers) * len(self.batches)

    @property
    def slot(self) -> int:
        """Bytes of the sums of a layer, of the layer that has most."""
        return max(sums_bytes(inputs, self.hessians) for inputs in self.layers)

    @property
    def nbytes(self) -> int:
        """Bytes of the file while it is written."""
        return self.layout.nbytes + 8 * self.shape[0] * self.shape[1] + 2 * self.slot

    def states(self, file: OffsetFile) -> WindowStates:
        """The states of the windows, in the file."""
        return WindowStates(file, self.layout.nbytes, self.shape)

    def sums(self, file: OffsetFile, layer: int) -> RunningSums:
        """The sums of a layer, in the file."""
        offset = self.layout.nbytes + 8 * self.shape[0] * self.shape[1]
        return RunningSums(file, offset, self.slot, self.layers[layer], self.hessians)

    def facts(self) -> dict[str, object]:
        """All that the bytes of the file depend on, by name."""
        return {**self.work.facts(), "units": self.units, "unit": "step"}

    def unit(self, index: int, done: Mapping[str, Record], room: int | None) -> LayerBatch:
        """A unit of the work, of which all units of the layer before are done; `room` is that of `passes_of`."""
        layer, batch = divmod(index, len(self.batches))
        before = done[self.key(index - len(self.batches))]["states"] if layer else None
        passes = passes_of(self.layers[layer], self.hessians, room)
        return LayerBatch(layer, self.batches[batch], passes, self.hessians, before)

    def key(self, index: int) -> str:
        """The name of a unit in the journal."""
        layer, batch = divmod(index, len(self.batches))
        return f"{self.stage(layer)}, batch {batch + 1} of {len(self.batches)}"

    def stage(self, layer: int) -> str:
        """The name of a layer for people."""
        return f"layer {layer}" if layer < len(self.layers) - 1 else "classifier"


def _refuse_idle(work: Work, inputs: Iterable[Inputs]) -> None:
    """Raises UsageError for a glob of roles that leaves out no Hessian."""
    known = {role for each in inputs if work.hessian and each.matrices == 1 for role in roles_of(each)}
    for glob in work.without:
        if not any(fnmatchcase(role, glob) for role in known):
            expected = ", ".join(sorted(known)) or "Hessians: add --hessian"
            raise UsageError(f"--no-feedback-for {glob!r} leaves out no Hessian", expected=expected)
