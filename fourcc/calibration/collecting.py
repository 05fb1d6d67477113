"""Collecting statistics of a model's inputs: all windows of a text go through the network together, layer by layer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import numpy as np

from fourcc.calibration.hessians import HessianSums
from fourcc.calibration.layout import About, CalibrationLayout, lay_out
from fourcc.calibration.partial_file import PartialFile
from fourcc.calibration.statistics import InputStatistics
from fourcc.errors import InputError, UsageError
from fourcc.files.write import check_space
from fourcc.models.staged import StagedNetwork
from fourcc.progress import OnProgress, counter

if TYPE_CHECKING:
    from fourcc.arrays import Floats
    from fourcc.calibration.calibration import Calibration
    from fourcc.models.transformer import Transformer
    from fourcc.models.weights import Inputs
    from fourcc.models.windows import Window

DIGEST_BYTES = 16


@attrs.frozen(eq=False)
class Work:
    """The work of a calibration.

    Attributes:
        about: what is known of the result before it is collected.
        windows: runs of tokens, each of which begins at position 0.
        hessian: whether Hessians are collected, too.
        merged: a calibration that is added; its About is part of ours already. None: there is none.
    """

    about: About
    windows: tuple[Window, ...]
    hessian: bool = False
    merged: Calibration | None = None

    def digest(self, head: bytes) -> bytes:
        """Tells this work from any other: the file's head, the tokens of each window, what is added."""
        digest = hashlib.blake2b(head, digest_size=DIGEST_BYTES)
        for window in self.windows:
            digest.update(np.array([len(window.tokens), *window.tokens], "<i8").tobytes())
        if self.merged is not None:
            digest.update(bytes.fromhex(self.merged.digest))
        return digest.digest()


def collect(
    network: Transformer, work: Work, target: Path, *, resume: bool = False, progress: OnProgress | None = None
) -> int:
    """Collects statistics, and writes the calibration.

    The states of all windows are in memory at once: tokens times the model's width times 4 bytes; and of one layer at a
    time the statistics, with Hessians 12 bytes for each pair of columns of its matrices.

    Args:
        network: the model.
        work: what to collect.
        target: the path from `check_target`.
        resume: whether to go on where such work was interrupted.
        progress: called with tokens times layers, after each window.

    Returns:
        Number of layers that were done before.

    Raises:
        InputError: an activation is not finite.
        UsageError: a calibration that is merged has other matrices.
        OutputError: the file cannot be written.
    """
    staged = StagedNetwork(network)
    layers = [staged.inputs_of(number) for number in range(staged.layers + 1)]
    layout = lay_out(work.about, [each for inputs in layers for each in inputs], hessian=work.hessian)
    shape = (sum(len(window.tokens) for window in work.windows), staged.width)
    check_space(target, layout.nbytes + 8 * shape[0] * shape[1])
    digest = work.digest(layout.head)
    with PartialFile(target, layout.nbytes, digest, shape, resume=resume) as out:
        out.write_at(0, layout.head)
        run = _Run(staged, work, layout, out, counter(shape[0] * (len(layers) - out.done), progress), network.threads)
        states = out.states() if out.done else run.embedded()
        for number in range(out.done, len(layers)):
            states = run.layer(number, layers[number], states)
        out.write_at(*layout.checksums(out.read_at))
        return out.done


@attrs.frozen(eq=False)
class _Run:
    """The parts that a run over the layers needs."""

    staged: StagedNetwork
    work: Work
    layout: CalibrationLayout
    out: PartialFile
    report: Callable[[str, int], None]
    threads: int

    def embedded(self) -> Floats:
        """The states of all windows before the first layer, float32 (tokens, width)."""
        return np.concatenate([self.staged.embed(window.tokens) for window in self.work.windows])

    def layer(self, number: int, inputs: Sequence[Inputs], states: Floats) -> Floats:
        """Collects and writes a layer's statistics; returns the states after it, in the same array."""
        collector = Collector(inputs, self.threads, hessian=self.work.hessian)
        first = 0
        for index, window in enumerate(self.work.windows):
            some = slice(first, first + len(window.tokens))
            observe = partial(collector.observe, index)
            if number == self.staged.layers:
                self.staged.logits(states[some], observe=observe)
            else:
                states[some] = self.staged.layer(number, states[some], observe=observe)
            first = some.stop
            self.report(f"layer {number}" if number < self.staged.layers else "classifier", len(window.tokens))
        self._write(inputs, collector)
        if number < self.staged.layers:
            self.out.mark(number + 1, states)
        return states

    def _write(self, inputs: Sequence[Inputs], collector: Collector) -> None:
        for each in inputs:
            statistics, hessian = collector.result(each)
            if self.work.merged is not None:
                statistics, hessian = merged(self.work.merged, each, statistics, hessian)
            for offset, data in self.layout.pieces(each, statistics, hessian):
                self.out.write_at(offset, data)


class Collector:
    """Collects statistics of the inputs of some matrices, and of each matrix of a stack.

    Args:
        inputs: the inputs.
        threads: number of threads.
        hessian: whether to collect Hessians, too; none of stacks, each matrix of which would have one.
    """

    def __init__(self, inputs: Sequence[Inputs], threads: int, *, hessian: bool) -> None:
        self._statistics = {each.names: InputStatistics.empty(each.cols, each.matrices) for each in inputs}
        alone = [each for each in inputs if hessian and each.matrices == 1]
        self._hessians = {each.names: HessianSums(each.cols, threads) for each in alone}

    def observe(self, window: int, names: tuple[str, ...], x: Floats, matrix: int = 0) -> None:
        """Adds inputs that some matrices share, float32 (tokens, cols), or a matrix of each of some stacks.

        Raises:
            InputError: one is not finite; the message has the window's number.
        """
        finite = np.isfinite(x)
        if not finite.all():
            found = f"{x[~finite][0]} in window {window + 1}"
            what, hint = "the inputs of this matrix are not finite", "The model overflows, or its weights are damaged."
            raise InputError(what, tensor=names[0], found=found, expected="numbers", hint=hint)
        self._statistics[names].add(x, matrix)
        if names in self._hessians:
            self._hessians[names].add(x)

    def result(self, inputs: Inputs) -> tuple[InputStatistics, Floats | None]:
        """The statistics of some inputs, and their Hessian."""
        statistics, hessian = self._statistics[inputs.names], self._hessians.get(inputs.names)
        return statistics, None if hessian is None else hessian.mean(int(statistics.counts[0]))


def merged(
    other: Calibration, inputs: Inputs, statistics: InputStatistics, hessian: Floats | None
) -> tuple[InputStatistics, Floats | None]:
    """Statistics and Hessian of some inputs together with those of another calibration.

    Raises:
        UsageError: it has none, or of other columns; or only one of both has Hessians.
    """
    name = inputs.names[0]
    theirs, their_hessian = other.of(name), other.hessian(name)
    if theirs is None or theirs.squares.shape != statistics.squares.shape or theirs.magnitudes is None:
        found = "none" if theirs is None else f"those of {theirs.squares.shape}"
        what, expected = "statistics cannot be merged", f"those of {statistics.squares.shape}, with ranges"
        raise UsageError(what, file=other.path, tensor=name, found=found, expected=expected)
    both = statistics.merged(theirs)
    if (hessian is None) != (their_hessian is None):
        what = f"the calibration to merge has {'no ' * (their_hessian is None)}Hessians"
        raise UsageError(what, file=other.path, tensor=name, hint="Make both with --hessian, or none.")
    if hessian is None or their_hessian is None:
        return both, None
    ours, others, total = int(statistics.counts[0]), int(theirs.counts[0]), int(both.counts[0])
    sums = hessian.astype(np.float64) * ours + their_hessian.astype(np.float64) * others
    return both, (sums / max(1, total)).astype(np.float32)
