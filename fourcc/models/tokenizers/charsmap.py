"""A SentencePiece model's own normalization: which characters become which, from its table ``precompiled_charsmap``.

The bytes are: a u32, the length of a double array; the array, u32 each; texts that end with a zero byte. The array is a
trie over bytes (darts-clone by Susumu Yata, as SentencePiece's ``normalizer.cc`` uses it). Of a node's 32 bits, the
lowest 8 are the byte that leads to it, bit 8 says that an entry ends here, and the rest is the offset to its children,
shifted by 8 more where bit 9 is set. An entry's value is the place of its text.
"""

from __future__ import annotations

import struct

import attrs

from fourcc.errors import InputError

_WIDE, _LEAF, _LABEL, _VALUE = 1 << 9, 1 << 8, 1 << 31 | 0xFF, (1 << 31) - 1


@attrs.frozen
class Charsmap:
    """Replacements of the starts of a text.

    Attributes:
        nodes: the double array.
        texts: the replacements, each with a zero byte behind it.
    """

    nodes: tuple[int, ...] = ()
    texts: bytes = b""

    @classmethod
    def parsed(cls, data: bytes, file: object) -> Charsmap:
        """The table in its bytes, none at all for no bytes.

        Raises:
            InputError: the length does not fit, or a text lies outside.
        """
        if not data:
            return cls()
        (size,) = struct.unpack_from("<I", data) if len(data) > 4 else (0,)
        if not size or size % 4 or 4 + size >= len(data) or data[-1]:
            what = "the key 'tokenizer.ggml.precompiled_charsmap' is damaged"
            raise InputError(what, file=file, found=f"{len(data)} bytes, of them {size} in the array")
        return cls(struct.unpack_from(f"<{size // 4}I", data, 4), data[4 + size :])

    def longest(self, raw: bytes, at: int) -> tuple[int, bytes] | None:
        """Length and replacement of the longest entry that begins at a place in a text's bytes; None: no entry does."""
        if not self.nodes:
            return None
        found, place = None, self._base(0)
        for offset in range(at, len(raw)):
            place ^= raw[offset]
            node = self._node(place)
            if node & _LABEL != raw[offset] or not raw[offset]:
                break
            place ^= _base(node)
            if node & _LEAF:
                found = offset + 1 - at, self._node(place) & _VALUE
        return None if found is None else (found[0], self._text(found[1]))

    def _base(self, place: int) -> int:
        return _base(self._node(place))

    def _node(self, place: int) -> int:
        return self.nodes[place] if place < len(self.nodes) else 0

    def _text(self, place: int) -> bytes:
        return self.texts[place : self.texts.find(b"\0", place)]


def _base(node: int) -> int:
    """The offset to a node's children."""
    return (node >> 10) << (8 if node & _WIDE else 0)
