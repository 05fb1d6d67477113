"""Codes of a super-block, 256 int32, packed as ggml has them: the stores of `fourcc.formats.layouts.bit_fields`."""

from __future__ import annotations

from fourcc.kernels.simd.arithmetic import ints_of, shifted_right
from fourcc.kernels.simd.memory import load_ints
from fourcc.kernels.simd.select import both, either, shifted_left
from fourcc.kernels.simd.store_narrow import store_low_bytes


def store_nibbles(out: int, codes: int, run: int) -> None:
    """The low four bits of each code in 128 bytes; in each `run` of them `run` codes, then as many more."""
    mask = ints_of(15)
    for byte in range(0, 128, 16):
        at = codes + 4 * (byte // run * 2 * run + byte % run)
        low, high = both(load_ints(at), mask), both(load_ints(at + 4 * run), mask)
        store_low_bytes(out + byte, either(low, shifted_left(high, 4)))


def store_pairs(out: int, codes: int, bit: int) -> None:
    """Bits `bit` and the next of each code in 64 bytes; in each 32 of them four times 32 codes."""
    mask = ints_of(3)
    for byte in range(0, 64, 16):
        at, made = codes + 4 * (byte // 32 * 128 + byte % 32), ints_of(0)
        for field in range(4):
            pair = both(shifted_right(load_ints(at + 128 * field), bit), mask)
            made = either(made, shifted_left(pair, 2 * field))
        store_low_bytes(out + byte, made)


def store_bits(out: int, codes: int, bit: int) -> None:
    """Bit `bit` of each code in 32 bytes, eight times 32 codes."""
    mask = ints_of(1)
    for byte in range(0, 32, 16):
        made = ints_of(0)
        for field in range(8):
            one = both(shifted_right(load_ints(codes + 4 * byte + 128 * field), bit), mask)
            made = either(made, shifted_left(one, field))
        store_low_bytes(out + byte, made)
