"""The speed of products with one of the model's own matrices in every format, measured turn by turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import prod
from statistics import median

import attrs

from fourcc.bench import machine, matrices
from fourcc.bench.plan import beyond_caches
from fourcc.bench.products import Rotation
from fourcc.bench.shootout.results import ProductSpeed
from fourcc.bench.timing import Timing
from fourcc.calibration.asked_options import spelled_option
from fourcc.encoding import encode
from fourcc.errors import FourccError
from fourcc.format import Aids
from fourcc.geometry import split_shape
from fourcc.naming import layer
from fourcc.plugins.firewall import behind_firewall
from fourcc.policy.asked_formats import TargetFormat
from fourcc.progress import Count
from fourcc.qmatrix import QMatrix
from fourcc.sources.source import SourceTensor
from fourcc.tiles import decoded_rows

MANY = 512  # activations of a product that calculation bounds
ROUNDS = 5
TURNS = 1 + ROUNDS  # of a format; the first encodes its matrix
REPEATS = 3  # runs of a sample; the fastest counts


def representative(tensors: Sequence[SourceTensor]) -> SourceTensor:
    """The tensor with the largest matrix of a layer, the first of equals; where there are no layers, of all."""
    layers = [each for each in tensors if layer(each.name) is not None]
    return max(layers or tensors, key=lambda each: prod(split_shape(each.shape)[1:]))


@attrs.frozen(eq=False)
class Contender:
    """A format's products; its copies of the matrix exist only while a sample is taken.

    Attributes:
        matrix: in the format.
        copies: number of copies that a product with one activation goes through in turn.
        threads: of the products.
        samples: seconds of one product, by the number of activations.
    """

    matrix: QMatrix
    copies: int
    threads: int
    samples: Mapping[int, list[float]] = attrs.field(factory=lambda: {1: [], MANY: []})

    def turn(self) -> None:
        """Takes a sample with one activation, from many copies, and one with many activations, from one copy."""
        for count, copies in ((1, self.copies), (MANY, 1)):
            some = matrices.copies(self.matrix, copies * self.matrix.nbytes)
            rotation = Rotation(some, count, self.threads)
            self.samples[count].append(min(_seconds(rotation.run) for _ in range(REPEATS)) / len(some))
            del some, rotation  # before the next format's are made

    def speed(self) -> ProductSpeed:
        """The speed by all samples so far."""
        rows, cols = self.matrix.shape
        single, many = (Timing(min(each), median(each), len(each)) for each in self.samples.values())
        return ProductSpeed(self.matrix.packed.kernel.level, self.matrix.nbytes, rows * cols, MANY, single, many)


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@attrs.frozen(eq=False)
class Race:
    """Products of several formats with one matrix.

    Attributes:
        tensor: the matrix, or the stack whose first one it is.
        weights: of all tensors of the model: a product with one activation goes through copies of as many weights, and
            at most through so many bytes that no cache holds them.
        threads: of the products.
    """

    tensor: SourceTensor
    weights: int
    threads: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the matrix."""
        _, rows, cols = split_shape(self.tensor.shape)
        return rows, cols

    @property
    def copies(self) -> int:
        """Number of copies, the same for every format."""
        most = beyond_caches(machine.last_level_cache()) // prod(self.shape)  # of formats of one byte per weight
        return max(1, min(self.weights // prod(self.shape), most))

    def run(self, formats: Sequence[TargetFormat], aids: Aids, count: Count) -> dict[str, ProductSpeed | str]:
        """The speed of each format by its spelling, or why there is none.

        Args:
            formats: have encoders, and what they need is among the aids.
            aids: calibration data of the tensor.
            count: called after every turn.
        """
        contenders: dict[str, Contender] = {}
        failed: dict[str, ProductSpeed | str] = {}
        for target in formats:
            tag = spelled_option(target)
            self._guarded(tag, partial(self._enter, target, aids.of_matrix(0), contenders), failed)
            count(tag, 1)
        for _ in range(ROUNDS):
            for tag, each in contenders.items():
                if tag not in failed:
                    self._guarded(tag, each.turn, failed)
                count(tag, 1)
        return {tag: failed.get(tag) or each.speed() for tag, each in contenders.items()} | failed

    def _enter(self, target: TargetFormat, aids: Aids, contenders: dict[str, Contender]) -> None:
        """Encodes the matrix: some of its rows, which the others repeat."""

        def encoded(count: int) -> QMatrix:
            rows = decoded_rows(self.tensor, self.tensor.format, 0, 0, count)
            return encode(rows, target.format.tag, target.params, target.options, aids=aids)

        matrix = matrices.matrix(target.format, *self.shape, encoded)
        contenders[spelled_option(target)] = Contender(matrix, self.copies, self.threads)

    def _guarded(self, tag: str, work: Callable[[], None], failed: dict[str, ProductSpeed | str]) -> None:
        """Does a format's work; whatever it raises becomes the reason why its speed is not known."""
        try:
            behind_firewall(work, f"the format {tag}")()
        except FourccError as error:
            failed[tag] = f"no speed: {error.what}" if error.found is None else f"no speed: {error.what}: {error.found}"
