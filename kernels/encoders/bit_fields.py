"""Packs the codes of a super-block, 256 int32, in ggml's order, like `fourcc.packing`."""

from __future__ import annotations

from fourcc.kernels.simd.arithmetic import ints_of, shifted_right
from fourcc.kernels.simd.memory import load_ints
from fourcc.kernels.simd.select import both, either, shifted_left
from fourcc.kernels.simd.store_narrow import store_low_bytes


def store_nibbles(out: int, codes: int, run: int) -> None:
    """Stores the low four bits of 256 codes in 128 bytes, of which `run` hold `run` codes low, the next `run` high."""
    mask = ints_of(15)
    for byte in range(0, 128, 16):
        at = codes + 4 * (byte // run * 2 * run + byte % run)
        low, high = both(load_ints(at), mask), both(load_ints(at + 4 * run), mask)
        store_low_bytes(out + byte, either(low, shifted_left(high, 4)))


def store_pairs(out: int, codes: int, bit: int) -> None:
    """Stores bits `bit` and `bit` + 1 of 256 codes in 64 bytes; 32 bytes hold four fields of 32 codes."""
    mask = ints_of(3)
    for byte in range(0, 64, 16):
        at, packed = codes + 4 * (byte // 32 * 128 + byte % 32), ints_of(0)
        for field in range(4):
            pair = both(shifted_right(load_ints(at + 128 * field), bit), mask)
            packed = either(packed, shifted_left(pair, 2 * field))
        store_low_bytes(out + byte, packed)


def store_bits(out: int, codes: int, bit: int) -> None:
    """Stores bit `bit` of 256 codes in 32 bytes: eight fields of 32 codes."""
    mask = ints_of(1)
    for byte in range(0, 32, 16):
        packed = ints_of(0)
        for field in range(8):
            one = both(shifted_right(load_ints(codes + 4 * byte + 128 * field), bit), mask)
            packed = either(packed, shifted_left(one, field))
        store_low_bytes(out + byte, packed)
