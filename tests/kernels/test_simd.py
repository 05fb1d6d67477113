"""Every operation on vectors does to memory, compiled, what its meaning in Python does."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from fourcc.arrays import Array
from fourcc.kernels import simd
from fourcc.kernels.compiler import jit
from fourcc.kernels.descriptors import address
from fourcc.kernels.simd import arithmetic, double_tiles, memory, tiles
from fourcc.kernels.simd import transpose as transposing
from fourcc.kernels.simd.atomic import add_shared, call_kernel, load_shared, relax, swap_shared
from fourcc.kernels.simd.double_tiles import less_products, load_double_columns
from fourcc.kernels.simd.elementary import rounded_exponential
from fourcc.kernels.simd.memory import (
    load_bytes,
    load_double,
    load_doubles,
    load_float,
    load_floats,
    load_ints,
    load_word,
    store,
    store_double,
    store_float,
    store_word,
)
from fourcc.kernels.simd.operation import (
    BYTES,
    DOUBLE,
    DOUBLES,
    FLOAT,
    FLOATS,
    INTEGER,
    INTS,
    NOTHING,
    OperandKind,
    Operation,
)
from fourcc.kernels.simd.target import target
from fourcc.kernels.simd.tiles import (
    dot_columns,
    halve_columns,
    multiply_add_columns,
    multiply_add_pairs,
    multiply_add_runs,
    no_float_columns,
    no_int_columns,
    row_products,
    scale_columns,
    store_column_sums,
    store_columns,
    store_some_columns,
)
from fourcc.kernels.simd.transpose import transpose, transpose_codes

Function = Callable[..., Any]
Case = tuple[str, Operation, tuple[OperandKind, ...]]

# Where things are in a test's memory.
SLOT = 64  # bytes of an argument
ARENA, RESULT, SIZE = 1024, 8192, 12288
ROUNDS = 25

# Of operations that take any kind.
ANY: dict[str, tuple[OperandKind, ...]] = {
    "add": (FLOATS, DOUBLES, INTS),
    "subtract": (FLOATS, DOUBLES, INTS),
    "multiply": (FLOATS, DOUBLES, INTS),
    "divide": (FLOATS, DOUBLES),
    "multiply_add": (FLOATS, DOUBLES),
    "absolute": (FLOATS, DOUBLES),
    "larger": (FLOATS, DOUBLES),
    "smaller": (FLOATS, DOUBLES),
    "largest": (FLOATS, DOUBLES),
    "store": (FLOATS, DOUBLES, INTS, BYTES),
}
ROUNDED_TWICE = {"multiply_add", "scaled_dot"}  # or once, as the machine can
APPROXIMATE = {"exponential": 4, "rounded_exponential": 1, "tanh": 4, "erf": 4}  # units in the last place
UNSIGNED_ZERO = {"larger", "smaller", "largest", "largest_double"}  # of 0 and -0 either will do


def operations() -> Iterator[tuple[str, Operation]]:
    """All operations of the package, those in tables included, by name."""
    seen = set()
    for module in pkgutil.iter_modules(simd.__path__):
        for name, value in vars(importlib.import_module(f"{simd.__name__}.{module.name}")).items():
            for key, each in value.items() if isinstance(value, dict) else [("", value)]:
                if isinstance(each, Operation) and id(each) not in seen:
                    seen.add(id(each))
                    yield f"{name}{key}", each


ALL = dict(operations())
OF_TILES = {tiles.__name__, double_tiles.__name__, transposing.__name__}
TILES = {name for name, each in ALL.items() if each.meaning.__module__ in OF_TILES}


def cases() -> Iterator[Case]:
    """Operations on vectors and scalars, once for every kind that they take."""
    for name, each in ALL.items():
        count = len(inspect.signature(each.meaning).parameters)
        if name in TILES or name == "call_kernel":
            continue
        if each.takes is not None:
            yield name, each, each.takes
        else:
            for kind in ANY[name]:
                yield f"{name} {kind}", each, (INTEGER, kind) if name == "store" else (kind,) * count


# -- kernels of one operation: arguments from slots, the result beside them


LOADS: dict[OperandKind, Operation] = {
    INTEGER: load_word,
    FLOAT: load_float,
    DOUBLE: load_double,
    FLOATS: load_floats,
    DOUBLES: load_doubles,
    INTS: load_ints,
    BYTES: load_bytes,
}


def drop(at: int, value: object) -> None:
    """Stands for the store of an operation without a result."""


STORES: dict[OperandKind, Function] = {INTEGER: store_word, FLOAT: store_float, DOUBLE: store_double, NOTHING: drop}


def nullary(keep: Function, operation: Operation) -> jit.KernelFunction:
    """(slots, result, …) runs an operation once."""

    def run(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        keep(job, operation())

    return run


def unary(keep: Function, operation: Operation, a: Operation) -> jit.KernelFunction:
    """The kernel of an operation with one argument."""

    def run(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        keep(job, operation(a(weights)))

    return run


def binary(keep: Function, operation: Operation, a: Operation, b: Operation) -> jit.KernelFunction:
    """The kernel of an operation with two arguments."""

    def run(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        keep(job, operation(a(weights), b(weights + 64)))

    return run


def ternary(keep: Function, operation: Operation, a: Operation, b: Operation, c: Operation) -> jit.KernelFunction:
    """The kernel of an operation with three arguments."""

    def run(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        keep(job, operation(a(weights), b(weights + 64), c(weights + 128)))

    return run


def quaternary(keep: Function, operation: Operation, *loads: Operation) -> jit.KernelFunction:
    """The kernel of an operation with four arguments."""
    a, b, c, d = loads

    def run(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        keep(job, operation(a(weights), b(weights + 64), c(weights + 128), d(weights + 192)))

    return run


def kernel_of(operation: Operation, kinds: tuple[OperandKind, ...]) -> jit.KernelFunction:
    """The kernel that runs an operation on the contents of its slots."""
    result = operation.result(kinds)
    assert result is not None
    make = (nullary, unary, binary, ternary, quaternary)[len(kinds)]
    return make(STORES.get(result, store), operation, *(LOADS[kind] for kind in kinds))


# -- arguments


COUNTS = {"load_some_bytes": 64, "load_some_ints": 64, "load_some_nibble_pairs": 8, "load_some_bytes_as_doubles": 8}
DTYPES = {"f32": np.float32, "f64": np.float64, "i32": np.int32, "i8": np.int8, "i64": np.int64}


def floats(random: np.random.Generator, count: int, kind: type) -> Array:
    """Floats of every magnitude: zeros, denormals, ties of narrower formats, the largest."""
    narrow = random.integers(0, 2**16, count).astype(np.uint16).view(np.float16).astype(kind)
    choices = [
        random.standard_normal(count),
        np.ldexp(random.standard_normal(count), random.integers(-150, 128, count)),
        np.where(np.isnan(narrow), 1, narrow) * (1 + 2**-11),
        random.integers(-9, 9, count) / 2,
        random.choice([0, -0.0, 1, 65504, 65520, 2.0**-24, 2.0**-25, 3 * 2.0**-26, 2.0**-149, 3e38, np.inf], count),
    ]
    return np.choose(random.integers(len(choices), size=count), choices).astype(kind)


def argument(random: np.random.Generator, name: str, parameter: str, kind: OperandKind, base: int) -> Array:  # noqa: PLR0911 - a kind a line
    """One argument of an operation."""
    count = max(1, kind.lanes)
    dtype = DTYPES[kind.element]
    if parameter in {"address", "low", "high", "source", "out"} and kind == INTEGER:
        at = int(base + ARENA + random.integers(0, 2048))
        return np.array([at & -8 if name.endswith("_shared") else at])  # an unaligned one kills the process on ARM
    if parameter == "count" and kind == INTEGER:
        first, last = 0, COUNTS.get(name, 16)
        return np.array([random.integers(first, last + 1)])
    if parameter in {"bits", "stride", "pair"}:
        return np.array([random.integers(*{"bits": (0, 32), "stride": (1, 80), "pair": (0, 8)}[parameter])])
    if name in {"store_as_bytes", "store_nearest_bytes", "store_some_nearest_bytes", "rounded", "ints_from_floats"}:
        spread = {"rounded": 2.0**22 - 1, "ints_from_floats": 2.0**31 - 128}.get(name, 127)
        values = random.uniform(-spread, spread, count) * random.choice([1, 2.0**-18], count)
        values = np.where(random.random(count) < 0.3, np.trunc(values) + 0.5, values)
        return (np.trunc(values) if name == "store_as_bytes" else np.clip(values, -spread, spread)).astype(dtype)
    if name == "larger_of_positive":  # its domain: +0 upwards, and minus infinity
        return np.where(random.random(count) < 0.1, -np.inf, np.abs(floats(random, count, dtype))).astype(dtype)
    if name == "store_nibble_pairs" and kind == INTS:
        return random.integers(0, 16, count).astype(dtype)
    if kind == BYTES:
        return random.integers(-127 if parameter == "x" else -128, 128, count).astype(dtype)
    if kind.element.startswith("i"):
        return random.integers(-(2**31), 2**31, count).astype(dtype)
    if parameter in {"magnitude", "bound"}:
        return np.abs(random.integers(-9, 9, count) / 2).astype(dtype)
    values = floats(random, count, dtype)
    return np.abs(values) if name in UNSIGNED_ZERO and random.random() < 0.2 else values + (name in UNSIGNED_ZERO) * 0.0


class Memory:
    """Memory of a kernel: its arguments, an arena, a place for the result."""

    def __init__(self, random: np.random.Generator) -> None:
        self.bytes = random.integers(0, 256, SIZE, np.uint8)
        small = floats(random, (RESULT - ARENA) // 8, np.float32)
        self.bytes[ARENA : ARENA + small.nbytes] = small.view(np.uint8)

    def put(self, at: int, values: Array) -> None:
        """Stores an array."""
        self.bytes[at : at + values.nbytes] = np.ascontiguousarray(values).view(np.uint8)

    def after(self, kernel: jit.KernelFunction) -> bytes:
        """The bytes after the arguments, once a kernel ran."""
        at = address(self.bytes)
        with np.errstate(all="ignore"):
            kernel(at, at + RESULT, 0, 0, 0)
        return self.bytes[ARENA:].tobytes()


def both_ways(
    kernel: jit.KernelFunction, arguments: Callable[[np.random.Generator, int], list[Array]], seed: int
) -> list[bytes]:
    """Memory after a kernel ran compiled, and as Python."""
    made = []
    for run in (jit.compiled(kernel), kernel):
        random = np.random.default_rng(seed)
        memory = Memory(random)
        for index, each in enumerate(arguments(random, address(memory.bytes))):
            memory.put(SLOT * index, each)
        made.append(memory.after(run))
    return made


def alike(compiled: bytes, plain: bytes, dtype: type) -> bool:
    """Whether memories are equal; where the result is NaN, any NaN will do."""
    if compiled == plain:
        return True
    left, right = (np.frombuffer(each, dtype) for each in (compiled, plain))
    return bool(((left == right) | (np.isnan(left) & np.isnan(right)))[_differs(compiled, plain, dtype)].all())


def _differs(left: bytes, right: bytes, dtype: type) -> Array:
    size = np.dtype(dtype).itemsize
    unequal = np.frombuffer(left, np.uint8) != np.frombuffer(right, np.uint8)
    return unequal.reshape(-1, size).any(axis=1)


def near(compiled: bytes, plain: bytes, magnitude: Array, dtype: type) -> bool:
    """Whether results differ at most by the roundings of a product and a sum."""
    count, at = len(magnitude), RESULT - ARENA
    left, right = (np.frombuffer(each[at:], dtype)[:count].astype(np.float64) for each in (compiled, plain))
    info = np.finfo(dtype)
    equal = (left == right) | (np.isnan(left) & np.isnan(right)) | (magnitude > info.max)
    with np.errstate(all="ignore"):
        close = np.abs(left - right) <= 2 * info.eps * magnitude + info.smallest_subnormal
    return bool((equal | close).all()) and compiled[:at] == plain[:at]


@pytest.mark.parametrize("case", list(cases()), ids=lambda case: case[0])
def test_compiled_is_what_it_means(case: Case) -> None:
    label, operation, kinds = case
    name = label.split()[0]
    kernel = kernel_of(operation, kinds)
    names = list(inspect.signature(operation.meaning).parameters)
    result = operation.result(kinds)
    assert result is not None

    def arguments(random: np.random.Generator, base: int) -> list[Array]:
        return [argument(random, name, one, kind, base) for one, kind in zip(names, kinds, strict=True)]

    for seed in range(ROUNDS):
        compiled, plain = both_ways(kernel, arguments, seed)
        if name in APPROXIMATE:
            wanted = np.frombuffer(plain[RESULT - ARENA :], np.float32)[: result.lanes]
            assert near(compiled, plain, APPROXIMATE[name] / 2 * np.abs(wanted.astype(np.float64)), np.float32), seed
        elif name in ROUNDED_TWICE:
            check_near(name, arguments, seed, compiled, plain, DTYPES[result.element])
        else:
            assert alike(compiled, plain, DTYPES.get(result.element, np.uint8)), f"seed {seed}"


def check_near(
    name: str,
    arguments: Callable[[np.random.Generator, int], list[Array]],
    seed: int,
    compiled: bytes,
    plain: bytes,
    dtype: type,
) -> None:
    """Operations that round once or twice stay within both roundings of the terms' magnitudes."""
    random = np.random.default_rng(seed)
    Memory(random)
    given = [each.astype(np.float64) for each in arguments(random, 0)]
    if name == "scaled_dot":
        total, weights, x, scales = given
        products = np.abs(weights * x).reshape(16, 4).sum(axis=1) * (2 if target().bias else 1) + 128 * 4 * 127
        magnitude = np.abs(total) + products * np.abs(scales)
    else:
        with np.errstate(invalid="ignore"):
            magnitude = np.abs(given[0] * given[1]) + np.abs(given[2])
    assert near(compiled, plain, magnitude, dtype), f"seed {seed}"


def test_no_operation_is_left_out() -> None:
    """Operations that the cases leave out have tests of their own here."""
    tried = {operation.meaning for _, operation, _ in cases()}
    left = {name for name, each in ALL.items() if each.meaning not in tried}
    assert left == TILES | {"call_kernel"}
    assert {name for name in TILES if not name.startswith("no_")} == {
        "dot_columns",
        "scale_columns",
        "multiply_add_columns",
        "multiply_add_pairs",
        "multiply_add_runs",
        "row_productsbfloat16s",
        "row_productsfloat16s",
        "row_productsfloats",
        "halve_columns",
        "less_products",
        "load_double_columns",
        "store_column_sums",
        "store_columns",
        "store_some_columns",
        "transpose",
        "transpose_codes",
    }
    assert set(ANY) == {name for name, each in ALL.items() if each.takes is None} - TILES


def test_kinds_that_do_not_go_together_are_refused() -> None:
    assert arithmetic.floats_of.result((DOUBLE,)) is None
    assert memory.load_word.result((INTEGER, INTEGER)) is None
    with pytest.raises(TypeError, match="f32x16 does not go with f64x8"):
        arithmetic.add.result((FLOATS, DOUBLES))


# -- tiles


WIDTHS = sorted(no_float_columns)


def zeros_kernel(columns: int) -> jit.KernelFunction:
    """Stores a float tile and an int tile of zeros."""
    no_floats, no_ints = no_float_columns[columns], no_int_columns[columns]

    def run(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        store_columns(job, 64, no_floats())
        store_columns(job + 1024, 80, no_ints())

    return run


def products_kernel(columns: int) -> jit.KernelFunction:
    """Dot products, then scaled ones: weights at 0 and 64, scales at 128 and 192, then x and its scales."""
    no_floats, no_ints = no_float_columns[columns], no_int_columns[columns]

    def run(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        x = weights + 1024
        dots = dot_columns(dot_columns(no_ints(), load_bytes(weights), x, 36), load_bytes(weights + 64), x + 4, 36)
        store_columns(job, 64, dots)
        numbers = weights + 2048
        totals = multiply_add_columns(no_floats(), load_floats(weights + 128), numbers, 20)
        store_columns(job + 512, 64, totals)
        totals = scale_columns(totals, dots, load_floats(weights + 192), numbers + 4, numbers + 8, 20)
        store_some_columns(job + 1024, 64, totals, load_word(weights + 256))

    return run


def runs_kernel(columns: int) -> jit.KernelFunction:
    """Products of one row's neighbours with those of some activations, then their sums."""
    no_floats = no_float_columns[columns]

    def run(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        totals = multiply_add_runs(no_floats(), load_floats(weights + 128), weights + 2048, 68)
        totals = multiply_add_runs(totals, load_floats(weights + 192), weights + 2112, 68)
        store_columns(job, 64, totals)
        store_column_sums(job + 512, 12, totals)

    return run


def rows_kernel(columns: int) -> jit.KernelFunction:
    """Products of several rows with one activation, for every dtype of weights in turn."""
    no_floats, kinds = no_float_columns[columns], tuple(row_products.values())
    first, second, third = kinds

    def run(weights: int, job: int, first_row: int, last: int, scratch: int) -> None:
        x = load_floats(weights + 128)
        store_columns(job, 64, first(no_floats(), weights + 2048, 68, x))
        store_columns(job + 1024, 64, second(no_floats(), weights + 3072, 34, x))
        store_columns(job + 2048, 64, third(no_floats(), weights + 4096, 34, x))

    return run


def pairs_kernel(columns: int) -> jit.KernelFunction:
    """Products of bfloat16, two at once, twice."""
    no_floats = no_float_columns[columns]

    def run(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        totals = multiply_add_pairs(no_floats(), load_ints(weights + 4096), weights + 4224, 36)
        store_columns(job, 64, multiply_add_pairs(totals, load_ints(weights + 4160), weights + 4228, 36))

    return run


def halving_kernel(columns: int) -> jit.KernelFunction:
    """Adds the columns of the second half to those of the first."""
    no_floats = no_float_columns[columns]

    def run(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        tile = multiply_add_columns(no_floats(), load_floats(weights + 128), weights + 2048, 20)
        store_columns(job, 64, halve_columns(tile))

    return run


def transpose_kernel(weights: int, job: int, first: int, last: int, scratch: int) -> None:
    """Transposes rows 68 bytes apart, whole ones and 16 bytes of each."""
    transpose(weights + 1024, 68, job)
    transpose_codes(weights + 1028, 68, job + 1024)


def tile_arguments(random: np.random.Generator, _: int) -> list[Array]:
    """Weights as `dot` takes them, scales, a count, then activations and small whole numbers."""
    weights = random.integers(0 if target().bias else -128, 128, 128).astype(np.int8)
    scales = random.integers(-8, 9, 32).astype(np.float32)
    made = np.zeros(SLOT * 160, np.uint8)
    made[:128] = weights.view(np.uint8)
    made[128:256] = scales.view(np.uint8)
    made[256:264] = np.array([random.integers(1, 17)]).view(np.uint8)
    made[1024:2048] = random.integers(-127, 128, 1024).astype(np.int8).view(np.uint8)
    small = random.integers(-8, 9, 512).astype(np.float32)
    made[3072:4096] = small.astype(np.float16).view(np.uint8)
    made[4096:5120] = (small.view(np.uint32) >> np.uint32(16)).astype(np.uint16).view(np.uint8)
    made[2048:3072] = random.integers(-8, 9, 256).astype(np.float32).view(np.uint8)
    return [made[: ARENA + 4096]]


TILED = [
    (make, columns)
    for make in (zeros_kernel, products_kernel, runs_kernel, rows_kernel, pairs_kernel)
    for columns in WIDTHS
]
TILED += [(halving_kernel, columns) for columns in (2, 4, 8)]


@pytest.mark.parametrize(("make", "columns"), TILED, ids=lambda value: getattr(value, "__name__", str(value)))
def test_tiles_compiled_are_what_they_mean(make: Callable[[int], jit.KernelFunction], columns: int) -> None:
    """With small whole numbers every product and sum is exact, whether it is rounded once or twice."""
    for seed in range(ROUNDS):
        compiled, plain = both_ways(make(columns), tile_arguments, seed)
        assert compiled == plain, f"seed {seed}"


def less_products_kernel(weights: int, job: int, first: int, last: int, scratch: int) -> None:
    """Takes products from eight columns of doubles: those at 0, a vector at 512, and doubles 16 bytes apart at 576."""
    totals = less_products(load_double_columns(weights, 64), load_doubles(weights + 512), weights + 576, 16)
    store_columns(job, 64, totals)


def double_arguments(random: np.random.Generator, _: int) -> list[Array]:
    """Doubles of all sizes, so that a product that is not rounded by itself shows."""
    doubles = random.standard_normal(88) * 2.0 ** random.integers(-20, 20, 88)
    return [doubles.view(np.uint8)]


def test_products_of_doubles_are_taken_away_rounded() -> None:
    for seed in range(ROUNDS):
        compiled, plain = both_ways(less_products_kernel, double_arguments, seed)
        assert compiled == plain, f"seed {seed}"


def no_arguments(random: np.random.Generator, base: int) -> list[Array]:
    """No operation leaves the arena."""
    return []


def test_transpose_compiled_is_what_it_means() -> None:
    for seed in range(ROUNDS):
        compiled, plain = both_ways(transpose_kernel, no_arguments, seed)
        assert compiled == plain


# -- the rest


def calling_kernel(weights: int, job: int, first: int, last: int, scratch: int) -> None:
    """Calls the kernel whose address is in the first slot."""
    call_kernel(load_word(weights), weights, job, first + 1, last + 2, scratch + 3)


def called_kernel(weights: int, job: int, first: int, last: int, scratch: int) -> None:
    """Records its arguments."""
    store_word(job, weights)
    store_word(job + 8, first)
    store_word(job + 16, last)
    store_word(job + 24, scratch)


def test_a_kernel_calls_another_by_its_address() -> None:
    called = jit.compiled(called_kernel)
    assert isinstance(called, jit.Compiled)
    slots, out = np.array([called.address]), np.zeros(4, np.int64)
    jit.compiled(calling_kernel)(address(slots), address(out), 10, 20, 30)
    assert out.tolist() == [address(slots), 11, 22, 33]
    with pytest.raises(NotImplementedError, match="an uncompiled kernel has no address"):
        calling_kernel(address(slots), address(out), 10, 20, 30)


def counting_kernel(weights: int, job: int, first: int, last: int, scratch: int) -> None:
    """Adds 1, and adds 1 by compare-and-swap, many times."""
    for _ in range(first, last):
        add_shared(weights, 1)
        while True:
            seen = load_shared(weights + 64)
            if swap_shared(weights + 64, seen, seen + 1):
                break
            relax()


def test_threads_that_share_a_word_lose_nothing() -> None:
    words, kernel = np.zeros(16, np.int64), jit.compiled(counting_kernel)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: kernel(address(words), 0, 0, 50_000, 0), range(4)))
    assert words[0] == words[8] == 200_000


def test_the_rounded_exponential_is_the_nearest_float() -> None:
    """Over its whole range, and where it vanishes; near half-way, one in 100,000 may be the other neighbour."""
    x = np.concatenate(
        [-np.geomspace(1e-8, 105, 200_000), np.linspace(-104.5, 0, 200_000), [0, -np.inf, -1e30, np.nan]]
    )
    x = np.resize(x.astype(np.float32), 400_016)
    out = np.empty_like(x)
    run = jit.compiled(over(rounded_exponential))
    run(address(x), address(out), 0, len(x) // 16, 0)
    with np.errstate(invalid="ignore"):
        wanted = np.exp(np.where(np.isnan(x), -np.inf, x).astype(np.longdouble)).astype(np.float32)
    assert (out != wanted).mean() <= 1e-5


def over(operation: Operation) -> jit.KernelFunction:
    """(x, out, first vector, last, …) runs an operation of one vector of floats on many."""

    def run(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        for at in range(64 * first, 64 * last, 64):
            store(job + at, operation(load_floats(weights + at)))

    return run
