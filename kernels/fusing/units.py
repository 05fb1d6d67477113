"""How many neighbouring blocks are decoded at once, a unit.

The packed codes of a unit fill whole bytes, and whole runs of them. Whole words are faster to read, a wide unit is
faster than a narrow one, since loops and scales cost less, and a long one is slow to compile.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from fourcc.kernels.fusing.block_part import BlockPart
from fourcc.kernels.fusing.ir import UntraceableError
from fourcc.kernels.fusing.stored_parts import DecoderPart, FieldsPart, stored
from fourcc.kernels.fusing.tracer import BlockDecoder, trace

WIDE = 32  # weights that a unit has, if it can; more do not help in general
WIDEST = 128  # weights that a unit may have in order that its parts are whole words
INSTRUCTIONS = 6000  # of a unit; a longer one is only made where codes fill whole bytes no sooner
MOST = 64  # blocks that are tried until codes fill whole bytes


def blocks_of_unit(
    decode_block: BlockDecoder, width: int, parts: Sequence[DecoderPart], params: Mapping[str, object] | None
) -> int:
    """The number of blocks to decode at once.

    Args:
        decode_block: as `fused` takes it.
        width: columns of a block.
        parts: of one block.
        params: the layout's parameters.

    Raises:
        UntraceableError: as `fused`; or codes fill whole bytes in no number of blocks.
    """
    first = next((blocks for blocks in range(1, MOST + 1) if _is_whole(parts, blocks)), None)
    if first is None:
        raise UntraceableError(f"the codes of {MOST} blocks or fewer fill no whole bytes")
    if any(isinstance(part, FieldsPart) and _is_packed(part) for part in parts) or first * width >= WIDEST:
        return first
    arguments = [each for index, part in enumerate(parts) for each in stored(part, index, first).arguments]
    instructions = len(trace(decode_block, arguments, width, params).instructions)
    most = max(first, min(WIDEST // width, INSTRUCTIONS // max(1, instructions)))
    fitting = [blocks for blocks in range(first, most + 1, first) if width * blocks >= WIDE] or [most // first * first]
    in_words = [blocks for blocks in fitting if _is_in_words(parts, blocks)]
    return (in_words or fitting)[0]


def _is_whole(parts: Sequence[DecoderPart], blocks: int) -> bool:
    return all(part.packing.is_whole(part.count * blocks) for part in _packed(parts) if part.packing is not None)


def _packed(parts: Sequence[DecoderPart]) -> Iterator[BlockPart]:
    """The parts of codes; those in records have bytes of their own in each."""
    return (part for part in parts if isinstance(part, BlockPart) and part.packing is not None)


def _is_packed(part: FieldsPart) -> bool:
    return any(field.packing is not None for field in part.fields)


def _is_in_words(parts: Sequence[DecoderPart], blocks: int) -> bool:
    return all(stored(part, index, blocks).stride % 4 == 0 for index, part in enumerate(parts))
