"""Difficult weights for hypothesis, from the conformance kit."""

from fourcc.testing.strategies import FINITE, SMALL, matrices, times_power_of_two

__all__ = ["FINITE", "SMALL", "matrices", "times_power_of_two"]
