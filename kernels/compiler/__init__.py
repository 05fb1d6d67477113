"""Compiles plain Python functions to machine code, and caches it on disk."""
