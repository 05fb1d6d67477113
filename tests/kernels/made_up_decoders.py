"""Makes up block decoders, as text, from everything that they may say; and runs them in the four ways that there are.

Each step is tried on the stand-ins of a trace first. What they refuse is left out of the decoder, and kept apart: the
whole decoder must refuse it, too, and name its line.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fourcc.format import Array
from fourcc.kernels.compiler import jit
from fourcc.kernels.descriptors import address, empty
from fourcc.kernels.fusing.block_arrays import MatrixPart, decode_blocks
from fourcc.kernels.fusing.block_part import BlockPart
from fourcc.kernels.fusing.ir import LIMIT, Trace, UntraceableError
from fourcc.kernels.fusing.ir_ops import panel_operation
from fourcc.kernels.fusing.sources import TracedPart
from fourcc.kernels.fusing.tracer import stand_in, trace
from fourcc.kernels.fusing.values import Value
from fourcc.kernels.fusing.vectors import Vector
from fourcc.kernels.simd.memory import load_word
from tests.kernels.packed_bytes import LAYOUTS, unpacked
from tests.kernels.plain_numbers import NUMPY, Plain, PlainTable, PlainWeights, largest, least, single

ROWS = 16  # of a panel
ENTRIES = 4  # of a part
DTYPES = ("|u1", "|i1", "<u2", "<i2", "<u4", "<i4", "<f2", "<f4")
INTO = ("f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f8", "?")
WHOLE_NUMBERS = (0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 24, 27, 31, 32, 33, 63, 81, 255, 1000, 4095, 65535, 2**31 - 1)
INTEGERS = (*WHOLE_NUMBERS, *(-each for each in WHOLE_NUMBERS), 2**31, 2**32 - 1, 2**32, 2**40, 0x0F0F0F0F, 0x55555555)
SINGLES = ("0.0", "-0.0", "0.1", "0.5", "-1.5", "3.0", "1e-40", "1e30", "np.float32(0.7)", "-2147483648.0", "1e300")
SIZES = (1, 2, 3, 4, 5, 8, 13, 16, 17, 31, 32, 40, 64, 65, 128, 200)
_drawn = np.random.default_rng(0)
TABLES = {f"FLOATS_{size}": _drawn.standard_normal(size) for size in SIZES}
TABLES |= {f"WHOLES_{size}": _drawn.integers(-(2**31), 2**31, size) for size in SIZES}
TABLES |= {f"BYTES_{size}": _drawn.integers(0, 256, size).astype(np.uint8) for size in SIZES}
Draw = Callable[[Any, list[str]], str]  # (random, names of values) -> an expression


class NoValueError(Exception):
    """A step makes a plain number, or a vector of no entries."""


@dataclass
class Decoder:
    """A block decoder made up at random.

    Attributes:
        name: of its file.
        parts: in the order of its arguments, p0, p1, …
        blocks: that are decoded at once.
        lines: of its body.
        width: weights of a block.
        refused: lines that cannot be traced, each with the number of lines that precede it.
    """

    name: str
    parts: list[BlockPart]
    blocks: int
    lines: list[str] = field(default_factory=list)
    width: int = 0
    refused: list[tuple[str, int]] = field(default_factory=list)

    def text(self, lines: Sequence[str] | None = None) -> str:
        """The source."""
        names = ", ".join(f"p{index}" for index in range(len(self.parts)))
        body = "\n".join(f"    {line}" for line in (self.lines if lines is None else lines))
        return f"def decode({names}, weights):\n{body}\n"

    def function(self, lines: Sequence[str] | None = None, **named: object) -> Callable[..., None]:
        """The function; it names numpy and the tables, or what stands for them."""
        scope: dict[str, Any] = {"np": np, **TABLES, **named}
        exec(compile(self.text(lines), self.name, "exec"), scope)  # noqa: S102 - the text is ours
        return scope["decode"]  # type: ignore[no-any-return]  # is the function

    def traced(self, lines: Sequence[str] | None = None) -> Trace:
        """The trace of a unit of blocks."""
        parts = [part.traced(index) for index, part in enumerate(self.parts)]
        return trace(self.function(lines), parts, self.width, None, self.blocks)


# -- making up


def _two(pick: Any, names: list[str]) -> tuple[str, str]:
    """A value and a constant, in any order, or two values."""
    value = pick.choice(names)
    if pick.random() < 0.5:
        return value, pick.choice(names)
    number = pick.choice(SINGLES) if pick.random() < 0.2 else str(pick.choice(INTEGERS))
    if pick.random() < 0.05:
        number = str([pick.choice(INTEGERS) for _ in range(ENTRIES)])
    return (value, f"({number})") if pick.random() < 0.7 or number[0] == "[" else (f"({number})", value)


def _binary(pick: Any, names: list[str]) -> str:
    left, right = _two(pick, names)
    return f"{left} {pick.choice(['+', '-', '*', '/', '&', '|', '^', '+', '-', '*', '&'])} {right}"


def _compared(pick: Any, names: list[str]) -> str:
    left, right = _two(pick, names)
    return f"{left} {pick.choice(['<', '<=', '>', '>=', '==', '!='])} {right}"


def _shifted(pick: Any, names: list[str]) -> str:
    by = str(pick.randrange(-1, 34)) if pick.random() < 0.6 else f"({pick.choice(names)} & {pick.choice([3, 7, 31])})"
    return f"{pick.choice(names)} {pick.choice(['<<', '>>', '>>'])} {by}"


def _divided(pick: Any, names: list[str]) -> str:
    by = pick.choice([f"({pick.choice(INTEGERS)})", "3", "(-5)", "27", f"(({pick.choice(names)} & 15) + 1)"])
    by = pick.choice([by, by, f"(({pick.choice(names)} & 7) - 9)", pick.choice(names)])
    return f"{pick.choice([*names, '1000'])} {pick.choice(['//', '%'])} {by}"


def _raised(pick: Any, names: list[str]) -> str:
    return f"{pick.choice(names)} ** {pick.choice([0, 1, 2, 3, 5, 16, 17, -1])}"


def _of_one(pick: Any, names: list[str]) -> str:
    form = pick.choice(["-{}", "+{}", "~{}", "abs({})", "np.sign({})", "np.float32({})", "np.abs({})"])
    return str(form.format(pick.choice(names)))


def _cast(pick: Any, names: list[str]) -> str:
    return f"{pick.choice(names)}.astype({pick.choice(INTO)!r})"


def _chosen(pick: Any, names: list[str]) -> str:
    left, right = _two(pick, names)
    form = pick.choice(["np.where({0}, {1}, {2})", "min({1}, {2})", "max({1}, {2})", "np.minimum({1}, {2})"])
    form = pick.choice([form, "np.where({0} > {1}, {1}, {2})", "np.clip({0}, -7, 20)", "np.logical_and({0}, {1})"])
    return str(form.format(pick.choice(names), left, right))


def _looked_up(pick: Any, names: list[str]) -> str:
    table, value = pick.choice([*TABLES, "book", "book"]), pick.choice(names)
    size = pick.choice(SIZES)
    index = pick.choice([value, f"({value} & {size - 1})", f"({value} >> {pick.randrange(32)} & {size - 1})"])
    return f"{table}[{pick.choice([index, index, f'{index} - {pick.choice([1, size])}'])}]"


def _entry(pick: Any, names: list[str]) -> str:
    index = pick.choice(["0", "1", "-1", "3", ":2", "1:3", "::2", "::-1", "9"])
    return f"{pick.choice(names)}[{index}]"


def _of_vectors(pick: Any, names: list[str]) -> str:
    one, other = pick.choice(names), pick.choice(names)
    forms = [f"{one}.sum()", f"np.concatenate([{one}, {other}])[::2]", f"np.array([{one}[0], {other}, 1])"]
    return pick.choice(forms)


STEPS: tuple[Draw, ...] = (
    *(_binary,) * 6,
    *(_shifted,) * 2,
    *(_chosen,) * 2,
    *(_looked_up,) * 3,
    *(_divided,) * 2,
    *(_compared, _raised, _of_one, _of_one, _cast, _entry, _entry, _of_vectors),
)


def made_up(seed: int, count: int) -> Decoder:
    """A decoder of `count` steps."""
    pick = random.Random(seed)
    decoder = Decoder(f"made_up_{seed}.py", *_parts(pick))
    live, recorded = _stand_ins(decoder), Trace()
    live = {name: part.argument(recorded, 0) for name, part in live.items()}
    books = [name for name, part in zip(live, decoder.parts, strict=True) if part.covers == "matrix"]
    tried = 0
    while len(decoder.lines) < count and tried < 4 * count:
        tried += 1
        line = pick.choice(STEPS)(pick, list(live)).replace("book", pick.choice([*books, "FLOATS_8"]))
        name = f"v{len(decoder.lines)}"
        try:
            made = _tried(line, live, recorded)
        except NoValueError:
            continue
        except Exception:  # noqa: BLE001 - whatever it is, the whole decoder must say it
            decoder.refused.append((f"{name} = {line}", len(decoder.lines)))
            continue
        decoder.lines.append(f"{name} = {line}")
        live[name] = made
    _write_weights(pick, decoder, live, recorded)
    too_long = len(recorded.instructions) * decoder.blocks > LIMIT // 4  # it would take too long to compile
    return made_up(seed + 1_000_000, count) if too_long else decoder


def _parts(pick: Any) -> tuple[list[BlockPart], int]:
    """The parts, and blocks that fill whole bytes: two plain ones, and others of every kind."""
    layout = pick.choice(LAYOUTS)
    codes = pick.choice([1, 2, 4, 4, 4, 8])
    blocks = next((each for each in (1, 2, 3, 4, 5, 8, 16) if layout.is_whole(codes * each)), None)
    parts = [
        BlockPart("a", pick.choice(DTYPES), ENTRIES),
        BlockPart("b", pick.choice(DTYPES), pick.choice([1, ENTRIES])),
    ]
    if blocks is None:
        codes, layout, blocks = ENTRIES, LAYOUTS[1], pick.choice([1, 2])
    parts.append(BlockPart("codes", "|u1", codes, packing=layout))
    parts.append(BlockPart("scale", pick.choice(DTYPES), 1, pick.choice(["block", "row", "matrix"]), scalar=True))
    parts.append(BlockPart("ends", pick.choice(DTYPES), 2, "row"))
    parts.append(BlockPart("book", pick.choice(DTYPES), pick.choice(SIZES), "matrix"))
    pick.shuffle(parts)
    return parts, blocks


def _stand_ins(decoder: Decoder) -> dict[str, Any]:
    made = {f"p{index}": part.traced(index) for index, part in enumerate(decoder.parts)}
    assert all(isinstance(each, TracedPart) for each in made.values())
    return made


def _tried(line: str, live: dict[str, Any], recorded: Trace) -> Any:
    """The result of a step on stand-ins."""
    scope: dict[str, Any] = {"np": np, **TABLES}
    exec(f"def step({', '.join(live)}):\n    return {line}", scope)  # noqa: S102 - the text is ours
    made = stand_in(scope["step"], recorded).function(*live.values())
    if not isinstance(made, (Value, Vector)) or (isinstance(made, Vector) and not len(made)):
        raise NoValueError
    return made


def _write_weights(pick: Any, decoder: Decoder, live: dict[str, Any], recorded: Trace) -> None:
    """Lines that make weights of all values that can be."""
    for name, value in live.items():
        try:
            _tried(f"np.float32({name})", live, recorded)
        except UntraceableError:  # such as an integer of more than 32 bits
            continue
        at = decoder.width
        count = len(value) if isinstance(value, Vector) else 0
        if not count:
            decoder.lines.append(f"weights[{at}] = {name}")
        elif pick.random() < 0.5:
            decoder.lines.append(f"weights[{at}:{at + count}] = {name}")
        else:
            decoder.lines.append(f"for k in range({count}): weights[{at} + k] = {name}[k]")
        if pick.random() < 0.1:
            decoder.lines.append(f"weights[{at}] += 1.5")
        decoder.width += max(count, 1)


# -- running


def stored(decoder: Decoder, seed: int) -> list[Array]:
    """Random bytes of each part of a unit: uint8 (rows, bytes); of the matrix (1, bytes)."""
    drawn = np.random.default_rng(seed)
    units = [part.of(decoder.blocks) for part in decoder.parts]
    rows = [1 if part.covers == "matrix" else ROWS for part in units]
    return [drawn.integers(0, 256, (n, part.nbytes), np.uint8) for n, part in zip(rows, units, strict=True)]


def entries(part: BlockPart, raw: Array, blocks: int) -> Array:
    """The entries of each block: (entries, rows * blocks); of the matrix (entries,)."""
    assert isinstance(part.dtype, str)
    repeats = blocks if part.covers == "block" else 1
    if part.packing is None:
        numbers = np.ascontiguousarray(raw).view(part.dtype)
    else:
        numbers = unpacked(raw, part.count * repeats, part.packing)
    if part.covers == "matrix":
        return numbers[0]
    numbers = numbers.reshape(len(raw), repeats, -1).repeat(blocks // repeats, axis=1)  # (rows, blocks, entries)
    return np.moveaxis(numbers, -1, 0).reshape(part.count, -1)


def derived(decoder: Decoder, raw: list[Array]) -> Array:
    """Weights (width, rows * blocks) by arrays of blocks."""
    arguments: list[Any] = []
    for part, stored_bytes in zip(decoder.parts, raw, strict=True):
        numbers = entries(part, stored_bytes, decoder.blocks)
        numbers = numbers[0] if part.scalar else numbers
        arguments.append(MatrixPart(numbers) if part.covers == "matrix" else numbers)
    return decode_blocks(decoder.function(), arguments, decoder.width, None, ROWS * decoder.blocks)


def in_plain_python(decoder: Decoder, raw: list[Array], only: Sequence[int]) -> Array:
    """Weights (width, len(only)) of some blocks, one by one."""
    tables = {name: PlainTable(values) for name, values in TABLES.items()}
    function = decoder.function(np=NUMPY, min=least, max=largest, **tables)
    columns = []
    for block in only:
        arguments: list[Any] = []
        for part, stored_bytes in zip(decoder.parts, raw, strict=True):
            numbers = entries(part, stored_bytes, decoder.blocks)
            argument = PlainTable(numbers if part.covers == "matrix" else numbers[:, block])
            arguments.append(Plain(argument.value[0]) if part.scalar else argument)
        weights = PlainWeights(decoder.width)
        with np.errstate(all="ignore"):
            function(*arguments, weights)
        columns.append([single(each) for each in weights.values])
    return np.array(columns, np.float32).T


class Memory:
    """The bytes of a unit as kernels find them, and room for its weights."""

    def __init__(self, decoder: Decoder, raw: list[Array]) -> None:
        self._kept: list[Array] = []
        self.pointers = np.zeros(2 * len(raw), np.int64)
        for index, (part, stored_bytes) in enumerate(zip(decoder.parts, raw, strict=True)):
            if part.covers == "matrix":
                self.pointers[index] = self._keep(stored_bytes)
                self.pointers[len(raw) + index] = self._keep(self._widened(part, stored_bytes))
            else:
                words = np.zeros((ROWS, stored_bytes.shape[1] // 4 * 4 + 8), np.uint8)
                words[:, : stored_bytes.shape[1]] = stored_bytes
                self.pointers[index] = self._keep(words.view("<u4").T)
        self.out = empty(decoder.width * decoder.blocks * ROWS, "<f4").reshape(-1, ROWS)

    def _keep(self, array: Array) -> int:
        self._kept.append(np.ascontiguousarray(array))
        return address(self._kept[-1])

    @staticmethod
    def _widened(part: BlockPart, raw: Array) -> Array:
        numbers = raw.view(part.dtype)[0]
        kind = np.float32 if numbers.dtype.kind == "f" else np.uint32 if numbers.dtype == np.uint32 else np.int32
        wide = np.zeros(-(-len(numbers) // 16) * 16, kind)
        with np.errstate(invalid="ignore"):
            wide[: len(numbers)] = numbers
        return wide

    def weights(self, decoder: Decoder) -> Array:
        """The weights that were written: (width, rows * blocks)."""
        return np.moveaxis(self.out.reshape(decoder.blocks, -1, ROWS), 0, -1).reshape(decoder.width, -1)


def strides(decoder: Decoder) -> list[int]:
    """Bytes from one unit to the next of each part."""
    return [part.of(decoder.blocks).stride for part in decoder.parts]


def by_instructions(decoder: Decoder, made: Trace, raw: list[Array]) -> Array:
    """Weights (width, rows * blocks) by the instructions of a trace, in Python."""
    memory = Memory(decoder, raw)
    panel_operation(made, strides(decoder))(address(memory.pointers), 0, address(memory.out))
    return memory.weights(decoder)


def by_machine_code(decoders: Sequence[Decoder], raws: Sequence[list[Array]]) -> list[Array]:
    """Weights of several decoders by machine code, all in one kernel."""
    memories = [Memory(decoder, raw) for decoder, raw in zip(decoders, raws, strict=True)]
    scope: dict[str, Any] = {"load_word": load_word}
    lines = ["def run(weights, job, first, last, scratch):"]
    for index, decoder in enumerate(decoders):
        scope[f"write_{index}"] = panel_operation(decoder.traced(), strides(decoder))
        lines.append(f"    write_{index}(load_word(weights + {8 * index}), first, load_word(job + {8 * index}))")
    exec("\n".join(lines), scope)  # noqa: S102 - the text is ours
    scope["run"].__module__ = "made_up_decoders"
    sources = np.array([address(each.pointers) for each in memories], np.int64)
    outs = np.array([address(each.out) for each in memories], np.int64)
    jit.compiled(scope["run"])(address(sources), address(outs), 0, 0, 0)
    return [memory.weights(decoder) for memory, decoder in zip(memories, decoders, strict=True)]
