"""Formats as plugins: who declares them, how one is loaded, and the registry that maps tags to them.

The registry's module lies in this folder because `fourcc.registry` is the registry itself: importing a module
``fourcc/registry.py`` would put that module in its place.
"""
