"""Measuring: the machine's limits, the kernels against them, other projects' kernels beside them, all in one run."""
