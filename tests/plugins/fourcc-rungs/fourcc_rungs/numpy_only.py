"""Rng1, the first rung: numpy alone. Correct, and fast enough to convert, to measure, and to run small models."""

from fourcc import Format
from fourcc_rungs.layout import bound, codes, decode, encode, spec

RNG1 = Format(spec=spec("Rng1"), decode=decode, encode=encode, codes=codes, bound=bound)
