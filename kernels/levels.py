"""The sixteen levels of IQ4_NL and IQ4_XS: whole numbers of eight bits."""

from __future__ import annotations

from fourcc.kernels.simd.words import byte_table

LEVELS = (-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)
levels_of = byte_table(LEVELS)
