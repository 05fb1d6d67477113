"""Weights that look for trouble, for hypothesis: those of the conformance kit."""

from fourcc.testing.strategies import FINITE, SMALL, matrices, times_power_of_two

__all__ = ["FINITE", "SMALL", "matrices", "times_power_of_two"]
