"""Vectors in Python: what kernels are written with.

A vector has 512 bits on every machine. In a compiled kernel it lives in registers; in an uncompiled one it is a numpy
array, so that every kernel can be run, and debugged, as plain Python. The operations are in `memory`, `arithmetic`,
`dot` and `tiles`; `operation` says what one is, `target` which machine they are lowered for.
"""
