"""Kernels that measure: the machine's limits, and the error of decoded weights."""
