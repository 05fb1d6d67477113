"""The subject of an examination: a format with settings, suitable weights and shapes, and its import target."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import attrs
import numpy as np

from fourcc.arrays import Array, Parts
from fourcc.dtypes import numpy_dtype
from fourcc.encoding import encode
from fourcc.errors import PluginError
from fourcc.format import Aids, Format
from fourcc.geometry import Geometry, split_shape
from fourcc.matrix_encoder import MatrixEncoder
from fourcc.plugins.entries import OWN
from fourcc.plugins.registry import registry
from fourcc.qmatrix import QMatrix
from fourcc.settings import Params, Setting, complete
from fourcc.testing.finding import attempt
from fourcc.testing.weights import described

MOST_VALUES = 3  # values of a setting that are tried beside its default


@attrs.frozen(kw_only=True, eq=False)
class Subject:
    """A format under examination.

    Attributes:
        format: the format.
        params: complete parameters of the layout.
        options: complete options of the encoder.
        vectors: the file of its stored bytes, or None.
        target: ``module:attribute``, for other processes; None where it cannot be imported by name.
    """

    format: Format
    params: Params = attrs.field(factory=dict)
    options: Params = attrs.field(factory=dict)
    vectors: Path | None = None
    target: str | None = None

    @classmethod
    def of(
        cls,
        fmt: Format,
        *,
        params: Params | None = None,
        options: Params | None = None,
        vectors: Path | None = None,
        target: str | None = None,
    ) -> Subject:
        """A subject with its settings complete.

        Args:
            fmt: the format.
            params: parameters of the layout; absent ones have their defaults.
            options: options of the encoder; absent ones have their defaults.
            vectors: the file of its stored bytes; None: ``vectors/<tag>.json`` beside its module, where there is one.
            target: ``module:attribute``; None: it is searched for.

        Raises:
            ValueError: the format has no such setting, or does not allow the value.
        """
        target = target or _target(fmt)
        return cls(
            format=fmt,
            params=complete(fmt.params, params or {}),
            options=complete(fmt.options, options or {}),
            vectors=vectors or _vectors_beside(fmt),
            target=target,
        )

    @property
    def tag(self) -> str:
        """The format's tag."""
        return str(self.format.tag)

    @property
    def width(self) -> int:
        """Columns of a block; 32 where a block is a whole row."""
        return self.format.width(self.params) or 32

    def installed(self) -> AbstractContextManager[Format]:
        """A context in which the registry has the format. Raises PluginError as `Registry.trying` does."""
        with contextlib.suppress(PluginError):
            if registry[self.format.tag] is self.format:
                return contextlib.nullcontext(self.format)
        return registry.trying(self.format)

    def variants(self) -> Iterator[Subject]:
        """The subject; then copies in which one setting has another choice, or its least or greatest value."""
        yield self
        for setting in self.format.params:
            for value in _others(setting, self.params[setting.name]):
                yield attrs.evolve(self, params={**self.params, setting.name: value})
        for setting in self.format.options:
            for value in _others(setting, self.options[setting.name]):
                yield attrs.evolve(self, options={**self.options, setting.name: value})

    def settled(self) -> str:
        """The settings, for a finding; empty where there are none."""
        pairs = [f"{name} = {value}" for name, value in {**self.params, **self.options}.items()]
        return f" with {', '.join(pairs)}" if pairs else ""

    # -- shapes

    def shapes(self) -> list[tuple[int, ...]]:
        """Shapes of every kind that the format takes: one row, one column, none, short last blocks, experts."""
        wide, tall = self.width, self.format.block[0] or 5
        wide = min(wide, 4096)
        shapes: list[tuple[int, ...]] = [
            *((rows, cols) for rows in (3, 1) for cols in (2 * wide, wide + 1, max(1, 3 * wide - 1), wide, 1)),
            *((rows, max(32, wide)) for rows in (tall, tall + 1, 2 * tall + 1)),
            (2, 257),
            (131, 1),
            (wide,),
            (5,),
            (),
            (2, 3, 4, max(32, wide)),
            (0, wide),
            (2, 0),
        ]
        fit = [shape for shape in dict.fromkeys(shapes) if self.format.misfit(shape, self.params) is None]
        return fit or [(2, wide)]

    def matrices(self) -> list[tuple[int, int]]:
        """The shapes of two dimensions that are not empty."""
        return [(shape[0], shape[1]) for shape in self.shapes() if len(shape) == 2 and shape[0] and shape[1]]

    def plain_shape(self, rows: int = 5) -> tuple[int, int]:
        """A matrix of three blocks along a row, the last one short where the format stores short blocks."""
        wide = max(1, min(self.width, 1024))
        cols = 3 * wide if wide >= 32 else -(-96 // wide) * wide
        return (rows, cols - wide // 2) if self.format.short_block and wide > 1 else (rows, cols)

    # -- calls into the format

    def aids(self, shape: tuple[int, ...]) -> Aids:
        """Made-up calibration data, as far as the format asks for them."""
        if not self.format.needs:  # a Hessian takes longer than encoding
            return Aids()
        cols = split_shape(shape)[2]
        importance = (1 + np.arange(cols) % 7).astype(np.float32)
        x = np.random.default_rng(5).standard_normal((cols + 8, cols))
        hessian = (x.T @ x / len(x)).astype(np.float32)
        return Aids(importance, hessian).restricted(self.format.needs)

    def encoder(self, shape: tuple[int, int]) -> MatrixEncoder:
        """An encoder for the tiles of one matrix."""
        geom = Geometry(*shape, self.params)
        return MatrixEncoder(self.format, geom, self.options, self.aids(shape))

    def encode(self, w: Array, what: str = "") -> QMatrix:
        """A tensor in the format.

        Args:
            w: the weights.
            what: a description of the weights, for a finding.

        Raises:
            FoundError: the tensor could not be encoded.
        """
        tried = f"encode{self.settled()} {described(w, what)}"
        return attempt(lambda: self.encoded(w), tried=tried, cause=self.trouble(w.shape))

    def encoded(self, w: Array) -> QMatrix:
        """A tensor in the format; exceptions are let through."""
        return encode(w, self.format.tag, self.params, self.options, aids=self.aids(w.shape))

    def decode(self, matrix: QMatrix, tried: str) -> Array:
        """A tensor's weights. Raises FoundError where it cannot be decoded."""
        return attempt(matrix.decode, tried=f"decode what came of: {tried}", cause=self.trouble(matrix.shape))

    def roundtrip(self, w: Array, what: str = "") -> Array:
        """Weights encoded and decoded again. Raises FoundError as `encode` and `decode` do."""
        return self.decode(self.encode(w, what), f"encode{self.settled()} {described(w, what)}")

    def random_parts(self, shape: tuple[int, int], seed: int) -> Parts:
        """Parts of random bytes, such as no encoder gives."""
        return random_parts(self.format, Geometry(*shape, self.params), seed)

    def trouble(self, shape: tuple[int, ...]) -> str:
        """The special property of a shape, as a likely cause of a failure; empty where it has none."""
        _, rows, cols = split_shape(shape)
        wide, tall = self.format.width(self.params), self.format.block[0]
        if wide is not None and cols % wide:
            return f"the last block is short: {cols % wide} of {wide} columns"
        if tall is not None and rows % tall:
            return f"the last block has {rows % tall} of {tall} rows"
        return ""


def random_parts(fmt: Format, geom: Geometry, seed: int) -> dict[str, Array]:
    """Parts of random bytes for a matrix, read-only; parts of variable length have a random length."""
    random = np.random.default_rng(seed)
    parts = {}
    for part in fmt.parts:
        shape, dtype = part.shape(geom), numpy_dtype(part.dtype)
        if part.variable:
            shape = (int(random.integers(0, 64)),)
        data = random.bytes(int(np.prod(shape)) * dtype.itemsize)
        parts[part.name] = np.frombuffer(data, dtype).reshape(shape)
    return parts


def nothing_encodes(subject: Subject) -> str | None:
    """Why a check that encodes is skipped; None where it is not."""
    return "the format has no encoder" if subject.format.encode is None else None


def nothing_imports(subject: Subject) -> str | None:
    """Why a check in another process does not apply."""
    return (
        "the format is no attribute of a module, so that no other process finds it" * (subject.target is None) or None
    )


def _others(setting: Setting, taken: object) -> Sequence[object]:
    """Other values of a setting that are worth trying."""
    if isinstance(setting.default, bool):
        return [not taken]
    values = [*setting.choices] or [bound for bound in (setting.low, setting.high) if bound is not None]
    if type(setting.default) is int:
        values = [int(value) for value in values if abs(float(value)) <= 1024]
    return [value for value in values if value != taken][:MOST_VALUES]


def _target(fmt: Format) -> str | None:
    """The format's ``module:attribute``: its entry point's, where it is installed; None where it has none."""
    with contextlib.suppress(PluginError):
        if registry[fmt.tag] is fmt and ":" in registry.entry(fmt.tag).target:
            target = registry.entry(fmt.tag).target
            if importable(target, fmt):
                return target
    for name in _homes(fmt):
        for attribute, value in vars(sys.modules[name]).items() if name != "__main__" else ():
            if value is fmt:
                return f"{name}:{attribute}"
    return None


def _homes(fmt: Format) -> list[str]:
    """The modules of a format's own functions."""
    functions = [fmt.encode, fmt.decode_block, *([] if fmt.derived else [fmt.decode])]
    names = [getattr(function, "__module__", None) or "" for function in functions]
    return [name for name in dict.fromkeys(names) if name in sys.modules]


def importable(target: str, fmt: Format) -> bool:
    """Whether ``module:attribute`` is this very object."""
    module, _, attribute = target.partition(":")
    return getattr(sys.modules.get(module), attribute, None) is fmt


def _vectors_beside(fmt: Format) -> Path | None:
    """``vectors/<tag in lower case>.json`` beside the format's module, or in a checkout's specs, where there is one."""
    home = next((file for name in _homes(fmt) if (file := getattr(sys.modules[name], "__file__", None))), None)
    if home is None:
        return None
    name = f"{str(fmt.tag).lower()}.json"
    folder = Path(home).resolve().parent
    places = (folder / "vectors" / name, folder.parent / "specs" / "vectors" / name)
    return next((path for path in places if path.is_file()), None)


def is_own(subject: Subject) -> bool:
    """Whether the format is one of fourcc's own."""
    try:
        return registry.entry(subject.format.tag).distribution == OWN
    except PluginError:
        return False
