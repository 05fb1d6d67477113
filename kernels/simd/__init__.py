"""Vectors in Python, with which kernels are written.

A vector has 512 bits on every machine. In a compiled kernel it lives in registers; in an uncompiled one it is a numpy
array, so every kernel can be run, and debugged, as plain Python. Most operations are in `memory`, `arithmetic`, `dot`
and `tiles`; `operation` defines an operation, `target` the machine that it is lowered for.
"""
