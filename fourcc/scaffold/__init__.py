"""Writes a new plugin: a small package with a working format, its page, its stored bytes and its tests."""

from fourcc.scaffold.names import Names, checked_names
from fourcc.scaffold.writing import write_package

__all__ = ["Names", "checked_names", "write_package"]
