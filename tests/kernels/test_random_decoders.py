"""Block decoders made up at random mean the same in every way to run them, bit for bit; what they may not is refused.

The ways: the instructions of their trace, machine code, numpy arrays of many blocks, and plain Python, block by block.
"""

from collections.abc import Sequence

import numpy as np
import pytest

from fourcc.kernels.fusing.block_part import BlockPart
from fourcc.kernels.fusing.ir import UntraceableError
from tests.formats.checks import same_numbers
from tests.kernels.made_up_decoders import (
    ROWS,
    SIZES,
    TABLES,
    Decoder,
    by_instructions,
    by_machine_code,
    derived,
    in_plain_python,
    made_up,
    stored,
)
from tests.kernels.other_targets import on_any_processor, passes
from tests.kernels.packed_bytes import LAYOUTS

FEW, STEPS = 50, 25


def difference(decoder: Decoder, seed: int) -> str:
    """A weight that is not the same in all ways but machine code; empty: there is none."""
    raw = stored(decoder, seed)
    arrays = derived(decoder, raw)
    some = [0, 5, ROWS * decoder.blocks - 1]
    ways = {
        "instructions": (by_instructions(decoder, decoder.traced(), raw), arrays),
        "plain Python": (in_plain_python(decoder, raw, some), arrays[:, some]),
    }
    for way, (found, expected) in ways.items():
        for at in range(decoder.width):
            if not same_numbers(found[at], expected[at]):
                return (
                    f"weight {at} by {way}: {found[at]}, by arrays: {expected[at]}\n{decoder.parts}\n{decoder.text()}"
                )
    return ""


def compiled_difference(decoders: Sequence[Decoder], seed: int) -> str:
    """A weight that machine code makes differently."""
    raws = [stored(decoder, seed) for decoder in decoders]
    for decoder, raw, found in zip(decoders, raws, by_machine_code(decoders, raws), strict=True):
        expected = derived(decoder, raw)
        for at in range(decoder.width):
            if not same_numbers(found[at], expected[at]):
                return f"weight {at}: {found[at]}, by arrays: {expected[at]}\n{decoder.parts}\n{decoder.text()}"
    return ""


def refused_elsewhere(decoder: Decoder) -> str:
    """A line that a trace of the whole decoder does not refuse, or whose number it does not name."""
    for line, before in decoder.refused[:3]:
        lines = [*decoder.lines[:before], line, "weights[0:] = 0.0"]
        try:
            decoder.traced(lines)
        except (UntraceableError, IndexError) as error:
            if not str(error).startswith(f"{decoder.name}:{before + 2}: "):
                return f"{line}: {error}"
        else:
            return f"{line} in {decoder.text(lines)}"
    return ""


@pytest.mark.parametrize("seed", range(FEW))
def test_decoders_mean_the_same_in_every_way(seed: int) -> None:
    """But for machine code, which takes long to make."""
    assert not difference(made_up(seed, STEPS), seed)


def test_compiled_decoders_mean_the_same() -> None:
    """Few, in one kernel; a lane compiles more."""
    assert not compiled_difference([made_up(seed, 10) for seed in range(2000, 2004)], 1)


def test_refused_lines_are_named() -> None:
    for seed in range(FEW // 2):
        assert not refused_elsewhere(made_up(seed, STEPS))


def of_layouts() -> list[Decoder]:
    """A decoder for every way to pack codes: all codes, some in a table whose length fits, some as numbers."""
    decoders = []
    for number, layout in enumerate(LAYOUTS):
        blocks = next(each for each in (1, 2, 4, 8, 16) if layout.is_whole(30 * each) or each == 16)
        count = 30 if layout.is_whole(30 * blocks) else 32
        size = min(64, layout.largest + 1)
        part = BlockPart("codes", "|u1", count, packing=layout)
        lines = [f"weights[0:{count}] = p0", f"weights[{count}:] = BOOK[p0 & {size - 1}] + (p0 >> 1)"]
        if size & (size - 1):
            lines[1] = f"weights[{count}:] = BOOK[p0] + p0 * 0.5"
        decoder = Decoder(f"layout_{number}.py", [part], blocks, lines, 2 * count)
        TABLES["BOOK"] = np.linspace(-1, 1, 64)
        decoders.append(decoder)
    return decoders


def test_every_packing() -> None:
    """Every code, in every block of a unit."""
    for number, decoder in enumerate(of_layouts()):
        assert not difference(decoder, number)


@pytest.mark.thorough
def test_every_packing_compiled() -> None:
    decoders = of_layouts()
    for first in range(0, len(decoders), 4):
        assert not compiled_difference(decoders[first : first + 4], first)


def of_table_sizes(sizes: Sequence[int]) -> list[Decoder]:
    """Look-ups in constant and in stored tables, by indices that are surely, perhaps and not within them."""
    decoders = []
    for size in sizes:
        parts = [BlockPart("codes", "|u1", 4), BlockPart("words", "<u4", 1), BlockPart("book", "<f2", size, "matrix")]
        low = (1 << size.bit_length() - 1) - 1
        indices = ["p0", f"p0 & {low}", f"p0 >> 3 & {low}", "p1 >> 29", "p1 >> 1"]
        lines = [f"weights[{8 * at}:{8 * at + 4}] = FLOATS_{size}[{index}]" for at, index in enumerate(indices)]
        lines += [f"weights[{8 * at + 4}:{8 * at + 8}] = p2[{index}]" for at, index in enumerate(indices)]
        decoders.append(Decoder(f"tables_{size}.py", parts, 1, lines, 8 * len(indices)))
    return decoders


def test_every_length_of_a_table() -> None:
    for decoder in of_table_sizes(SIZES):
        assert not difference(decoder, 1)


def test_some_lengths_of_a_table_compiled() -> None:
    """The tables of one register, of four, and in memory; a lane compiles every length."""
    assert not compiled_difference(of_table_sizes([3, 8, 40, 64, 128]), 1)


@pytest.mark.thorough
def test_every_length_of_a_table_compiled() -> None:
    assert not compiled_difference(of_table_sizes(SIZES), 1)


@pytest.mark.thorough
@on_any_processor
def test_on_any_processor(name: str) -> None:
    """The instructions of other machines give the same."""
    passes(__file__, name, "compiled")


def test_what_is_made_up_says_something() -> None:
    """Every operator, function and kind of part is used, by values and by vectors."""
    text = "\n".join(made_up(seed, STEPS).text() for seed in range(FEW))
    for said in ("+", "-", "*", "/", "//", "%", "**", "&", "|", "^", "<<", ">>", "<", "<=", ">", ">=", "==", "!="):
        assert f" {said} " in text
    for said in ("~", "abs(", "np.abs(", "np.sign(", "np.where(", "np.clip(", "min(", "max(", "np.minimum(", ".sum()"):
        assert said in text
    for said in (
        "np.logical_and(",
        "np.concatenate(",
        "np.float32(",
        ".astype(",
        "FLOATS_",
        "WHOLES_",
        "for k in",
        "[",
    ):
        assert said in text
